//! Buyers and recipients.

use canonical::Person;
use platform::address::{Address, lend};
use platform::lenient::{Dropped, Field, Id, Object};

use crate::payload::Contact;

/// What a contact says.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) address: Option<Address>,
    pub(crate) email: Option<String>,
    /// The box in the checkout was ticked.
    pub(crate) opted_in: bool,
}

/// Takes a contact out.
pub(crate) fn contact(dropped: &mut Dropped, name: &'static str, field: Field<Object<Contact>>) -> Taken {
    let Some(Object(contact)) = dropped.take(name, field) else { return Taken::default() };
    let opted_in = dropped.take("emailOptIn", contact.email_opt_in).unwrap_or_default();
    let address = dropped.take(name, contact.address).map(|Object(address)| address).unwrap_or_default();
    let mut text = |field| dropped.take::<String>(name, field);
    let country = text(address.country);
    let is_code = country.as_ref().is_some_and(|country| country.len() == 2);
    let (country_code, country) = if is_code { (country, None) } else { (None, country) };
    let email = text(contact.email_address);
    let address = Address {
        first_name: text(contact.first_name),
        last_name: text(contact.last_name),
        company: text(contact.company),
        address1: text(address.address1),
        address2: text(address.address2),
        city: text(address.city),
        region_code: text(address.state),
        country,
        country_code,
        zip: text(address.postal_code),
        phone: text(contact.phone_number),
        ..Address::default()
    };
    // An address of blanks is none.
    let address = Some(address).filter(|address| *address != Address::default());
    Taken { address, email, opted_in }
}

/// The buyer: whoever placed the order. The recipient only lends a phone number, unless it is somebody else's.
pub(crate) fn buyer(
    dropped: &mut Dropped,
    customer_id: Field<Id>,
    email: Option<String>,
    placed_by: Option<&Address>,
    deliver_to: Option<&Address>,
) -> Person {
    let customer_id = dropped.take("customerId", customer_id).map(|Id(id)| id);
    let phone = placed_by.and_then(|address| address.phone.clone());
    let phone_country = phone.as_ref().and_then(|_| placed_by?.country_code.clone());
    let mut person = Person { customer_id, email, phone, phone_country, ..Person::default() };
    lend(&mut person, placed_by, deliver_to);
    person
}
