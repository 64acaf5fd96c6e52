//! Orders, and what other events need to know about theirs.

use canonical::fact::{Cancellation, OrderDetail, OrderSnapshot, RefundPolicy};
use canonical::{Fact, Instant, Money};
use platform::address::Address;
use platform::lenient::{self, Object, Objects};
use platform::reading::{Reading, Silence};

use crate::person::{self, Buyer};
use crate::reader::{Reader, held};
use crate::{api, fulfillment, line, payload, refund};

/// A whole order. One that was paid back is not told how: its refunds are asked for.
pub(crate) fn order(reader: &mut Reader<'_>) -> Reading {
    let order: payload::Order = reader.entity(|holder| holder.order)?;
    Ok(vec![Fact::Order(with_refunds(reader, order)?)])
}

fn with_refunds(reader: &mut Reader<'_>, order: payload::Order) -> Result<OrderSnapshot, Silence> {
    let paid_back =
        order.payment_status.is("FULLY_REFUNDED") || order.payment_status.is("PARTIALLY_REFUNDED");
    let mut order = snapshot(reader, order)?;
    if paid_back && let Some(id) = api::segment(&order.order_id) {
        let answers = reader.api.get(&[transactions_path(id)])?;
        if let Some(transactions) = answers.first().and_then(api::found) {
            refund::add(reader, &mut order, transactions)?;
        }
    }
    Ok(order)
}

/// An order that was asked for, with what was asked for with its page.
pub(crate) fn polled(reader: &mut Reader<'_>) -> Reading {
    let content = reader.event.content.clone().unwrap_or_default();
    let joined: payload::Holder = lenient::object(content.as_bytes())?;
    let order: payload::Order = reader.entity(|holder| holder.order)?;
    let mut order = match joined.order_transactions.ok() {
        None => with_refunds(reader, order)?,
        Some(payload::Json(transactions)) => {
            let mut order = snapshot(reader, order)?;
            refund::add(reader, &mut order, transactions.as_bytes())?;
            order
        }
    };
    if let Some(payload::Json(fulfillments)) = joined.order_with_fulfillments.ok() {
        fulfillment::add(reader, &mut order, fulfillments.as_bytes())?;
    }
    Ok(vec![Fact::Order(order)])
}

/// An event of the Stores Orders API, which Wix has switched off for new apps. Its ids of lines, parcels and
/// refunds are not those of today, so nothing of it is kept: the order is read as it is now.
pub(crate) fn legacy(reader: &mut Reader<'_>) -> Reading {
    let event: payload::Owned = lenient::object(reader.event.data.as_bytes())?;
    let order: payload::Owned = held(reader.event.data.as_bytes(), |holder| holder.order)?;
    let named = [event.order_id, order.id].into_iter().find_map(lenient::Field::ok);
    let order_id = named.ok_or_else(|| Silence::Malformed("no usable orderId".to_owned()))?.0;
    let id = api::segment(&order_id).ok_or(Silence::Ignore("deprecated_order_event"))?;
    let answers = reader.api.get(&[path(id), transactions_path(id)])?;
    // Without credentials, or if today's API does not know the id.
    let found = answers.first().and_then(api::found).ok_or(Silence::Ignore("deprecated_order_event"))?;
    let mut order = snapshot(reader, held(found, |holder| holder.order)?)?;
    if let Some(transactions) = answers.get(1).and_then(api::found) {
        refund::add(reader, &mut order, transactions)?;
    }
    Ok(vec![Fact::Order(order)])
}

/// The order that an event names: all of it if it can be asked for, else its id alone.
pub(crate) fn named(reader: &mut Reader<'_>, order_id: &str) -> Result<OrderSnapshot, Silence> {
    let thin = OrderSnapshot {
        order_id: order_id.to_owned(),
        refund_policy: reader.connection.refund_policy(RefundPolicy::Each),
        ..OrderSnapshot::default()
    };
    let Some(id) = api::segment(order_id) else { return Ok(thin) };
    let answers = reader.api.get(&[path(id)])?;
    let Some(found) = answers.first().and_then(api::found) else { return Ok(thin) };
    let order = snapshot(reader, held(found, |holder| holder.order)?)?;
    Ok(if order.order_id == order_id { order } else { thin })
}

