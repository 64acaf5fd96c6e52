//! Facts that are events already: they need no ledger, because each is named by the source.

use crate::fact::{LoyaltyActivity, ProductView};
use crate::properties::Properties;
use crate::{Event, Metric, Source};

/// Viewed Product. Its id comes from the view's id.
pub fn viewed_product(view: &ProductView, source: &Source) -> Event {
    let product = &view.product;
    let properties = Properties::default()
        .text("ProductID", product.product_id.as_deref())
        .text("ProductName", Some(&product.name))
        .text("VariantID", product.variant_id.as_deref())
        .text("SKU", product.sku.as_deref())
        .list("Categories", product.categories.iter().map(String::as_str))
        .text("Brand", product.brand.as_deref())
        .number("Price", product.unit_price)
        .number("CompareAtPrice", view.compare_at_price)
        .text("ImageURL", product.image_url.as_deref())
        .text("URL", product.product_url.as_deref())
        .email_domain(&view.person)
        .build();
    Event { properties, ..Event::new(source, Metric::ViewedProduct, &[&view.view_id], view.at) }
}

/// An event of a loyalty programme, with all its attributes. Its id comes from the activity's id.
pub fn loyalty(activity: &LoyaltyActivity, source: &Source) -> Event {
    Event {
        properties: activity.properties.clone(),
        ..Event::new(source, activity.metric, &[&activity.activity_id], activity.at)
    }
}
