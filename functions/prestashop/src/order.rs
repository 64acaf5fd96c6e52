//! Orders.

use canonical::fact::{Cancellation, OrderDetail, OrderSnapshot, RefundPolicy, Shipment};
use canonical::money::Decimal;
use canonical::{Fact, Instant, Money, Person};
use jiff::tz::TimeZone;
use platform::address::{Address, lend};
use platform::lenient::{self, Dropped, Id, Object, Objects};
use platform::reading::{Reader, Reading, Silence};

use crate::line;
use crate::payload::{self, Flag, OrderRecord};
use crate::person::{self, amount, reference, time, zone};
use crate::refund;
use crate::standing::{Meanings, Standing};

/// An order with all that was joined to it.
pub(crate) fn order(reader: &mut Reader<'_>) -> Reading {
    let record: OrderRecord = lenient::object(&reader.delivery.body)?;
    let order = reader.dropped.take("order", record.order);
    let Object(order) = order.ok_or_else(|| Silence::Malformed("no usable order".to_owned()))?;
    let order_id = reader.identity("id", order.id)?;
    let received_at = reader.received_at();
    let connection = reader.connection;

    let dropped = &mut reader.dropped;
    let zone = zone(dropped, connection, record.time_zone);
    let meanings = Meanings::read(dropped, connection, record.states, record.configuration);
    let current = reference(dropped, "current_state", order.current_state);
    let standing = Standing::read(reader, &zone, current.as_deref(), record.histories, &meanings);

    let dropped = &mut reader.dropped;
    let created_at = time(dropped, "date_add", order.date_add, &zone);
    let updated_at = time(dropped, "date_upd", order.date_upd, &zone);
    // When something came about that has no time of its own.
    let last_change = updated_at.or(created_at).unwrap_or(received_at);
    let billing = person::address(dropped, "billing_address", record.billing_address);
    let shipping = person::address(dropped, "shipping_address", record.shipping_address);
    let customer = dropped.take("customer", record.customer).map(|Object(customer)| customer);
    let is_erased = customer.as_ref().is_some_and(person::is_erased);
    let (billing, shipping) = if is_erased { (None, None) } else { (billing, shipping) };
    let id_customer = reference(dropped, "id_customer", order.id_customer);
    let person = match customer {
        _ if is_erased => Person::default(),
        Some(mut customer) => {
            let mut person = person::person(dropped, &mut customer);
            lend(&mut person, billing.as_ref(), shipping.as_ref());
            person
        }
        // The record of the customer may still come.
        None => Person { customer_id: id_customer, ..Person::default() },
    };

    let currency = dropped.take("currency", record.currency);
    let total = amount(dropped, "total_paid_tax_incl", order.total_paid_tax_incl);
    let really_paid = amount(dropped, "total_paid_real", order.total_paid_real);
    let really_paid = really_paid.filter(|paid| *paid > Decimal::ZERO).or(total);
    let total_discounts = amount(dropped, "total_discounts_tax_incl", order.total_discounts_tax_incl);
    let rows = dropped.list("rows", order.rows);
    let detail = OrderDetail {
        number: dropped.take("reference", order.reference),
        total: total.map(|amount| Money { amount, currency }),
        total_discounts,
        discount_codes: codes(dropped, record.cart_rules),
        lines: line::ordered(dropped, connection, rows),
        billing_address: billing.map(Address::into_property),
        shipping_address: shipping.map(Address::into_property),
        shop_id: reference(dropped, "id_shop", order.id_shop),
        ..OrderDetail::default()
    };
    let shipped = standing.shipped(last_change);
    let refunded = standing.refunded(last_change);
    let cancelled = standing.cancelled(last_change).filter(|_| standing.is_placed());
    Ok(vec![Fact::Order(OrderSnapshot {
        order_id,
        person,
        updated_at,
        placed_at: created_at.filter(|_| standing.is_placed()),
        detail: Some(detail),
        cancelled: cancelled.map(|at| Cancellation { at, reason: None }),
        fulfilled_at: shipped,
        shipments: shipped.map(|at| shipments(dropped, &zone, record.carriers, at)).unwrap_or_default(),
        refunds: refund::refunds(
            dropped,
            &zone,
            record.slips,
            refunded,
            really_paid,
            total_discounts,
            currency,
        ),
        fully_refunded: refunded.is_some(),
        refund_policy: connection.refund_policy(RefundPolicy::Each),
        ..OrderSnapshot::default()
    })])
}

/// The codes of vouchers; a rule without one applies by itself.
fn codes(dropped: &mut Dropped, rules: Objects<payload::CartRule>) -> Vec<String> {
    let rules = dropped.list("cart_rules", rules);
    let codes = rules.into_iter().filter_map(|Object(rule)| {
        let is_deleted = dropped.take("cart_rules.deleted", rule.deleted) == Some(Flag(true));
        dropped.take("cart_rules.code", rule.code).filter(|_| !is_deleted)
    });
    codes.collect()
}

/// The parcels of an order that left at `shipped`; one that was added later left then.
fn shipments(
    dropped: &mut Dropped,
    zone: &TimeZone,
    carriers: Objects<payload::OrderCarrier>,
    shipped: Instant,
) -> Vec<Shipment> {
    let carriers = dropped.list("carriers", carriers);
    let shipments = carriers.into_iter().filter_map(|Object(carrier)| {
        let added = time(dropped, "carriers.date_add", carrier.date_add, zone);
        // The name 0 stands for the shop's own.
        let company = dropped.take("carriers.carrier_name", carrier.carrier_name);
        let tracking = dropped.take("carriers.tracking_number", carrier.tracking_number);
        Some(Shipment {
            shipment_id: dropped.take("carriers.id", carrier.id).map(|Id(id)| id)?,
            at: added.map_or(shipped, |added| added.max(shipped)),
            company: company.filter(|name| name != "0"),
            tracking_numbers: tracking.into_iter().collect(),
            lines: Vec::new(),
        })
    });
    shipments.collect()
}
