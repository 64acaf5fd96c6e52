//! Refunds.

use canonical::fact::{OrderSnapshot, Refund};
use canonical::{Currency, Fact, Money, Person};
use platform::lenient::{Object, Objects};
use platform::reading::{Reading, Silence};

use crate::payload::{self, either};
use crate::reader::Reader;
use crate::topic::Step;
use crate::{lookup, order};

/// One refund, which names its payment: its order must be looked up.
pub(crate) fn event(reader: &mut Reader<'_>) -> Reading {
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

/// Goods that came back and were paid for: the order's refunds say with how much money.
pub(crate) fn reimbursed(reader: &mut Reader<'_>) -> Reading {
    let part: payload::Part = reader.record()?;
    let order = reader.dropped.take("order", part.order).map(|Object(order)| order.id).unwrap_or_default();
    let (order, refunds) = lookup::order_and_refunds(reader, &either(part.order_id, order))?;
    let currency = order.currency.clone().ok();
    let refunds = refunds.into_iter().filter_map(|refund| paid_back(reader, refund, currency)).collect();
    order::facts(reader, Step::Changed, order, refunds)
}

/// The refunds of an order, by its payments.
pub(crate) fn of_payments(
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
    let told_at = reader.told_at();
    let dropped = &mut reader.dropped;
    let amount = dropped.take("refunds.amount", refund.amount).map(|amount| Money { amount, currency });
    let at = dropped.take("refunds.created_at", refund.created_at).unwrap_or(told_at);
    Some(Refund { refund_id, at, amount, reason: None })
}
