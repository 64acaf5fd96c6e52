//! Orders, and the thin deliveries about their fulfilments and refunds.

use canonical::fact::{Cancellation, Line, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::money::Decimal;
use canonical::{Currency, Fact, Instant, Money};
use platform::address::Address;
use platform::lenient::{self, Dropped, Field, Object, Objects};
use platform::reading::{Reader, Reading, Silence};

use crate::payload;
use crate::person::Buyer;
use crate::shop;
use crate::value::{Price, given, id, identity, time};
use crate::{line, value};

/// States of a fulfilment in which nothing has left, or came back.
const NOT_SENT: &[&str] = &["pending", "open", "cancelled", "canceled", "error", "failure", "failed"];
/// States of an order of which at least a part has left.
const BEGUN: &[&str] = &["fulfilled", "partial", "partially_fulfilled"];

/// A whole order.
pub(crate) fn order(reader: &mut Reader<'_>) -> Reading {
    let order: payload::Order = lenient::object(&reader.delivery.body)?;
    let order_id = identity(reader, "id", order.id)?;
    let test = reader.dropped.take("test", order.test).unwrap_or_default();
    if test && !reader.connection.flag("include_test_orders", false) {
        return Err(Silence::Ignore("test_order"));
    }
    let shop = shop::of(reader.delivery, reader.connection).map(str::to_owned);
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let buyer = Buyer::take(dropped, order.buyer).identified()?;
    let lines = line::lines(dropped, order.line_items);

    let total = dropped.take("total_price", order.total_price);
    let currency = dropped.take("currency", order.currency);
    let currency = currency.or_else(|| total.and_then(|Price(money)| money.currency));
    let total = total.map(|Price(money)| Money { currency, ..money });
    let created_at = time(dropped, "created_at", order.created_at);
    let processed_at = time(dropped, "processed_at", order.processed_at);
    let updated_at = time(dropped, "updated_at", order.updated_at);
    let changed_at = updated_at.unwrap_or(received_at);

    let fulfillments = Fulfillments::take(dropped, order.fulfillments, &lines, changed_at);
    let begun = BEGUN.iter().any(|state| order.fulfillment_status.is(state));
    let fulfilled_at = if order.fulfillment_status.is("fulfilled") {
        Some(fulfillments.sent.iter().map(|shipment| shipment.at).max().unwrap_or(changed_at))
    } else {
        None
    };
    let reason = given(dropped, "cancel_reason", order.cancel_reason);
    let cancelled_at = time(dropped, "cancelled_at", order.cancelled_at);
    let cancelled = cancelled_at
        .filter(|at| fulfillments.first_at.map_or(!begun, |sent_at| *at < sent_at))
        .map(|at| Cancellation { at, reason });

    let refunds = dropped.list("refunds", order.refunds);
    let mut refunds: Vec<Refund> = refunds
        .into_iter()
        .filter_map(|Object(refund)| self::refund(dropped, refund, currency, changed_at))
        .collect();
    let fully_refunded = order.financial_status.is("refunded");
    if fully_refunded && refunds.iter().all(|refund| refund.amount.is_none()) {
        // Everything was paid back, and how much is not said: it was the total.
        let last = refunds.iter().max_by_key(|refund| refund.at);
        refunds.push(Refund {
            refund_id: format!("{order_id}:full"),
            at: last.map_or(changed_at, |refund| refund.at),
            amount: total,
            reason: last.and_then(|refund| refund.reason.clone()),
        });
    }
    let detail = OrderDetail {
        number: {
            let name = dropped.take("name", order.name);
            name.or_else(|| given(dropped, "order_number", order.order_number))
        },
        total,
        total_discounts: dropped
            .take("total_discounts", order.total_discounts)
            .map(|Price(money)| money.amount),
        discount_codes: line::discount_codes(dropped, order.codes),
        lines,
        billing_address: buyer.billing.map(Address::into_property),
        shipping_address: buyer.shipping.map(Address::into_property),
        source_name: given(dropped, "source_name", order.source_name),
        shop,
        ..OrderDetail::default()
    };
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person: buyer.person,
        updated_at,
        placed_at: processed_at.or(created_at),
        detail: Some(detail),
        cancelled,
        fulfilled_at,
        shipments: fulfillments.sent,
        refunds,
        fully_refunded,
        refund_policy: RefundPolicy::FullOnly,
        backfill: false,
    })])
}

/// One fulfilment: the order is only named.
pub(crate) fn fulfillment(reader: &mut Reader<'_>) -> Reading {
    let mut fulfillment: payload::Fulfillment = lenient::object(&reader.delivery.body)?;
    let order_id = identity(reader, "order_id", std::mem::take(&mut fulfillment.order_id))?;
    if !is_sent(&fulfillment.status) {
        return Err(Silence::Ignore("fulfillment_not_sent"));
    }
    let received_at = reader.received_at();
    let (shipment, _) = shipment(&mut reader.dropped, fulfillment, received_at)
        .ok_or_else(|| Silence::Malformed("no usable fulfillment id".to_owned()))?;
    if shipment.lines.iter().any(line::is_discounted) {
        // The discount is the whole line's, and only the order knows which part of the line this is.
        return Err(Silence::Ignore("discount_needs_the_order"));
    }
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        shipments: vec![shipment],
        refund_policy: RefundPolicy::FullOnly,
        ..OrderSnapshot::default()
    })])
}

