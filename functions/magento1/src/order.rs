//! Orders, with their shipments and credit memos.

use canonical::fact::{Cancellation, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::money::{Decimal, decimal_to_json};
use canonical::{Fact, Instant, Money, Person};
use platform::Connection;
use platform::address::Address;
use platform::lenient::{self, Dropped, Field, Id, Object, Objects};
use platform::reading::{Reader, Reading, Silence};
use serde_json::Value;

use crate::payload::{self, OrderRecord};
use crate::value::{amount, time, word};
use crate::{line, person};

/// An order. One that was edited is cancelled and made anew under a number of its own: both are the order of the first
/// number, which was placed once, as it was then, and stands as the last of them does.
pub(crate) fn order(reader: &mut Reader<'_>) -> Reading {
    let record: OrderRecord = lenient::object(&reader.delivery.body)?;
    let Object(order) = reader
        .dropped
        .take("order", record.order)
        .ok_or_else(|| Silence::Malformed("no usable order".to_owned()))?;
    let received_at = reader.received_at();
    let refund_policy = reader.connection.refund_policy(RefundPolicy::Each);
    let unpaid = Unpaid(reader.connection);
    let dropped = &mut reader.dropped;
    let order = Read::of(dropped, &unpaid, order);
    let first = dropped.take("first", record.first).map(|Object(first)| Read::of(dropped, &unpaid, first));
    let first = first.filter(|first| first.placed_at().is_some());
    let order_id = order.original.clone().or_else(|| order.number.clone());
    let order_id = order_id.ok_or_else(|| Silence::Malformed("no usable increment_id".to_owned()))?;

    let last_change = order.updated_at.unwrap_or(received_at);
    let standing = &order.standing;
    // What nobody bought cannot be cancelled.
    let cancelled = standing.is_cancelled() && (standing.is_placed() || first.is_some()) && !order.replaced;
    let cancelled = cancelled
        .then(|| Cancellation { at: standing.since("canceled").unwrap_or(last_change), reason: None });
    let fulfilled_at = standing.fulfilled_at(last_change).filter(|_| !order.replaced);
    let fully_refunded = standing.state.as_deref() == Some("closed") && !order.replaced;
    let currency = order.detail.total.and_then(|total| total.currency);
    let shipments = shipments(dropped, record.shipments, &order, last_change);
    let refunds = refunds(dropped, record.creditmemos, currency, last_change);

    let mut snapshot = OrderSnapshot {
        placed_at: order.placed_at(),
        order_id,
        person: order.person,
        updated_at: order.updated_at,
        detail: Some(order.detail),
        cancelled,
        fulfilled_at,
        shipments,
        refunds,
        fully_refunded,
        refund_policy,
        ..OrderSnapshot::default()
    };
    let mut facts = Vec::new();
    if let Some(first) = first {
        // Both orders of an edit tell the same sale; what became of it happened to what it was changed to.
        snapshot.placed_at = None;
        facts.push(Fact::Order(OrderSnapshot {
            order_id: snapshot.order_id.clone(),
            person: snapshot.person.clone(),
            updated_at: snapshot.updated_at,
            placed_at: first.placed_at(),
            detail: Some(first.detail),
            refund_policy,
            ..OrderSnapshot::default()
        }));
    }
    facts.push(Fact::Order(snapshot));
    Ok(facts)
}

/// One order's own fields.
struct Read {
    number: Option<String>,
    /// The number of the first, of an order that replaces another.
    original: Option<String>,
    /// Another one replaces it.
    replaced: bool,
    person: Person,
    detail: OrderDetail,
    standing: Standing,
    created_at: Option<Instant>,
    updated_at: Option<Instant>,
}

impl Read {
    fn of(dropped: &mut Dropped, unpaid: &Unpaid<'_>, order: payload::Order) -> Self {
        let billing = person::address(dropped, "billing_address", order.billing_address);
        let shipping = person::address(dropped, "shipping_address", order.shipping_address);
        let buyer = person::Buyer {
            customer_id: order.customer_id,
            is_guest: order.customer_is_guest,
            email: order.customer_email,
            first_name: order.customer_firstname,
            last_name: order.customer_lastname,
            billing: billing.as_ref(),
            shipping: shipping.as_ref(),
        };
        let person = buyer.person(dropped);
        let standing = Standing {
            state: word(dropped, "state", order.state),
            status: unpaid.status(word(dropped, "status", order.status)),
            held: word(dropped, "hold_before_state", order.hold_before_state),
            history: history(dropped, unpaid, order.status_history),
            confirmed: order.email_sent.is("1"),
            paid: [("total_paid", order.total_paid), ("total_invoiced", order.total_invoiced)]
                .into_iter()
                .any(|(name, paid)| amount(dropped, name, paid).is_some_and(|paid| paid > Decimal::ZERO)),
        };
        let currency = dropped.take("order_currency_code", order.order_currency_code);
        let total = amount(dropped, "grand_total", order.grand_total);
        let base_currency = dropped.take("base_currency_code", order.base_currency_code);
        let base_total = amount(dropped, "base_grand_total", order.base_grand_total);
        let other_base = base_currency.filter(|base| Some(*base) != currency);
        let extra = [
            ("Base Total", base_total.filter(|_| other_base.is_some()).map(decimal_to_json)),
            ("Base Currency", other_base.map(|base| base.as_str().into())),
        ];
        let mut id = |name, field| dropped.take::<Id>(name, field).map(|Id(id)| id);
        let number = id("increment_id", order.increment_id);
        let original = id("original_increment_id", order.original_increment_id);
        let children = [order.relation_child_id, order.relation_child_real_id];
        let replaced =
            children.into_iter().any(|child| id("relation_child_id", child).is_some_and(|id| id != "0"));
        let detail = OrderDetail {
            number: number.clone(),
            total: total.map(|amount| Money { amount, currency }),
            total_discounts: amount(dropped, "discount_amount", order.discount_amount)
                .map(|amount| amount.abs()),
            discount_codes: dropped.take("coupon_code", order.coupon_code).into_iter().collect(),
            lines: line::lines(dropped, order.items),
            billing_address: billing.map(Address::into_property),
            shipping_address: shipping.map(Address::into_property),
            shop: dropped.take("store_name", order.store_name).map(|name| shop_name(&name)),
            shop_id: dropped.take("store_id", order.store_id).map(|Id(id)| id),
            extra: extra.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
            ..OrderDetail::default()
        };
        let created_at = time(dropped, "created_at", order.created_at);
        let updated_at = time(dropped, "updated_at", order.updated_at);
        Self { number, original, replaced, person, detail, standing, created_at, updated_at }
    }

    fn placed_at(&self) -> Option<Instant> {
        self.created_at.filter(|_| self.standing.is_placed())
    }
}

/// Where an order stands. The state is Magento's own; what a status is called, the shop may change.
/// Source: <https://github.com/OpenMage/magento-lts>, `app/code/core/Mage/Sales/Model/Order.php`.
struct Standing {
    state: Option<String>,
    status: Option<String>,
    held: Option<String>,
    history: Vec<(String, Option<Instant>)>,
    /// The confirmation was sent.
    confirmed: bool,
    /// Money was invoiced or paid.
    paid: bool,
}

impl Standing {
    /// The state, or what the status says of it where there is none; of an order on hold, the one before.
    fn state(&self) -> Option<&str> {
        let state = self.state.as_deref().or(self.status.as_deref())?;
        Some(if state == "holded" { self.held.as_deref().unwrap_or(state) } else { state })
    }

    /// Every order but one that waits for its payment. One that was cancelled may never have left that state, so it counts
    /// if something shows that it did.
    fn is_placed(&self) -> bool {
        match self.state() {
            None | Some("pending_payment") => false,
            Some("canceled") => {
                let was_more = |(status, _): &(String, _)| {
                    !matches!(status.as_str(), "pending_payment" | "canceled")
                        && Some(status) != self.status.as_ref()
                };
                self.confirmed || self.paid || self.history.iter().any(was_more)
            }
            Some(_) => true,
        }
    }

    fn is_cancelled(&self) -> bool {
        self.state() == Some("canceled")
    }

    fn fulfilled_at(&self, last_change: Instant) -> Option<Instant> {
        match self.state() {
            Some("complete") => Some(self.since("complete").unwrap_or(last_change)),
            // Refunded since: only the history still knows.
            Some("closed") => self.first(|status| status == "complete"),
            _ => None,
        }
    }

    /// Since when the order has been in its state: the first time that the history shows the state's own status, or
    /// the one it has now.
    fn since(&self, status: &str) -> Option<Instant> {
        self.first(|entry| entry == status || Some(entry) == self.status.as_deref())
    }

    fn first(&self, wanted: impl Fn(&str) -> bool) -> Option<Instant> {
        self.history.iter().filter(|(status, _)| wanted(status)).filter_map(|(_, at)| *at).min()
    }
}

/// Which statuses wait for a payment. The history has no states, so of an order that was cancelled only they tell whether it
/// was ever more than that.
struct Unpaid<'a>(&'a Connection);

