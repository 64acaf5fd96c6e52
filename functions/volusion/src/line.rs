//! Lines of carts, and what of them is in a parcel.

use std::collections::BTreeMap;

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Id, Object, Objects};

use crate::payload::{Item, Part};

/// Takes all lines out. Lines have no ids of their own: the variant names them, and its place among those of one
/// variant.
pub(crate) fn lines(dropped: &mut Dropped, items: Objects<Item>) -> Vec<Line> {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    let items = dropped.list("cart.items", items).into_iter().enumerate();
    items
        .map(|(index, Object(item))| {
            let line = line(dropped, item);
            let name = line.variant_id.as_ref().or(line.product_id.as_ref());
            let line_id = name.map_or_else(|| format!("#{index}"), |name| numbered(&mut named, name));
            Line { line_id, ..line }
        })
        .collect()
}

/// A name, with a number behind it from the second one on.
pub(crate) fn numbered(named: &mut BTreeMap<String, usize>, name: &str) -> String {
    let number = named.entry(name.to_owned()).or_default();
    *number += 1;
    if *number == 1 { name.to_owned() } else { format!("{name}#{number}") }
}

fn line(dropped: &mut Dropped, item: Item) -> Line {
    let Object(product) = dropped.take("cart.items.product", item.product).unwrap_or_default();
    let quantity = dropped.take("cart.items.quantity", item.quantity).unwrap_or(Decimal::ONE);
    let unit_price = dropped.take("cart.items.product.price", product.price);
    let image = product.image_metadata.ok().and_then(|Object(metadata)| metadata.image_link.ok());
    let mut id = |field| dropped.take("cart.items.product.id", field).map(|Id(id)| id);
    Line {
        product_id: id(product.id),
        variant_id: id(product.product_variant_id),
        sku: dropped.take("cart.items.product.sku", product.sku),
        name: dropped.take("cart.items.product.name", product.name).unwrap_or_default(),
        quantity,
        unit_price,
        total: unit_price.and_then(|price| price.checked_mul(quantity)),
        image_url: image.and_then(|Object(link)| link.full_uri.ok()),
        ..Line::default()
    }
}

/// A parcel's lines: parts of the ordered ones, at their price.
pub(crate) fn parts(dropped: &mut Dropped, parts: Objects<Part>, ordered: &[Line]) -> Vec<Line> {
    let parts = dropped.list("fulfillmentLifecycle.products", parts);
    parts
        .into_iter()
        .enumerate()
        .map(|(index, Object(part))| self::part(dropped, index, part, ordered))
        .collect()
}

fn part(dropped: &mut Dropped, index: usize, part: Part, ordered: &[Line]) -> Line {
    let name = "fulfillmentLifecycle.products";
    let variant_id = dropped.take(name, part.product_variant_id).map(|Id(id)| id);
    let product_id = dropped.take(name, part.id).map(|Id(id)| id);
    let quantity = dropped.take(name, part.quantity).unwrap_or(Decimal::ONE);
    let same = |line: &&Line| match &variant_id {
        Some(variant) => line.variant_id.as_ref() == Some(variant),
        None => product_id.is_some() && line.product_id == product_id,
    };
    if let Some(whole) = ordered.iter().find(same) {
        let total = whole.unit_price.and_then(|price| price.checked_mul(quantity));
        return Line { quantity, total, ..whole.clone() };
    }
    let line_id = variant_id.as_ref().or(product_id.as_ref()).cloned();
    Line {
        line_id: line_id.unwrap_or_else(|| format!("#{index}")),
        product_id,
        variant_id,
        name: dropped.take(name, part.name).unwrap_or_default(),
        quantity,
        ..Line::default()
    }
}
