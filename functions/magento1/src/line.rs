//! Lines of orders, and what of them is in a parcel.

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Field, Id, Object, Objects};

use crate::payload::Item;
use crate::value::amount;

/// The lines at the top. A configurable product has a row of its own with the price, and one below it for the variant
/// with the price 0; a bundle has a row with the price, and below it rows whose prices are parts of that price.
pub(crate) fn lines(dropped: &mut Dropped, items: Objects<Item>) -> Vec<Line> {
    let items: Vec<Item> = dropped.list("items", items).into_iter().map(|Object(item)| item).collect();
    let (children, parents): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| parent(item).is_some());
    let lines = parents.into_iter().enumerate().map(|(index, item)| {
        let below: Vec<_> = match &item.item_id {
            Field::Is(id) => children.iter().filter(|child| parent(child) == Some(id)).collect(),
            Field::Absent | Field::Bad => Vec::new(),
        };
        line(dropped, index, item, &below)
    });
    lines.collect()
}

fn parent(item: &Item) -> Option<&Id> {
    if let Field::Is(id) = &item.parent_item_id { Some(id).filter(|Id(id)| id != "0") } else { None }
}

fn line(dropped: &mut Dropped, index: usize, item: Item, below: &[&Item]) -> Line {
    let mut id = |name, field| dropped.take::<Id>(name, field).map(|Id(id)| id);
    let item_id = id("items.item_id", item.item_id);
    let product_id = id("items.product_id", item.product_id);
    let kind = dropped.take("items.product_type", item.product_type).unwrap_or_default();
    let variant = below.first().filter(|_| kind == "configurable");
    let chosen: Vec<String> = dropped
        .list("items.attributes_info", item.attributes_info)
        .into_iter()
        .filter_map(|Object(attribute)| dropped.take("items.attributes_info", attribute.value))
        .collect();
    let chosen = Some(chosen.join(" / ")).filter(|chosen| !chosen.is_empty());
    let quantity = amount(dropped, "items.qty_ordered", item.qty_ordered).unwrap_or(Decimal::ONE);
    let unit_price = amount(dropped, "items.price", item.price);
    let row_total = amount(dropped, "items.row_total", item.row_total);
    let own = amount(dropped, "items.discount_amount", item.discount_amount).unwrap_or_default();
    // A bundle whose price is made of its parts has its discounts at the parts.
    let discount = if own == Decimal::ZERO { discounts(below) } else { Some(own.abs()) };
    let before = row_total.or_else(|| unit_price?.checked_mul(quantity));
    Line {
        line_id: item_id.or_else(|| product_id.clone()).unwrap_or_else(|| format!("#{index}")),
        product_id,
        variant_id: variant.and_then(|child| {
            if let Field::Is(Id(id)) = &child.product_id { Some(id.clone()) } else { None }
        }),
        sku: dropped.take("items.sku", item.sku),
        name: dropped.take("items.name", item.name).unwrap_or_default(),
        variant_name: chosen.or_else(|| variant.and_then(|child| child.name.clone().ok())),
        quantity,
        unit_price,
        total: before.and_then(|before| Some(before.checked_sub(discount?)?.normalize())),
        gift_card: kind == "giftcard",
        ..Line::default()
    }
}

/// `None` for a sum that no decimal holds.
fn discounts(items: &[&Item]) -> Option<Decimal> {
    items.iter().try_fold(Decimal::ZERO, |sum, item| match item.discount_amount {
        Field::Is(discount) => sum.checked_add(discount.abs()),
        Field::Absent | Field::Bad => Some(sum),
    })
}

/// What of an order's lines is in a parcel. Rows of variants, which are no lines of their own, are left out.
pub(crate) fn parts(dropped: &mut Dropped, items: Objects<Item>, ordered: &[Line]) -> Vec<Line> {
    let items = dropped.list("shipments.items", items).into_iter();
    items.filter_map(|Object(item)| part(dropped, item, ordered)).collect()
}

fn part(dropped: &mut Dropped, item: Item, ordered: &[Line]) -> Option<Line> {
    let Id(id) = dropped.take("shipments.items.order_item_id", item.order_item_id)?;
    let whole = ordered.iter().find(|line| line.line_id == id)?;
    let quantity = amount(dropped, "shipments.items.qty", item.qty).unwrap_or(whole.quantity);
    let total = if quantity == whole.quantity {
        whole.total
    } else {
        whole.unit_price.and_then(|price| price.checked_mul(quantity))
    };
    Some(Line { quantity, total, ..whole.clone() })
}
