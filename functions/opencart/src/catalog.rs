//! Products.

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use canonical::money::Decimal;
use platform::lenient::{self, Id, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::line::{image_url, product_url, texts};
use crate::payload::ProductRecord;
use crate::person::{time, zone};

/// A product, which is its own only variant: options have no ids that orders name.
pub(crate) fn product(reader: &mut Reader<'_>) -> Reading {
    let record: ProductRecord = lenient::object(&reader.delivery.body)?;
    let product = reader.dropped.take("product", record.product);
    let Object(product) = product.ok_or_else(|| Silence::Malformed("no usable product".to_owned()))?;
    let product_id = reader.identity("product_id", product.product_id)?;
    let connection = reader.connection;
    let dropped = &mut reader.dropped;
    let zone = zone(dropped, connection, record.time_zone);
    let price = dropped.take("price", product.price).map(|price: Decimal| price.normalize());
    let sku = dropped.take("sku", product.sku);
    let image = dropped.take("image", product.image);
    let changed_at = time(dropped, "date_modified", product.date_modified, &zone);
    let variant = CatalogVariant {
        variant_id: product_id.clone(),
        title: None,
        sku: sku.or_else(|| dropped.take("model", product.model)),
        price,
        inventory_quantity: dropped.take("quantity", product.quantity),
    };
    Ok(vec![Fact::Catalog(CatalogItem {
        url: product_url(connection, &product_id),
        product_id,
        // A product that never changed has no such time.
        updated_at: changed_at.or_else(|| time(dropped, "date_added", product.date_added, &zone)),
        deleted: false,
        title: dropped.take("name", product.name),
        description: dropped.take("description", product.description),
        image_url: image.and_then(|path| image_url(connection, &path)),
        brand: dropped.take("manufacturer", product.manufacturer),
        categories: texts(dropped, "categories", product.categories),
        price,
        published: dropped.take("status", product.status).is_some_and(|Id(status)| status == "1"),
        variants: vec![variant],
    })])
}
