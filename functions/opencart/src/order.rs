//! Orders.

use std::collections::BTreeMap;

use canonical::Fact;
use canonical::fact::{Cancellation, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::money::Decimal;
use platform::address::{Address, lend};
use platform::lenient::{self, Dropped, Field, Object, Objects};
use platform::reading::{Reader, Reading, Silence};

use crate::checkout;
use crate::line;
use crate::money::Rate;
use crate::payload::{Method, OrderRecord, OrderTotal};
use crate::person::{addresses, person, reference, time, zone};
use crate::standing::{Meanings, Standing};

/// Rows of totals that take something off. Extensions have codes of their own.
const DISCOUNTS: [&str; 4] = ["coupon", "voucher", "reward", "credit"];

/// An order with its products, totals and history; one that nobody confirmed is a checkout that was begun.
pub(crate) fn order(reader: &mut Reader<'_>) -> Reading {
    let record: OrderRecord = lenient::object(&reader.delivery.body)?;
    let order = reader.dropped.take("order", record.order);
    let Object(mut order) = order.ok_or_else(|| Silence::Malformed("no usable order".to_owned()))?;
    let order_id = reader.identity("order_id", std::mem::take(&mut order.order_id))?;
    let received_at = reader.received_at();
    let connection = reader.connection;

    let dropped = &mut reader.dropped;
    let zone = zone(dropped, connection, record.time_zone);
    let meanings = Meanings::read(dropped, connection, record.complete);
    let current = reference(dropped, "order_status_id", std::mem::take(&mut order.order_status_id));
    let standing = Standing::read(dropped, &zone, current, record.histories, &meanings);
    let created_at = time(dropped, "date_added", std::mem::take(&mut order.date_added), &zone);
    let updated_at = time(dropped, "date_modified", std::mem::take(&mut order.date_modified), &zone);
    // When something came about that has no time of its own.
    let last_change = updated_at.or(created_at).unwrap_or(received_at);

    let [billing, shipping] = addresses(dropped, &mut order);
    let names = [order.firstname, order.lastname];
    let mut person = person(dropped, order.customer_id, order.email, order.telephone, names);
    lend(&mut person, billing.as_ref(), shipping.as_ref());
    let rate =
        Rate::read(dropped, record.currency, order.currency_code, order.currency_value, order.decimal_place);
    let total = rate.convert(dropped, "total", order.total).map(|total| rate.money(total));
    let lines = line::lines(dropped, connection, &rate, record.products);
    let (total_discounts, discount_codes) = discounts(dropped, &rate, record.totals);
    if !standing.is_confirmed() {
        let checkout =
            checkout::checkout(order_id, person, [created_at, updated_at], total, discount_codes, lines);
        return Ok(vec![Fact::Checkout(checkout)]);
    }

    let extra: BTreeMap<_, _> = [
        ("Payment Method", method(dropped, "payment_method", order.payment_method)),
        ("Shipping Method", method(dropped, "shipping_method", order.shipping_method)),
        ("Invoice Number", invoice(dropped, order.invoice_prefix, order.invoice_no)),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?.into())))
    .collect();
    let detail = OrderDetail {
        number: Some(order_id.clone()),
        total,
        total_discounts,
        discount_codes,
        lines,
        billing_address: billing.map(Address::into_property),
        shipping_address: shipping.map(Address::into_property),
        shop: dropped.take("store_name", order.store_name),
        shop_id: dropped.take("store_id", order.store_id).map(|lenient::Id(id)| id),
        extra,
        ..OrderDetail::default()
    };
    let placed = standing.placed(created_at);
    let tracking = dropped.take("tracking", order.tracking);
    // OpenCart knows neither parcels nor refunds, only that the whole order has such a status.
    let part = format!("{order_id}-1");
    let shipments = standing.shipped(last_change).map(|at| Shipment {
        shipment_id: part.clone(),
        at,
        company: None,
        tracking_numbers: tracking.into_iter().collect(),
        lines: Vec::new(),
    });
    let refunds = standing.refunded(last_change).filter(|_| placed.is_some()).map(|at| Refund {
        refund_id: part,
        at,
        amount: total,
        reason: None,
    });
    let cancelled = standing.cancelled(last_change).filter(|_| placed.is_some());
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at,
        placed_at: placed,
        detail: Some(detail),
        cancelled: cancelled.map(|at| Cancellation { at, reason: None }),
        fulfilled_at: standing.fulfilled(last_change),
        shipments: shipments.into_iter().collect(),
        fully_refunded: refunds.is_some(),
        refunds: refunds.into_iter().collect(),
        refund_policy: connection.refund_policy(RefundPolicy::Each),
        ..OrderSnapshot::default()
    })])
}

/// What was taken off, and the codes of coupons, which are only in the titles: `Coupon (SPRING5)`.
fn discounts(
    dropped: &mut Dropped,
    rate: &Rate,
    totals: Objects<OrderTotal>,
) -> (Option<Decimal>, Vec<String>) {
    let totals = dropped.list("totals", totals);
    let said = !totals.is_empty();
    let (mut sum, mut codes) = (Decimal::ZERO, Vec::new());
    for Object(total) in totals {
        let code = dropped.take("totals.code", total.code).unwrap_or_default();
        if !DISCOUNTS.contains(&code.as_str()) {
            continue;
        }
        let value = rate.convert(dropped, "totals.value", total.value).unwrap_or_default();
        sum = sum.checked_sub(value).unwrap_or(sum);
        let title = dropped.take("totals.title", total.title).unwrap_or_default();
        if code == "coupon" {
            let inner = title.trim_end().strip_suffix(')').and_then(|title| title.rsplit_once('('));
            codes.extend(inner.map(|(_, inner)| inner.trim().to_owned()).filter(|inner| !inner.is_empty()));
        }
    }
    (said.then(|| sum.max(Decimal::ZERO).normalize()), codes)
}

fn method(dropped: &mut Dropped, name: &'static str, field: Field<Method>) -> Option<String> {
    dropped.take(name, field)?.0
}

/// The invoice's number; 0 until there is one.
fn invoice(dropped: &mut Dropped, prefix: Field<String>, number: Field<String>) -> Option<String> {
    let number = dropped.take("invoice_no", number).filter(|number| number != "0")?;
    Some(format!("{}{number}", dropped.take("invoice_prefix", prefix).unwrap_or_default()))
}
