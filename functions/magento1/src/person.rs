//! Buyers, customers and their addresses.

use canonical::fact::CustomerSnapshot;
use canonical::{Fact, Person};
use platform::address::{Address, lend, set, set_object};
use platform::lenient::{self, Dropped, Field, Id, Object};
use platform::reading::{Reader, Reading, Silence};
use serde_json::{Map, Value};

use crate::payload;
use crate::value::time;

/// Takes an address's fields out; bad ones are noted by the address's name.
pub(crate) fn address(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Object<payload::Address>>,
) -> Option<Address> {
    let Object(address) = dropped.take(name, field)?;
    let mut text = |field| dropped.take::<String>(name, field);
    let street = text(address.street).unwrap_or_default();
    let mut street = street.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
    let address1 = street.next();
    let others: Vec<_> = street.collect();
    Some(Address {
        first_name: text(address.firstname),
        last_name: text(address.lastname),
        company: text(address.company),
        address1,
        address2: Some(others.join(", ")).filter(|text| !text.is_empty()),
        city: text(address.city),
        region: text(address.region),
        country_code: text(address.country_id),
        zip: text(address.postcode),
        phone: text(address.telephone),
        ..Address::default()
    })
}

/// What an order says about its buyer.
pub(crate) struct Buyer<'a> {
    pub(crate) customer_id: Field<Id>,
    pub(crate) is_guest: Field<String>,
    pub(crate) email: Field<String>,
    pub(crate) first_name: Field<String>,
    pub(crate) last_name: Field<String>,
    pub(crate) billing: Option<&'a Address>,
    pub(crate) shipping: Option<&'a Address>,
}

impl Buyer<'_> {
    /// The person. Guests have no names of their own: the billing address lends its.
    pub(crate) fn person(self, dropped: &mut Dropped) -> Person {
        let guest = self.is_guest.is("1");
        let customer_id = dropped.take("customer_id", self.customer_id).map(|Id(id)| id);
        let mut attributes = Map::new();
        set(&mut attributes, "first_name", dropped.take("customer_firstname", self.first_name));
        set(&mut attributes, "last_name", dropped.take("customer_lastname", self.last_name));
        let mut person = Person {
            email: dropped.take("customer_email", self.email),
            customer_id: customer_id.filter(|id| !guest && id != "0"),
            attributes,
            ..Person::default()
        };
        lend(&mut person, self.billing, self.shipping);
        person
    }
}

/// A customer's record.
pub(crate) fn customer(reader: &mut Reader<'_>) -> Reading {
    let record: payload::CustomerRecord = lenient::object(&reader.delivery.body)?;
    let Object(customer) = reader
        .dropped
        .take("customer", record.customer)
        .ok_or_else(|| Silence::Malformed("no usable customer".to_owned()))?;
    let id = reader.identity("customer_id", customer.customer_id)?;
    let dropped = &mut reader.dropped;
    let billing = address(dropped, "address", record.address);
    let mut attributes = Map::new();
    set(&mut attributes, "first_name", dropped.take("firstname", customer.firstname));
    set(&mut attributes, "last_name", dropped.take("lastname", customer.lastname));
    if let Some(Id(group)) = dropped.take("group_id", customer.group_id) {
        let properties = Map::from_iter([("Magento Customer Group ID".to_owned(), Value::String(group))]);
        set_object(&mut attributes, "properties", properties);
    }
    let mut person = Person {
        email: dropped.take("email", customer.email),
        customer_id: Some(id),
        attributes,
        ..Person::default()
    };
    lend(&mut person, billing.as_ref(), None);
    let updated_at = time(dropped, "updated_at", customer.updated_at);
    let updated_at = updated_at.or_else(|| time(dropped, "created_at", customer.created_at));
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}
