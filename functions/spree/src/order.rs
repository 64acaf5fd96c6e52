//! Orders, the carts they grow from, and what is told about orders by their parts.

use canonical::fact::{
    Cancellation, CartSnapshot, CheckoutSnapshot, Line, OrderDetail, OrderSnapshot, Refund, Shipment,
};
use canonical::{Currency, Fact, Instant, Money, Person};
use platform::address::Address;
use platform::lenient::{Field, Object, Objects};
use platform::reading::{Reading, Silence};

use crate::line;
use crate::lookup;
use crate::payload::{self, either};
use crate::person::{self, Buyer};
use crate::reader::Reader;
use crate::topic::Step;

/// An order or a cart. Where its lines are left out (5.3), it is fetched.
pub(crate) fn order(reader: &mut Reader<'_>, step: Step) -> Reading {
    let order: payload::Order = reader.record()?;
    let thin = matches!((&order.items, &order.line_items), (Field::Absent, Field::Absent));
    let placed = order.completed_at != Field::Absent;
    if thin
        && placed
        && let Some(whole) = lookup::order_by_number(reader, &order.number)?
    {
        return facts(reader, step, whole, Vec::new());
    }
    facts(reader, step, order, Vec::new())
}

/// What an order says, and the refunds that are known from elsewhere.
pub(crate) fn facts(
    reader: &mut Reader<'_>,
    step: Step,
    order: payload::Order,
    mut refunds: Vec<Refund>,
) -> Reading {
    let id = reader.id("id", order.id);
    let dropped = &mut reader.dropped;
    // The number is the one name that all releases and both APIs share: ids change their form with the release.
    let number = dropped.take("number", order.number);
    let named = number.clone().or(id);
    let order_id = named.ok_or_else(|| Silence::Malformed("no usable number".to_owned()))?;

    let billing = either(order.billing_address, order.bill_address);
    let billing = person::address(dropped, "billing_address", billing);
    let shipping = either(order.shipping_address, order.ship_address);
    let shipping = person::address(dropped, "shipping_address", shipping);
    let email = dropped.take("email", order.email);
    let locale = dropped.take("locale", order.locale);
    let buyer = Buyer {
        email,
        customer_id: reader.id("customer_id", either(order.customer_id, order.user_id)),
        customer: either(order.customer, order.user),
        locale,
        billing: billing.as_ref(),
        shipping: shipping.as_ref(),
    };
    let person = buyer.person(reader);
    let items = either(order.items, order.line_items);
    let has_lines = !matches!(items, Field::Absent);
    let lines = line::lines(reader, items);

    let told_at = reader.told_at();
    let dropped = &mut reader.dropped;
    let currency = dropped.take("currency", order.currency);
    let total = dropped.take("total", order.total).map(|amount| Money { amount, currency });
    let discounts = dropped.take("discount_total", either(order.discount_total, order.promo_total));
    let mut discount_codes: Vec<String> = Vec::new();
    let lists = [order.discounts, order.order_promotions, order.promotions];
    let listed = lists.into_iter().flat_map(|list| dropped.list("discounts", list)).collect::<Vec<_>>();
    let listed = listed.into_iter().map(|Object(discount)| discount.code);
    for code in listed.chain([order.coupon_code]) {
        // The documentation and the code list the same under two names.
        discount_codes
            .extend(dropped.take("discounts.code", code).filter(|code| !discount_codes.contains(code)));
    }
    let created_at = dropped.take("created_at", order.created_at);
    let updated_at = dropped.take("updated_at", order.updated_at).unwrap_or(told_at);
    // A time that cannot be read still says that there was one: no longer a cart.
    let is_cart = order.completed_at == Field::Absent;
    let placed_at = dropped.take("completed_at", order.completed_at);
    let state = dropped.take("state", order.state);

    if is_cart {
        // With an e-mail, and past the cart where the step is said, somebody has begun to check out.
        let begun = person.email.is_some() && state.is_none_or(|state| state != "cart");
        let cart = has_lines.then(|| {
            Fact::Cart(CartSnapshot {
                cart_id: order_id.clone(),
                person: person.clone(),
                updated_at: Some(updated_at),
                checkout_url: None,
                currency,
                lines: lines.clone(),
            })
        });
        let checkout = begun.then(|| {
            Fact::Checkout(CheckoutSnapshot {
                checkout_id: order_id.clone(),
                cart_id: Some(order_id),
                person,
                started_at: Some(created_at.unwrap_or(told_at)),
                updated_at: Some(updated_at),
                total,
                discount_codes,
                lines,
                ..CheckoutSnapshot::default()
            })
        });
        let facts: Vec<_> = cart.into_iter().chain(checkout).collect();
        return if facts.is_empty() { Err(Silence::Ignore("cart_is_thin")) } else { Ok(facts) };
    }

    let shipments = shipments(reader, either(order.fulfillments, order.shipments), &lines);
    refunds.extend(self::refunds(reader, order.payments, currency));
    let dropped = &mut reader.dropped;
    let status = dropped.take("fulfillment_status", either(order.fulfillment_status, order.shipment_state));
    let canceled_at = dropped.take("canceled_at", order.canceled_at);
    let canceled_at = canceled_at.or((step == Step::Canceled).then_some(told_at));
    let fulfilled = step == Step::Fulfilled || status.is_some_and(|status| is_sent(&status));
    let last_sent = shipments.iter().map(|shipment| shipment.at).max();
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at: Some(updated_at),
        placed_at,
        detail: Some(OrderDetail {
            number,
            total,
            total_discounts: discounts.map(|discounts| discounts.abs()),
            discount_codes,
            lines,
            billing_address: billing.map(Address::into_property),
            shipping_address: shipping.map(Address::into_property),
            source_name: dropped.take("channel", order.channel),
            ..OrderDetail::default()
        }),
        cancelled: canceled_at.map(|at| Cancellation { at, reason: None }),
        fulfilled_at: fulfilled.then(|| last_sent.unwrap_or(told_at)),
        shipments,
        refunds,
        ..OrderSnapshot::default()
    })])
}

