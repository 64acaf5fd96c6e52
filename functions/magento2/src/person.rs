//! Buyers and their addresses.

use canonical::Person;
use canonical::money::Decimal;
use platform::address::{Address, lend, set};
use platform::lenient::{Dropped, Field, Id, Object};
use serde_json::Map;

use crate::payload::{self, Flag};

/// Takes an address's fields out; bad ones are noted by the address's name.
pub(crate) fn address(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Address>>,
) -> Option<Address> {
    let Object(address) = dropped.take(name, field)?;
    let mut street = dropped.take(name, address.street).unwrap_or_default().0.into_iter();
    let region = dropped.take(name, address.region).unwrap_or_default();
    let mut text = |field| dropped.take::<String>(name, field);
    let address1 = street.next();
    let others: Vec<_> = street.collect();
    Some(Address {
        first_name: text(address.firstname),
        last_name: text(address.lastname),
        company: text(address.company),
        address1,
        address2: Some(others.join(", ")).filter(|text| !text.is_empty()),
        city: text(address.city),
        region: region.name,
        region_code: text(address.region_code).or(region.code),
        country_code: text(address.country_id),
        zip: text(address.postcode),
        phone: text(address.telephone),
        ..Address::default()
    })
}

/// What an order or a quote says about its buyer.
#[derive(Default)]
pub(crate) struct Buyer<'a> {
    pub(crate) customer_id: Field<Id>,
    pub(crate) is_guest: Field<Flag>,
    pub(crate) email: Field<String>,
    pub(crate) first_name: Field<String>,
    pub(crate) last_name: Field<String>,
    pub(crate) billing: Option<&'a Address>,
    pub(crate) shipping: Option<&'a Address>,
}

impl Buyer<'_> {
    /// The person. Guests have no names of their own: the billing address lends its.
    pub(crate) fn person(self, dropped: &mut Dropped) -> Person {
        let guest = dropped.take("customer_is_guest", self.is_guest) == Some(Flag(true));
        let mut attributes = Map::new();
        set(&mut attributes, "first_name", dropped.take("customer_firstname", self.first_name));
        set(&mut attributes, "last_name", dropped.take("customer_lastname", self.last_name));
        let mut person = Person {
            email: dropped.take("customer_email", self.email),
            customer_id: customer_id(dropped, self.customer_id).filter(|_| !guest),
            attributes,
            ..Person::default()
        };
        lend(&mut person, self.billing, self.shipping);
        person
    }
}

/// A customer's id; 0 stands for nobody.
pub(crate) fn customer_id(dropped: &mut Dropped, field: Field<Id>) -> Option<String> {
    dropped.take("customer_id", field).map(|Id(id)| id).filter(|id| id != "0")
}

/// An amount without the zeros that the database pads it with: 34.0000 is 34, as REST writes it.
pub(crate) fn amount(dropped: &mut Dropped, name: &'static str, field: Field<Decimal>) -> Option<Decimal> {
    dropped.take(name, field).map(|amount| amount.normalize())
}

/// What stands under the first of two names, or under the second.
pub(crate) fn either<T>(first: Field<T>, second: Field<T>) -> Field<T> {
    if matches!(first, Field::Absent) { second } else { first }
}
