//! Lines of orders, and amounts that may or may not contain tax.

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Field, Object, Objects};

use crate::entity::decode_text;
use crate::payload::LineItem;
use crate::record;

/// How a shop states its prices.
#[derive(Clone, Copy)]
pub(crate) struct Pricing {
    /// Its prices contain tax. The record's amounts never do: tax is beside them.
    pub(crate) include_tax: bool,
    /// Decimals of the order's total.
    pub(crate) decimals: u32,
}

impl Pricing {
    /// An amount as the shop states its prices. `tax` is left alone where prices are without.
    pub(crate) fn amount(self, net: Option<Decimal>, tax: Option<Decimal>) -> Option<Decimal> {
        let net = without_noise(net?);
        if self.include_tax { net.checked_add(without_noise(tax.unwrap_or_default())) } else { Some(net) }
    }
}

/// What is behind the tenth decimal is the binary noise of a number such as 10.799999999999999.
fn without_noise(amount: Decimal) -> Decimal {
    if amount.scale() > 10 { amount.round_dp(10).normalize() } else { amount }
}

/// Lines of an order or of a checkout.
pub(crate) fn lines(dropped: &mut Dropped, pricing: Pricing, items: Objects<LineItem>) -> Vec<Line> {
    let items = dropped.list("line_items", items).into_iter().enumerate();
    items.map(|(index, Object(item))| line(dropped, pricing, index, item)).collect()
}

fn line(dropped: &mut Dropped, pricing: Pricing, index: usize, item: LineItem) -> Line {
    let line_id = record::id(dropped, "line_items.id", item.id);
    let product_id = record::id(dropped, "line_items.product_id", item.product_id);
    let variant_id = record::id(dropped, "line_items.variation_id", item.variation_id);
    let quantity = dropped.take("line_items.quantity", item.quantity).unwrap_or(Decimal::ONE);
    let mut amount = |name, net, tax_name, tax| {
        let net = dropped.take(name, net);
        let tax = if pricing.include_tax { dropped.take(tax_name, tax) } else { None };
        pricing.amount(net, tax)
    };
    let subtotal = amount("line_items.subtotal", item.subtotal, "line_items.subtotal_tax", item.subtotal_tax);
    let total = amount("line_items.total", item.total, "line_items.total_tax", item.total_tax);
    // `price` is what one costs after discounts: only where nothing better is said.
    let price = amount("line_items.price", item.price, "line_items.price", Field::Absent);
    let unit_price = subtotal.and_then(|subtotal| {
        // More decimals than the prices have would be an invention.
        let decimals = pricing.decimals.max(subtotal.scale());
        Some(subtotal.checked_div(quantity)?.round_dp(decimals))
    });

    let name = dropped.take("line_items.name", item.name).map(|name| decode_text(&name));
    let parent = dropped.take("line_items.parent_name", item.parent_name).map(|name| decode_text(&name));
    let variant_name = variant_name(name.as_deref(), parent.as_deref());
    let image = dropped.take("line_items.image", item.image);
    Line {
        line_id: line_id
            .or_else(|| variant_id.clone())
            .or_else(|| product_id.clone())
            .unwrap_or_else(|| format!("#{index}")),
        product_id,
        variant_id,
        sku: dropped.take("line_items.sku", item.sku),
        name: parent.or(name).unwrap_or_default(),
        variant_name,
        quantity,
        unit_price: unit_price.or(price),
        total,
        image_url: image.and_then(|Object(image)| dropped.take("line_items.image", image.src)),
        ..Line::default()
    }
}

/// A variation's name begins with its product's: `Cap - Blue, M`.
fn variant_name(name: Option<&str>, parent: Option<&str>) -> Option<String> {
    let rest = name?.strip_prefix(parent?)?.trim_start_matches([' ', '-', '–', ',']).trim_end();
    (!rest.is_empty()).then(|| rest.to_owned())
}
