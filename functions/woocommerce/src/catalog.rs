//! Products and their variations.

use std::collections::BTreeSet;

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use platform::lenient::{self, Dropped, Object, Objects};
use platform::reading::{Reader, Reading, Silence};
use platform::{Fetched, lenient::Id};

use crate::access::Access;
use crate::entity::decode_text;
use crate::payload::{self, Term};
use crate::record;

/// A product. It names its variations by their ids alone; what they are is asked for where that is allowed.
/// A variation that comes as a product is an item of its own.
pub(crate) fn product(reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    let product: payload::Product = lenient::object(&reader.delivery.body)?;
    let product_id = record::identity(reader, product.id, &product.code)?;
    let dropped = &mut reader.dropped;
    let ids: Vec<String> =
        dropped.list("variations", product.variations).into_iter().map(|Id(id)| id).collect();
    if !ids.is_empty()
        && fetched.is_empty()
        && let Some(access) = Access::of(reader.connection)
        && let Some(request) = access.below("products", &product_id, "variations")
    {
        return Err(Silence::Fetch(vec![request]));
    }
    let mut variants: Vec<CatalogVariant> = record::list(dropped, "variations", fetched.first())
        .into_iter()
        .filter_map(|variation| variant(dropped, variation))
        .collect();
    let mut known: BTreeSet<String> = variants.iter().map(|variant| variant.variant_id.clone()).collect();
    let unknown = ids.into_iter().filter(|id| known.insert(id.clone()));
    variants.extend(unknown.map(|variant_id| CatalogVariant { variant_id, ..CatalogVariant::default() }));

    let description = dropped.take("description", product.description);
    let short = dropped.take("short_description", product.short_description);
    let image = dropped.take("image", product.image);
    let images = dropped.list("images", product.images);
    Ok(vec![Fact::Catalog(CatalogItem {
        product_id,
        updated_at: record::time(dropped, "date_modified_gmt", product.date_modified_gmt),
        deleted: false,
        title: dropped.take("name", product.name).map(|name| decode_text(&name)),
        description: description.or(short),
        url: dropped.take("permalink", product.permalink),
        image_url: image.into_iter().chain(images).find_map(|Object(image)| image.src.ok()),
        brand: names(dropped, "brands", product.brands).into_iter().next(),
        categories: names(dropped, "categories", product.categories),
        // Of a product with variations it is the lowest of theirs.
        price: dropped.take("price", product.price),
        published: dropped.take("status", product.status).is_none_or(|status| status == "publish"),
        variants,
    })])
}

/// A variation from the list of its product's. `None` without an id, which is noted.
fn variant(dropped: &mut Dropped, variation: payload::Product) -> Option<CatalogVariant> {
    let Some(variant_id) = record::id(dropped, "variations.id", variation.id) else {
        dropped.note("variations.id");
        return None;
    };
    let options: Vec<String> = dropped
        .list("variations.attributes", variation.attributes)
        .into_iter()
        .filter_map(|Object(attribute)| dropped.take("variations.attributes", attribute.option))
        .map(|option| decode_text(&option))
        .collect();
    Some(CatalogVariant {
        variant_id,
        title: Some(options.join(", ")).filter(|title| !title.is_empty()),
        sku: dropped.take("variations.sku", variation.sku),
        price: dropped.take("variations.price", variation.price),
        inventory_quantity: dropped.take("variations.stock_quantity", variation.stock_quantity),
    })
}

fn names(dropped: &mut Dropped, name: &'static str, terms: Objects<Term>) -> Vec<String> {
    let terms = dropped.list(name, terms);
    let names = terms.into_iter().filter_map(|Object(term)| dropped.take(name, term.name));
    names.map(|name| decode_text(&name)).collect()
}

/// A removed product: its body names nothing but the id.
pub(crate) fn deleted(reader: &mut Reader<'_>) -> Reading {
    let product: payload::Product = lenient::object(&reader.delivery.body)?;
    let product_id = record::identity(reader, product.id, &product.code)?;
    let updated_at = Some(reader.received_at());
    Ok(vec![Fact::Catalog(CatalogItem { product_id, updated_at, deleted: true, ..CatalogItem::default() })])
}
