//! Products.

use canonical::fact::{CatalogItem, CatalogVariant};
use canonical::{Fact, Instant};
use platform::lenient::{Dropped, Field, Id, Object, Objects};
use platform::reading::{Reading, Silence};

use crate::api::{self, Listing, Session, is_number};
use crate::order::instant;
use crate::{line, payload, person};

/// A product and its variants, with the names of its brand and categories.
pub(crate) fn product(session: &mut Session<'_>, product_id: &str) -> Reading {
    let request = session.api.get(&format!("v3/catalog/products/{product_id}?include=images,variants"));
    let product: Option<payload::Product> = api::entity(session.ask_for(request)?)?;
    // Its deletion has a scope of its own.
    let product = product.ok_or(Silence::Ignore("product_gone"))?;
    let product_id = session.reader.identity("id", product.id)?;

    let dropped = &mut session.reader.dropped;
    let brand = person::id(dropped, "brand_id", product.brand_id);
    let brand = brand.filter(|id| is_number(id));
    let categories = dropped.list("categories", product.categories);
    let categories: Vec<String> =
        categories.into_iter().map(|Id(id)| id).filter(|id| is_number(id)).take(api::PAGE_SIZE).collect();
    let [brand, categories] = session.listings(&[
        brand.map_or(Listing::Skipped, |id| Listing::Whole(format!("v3/catalog/brands/{id}"))),
        if categories.is_empty() {
            Listing::Skipped
        } else {
            let (ids, limit) = (categories.join(","), api::PAGE_SIZE);
            Listing::Whole(format!("v3/catalog/categories?id:in={ids}&limit={limit}"))
        },
    ])?;
    let brand: Option<payload::Named> = api::entity(brand.first().copied())?;
    let categories: Objects<payload::Named> = api::entities(categories.first().copied())?;

    let storefront = session.reader.connection.text("storefront_url").map(|url| url.trim_end_matches('/'));
    let dropped = &mut session.reader.dropped;
    let path = dropped.take("custom_url", product.custom_url);
    let path = path.and_then(|Object(path)| dropped.take("custom_url", path.url));
    let price = dropped.take("price", product.price);
    let price = dropped.take("calculated_price", product.calculated_price).or(price);
    let variants = variants(dropped, product.variants);
    let visible = dropped.take("is_visible", product.is_visible).unwrap_or(true);
    let categories = dropped.list("categories", categories);
    Ok(vec![Fact::Catalog(CatalogItem {
        product_id,
        updated_at: instant(dropped, "date_modified", product.date_modified),
        deleted: false,
        title: dropped.take("name", product.name),
        description: dropped.take("description", product.description),
        url: storefront.zip(path).map(|(shop, path)| format!("{shop}/{}", path.trim_start_matches('/'))),
        image_url: image(dropped, product.images),
        brand: brand.and_then(|brand| dropped.take("brand", brand.name)),
        categories: categories
            .into_iter()
            .filter_map(|Object(category)| dropped.take("categories", category.name))
            .collect(),
        price: variants.iter().filter_map(|variant| variant.price).min().or(price),
        published: visible && !product.availability.is("disabled"),
        variants,
    })])
}

fn variants(dropped: &mut Dropped, variants: Objects<payload::Variant>) -> Vec<CatalogVariant> {
    let variants = dropped.list("variants", variants);
    let variants = variants.into_iter().filter_map(|Object(variant)| {
        let Some(Id(variant_id)) = dropped.take("variants.id", variant.id) else {
            dropped.note("variants.id");
            return None;
        };
        let options = dropped.list("variants.option_values", variant.option_values);
        let options: Vec<String> = options
            .into_iter()
            .filter_map(|Object(option)| dropped.take("variants.option_values", option.label))
            .collect();
        let price = dropped.take("variants.price", variant.price);
        Some(CatalogVariant {
            variant_id,
            title: line::joined(&options),
            sku: dropped.take("variants.sku", variant.sku),
            price: dropped.take("variants.calculated_price", variant.calculated_price).or(price),
            inventory_quantity: dropped.take("variants.inventory_level", variant.inventory_level),
        })
    });
    variants.collect()
}

/// The picture that lists show, else the first.
fn image(dropped: &mut Dropped, images: Objects<payload::Image>) -> Option<String> {
    let mut images = dropped.list("images", images);
    images.sort_by_key(|Object(image)| image.is_thumbnail != Field::Is(true));
    images.into_iter().find_map(|Object(image)| dropped.take("images.url_standard", image.url_standard))
}

/// A removed product: nothing but its id is left.
pub(crate) fn deleted(product_id: String, happened_at: Instant) -> Fact {
    let updated_at = Some(happened_at);
    Fact::Catalog(CatalogItem { product_id, updated_at, deleted: true, ..CatalogItem::default() })
}
