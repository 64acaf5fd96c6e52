//! The order ledger: what was already told of an order, and what a snapshot adds to it.
//!
//! **Invariant:** the ledger is a union of facts that were told, so it does not depend on the order in
//! which snapshots arrive, nor on how often each does. It holds no personal data.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::fact::{Line, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use crate::properties::{Properties, email_domain, sum_of_lines};
use crate::{Currency, Event, Instant, Metric, Money, Source};

/// What was already told of one order.
///
/// Stored once per order and rewritten when it grows, so its field names are short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "four independent facts, any of which may come first")]
pub struct Ledger {
    /// Placed Order was told.
    #[serde(rename = "p", skip_serializing_if = "std::ops::Not::not")]
    pub placed: bool,
    /// Cancelled Order was told.
    #[serde(rename = "c", skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// Fulfilled Order was told.
    #[serde(rename = "f", skip_serializing_if = "std::ops::Not::not")]
    pub fulfilled: bool,
    /// The one Refunded Order of [`RefundPolicy::FullOnly`] was told.
    #[serde(rename = "r", skip_serializing_if = "std::ops::Not::not")]
    pub refunded: bool,
    /// Lines whose Ordered Product was told.
    #[serde(rename = "l", skip_serializing_if = "BTreeSet::is_empty")]
    pub lines: BTreeSet<String>,
    /// Shipments whose Shipped Order was told.
    #[serde(rename = "s", skip_serializing_if = "BTreeSet::is_empty")]
    pub shipments: BTreeSet<String>,
    /// Refunds whose Refunded Order was told, under [`RefundPolicy::Each`].
    #[serde(rename = "m", skip_serializing_if = "BTreeSet::is_empty")]
    pub refunds: BTreeSet<String>,
}

/// What `snapshot` says that `ledger` has not told yet, and the ledger that has told it.
///
/// - Placed Order and one Ordered Product per line id, once the snapshot has both `placed_at` and its
///   detail. A line that appears in a later edit is told then, at the time of the order. Should a source
///   repeat a line id within one snapshot, the first line stands.
/// - Cancelled Order and Fulfilled Order once, Shipped Order once per shipment id.
/// - Refunded Order as [`RefundPolicy`] says, never for a refund without money.
///
/// The same snapshot again yields no events and an equal ledger. Any order and any repetition of an
/// order's snapshots end in the same ledger and the same events.
pub fn advance(ledger: &Ledger, snapshot: &OrderSnapshot, source: &Source) -> (Ledger, Vec<Event>) {
    let mut told = ledger.clone();
    let mut events = Vec::new();
    let order = Order { snapshot, source, properties: OnceCell::new(), email_domain: OnceCell::new() };

    if let (Some(placed_at), Some(detail)) = (snapshot.placed_at, &snapshot.detail) {
        if !std::mem::replace(&mut told.placed, true) {
            events.push(order.event(Metric::PlacedOrder, None, placed_at, order.total()));
        }
        for line in &detail.lines {
            if told.lines.insert(line.line_id.clone()) {
                events.push(order.ordered_product(line, placed_at));
            }
        }
    }
    if let Some(fulfilled_at) = snapshot.fulfilled_at
        && !std::mem::replace(&mut told.fulfilled, true)
    {
        events.push(order.event(Metric::FulfilledOrder, None, fulfilled_at, order.total()));
    }
    for shipment in &snapshot.shipments {
        if told.shipments.insert(shipment.shipment_id.clone()) {
            events.push(order.shipped(shipment));
        }
    }
    if let Some(cancellation) = &snapshot.cancelled
        && !std::mem::replace(&mut told.cancelled, true)
    {
        let event = order.event(Metric::CancelledOrder, None, cancellation.at, order.total());
        events.push(extend(event, |properties| properties.text("Reason", cancellation.reason.as_deref())));
    }
    match snapshot.refund_policy {
        RefundPolicy::Each => {
            for (refund, paid) in snapshot.refunds.iter().filter_map(with_money) {
                if told.refunds.insert(refund.refund_id.clone()) {
                    events.push(order.refunded(refund, paid));
                }
            }
        }
        RefundPolicy::FullOnly => {
            if snapshot.fully_refunded
                && !told.refunded
                && let Some(event) = order.fully_refunded()
            {
                told.refunded = true;
                events.push(event);
            }
        }
    }
    (told, events)
}

/// A snapshot while its events are written.
struct Order<'a> {
    snapshot: &'a OrderSnapshot,
    source: &'a Source,
    /// What all events of the order share: written once, and only if there is an event at all.
    properties: OnceCell<Map<String, Value>>,
    /// As the other one, for the lines.
    email_domain: OnceCell<Option<String>>,
}

