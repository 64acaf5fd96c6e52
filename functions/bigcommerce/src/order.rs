//! Orders with all that belongs to them. Whatever a delivery is about, the whole order is asked for: what happened
//! is what the order says now.

use canonical::fact::{
    Cancellation, CheckoutSnapshot, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment,
};
use canonical::money::{Decimal, decimal_to_json};
use canonical::{Currency, Fact, Instant, Money, Person};
use platform::address::{Address, lend, set};
use platform::lenient::{Dropped, Field, Id, Moment, Object, Objects};
use platform::reading::{Reading, Silence};
use serde_json::Value;

use crate::api::{self, Listing, Session, is_number};
use crate::status::Status;
use crate::{customer, line, payload, person};

/// Why the order is asked for.
pub(crate) struct Occasion {
    pub(crate) order_id: String,
    /// The status that it left, if that is said.
    pub(crate) previous: Option<Status>,
    /// A parcel or a refund of it is what the delivery is about.
    pub(crate) about: About,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Order,
    Shipment,
    Refund,
}

/// An order as it is now.
pub(crate) fn order(session: &mut Session<'_>, occasion: &Occasion) -> Reading {
    let path = format!("v2/orders/{}", occasion.order_id);
    let request = session.api.get(&path);
    let order: Option<payload::Order> = api::object(session.ask_for(request)?)?;
    let order = order.ok_or(Silence::Ignore("order_gone"))?;
    let order_id = session.reader.identity("id", order.id)?;
    let number = session.reader.dropped.take("status_id", order.status_id);
    let status = number.as_ref().and_then(Status::parse).ok_or(Silence::Ignore("order_status_unknown"))?;
    // Turned down after it was placed, which only the delivery can know: a cancellation.
    let withdrawn = status == Status::Declined && occasion.previous.is_some_and(Status::is_placed);
    match status {
        Status::Incomplete => return Err(Silence::Ignore("order_incomplete")),
        Status::Declined if !withdrawn => return Err(Silence::Ignore("order_declined")),
        _ => {}
    }

    let dropped = &mut session.reader.dropped;
    let customer_id = person::id(dropped, "customer_id", order.customer_id);
    let (billing, email) = billing(dropped, order.billing_address);
    let refunded = dropped.take("refunded_amount", order.refunded_amount);
    let items_shipped = dropped.take("items_shipped", order.items_shipped);
    let nothing_refunded = refunded == Some(Decimal::ZERO)
        && !matches!(status, Status::Refunded | Status::PartlyRefunded)
        && occasion.about != About::Refund;
    let nothing_shipped = items_shipped == Some(Decimal::ZERO)
        && status != Status::Fulfilled
        && occasion.about != About::Shipment;
    let unnamed = customer_id.as_deref().filter(|id| email.is_none() && is_number(id));

    let [products, coupons, addresses, shipments, refunds, customer] = session.listings(&[
        Listing::Pages(format!("{path}/products")),
        Listing::Pages(format!("{path}/coupons")),
        Listing::Pages(format!("{path}/shipping_addresses")),
        if nothing_shipped { Listing::Skipped } else { Listing::Pages(format!("{path}/shipments")) },
        if nothing_refunded {
            Listing::Skipped
        } else {
            Listing::Whole(format!("v3/orders/{}/payment_actions/refunds", occasion.order_id))
        },
        unnamed.map_or(Listing::Skipped, |id| Listing::Whole(customer::path(id))),
    ])?;

    let received_at = session.reader.received_at();
    let dropped = &mut session.reader.dropped;
    let email = match unnamed {
        Some(id) => customer::email(dropped, id, customer.first().copied())?,
        None => email,
    };
    let shipping = shipping(dropped, api::list(&addresses)?);
    let mut person = Person { customer_id, email, ..Person::default() };
    lend(&mut person, billing.as_ref(), shipping.as_ref());
    set(&mut person.attributes, "locale", dropped.take("customer_locale", order.customer_locale));

    let currency = dropped.take("default_currency_code", order.default_currency_code);
    let date_created = instant(dropped, "date_created", order.date_created);
    let date_modified = instant(dropped, "date_modified", order.date_modified);
    let date_shipped = instant(dropped, "date_shipped", order.date_shipped);
    let last_changed = date_modified.unwrap_or(received_at);
    let lines = line::of_order(dropped, api::list(&products)?);
    let shipments = self::shipments(dropped, api::list(&shipments)?, &lines, last_changed);
    let refunds = self::refunds(dropped, api::entities(refunds.first().copied())?, currency, last_changed);
    let fulfilled_at = (status == Status::Fulfilled).then(|| {
        date_shipped.or_else(|| shipments.iter().map(|shipment| shipment.at).max()).unwrap_or(last_changed)
    });
    let cancelled = withdrawn || status == Status::Cancelled;

    let display = dropped.take("currency_code", order.currency_code).filter(|code| Some(*code) != currency);
    let rate = dropped.take("currency_exchange_rate", order.currency_exchange_rate);
    let mut positive = |name, amount| dropped.take(name, amount).filter(|amount| *amount > Decimal::ZERO);
    let store_credit = positive("store_credit_amount", order.store_credit_amount);
    let certificates = positive("gift_certificate_amount", order.gift_certificate_amount);
    let discount = dropped.take("discount_amount", order.discount_amount);
    let coupon_discount = dropped.take("coupon_discount", order.coupon_discount);
    let channel = dropped.take("channel_id", order.channel_id).map(|Id(id)| id);
    let text = |text: Option<String>| text.map(Value::String);
    let extra = [
        ("Display Currency", display.map(|code| code.as_str().into())),
        ("Display Exchange Rate", display.and(rate).map(decimal_to_json)),
        ("Store Credit Amount", store_credit.map(decimal_to_json)),
        ("Gift Certificate Amount", certificates.map(decimal_to_json)),
        ("Payment Method", text(dropped.take("payment_method", order.payment_method))),
        ("External Source", text(dropped.take("external_source", order.external_source))),
        ("Channel ID", text(channel)),
    ];
    let detail = OrderDetail {
        number: Some(order_id.clone()),
        total: dropped.take("total_inc_tax", order.total_inc_tax).map(|amount| Money { amount, currency }),
        total_discounts: sum(discount, coupon_discount),
        discount_codes: codes(dropped, api::list(&coupons)?),
        lines,
        billing_address: billing.map(Address::into_property),
        shipping_address: shipping.map(Address::into_property),
        source_name: dropped.take("order_source", order.order_source),
        shop_id: session.reader.connection.text("store_hash").map(str::to_owned),
        extra: extra.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
        ..OrderDetail::default()
    };
    let cart_id = session.reader.dropped.take("cart_id", order.cart_id);
    // The cart that it was made of was filled by the same person.
    let checkout = cart_id.map(|Id(cart_id)| {
        Fact::Checkout(CheckoutSnapshot {
            checkout_id: cart_id.clone(),
            cart_id: Some(cart_id),
            person: person.clone(),
            updated_at: date_modified,
            completed: true,
            ..CheckoutSnapshot::default()
        })
    });
    let order = Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at: date_modified,
        placed_at: date_created.filter(|_| status.is_placed()),
        detail: Some(detail),
        cancelled: cancelled.then_some(Cancellation { at: last_changed, reason: None }),
        fulfilled_at,
        shipments,
        refunds,
        fully_refunded: status == Status::Refunded,
        refund_policy: RefundPolicy::Each,
        backfill: false,
    });
    Ok(std::iter::once(order).chain(checkout).collect())
}

