//! Products.

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use platform::lenient::{Dropped, Field, Id, Object, Objects};
use platform::reading::{Reader, Reading};
use serde_json::Value;

use crate::order::time;
use crate::payload::{self, CustomAttribute};
use crate::person::{amount, either};
use crate::record::Record;
use crate::rest::base_url;

/// A product. Its categories are only numbers, and its brand is the number of an option: neither is read.
pub(crate) fn product(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let mut product: payload::Product = record.read()?;
    let product_id = reader.identity("entity_id", id(&mut product))?;
    let base_url = base_url(reader.connection);
    let suffix =
        reader.connection.settings.get("product_url_suffix").and_then(Value::as_str).unwrap_or(".html");
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let attributes = attributes(dropped, product.custom_attributes);
    let mut text = |name: &'static str, column: Field<String>| {
        dropped.take(name, column).or_else(|| attributes.iter().find(|(code, _)| code == name)?.1.clone())
    };
    let description = text("description", product.description)
        .or_else(|| text("short_description", product.short_description));
    let url = text("url_key", product.url_key).and_then(|key| Some(format!("{}/{key}{suffix}", base_url?)));
    let image = text("image", product.image).filter(|file| file.starts_with('/'));
    let image_url = image.and_then(|file| Some(format!("{}/media/catalog/product{file}", base_url?)));
    let enabled = text("status", product.status).is_none_or(|status| status == "1");
    // 1: not visible individually, as the variants of a configurable product are.
    let visible = text("visibility", product.visibility).is_none_or(|visibility| visibility != "1");

    let Object(extension) =
        dropped.take("extension_attributes", product.extension_attributes).unwrap_or_default();
    let stocks = [extension.stock_item, product.quantity_and_stock_status, product.stock_data];
    let quantity = stocks.into_iter().find_map(|stock| amount(dropped, "qty", stock.ok()?.0.qty));
    let links = dropped.list("configurable_product_links", extension.configurable_product_links);
    let price = amount(dropped, "price", product.price);
    let sku = dropped.take("sku", product.sku);
    let title = dropped.take("name", product.name);
    let kind = dropped.take("type_id", product.type_id);
    let variants = if kind.as_deref() == Some("configurable") {
        let variant = |Id(variant_id)| CatalogVariant { variant_id, ..CatalogVariant::default() };
        links.into_iter().map(variant).collect()
    } else {
        let variant_id = product_id.clone();
        vec![CatalogVariant { variant_id, title: None, sku, price, inventory_quantity: quantity }]
    };
    Ok(vec![Fact::Catalog(CatalogItem {
        product_id,
        updated_at: time(dropped, "updated_at", product.updated_at).or(record.sent_at).or(Some(received_at)),
        deleted: false,
        title,
        description,
        url,
        image_url,
        // A configurable product has no price of its own.
        price: price.filter(|price| !price.is_zero()),
        published: enabled && visible,
        variants,
        ..CatalogItem::default()
    })])
}

/// A product that is gone.
pub(crate) fn deleted(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    let mut product: payload::Product = record.read()?;
    let product_id = reader.identity("entity_id", id(&mut product))?;
    // Whatever time the record has is older than its end.
    let updated_at = record.sent_at.or(Some(reader.received_at()));
    Ok(vec![Fact::Catalog(CatalogItem { product_id, updated_at, deleted: true, ..CatalogItem::default() })])
}

fn id(product: &mut payload::Product) -> Field<Id> {
    let [entity_id, id, product_id] =
        [&mut product.entity_id, &mut product.id, &mut product.product_id].map(std::mem::take);
    either(either(entity_id, id), product_id)
}

/// Attributes by their codes; those that are no texts have no value.
fn attributes(dropped: &mut Dropped, attributes: Objects<CustomAttribute>) -> Vec<(String, Option<String>)> {
    let attributes = dropped.list("custom_attributes", attributes);
    let attributes = attributes.into_iter().filter_map(|Object(attribute)| {
        let value = match attribute.value {
            Value::String(text) => Some(text).filter(|text| !text.trim().is_empty()),
            _ => None,
        };
        Some((attribute.attribute_code.ok()?, value))
    });
    attributes.collect()
}
