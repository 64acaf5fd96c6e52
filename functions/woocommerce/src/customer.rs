//! Customers: buyers with an account. Guests have no record of their own.

use canonical::fact::CustomerSnapshot;
use canonical::{Fact, Person};
use platform::address::set;
use platform::lenient;
use platform::reading::{Reader, Reading};

use crate::consent::{self, Times};
use crate::meta::Meta;
use crate::{payload, person, record};

/// A customer's record.
pub(crate) fn customer(reader: &mut Reader<'_>) -> Reading {
    let customer: payload::Customer = lenient::object(&reader.delivery.body)?;
    let customer_id = record::identity(reader, customer.id, &customer.code)?;
    let dropped = &mut reader.dropped;
    let created_at = record::time(dropped, "date_created_gmt", customer.date_created_gmt);
    let updated_at = record::time(dropped, "date_modified_gmt", customer.date_modified_gmt).or(created_at);

    let mut person = Person {
        customer_id: Some(customer_id),
        email: dropped.take("email", customer.email),
        ..Person::default()
    };
    set(&mut person.attributes, "first_name", dropped.take("first_name", customer.first_name));
    set(&mut person.attributes, "last_name", dropped.take("last_name", customer.last_name));
    let [billing, shipping] = person::contacts(dropped, customer.billing, customer.shipping);
    person::complete(&mut person, billing.as_ref(), shipping.as_ref());

    // The record does not say when the customer decided. Whatever it was said before must not be overruled by an
    // old yes, nor an old no be missed.
    let times = Times { yes: created_at, no: updated_at };
    let meta = Meta::take(dropped, customer.meta_data);
    let decisions = consent::decisions(reader.connection, &meta, &person, times, "integration");
    let snapshot = CustomerSnapshot { person, updated_at, deleted: false };
    Ok(std::iter::once(Fact::Customer(snapshot)).chain(decisions).collect())
}

/// A deleted record: its body names nothing but the id.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let customer: payload::Customer = lenient::object(&reader.delivery.body)?;
    let customer_id = Some(record::identity(reader, customer.id, &customer.code)?);
    let person = Person { customer_id, ..Person::default() };
    let updated_at = Some(reader.received_at());
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: true })])
}
