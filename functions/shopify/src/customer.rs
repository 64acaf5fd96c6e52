//! Customers: their records, tags, consent and privacy requests.

use canonical::fact::{Channel, ConsentChange, ConsentStatus, CustomerSnapshot, ErasureRequest};
use canonical::money::decimal_to_json;
use canonical::{Fact, Person};
use platform::address::set_object;
use platform::lenient::{self, Field, Object};
use serde_json::{Map, Value};

use crate::payload;
use crate::person;
use crate::reader::Reader;
use platform::reading::{Reading, Silence};

/// A customer's record.
pub(crate) fn customer(reader: &mut Reader<'_>) -> Reading {
    let mut customer: payload::Customer = lenient::object(&reader.delivery.body)?;
    let updated_at = reader.dropped.take("updated_at", std::mem::take(&mut customer.updated_at));
    let person = person::customer(reader, customer);
    if person.customer_id.is_none() {
        return Err(Silence::Malformed("no usable id".to_owned()));
    }
    let updated_at = updated_at.or_else(|| reader.triggered_at());
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}

/// A deleted record: its body names nothing but the id.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let customer: payload::Customer = lenient::object(&reader.delivery.body)?;
    let customer_id = Some(reader.identity("id", customer.id)?);
    let person = Person { customer_id, ..Person::default() };
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at: reader.triggered_at(), deleted: true })])
}

/// Tags that came or went. What arrives is a difference, in any order, so each tag is a property of its
/// own with the time of its last change: the result is the same in every order.
pub(crate) fn tags(reader: &mut Reader<'_>, present: bool) -> Reading {
    let change: payload::CustomerChange = lenient::object(&reader.delivery.body)?;
    let tags = reader.dropped.list("tags", change.tags);
    if tags.is_empty() {
        return Err(Silence::Ignore("no_tags"));
    }
    let properties = tags.into_iter().map(|tag| (format!("Shopify Tag: {tag}"), Value::Bool(present)));
    let properties = properties.collect();
    changed(reader, change.customer_id, change.occurred_at, properties)
}

/// The shop's own count of orders and money.
pub(crate) fn purchasing_summary(reader: &mut Reader<'_>) -> Reading {
    let change: payload::CustomerChange = lenient::object(&reader.delivery.body)?;
    let dropped = &mut reader.dropped;
    let mut properties = Map::new();
    if let Some(orders) = dropped.take("numberOfOrders", change.number_of_orders) {
        properties.insert("Shopify Order Count".to_owned(), decimal_to_json(orders));
    }
    if let Some(Object(spent)) = dropped.take("amountSpent", change.amount_spent) {
        if let Some(amount) = dropped.take("amountSpent", spent.amount) {
            properties.insert("Shopify Amount Spent".to_owned(), decimal_to_json(amount));
        }
        if let Some(currency) = dropped.take("amountSpent", spent.currency_code) {
            properties.insert("Shopify Amount Spent Currency".to_owned(), currency.as_str().into());
        }
    }
    changed(reader, change.customer_id, change.occurred_at, properties)
}

fn changed(
    reader: &mut Reader<'_>,
    customer_id: Field<lenient::Id>,
    occurred_at: Field<canonical::Instant>,
    properties: Map<String, Value>,
) -> Reading {
    let customer_id = Some(reader.identity("customerId", customer_id)?);
    let occurred_at = reader.dropped.take("occurredAt", occurred_at);
    let mut person = Person { customer_id, ..Person::default() };
    set_object(&mut person.attributes, "properties", properties);
    let updated_at = occurred_at.or_else(|| reader.triggered_at());
    Ok(vec![Fact::Customer(CustomerSnapshot { person, updated_at, deleted: false })])
}

