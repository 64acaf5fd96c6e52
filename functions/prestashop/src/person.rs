//! Customers, their addresses, and what all readings share.

use canonical::money::Decimal;
use canonical::{Instant, Person};
use jiff::tz::TimeZone;
use platform::Connection;
use platform::address::{Address, set};
use platform::lenient::{Dropped, Field, Id, Object, Stamp};
use serde_json::Map;

use crate::payload::{self, Customer, Flag};

/// The addresses of the one customer to whom PrestaShop's module for the GDPR gives the orders of everybody who was
/// erased. Source: <https://github.com/PrestaShop/psgdpr>.
const ERASED: [&str; 2] = ["anonymous@psgdpr.com", "anonymous@anonymous.com"];

/// The zone of a record's local times.
pub(crate) fn zone(dropped: &mut Dropped, connection: &Connection, field: Field<String>) -> TimeZone {
    let recorded = dropped.take("time_zone", field);
    let named = connection.time_zone("time_zone");
    named.or_else(|| TimeZone::get(&recorded?).ok()).unwrap_or(TimeZone::UTC)
}

/// A local time.
pub(crate) fn time(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Stamp>,
    zone: &TimeZone,
) -> Option<Instant> {
    dropped.take(name, field)?.in_zone(zone)
}

/// An amount without the zeros that the database pads it with.
pub(crate) fn amount(dropped: &mut Dropped, name: &'static str, field: Field<Decimal>) -> Option<Decimal> {
    dropped.take(name, field).map(|amount| amount.normalize())
}

/// An id; 0 stands for none.
pub(crate) fn reference(dropped: &mut Dropped, name: &'static str, field: Field<Id>) -> Option<String> {
    dropped.take(name, field).map(|Id(id)| id).filter(|id| id != "0")
}

/// Whether a customer is the one who stands for everybody who was erased.
pub(crate) fn is_erased(customer: &Customer) -> bool {
    ERASED.iter().any(|email| customer.email.is(email))
}

/// What a customer's row says. A guest has a row of their own for every order, so its id names nobody.
pub(crate) fn person(dropped: &mut Dropped, customer: &mut Customer) -> Person {
    let mut take = |name, field: &mut Field<String>| dropped.take(name, std::mem::take(field));
    let mut attributes = Map::new();
    set(&mut attributes, "first_name", take("customer.firstname", &mut customer.firstname));
    set(&mut attributes, "last_name", take("customer.lastname", &mut customer.lastname));
    set(&mut attributes, "organization", take("customer.company", &mut customer.company));
    let email = take("customer.email", &mut customer.email);
    let is_guest = dropped.take("customer.is_guest", customer.is_guest.clone()) == Some(Flag(true));
    let id = reference(dropped, "customer.id", customer.id.clone());
    Person { email, customer_id: id.filter(|_| !is_guest), attributes, ..Person::default() }
}

/// An address; bad fields are noted by its name.
pub(crate) fn address(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Address>>,
) -> Option<Address> {
    let Object(address) = dropped.take(name, field)?;
    let mut text = |field| dropped.take::<String>(name, field);
    Some(Address {
        first_name: text(address.firstname),
        last_name: text(address.lastname),
        company: text(address.company),
        address1: text(address.address1),
        address2: text(address.address2),
        city: text(address.city),
        region: text(address.state),
        region_code: text(address.state_code),
        country_code: text(address.country_code),
        zip: text(address.postcode),
        phone: text(address.phone_mobile).or(text(address.phone)),
        ..Address::default()
    })
}
