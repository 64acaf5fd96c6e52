//! Orders. A shop always sends the whole of it, refunds included; of a refund the order says all but its date.

use std::collections::BTreeMap;

use canonical::fact::{Cancellation, CheckoutSnapshot, OrderDetail, OrderSnapshot, Refund, RefundPolicy};
use canonical::money::Decimal;
use canonical::{Currency, Fact, Instant, Money, Person};
use platform::lenient::{self, Dropped, Field, Object, Objects};
use platform::reading::{Reader, Reading, Silence};
use platform::{Connection, Fetched};
use serde_json::Value;

use crate::access::Access;
use crate::consent::{self, Times};
use crate::line::{self, Pricing};
use crate::meta::Meta;
use crate::payload::{self, CouponLine, FeeLine};
use crate::person::{self, Contact};
use crate::record;

/// What order attribution writes, and what it is called on events.
/// Source: <https://woocommerce.com/document/order-attribution-tracking/>.
const ATTRIBUTION: &[(&str, &str)] = &[
    ("_wc_order_attribution_source_type", "Source Type"),
    ("_wc_order_attribution_referrer", "Referrer"),
    ("_wc_order_attribution_utm_source", "UTM Source"),
    ("_wc_order_attribution_utm_medium", "UTM Medium"),
    ("_wc_order_attribution_utm_campaign", "UTM Campaign"),
    ("_wc_order_attribution_utm_content", "UTM Content"),
    ("_wc_order_attribution_utm_term", "UTM Term"),
    ("_wc_order_attribution_utm_id", "UTM ID"),
    ("_wc_order_attribution_device_type", "Device Type"),
];
/// Where WooCommerce Subscriptions writes which subscription an order renews.
const RENEWAL: &str = "_subscription_renewal";

/// When what happened to an order.
struct Dates {
    created: Option<Instant>,
    modified: Option<Instant>,
    paid: Option<Instant>,
    completed: Option<Instant>,
}

/// An order, or a checkout that is not one yet.
pub(crate) fn order(reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    let mut order: payload::Order = lenient::object(&reader.delivery.body)?;
    let order_id = record::identity(reader, std::mem::take(&mut order.id), &order.code)?;
    let status = reader.dropped.take("status", std::mem::take(&mut order.status));
    // The database writes `wc-` in front.
    let status = status.map(|status| status.strip_prefix("wc-").unwrap_or(&status).to_ascii_lowercase());
    let status = status.as_deref().unwrap_or_default();
    match status {
        // An order that somebody has begun to write in the shop's administration.
        "auto-draft" | "draft" | "new" => Err(Silence::Ignore("draft_order")),
        "checkout-draft" => Ok(vec![checkout(reader, order_id, order)]),
        _ => placed_or_not(reader, order_id, status, order, fetched),
    }
}

