//! Transactions: sales, and returns of what was sold.

use std::collections::BTreeMap;

use canonical::fact::{OrderDetail, OrderSnapshot, Refund, RefundPolicy};
use canonical::money::{Decimal, decimal_to_json};
use canonical::{Currency, Fact, Instant, Money};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use platform::Connection;
use platform::lenient::{self, Dropped, Field, Id, Moment, Object};
use platform::reading::{Reader, Reading, Silence};
use serde_json::Value;

use crate::line::{self, Origin};
use crate::payload::{self, Customer, Transaction};
use crate::person::{self, Place, number};

/// No clock on earth is further from UTC.
const FARTHEST: SignedDuration = SignedDuration::from_hours(14);

/// A sale to a customer, or the return of one.
pub(crate) fn transaction(reader: &mut Reader<'_>) -> Reading {
    let record: payload::Sale = lenient::object(&reader.delivery.body)?;
    let Object(location) = reader.dropped.take("location", record.location).unwrap_or_default();
    let place = Place::of(reader, location)?;
    let Object(mut sale) = reader.dropped.take("transaction", record.transaction).unwrap_or_default();
    let transaction_id = reader.identity("transactionId", std::mem::take(&mut sale.transaction_id))?;
    let dropped = &mut reader.dropped;
    let Object(customer) = dropped.take("customer", record.customer).unwrap_or_default();
    let customer_id = buyer(dropped, &mut sale, &customer)?;

    let original =
        reference(dropped, "returnOnTransactionId", std::mem::take(&mut sale.return_on_transaction_id));
    let is_return =
        dropped.take("isReturn", sale.is_return.clone()).unwrap_or_default() || original.is_some();
    let zone = zone(reader.connection, &place);
    let utc = dropped.take("transactionDate", sale.transaction_date.clone());
    let local = dropped.take("transactionDateLocalTime", sale.transaction_date_local_time.clone());
    let at = instant(zone.as_ref(), utc, local)
        .ok_or_else(|| Silence::Malformed("no usable transactionDate".to_owned()))?;
    let since = dropped.take("since", record.since).and_then(Moment::in_utc);
    if since.is_some_and(|since| at.timestamp() < since.timestamp()) {
        return Err(Silence::Ignore("before_the_connection"));
    }

    let origin = Origin { place: &place, transaction_id: &transaction_id, customer_id: &customer_id, at };
    let products: Vec<_> =
        dropped.list("products", record.products).into_iter().map(|Object(product)| product).collect();
    let sold = line::lines(dropped, &origin, std::mem::take(&mut sale.items), &products);
    let mut discount_codes = line::discount_names(dropped, std::mem::take(&mut sale.discounts));
    for name in sold.discounts {
        if !discount_codes.contains(&name) {
            discount_codes.push(name);
        }
    }

    let amount = dropped.take("total", sale.total.clone()).map(cents);
    let total_discounts = dropped.take("totalDiscount", sale.total_discount.clone());
    let order_transaction = original.unwrap_or_else(|| transaction_id.clone());
    let mut detail = OrderDetail {
        number: dropped.take("invoiceNumber", std::mem::take(&mut sale.invoice_number)),
        total_discounts: total_discounts.map(|discounts| cents(discounts.abs())),
        discount_codes,
        lines: sold.lines,
        source_name: dropped.take("orderSource", std::mem::take(&mut sale.order_source)),
        extra: extra(dropped, &place, &order_transaction, sale),
        ..OrderDetail::default()
    };
    let updated_at = customer.last_modified.clone().ok().and_then(Moment::in_utc);
    let mut order = OrderSnapshot {
        order_id: format!("{}:{order_transaction}", place.id),
        person: person::person(dropped, place.customer(&customer_id), customer),
        updated_at,
        refund_policy: RefundPolicy::Each,
        ..OrderSnapshot::default()
    };
    let currency = currency(reader.connection);
    if is_return {
        // Dutchie writes what a return pays back with either sign.
        let paid = amount.map(|amount| amount.abs()).filter(|amount| !amount.is_zero());
        let amount = paid.map(|amount| Money { amount, currency });
        order.refunds = vec![Refund { refund_id: transaction_id, at, amount, reason: sold.return_reason }];
    } else {
        order.placed_at = Some(at);
        detail.total = amount.map(|amount| Money { amount, currency });
    }
    detail.location = place.name;
    detail.shop = place.parent_name;
    detail.shop_id = place.parent;
    order.detail = Some(detail);
    Ok(vec![Fact::Order(order)])
}

