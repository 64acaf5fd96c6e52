//! Lines of orders, quotes and shipments.

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Field, Id, Object, Objects};

use crate::payload::Item;
use crate::person::amount;

/// Where a line comes from: what names it differs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Its own id.
    Order,
    /// The SKU: while a quote is not saved, its lines have no ids.
    Quote,
    /// The id of the order's line.
    Shipment,
}

/// The lines at the top. A configurable product has a row of its own with the price, and one below it for the variant
/// with the price 0; a bundle has a row with the price, and below it rows whose prices are parts of that price.
pub(crate) fn lines(dropped: &mut Dropped, origin: Origin, items: Objects<Item>) -> Vec<Line> {
    let items: Vec<Item> = dropped.list("items", items).into_iter().map(|Object(item)| item).collect();
    let (children, parents): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| parent(item).is_some());
    let lines = parents.into_iter().enumerate().map(|(index, item)| {
        let below: Vec<_> = match &item.item_id {
            Field::Is(id) => children.iter().filter(|child| parent(child) == Some(id)).collect(),
            _ => Vec::new(),
        };
        line(dropped, origin, index, item, &below)
    });
    lines.collect()
}

fn parent(item: &Item) -> Option<&Id> {
    if let Field::Is(id) = &item.parent_item_id { Some(id).filter(|Id(id)| id != "0") } else { None }
}

fn line(dropped: &mut Dropped, origin: Origin, index: usize, item: Item, below: &[&Item]) -> Line {
    let mut id = |name, field| dropped.take::<Id>(name, field).map(|Id(id)| id);
    let item_id = id("items.item_id", item.item_id);
    let order_item_id = id("items.order_item_id", item.order_item_id);
    let product_id = id("items.product_id", item.product_id);
    let sku = dropped.take("items.sku", item.sku);
    let line_id = match origin {
        Origin::Order => item_id,
        Origin::Quote => sku.clone().or(item_id),
        Origin::Shipment => order_item_id,
    };
    let kind = dropped.take("items.product_type", item.product_type).unwrap_or_default();
    let variant = below.first().filter(|_| kind == "configurable");
    let ordered = amount(dropped, "items.qty_ordered", item.qty_ordered);
    let quantity = ordered.or_else(|| amount(dropped, "items.qty", item.qty)).unwrap_or(Decimal::ONE);
    let unit_price = amount(dropped, "items.price", item.price);
    let row_total = amount(dropped, "items.row_total", item.row_total);
    let own = amount(dropped, "items.discount_amount", item.discount_amount).unwrap_or_default();
    // A bundle whose price is made of its parts has its discounts at the parts.
    let discount = if own == Decimal::ZERO { discounts(below) } else { Some(own.abs()) };
    let before = row_total.or_else(|| unit_price?.checked_mul(quantity));
    Line {
        line_id: line_id.or_else(|| product_id.clone()).unwrap_or_else(|| format!("#{index}")),
        product_id,
        variant_id: variant.and_then(|child| id_of(&child.product_id)),
        sku,
        name: dropped.take("items.name", item.name).unwrap_or_default(),
        variant_name: variant.and_then(|child| child.name.clone().ok()),
        quantity,
        unit_price,
        total: before.and_then(|before| Some(before.checked_sub(discount?)?.normalize())),
        gift_card: kind == "giftcard",
        ..Line::default()
    }
}

fn id_of(field: &Field<Id>) -> Option<String> {
    if let Field::Is(Id(id)) = field { Some(id.clone()) } else { None }
}

/// `None` for a sum that no decimal holds.
fn discounts(items: &[&Item]) -> Option<Decimal> {
    items.iter().try_fold(Decimal::ZERO, |sum, item| match item.discount_amount {
        Field::Is(discount) => sum.checked_add(discount.abs()),
        _ => Some(sum),
    })
}