impl Unpaid<'_> {
    /// The status, or Magento's own for waiting: modules of payment have names such as `pending_paypal`, shops others.
    fn status(&self, status: Option<String>) -> Option<String> {
        let named = self.0.settings.get("unpaid_statuses").and_then(Value::as_array);
        let mut named = named.into_iter().flatten().filter_map(Value::as_str);
        status.map(|status| {
            let waits =
                status.starts_with("pending_") || named.any(|name| name.trim().eq_ignore_ascii_case(&status));
            if waits { "pending_payment".to_owned() } else { status }
        })
    }
}

fn history(
    dropped: &mut Dropped,
    unpaid: &Unpaid<'_>,
    entries: Objects<payload::StatusHistory>,
) -> Vec<(String, Option<Instant>)> {
    let entries = dropped.list("status_history", entries);
    let entries = entries.into_iter().filter_map(|Object(entry)| {
        let at = time(dropped, "status_history.created_at", entry.created_at);
        Some((unpaid.status(word(dropped, "status_history.status", entry.status))?, at))
    });
    entries.collect()
}

fn shipments(
    dropped: &mut Dropped,
    shipments: Objects<payload::Shipment>,
    order: &Read,
    last_change: Instant,
) -> Vec<Shipment> {
    let shipments = dropped.list("shipments", shipments).into_iter();
    let shipments = shipments.filter_map(|Object(shipment)| {
        let Id(shipment_id) = required(dropped, "shipments.shipment_id", shipment.shipment_id)?;
        let mut company = None;
        let mut tracking_numbers = Vec::new();
        for Object(track) in dropped.list("shipments.tracks", shipment.tracks) {
            let mut text = |field| dropped.take::<String>("shipments.tracks", field);
            company = company.or_else(|| text(track.title)).or_else(|| text(track.carrier_code));
            tracking_numbers.extend(text(track.track_number).or_else(|| text(track.number)));
        }
        Some(Shipment {
            shipment_id,
            at: time(dropped, "shipments.created_at", shipment.created_at).unwrap_or(last_change),
            company,
            tracking_numbers,
            lines: line::parts(dropped, shipment.items, &order.detail.lines),
        })
    });
    shipments.collect()
}

