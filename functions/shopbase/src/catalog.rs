//! Products.

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use platform::lenient::{self, Dropped, Object};
use platform::reading::{Reader, Reading};

use crate::payload;
use crate::value::{Price, given, id, identity, time};

/// A product and its variants.
pub(crate) fn product(reader: &mut Reader<'_>) -> Reading {
    let product: payload::Product = lenient::object(&reader.delivery.body)?;
    let product_id = identity(reader, "id", product.id)?;
    let dropped = &mut reader.dropped;
    let variants = dropped.list("variants", product.variants);
    let variants: Vec<_> =
        variants.into_iter().filter_map(|Object(variant)| self::variant(dropped, variant)).collect();
    let images = dropped.list("images", product.images);
    let main_image = given(dropped, "image", product.image);
    let published_at = time(dropped, "published_at", product.published_at);
    Ok(vec![Fact::Catalog(CatalogItem {
        product_id,
        updated_at: time(dropped, "updated_at", product.updated_at),
        deleted: false,
        title: dropped.take("title", product.title),
        description: dropped.take("body_html", product.body_html),
        url: None,
        image_url: main_image.into_iter().chain(images).find_map(|Object(image)| image.src.ok()),
        brand: dropped.take("vendor", product.vendor),
        categories: dropped.take("product_type", product.product_type).into_iter().collect(),
        price: variants.iter().filter_map(|variant| variant.price).min(),
        published: dropped.take("published", product.published).unwrap_or(published_at.is_some()),
        variants,
    })])
}

fn variant(dropped: &mut Dropped, variant: payload::Variant) -> Option<CatalogVariant> {
    let Some(variant_id) = id(dropped, "variants.id", variant.id) else {
        dropped.note("variants.id");
        return None;
    };
    Some(CatalogVariant {
        variant_id,
        title: dropped.take("variants.title", variant.title),
        sku: dropped.take("variants.sku", variant.sku),
        price: dropped.take("variants.price", variant.price).map(|Price(money)| money.amount),
        inventory_quantity: dropped.take("variants.inventory_quantity", variant.inventory_quantity),
    })
}

/// A removed product.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let product: payload::Product = lenient::object(&reader.delivery.body)?;
    let product_id = identity(reader, "id", product.id)?;
    // It was there until now, whenever it was changed before.
    let updated_at = Some(reader.received_at());
    Ok(vec![Fact::Catalog(CatalogItem { product_id, updated_at, deleted: true, ..CatalogItem::default() })])
}
