//! People who want to be forgotten: a flag on whatever event their wish causes.

use canonical::fact::ErasureRequest;
use canonical::{Fact, Person};
use platform::lenient::{Field, Id, Object};
use platform::reading::{Reading, Silence};

use crate::payload;
use crate::reader::Reader;
use crate::topic::Topic;

/// Whom the event is about, and its order. The fields may hold substitutes already, so the contact's id counts,
/// and the e-mail address only where there is none.
pub(crate) fn forgotten(reader: &mut Reader<'_>, topic: Topic) -> Reading {
    let entity: payload::Owned = match reader.event.content {
        None => payload::Owned::default(),
        Some(_) => reader.entity(|holder| {
            let inner = [holder.order, holder.checkout, holder.contact, holder.target_contact];
            inner.into_iter().find(|inner| *inner != Field::Absent).unwrap_or_default()
        })?,
    };
    let buyer = reader.dropped.take("buyerInfo", entity.buyer_info);
    let buyer = buyer.map(|Object(buyer)| buyer).unwrap_or_default();
    let mut id = |name, field| reader.dropped.take(name, field).map(|Id(id)| id);
    let contact_id =
        id("contactId", entity.contact_id).or_else(|| id("buyerInfo.contactId", buyer.contact_id));
    let order_id = match topic {
        Topic::Order => id("id", entity.id),
        Topic::Fulfillments | Topic::Transactions => id("orderId", entity.order_id),
        _ => None,
    };
    let email = reader.dropped.take("buyerInfo.email", buyer.email);

    let about_somebody =
        ["wix.contacts.", "wix.members."].iter().any(|domain| reader.event.topic.starts_with(domain));
    let customer_id = contact_id.or_else(|| reader.event.entity_id.clone().filter(|_| about_somebody));
    let email = email.filter(|_| customer_id.is_none());
    if customer_id.is_none() && email.is_none() && order_id.is_none() {
        // The event of the contact itself says who it is.
        return Err(Silence::Ignore("anonymized_nobody_named"));
    }
    Ok(vec![Fact::Erasure(ErasureRequest::Person {
        person: Person { customer_id, email, ..Person::default() },
        order_ids: order_id.into_iter().collect(),
    })])
}
