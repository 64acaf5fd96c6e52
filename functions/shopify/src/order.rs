//! Orders, and the thin deliveries about their fulfilments and refunds.

use canonical::fact::{Cancellation, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::money::{Decimal, decimal_to_json};
use canonical::{Currency, Fact, Instant, Money, Person};
use platform::lenient::{self, Field, Id, Object};
use serde_json::Value;

use crate::line::{self, Origin};
use crate::payload;
use crate::person::{self, Buyer, split_tags};
use crate::reader::Reader;
use platform::address::Address;
use platform::reading::{Reading, Silence};

/// A whole order.
pub(crate) fn order(reader: &mut Reader<'_>) -> Reading {
    let order: payload::Order = lenient::object(&reader.delivery.body)?;
    let order_id = reader.identity("id", order.id)?;
    if reader.dropped.take("test", order.test).unwrap_or_default() && !reader.includes_tests() {
        return Err(Silence::Ignore("test_order"));
    }

    let billing = person::address(&mut reader.dropped, "billing_address", order.billing_address);
    let shipping = person::address(&mut reader.dropped, "shipping_address", order.shipping_address);
    let buyer = Buyer {
        email: {
            let email = reader.dropped.take("email", order.email);
            email.or_else(|| reader.dropped.take("contact_email", order.contact_email))
        },
        phone: reader.dropped.take("phone", order.phone),
        customer: order.customer,
        locale: reader.dropped.take("customer_locale", order.customer_locale),
        billing: billing.as_ref(),
        shipping: shipping.as_ref(),
    };
    let person = buyer.person(reader);
    let (lines, _) = line::lines(reader, Origin::Order, order.line_items);

    let mut shipments = Vec::new();
    for Object(fulfillment) in reader.dropped.list("fulfillments", order.fulfillments) {
        if is(&fulfillment.status, "success")
            && let Some(mut shipment) = shipment(reader, fulfillment)
        {
            for part in &mut shipment.lines {
                if let Some(whole) = lines.iter().find(|line| line.line_id == part.line_id) {
                    line::share(part, whole);
                }
            }
            shipments.push(shipment);
        }
    }
    let refunds = reader.dropped.list("refunds", order.refunds);

    let shop = reader.shop().map(str::to_owned);

    let dropped = &mut reader.dropped;
    let currency = dropped.take("currency", order.currency);
    let total_set = order.total_price_set.ok().map(|Object(set)| set).unwrap_or_default();
    let total = dropped
        .take("total_price", order.total_price)
        .map(|amount| Money { amount, currency })
        .or_else(|| money(total_set.shop_money));
    let presented = money(total_set.presentment_money)
        .filter(|money| money.currency.is_some_and(|other| Some(other) != currency));
    let tags = dropped.take("tags", order.tags).map(|tags| split_tags(&tags)).unwrap_or_default();
    let extra = [
        ("Presentment Total", presented.map(|money| decimal_to_json(money.amount))),
        ("Presentment Currency", presented.and_then(|money| Some(money.currency?.as_str().into()))),
        ("Location ID", dropped.take("location_id", order.location_id).map(|Id(id)| Value::String(id))),
        ("Tags", Some(Value::Array(tags)).filter(|tags| *tags != Value::Array(Vec::new()))),
    ];
    let extra = extra.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();

    let updated_at = dropped.take("updated_at", order.updated_at);
    let created_at = dropped.take("created_at", order.created_at);
    let cancelled_at = dropped.take("cancelled_at", order.cancelled_at);
    let cancel_reason = dropped.take("cancel_reason", order.cancel_reason);
    let fulfilled_at = if is(&order.fulfillment_status, "fulfilled") {
        shipments.iter().map(|shipment| shipment.at).max().or(updated_at)
    } else {
        None
    };
    let detail = OrderDetail {
        number: {
            let number = dropped.take("name", order.name);
            number.or_else(|| dropped.take("order_number", order.order_number))
        },
        total,
        total_discounts: dropped.take("total_discounts", order.total_discounts),
        discount_codes: line::discount_codes(dropped, order.discount_codes),
        lines,
        billing_address: billing.map(Address::into_property),
        shipping_address: shipping.map(Address::into_property),
        source_name: dropped.take("source_name", order.source_name),
        shop,
        extra,
        ..OrderDetail::default()
    };
    // Imported orders carry their business time here, and the time of the import in created_at.
    let placed_at = dropped.take("processed_at", order.processed_at).or(created_at);
    let refunds = refunds
        .into_iter()
        .filter_map(|Object(refund)| self::refund(reader, refund, currency, placed_at))
        .collect();

    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at: updated_at.or_else(|| reader.triggered_at()),
        placed_at,
        detail: Some(detail),
        cancelled: cancelled_at.map(|at| Cancellation { at, reason: cancel_reason }),
        fulfilled_at,
        shipments,
        refunds,
        fully_refunded: is(&order.financial_status, "refunded"),
        refund_policy: reader.connection.refund_policy(RefundPolicy::FullOnly),
        backfill: false,
    })])
}

