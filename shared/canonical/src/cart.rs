//! Added to Cart: each time the quantity of a line grows.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::fact::{CartSnapshot, Line};
use crate::properties::Properties;
use crate::{Event, Instant, Metric, Money, Source};

/// The newest cart that was seen.
///
/// **Invariant:** snapshots of one time are united by the larger quantity, so that among those their order
/// does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// The source's time of the newest snapshot, in milliseconds.
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    pub updated_at_ms: Option<i64>,
    /// Quantities by line id.
    #[serde(rename = "q", skip_serializing_if = "BTreeMap::is_empty")]
    pub quantities: BTreeMap<String, Decimal>,
}

/// One Added to Cart for each line that has grown since the newest snapshot that was seen.
///
/// A snapshot that is older than that yields nothing, and neither does one without a time: it has no place
/// in the order. The id of an event is made from the cart, the line, the snapshot's time *and* the new
/// quantity: the quantity alone would let something that was taken out and put back collapse into the
/// first time, the time alone would do so with two changes within the source's clock tick.
pub fn advance(ledger: &Ledger, snapshot: &CartSnapshot, source: &Source) -> (Ledger, Vec<Event>) {
    let Some(at) = snapshot.updated_at else { return (ledger.clone(), Vec::new()) };
    let (now, before) = (Some(at.as_millis()), ledger.updated_at_ms);
    if now < before {
        return (ledger.clone(), Vec::new());
    }
    // The last line with an id describes it; a source that repeats an id means their sum.
    let mut lines: BTreeMap<&str, (Decimal, &Line)> = BTreeMap::new();
    for line in &snapshot.lines {
        let entry = lines.entry(&line.line_id).or_insert((Decimal::ZERO, line));
        *entry = (entry.0.saturating_add(line.quantity), line);
    }
    let mut quantities = if now == before { ledger.quantities.clone() } else { BTreeMap::new() };
    let mut events = Vec::new();
    for (line_id, (quantity, line)) in lines {
        let had = ledger.quantities.get(line_id).copied().unwrap_or_default();
        if quantity > had {
            events.push(added(snapshot, line, quantity, quantity.saturating_sub(had), at, source));
        }
        let newest = quantities.entry(line_id.to_owned()).or_default();
        *newest = quantity.max(*newest);
    }
    (Ledger { updated_at_ms: now, quantities }, events)
}

fn added(
    snapshot: &CartSnapshot,
    line: &Line,
    quantity: Decimal,
    growth: Decimal,
    at: Instant,
    source: &Source,
) -> Event {
    let millis = at.as_millis().to_string();
    let quantity_text = quantity.normalize().to_string();
    let key = [snapshot.cart_id.as_str(), &line.line_id, &millis, &quantity_text];
    // All of the line is new: its own total knows its discounts. Of a part, only the price is known.
    let amount =
        line.total.filter(|_| growth == line.quantity).or_else(|| line.unit_price?.checked_mul(growth));
    Event {
        value: amount.map(|amount| Money { amount, currency: snapshot.currency }),
        properties: Properties::default()
            .text("AddedItemProductName", Some(&line.name))
            .text("AddedItemProductID", line.product_id.as_deref())
            .text("AddedItemVariantID", line.variant_id.as_deref())
            .text("AddedItemVariantName", line.variant_name.as_deref())
            .text("AddedItemSKU", line.sku.as_deref())
            .list("AddedItemCategories", line.categories.iter().map(String::as_str))
            .text("AddedItemBrand", line.brand.as_deref())
            .text("AddedItemImageURL", line.image_url.as_deref())
            .text("AddedItemURL", line.product_url.as_deref())
            .number("AddedItemPrice", line.unit_price)
            .number("AddedItemQuantity", Some(growth))
            .items(&snapshot.lines)
            .text("CheckoutURL", snapshot.checkout_url.as_deref())
            .email_domain(&snapshot.person)
            .build(),
        ..Event::new(source, Metric::AddedToCart, &key, at)
    }
}
