//! Customers. The newsletter's box has no time, so it is no decision that could be dated: the extension tells decisions
//! when they are made.

use canonical::Fact;
use canonical::fact::CustomerSnapshot;
use platform::lenient::{self, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::payload::CustomerRecord;
use crate::person::{person, time, zone};

/// A customer's record. There is no time of its last change.
pub(crate) fn customer(reader: &mut Reader<'_>) -> Reading {
    let record: CustomerRecord = lenient::object(&reader.delivery.body)?;
    let customer = reader.dropped.take("customer", record.customer);
    let Object(customer) = customer.ok_or_else(|| Silence::Malformed("no usable customer".to_owned()))?;
    reader.identity("customer_id", customer.customer_id.clone())?;
    let dropped = &mut reader.dropped;
    let zone = zone(dropped, reader.connection, record.time_zone);
    let names = [customer.firstname, customer.lastname];
    let person = person(dropped, customer.customer_id, customer.email, customer.telephone, names);
    let updated_at = time(dropped, "date_added", customer.date_added, &zone);
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}