/// One parcel. Since 5.4 it does not name its order.
pub(crate) fn shipment(reader: &mut Reader<'_>) -> Reading {
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
        return facts(reader, Step::Changed, whole, Vec::new());
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

/// One refund, which names its payment: its order must be looked up.
pub(crate) fn refund(reader: &mut Reader<'_>) -> Reading {
    let mut refund: payload::Refund = reader.record()?;
    let payment = reader.dropped.take("payment", std::mem::take(&mut refund.payment));
    let payment = payment.map(|Object(payment)| payment).unwrap_or_default();
    let payment_id = either(std::mem::take(&mut refund.payment_id), payment.id);
    let order = lookup::order_of_payment(reader, &payment_id, &refund.created_at)?;
    let dropped = &mut reader.dropped;
    let order_id = dropped.take("order.number", order.number).ok_or(Silence::Ignore("order_not_found"))?;
    let currency = dropped.take("order.currency", order.currency);
    let email = dropped.take("order.email", order.email);
    let refund =
        paid_back(reader, refund, currency).ok_or_else(|| Silence::Malformed("no usable id".to_owned()))?;
    let person = Person { email, ..Person::default() };
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        refunds: vec![refund],
        ..OrderSnapshot::default()
    })])
}

/// A line of a cart: the whole cart is read, for a line alone does not say what else is in it.
pub(crate) fn line_item(reader: &mut Reader<'_>) -> Reading {
    let part: payload::Part = reader.record()?;
    let order = reader.dropped.take("order", part.order).map(|Object(order)| order.id).unwrap_or_default();
    let order = lookup::order_by_id(reader, &either(part.order_id, order), "line_item_without_cart")?;
    facts(reader, Step::Changed, order, Vec::new())
}

/// Goods that came back and were paid for: the order's refunds say with how much money.
pub(crate) fn reimbursed(reader: &mut Reader<'_>) -> Reading {
    let part: payload::Part = reader.record()?;
    let order = reader.dropped.take("order", part.order).map(|Object(order)| order.id).unwrap_or_default();
    let (order, refunds) = lookup::order_and_refunds(reader, &either(part.order_id, order))?;
    let currency = order.currency.clone().ok();
    let refunds = refunds.into_iter().filter_map(|refund| paid_back(reader, refund, currency)).collect();
    facts(reader, Step::Changed, order, refunds)
}

fn shipments(reader: &mut Reader<'_>, list: Objects<payload::Shipment>, lines: &[Line]) -> Vec<Shipment> {
    let list = reader.dropped.list("fulfillments", list);
    let sent = list.into_iter().filter(|Object(shipment)| was_sent(shipment));
    sent.filter_map(|Object(shipment)| self::sent(reader, shipment, lines)).collect()
}

/// Whether a status says that something has left.
fn is_sent(status: &str) -> bool {
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

fn refunds(
    reader: &mut Reader<'_>,
    payments: Objects<payload::Payment>,
    currency: Option<Currency>,
) -> Vec<Refund> {
    let mut refunds = Vec::new();
    for Object(payment) in reader.dropped.list("payments", payments) {
        for Object(refund) in reader.dropped.list("refunds", payment.refunds) {
            refunds.extend(paid_back(reader, refund, currency));
        }
    }
    refunds
}

/// A refund. `None` without an id, which is noted.
fn paid_back(reader: &mut Reader<'_>, refund: payload::Refund, currency: Option<Currency>) -> Option<Refund> {
    let Some(refund_id) = reader.id("refunds.id", refund.id) else {
        reader.dropped.note("refunds.id");
        return None;
    };
    let told_at: Instant = reader.told_at();
    let dropped = &mut reader.dropped;
    let amount = dropped.take("refunds.amount", refund.amount).map(|amount| Money { amount, currency });
    let at = dropped.take("refunds.created_at", refund.created_at).unwrap_or(told_at);
    Some(Refund { refund_id, at, amount, reason: None })
}
