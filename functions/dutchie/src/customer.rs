//! Customers.

use canonical::Fact;
use canonical::fact::CustomerSnapshot;
use platform::lenient::{self, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::payload;
use crate::person::{self, Place};

/// A customer. One that was merged into another is that other one, under the old id too.
pub(crate) fn customer(reader: &mut Reader<'_>) -> Reading {
    let record: payload::Client = lenient::object(&reader.delivery.body)?;
    let Object(location) = reader.dropped.take("location", record.location).unwrap_or_default();
    let place = Place::of(reader, location)?;
    let Object(mut customer) = reader.dropped.take("customer", record.customer).unwrap_or_default();
    let customer_id = reader.identity("customerId", std::mem::take(&mut customer.customer_id))?;
    if reader.dropped.take("isAnonymous", customer.is_anonymous.clone()).unwrap_or_default() {
        return Err(Silence::Ignore("anonymous_customer"));
    }
    customer.customer_id = lenient::Field::Is(lenient::Id(customer_id.clone()));
    if let Some(Object(into)) = reader.dropped.take("into", record.into) {
        customer = into;
    }
    let updated_at = customer.last_modified.clone().ok().and_then(lenient::Moment::in_utc);
    let person = person::person(&mut reader.dropped, place.customer(&customer_id), customer);
    if person.email.is_none() {
        return Err(Silence::Ignore("no_email"));
    }
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}
