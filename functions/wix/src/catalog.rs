//! Products of the catalog's first version.

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use canonical::money::Decimal;
use platform::lenient::{self, Field, Id, Object};
use platform::reading::{Reading, Silence};
use serde_json::Value;

use crate::reader::{Reader, held};
use crate::{api, line, payload};

/// A new product, which the event describes.
pub(crate) fn created(reader: &mut Reader<'_>) -> Reading {
    let product = named(reader)?;
    Ok(vec![Fact::Catalog(item(reader, product)?)])
}

/// A product of which the event says only that it changed: it is asked for.
pub(crate) fn changed(reader: &mut Reader<'_>) -> Reading {
    let product = named(reader)?;
    let product_id = identity(reader, product.product_id, product.id)?;
    let id = api::segment(&product_id).ok_or(Silence::Ignore("product_change_is_thin"))?;
    let answers = reader.api.get(&[format!("/stores/v1/products/{id}")])?;
    let found = answers.first().and_then(api::found).ok_or(Silence::Ignore("product_change_is_thin"))?;
    let product = item(reader, held(found, |holder| holder.product)?)?;
    Ok(vec![Fact::Catalog(product)])
}

/// A removed product: the event names nothing but the id.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let product = named(reader)?;
    let product_id = identity(reader, product.product_id, product.id)?;
    let updated_at = reader.event.time;
    Ok(vec![Fact::Catalog(CatalogItem { product_id, updated_at, deleted: true, ..CatalogItem::default() })])
}

/// The event itself, which has no wrapping.
fn named(reader: &Reader<'_>) -> Result<payload::Product, Silence> {
    Ok(lenient::object(reader.event.data.as_bytes())?)
}

fn identity(reader: &mut Reader<'_>, event: Field<Id>, answer: Field<Id>) -> Result<String, Silence> {
    let id = if event == Field::Absent { answer } else { event };
    reader.identity("productId", id)
}

fn item(reader: &mut Reader<'_>, product: payload::Product) -> Result<CatalogItem, Silence> {
    let product_id = identity(reader, product.product_id, product.id)?;
    let updated_at = reader.time("lastUpdated", product.last_updated).or(reader.event.time);
    let variants = reader.dropped.list("variants", product.variants);
    let variants: Vec<_> =
        variants.into_iter().filter_map(|Object(variant)| self::variant(reader, variant)).collect();
    let own_price = price(reader, product.price_data);
    let dropped = &mut reader.dropped;
    let media = dropped.take("media", product.media).and_then(|Object(media)| media.main_media.ok());
    let image = media.and_then(|Object(media)| media.image.ok());
    Ok(CatalogItem {
        product_id,
        updated_at,
        deleted: false,
        title: dropped.take("name", product.name),
        description: dropped.take("description", product.description),
        url: line::page(dropped, "productPageUrl", product.product_page_url),
        image_url: image.and_then(|Object(image)| dropped.take("media.mainMedia.image.url", image.url)),
        brand: dropped.take("brand", product.brand),
        // Collections are named by ids only.
        categories: Vec::new(),
        price: variants.iter().filter_map(|variant| variant.price).min().or(own_price),
        published: dropped.take("visible", product.visible).unwrap_or(true),
        variants,
    })
}

/// What is asked for it now.
fn price(reader: &mut Reader<'_>, price: Field<Object<payload::ProductPrice>>) -> Option<Decimal> {
    let Object(price) = reader.dropped.take("priceData", price)?;
    let reduced = reader.dropped.take("priceData.discountedPrice", price.discounted_price);
    reduced.or_else(|| reader.dropped.take("priceData.price", price.price))
}

fn variant(reader: &mut Reader<'_>, variant: payload::Variant) -> Option<CatalogVariant> {
    let Some(Id(variant_id)) = reader.dropped.take("variants.id", variant.id) else {
        reader.dropped.note("variants.id");
        return None;
    };
    let data = reader.dropped.take("variants.variant", variant.variant);
    let data = data.map(|Object(data)| data).unwrap_or_default();
    let choices = variant.choices.ok().map(|Object(choices)| choices).unwrap_or_default();
    let choices: Vec<&str> = choices.values().filter_map(Value::as_str).collect();
    let stock = variant.stock.ok().map(|Object(stock)| stock).unwrap_or_default();
    Some(CatalogVariant {
        variant_id,
        title: Some(choices.join(" / ")).filter(|title| !title.is_empty()),
        sku: reader.dropped.take("variants.variant.sku", data.sku),
        price: price(reader, data.price_data),
        inventory_quantity: stock.quantity.ok().filter(|_| stock.track_quantity.ok() == Some(true)),
    })
}
