//! Orders.

use canonical::fact::{
    Cancellation, Channel, CheckoutSnapshot, ConsentChange, ConsentStatus, Line, OrderDetail, OrderSnapshot,
    Refund, RefundPolicy, Shipment,
};
use canonical::{Currency, Fact, Instant, Money};
use platform::address::Address;
use platform::lenient::{Dropped, Field, Id, Object, Objects};
use platform::reading::{Reader, Reading};

use crate::line;
use crate::payload::{AppliedDiscount, Entity, Fulfillment, Payment, time};
use crate::person::{Taken, buyer, contact};

/// A whole order.
pub(crate) fn order(reader: &mut Reader<'_>, order: Entity) -> Reading {
    let order_id = reader.identity("id", order.id)?;
    let connection = reader.connection;
    let received_at = reader.received_at();
    let currency = connection.currency("currency");
    let dropped = &mut reader.dropped;
    let Taken { address: placed_by, email, opted_in } = contact(dropped, "placedBy", order.placed_by);
    let Taken { address: deliver_to, .. } = contact(dropped, "deliverTo", order.deliver_to);
    let person = buyer(dropped, order.customer_id, email, placed_by.as_ref(), deliver_to.as_ref());

    let Object(cart) = dropped.take("cart", order.cart).unwrap_or_default();
    let lines = line::lines(dropped, cart.items);
    let total = dropped.take("grandTotal", order.grand_total);
    let total = total.or_else(|| dropped.take("cart.grandTotal", cart.grand_total));
    let total = total.map(|amount| Money { amount, currency });
    let created_at = time(dropped, "createdOn", order.created_on);
    let updated_at = time(dropped, "updatedOn", order.updated_on);
    let changed_at = updated_at.unwrap_or(received_at);
    // There is no state before "placed": what is seen is placed.
    let placed_at = created_at.unwrap_or(received_at);
    let backfill = dropped.take("isImport", order.is_import).unwrap_or_default();

    let shipments = shipments(dropped, order.fulfillment_lifecycle, &lines, changed_at);
    let shipped = dropped.take("shipped", order.shipped).unwrap_or_default();
    let complete = shipped && order.status.is("complete");
    let fulfilled_at =
        complete.then(|| shipments.iter().map(|shipment| shipment.at).max().unwrap_or(changed_at));
    let is_canceled = dropped.take("isCanceled", order.is_canceled).unwrap_or_default();
    let cancelled = is_canceled || order.status.is("cancelled") || order.status.is("canceled");
    let fully_refunded = dropped.take("isRefunded", order.is_refunded).unwrap_or_default();
    let mut refunds = refunds(dropped, order.payment_lifecycle, order.stripe_refunds, currency, changed_at);
    if fully_refunded && refunds.iter().all(|refund| refund.amount.is_none()) {
        // Everything was paid back, and how much is not said: it was the total.
        let by_itself =
            || Refund { refund_id: format!("{order_id}:full"), at: changed_at, amount: None, reason: None };
        let last = refunds.pop().unwrap_or_else(by_itself);
        refunds.push(Refund { amount: total, ..last });
    }
    let detail = OrderDetail {
        number: dropped.take("orderNumber", order.order_number),
        total,
        total_discounts: dropped.take("cart.discountAmount", cart.discount_amount),
        discount_codes: discount_codes(dropped, cart.discounts),
        lines,
        billing_address: placed_by.map(Address::into_property),
        shipping_address: deliver_to.map(Address::into_property),
        shop_id: dropped.take("tenant", order.tenant).map(|Id(id)| id),
        ..OrderDetail::default()
    };
    let order = OrderSnapshot {
        order_id,
        person: person.clone(),
        updated_at,
        placed_at: Some(placed_at),
        detail: Some(detail),
        cancelled: cancelled.then_some(Cancellation { at: changed_at, reason: None }),
        fulfilled_at,
        shipments,
        refunds,
        fully_refunded,
        refund_policy: connection.refund_policy(RefundPolicy::Each),
        backfill,
    };
    let mut facts = vec![Fact::Order(order)];
    if let Some(Id(cart_id)) = dropped.take("cart.id", cart.id) {
        // Whose the cart was, for what was told of it before.
        facts.push(Fact::Checkout(CheckoutSnapshot {
            checkout_id: cart_id.clone(),
            cart_id: Some(cart_id),
            person: person.clone(),
            updated_at,
            completed: true,
            checkout_url: dropped.take("cart.checkoutUrl", cart.checkout_url),
            backfill,
            ..CheckoutSnapshot::default()
        }));
    }
    if opted_in && !backfill && connection.flag("email_opt_in_is_consent", false) && person.email.is_some() {
        facts.push(Fact::Consent(ConsentChange {
            person,
            channel: Channel::Email,
            status: ConsentStatus::Subscribed,
            at: placed_at,
            method: "checkout".to_owned(),
            double_opt_in: false,
        }));
    }
    Ok(facts)
}

