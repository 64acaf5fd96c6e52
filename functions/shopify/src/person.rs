//! Buyers and their addresses.

use canonical::Person;
use platform::address::{Address, lend, set, set_object};
use platform::lenient::{Dropped, Field, Object};
use serde_json::{Map, Value};

use crate::payload;
use crate::reader::Reader;

/// Takes an address's fields out; bad ones are noted by the address's name.
pub(crate) fn address(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Address>>,
) -> Option<Address> {
    let Object(address) = dropped.take(name, field)?;
    let mut text = |field| dropped.take::<String>(name, field);
    Some(Address {
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
    /// The person, with what the customer's record lacks lent by the addresses.
    pub(crate) fn person(self, reader: &mut Reader<'_>) -> Person {
        let customer = reader.dropped.take("customer", self.customer).map(|Object(customer)| customer);
        let mut person = customer.map(|customer| self::customer(reader, customer)).unwrap_or_default();
        person.email = self.email.or(person.email);
        if self.phone.is_some() {
            person.phone = self.phone;
        }
        lend(&mut person, self.billing, self.shipping);
        set(&mut person.attributes, "locale", self.locale);
        person
    }
}

/// A customer's record.
pub(crate) fn customer(reader: &mut Reader<'_>, customer: payload::Customer) -> Person {
    let customer_id = reader.id("customer.id", customer.id);
    let dropped = &mut reader.dropped;
    let address = address(dropped, "customer.default_address", customer.default_address);
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