impl Order<'_> {
    fn detail(&self) -> Option<&OrderDetail> {
        self.snapshot.detail.as_ref()
    }

    fn total(&self) -> Option<Money> {
        self.detail()?.total
    }

    fn currency(&self) -> Option<Currency> {
        self.total()?.currency
    }

    fn bare(&self, metric: Metric, part: Option<&str>, at: Instant) -> Event {
        let order_id = self.snapshot.order_id.as_str();
        let mut event = match part {
            Some(part) => Event::new(self.source, metric, &[order_id, part], at),
            None => Event::new(self.source, metric, &[order_id], at),
        };
        event.backfill = self.snapshot.backfill;
        event
    }

    /// An event of the whole order, or of the part of it that has the id `part`.
    fn event(&self, metric: Metric, part: Option<&str>, at: Instant, value: Option<Money>) -> Event {
        let describe = || self.describe(self.detail().map(|detail| detail.lines.as_slice()));
        // A copy is worth keeping only if there may be another event: an order that was just placed has one.
        let properties = if self.snapshot.is_only_placed() {
            describe()
        } else {
            self.properties.get_or_init(describe).clone()
        };
        Event { value, properties, ..self.bare(metric, part, at) }
    }

    fn describe(&self, lines: Option<&[Line]>) -> Map<String, Value> {
        let mut properties = Properties::default().text("OrderId", Some(&self.snapshot.order_id));
        if let Some(detail) = self.detail() {
            properties = properties.text("OrderNumber", detail.number.as_deref());
        }
        if let Some(lines) = lines {
            properties = properties.items(lines);
        }
        if let Some(detail) = self.detail() {
            let discounted = !detail.discount_codes.is_empty()
                || detail.total_discounts.is_some_and(|discounts| discounts > Decimal::ZERO);
            properties = properties
                .list("Discount Codes", detail.discount_codes.iter().map(String::as_str))
                .number("Total Discounts", detail.total_discounts)
                .set("Is Discounted", discounted)
                .object("BillingAddress", detail.billing_address.as_ref())
                .object("ShippingAddress", detail.shipping_address.as_ref())
                .text("Shop", detail.shop.as_deref())
                .text("ShopID", detail.shop_id.as_deref())
                .text("locationName", detail.location.as_deref())
                .text("Source Name", detail.source_name.as_deref())
                .extra(&detail.extra);
        }
        properties.text("Email Domain", self.email_domain()).build()
    }

    fn email_domain(&self) -> Option<&str> {
        self.email_domain.get_or_init(|| email_domain(&self.snapshot.person)).as_deref()
    }

    fn ordered_product(&self, line: &Line, placed_at: Instant) -> Event {
        let mut properties = Properties::default()
            .text("OrderId", Some(&self.snapshot.order_id))
            .text("LineId", Some(&line.line_id))
            .text("ProductID", line.product_id.as_deref())
            .text("VariantID", line.variant_id.as_deref())
            .text("SKU", line.sku.as_deref())
            .text("Name", Some(&line.name))
            .text("Variant Name", line.variant_name.as_deref())
            .number("Quantity", Some(line.quantity))
            .number("Price", line.unit_price)
            .list("Categories", line.categories.iter().map(String::as_str))
            .text("Brand", line.brand.as_deref())
            .text("ImageURL", line.image_url.as_deref())
            .text("ProductURL", line.product_url.as_deref())
            .text("Email Domain", self.email_domain())
            .extra(&line.extra);
        if line.gift_card {
            properties = properties.set("Gift Card", true);
        }
        Event {
            value: line.amount().map(|amount| Money { amount, currency: self.currency() }),
            properties: properties.build(),
            ..self.bare(Metric::OrderedProduct, Some(&line.line_id), placed_at)
        }
    }

    /// A parcel: with what is in it, if the source says; else with what the order consists of.
    fn shipped(&self, shipment: &Shipment) -> Event {
        let part = Some(shipment.shipment_id.as_str());
        let event = if shipment.lines.is_empty() {
            self.event(Metric::ShippedOrder, part, shipment.at, self.total())
        } else {
            Event {
                value: sum_of_lines(&shipment.lines, self.currency()),
                properties: self.describe(Some(&shipment.lines)),
                ..self.bare(Metric::ShippedOrder, part, shipment.at)
            }
        };
        extend(event, |properties| {
            properties
                .list("TrackingNumbers", shipment.tracking_numbers.iter().map(String::as_str))
                .text("TrackingCompany", shipment.company.as_deref())
        })
    }

    /// One refund of possibly several. Whether it paid back all is said only where the total is known.
    fn refunded(&self, refund: &Refund, paid: Money) -> Event {
        let value = Money { currency: paid.currency.or(self.currency()), ..paid };
        let full = self.total().map(|total| value.currency == total.currency && value.amount >= total.amount);
        let event = self.event(Metric::RefundedOrder, Some(&refund.refund_id), refund.at, Some(value));
        extend(event, |mut properties| {
            if let Some(full) = full {
                properties = properties.set("Is Full Refund", full);
            }
            properties.text("RefundId", Some(&refund.refund_id)).text("Reason", refund.reason.as_deref())
        })
    }

    /// All refunds of the snapshot as one event, at the time and with the words of the latest. `None` as
    /// long as no refund with money is known: the snapshot that has it will follow.
    fn fully_refunded(&self) -> Option<Event> {
        let paid: Vec<_> = self.snapshot.refunds.iter().filter_map(with_money).collect();
        let (latest, _) = paid.iter().max_by_key(|(refund, _)| (refund.at, &refund.refund_id))?;
        let event = self.event(Metric::RefundedOrder, None, latest.at, self.sum(&paid));
        Some(extend(event, |properties| {
            properties
                .set("Is Full Refund", true)
                .text("RefundId", Some(&latest.refund_id))
                .text("Reason", latest.reason.as_deref())
        }))
    }

    /// `None` for a mixture of currencies, which has no sum.
    fn sum(&self, paid: &[(&Refund, Money)]) -> Option<Money> {
        let currency = self.currency().or(paid.first()?.1.currency);
        let amount = paid.iter().try_fold(Decimal::ZERO, |sum, (_, money)| {
            let same = money.currency.is_none() || money.currency == currency;
            same.then(|| sum.checked_add(money.amount)).flatten()
        })?;
        Some(Money { amount, currency })
    }
}

fn with_money(refund: &Refund) -> Option<(&Refund, Money)> {
    Some((refund, refund.amount.filter(|money| money.amount > Decimal::ZERO)?))
}

fn extend(mut event: Event, with: impl FnOnce(Properties) -> Properties) -> Event {
    event.properties = with(Properties::from(event.properties)).build();
    event
}
