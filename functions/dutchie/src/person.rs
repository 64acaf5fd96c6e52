//! Customers as people. Only who has an e-mail address becomes a profile; consent never comes from here, because what
//! `optedIntoMarketing` stands for is no dated decision of the customer's.

use canonical::Person;
use platform::address::{Address, set, set_object};
use platform::lenient::{Dropped, Id};
use platform::reading::{Reader, Silence};
use serde_json::{Map, Value};

use crate::payload::{Customer, Location};

/// Dispensaries are where this is the calling code's country.
const PHONE_COUNTRY: &str = "US";

/// Where something happened, and to whom its people belong.
pub(crate) struct Place {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) parent_name: Option<String>,
}

impl Place {
    pub(crate) fn of(reader: &mut Reader<'_>, location: Location) -> Result<Self, Silence> {
        Ok(Self {
            id: reader.identity("locationId", location.location_id)?,
            name: reader.dropped.take("locationName", location.location_name),
            parent: reader.dropped.take("lspId", location.lsp_id).map(|Id(id)| id),
            parent_name: reader.dropped.take("lspName", location.lsp_name),
        })
    }

    /// Customers are the parent's: all its locations name them alike.
    pub(crate) fn customer(&self, id: &str) -> String {
        match &self.parent {
            Some(parent) => format!("{parent}:{id}"),
            None => id.to_owned(),
        }
    }
}

/// Whoever is known by this id: with nothing else, unless there is an e-mail address.
pub(crate) fn person(dropped: &mut Dropped, customer_id: String, customer: Customer) -> Person {
    let mut person = Person { customer_id: Some(customer_id), ..Person::default() };
    person.email = dropped.take("emailAddress", customer.email_address);
    if person.email.is_none() {
        return person;
    }
    person.phone =
        dropped.take("cellPhone", customer.cell_phone).or_else(|| dropped.take("phone", customer.phone));
    person.phone_country = person.phone.is_some().then(|| PHONE_COUNTRY.to_owned());

    let address = Address {
        address1: dropped.take("address1", customer.address1),
        address2: dropped.take("address2", customer.address2),
        city: dropped.take("city", customer.city),
        region: dropped.take("state", customer.state),
        zip: dropped.take("postalCode", customer.postal_code),
        ..Address::default()
    };
    let attributes = &mut person.attributes;
    set(attributes, "first_name", dropped.take("firstName", customer.first_name));
    set(attributes, "last_name", dropped.take("lastName", customer.last_name));
    set_object(attributes, "location", address.location());

    let text = |text: Option<String>| text.map(Value::String);
    let born = dropped.take("dateOfBirth", customer.date_of_birth);
    let born = born.map(|born| born.split('T').next().unwrap_or_default().to_owned());
    let id = dropped.take("customerId", customer.customer_id).map(|Id(id)| id);
    let properties = [
        ("dateOfBirth", text(born)),
        ("Dutchie createdAtLocation", text(dropped.take("createdAtLocation", customer.created_at_location))),
        ("Dutchie creationDate", text(dropped.take("creationDate", customer.creation_date))),
        ("Dutchie customerId", id.map(number)),
        ("Dutchie customerType", text(dropped.take("customerType", customer.customer_type))),
        (
            "Dutchie isLoyaltyMember",
            dropped.take("isLoyaltyMember", customer.is_loyalty_member).map(Value::Bool),
        ),
        (
            "Dutchie lastModifiedDateUTC",
            dropped
                .take("lastModifiedDateUTC", customer.last_modified)
                .and_then(|moment| Some(moment.in_utc()?.to_utc_string().into())),
        ),
        ("Dutchie status", text(dropped.take("status", customer.status))),
    ];
    let properties: Map<String, Value> =
        properties.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    set_object(attributes, "properties", properties);
    person
}

/// An id as Dutchie writes it, a number.
pub(crate) fn number(id: String) -> Value {
    id.parse::<u64>().map_or(Value::String(id), Value::from)
}
