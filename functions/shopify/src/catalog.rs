//! Products.

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use platform::lenient::{self, Object};

use crate::payload;
use crate::reader::Reader;
use platform::reading::Reading;

/// A product and its variants.
pub(crate) fn product(reader: &mut Reader<'_>) -> Reading {
    let product: payload::Product = lenient::object(&reader.delivery.body)?;
    let product_id = reader.identity("id", product.id)?;
    let variants = reader.dropped.list("variants", product.variants);
    let variants: Vec<_> =
        variants.into_iter().filter_map(|Object(variant)| self::variant(reader, variant)).collect();
    let triggered_at = reader.triggered_at();
    let handle = reader.dropped.take("handle", product.handle);
    let url = handle.and_then(|handle| Some(format!("https://{}/products/{handle}", reader.shop()?)));

    let dropped = &mut reader.dropped;
    let images = dropped.list("images", product.images);
    let main_image = dropped.take("image", product.image);
    let image_url = main_image.into_iter().chain(images).find_map(|Object(image)| image.src.ok());
    let active = dropped.take("status", product.status).is_none_or(|status| status == "active");
    let published = dropped.take("published_at", product.published_at).is_some();
    Ok(vec![Fact::Catalog(CatalogItem {
        product_id,
        updated_at: dropped.take("updated_at", product.updated_at).or(triggered_at),
        deleted: false,
        title: dropped.take("title", product.title),
        description: dropped.take("body_html", product.body_html),
        url,
        image_url,
        brand: dropped.take("vendor", product.vendor),
        categories: dropped.take("product_type", product.product_type).into_iter().collect(),
        price: variants.iter().filter_map(|variant| variant.price).min(),
        published: active && published,
        variants,
    })])
}

fn variant(reader: &mut Reader<'_>, variant: payload::Variant) -> Option<CatalogVariant> {
    let Some(variant_id) = reader.id("variants.id", variant.id) else {
        reader.dropped.note("variants.id");
        return None;
    };
    let dropped = &mut reader.dropped;
    Some(CatalogVariant {
        variant_id,
        title: dropped.take("variants.title", variant.title),
        sku: dropped.take("variants.sku", variant.sku),
        price: dropped.take("variants.price", variant.price),
        inventory_quantity: dropped.take("variants.inventory_quantity", variant.inventory_quantity),
    })
}

/// A removed product: its body names nothing but the id.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let product: payload::Product = lenient::object(&reader.delivery.body)?;
    let product_id = reader.identity("id", product.id)?;
    let updated_at = reader.triggered_at();
    Ok(vec![Fact::Catalog(CatalogItem { product_id, updated_at, deleted: true, ..CatalogItem::default() })])
}