/// Who bought, if the transaction is a sale to somebody at all. A customer who was merged is named by the record that
/// came with the sale.
fn buyer(dropped: &mut Dropped, sale: &mut Transaction, customer: &Customer) -> Result<String, Silence> {
    if dropped.take("isVoid", sale.is_void.clone()).unwrap_or(sale.void_date != Field::Absent) {
        return Err(Silence::Ignore("void"));
    }
    if !matches!(sale.transaction_type, Field::Absent) && !sale.transaction_type.is("Retail") {
        return Err(Silence::Ignore("not_retail"));
    }
    let adjusted = std::mem::take(&mut sale.adjustment_for_transaction_id);
    if reference(dropped, "adjustmentForTransactionId", adjusted).is_some() {
        return Err(Silence::Ignore("adjustment"));
    }
    let named = reference(dropped, "customerId", std::mem::take(&mut sale.customer_id));
    let is_anonymous = customer.is_anonymous.clone().ok().unwrap_or_default();
    let Some(named) = named.filter(|_| !is_anonymous) else { return Err(Silence::Ignore("anonymous_sale")) };
    Ok(customer.customer_id.clone().ok().map_or(named, |Id(id)| id))
}

/// An id of another record; 0 stands for none.
fn reference(dropped: &mut Dropped, name: &'static str, id: Field<Id>) -> Option<String> {
    dropped.take(name, id).map(|Id(id)| id).filter(|id| id != "0")
}

fn extra(
    dropped: &mut Dropped,
    place: &Place,
    transaction_id: &str,
    sale: Transaction,
) -> BTreeMap<String, Value> {
    let amount = |amount: Option<Decimal>| amount.map(decimal_to_json);
    let text = |text: Option<String>| text.map(Value::String);
    let extra = [
        ("transactionId", Some(number(transaction_id.to_owned()))),
        ("locationId", Some(number(place.id.clone()))),
        ("transactionType", text(dropped.take("transactionType", sale.transaction_type))),
        ("orderType", text(dropped.take("orderType", sale.order_type))),
        ("orderMethod", text(dropped.take("orderMethod", sale.order_method))),
        ("wasPreOrdered", dropped.take("wasPreOrdered", sale.was_pre_ordered).map(Value::Bool)),
        ("terminalName", text(dropped.take("terminalName", sale.terminal_name))),
        ("Tax", amount(dropped.take("tax", sale.tax).map(cents))),
        ("loyaltyEarned", amount(dropped.take("loyaltyEarned", sale.loyalty_earned))),
        ("loyaltySpent", amount(dropped.take("loyaltySpent", sale.loyalty_spent))),
    ];
    extra.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Amounts are binary floating point numbers, rounded here once, half to even.
pub(crate) fn cents(amount: Decimal) -> Decimal {
    amount.round_dp(2)
}

fn currency(connection: &Connection) -> Option<Currency> {
    connection.currency("currency").or_else(|| "USD".parse().ok())
}

fn zone(connection: &Connection, place: &Place) -> Option<TimeZone> {
    let own =
        connection.settings.get("time_zones").and_then(|zones| zones.get(&place.id)).and_then(Value::as_str);
    own.and_then(|name| TimeZone::get(name).ok()).or_else(|| connection.time_zone("time_zone"))
}

/// When it happened. `transactionDate` is UTC; beside the local time it also tells the offset. Where both clocks show
/// the same although the location's zone is known, `transactionDate` is local itself.
fn instant(zone: Option<&TimeZone>, utc: Option<Moment>, local: Option<Moment>) -> Option<Instant> {
    let utc_zone = TimeZone::UTC;
    let zone = zone.unwrap_or(&utc_zone);
    let Some(utc) = utc else { return local?.in_zone(zone) };
    if Some(utc) == local {
        return utc.in_zone(zone);
    }
    let at = utc.in_utc()?;
    let offset = match local {
        Some(Moment::Local(local)) => offset_between(at, local),
        _ => None,
    };
    Some(offset.map_or_else(|| shown_in(zone, at), |offset| Instant::at_offset(at.timestamp(), offset)))
}

fn shown_in(zone: &TimeZone, at: Instant) -> Instant {
    Instant::at_offset(at.timestamp(), zone.to_offset(at.timestamp()))
}

/// What a local clock that shows `local` at `at` is ahead of UTC: quarters of an hour, everywhere.
fn offset_between(at: Instant, local: DateTime) -> Option<Offset> {
    let utc = Offset::UTC.to_datetime(at.timestamp());
    let ahead = local.duration_since(utc);
    let minutes = (ahead.as_secs() + if ahead.is_negative() { -30 } else { 30 }) / 60;
    let sound = ahead.abs() <= FARTHEST && minutes % 15 == 0;
    sound.then(|| Offset::from_seconds(i32::try_from(minutes * 60).ok()?).ok()).flatten()
}
