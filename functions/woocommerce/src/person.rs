//! Buyers and their addresses.

use canonical::Person;
use platform::address::{Address, lend};
use platform::lenient::{Dropped, Field, Object};
use serde_json::{Map, Value};

use crate::payload;

/// An address, and the e-mail that only the billing address has.
#[derive(Default)]
pub(crate) struct Contact {
    pub(crate) address: Address,
    pub(crate) email: Option<String>,
}

impl Contact {
    /// As an event's address. `None` if there is an e-mail alone.
    pub(crate) fn into_property(self) -> Option<Map<String, Value>> {
        Some(self.address.into_property()).filter(|address| !address.is_empty())
    }
}

/// What WordPress writes in the place of an erased person's e-mail address: the same for everybody.
/// Source: <https://developer.wordpress.org/reference/functions/wp_privacy_anonymize_data/>.
const ERASED: &str = "deleted@site.invalid";

/// Takes the billing and the shipping address out; neither of somebody whom the shop has erased.
pub(crate) fn contacts(
    dropped: &mut Dropped,
    billing: Field<Object<payload::Address>>,
    shipping: Field<Object<payload::Address>>,
) -> [Option<Contact>; 2] {
    let contacts = [contact(dropped, "billing", billing), contact(dropped, "shipping", shipping)];
    let email = contacts[0].as_ref().and_then(|billing| billing.email.as_deref());
    if email == Some(ERASED) { [None, None] } else { contacts }
}

/// Takes an address's fields out; bad ones are noted by the address's name. A shop writes addresses whole, so
/// one without any field says nothing.
fn contact(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Address>>,
) -> Option<Contact> {
    let Object(address) = dropped.take(name, field)?;
    let mut text = |field| dropped.take::<String>(name, field);
    let state = text(address.state);
    let (region_code, region) =
        if state.as_deref().is_some_and(is_code) { (state, None) } else { (None, state) };
    let email = text(address.email);
    let address = Address {
        first_name: text(address.first_name),
        last_name: text(address.last_name),
        company: text(address.company),
        address1: text(address.address_1),
        address2: text(address.address_2),
        city: text(address.city),
        region,
        region_code,
        country_code: text(address.country),
        zip: text(address.postcode),
        phone: text(address.phone),
        ..Address::default()
    };
    (email.is_some() || address != Address::default()).then_some(Contact { address, email })
}

/// States are codes such as `CA` or `JP13` where WooCommerce knows the country's, else what the buyer wrote.
fn is_code(state: &str) -> bool {
    state.len() <= 6 && state.bytes().all(|byte| byte.is_ascii_uppercase() || b"0123456789-".contains(&byte))
}

/// Gives a buyer what the addresses know. The billing address is the buyer's own record; the shipping address
/// lends a phone at most.
pub(crate) fn complete(person: &mut Person, billing: Option<&Contact>, shipping: Option<&Contact>) {
    if let Some(billing) = billing {
        person.email = person.email.take().or_else(|| billing.email.clone());
        if billing.address.phone.is_some() {
            person.phone.clone_from(&billing.address.phone);
            person.phone_country.clone_from(&billing.address.country_code);
        }
    }
    let address = |contact: Option<&'_ Contact>| contact.map(|contact| contact.address.clone());
    lend(person, address(billing).as_ref(), address(shipping).as_ref());
}