fn billing(
    dropped: &mut Dropped,
    address: Field<Object<payload::Address>>,
) -> (Option<Address>, Option<String>) {
    let Some(Object(mut address)) = dropped.take("billing_address", address) else { return (None, None) };
    let email = dropped.take("billing_address.email", std::mem::take(&mut address.email));
    (Some(person::address(dropped, "billing_address", address)), email)
}

/// The first of possibly several addresses.
fn shipping(dropped: &mut Dropped, addresses: Objects<payload::Address>) -> Option<Address> {
    let Object(address) = dropped.list("shipping_addresses", addresses).into_iter().next()?;
    Some(person::address(dropped, "shipping_addresses", address))
}

fn codes(dropped: &mut Dropped, coupons: Objects<payload::Coupon>) -> Vec<String> {
    let coupons = dropped.list("coupons", coupons);
    coupons.into_iter().filter_map(|Object(coupon)| dropped.take("coupons.code", coupon.code)).collect()
}

fn shipments(
    dropped: &mut Dropped,
    shipments: Objects<payload::Shipment>,
    ordered: &[canonical::fact::Line],
    last_changed: Instant,
) -> Vec<Shipment> {
    let shipments = dropped.list("shipments", shipments);
    let shipments = shipments.into_iter().filter_map(|Object(shipment)| {
        let Some(Id(shipment_id)) = dropped.take("shipments.id", shipment.id) else {
            dropped.note("shipments.id");
            return None;
        };
        let mut text = |field| dropped.take::<String>("shipments.tracking", field);
        let [shown, carrier, provider] = [
            text(shipment.shipping_provider_display_name),
            text(shipment.tracking_carrier),
            text(shipment.shipping_provider),
        ];
        Some(Shipment {
            shipment_id,
            company: shown.or(carrier).or(provider),
            tracking_numbers: text(shipment.tracking_number).into_iter().collect(),
            at: instant(dropped, "shipments.date_created", shipment.date_created).unwrap_or(last_changed),
            lines: line::of_shipment(dropped, shipment.items, ordered),
        })
    });
    shipments.collect()
}