fn path(id: &str) -> String {
    format!("/ecom/v1/orders/{id}")
}

fn transactions_path(id: &str) -> String {
    format!("/ecom/v1/payments/orders/{id}")
}

fn snapshot(reader: &mut Reader<'_>, order: payload::Order) -> Result<OrderSnapshot, Silence> {
    let order_id = reader.identity("id", order.id)?;
    let billing = person::recipient(&mut reader.dropped, "billingInfo", order.billing_info);
    let shipping = {
        let shipping = reader.dropped.take("shippingInfo", order.shipping_info);
        let logistics =
            shipping.and_then(|Object(shipping)| reader.dropped.take("logistics", shipping.logistics));
        let destination = logistics.map(|Object(logistics)| logistics.shipping_destination);
        let destination = destination.unwrap_or_default();
        person::recipient(&mut reader.dropped, "shippingDestination", destination)
            .or_else(|| person::recipient(&mut reader.dropped, "recipientInfo", order.recipient_info))
    };
    let buyer = Buyer {
        info: order.buyer_info,
        language: order.buyer_language,
        billing: billing.as_ref(),
        shipping: shipping.as_ref(),
    };
    let person = buyer.person(&mut reader.dropped);
    let tax_included = reader.dropped.take("taxIncludedInPrices", order.tax_included_in_prices);
    let lines = line::lines(reader, order.line_items, tax_included.unwrap_or_default());

    let summary = reader.dropped.take("priceSummary", order.price_summary);
    let summary = summary.map(|Object(summary)| summary).unwrap_or_default();
    let total = reader.amount("priceSummary.total", summary.total);
    let total = total.or_else(|| reader.amount("priceSummary.totalPrice", summary.total_price));
    let total_discounts = reader.amount("priceSummary.discount", summary.discount);
    let currency = reader.dropped.take("currency", order.currency);

    let created_at = reader.time("createdDate", order.created_date);
    // Of an order that was brought in from elsewhere: when it was really bought.
    let purchased_at = reader.time("purchasedDate", order.purchased_date);
    let updated_at = reader.time("updatedDate", order.updated_date).or(reader.event.time);
    let activities = activities(reader, order.activities);
    let first = |kind: &str| {
        let times = activities.iter().filter(|(name, _)| name.eq_ignore_ascii_case(kind));
        times.map(|(_, at)| *at).min().or(updated_at)
    };
    let detail = OrderDetail {
        number: reader.dropped.take("number", order.number),
        total: total.map(|amount| Money { amount, currency }),
        total_discounts,
        discount_codes: line::discount_codes(&mut reader.dropped, order.applied_discounts),
        lines,
        billing_address: billing.map(Address::into_property),
        shipping_address: shipping.map(Address::into_property),
        source_name: order.channel_info.ok().and_then(|Object(channel)| channel.kind.ok()),
        shop_id: reader.instance_id().map(str::to_owned),
        location: order.business_location.ok().and_then(|Object(location)| location.name.ok()),
        ..OrderDetail::default()
    };
    Ok(OrderSnapshot {
        order_id,
        person,
        updated_at,
        // Initialised ones may still be declined; of a cancelled one it is not said whether it ever was more.
        placed_at: purchased_at.or(created_at).filter(|_| order.status.is("APPROVED")),
        detail: Some(detail),
        cancelled: first("ORDER_CANCELED")
            .filter(|_| order.status.is("CANCELED"))
            .map(|at| Cancellation { at, reason: None }),
        fulfilled_at: first("ORDER_FULFILLED").filter(|_| order.fulfillment_status.is("FULFILLED")),
        fully_refunded: order.payment_status.is("FULLY_REFUNDED"),
        refund_policy: reader.connection.refund_policy(RefundPolicy::Each),
        ..OrderSnapshot::default()
    })
}

/// What happened to the order, and when: its other times change with every edit.
fn activities(reader: &mut Reader<'_>, activities: Objects<payload::Activity>) -> Vec<(String, Instant)> {
    let activities = reader.dropped.list("activities", activities).into_iter();
    let times = activities.filter_map(|Object(activity)| {
        let at = reader.time("activities.createdDate", activity.created_date)?;
        Some((activity.kind.ok()?, at))
    });
    times.collect()
}
