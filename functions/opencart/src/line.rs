//! Lines of orders, and links to products.

use std::collections::BTreeMap;
use std::fmt::Write;

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::Connection;
use platform::lenient::{Dropped, Field, Object, Objects};

use crate::feed::shop_url;
use crate::money::Rate;
use crate::payload::{OrderOption, OrderProduct};
use crate::person::reference;

/// The lines of an order. Prices are without tax, as the order's own sub-total is.
pub(crate) fn lines(
    dropped: &mut Dropped,
    connection: &Connection,
    rate: &Rate,
    products: Objects<OrderProduct>,
) -> Vec<Line> {
    let products = dropped.list("products", products);
    let mut rows: BTreeMap<String, u32> = BTreeMap::new();
    let lines = products.into_iter().enumerate().map(|(index, Object(product))| {
        let product_id = reference(dropped, "products.product_id", product.product_id);
        // Rows get new ids whenever an order is edited: a line is named by its product, and a further row by its number.
        let line_id = product_id.clone().map(|id| {
            let row = rows.entry(id.clone()).or_default();
            *row += 1;
            if *row == 1 { id } else { format!("{id}-{row}") }
        });
        let quantity = dropped.take("products.quantity", product.quantity).unwrap_or(Decimal::ONE);
        let sku = dropped.take("products.sku", product.sku);
        let image = dropped.take("products.image", product.image);
        Line {
            line_id: line_id.unwrap_or_else(|| format!("#{index}")),
            // The model is the nearest to a stock-keeping unit that an order itself has.
            sku: sku.or_else(|| dropped.take("products.model", product.model)),
            name: dropped.take("products.name", product.name).unwrap_or_default(),
            variant_name: options(dropped, product.options),
            quantity: quantity.normalize(),
            unit_price: rate.convert(dropped, "products.price", product.price),
            total: rate.convert(dropped, "products.total", product.total),
            categories: texts(dropped, "products.categories", product.categories),
            brand: dropped.take("products.manufacturer", product.manufacturer),
            image_url: image.and_then(|path| image_url(connection, &path)),
            product_url: product_id.as_deref().and_then(|id| product_url(connection, id)),
            product_id,
            ..Line::default()
        }
    });
    lines.collect()
}

/// What was chosen, such as `Colour: Blue, Size: S`.
fn options(dropped: &mut Dropped, options: Objects<OrderOption>) -> Option<String> {
    let options = dropped.list("products.options", options);
    let chosen = options.into_iter().filter_map(|Object(option)| {
        let value = dropped.take("products.options.value", option.value)?;
        Some(match dropped.take("products.options.name", option.name) {
            Some(name) => format!("{name}: {value}"),
            None => value,
        })
    });
    let chosen: Vec<_> = chosen.collect();
    Some(chosen.join(", ")).filter(|text| !text.is_empty())
}

/// A list of texts, without those that are bad.
pub(crate) fn texts(
    dropped: &mut Dropped,
    name: &'static str,
    field: Field<Vec<Field<String>>>,
) -> Vec<String> {
    dropped.list(name, field)
}

/// A product's page, by the address that works with every setting of the shop's.
pub(crate) fn product_url(connection: &Connection, id: &str) -> Option<String> {
    let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let shop_url = shop_url(connection).filter(|_| digits)?;
    Some(format!("{shop_url}/index.php?route=product/product&product_id={id}"))
}

/// A picture as it was uploaded: paths are relative to the folder of images.
pub(crate) fn image_url(connection: &Connection, path: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return None;
    }
    let mut url = format!("{}/image/", shop_url(connection)?);
    for byte in path.bytes() {
        if plain(byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    Some(url)
}
