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
    pub(crate) total: Decimal,
    pub(crate) codes: Vec<String>,
}

impl Discounts {
    pub(crate) fn add(&mut self, dropped: &mut Dropped, adjustments: Objects<payload::Adjustment>) {
        for Object(adjustment) in dropped.list("priceAdjustments", adjustments) {
            let price = dropped.take("priceAdjustments", adjustment.price).unwrap_or_default();
            if price < Decimal::ZERO {
                // A sum that a decimal cannot hold is not worth more than the one before it.
                self.total = self.total.checked_sub(price).unwrap_or(self.total);
            }
            if let Some(code) = dropped.take("priceAdjustments", adjustment.coupon_code) {
                self.code(code);
            }
        }
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
    let Id(position) = dropped.take("position", item.position).unwrap_or_else(|| Id(index.to_string()));
    let id = dropped.take("itemId", item.item_id);
    let product_id = dropped.take("productId", item.product_id).map(|Id(id)| id);
    let name = dropped.take("productName", item.product_name);
    let name = name.or_else(|| dropped.take("itemText", item.item_text)).or_else(|| product_id.clone());
    discounts.add(dropped, item.price_adjustments);

    let mut unit_price = dropped.take("basePrice", item.base_price);
    let full_price = dropped.take("price", item.price);
    let mut total = dropped.take("priceAfterItemDiscount", item.price_after_item_discount).or(full_price);
    let mut options = Vec::new();
    for Object(option) in dropped.list("optionItems", item.option_items) {
        let price = dropped.take("optionItems", option.base_price);
        unit_price = unit_price.zip(price).map_or(unit_price, |(sum, price)| sum.checked_add(price));
        let price = dropped.take("optionItems", option.price_after_item_discount);
        let price = price.or_else(|| dropped.take("optionItems", option.price));
        total = total.zip(price).map_or(total, |(sum, price)| sum.checked_add(price));
        discounts.add(dropped, option.price_adjustments);
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
        quantity: dropped.take("quantity", item.quantity).unwrap_or(Decimal::ONE),
        unit_price,
        total,
        extra,
        ..Line::default()
    };
    (line, dropped.take("shipmentId", item.shipment_id).map(|Id(id)| id))
}

/// A gift certificate that was bought; who gets it is not said.
pub(crate) fn gift_certificate(dropped: &mut Dropped, index: usize, item: payload::GiftCertificate) -> Line {
    let id = dropped.take("giftCertificateItemId", item.gift_certificate_item_id);
    Line {
        line_id: id.map_or_else(|| format!("gift-certificate-{index}"), |Id(id)| id),
        name: "Gift Certificate".to_owned(),
        quantity: Decimal::ONE,
        unit_price: dropped.take("giftCertificateItems", item.amount),
        gift_card: true,
        ..Line::default()
    }
}
