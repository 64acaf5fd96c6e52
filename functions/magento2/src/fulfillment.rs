//! Shipments and credit memos: the order is only named.

use canonical::fact::{OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::{Fact, Money, Person};
use platform::lenient::{Field, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::line::{self, Origin};
use crate::order::time;
use crate::payload;
use crate::person::{amount, customer_id, either};
use crate::record::Record;

/// A shipment.
pub(crate) fn shipment(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let shipment: payload::Shipment = record.read()?;
    let order_id = reader.identity("order_id", shipment.order_id)?;
    let shipment_id = reader.identity("entity_id", either(shipment.entity_id, shipment.id))?;
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let at = time(dropped, "created_at", shipment.created_at).or(record.sent_at).unwrap_or(received_at);
    let tracks: Vec<_> = dropped.list("tracks", shipment.tracks);
    let mut company = None;
    let mut tracking_numbers = Vec::new();
    for Object(track) in tracks {
        let carrier = dropped.take("tracks.title", track.title);
        company = company.or(carrier).or_else(|| dropped.take("tracks.carrier_code", track.carrier_code));
        tracking_numbers.extend(dropped.take("tracks.track_number", track.track_number));
    }
    let lines = line::lines(dropped, Origin::Shipment, shipment.items);
    let customer_id = customer_id(dropped, shipment.customer_id);
    let shipment = Shipment { shipment_id, at, company, tracking_numbers, lines };
    Ok(vec![part(order_id, customer_id, vec![shipment], Vec::new())])
}

/// A tracking number: that its shipment left, as far as the row says.
pub(crate) fn track(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let track: payload::Track = record.read()?;
    let order_id = reader.identity("order_id", track.order_id)?;
    let shipment_id = reader.identity("parent_id", track.parent_id)?;
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let at = time(dropped, "created_at", track.created_at).or(record.sent_at).unwrap_or(received_at);
    let title = dropped.take("title", track.title);
    let company = title.or_else(|| dropped.take("carrier_code", track.carrier_code));
    let tracking_numbers = dropped.take("track_number", track.track_number).into_iter().collect();
    let shipment = Shipment { shipment_id, at, company, tracking_numbers, lines: Vec::new() };
    Ok(vec![part(order_id, None, vec![shipment], Vec::new())])
}

/// A credit memo: one refund. Its total has the adjustments in it.
pub(crate) fn creditmemo(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let memo: payload::Creditmemo = record.read()?;
    let order_id = reader.identity("order_id", memo.order_id)?;
    let refund_id = reader.identity("entity_id", either(memo.entity_id, memo.id))?;
    // 1 is open and 3 is cancelled: no money has moved.
    match &memo.state {
        Field::Is(state) if state == "2" => {}
        Field::Absent => return Err(Silence::Ignore("creditmemo_without_state")),
        Field::Is(_) | Field::Bad => return Err(Silence::Ignore("creditmemo_not_refunded")),
    }
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let currency = dropped.take("order_currency_code", memo.order_currency_code);
    let note = dropped.take("customer_note", memo.customer_note);
    let comments = dropped.list("comments", memo.comments);
    let comment = comments.into_iter().find_map(|Object(comment)| comment.comment.ok());
    let refund = Refund {
        refund_id,
        at: time(dropped, "created_at", memo.created_at).or(record.sent_at).unwrap_or(received_at),
        amount: amount(dropped, "grand_total", memo.grand_total).map(|amount| Money { amount, currency }),
        reason: note.or(comment),
    };
    let customer_id = customer_id(dropped, memo.customer_id);
    Ok(vec![part(order_id, customer_id, Vec::new(), vec![refund])])
}

fn part(
    order_id: String,
    customer_id: Option<String>,
    shipments: Vec<Shipment>,
    refunds: Vec<Refund>,
) -> Fact {
    Fact::Order(OrderSnapshot {
        order_id,
        person: Person { customer_id, ..Person::default() },
        shipments,
        refunds,
        refund_policy: RefundPolicy::Each,
        ..OrderSnapshot::default()
    })
}
