//! Customers and newsletter subscribers.

use canonical::fact::{Channel, ConsentChange, ConsentStatus, CustomerSnapshot};
use canonical::{Fact, Instant, Person};
use platform::lenient::Field;
use platform::reading::{Reading, Silence};

use crate::payload::{self, either};
use crate::person;
use crate::reader::Reader;

/// A customer's record. That it accepts marketing is not read: the newsletter's own events say who decided what.
pub(crate) fn customer(reader: &mut Reader<'_>) -> Reading {
    let mut customer: payload::Customer = reader.record()?;
    let updated_at = reader.dropped.take("updated_at", std::mem::take(&mut customer.updated_at));
    let person = person::customer(reader, customer);
    if person.customer_id.is_none() {
        return Err(Silence::Malformed("no usable id".to_owned()));
    }
    let updated_at = Some(updated_at.unwrap_or_else(|| reader.told_at()));
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}

/// A deleted record.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let customer: payload::Customer = reader.record()?;
    let customer_id = Some(reader.identity("id", customer.id)?);
    let person = Person { customer_id, ..Person::default() };
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at: Some(reader.told_at()), deleted: true })])
}

/// A newsletter subscriber: one whose address is verified has subscribed.
pub(crate) fn subscriber(reader: &mut Reader<'_>) -> Reading {
    let subscriber: payload::Subscriber = reader.record()?;
    let verified = reader.dropped.take("verified", subscriber.verified);
    let verified_at = reader.dropped.take("verified_at", subscriber.verified_at);
    if !verified.unwrap_or(verified_at.is_some()) {
        return Err(Silence::Ignore("subscriber_not_verified"));
    }
    let at = verified_at.unwrap_or_else(|| reader.told_at());
    consent(
        reader,
        subscriber.email,
        either(subscriber.customer_id, subscriber.user_id),
        ConsentStatus::Subscribed,
        at,
    )
}

/// Unsubscribing removes the subscriber. One who was never verified had not subscribed.
pub(crate) fn unsubscribed(reader: &mut Reader<'_>) -> Reading {
    let subscriber: payload::Subscriber = reader.record()?;
    if reader.dropped.take("verified", subscriber.verified) == Some(false) {
        return Err(Silence::Ignore("subscriber_not_verified"));
    }
    let at = reader.told_at();
    consent(
        reader,
        subscriber.email,
        either(subscriber.customer_id, subscriber.user_id),
        ConsentStatus::Unsubscribed,
        at,
    )
}

fn consent(
    reader: &mut Reader<'_>,
    email: Field<String>,
    customer_id: Field<platform::lenient::Id>,
    status: ConsentStatus,
    at: Instant,
) -> Reading {
    let email = reader.dropped.take("email", email);
    let customer_id = reader.id("customer_id", customer_id);
    if email.is_none() && customer_id.is_none() {
        return Err(Silence::Malformed("no usable email".to_owned()));
    }
    Ok(vec![Fact::Consent(ConsentChange {
        person: Person { email, customer_id, ..Person::default() },
        channel: Channel::Email,
        status,
        at,
        method: "integration".to_owned(),
        // Customers who are signed in are verified without a confirmation.
        double_opt_in: false,
    })])
}
