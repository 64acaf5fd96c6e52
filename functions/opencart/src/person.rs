//! Buyers, and what all readings share.

use canonical::{Instant, Person};
use jiff::tz::TimeZone;
use platform::Connection;
use platform::address::{Address, set};
use platform::lenient::{Dropped, Field, Id, Stamp};
use serde_json::Map;

use crate::payload::Order;

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

/// An id; 0 stands for none.
pub(crate) fn reference(dropped: &mut Dropped, name: &'static str, field: Field<Id>) -> Option<String> {
    dropped.take(name, field).map(|Id(id)| id).filter(|id| id != "0")
}

/// Somebody by what their row says.
pub(crate) fn person(
    dropped: &mut Dropped,
    customer_id: Field<Id>,
    email: Field<String>,
    telephone: Field<String>,
    [firstname, lastname]: [Field<String>; 2],
) -> Person {
    let mut attributes = Map::new();
    set(&mut attributes, "first_name", dropped.take("firstname", firstname));
    set(&mut attributes, "last_name", dropped.take("lastname", lastname));
    Person {
        email: dropped.take("email", email),
        phone: dropped.take("telephone", telephone),
        customer_id: reference(dropped, "customer_id", customer_id),
        attributes,
        ..Person::default()
    }
}

/// The two addresses of an order, which may be empty where none is needed.
pub(crate) fn addresses(dropped: &mut Dropped, order: &mut Order) -> [Option<Address>; 2] {
    macro_rules! address {
        ($name:literal, $($field:ident = $column:ident),*) => {{
            let address = Address {
                $($field: dropped.take($name, std::mem::take(&mut order.$column)),)*
                ..Address::default()
            };
            (address != Address::default()).then_some(address)
        }};
    }
    let billing = address!(
        "payment_address",
        first_name = payment_firstname,
        last_name = payment_lastname,
        company = payment_company,
        address1 = payment_address_1,
        address2 = payment_address_2,
        city = payment_city,
        zip = payment_postcode,
        country = payment_country,
        country_code = payment_iso_code_2,
        region = payment_zone,
        region_code = payment_zone_code
    );
    let shipping = address!(
        "shipping_address",
        first_name = shipping_firstname,
        last_name = shipping_lastname,
        company = shipping_company,
        address1 = shipping_address_1,
        address2 = shipping_address_2,
        city = shipping_city,
        zip = shipping_postcode,
        country = shipping_country,
        country_code = shipping_iso_code_2,
        region = shipping_zone,
        region_code = shipping_zone_code
    );
    [billing, shipping]
}
