//! Lines of orders, carts and parcels.

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Object, Objects};

use crate::api::site;
use crate::payload::{LineItem, ShipmentItem, either};
use crate::reader::Reader;

/// Lines of an order or a cart.
pub(crate) fn lines(reader: &mut Reader<'_>, items: Objects<LineItem>) -> Vec<Line> {
    let items = reader.dropped.list("items", items);
    items.into_iter().enumerate().map(|(index, Object(item))| line(reader, index, item)).collect()
}

fn line(reader: &mut Reader<'_>, index: usize, item: LineItem) -> Line {
    let line_id = reader.id("items.id", item.id);
    let variant = reader.dropped.take("items.variant", item.variant).map(|Object(variant)| variant);
    let variant = variant.unwrap_or_default();
    let variant_id = reader.id("items.variant_id", either(item.variant_id, variant.id));
    let product = reader.dropped.take("items.product", variant.product).map(|Object(product)| product);
    let product_id = product.map(|product| product.id).unwrap_or_default();
    let product_id = reader.id("items.product_id", either(variant.product_id, product_id));

    let dropped = &mut reader.dropped;
    let quantity = dropped.take("items.quantity", item.quantity).unwrap_or(Decimal::ONE);
    let unit_price = dropped.take("items.price", item.price);
    // Spree's own total of a line holds its taxes as well; discounts are below zero.
    let discounted = dropped.take("items.discounted_amount", item.discounted_amount);
    let discount = dropped.take("items.discount_total", either(item.discount_total, item.promo_total));
    let total = discounted
        .or_else(|| unit_price?.checked_mul(quantity)?.checked_sub(discount.unwrap_or_default().abs()));
    let slug = dropped.take("items.slug", item.slug);
    Line {
        // The place in the list does not change: lines are added at its end.
        line_id: line_id.or_else(|| variant_id.clone()).unwrap_or_else(|| format!("#{index}")),
        product_id,
        variant_id,
        sku: dropped.take("items.variant.sku", variant.sku),
        name: dropped.take("items.name", item.name).unwrap_or_default(),
        variant_name: dropped.take("items.options_text", item.options_text),
        quantity,
        unit_price,
        total,
        image_url: web_address(dropped.take("items.thumbnail_url", item.thumbnail_url)),
        product_url: slug.and_then(|slug| product_url(reader, &slug)),
        ..Line::default()
    }
}

/// The page of a product in the shop.
pub(crate) fn product_url(reader: &Reader<'_>, slug: &str) -> Option<String> {
    Some(format!("{}/products/{slug}", site(reader.connection, "storefront_url")?))
}

/// Only whole addresses: pictures are also given as paths within Spree.
pub(crate) fn web_address(text: Option<String>) -> Option<String> {
    text.filter(|text| text.starts_with("https://") || text.starts_with("http://"))
}

/// What a parcel holds of the order's lines; nothing where that is not said.
pub(crate) fn parts(reader: &mut Reader<'_>, items: Objects<ShipmentItem>, order: &[Line]) -> Vec<Line> {
    let items = reader.dropped.list("fulfillments.items", items);
    let parts = items.into_iter().filter_map(|Object(item)| {
        let line_id = reader.id("fulfillments.items.item_id", item.item_id)?;
        let whole = order.iter().find(|line| line.line_id == line_id)?;
        let quantity = reader.dropped.take("fulfillments.items.quantity", item.quantity);
        Some(share(whole, quantity.unwrap_or(whole.quantity)))
    });
    parts.collect()
}

/// A part of a line, with its share of what the whole line costs.
fn share(whole: &Line, quantity: Decimal) -> Line {
    let total = if quantity == whole.quantity {
        whole.total
    } else {
        // More decimals than the prices have would be an invention.
        whole.total.and_then(|total| {
            Some(total.checked_mul(quantity)?.checked_div(whole.quantity)?.round_dp(total.scale()))
        })
    };
    Line { quantity, total, ..whole.clone() }
}
