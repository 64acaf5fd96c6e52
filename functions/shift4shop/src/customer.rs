//! Customers.

use canonical::Fact;
use canonical::fact::{Channel, ConsentChange, ConsentStatus, CustomerSnapshot};
use platform::reading::{Reader, Reading, Silence};

use crate::payload::{self, Flag};
use crate::person;

/// A customer as the API answers it. Nothing in it says when it changed: it counts from when the notice came.
pub(crate) fn customer(reader: &mut Reader<'_>, mut customer: payload::Customer) -> Reading {
    let at = reader.received_at();
    let mail_list = reader.dropped.take("MailList", std::mem::take(&mut customer.mail_list));
    let person = person::customer(&mut reader.dropped, customer);
    if person.customer_id.is_none() {
        return Err(Silence::Malformed("no usable CustomerID".to_owned()));
    }
    let snapshot = CustomerSnapshot { person: person.clone(), updated_at: Some(at), deleted: false };
    let mut facts = vec![Fact::Customer(snapshot)];
    // The box that was not ticked is nobody's "no".
    if mail_list == Some(Flag(true)) && person.email.is_some() {
        facts.push(Fact::Consent(ConsentChange {
            person,
            channel: Channel::Email,
            status: ConsentStatus::Subscribed,
            at,
            method: "integration".to_owned(),
            double_opt_in: false,
        }));
    }
    Ok(facts)
}
