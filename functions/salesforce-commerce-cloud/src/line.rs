//! Lines, and what was taken off.

use std::collections::BTreeMap;

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Id, Object, Objects};
use serde_json::Value;

use crate::{custom, payload};

/// What price adjustments took off, and the codes they name.
#[derive(Default)]
pub(crate) struct Discounts {
    /// Whether the site's prices have the tax in them.
    pub(crate) is_gross: bool,
    pub(crate) total: Decimal,
    pub(crate) codes: Vec<String>,
}

impl Discounts {
    /// All adjustments of a thing together, surcharges included.
    pub(crate) fn add(
        &mut self,
        dropped: &mut Dropped,
        adjustments: Objects<payload::Adjustment>,
    ) -> Decimal {
        let mut sum = Decimal::ZERO;
        for Object(adjustment) in dropped.list("priceAdjustments", adjustments) {
            let base = dropped.take("priceAdjustments", adjustment.base_price);
            let price = base.or_else(|| self.price(dropped, "priceAdjustments", adjustment.price));
            let price = price.unwrap_or_default();
            // A sum that a decimal cannot hold is not worth more than the one before it.
            sum = sum.checked_add(price).unwrap_or(sum);
            if price < Decimal::ZERO {
                self.total = self.total.checked_sub(price).unwrap_or(self.total);
            }
            if let Some(code) = dropped.take("priceAdjustments", adjustment.coupon_code) {
                self.code(code);
            }
        }
        sum
    }

    /// A price as the site counts.
    fn price(&self, dropped: &mut Dropped, name: &'static str, price: payload::Price) -> Option<Decimal> {
        let mut take = |field| dropped.take(name, field);
        let (price, gross, net) = (take(price.price), take(price.gross_price), take(price.net_price));
        price.or(if self.is_gross { gross.or(net) } else { net.or(gross) })
    }

    pub(crate) fn code(&mut self, code: String) {
        if !self.codes.contains(&code) {
            self.codes.push(code);
        }
    }
}

/// One line, and the shipment it is in. Its price includes that of its options; what a bundle consists of is no line.
pub(crate) fn line(
    dropped: &mut Dropped,
    discounts: &mut Discounts,
    index: usize,
    item: payload::Item,
) -> (Line, Option<String>) {
    let position = dropped.take("position", item.position).map(|position| position.normalize());
    let position = position.unwrap_or_else(|| index.into());
    let id = dropped.take("itemId", item.item_id);
    let product_id = dropped.take("productId", item.product_id).map(|Id(id)| id);
    let name = dropped.take("productName", item.product_name);
    let name = name.or_else(|| dropped.take("itemText", item.item_text)).or_else(|| product_id.clone());

    let mut unit_price = dropped.take("basePrice", item.base_price);
    let adjusted = discounts.add(dropped, item.price_adjustments);
    let price = discounts.price(dropped, "price", item.price);
    let mut total = dropped
        .take("priceAfterItemDiscount", item.price_after_item_discount)
        .or_else(|| price?.checked_add(adjusted));
    let mut options = Vec::new();
    for Object(option) in dropped.list("optionItems", item.option_items) {
        let price = dropped.take("optionItems", option.base_price);
        unit_price = unit_price.zip(price).map_or(unit_price, |(sum, price)| sum.checked_add(price));
        let adjusted = discounts.add(dropped, option.price_adjustments);
        let price = discounts.price(dropped, "optionItems", option.price);
        let price = dropped
            .take("optionItems", option.price_after_item_discount)
            .or_else(|| price?.checked_add(adjusted));
        total = total.zip(price).map_or(total, |(sum, price)| sum.checked_add(price));
        options.extend(dropped.take("optionItems", option.item_text).map(Value::String));
    }
    let mut extra: BTreeMap<String, Value> = custom::attributes(dropped, item.rest).collect();
    if !options.is_empty() {
        extra.insert("Options".to_owned(), options.into());
    }
    let mut bundled = Vec::new();
    for Object(part) in dropped.list("bundledProductItems", item.bundled_product_items) {
        let name = dropped.take("bundledProductItems", part.product_name);
        let name = name.or_else(|| dropped.take("bundledProductItems", part.item_text));
        bundled.extend(name.map(Value::String));
    }
    if !bundled.is_empty() {
        extra.insert("Bundled Products".to_owned(), bundled.into());
    }
    if dropped.take("bonusProductLineItem", item.bonus_product_line_item) == Some(true) {
        extra.insert("Is Bonus".to_owned(), true.into());
    }
    let line = Line {
        line_id: id.map_or_else(|| format!("position-{position}"), |Id(id)| id),
        variant_id: product_id.clone(),
        sku: product_id.clone(),
        product_id,
        name: name.unwrap_or_default(),
        brand: dropped.take("brand", item.brand),
        quantity: dropped.take("quantity", item.quantity).unwrap_or(Decimal::ONE),
        unit_price,
        total,
        extra,
        ..Line::default()
    };
    (line, dropped.take("shipmentId", item.shipment_id).map(|Id(id)| id))
}

/// A gift certificate that was bought, and the shipment it is in; who gets it is not said.
pub(crate) fn gift_certificate(
    dropped: &mut Dropped,
    discounts: &Discounts,
    index: usize,
    item: payload::GiftCertificate,
) -> (Line, Option<String>) {
    let id = dropped.take("giftCertificateItemId", item.gift_certificate_item_id);
    let amount = dropped.take("giftCertificateItems", item.amount);
    let line = Line {
        line_id: id.map_or_else(|| format!("gift-certificate-{index}"), |Id(id)| id),
        name: "Gift Certificate".to_owned(),
        quantity: Decimal::ONE,
        unit_price: amount.or_else(|| discounts.price(dropped, "giftCertificateItems", item.price)),
        gift_card: true,
        ..Line::default()
    };
    (line, dropped.take("shipmentId", item.shipment_id).map(|Id(id)| id))
}
