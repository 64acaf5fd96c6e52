//! Buyers and their addresses.

use canonical::Person;
use platform::address::{Address, lend, set};
use platform::lenient::{Dropped, Field, Id, Object};

use crate::payload;

/// Takes the fields of an address and of who lives there out; bad ones are noted by the address's name.
pub(crate) fn recipient(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Recipient>>,
) -> Option<Address> {
    let Object(recipient) = dropped.take(name, field)?;
    let mut address = address(dropped, name, recipient.address).unwrap_or_default();
    contact(dropped, name, recipient.contact_details, &mut address);
    Some(address).filter(|address| *address != Address::default())
}

/// Writes a name, an organisation and a phone number into an address.
pub(crate) fn contact(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::ContactDetails>>,
    address: &mut Address,
) {
    let Some(Object(contact)) = dropped.take(name, field) else { return };
    address.first_name = dropped.take(name, contact.first_name);
    address.last_name = dropped.take(name, contact.last_name);
    address.company = dropped.take(name, contact.company);
    address.phone = dropped.take(name, contact.phone);
}

/// Takes an address's fields out.
pub(crate) fn address(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Address>>,
) -> Option<Address> {
    let Object(address) = dropped.take(name, field)?;
    let mut text = |field| dropped.take::<String>(name, field);
    let line = text(address.address_line).or_else(|| text(address.address_line1));
    let country_code = text(address.country);
    let subdivision = text(address.subdivision);
    let street = address.street_address.ok().and_then(|Object(street)| {
        let parts: Vec<String> = [street.number.ok(), street.name.ok()].into_iter().flatten().collect();
        Some(parts.join(" ")).filter(|street| !street.is_empty())
    });
    Some(Address {
        address1: line.or(street),
        address2: text(address.address_line2),
        city: text(address.city),
        region: text(address.subdivision_fullname),
        region_code: subdivision.map(|code| region_code(&code, country_code.as_deref())),
        country: text(address.country_fullname),
        country_code,
        zip: text(address.postal_code),
        ..Address::default()
    })
}

/// `US-NY` in the United States is `NY`.
fn region_code(subdivision: &str, country: Option<&str>) -> String {
    let code = country.and_then(|country| subdivision.strip_prefix(country)?.strip_prefix('-'));
    code.unwrap_or(subdivision).to_owned()
}

/// What an order, a checkout or a cart says about its buyer.
pub(crate) struct Buyer<'a> {
    pub(crate) info: Field<Object<payload::Buyer>>,
    pub(crate) language: Field<String>,
    pub(crate) billing: Option<&'a Address>,
    pub(crate) shipping: Option<&'a Address>,
}

impl Buyer<'_> {
    /// The person. A visitor's id is left alone: it names a browser, and the checkout that grows from a cart
    /// names whoever filled it.
    pub(crate) fn person(self, dropped: &mut Dropped) -> Person {
        let info = dropped.take("buyerInfo", self.info).map(|Object(info)| info).unwrap_or_default();
        let mut person = Person {
            customer_id: dropped.take("buyerInfo.contactId", info.contact_id).map(|Id(id)| id),
            email: dropped.take("buyerInfo.email", info.email),
            ..Person::default()
        };
        lend(&mut person, self.billing, self.shipping);
        set(&mut person.attributes, "locale", dropped.take("buyerLanguage", self.language));
        person
    }
}
