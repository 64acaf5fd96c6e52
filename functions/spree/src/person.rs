//! Buyers and their addresses.

use canonical::Person;
use platform::address::{Address, lend, set, set_object};
use platform::lenient::{Dropped, Field, Object};

use crate::payload::{self, either};
use crate::reader::Reader;

/// Takes an address's fields out; bad ones are noted by the address's name.
pub(crate) fn address(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Address>>,
) -> Option<Address> {
    let Object(address) = dropped.take(name, field)?;
    let country = dropped.take(name, address.country).map(|Object(country)| country).unwrap_or_default();
    let state = dropped.take(name, address.state).map(|Object(state)| state).unwrap_or_default();
    let mut text = |field| dropped.take::<String>(name, field);
    let address = Address {
        first_name: text(either(address.first_name, address.firstname)),
        last_name: text(either(address.last_name, address.lastname)),
        company: text(address.company),
        address1: text(address.address1),
        address2: text(address.address2),
        city: text(address.city),
        region: text(either(address.state_name, either(state.name, address.state_text))),
        region_code: text(either(address.state_abbr, state.abbr)),
        country: text(either(address.country_name, country.name)),
        country_code: text(either(address.country_iso, country.iso)),
        zip: text(either(address.postal_code, address.zipcode)),
        phone: text(address.phone),
        latitude: None,
        longitude: None,
    };
    // One that is named by its id alone says nothing.
    (address != Address::default()).then_some(address)
}

/// What an order or a cart says about its buyer.
pub(crate) struct Buyer<'a> {
    pub(crate) email: Option<String>,
    pub(crate) customer_id: Option<String>,
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
        person.customer_id = self.customer_id.or(person.customer_id);
        lend(&mut person, self.billing, self.shipping);
        if self.locale.is_some() {
            set(&mut person.attributes, "locale", self.locale);
        }
        person
    }
}

/// A customer's record.
pub(crate) fn customer(reader: &mut Reader<'_>, customer: payload::Customer) -> Person {
    let customer_id = reader.id("customer.id", customer.id);
    let dropped = &mut reader.dropped;
    let billing = either(customer.default_billing_address, customer.bill_address);
    let billing = address(dropped, "customer.billing_address", billing);
    let shipping = either(customer.default_shipping_address, customer.ship_address);
    let shipping = address(dropped, "customer.shipping_address", shipping);
    let mut person = Person {
        customer_id,
        email: dropped.take("customer.email", customer.email),
        phone: dropped.take("customer.phone", customer.phone),
        ..Person::default()
    };
    let attributes = &mut person.attributes;
    set(attributes, "first_name", dropped.take("customer.first_name", customer.first_name));
    set(attributes, "last_name", dropped.take("customer.last_name", customer.last_name));
    set(attributes, "locale", dropped.take("customer.selected_locale", customer.selected_locale));
    lend(&mut person, billing.as_ref(), shipping.as_ref());
    if billing.is_none()
        && let Some(shipping) = shipping
    {
        set_object(&mut person.attributes, "location", shipping.location());
    }
    person
}
