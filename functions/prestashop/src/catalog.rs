//! Products.

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use platform::lenient::{self, Id, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::line::{brand, image_url, product_url};
use crate::payload::{Flag, ProductRecord};
use crate::person::{amount, reference, time, zone};

/// A product and its combinations.
pub(crate) fn product(reader: &mut Reader<'_>) -> Reading {
    let record: ProductRecord = lenient::object(&reader.delivery.body)?;
    let product = reader.dropped.take("product", record.product);
    let Object(product) = product.ok_or_else(|| Silence::Malformed("no usable product".to_owned()))?;
    let product_id = reader.identity("id", product.id)?;
    let connection = reader.connection;
    let dropped = &mut reader.dropped;
    let zone = zone(dropped, connection, record.time_zone);
    let combinations = dropped.list("combinations", record.combinations);
    let mut variants: Vec<_> = combinations
        .into_iter()
        .filter_map(|Object(combination)| {
            Some(CatalogVariant {
                variant_id: dropped.take("combinations.id", combination.id).map(|Id(id)| id)?,
                sku: dropped.take("combinations.reference", combination.reference),
                price: amount(dropped, "combinations.price_with_tax", combination.price_with_tax),
                ..CatalogVariant::default()
            })
        })
        .collect();
    let price = amount(dropped, "price_with_tax", product.price_with_tax);
    if variants.is_empty() {
        // A product without combinations is its own only variant; combination 0 stands for none in orders.
        let sku = dropped.take("reference", product.reference);
        variants.push(CatalogVariant {
            variant_id: product_id.clone(),
            sku,
            price,
            ..CatalogVariant::default()
        });
    }
    let lowest = variants.iter().filter_map(|variant| variant.price).min();
    let image = reference(dropped, "id_default_image", product.id_default_image);
    let active = dropped.take("active", product.active) == Some(Flag(true));
    let orderable = dropped.take("available_for_order", product.available_for_order) != Some(Flag(false));
    Ok(vec![Fact::Catalog(CatalogItem {
        url: product_url(connection, &product_id),
        product_id,
        updated_at: time(dropped, "date_upd", product.date_upd, &zone),
        title: dropped.take("name", product.name),
        description: dropped.take("description_short", product.description_short),
        image_url: image.and_then(|id| image_url(connection, &id)),
        brand: brand(&product.manufacturer_name),
        categories: dropped.take("category", product.category).into_iter().collect(),
        price: lowest.or(price),
        published: active && orderable,
        variants,
        ..CatalogItem::default()
    })])
}
