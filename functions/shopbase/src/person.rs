//! Buyers and their addresses.

use canonical::Person;
use platform::address::{Address, lend, set, set_object};
use platform::lenient::{Dropped, Field, Object};
use platform::reading::Silence;

use crate::payload;
use crate::value::{Given, given, id};

/// A buyer with the addresses that came along.
pub(crate) struct Buyer {
    pub(crate) person: Person,
    pub(crate) billing: Option<Address>,
    pub(crate) shipping: Option<Address>,
}

impl Buyer {
    /// Takes a buyer out. The customer's record comes first, and lacks what the addresses then lend.
    pub(crate) fn take(dropped: &mut Dropped, buyer: payload::Buyer) -> Self {
        let billing = address(dropped, "billing_address", buyer.billing_address);
        let shipping = address(dropped, "shipping_address", buyer.shipping_address);
        let record = given(dropped, "customer", buyer.customer).map(|Object(record)| record);
        let mut person = record.map(|record| customer(dropped, record)).unwrap_or_default();
        person.email = given(dropped, "email", buyer.email).or(person.email);
        person.phone = given(dropped, "phone", buyer.phone).or(person.phone);
        lend(&mut person, billing.as_ref(), shipping.as_ref());
        set(&mut person.attributes, "locale", given(dropped, "customer_locale", buyer.customer_locale));
        Self { person, billing, shipping }
    }

    /// Whether it is said who this is. ShopBase's own rule: nothing is told of people who are not identified.
    pub(crate) fn identified(self) -> Result<Self, Silence> {
        let Person { email, phone, customer_id, .. } = &self.person;
        if email.is_none() && phone.is_none() && customer_id.is_none() {
            return Err(Silence::Ignore("customer_not_identified"));
        }
        Ok(self)
    }
}

/// A customer's record.
pub(crate) fn customer(dropped: &mut Dropped, customer: payload::Customer) -> Person {
    let mut person = Person {
        customer_id: id(dropped, "customer.id", customer.id),
        email: given(dropped, "customer.email", customer.email),
        phone: given(dropped, "customer.phone", customer.phone),
        ..Person::default()
    };
    let attributes = &mut person.attributes;
    set(attributes, "first_name", dropped.take("customer.first_name", customer.first_name));
    set(attributes, "last_name", dropped.take("customer.last_name", customer.last_name));
    if let Some(address) = address(dropped, "customer.default_address", customer.default_address) {
        set(attributes, "organization", address.company.clone());
        set_object(attributes, "location", address.location());
        person.phone_country = address.country_code;
    }
    person
}

/// Takes an address's fields out; bad ones are noted by the address's name.
fn address(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Given<Object<payload::Address>>>,
) -> Option<Address> {
    let Object(address) = given(dropped, name, field)?;
    let phone = given(dropped, name, address.phone);
    let mut text = |field| dropped.take::<String>(name, field);
    let address = Address {
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
        phone,
        ..Address::default()
    };
    // An address of blanks is none.
    Some(address).filter(|address| *address != Address::default())
}