fn placed_or_not(
    reader: &mut Reader<'_>,
    order_id: String,
    status: &str,
    order: payload::Order,
    fetched: &[Fetched],
) -> Reading {
    let refunds = reader.dropped.list("refunds", order.refunds);
    let refunded_at = refund_dates(reader, &order_id, !refunds.is_empty(), fetched)?;
    let (shop, received_at, connection) = (record::shop(reader), reader.received_at(), reader.connection);
    let dropped = &mut reader.dropped;

    let dates = Dates {
        created: record::time(dropped, "date_created_gmt", order.date_created_gmt),
        modified: record::time(dropped, "date_modified_gmt", order.date_modified_gmt),
        paid: record::time(dropped, "date_paid_gmt", order.date_paid_gmt),
        completed: record::time(dropped, "date_completed_gmt", order.date_completed_gmt),
    };
    let changed_at = dates.modified.or(dates.created).unwrap_or(received_at);
    let placed_at = is_placed(status, &dates, connection)
        .then(|| dates.created.or(dates.paid).or(dates.modified).unwrap_or(received_at));

    let [billing, shipping] = person::contacts(dropped, order.billing, order.shipping);
    let person = buyer(dropped, order.customer_id, billing.as_ref(), shipping.as_ref());
    let currency = dropped.take("currency", order.currency);
    let total = dropped.take("total", order.total);
    let pricing = pricing(dropped, total, order.prices_include_tax);
    let refunds: Vec<Refund> = refunds
        .into_iter()
        .filter_map(|Object(refund)| self::refund(dropped, refund, currency, &refunded_at, changed_at))
        .collect();

    let meta = Meta::take(dropped, order.meta_data);
    let created_via = dropped.take("created_via", order.created_via);
    let renews = meta.get(RENEWAL);
    let renewal = renews.is_some() || created_via.as_deref() == Some("subscription");
    let mut extra: BTreeMap<String, Value> = ATTRIBUTION
        .iter()
        .filter_map(|(key, name)| Some(((*name).to_owned(), meta.get(key)?.into())))
        .collect();
    if renewal {
        extra.insert("Subscription Renewal".to_owned(), true.into());
        extra.extend(renews.map(|id| ("Subscription ID".to_owned(), id.into())));
    }
    let payment = dropped.take("payment_method_title", order.payment_method_title);
    extra.extend(payment.map(|title| ("Payment Method".to_owned(), title.into())));

    // A renewal has the meta data of the order that began the subscription: nobody has decided anew.
    let decided_at = placed_at.filter(|_| !renewal);
    let times = Times { yes: decided_at, no: decided_at };
    let decisions = consent::decisions(connection, &meta, &person, times, "checkout");

    let fulfilled_at = dates.completed.or_else(|| (status == "completed").then_some(changed_at));
    let fully_refunded = status == "refunded" || covers(&refunds, total);
    let number = dropped.take("number", order.number);
    let detail = OrderDetail {
        number: number.or_else(|| Some(order_id.clone())),
        total: total.map(|amount| Money { amount, currency }),
        total_discounts: discounts(
            dropped,
            pricing,
            order.discount_total,
            order.discount_tax,
            order.fee_lines,
        ),
        discount_codes: discount_codes(dropped, order.coupon_lines),
        lines: line::lines(dropped, pricing, order.line_items),
        billing_address: billing.and_then(Contact::into_property),
        shipping_address: shipping.and_then(Contact::into_property),
        source_name: created_via,
        shop,
        extra,
        ..OrderDetail::default()
    };
    let snapshot = OrderSnapshot {
        order_id,
        person,
        updated_at: dates.modified.or(dates.created),
        placed_at,
        detail: Some(detail),
        cancelled: (status == "cancelled").then_some(Cancellation { at: changed_at, reason: None }),
        fulfilled_at,
        shipments: Vec::new(),
        refunds,
        fully_refunded,
        refund_policy: connection.refund_policy(RefundPolicy::Each),
        backfill: false,
    };
    Ok(std::iter::once(Fact::Order(snapshot)).chain(decisions).collect())
}

/// The block checkout writes an order as soon as somebody enters it.
fn checkout(reader: &mut Reader<'_>, checkout_id: String, order: payload::Order) -> Fact {
    let dropped = &mut reader.dropped;
    let [billing, shipping] = person::contacts(dropped, order.billing, order.shipping);
    let person = buyer(dropped, order.customer_id, billing.as_ref(), shipping.as_ref());
    let currency = dropped.take("currency", order.currency);
    let total = dropped.take("total", order.total);
    let pricing = pricing(dropped, total, order.prices_include_tax);
    Fact::Checkout(CheckoutSnapshot {
        checkout_id,
        cart_id: None,
        person,
        started_at: record::time(dropped, "date_created_gmt", order.date_created_gmt),
        updated_at: record::time(dropped, "date_modified_gmt", order.date_modified_gmt),
        completed: false,
        checkout_url: dropped.take("payment_url", order.payment_url),
        total: total.map(|amount| Money { amount, currency }),
        discount_codes: discount_codes(dropped, order.coupon_lines),
        lines: line::lines(dropped, pricing, order.line_items),
        backfill: false,
    })
}

/// Whether an order has been placed. The shop's own reports count every status but these three and `cancelled`;
/// what was paid or completed and then cancelled had been placed, and so had what is in a plugin's status.
fn is_placed(status: &str, dates: &Dates, connection: &Connection) -> bool {
    match status {
        "processing" | "on-hold" | "completed" | "refunded" => true,
        "" | "pending" | "failed" | "checkout-draft" => false,
        _ => dates.paid.or(dates.completed).is_some() || is_named(connection, status),
    }
}

/// Whether the connection's settings name a status as one that means placed.
fn is_named(connection: &Connection, status: &str) -> bool {
    let named = connection.settings.get("placed_statuses").and_then(Value::as_array);
    named.into_iter().flatten().filter_map(Value::as_str).any(|named| named.eq_ignore_ascii_case(status))
}

