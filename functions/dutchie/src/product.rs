//! The catalog, which all locations of a parent share. Products have no page of their own.

use canonical::Fact;
use canonical::fact::CatalogItem;
use platform::lenient::{self, Dropped, Moment, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::payload::{self, Product};

/// A product.
pub(crate) fn product(reader: &mut Reader<'_>) -> Reading {
    let record: payload::Goods = lenient::object(&reader.delivery.body)?;
    let Object(mut product) = reader.dropped.take("product", record.product).unwrap_or_default();
    let product_id = reader.identity("productId", std::mem::take(&mut product.product_id))?;
    let dropped = &mut reader.dropped;
    if dropped.take("isCoupon", product.is_coupon.clone()).unwrap_or_default() {
        return Err(Silence::Ignore("coupon"));
    }
    let described = dropped.take("onlineDescription", std::mem::take(&mut product.online_description));
    Ok(vec![Fact::Catalog(CatalogItem {
        product_id,
        updated_at: dropped
            .take("lastModifiedDateUTC", product.last_modified.clone())
            .and_then(Moment::in_utc),
        title: title(dropped, &mut product),
        description: described.or_else(|| dropped.take("description", product.description)),
        image_url: dropped.take("imageUrl", product.image_url),
        brand: dropped.take("brandName", product.brand_name),
        price: dropped.take("price", product.price),
        published: dropped.take("isActive", product.is_active).unwrap_or(true),
        categories: categories(dropped, product.category, product.master_category),
        ..CatalogItem::default()
    })])
}

/// What people call it.
pub(crate) fn title(dropped: &mut Dropped, product: &mut Product) -> Option<String> {
    let name = dropped.take("productName", std::mem::take(&mut product.product_name));
    let name = name.or_else(|| dropped.take("onlineTitle", std::mem::take(&mut product.online_title)));
    name.or_else(|| dropped.take("internalName", std::mem::take(&mut product.internal_name)))
}

/// The category and the larger one that it belongs to.
pub(crate) fn categories(
    dropped: &mut Dropped,
    category: lenient::Field<String>,
    master: lenient::Field<String>,
) -> Vec<String> {
    let category = dropped.take("category", category);
    let master = dropped.take("masterCategory", master).filter(|master| Some(master) != category.as_ref());
    category.into_iter().chain(master).collect()
}
