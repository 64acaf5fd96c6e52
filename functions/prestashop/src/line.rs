//! Lines of orders and carts, and what they take from products.

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::Connection;
use platform::lenient::{Dropped, Field, Id, Object};
use serde_json::Value;

use crate::payload::{CartRow, OrderRow, Product};
use crate::person::{amount, reference};
use crate::webservice::shop_url;

/// The lines of an order.
pub(crate) fn ordered(
    dropped: &mut Dropped,
    connection: &Connection,
    rows: Vec<Object<OrderRow>>,
) -> Vec<Line> {
    let lines = rows.into_iter().enumerate().map(|(index, Object(row))| {
        let product_id = reference(dropped, "rows.product_id", row.product_id);
        let line_id = dropped.take("rows.id", row.id).map(|Id(id)| id);
        let line = Line {
            line_id: line_id.or_else(|| product_id.clone()).unwrap_or_else(|| format!("#{index}")),
            product_id,
            variant_id: reference(dropped, "rows.product_attribute_id", row.product_attribute_id),
            sku: dropped.take("rows.product_reference", row.product_reference),
            name: dropped.take("rows.product_name", row.product_name).unwrap_or_default(),
            quantity: amount(dropped, "rows.product_quantity", row.product_quantity).unwrap_or(Decimal::ONE),
            unit_price: amount(dropped, "rows.unit_price_tax_incl", row.unit_price_tax_incl),
            ..Line::default()
        };
        described(dropped, connection, line, row.product)
    });
    lines.collect()
}

/// The lines of a cart, which have no prices. What names one is what is in it.
pub(crate) fn in_cart(
    dropped: &mut Dropped,
    connection: &Connection,
    rows: Vec<Object<CartRow>>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for Object(row) in rows {
        let Some(product_id) = reference(dropped, "rows.id_product", row.id_product) else { continue };
        let variant_id = reference(dropped, "rows.id_product_attribute", row.id_product_attribute);
        let customization = reference(dropped, "rows.id_customization", row.id_customization);
        let parts = [Some(&product_id), variant_id.as_ref(), customization.as_ref()];
        let line_id = parts.map(|part| part.map_or("0", String::as_str)).join("-");
        let quantity = amount(dropped, "rows.quantity", row.quantity).unwrap_or(Decimal::ONE);
        // One product for two addresses has two rows.
        if let Some(line) = lines.iter_mut().find(|line| line.line_id == line_id) {
            line.quantity = line.quantity.saturating_add(quantity);
            continue;
        }
        let line = Line { line_id, product_id: Some(product_id), variant_id, quantity, ..Line::default() };
        lines.push(described(dropped, connection, line, row.product));
    }
    lines
}

/// With what the product's own row says, as far as the line does not.
fn described(
    dropped: &mut Dropped,
    connection: &Connection,
    mut line: Line,
    product: Field<Object<Product>>,
) -> Line {
    line.product_url = line.product_id.as_deref().and_then(|id| product_url(connection, id));
    let Some(Object(product)) = dropped.take("rows.product", product) else { return line };
    if line.name.is_empty() {
        line.name = dropped.take("rows.product.name", product.name).unwrap_or_default();
    }
    line.sku = line.sku.or_else(|| dropped.take("rows.product.reference", product.reference));
    line.categories = dropped.take("rows.product.category", product.category).into_iter().collect();
    line.brand = brand(&product.manufacturer_name);
    let image = reference(dropped, "rows.product.id_default_image", product.id_default_image);
    line.image_url = image.and_then(|id| image_url(connection, &id));
    line
}

/// A brand's name.
pub(crate) fn brand(name: &Value) -> Option<String> {
    name.as_str().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// A product's page, by the address that works with every setting of the shop's; it leads on to the pretty one.
pub(crate) fn product_url(connection: &Connection, id: &str) -> Option<String> {
    Some(format!("{}/index.php?controller=product&id_product={}", shop_url(connection)?, digits(id)?))
}

/// An image as it was uploaded: image 123 lies in `/img/p/1/2/3/`.
pub(crate) fn image_url(connection: &Connection, id: &str) -> Option<String> {
    let id = digits(id)?;
    let folders: String = id.chars().flat_map(|digit| [digit, '/']).collect();
    Some(format!("{}/img/p/{folders}{id}.jpg", shop_url(connection)?))
}

fn digits(id: &str) -> Option<&str> {
    (!id.is_empty() && id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}