fn buyer(
    dropped: &mut Dropped,
    customer_id: Field<lenient::Id>,
    billing: Option<&Contact>,
    shipping: Option<&Contact>,
) -> Person {
    // 0 is a guest.
    let customer_id = record::id(dropped, "customer_id", customer_id);
    let mut person = Person { customer_id, ..Person::default() };
    person::complete(&mut person, billing, shipping);
    person
}

fn pricing(dropped: &mut Dropped, total: Option<Decimal>, include_tax: Field<bool>) -> Pricing {
    Pricing {
        include_tax: dropped.take("prices_include_tax", include_tax).unwrap_or_default(),
        decimals: total.map_or(2, |total| total.scale()),
    }
}

/// What coupons took off, and what was taken off by hand as a negative fee.
fn discounts(
    dropped: &mut Dropped,
    pricing: Pricing,
    net: Field<Decimal>,
    tax: Field<Decimal>,
    fees: Objects<FeeLine>,
) -> Option<Decimal> {
    let net = dropped.take("discount_total", net);
    let coupons = pricing.amount(net, dropped.take("discount_tax", tax));
    let mut negative = Vec::new();
    for Object(fee) in dropped.list("fee_lines", fees) {
        let net = dropped.take("fee_lines.total", fee.total);
        let amount = pricing.amount(net, dropped.take("fee_lines.total_tax", fee.total_tax));
        negative.extend(amount.filter(|amount| *amount < Decimal::ZERO));
    }
    coupons
        .into_iter()
        .chain(negative.into_iter().map(|fee| -fee))
        .try_fold(None, |sum, amount| Some(Some(sum.unwrap_or(Decimal::ZERO).checked_add(amount)?)))?
}

fn discount_codes(dropped: &mut Dropped, coupons: Objects<CouponLine>) -> Vec<String> {
    let coupons = dropped.list("coupon_lines", coupons);
    coupons.into_iter().filter_map(|Object(coupon)| dropped.take("coupon_lines.code", coupon.code)).collect()
}

/// When each refund was made, by its id. The order does not say; the list of its refunds does, and is asked for
/// where that is allowed.
fn refund_dates(
    reader: &mut Reader<'_>,
    order_id: &str,
    any: bool,
    fetched: &[Fetched],
) -> Result<BTreeMap<String, Instant>, Silence> {
    let access = Access::of(reader.connection).filter(|_| any && fetched.is_empty());
    if let Some(request) = access.and_then(|access| access.below("orders", order_id, "refunds")) {
        return Err(Silence::Fetch(vec![request]));
    }
    let dropped = &mut reader.dropped;
    let refunds: Vec<payload::Refund> = record::list(dropped, "refunds", fetched.first().filter(|_| any));
    let dated = refunds.into_iter().filter_map(|refund| {
        let id = record::id(dropped, "refunds.id", refund.id)?;
        Some((id, record::time(dropped, "refunds.date_created_gmt", refund.date_created_gmt)?))
    });
    Ok(dated.collect())
}

/// A refund. Its total is below zero. `None` without an id, which is noted.
fn refund(
    dropped: &mut Dropped,
    refund: payload::Refund,
    currency: Option<Currency>,
    dates: &BTreeMap<String, Instant>,
    changed_at: Instant,
) -> Option<Refund> {
    let Some(refund_id) = record::id(dropped, "refunds.id", refund.id) else {
        dropped.note("refunds.id");
        return None;
    };
    let amount = dropped.take("refunds.total", refund.total).map(|total| total.abs());
    Some(Refund {
        at: dates.get(&refund_id).copied().unwrap_or(changed_at),
        refund_id,
        // A refund of nothing is a mere restock.
        amount: amount.filter(|amount| !amount.is_zero()).map(|amount| Money { amount, currency }),
        reason: dropped.take("refunds.reason", refund.reason),
    })
}

/// Whether refunds pay back a whole order.
fn covers(refunds: &[Refund], total: Option<Decimal>) -> bool {
    let paid = refunds.iter().filter_map(|refund| refund.amount);
    let paid = paid.map(|money| money.amount).try_fold(Decimal::ZERO, Decimal::checked_add);
    matches!((paid, total), (Some(paid), Some(total)) if total > Decimal::ZERO && paid >= total)
}
