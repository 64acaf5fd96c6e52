//! Customers' records. `accepts_marketing` has neither a time nor a history: it is nobody's decision of a known day
//! and is not read.

use canonical::fact::CustomerSnapshot;
use canonical::{Fact, Person};
use platform::lenient;
use platform::reading::{Reader, Reading, Silence};

use crate::payload;
use crate::person;
use crate::value::{identity, time};

/// A record.
pub(crate) fn customer(reader: &mut Reader<'_>) -> Reading {
    let mut customer: payload::Customer = lenient::object(&reader.delivery.body)?;
    let updated_at = time(&mut reader.dropped, "updated_at", std::mem::take(&mut customer.updated_at));
    let person = person::customer(&mut reader.dropped, customer);
    if person.customer_id.is_none() {
        return Err(Silence::Malformed("no usable id".to_owned()));
    }
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}

/// A deleted record.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let customer: payload::Customer = lenient::object(&reader.delivery.body)?;
    let customer_id = Some(identity(reader, "id", customer.id)?);
    let person = Person { customer_id, ..Person::default() };
    let updated_at = time(&mut reader.dropped, "updated_at", customer.updated_at);
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: true })])
}