/// A decision about marketing on one channel.
pub(crate) fn consent(reader: &mut Reader<'_>, channel: Channel) -> Reading {
    let update: payload::ConsentUpdate = lenient::object(&reader.delivery.body)?;
    let customer_id = reader.id("customer_id", update.customer_id).or_else(|| reader.id("id", update.id));
    let dropped = &mut reader.dropped;
    let (consent, name) = match channel {
        Channel::Email => (update.email_marketing_consent, "email_marketing_consent"),
        _ => (update.sms_marketing_consent, "sms_marketing_consent"),
    };
    let mut person = Person { customer_id, ..Person::default() };
    match channel {
        Channel::Email => person.email = dropped.take("email_address", update.email_address),
        _ => person.phone = dropped.take("phone", update.phone),
    }
    if person == Person::default() {
        return Err(Silence::Malformed("no usable customer id or address".to_owned()));
    }
    let Object(consent) =
        dropped.take(name, consent).ok_or_else(|| Silence::Malformed(format!("no usable {name}")))?;
    let status = match dropped.take(name, consent.state).map(|state| state.to_ascii_lowercase()).as_deref() {
        Some("subscribed") => ConsentStatus::Subscribed,
        Some("unsubscribed") => ConsentStatus::Unsubscribed,
        // Never asked, or asked and not answered: nobody has decided anything.
        None | Some("not_subscribed" | "pending" | "invalid" | "redacted") => {
            return Err(Silence::Ignore("consent_undecided"));
        }
        Some(_) => return Err(Silence::Ignore("consent_state_unknown")),
    };
    let level = dropped.take(name, consent.opt_in_level);
    let at = dropped.take(name, consent.consent_updated_at);
    Ok(vec![Fact::Consent(ConsentChange {
        person,
        channel,
        status,
        at: at.unwrap_or_else(|| reader.happened_at()),
        method: "integration".to_owned(),
        double_opt_in: level.is_some_and(|level| level.eq_ignore_ascii_case("confirmed_opt_in")),
    })])
}

/// `customers/data_request`.
pub(crate) fn data_request(reader: &mut Reader<'_>) -> Reading {
    let request = privacy(reader)?;
    Ok(vec![Fact::DataRequest(concerned(reader, request.customer)?)])
}

/// `customers/redact`.
pub(crate) fn redact(reader: &mut Reader<'_>) -> Reading {
    let request = privacy(reader)?;
    let person = concerned(reader, request.customer)?;
    let order_ids = reader.dropped.list("orders_to_redact", request.orders_to_redact);
    let order_ids = order_ids.into_iter().map(|lenient::Id(id)| id).collect();
    Ok(vec![Fact::Erasure(ErasureRequest::Person { person, order_ids })])
}

/// `shop/redact`, 48 hours after the app was removed.
pub(crate) fn redact_shop(reader: &mut Reader<'_>) -> Reading {
    privacy(reader)?;
    Ok(vec![Fact::Erasure(ErasureRequest::Shop)])
}

/// `app/uninstalled`: the access token is void already. The body is the shop's own record, which nothing
/// is read from but its domain.
pub(crate) fn uninstalled(reader: &mut Reader<'_>) -> Reading {
    privacy(reader)?;
    Ok(vec![Fact::Disconnected { at: Some(reader.happened_at()) }])
}

fn privacy(reader: &mut Reader<'_>) -> Result<payload::Privacy, Silence> {
    let mut request: payload::Privacy = lenient::object(&reader.delivery.body)?;
    let domain = std::mem::take(&mut request.shop_domain).ok();
    let domain = domain.or_else(|| std::mem::take(&mut request.myshopify_domain).ok());
    reader.own_shop(domain.as_deref())?;
    Ok(request)
}

/// Whom a privacy request is about. A request that names nobody must be seen by a human being.
fn concerned(reader: &mut Reader<'_>, customer: Field<Object<payload::Customer>>) -> Result<Person, Silence> {
    let customer = reader.dropped.take("customer", customer).map(|Object(customer)| customer);
    let person = customer.map(|customer| person::customer(reader, customer)).unwrap_or_default();
    if person.customer_id.is_none() && person.email.is_none() && person.phone.is_none() {
        return Err(Silence::Malformed("no usable customer".to_owned()));
    }
    Ok(person)
}
