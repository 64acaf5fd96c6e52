//! Products.

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use platform::lenient::{Field, Id, Object};
use platform::reading::{Reading, Silence};

use crate::api::Api;
use crate::line::{product_url, web_address};
use crate::payload::{self, either};
use crate::reader::Reader;

/// A product. Events leave its variants out; where Spree's API may be asked, it brings them.
pub(crate) fn product(reader: &mut Reader<'_>) -> Reading {
    let product: payload::Product = reader.record()?;
    let whole = whole(reader, &product.id)?;
    item(reader, whole.unwrap_or(product))
}

/// A variant, of which only its product is kept: a variant alone does not say what product it is of.
pub(crate) fn variant(reader: &mut Reader<'_>) -> Reading {
    let variant: payload::Variant = reader.record()?;
    let product = reader.dropped.take("product", variant.product).map(|Object(product)| product.id);
    let product_id = either(variant.product_id, product.unwrap_or_default());
    match whole(reader, &product_id)? {
        Some(product) => item(reader, product),
        None => Err(Silence::Ignore("variant_without_product")),
    }
}

/// The product with its variants, from Spree's API.
fn whole(reader: &Reader<'_>, id: &Field<Id>) -> Result<Option<payload::Product>, Silence> {
    let (Field::Is(Id(id)), Some(api)) = (id, Api::of(reader.connection)) else { return Ok(None) };
    let Some(path) = api.product(id) else { return Ok(None) };
    let answers = api.answers(&[path], reader.fetched)?;
    Ok(api.records(answers.first()).into_iter().next())
}

fn item(reader: &mut Reader<'_>, product: payload::Product) -> Reading {
    let product_id = reader.identity("id", product.id)?;
    let variants = reader.dropped.list("variants", product.variants);
    let variants: Vec<_> =
        variants.into_iter().filter_map(|Object(variant)| catalog_variant(reader, variant)).collect();
    let slug = reader.dropped.take("slug", product.slug);
    let url = slug.and_then(|slug| product_url(reader, &slug));
    let told_at = reader.told_at();
    let dropped = &mut reader.dropped;
    let categories = dropped.list("categories", either(product.categories, product.taxons));
    let categories =
        categories.into_iter().filter_map(|Object(category)| dropped.take("categories.name", category.name));
    let categories = categories.collect();
    let price = dropped.take("price", product.price).and_then(|price| price.0);
    // Bodies of 5.3 and the Admin API say the status, those of 5.4 and later whether it is available.
    let active = dropped.take("status", product.status).map(|status| status == "active");
    let available = dropped.take("available", product.available);
    let is_there = dropped.take("deleted_at", product.deleted_at).is_none();
    Ok(vec![Fact::Catalog(CatalogItem {
        product_id,
        updated_at: Some(dropped.take("updated_at", product.updated_at).unwrap_or(told_at)),
        deleted: false,
        title: dropped.take("name", product.name),
        description: dropped.take("description", either(product.description_html, product.description)),
        url,
        image_url: web_address(dropped.take("thumbnail_url", product.thumbnail_url)),
        brand: None,
        categories,
        price: variants.iter().filter_map(|variant| variant.price).min().or(price),
        published: is_there && active.or(available).unwrap_or(true),
        variants,
    })])
}

/// A variant with an id; one without is noted.
fn catalog_variant(reader: &mut Reader<'_>, variant: payload::Variant) -> Option<CatalogVariant> {
    let Some(variant_id) = reader.id("variants.id", variant.id) else {
        reader.dropped.note("variants.id");
        return None;
    };
    let dropped = &mut reader.dropped;
    Some(CatalogVariant {
        variant_id,
        title: dropped.take("variants.options_text", variant.options_text),
        sku: dropped.take("variants.sku", variant.sku),
        price: dropped.take("variants.price", variant.price).and_then(|price| price.0),
        inventory_quantity: dropped.take("variants.total_on_hand", variant.total_on_hand),
    })
}

/// A removed product.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let product: payload::Product = reader.record()?;
    let product_id = reader.identity("id", product.id)?;
    let updated_at = Some(reader.told_at());
    Ok(vec![Fact::Catalog(CatalogItem { product_id, updated_at, deleted: true, ..CatalogItem::default() })])
}
