//! Buyers and their addresses.

use canonical::Person;
use platform::address::{Address, set, set_object};
use platform::lenient::{Dropped, Field};

use crate::notice::real;
use crate::payload::{Customer, Order, Shipment};

/// Codes of two letters are codes, everything else is a name: stores write both.
fn code_or_name(text: Option<String>) -> (Option<String>, Option<String>) {
    match text {
        Some(text) if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            (Some(text.to_ascii_uppercase()), None)
        }
        name => (None, name),
    }
}

/// An address of texts in the order of a letter's head.
fn address(dropped: &mut Dropped, name: &'static str, texts: [Field<String>; 10]) -> Address {
    let [first_name, last_name, company, address1, address2, city, state, zip, country, phone] =
        texts.map(|text| dropped.take(name, text));
    let (region_code, region) = code_or_name(state);
    let (country_code, country) = code_or_name(country);
    Address {
        first_name,
        last_name,
        company,
        address1,
        address2,
        city,
        region,
        region_code,
        country,
        country_code,
        zip,
        phone,
        ..Address::default()
    }
}

/// Takes the billing address out of an order.
pub(crate) fn billing(dropped: &mut Dropped, order: &mut Order) -> Address {
    let texts = [
        &mut order.billing_first_name,
        &mut order.billing_last_name,
        &mut order.billing_company,
        &mut order.billing_address,
        &mut order.billing_address2,
        &mut order.billing_city,
        &mut order.billing_state,
        &mut order.billing_zip_code,
        &mut order.billing_country,
        &mut order.billing_phone_number,
    ];
    address(dropped, "Billing", texts.map(std::mem::take))
}

/// Takes the address out of a shipment.
pub(crate) fn shipping(dropped: &mut Dropped, shipment: &mut Shipment) -> Address {
    let texts = [
        &mut shipment.first_name,
        &mut shipment.last_name,
        &mut shipment.company,
        &mut shipment.address,
        &mut shipment.address2,
        &mut shipment.city,
        &mut shipment.state,
        &mut shipment.zip_code,
        &mut shipment.country,
        &mut shipment.phone,
    ];
    address(dropped, "ShipmentList", texts.map(std::mem::take))
}

/// A customer's record.
pub(crate) fn customer(dropped: &mut Dropped, customer: Customer) -> Person {
    let address = address(
        dropped,
        "Billing",
        [
            customer.billing_first_name,
            customer.billing_last_name,
            customer.billing_company,
            customer.billing_address1,
            customer.billing_address2,
            customer.billing_city,
            customer.billing_state,
            customer.billing_zip_code,
            customer.billing_country,
            customer.billing_phone_number,
        ],
    );
    let mut person = Person {
        customer_id: dropped.take("CustomerID", customer.customer_id).and_then(real),
        email: dropped.take("Email", customer.email),
        phone: address.phone.clone(),
        phone_country: address.country_code.clone(),
        ..Person::default()
    };
    set(&mut person.attributes, "first_name", address.first_name.clone());
    set(&mut person.attributes, "last_name", address.last_name.clone());
    set(&mut person.attributes, "organization", address.company.clone());
    set_object(&mut person.attributes, "location", address.location());
    person
}