/// One refund: the order is only named. Whether it paid back everything, only the order says.
pub(crate) fn refund_created(reader: &mut Reader<'_>) -> Reading {
    let mut refund: payload::Refund = lenient::object(&reader.delivery.body)?;
    let order_id = identity(reader, "order_id", std::mem::take(&mut refund.order_id))?;
    let received_at = reader.received_at();
    let refund = self::refund(&mut reader.dropped, refund, None, received_at)
        .ok_or_else(|| Silence::Malformed("no usable refund id".to_owned()))?;
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        refunds: vec![refund],
        refund_policy: RefundPolicy::FullOnly,
        ..OrderSnapshot::default()
    })])
}

/// What has left.
#[derive(Default)]
struct Fulfillments {
    sent: Vec<Shipment>,
    /// When the first of them left, as far as they say.
    first_at: Option<Instant>,
}

impl Fulfillments {
    fn take(
        dropped: &mut Dropped,
        fulfillments: Objects<payload::Fulfillment>,
        ordered: &[Line],
        changed_at: Instant,
    ) -> Self {
        let mut taken = Self::default();
        for Object(fulfillment) in dropped.list("fulfillments", fulfillments) {
            if !is_sent(&fulfillment.status) {
                continue;
            }
            let Some((mut shipment, at)) = shipment(dropped, fulfillment, changed_at) else { continue };
            for part in &mut shipment.lines {
                if let Some(whole) = ordered.iter().find(|line| line.line_id == part.line_id) {
                    line::share(part, whole);
                }
            }
            taken.first_at = [taken.first_at, at].into_iter().flatten().min();
            taken.sent.push(shipment);
        }
        taken
    }
}

fn is_sent(status: &Field<String>) -> bool {
    !NOT_SENT.iter().any(|state| status.is(state))
}

/// A fulfilment that left, and when it says that it did. `None` without an id, which is noted.
fn shipment(
    dropped: &mut Dropped,
    fulfillment: payload::Fulfillment,
    fallback: Instant,
) -> Option<(Shipment, Option<Instant>)> {
    let Some(shipment_id) = id(dropped, "fulfillments.id", fulfillment.id) else {
        dropped.note("fulfillments.id");
        return None;
    };
    let created_at = time(dropped, "fulfillments.created_at", fulfillment.created_at);
    let updated_at = time(dropped, "fulfillments.updated_at", fulfillment.updated_at);
    let numbers = dropped.list("fulfillments.tracking_numbers", fulfillment.tracking_numbers);
    let mut tracking_numbers: Vec<_> = numbers.into_iter().filter_map(value::Given::into_option).collect();
    if tracking_numbers.is_empty() {
        tracking_numbers.extend(given(dropped, "fulfillments.tracking_number", fulfillment.tracking_number));
    }
    let at = created_at.or(updated_at);
    let shipment = Shipment {
        shipment_id,
        at: at.unwrap_or(fallback),
        company: given(dropped, "fulfillments.tracking_company", fulfillment.tracking_company),
        tracking_numbers,
        lines: line::lines(dropped, fulfillment.line_items),
    };
    Some((shipment, at))
}

/// A refund. `None` without an id, which is noted.
fn refund(
    dropped: &mut Dropped,
    refund: payload::Refund,
    order_currency: Option<Currency>,
    fallback: Instant,
) -> Option<Refund> {
    let Some(refund_id) = id(dropped, "refunds.id", refund.id) else {
        dropped.note("refunds.id");
        return None;
    };
    let processed_at = time(dropped, "refunds.processed_at", refund.processed_at);
    let created_at = time(dropped, "refunds.created_at", refund.created_at);
    let mut amount: Option<Money> = None;
    for Object(transaction) in dropped.list("refunds.transactions", refund.transactions) {
        // Only what was really paid back is money.
        if !transaction.kind.is("refund") || !transaction.status.is("success") {
            continue;
        }
        let currency = dropped.take("refunds.transactions.currency", transaction.currency);
        let Some(Price(paid)) = dropped.take("refunds.transactions.amount", transaction.amount) else {
            continue;
        };
        let currency = currency.or(paid.currency).or(order_currency);
        let sum = amount.unwrap_or(Money { amount: Decimal::ZERO, currency });
        match sum.amount.checked_add(paid.amount) {
            Some(total) if sum.currency == currency => amount = Some(Money { amount: total, currency }),
            // Two currencies have no sum.
            _ => dropped.note("refunds.transactions.currency"),
        }
    }
    Some(Refund {
        refund_id,
        at: processed_at.or(created_at).unwrap_or(fallback),
        amount,
        reason: given(dropped, "refunds.note", refund.note),
    })
}