fn refunds(
    dropped: &mut Dropped,
    refunds: Objects<payload::Refund>,
    currency: Option<Currency>,
    last_changed: Instant,
) -> Vec<Refund> {
    let refunds = dropped.list("refunds", refunds);
    let refunds = refunds
        .into_iter()
        .filter_map(|Object(refund)| self::refund(dropped, refund, currency, last_changed));
    refunds.collect()
}

fn refund(
    dropped: &mut Dropped,
    refund: payload::Refund,
    currency: Option<Currency>,
    last_changed: Instant,
) -> Option<Refund> {
    let Some(Id(refund_id)) = dropped.take("refunds.id", refund.id) else {
        dropped.note("refunds.id");
        return None;
    };
    let total = dropped.take("refunds.total_amount", refund.total_amount);
    // What a payment provider declined to pay back was not paid back.
    let mut declined = Decimal::ZERO;
    for Object(payment) in dropped.list("refunds.payments", refund.payments) {
        if dropped.take("refunds.payments", payment.is_declined) == Some(true) {
            let amount = dropped.take("refunds.payments", payment.amount).unwrap_or_default();
            declined = declined.saturating_add(amount);
        }
    }
    let paid = total.and_then(|total| total.checked_sub(declined)).filter(|paid| *paid > Decimal::ZERO);
    Some(Refund {
        refund_id,
        at: instant(dropped, "refunds.created", refund.created).unwrap_or(last_changed),
        amount: paid.map(|amount| Money { amount, currency }),
        reason: dropped.take("refunds.reason", refund.reason),
    })
}

/// Both APIs write their times with an offset, or mean UTC.
pub(crate) fn instant(dropped: &mut Dropped, name: &'static str, field: Field<Moment>) -> Option<Instant> {
    dropped.take(name, field)?.in_utc()
}

fn sum(one: Option<Decimal>, other: Option<Decimal>) -> Option<Decimal> {
    match (one, other) {
        (Some(one), Some(other)) => one.checked_add(other),
        (one, other) => one.or(other),
    }
}