/// One fulfilment: the order is only named.
pub(crate) fn fulfillment(reader: &mut Reader<'_>) -> Reading {
    let mut fulfillment: payload::Fulfillment = lenient::object(&reader.delivery.body)?;
    let order_id = reader.identity("order_id", std::mem::take(&mut fulfillment.order_id))?;
    if !is(&fulfillment.status, "success") {
        // Not sent yet, or cancelled: an update follows when that changes.
        return Err(Silence::Ignore("fulfillment_not_sent"));
    }
    let email = reader.dropped.take("email", std::mem::take(&mut fulfillment.email));
    let shipment = shipment(reader, fulfillment)
        .ok_or_else(|| Silence::Malformed("no usable fulfillment id".to_owned()))?;
    if shipment.lines.iter().any(line::is_discounted) {
        // The discount is the whole line's, and only the order knows which part of the line this is.
        return Err(Silence::Ignore("discount_needs_the_order"));
    }
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person: Person { email, ..Person::default() },
        shipments: vec![shipment],
        refund_policy: reader.connection.refund_policy(RefundPolicy::FullOnly),
        ..OrderSnapshot::default()
    })])
}

/// One refund: the order is only named.
pub(crate) fn refund_created(reader: &mut Reader<'_>) -> Reading {
    let mut refund: payload::Refund = lenient::object(&reader.delivery.body)?;
    let order_id = reader.identity("order_id", std::mem::take(&mut refund.order_id))?;
    if only_tests(&refund.transactions) && !reader.includes_tests() {
        return Err(Silence::Ignore("test_order"));
    }
    let fallback = Some(reader.happened_at());
    let refund = self::refund(reader, refund, None, fallback)
        .ok_or_else(|| Silence::Malformed("no usable refund id".to_owned()))?;
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        refunds: vec![refund],
        refund_policy: reader.connection.refund_policy(RefundPolicy::FullOnly),
        ..OrderSnapshot::default()
    })])
}

/// A fulfilment that left. `None` without an id, which is noted.
fn shipment(reader: &mut Reader<'_>, fulfillment: payload::Fulfillment) -> Option<Shipment> {
    let Some(shipment_id) = reader.id("fulfillments.id", fulfillment.id) else {
        reader.dropped.note("fulfillments.id");
        return None;
    };
    let (lines, _) = line::lines(reader, Origin::Order, fulfillment.line_items);
    let at = reader.dropped.take("fulfillments.created_at", fulfillment.created_at);
    let at = at.unwrap_or_else(|| reader.happened_at());
    let dropped = &mut reader.dropped;
    let mut tracking_numbers = dropped.list("fulfillments.tracking_numbers", fulfillment.tracking_numbers);
    if tracking_numbers.is_empty() {
        tracking_numbers.extend(dropped.take("fulfillments.tracking_number", fulfillment.tracking_number));
    }
    let company = dropped.take("fulfillments.tracking_company", fulfillment.tracking_company);
    Some(Shipment { shipment_id, at, company, tracking_numbers, lines })
}

/// A refund. `None` without an id, which is noted.
fn refund(
    reader: &mut Reader<'_>,
    refund: payload::Refund,
    order_currency: Option<Currency>,
    fallback: Option<Instant>,
) -> Option<Refund> {
    let Some(refund_id) = reader.id("refunds.id", refund.id) else {
        reader.dropped.note("refunds.id");
        return None;
    };
    let includes_tests = reader.includes_tests();
    let received_at = reader.happened_at();
    let dropped = &mut reader.dropped;
    let processed_at = dropped.take("refunds.processed_at", refund.processed_at);
    let created_at = dropped.take("refunds.created_at", refund.created_at);
    let transactions = dropped.list("refunds.transactions", refund.transactions);

    // Only what a payment provider really paid back is money: line subtotals leave out shipping, count
    // what was merely restocked, and can be zero beside a real payment.
    let mut amount: Option<Money> = None;
    for Object(transaction) in transactions {
        let test = dropped.take("refunds.transactions.test", transaction.test).unwrap_or_default();
        let paid = is(&transaction.kind, "refund") && is(&transaction.status, "success");
        if !paid || (test && !includes_tests) {
            continue;
        }
        let currency = dropped.take("refunds.transactions.currency", transaction.currency).or(order_currency);
        let Some(paid) = dropped.take("refunds.transactions.amount", transaction.amount) else { continue };
        let sum = amount.unwrap_or(Money { amount: Decimal::ZERO, currency });
        match sum.amount.checked_add(paid) {
            Some(total) if sum.currency == currency => amount = Some(Money { amount: total, currency }),
            // Two currencies have no sum.
            _ => dropped.note("refunds.transactions.currency"),
        }
    }
    Some(Refund {
        refund_id,
        at: processed_at.or(created_at).or(fallback).unwrap_or(received_at),
        amount,
        reason: dropped.take("refunds.note", refund.note),
    })
}

fn only_tests(transactions: &payload::Objects<payload::Transaction>) -> bool {
    let Field::Is(transactions) = transactions else { return false };
    let test = |entry: &Field<Object<payload::Transaction>>| matches!(entry, Field::Is(Object(transaction)) if transaction.test == Field::Is(true));
    !transactions.is_empty() && transactions.iter().all(test)
}

/// An amount of a set.
fn money(half: Field<Object<payload::Amount>>) -> Option<Money> {
    let Object(half) = half.ok()?;
    Some(Money { amount: half.amount.ok()?, currency: half.currency_code.ok() })
}

/// Whether a field holds a word; states are compared in any case.
fn is(field: &Field<String>, word: &str) -> bool {
    matches!(field, Field::Is(text) if text.eq_ignore_ascii_case(word))
}
