//! Buyers and their addresses.

use canonical::Person;
use platform::lenient::{Dropped, Field, Object};
use serde_json::{Map, Value};

use crate::payload;
use crate::reader::Reader;

/// An address, its fields taken out.
#[derive(Default)]
pub(crate) struct Address {
    first_name: Option<String>,
    last_name: Option<String>,
    company: Option<String>,
    address1: Option<String>,
    address2: Option<String>,
    city: Option<String>,
    region: Option<String>,
    region_code: Option<String>,
    country: Option<String>,
    country_code: Option<String>,
    zip: Option<String>,
    phone: Option<String>,
    latitude: Option<Value>,
    longitude: Option<Value>,
}

impl Address {
    /// Bad fields are noted by the address's name.
    pub(crate) fn take(
        dropped: &mut Dropped,
        name: &'static str,
        field: Field<Object<payload::Address>>,
    ) -> Option<Self> {
        let Object(address) = dropped.take(name, field)?;
        let mut text = |field| dropped.take::<String>(name, field);
        Some(Self {
            first_name: text(address.first_name),
            last_name: text(address.last_name),
            company: text(address.company),
            address1: text(address.address1),
            address2: text(address.address2),
            city: text(address.city),
            region: text(address.province),
            region_code: text(address.province_code),
            country: text(address.country),
            country_code: text(address.country_code),
            zip: text(address.zip),
            phone: text(address.phone),
            latitude: dropped.take(name, address.latitude).map(Value::Number),
            longitude: dropped.take(name, address.longitude).map(Value::Number),
        })
    }

    fn name(&self) -> [Option<&str>; 2] {
        [self.first_name.as_deref(), self.last_name.as_deref()]
    }

    /// As the profile's location: Klaviyo's keys, with names before codes, as people write segments.
    fn location(&self) -> Map<String, Value> {
        let text = |text: &Option<String>| text.clone().map(Value::String);
        [
            ("address1", text(&self.address1)),
            ("address2", text(&self.address2)),
            ("city", text(&self.city)),
            ("region", text(&self.region).or_else(|| text(&self.region_code))),
            ("zip", text(&self.zip)),
            ("country", text(&self.country).or_else(|| text(&self.country_code))),
            ("latitude", self.latitude.clone()),
            ("longitude", self.longitude.clone()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
    }

    /// As an event's address: the keys of Klaviyo's integration guide.
    pub(crate) fn into_property(self) -> Map<String, Value> {
        [
            ("FirstName", self.first_name),
            ("LastName", self.last_name),
            ("Company", self.company),
            ("Address1", self.address1),
            ("Address2", self.address2),
            ("City", self.city),
            ("Region", self.region),
            ("RegionCode", self.region_code),
            ("Country", self.country),
            ("CountryCode", self.country_code),
            ("Zip", self.zip),
            ("Phone", self.phone),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), Value::String(value?))))
        .collect()
    }
}

/// What an order or a checkout says about its buyer.
pub(crate) struct Buyer<'a> {
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) customer: Field<Object<payload::Customer>>,
    pub(crate) locale: Option<String>,
    pub(crate) billing: Option<&'a Address>,
    pub(crate) shipping: Option<&'a Address>,
}

impl Buyer<'_> {
    /// The person. An address only lends what the customer's record lacks, and the shipping address only
    /// its phone: not if it is somebody else's, whom that phone would make one person with the buyer.
    pub(crate) fn person(self, reader: &mut Reader<'_>) -> Person {
        let customer = reader.dropped.take("customer", self.customer).map(|Object(customer)| customer);
        let mut person = customer.map(|customer| self::customer(reader, customer)).unwrap_or_default();
        person.email = self.email.or(person.email);
        if self.phone.is_some() {
            person.phone = self.phone;
        }
        let gift = match (self.shipping, self.billing) {
            (Some(shipping), Some(billing)) => person.email.is_some() && shipping.name() != billing.name(),
            _ => false,
        };
        for address in [self.shipping.filter(|_| !gift), self.billing].into_iter().flatten() {
            if person.phone.is_none() && address.phone.is_some() {
                person.phone.clone_from(&address.phone);
                person.phone_country.clone_from(&address.country_code);
            }
        }
        let mut countries = [self.billing, self.shipping].into_iter().flatten();
        if person.phone_country.is_none() {
            person.phone_country = countries.find_map(|address| address.country_code.clone());
        }
        let attributes = &mut person.attributes;
        if let Some(billing) = self.billing {
            if !attributes.contains_key("first_name") && !attributes.contains_key("last_name") {
                set(attributes, "first_name", billing.first_name.clone());
                set(attributes, "last_name", billing.last_name.clone());
            }
            if !attributes.contains_key("organization") {
                set(attributes, "organization", billing.company.clone());
            }
            if !attributes.contains_key("location") {
                set_object(attributes, "location", billing.location());
            }
        }
        set(attributes, "locale", self.locale);
        person
    }
}

/// A customer's record.
pub(crate) fn customer(reader: &mut Reader<'_>, customer: payload::Customer) -> Person {
    let customer_id = reader.id("customer.id", customer.id);
    let dropped = &mut reader.dropped;
    let address = Address::take(dropped, "customer.default_address", customer.default_address);
    let mut attributes = Map::new();
    set(&mut attributes, "first_name", dropped.take("customer.first_name", customer.first_name));
    set(&mut attributes, "last_name", dropped.take("customer.last_name", customer.last_name));
    let mut person = Person {
        customer_id,
        email: dropped.take("customer.email", customer.email),
        phone: dropped.take("customer.phone", customer.phone),
        ..Person::default()
    };
    if let Some(address) = address {
        set(&mut attributes, "organization", address.company.clone());
        set_object(&mut attributes, "location", address.location());
        person.phone_country = address.country_code;
    }
    // Only API versions before 2025-01 send tags here.
    let tags = dropped.take("customer.tags", customer.tags).map(|tags| split_tags(&tags)).unwrap_or_default();
    if !tags.is_empty() {
        let properties = Map::from_iter([("Shopify Tags".to_owned(), tags.into())]);
        set_object(&mut attributes, "properties", properties);
    }
    person.attributes = attributes;
    person
}

/// Shopify writes tags as one text with commas.
pub(crate) fn split_tags(tags: &str) -> Vec<Value> {
    tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(Value::from).collect()
}

fn set(attributes: &mut Map<String, Value>, key: &str, value: Option<String>) {
    if let Some(value) = value {
        attributes.insert(key.to_owned(), Value::String(value));
    }
}

pub(crate) fn set_object(attributes: &mut Map<String, Value>, key: &str, object: Map<String, Value>) {
    if !object.is_empty() {
        attributes.insert(key.to_owned(), Value::Object(object));
    }
}
