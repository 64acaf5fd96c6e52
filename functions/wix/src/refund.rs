//! Refunds, which come apart from their order.

use canonical::fact::{OrderSnapshot, Refund};
use canonical::money::Decimal;
use canonical::{Currency, Fact, Money};
use platform::lenient::{Field, Id, Object};
use platform::reading::{Reading, Silence};

use crate::reader::{Reader, held};
use crate::{order, payload};

/// Payments and refunds of an order that were added or changed.
pub(crate) fn transactions(reader: &mut Reader<'_>) -> Reading {
    let body: payload::Transactions = reader.entity(|_| Field::Absent)?;
    let list: payload::Transactions = reader.entity(|holder| holder.order_transactions)?;
    let ids = [body.order_id, list.order_id].into_iter().filter_map(|id| reader.dropped.take("orderId", id));
    let ids: Vec<Id> = ids.collect();
    let entity_id = reader.event.entity_id.clone();
    let order_id = ids.into_iter().map(|Id(id)| id).next().or(entity_id);
    let order_id = order_id.ok_or_else(|| Silence::Malformed("no usable orderId".to_owned()))?;

    // The one that was completed first: should the list lag behind, it is the truth.
    let completed = reader.dropped.take("refund", body.refund);
    let listed = reader.dropped.list("refunds", list.refunds);
    let refunds: Vec<_> = completed.into_iter().chain(listed).map(|Object(refund)| refund).collect();
    if refunds.is_empty() {
        return Err(Silence::Ignore("payment_without_refund"));
    }
    let mut order = order::named(reader, &order_id)?;
    extend(reader, &mut order, refunds);
    Ok(vec![Fact::Order(order)])
}

/// Adds the refunds in an answer of the API to their order.
pub(crate) fn add(reader: &mut Reader<'_>, order: &mut OrderSnapshot, answer: &[u8]) -> Result<(), Silence> {
    let transactions: payload::Transactions = held(answer, |holder| holder.order_transactions)?;
    let refunds = reader.dropped.list("refunds", transactions.refunds);
    extend(reader, order, refunds.into_iter().map(|Object(refund)| refund).collect());
    Ok(())
}

fn extend(reader: &mut Reader<'_>, order: &mut OrderSnapshot, refunds: Vec<payload::Refund>) {
    // Refunds are in the order's currency, which only the order names.
    let currency = order.detail.as_ref().and_then(|detail| detail.total?.currency);
    for refund in refunds {
        if let Some(refund) = self::refund(reader, refund, currency)
            && !order.refunds.iter().any(|known| known.refund_id == refund.refund_id)
        {
            order.refunds.push(refund);
        }
    }
}

/// A refund. `None` without an id, which is noted.
fn refund(reader: &mut Reader<'_>, refund: payload::Refund, currency: Option<Currency>) -> Option<Refund> {
    let Some(Id(refund_id)) = reader.dropped.take("refunds.id", refund.id) else {
        reader.dropped.note("refunds.id");
        return None;
    };
    let created_at = reader.time("refunds.createdDate", refund.created_date);
    let summary = reader.dropped.take("refunds.summary", refund.summary);
    let summed_up =
        summary.and_then(|Object(summary)| reader.amount("refunds.summary.refunded", summary.refunded));
    let transactions = reader.dropped.list("refunds.transactions", refund.transactions);
    let succeeded = transactions.into_iter().filter(|Object(paid)| paid.refund_status.is("SUCCEEDED"));
    // What was asked for, and what is under way, may still fail.
    let paid = succeeded.filter_map(|Object(paid)| reader.amount("refunds.transactions.amount", paid.amount));
    let paid = paid.collect::<Vec<Decimal>>().into_iter().try_fold(Decimal::ZERO, Decimal::checked_add);
    let amount = summed_up.filter(|amount| *amount > Decimal::ZERO).or(paid);
    let details = reader.dropped.take("refunds.details", refund.details);
    Some(Refund {
        refund_id,
        at: created_at.unwrap_or_else(|| reader.happened_at()),
        amount: amount.filter(|amount| *amount > Decimal::ZERO).map(|amount| Money { amount, currency }),
        reason: details
            .and_then(|Object(details)| reader.dropped.take("refunds.details.reason", details.reason)),
    })
}
