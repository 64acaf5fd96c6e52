//! Buyers and their addresses.

use platform::address::Address;
use platform::lenient::{Dropped, Field, Id};

use crate::payload;

/// Takes the fields of an address of API v2; bad ones are noted by the address's name.
pub(crate) fn address(dropped: &mut Dropped, name: &'static str, address: payload::Address) -> Address {
    let mut text = |field| dropped.take::<String>(name, field);
    Address {
        first_name: text(address.first_name),
        last_name: text(address.last_name),
        company: text(address.company),
        address1: text(address.street_1),
        address2: text(address.street_2),
        city: text(address.city),
        region: text(address.state),
        country: text(address.country),
        country_code: text(address.country_iso2),
        zip: text(address.zip),
        phone: text(address.phone),
        ..Address::default()
    }
}

/// Takes the fields of an address of API v3.
pub(crate) fn customer_address(dropped: &mut Dropped, address: payload::CustomerAddress) -> Address {
    let mut text = |field| dropped.take::<String>("addresses", field);
    Address {
        first_name: text(address.first_name),
        last_name: text(address.last_name),
        company: text(address.company),
        address1: text(address.address1),
        address2: text(address.address2),
        city: text(address.city),
        region: text(address.state_or_province),
        country: text(address.country),
        country_code: text(address.country_code),
        zip: text(address.postal_code),
        phone: text(address.phone),
        ..Address::default()
    }
}

/// An id for which 0 means none: a guest, a product that is not in the catalog, a product without variants.
pub(crate) fn id(dropped: &mut Dropped, name: &'static str, field: Field<Id>) -> Option<String> {
    dropped.take(name, field).map(|Id(id)| id).filter(|id| id != "0")
}
