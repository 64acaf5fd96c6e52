//! Customers and newsletter subscribers.

use canonical::fact::{Channel, ConsentChange, ConsentStatus, CustomerSnapshot};
use canonical::{Fact, Instant, Person};
use platform::Fetched;
use platform::address::{lend, set, set_object};
use platform::lenient::{Dropped, Field, Id, Object};
use platform::reading::{Reading, Silence};
use serde_json::{Map, Value};

use crate::api::{self, Session};
use crate::order::instant;
use crate::{payload, person};

/// Where a customer is asked for.
pub(crate) fn path(customer_id: &str) -> String {
    format!("v3/customers?id:in={customer_id}&include=addresses")
}

/// A customer's record.
pub(crate) fn customer(session: &mut Session<'_>, customer_id: &str) -> Reading {
    let request = session.api.get(&path(customer_id));
    let answer = session.ask_for(request)?;
    let dropped = &mut session.reader.dropped;
    let customer = found(dropped, customer_id, answer)?.ok_or(Silence::Ignore("customer_gone"))?;
    let updated_at = instant(dropped, "date_modified", customer.date_modified);

    let mut attributes = Map::new();
    set(&mut attributes, "first_name", dropped.take("first_name", customer.first_name));
    set(&mut attributes, "last_name", dropped.take("last_name", customer.last_name));
    set(&mut attributes, "organization", dropped.take("company", customer.company));
    let group = person::id(dropped, "customer_group_id", customer.customer_group_id);
    let reminders = dropped.take(
        "accepts_product_review_abandoned_cart_emails",
        customer.accepts_product_review_abandoned_cart_emails,
    );
    let properties = [
        ("BigCommerce Customer Group ID", group.map(Value::String)),
        ("BigCommerce Accepts Review And Cart Emails", reminders.map(Value::Bool)),
    ];
    let properties = properties.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    set_object(&mut attributes, "properties", properties.collect());
    let addresses = dropped.list("addresses", customer.addresses);
    let address =
        addresses.into_iter().next().map(|Object(address)| person::customer_address(dropped, address));
    let mut person = Person {
        customer_id: Some(customer_id.to_owned()),
        email: dropped.take("email", customer.email),
        phone: dropped.take("phone", customer.phone),
        attributes,
        ..Person::default()
    };
    lend(&mut person, address.as_ref(), None);
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}

/// The e-mail address of a customer whom a record names by id alone.
pub(crate) fn email(
    dropped: &mut Dropped,
    customer_id: &str,
    answer: Option<&Fetched>,
) -> Result<Option<String>, Silence> {
    let customer = found(dropped, customer_id, answer)?;
    Ok(customer.and_then(|customer| dropped.take("customer.email", customer.email)))
}

fn found(
    dropped: &mut Dropped,
    customer_id: &str,
    answer: Option<&Fetched>,
) -> Result<Option<payload::Customer>, Silence> {
    let customers = dropped.list("customers", api::entities::<payload::Customer>(answer)?);
    let own = |customer: &payload::Customer| matches!(&customer.id, Field::Is(Id(id)) if id == customer_id);
    Ok(customers.into_iter().map(|Object(customer)| customer).find(own))
}

/// A deleted record: nothing but its id is left.
pub(crate) fn deleted(customer_id: String, happened_at: Instant) -> Fact {
    let person = Person { customer_id: Some(customer_id), ..Person::default() };
    Fact::Customer(CustomerSnapshot { person, updated_at: Some(happened_at), deleted: true })
}

/// A subscriber of the newsletter.
pub(crate) fn subscriber(session: &mut Session<'_>, subscriber_id: &str) -> Reading {
    let request = session.api.get(&format!("v3/customers/subscribers/{subscriber_id}"));
    let subscriber: Option<payload::Subscriber> = api::entity(session.ask_for(request)?)?;
    let subscriber = subscriber.ok_or(Silence::Ignore("subscriber_gone"))?;
    let received_at = session.reader.received_at();
    session.reader.identity("id", subscriber.id)?;
    let dropped = &mut session.reader.dropped;
    let email = dropped.take("email", subscriber.email);
    let email = email.ok_or_else(|| Silence::Malformed("no usable email".to_owned()))?;
    let date_created = instant(dropped, "date_created", subscriber.date_created);
    let date_modified = instant(dropped, "date_modified", subscriber.date_modified);
    let Some(consents) = dropped.take("consents", subscriber.consents) else {
        return Err(Silence::Ignore("consent_not_said"));
    };
    let status = if consents.iter().any(|consent| consent.is("marketing_newsletter")) {
        ConsentStatus::Subscribed
    } else if consents.contains(&Field::Bad) {
        return Err(Silence::Ignore("consent_not_said"));
    } else if date_modified > date_created {
        ConsentStatus::Unsubscribed
    } else {
        // Was made so: who never ticked the box has not said no.
        return Err(Silence::Ignore("consent_undecided"));
    };
    let mut attributes = Map::new();
    set(&mut attributes, "first_name", dropped.take("first_name", subscriber.first_name));
    set(&mut attributes, "last_name", dropped.take("last_name", subscriber.last_name));
    let method = if subscriber.source.is("order") { "checkout" } else { "integration" };
    Ok(vec![Fact::Consent(ConsentChange {
        person: Person { email: Some(email), attributes, ..Person::default() },
        channel: Channel::Email,
        status,
        at: date_modified.or(date_created).unwrap_or(received_at),
        method: method.to_owned(),
        double_opt_in: false,
    })])
}
