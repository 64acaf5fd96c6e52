//! Orders, and what they share with the carts they grow from.

use canonical::fact::{Cancellation, Line, OrderDetail, OrderSnapshot, Refund};
use canonical::{Currency, Fact, Instant, Money, Person};
use platform::address::Address;
use platform::lenient::{Dropped, Field, Object, Objects};
use platform::reading::{Reading, Silence};

use crate::payload::{self, either};
use crate::person::{self, Buyer};
use crate::reader::Reader;
use crate::topic::Step;
use crate::{cart, line, lookup, parcel, refund};

/// An order or a cart. An order whose lines are left out (5.3) is asked for.
pub(crate) fn event(reader: &mut Reader<'_>, step: Step) -> Reading {
    let order: payload::Order = reader.record()?;
    let thin = matches!((&order.items, &order.line_items), (Field::Absent, Field::Absent));
    let placed = order.completed_at != Field::Absent;
    let whole = if thin && placed { lookup::order_by_number(reader, &order.number)? } else { None };
    facts(reader, step, whole.unwrap_or(order), Vec::new())
}

/// What orders and carts have in common.
pub(crate) struct Content {
    /// The number: the one name that all releases and both APIs share. Ids change their form with the release.
    pub(crate) order_id: String,
    pub(crate) number: Option<String>,
    pub(crate) person: Person,
    pub(crate) currency: Option<Currency>,
    pub(crate) total: Option<Money>,
    pub(crate) discount_codes: Vec<String>,
    /// `None` where they are left out.
    pub(crate) lines: Option<Vec<Line>>,
    pub(crate) billing: Option<Address>,
    pub(crate) shipping: Option<Address>,
    pub(crate) updated_at: Instant,
}

/// What an order or a cart says, and the refunds that are known from elsewhere.
pub(crate) fn facts(
    reader: &mut Reader<'_>,
    step: Step,
    mut order: payload::Order,
    mut refunds: Vec<Refund>,
) -> Reading {
    let content = content(reader, &mut order)?;
    let dropped = &mut reader.dropped;
    let state = dropped.take("state", order.state);
    if order.completed_at == Field::Absent {
        let created_at = dropped.take("created_at", order.created_at);
        return cart::facts(content, state.as_deref(), created_at);
    }
    // A time that cannot be read still says that there was one: no longer a cart.
    let placed_at = dropped.take("completed_at", order.completed_at);
    let total_discounts = dropped.take("discount_total", either(order.discount_total, order.promo_total));
    let status = dropped.take("fulfillment_status", either(order.fulfillment_status, order.shipment_state));
    let canceled_at = dropped.take("canceled_at", order.canceled_at);
    let source_name = dropped.take("channel", order.channel);
    let lines = content.lines.unwrap_or_default();
    let shipments = parcel::sent_parcels(reader, either(order.fulfillments, order.shipments), &lines);
    refunds.extend(refund::of_payments(reader, order.payments, content.currency));

    let told_at = reader.told_at();
    // Cancelled by hand or by a release that keeps no time of it: the last change is the nearest there is.
    let is_canceled = order.status.is("canceled") || state.is_some_and(|state| state == "canceled");
    let canceled_at = canceled_at
        .or((step == Step::Canceled).then_some(told_at))
        .or(is_canceled.then_some(content.updated_at));
    let fulfilled = step == Step::Fulfilled || status.is_some_and(|status| parcel::is_sent(&status));
    let last_sent = shipments.iter().map(|shipment| shipment.at).max();
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id: content.order_id,
        person: content.person,
        updated_at: Some(content.updated_at),
        placed_at,
        detail: Some(OrderDetail {
            number: content.number,
            total: content.total,
            total_discounts: total_discounts.map(|discounts| discounts.abs()),
            discount_codes: content.discount_codes,
            lines,
            billing_address: content.billing.map(Address::into_property),
            shipping_address: content.shipping.map(Address::into_property),
            source_name,
            ..OrderDetail::default()
        }),
        cancelled: canceled_at.map(|at| Cancellation { at, reason: None }),
        fulfilled_at: fulfilled.then(|| last_sent.unwrap_or(told_at)),
        shipments,
        refunds,
        ..OrderSnapshot::default()
    })])
}

fn content(reader: &mut Reader<'_>, order: &mut payload::Order) -> Result<Content, Silence> {
    use std::mem::take;

    let id = reader.id("id", take(&mut order.id));
    let customer_id =
        reader.id("customer_id", either(take(&mut order.customer_id), take(&mut order.user_id)));
    let dropped = &mut reader.dropped;
    let number = dropped.take("number", take(&mut order.number));
    let order_id = number.clone().or(id).ok_or_else(|| Silence::Malformed("no usable number".to_owned()))?;
    let billing = either(take(&mut order.billing_address), take(&mut order.bill_address));
    let billing = person::address(dropped, "billing_address", billing);
    let shipping = either(take(&mut order.shipping_address), take(&mut order.ship_address));
    let shipping = person::address(dropped, "shipping_address", shipping);
    let currency = dropped.take("currency", take(&mut order.currency));
    let total = dropped.take("total", take(&mut order.total)).map(|amount| Money { amount, currency });
    let lists = [&mut order.discounts, &mut order.order_promotions, &mut order.promotions].map(take);
    let discount_codes = discount_codes(dropped, lists, take(&mut order.coupon_code));
    let updated_at = dropped.take("updated_at", take(&mut order.updated_at));
    let buyer = Buyer {
        email: dropped.take("email", take(&mut order.email)),
        customer_id,
        customer: either(take(&mut order.customer), take(&mut order.user)),
        locale: dropped.take("locale", take(&mut order.locale)),
        billing: billing.as_ref(),
        shipping: shipping.as_ref(),
    };
    let person = buyer.person(reader);
    let lines = match either(take(&mut order.items), take(&mut order.line_items)) {
        Field::Absent => None,
        items => Some(line::lines(reader, items)),
    };
    let updated_at = updated_at.unwrap_or_else(|| reader.told_at());
    Ok(Content {
        order_id,
        number,
        person,
        currency,
        total,
        discount_codes,
        lines,
        billing,
        shipping,
        updated_at,
    })
}

/// The codes that were used, each once: the same one may stand under several names. Automatic discounts have none.
fn discount_codes(
    dropped: &mut Dropped,
    lists: [Objects<payload::Discount>; 3],
    coupon_code: Field<String>,
) -> Vec<String> {
    let mut codes = Vec::new();
    let listed: Vec<_> = lists.into_iter().flat_map(|list| dropped.list("discounts", list)).collect();
    for code in listed.into_iter().map(|Object(discount)| discount.code).chain([coupon_code]) {
        let code = dropped.take("discounts.code", code);
        codes.extend(code.filter(|code| !codes.contains(code)));
    }
    codes
}
