//! Parcels.

use canonical::fact::{Line, OrderSnapshot, Shipment};
use canonical::{Fact, Person};
use platform::lenient::{Field, Object, Objects};
use platform::reading::{Reading, Silence};

use crate::payload::{self, either};
use crate::reader::Reader;
use crate::topic::Step;
use crate::{line, lookup, order};

/// One parcel. Since 5.4 it does not name its order.
pub(crate) fn event(reader: &mut Reader<'_>) -> Reading {
    let mut shipment: payload::Shipment = reader.record()?;
    if !was_sent(&shipment) {
        // Waiting or cancelled: an event follows when it is sent.
        return Err(Silence::Ignore("shipment_not_sent"));
    }
    let order = reader.dropped.take("order", std::mem::take(&mut shipment.order));
    let order = order.map(|Object(order)| order).unwrap_or_default();
    if order.number == Field::Absent {
        let order_id = either(std::mem::take(&mut shipment.order_id), order.id);
        let whole = lookup::order_of_shipment(reader, &order_id, &shipment.number)?;
        return order::facts(reader, Step::Changed, whole, Vec::new());
    }
    let dropped = &mut reader.dropped;
    let order_id = dropped.take("order.number", order.number);
    let order_id = order_id.ok_or_else(|| Silence::Malformed("no usable order.number".to_owned()))?;
    let email = dropped.take("order.email", order.email);
    let shipment =
        sent(reader, shipment, &[]).ok_or_else(|| Silence::Malformed("no usable number".to_owned()))?;
    let person = Person { email, ..Person::default() };
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        shipments: vec![shipment],
        ..OrderSnapshot::default()
    })])
}

/// The parcels of an order that were sent.
pub(crate) fn sent_parcels(
    reader: &mut Reader<'_>,
    list: Objects<payload::Shipment>,
    lines: &[Line],
) -> Vec<Shipment> {
    let list = reader.dropped.list("fulfillments", list);
    let sent = list.into_iter().filter(|Object(shipment)| was_sent(shipment));
    sent.filter_map(|Object(shipment)| self::sent(reader, shipment, lines)).collect()
}

/// Whether a status says that something has left.
pub(crate) fn is_sent(status: &str) -> bool {
    ["shipped", "fulfilled", "delivered"].iter().any(|word| status.eq_ignore_ascii_case(word))
}

fn was_sent(shipment: &payload::Shipment) -> bool {
    match [&shipment.status, &shipment.state].into_iter().find(|field| **field != Field::Absent) {
        Some(Field::Is(status)) => is_sent(status),
        _ => shipment.fulfilled_at != Field::Absent || shipment.shipped_at != Field::Absent,
    }
}

/// A parcel that left. `None` without a number or an id, which is noted.
fn sent(reader: &mut Reader<'_>, shipment: payload::Shipment, lines: &[Line]) -> Option<Shipment> {
    let id = reader.id("fulfillments.id", shipment.id);
    // As with orders, only the number is the same in all releases.
    let Some(shipment_id) = reader.dropped.take("fulfillments.number", shipment.number).or(id) else {
        reader.dropped.note("fulfillments.number");
        return None;
    };
    let lines = line::parts(reader, shipment.items, lines);
    let told_at = reader.told_at();
    let dropped = &mut reader.dropped;
    let at = dropped.take("fulfillments.fulfilled_at", either(shipment.fulfilled_at, shipment.shipped_at));
    let tracking_numbers = dropped.take("fulfillments.tracking", shipment.tracking).into_iter().collect();
    Some(Shipment { shipment_id, at: at.unwrap_or(told_at), company: None, tracking_numbers, lines })
}