/// Credit memos: each is one refund, whose total has the adjustments in it. Of one that is open (1) or cancelled (3) no money
/// has moved.
fn refunds(
    dropped: &mut Dropped,
    memos: Objects<payload::Creditmemo>,
    order_currency: Option<canonical::Currency>,
    last_change: Instant,
) -> Vec<Refund> {
    let memos = dropped.list("creditmemos", memos).into_iter().filter(|Object(memo)| memo.state.is("2"));
    let refunds = memos.filter_map(|Object(memo)| {
        let Id(refund_id) = required(dropped, "creditmemos.creditmemo_id", memo.creditmemo_id)?;
        let currency = dropped.take("creditmemos.order_currency_code", memo.order_currency_code);
        let currency = currency.or(order_currency);
        let comments = dropped.list("creditmemos.comments", memo.comments);
        Some(Refund {
            refund_id,
            at: time(dropped, "creditmemos.created_at", memo.created_at).unwrap_or(last_change),
            // Goods that come back without money are a credit memo too.
            amount: amount(dropped, "creditmemos.grand_total", memo.grand_total)
                .filter(|amount| *amount > Decimal::ZERO)
                .map(|amount| Money { amount, currency }),
            reason: comments.into_iter().find_map(|Object(comment)| comment.comment.ok()),
        })
    });
    refunds.collect()
}

/// An id that a part makes no sense without.
fn required(dropped: &mut Dropped, name: &'static str, id: Field<Id>) -> Option<Id> {
    let id = dropped.take(name, id);
    if id.is_none() {
        dropped.note(name);
    }
    id
}

/// Website, store and view stand in lines of their own.
fn shop_name(name: &str) -> String {
    let parts: Vec<_> = name.lines().map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join(" / ")
}
