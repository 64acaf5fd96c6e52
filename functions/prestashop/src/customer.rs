//! Customers and the newsletter.

use canonical::fact::{Channel, ConsentChange, ConsentStatus, CustomerSnapshot};
use canonical::{Fact, Instant, Person};
use platform::lenient::{self, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::payload::{CustomerRecord, Flag};
use crate::person::{is_erased, person, time, zone};

/// A customer's record, and what it says of the newsletter.
pub(crate) fn customer(reader: &mut Reader<'_>) -> Reading {
    let record: CustomerRecord = lenient::object(&reader.delivery.body)?;
    let customer = reader.dropped.take("customer", record.customer);
    let Object(mut customer) = customer.ok_or_else(|| Silence::Malformed("no usable customer".to_owned()))?;
    reader.identity("id", customer.id.clone())?;
    if is_erased(&customer) {
        return Err(Silence::Ignore("erased_customer"));
    }
    let dropped = &mut reader.dropped;
    let zone = zone(dropped, reader.connection, record.time_zone);
    let person = person(dropped, &mut customer);
    let updated_at = time(dropped, "date_upd", customer.date_upd, &zone);
    let subscribed_at = time(dropped, "newsletter_date_add", customer.newsletter_date_add, &zone);
    let newsletter = dropped.take("newsletter", customer.newsletter);
    let deleted = dropped.take("deleted", customer.deleted) == Some(Flag(true));
    // Whoever never subscribed decided nothing. When somebody who did ended it is not kept: only that it was later. The
    // row's last change moves with every edit, which would be a further decision each time.
    let decision = match (newsletter, subscribed_at) {
        (Some(Flag(true)), Some(at)) => Some((ConsentStatus::Subscribed, at)),
        (Some(Flag(false)), Some(at)) => {
            let later = Instant::from_millis(at.as_millis().saturating_add(1_000));
            later.map(|later| (ConsentStatus::Unsubscribed, later))
        }
        _ => None,
    };
    let consent = decision.filter(|_| !deleted && person.email.is_some()).map(|(status, at)| {
        Fact::Consent(ConsentChange {
            person: Person {
                email: person.email.clone(),
                customer_id: person.customer_id.clone(),
                ..Person::default()
            },
            channel: Channel::Email,
            status,
            at,
            method: "integration".to_owned(),
            double_opt_in: false,
        })
    });
    if person.email.is_none() && person.customer_id.is_none() {
        return Err(Silence::Ignore("nobody_named"));
    }
    let snapshot = Fact::Customer(CustomerSnapshot { person, updated_at, deleted });
    Ok(std::iter::once(snapshot).chain(consent).collect())
}