/// Parcels that left: each entry of the fulfilment's history is one.
fn shipments(
    dropped: &mut Dropped,
    entries: Objects<Fulfillment>,
    ordered: &[Line],
    changed_at: Instant,
) -> Vec<Shipment> {
    let entries = dropped.list("fulfillmentLifecycle", entries);
    let sent = entries.into_iter().filter(|Object(entry)| is_sent(&entry.event_type));
    sent.filter_map(|Object(entry)| shipment(dropped, entry, ordered, changed_at)).collect()
}

/// `PartiallyFulfilled`, `Fulfilled`, `Shipped`, …, but not `Unfulfilled`.
fn is_sent(event_type: &Field<String>) -> bool {
    let Field::Is(event_type) = event_type else { return false };
    let event_type = event_type.to_ascii_lowercase();
    !event_type.starts_with("un") && ["fulfilled", "shipped"].iter().any(|end| event_type.ends_with(end))
}

fn shipment(
    dropped: &mut Dropped,
    entry: Fulfillment,
    ordered: &[Line],
    changed_at: Instant,
) -> Option<Shipment> {
    let Some(Id(shipment_id)) = dropped.take("fulfillmentLifecycle.id", entry.id) else {
        dropped.note("fulfillmentLifecycle.id");
        return None;
    };
    let at = time(dropped, "fulfillmentLifecycle.createdOn", entry.created_on);
    let mut company = None;
    let mut tracking_numbers = Vec::new();
    let name = "fulfillmentLifecycle.trackingInformation";
    for Object(tracking) in dropped.list(name, entry.tracking_information) {
        company = company.or_else(|| dropped.take(name, tracking.carrier));
        tracking_numbers.extend(dropped.take(name, tracking.number));
    }
    Some(Shipment {
        shipment_id,
        at: at.unwrap_or(changed_at),
        company,
        tracking_numbers,
        lines: line::parts(dropped, entry.products, ordered),
    })
}

/// Refunds of the payments' history; Stripe's own list counts only where that history knows none, for it tells of the
/// same ones.
fn refunds(
    dropped: &mut Dropped,
    payments: Objects<Payment>,
    stripe: Objects<Payment>,
    currency: Option<Currency>,
    changed_at: Instant,
) -> Vec<Refund> {
    let payments = dropped.list("paymentLifecycle", payments);
    let mut entries: Vec<_> = payments
        .into_iter()
        .filter(|Object(entry)| entry.event_type.is("refund") || entry.event_type.is("refunded"))
        .map(|entry| ("paymentLifecycle.id", entry))
        .collect();
    let stripe = dropped.list("stripeRefunds", stripe);
    if entries.is_empty() {
        entries.extend(stripe.into_iter().map(|entry| ("stripeRefunds.id", entry)));
    }
    entries
        .into_iter()
        .filter_map(|(name, Object(entry))| refund(dropped, name, entry, currency, changed_at))
        .collect()
}

fn refund(
    dropped: &mut Dropped,
    name: &'static str,
    entry: Payment,
    currency: Option<Currency>,
    changed_at: Instant,
) -> Option<Refund> {
    // Stripe's id first: it is the same in both lists.
    let id = dropped.take(name, entry.stripe_refund_id).or_else(|| dropped.take(name, entry.id));
    let Some(Id(refund_id)) = id else {
        dropped.note(name);
        return None;
    };
    let amount = dropped.take("refundAmount", entry.refund_amount);
    Some(Refund {
        refund_id,
        at: time(dropped, "paymentLifecycle.createdOn", entry.created_on).unwrap_or(changed_at),
        amount: amount.map(|amount| Money { amount, currency }),
        reason: dropped.take("paymentLifecycle.note", entry.note),
    })
}

/// Codes that were entered; a discount without one was automatic.
fn discount_codes(dropped: &mut Dropped, discounts: Objects<AppliedDiscount>) -> Vec<String> {
    let name = "cart.discounts";
    let mut codes = Vec::new();
    for Object(applied) in dropped.list(name, discounts) {
        let discount = dropped.take(name, applied.discount);
        let criteria = discount.and_then(|Object(discount)| dropped.take(name, discount.criteria));
        codes.extend(criteria.and_then(|Object(criteria)| dropped.take(name, criteria.coupon_code)));
    }
    codes
}
