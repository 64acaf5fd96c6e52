//! Customers, and subscribers to the newsletter.

use canonical::fact::{Channel, ConsentChange, ConsentStatus, CustomerSnapshot};
use canonical::{Fact, Person};
use platform::address::{set, set_object};
use platform::lenient::{Field, Id, Object};
use platform::reading::{Reader, Reading, Silence};
use serde_json::{Map, Value};

use crate::order::time;
use crate::payload::{self, Flag};
use crate::person::{self, customer_id, either};
use crate::record::Record;

/// A customer's record. That it says `is_subscribed` is a state without a time, and no decision: it is not read.
pub(crate) fn customer(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let customer: payload::Customer = record.read()?;
    let id = reader.identity("id", either(customer.id, customer.entity_id))?;
    let dropped = &mut reader.dropped;
    let default = dropped.take("default_billing", customer.default_billing);
    let addresses = dropped.list("addresses", customer.addresses);
    let billing = addresses.into_iter().find(|Object(address)| {
        let named = matches!((&address.id, &default), (Field::Is(id), Some(default)) if id == default);
        named || address.default_billing == Field::Is(Flag(true))
    });
    let billing = billing.and_then(|address| person::address(dropped, "addresses", Field::Is(address)));

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
    platform::address::lend(&mut person, billing.as_ref(), None);
    let updated_at = time(dropped, "updated_at", customer.updated_at).or(record.sent_at);
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}

/// A deleted record.
pub(crate) fn deleted(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let customer: payload::Customer = record.read()?;
    let customer_id = Some(reader.identity("id", either(customer.id, customer.entity_id))?);
    let person = Person { customer_id, ..Person::default() };
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at: record.sent_at, deleted: true })])
}

/// A subscription to the newsletter, or its end.
pub(crate) fn subscriber(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let subscriber: payload::Subscriber = record.read()?;
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let person = Person {
        email: dropped.take("subscriber_email", subscriber.subscriber_email),
        customer_id: customer_id(dropped, subscriber.customer_id),
        ..Person::default()
    };
    if person.email.is_none() && person.customer_id.is_none() {
        return Err(Silence::Malformed("no usable subscriber_email or customer_id".to_owned()));
    }
    let status = match dropped.take("subscriber_status", subscriber.subscriber_status).as_deref() {
        Some("1") => ConsentStatus::Subscribed,
        Some("3") => ConsentStatus::Unsubscribed,
        // 2 waits to be activated, 4 to be confirmed: nobody has decided anything.
        Some("2" | "4") => return Err(Silence::Ignore("consent_undecided")),
        _ => return Err(Silence::Ignore("consent_state_unknown")),
    };
    let at = time(dropped, "change_status_at", subscriber.change_status_at);
    Ok(vec![Fact::Consent(ConsentChange {
        person,
        channel: Channel::Email,
        status,
        at: at.or(record.sent_at).unwrap_or(received_at),
        method: "integration".to_owned(),
        double_opt_in: false,
    })])
}
