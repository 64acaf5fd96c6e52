//! Postal addresses in the shapes that profiles and events have, and what they lend to a buyer.

use canonical::Person;
use serde_json::{Map, Value};

/// A postal address. Empty texts must not get here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Address {
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Organisation.
    pub company: Option<String>,
    /// Street and number.
    pub address1: Option<String>,
    /// What does not fit there.
    pub address2: Option<String>,
    /// Town.
    pub city: Option<String>,
    /// State, province: its name.
    pub region: Option<String>,
    /// State, province: its code.
    pub region_code: Option<String>,
    /// The country's name.
    pub country: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country_code: Option<String>,
    /// Postal code.
    pub zip: Option<String>,
    /// Phone number in any notation.
    pub phone: Option<String>,
    /// Degrees north, a JSON number.
    pub latitude: Option<Value>,
    /// Degrees east, a JSON number.
    pub longitude: Option<Value>,
}

impl Address {
    fn name(&self) -> [Option<&str>; 2] {
        [self.first_name.as_deref(), self.last_name.as_deref()]
    }

    /// As the profile's location: Klaviyo's keys, with names before codes, as people write segments.
    pub fn location(&self) -> Map<String, Value> {
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
    pub fn into_property(self) -> Map<String, Value> {
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

/// Gives a buyer what only the addresses know. An address only lends what the buyer's own record lacks, and the
/// shipping address only its phone: not if it is somebody else's, whom that phone would make one person with the
/// buyer.
pub fn lend(person: &mut Person, billing: Option<&Address>, shipping: Option<&Address>) {
    let gift = match (shipping, billing) {
        (Some(shipping), Some(billing)) => person.email.is_some() && shipping.name() != billing.name(),
        _ => false,
    };
    for address in [shipping.filter(|_| !gift), billing].into_iter().flatten() {
        if person.phone.is_none() && address.phone.is_some() {
            person.phone.clone_from(&address.phone);
            person.phone_country.clone_from(&address.country_code);
        }
    }
    if person.phone_country.is_none() {
        let mut countries = [billing, shipping].into_iter().flatten();
        person.phone_country = countries.find_map(|address| address.country_code.clone());
    }
    let Some(billing) = billing else { return };
    let attributes = &mut person.attributes;
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

/// Sets an attribute if there is one.
pub fn set(attributes: &mut Map<String, Value>, key: &str, value: Option<String>) {
    if let Some(value) = value {
        attributes.insert(key.to_owned(), Value::String(value));
    }
}

/// Sets an attribute that is an object, unless it is empty.
pub fn set_object(attributes: &mut Map<String, Value>, key: &str, object: Map<String, Value>) {
    if !object.is_empty() {
        attributes.insert(key.to_owned(), Value::Object(object));
    }
}
