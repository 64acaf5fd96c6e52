//! Lines of orders, parcels and carts.

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Id, Object, Objects};

use crate::payload::{CartItem, CartItems, OrderProduct, ShipmentItem};
use crate::person;

/// The lines of an order, at prices that include tax as its total does. A line without an id is noted and left out.
pub(crate) fn of_order(dropped: &mut Dropped, products: Objects<OrderProduct>) -> Vec<Line> {
    let products = dropped.list("products", products);
    products.into_iter().filter_map(|Object(product)| of_order_product(dropped, product)).collect()
}

fn of_order_product(dropped: &mut Dropped, product: OrderProduct) -> Option<Line> {
    let Some(Id(line_id)) = dropped.take("products.id", product.id) else {
        dropped.note("products.id");
        return None;
    };
    let quantity = dropped.take("products.quantity", product.quantity).unwrap_or(Decimal::ONE);
    let unit_price = dropped.take("products.price_inc_tax", product.price_inc_tax);
    // The line's share of all discounts, those on the whole order included, is not in its total.
    let discounts = dropped.list("products.applied_discounts", product.applied_discounts);
    let discount = discounts.into_iter().try_fold(Decimal::ZERO, |sum, Object(discount)| {
        sum.checked_add(dropped.take("products.applied_discounts", discount.amount).unwrap_or_default())
    });
    let total = dropped
        .take("products.total_inc_tax", product.total_inc_tax)
        .or_else(|| unit_price?.checked_mul(quantity))
        .and_then(|total| total.checked_sub(discount?));
    let options = dropped.list("products.product_options", product.product_options);
    let options: Vec<String> = options
        .into_iter()
        .filter_map(|Object(option)| dropped.take("products.product_options", option.display_value))
        .collect();
    let certificate = person::id(dropped, "products.gift_certificate_id", product.gift_certificate_id);
    Some(Line {
        line_id,
        product_id: person::id(dropped, "products.product_id", product.product_id),
        variant_id: person::id(dropped, "products.variant_id", product.variant_id),
        sku: dropped.take("products.sku", product.sku),
        name: dropped.take("products.name", product.name).unwrap_or_default(),
        variant_name: joined(&options),
        quantity,
        unit_price,
        total,
        brand: dropped.take("products.brand", product.brand),
        gift_card: certificate.is_some() || product.kind.is("giftcertificate"),
        ..Line::default()
    })
}

/// What is in a parcel: its share of the ordered lines. Of a line that the order does not have nothing is known.
pub(crate) fn of_shipment(
    dropped: &mut Dropped,
    items: Objects<ShipmentItem>,
    ordered: &[Line],
) -> Vec<Line> {
    let name = "shipments.items";
    let items = dropped.list(name, items);
    let lines = items.into_iter().filter_map(|Object(item)| {
        let Id(line_id) = dropped.take(name, item.order_product_id)?;
        let quantity = dropped.take(name, item.quantity);
        let whole = ordered.iter().find(|line| line.line_id == line_id)?;
        Some(part(whole, quantity.unwrap_or(whole.quantity)))
    });
    lines.collect()
}

fn part(whole: &Line, quantity: Decimal) -> Line {
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

/// The lines of a cart, of all its four kinds.
pub(crate) fn of_cart(dropped: &mut Dropped, items: CartItems) -> Vec<Line> {
    let mut lines = Vec::new();
    for items in [items.physical_items, items.digital_items, items.custom_items] {
        let items = dropped.list("line_items", items);
        lines.extend(items.into_iter().filter_map(|Object(item)| of_cart_item(dropped, item)));
    }
    for Object(item) in dropped.list("line_items.gift_certificates", items.gift_certificates) {
        let line = of_cart_item(dropped, item);
        lines.extend(line.map(|line| Line { gift_card: true, ..line }));
    }
    lines
}

fn of_cart_item(dropped: &mut Dropped, item: CartItem) -> Option<Line> {
    let Some(Id(line_id)) = dropped.take("line_items.id", item.id) else {
        dropped.note("line_items.id");
        return None;
    };
    let options = dropped.list("line_items.options", item.options);
    let options: Vec<String> = options
        .into_iter()
        .filter_map(|Object(option)| dropped.take("line_items.options", option.value))
        .collect();
    let amount = dropped.take("line_items.amount", item.amount);
    let on_sale = dropped.take("line_items.extended_sale_price", item.extended_sale_price);
    Some(Line {
        line_id,
        product_id: person::id(dropped, "line_items.product_id", item.product_id),
        variant_id: person::id(dropped, "line_items.variant_id", item.variant_id),
        sku: dropped.take("line_items.sku", item.sku),
        name: dropped.take("line_items.name", item.name).unwrap_or_default(),
        variant_name: joined(&options),
        quantity: dropped.take("line_items.quantity", item.quantity).unwrap_or(Decimal::ONE),
        unit_price: dropped.take("line_items.list_price", item.list_price).or(amount),
        total: on_sale.or_else(|| dropped.take("line_items.extended_list_price", item.extended_list_price)),
        image_url: dropped.take("line_items.image_url", item.image_url),
        product_url: dropped.take("line_items.url", item.url),
        ..Line::default()
    })
}

/// A variant has no name of its own: its options' values are one.
pub(crate) fn joined(options: &[String]) -> Option<String> {
    Some(options.join(" / ")).filter(|name| !name.is_empty())
}
