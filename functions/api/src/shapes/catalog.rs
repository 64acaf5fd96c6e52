//! The catalog, and who waits for something of it.

use utoipa::ToSchema;

use super::{
    ErrorSource, Identifier, InCategories, Many, NewProfileDocument, Object, OfItem, Time, WithItems, row,
};

/// A product.
#[derive(ToSchema)]
pub(crate) struct CatalogItem {
    external_id: String,
    title: String,
    description: String,
    price: Option<f64>,
    url: String,
    image_full_url: Option<String>,
    image_thumbnail_url: Option<String>,
    images: Vec<String>,
    custom_metadata: Object,
    published: bool,
    created: Time,
    updated: Time,
}

/// A product that is made.
#[derive(ToSchema)]
pub(crate) struct NewCatalogItem {
    #[schema(min_length = 1, max_length = 240)]
    external_id: String,
    /// `$custom`
    integration_type: Option<String>,
    /// `$default`
    catalog_type: Option<String>,
    #[schema(min_length = 1, max_length = 1000)]
    title: String,
    /// 100 KB at most.
    description: String,
    #[schema(minimum = 0)]
    price: Option<f64>,
    /// May be empty.
    #[schema(max_length = 4096)]
    url: String,
    #[schema(max_length = 4096)]
    image_full_url: Option<String>,
    #[schema(max_length = 4096)]
    image_thumbnail_url: Option<String>,
    #[schema(max_items = 100)]
    images: Option<Vec<String>>,
    /// Flat, and 100 KB at most.
    custom_metadata: Option<Object>,
    published: Option<bool>,
}

/// A product that is changed.
#[derive(ToSchema)]
pub(crate) struct ChangedCatalogItem {
    #[schema(min_length = 1, max_length = 1000)]
    title: Option<String>,
    /// 100 KB at most.
    description: Option<String>,
    #[schema(minimum = 0)]
    price: Option<f64>,
    /// May be empty.
    #[schema(max_length = 4096)]
    url: Option<String>,
    #[schema(max_length = 4096)]
    image_full_url: Option<String>,
    #[schema(max_length = 4096)]
    image_thumbnail_url: Option<String>,
    #[schema(max_items = 100)]
    images: Option<Vec<String>>,
    /// Flat, and 100 KB at most.
    custom_metadata: Option<Object>,
    published: Option<bool>,
}

/// A form in which a product is sold.
#[derive(ToSchema)]
pub(crate) struct CatalogVariant {
    external_id: String,
    title: String,
    description: String,
    sku: String,
    /// 1: not recommended while it is out of stock.
    inventory_policy: u8,
    inventory_quantity: f64,
    price: f64,
    url: String,
    image_full_url: Option<String>,
    image_thumbnail_url: Option<String>,
    images: Vec<String>,
    custom_metadata: Object,
    published: bool,
    created: Time,
    updated: Time,
}

/// A variant that is made.
#[derive(ToSchema)]
pub(crate) struct NewCatalogVariant {
    #[schema(min_length = 1, max_length = 240)]
    external_id: String,
    /// `$custom`
    integration_type: Option<String>,
    /// `$default`
    catalog_type: Option<String>,
    #[schema(min_length = 1, max_length = 1000)]
    title: String,
    /// 100 KB at most.
    description: String,
    #[schema(max_length = 255)]
    sku: String,
    /// 1: not recommended while it is out of stock.
    #[schema(minimum = 0, maximum = 2)]
    inventory_policy: Option<u8>,
    inventory_quantity: f64,
    #[schema(minimum = 0)]
    price: f64,
    /// May be empty.
    #[schema(max_length = 4096)]
    url: String,
    #[schema(max_length = 4096)]
    image_full_url: Option<String>,
    #[schema(max_length = 4096)]
    image_thumbnail_url: Option<String>,
    #[schema(max_items = 100)]
    images: Option<Vec<String>>,
    /// Flat, and 100 KB at most.
    custom_metadata: Option<Object>,
    published: Option<bool>,
}

/// A variant that is changed.
#[derive(ToSchema)]
pub(crate) struct ChangedCatalogVariant {
    #[schema(min_length = 1, max_length = 1000)]
    title: Option<String>,
    /// 100 KB at most.
    description: Option<String>,
    #[schema(max_length = 255)]
    sku: Option<String>,
    #[schema(minimum = 0, maximum = 2)]
    inventory_policy: Option<u8>,
    inventory_quantity: Option<f64>,
    #[schema(minimum = 0)]
    price: Option<f64>,
    /// May be empty.
    #[schema(max_length = 4096)]
    url: Option<String>,
    #[schema(max_length = 4096)]
    image_full_url: Option<String>,
    #[schema(max_length = 4096)]
    image_thumbnail_url: Option<String>,
    #[schema(max_items = 100)]
    images: Option<Vec<String>>,
    /// Flat, and 100 KB at most.
    custom_metadata: Option<Object>,
    published: Option<bool>,
}

/// A group of products.
#[derive(ToSchema)]
pub(crate) struct CatalogCategory {
    external_id: String,
    name: String,
    updated: Time,
}

/// A group that is made.
#[derive(ToSchema)]
pub(crate) struct NewCatalogCategory {
    #[schema(min_length = 1, max_length = 240)]
    external_id: String,
    /// `$custom`
    integration_type: Option<String>,
    /// `$default`
    catalog_type: Option<String>,
    #[schema(min_length = 1, max_length = 1000)]
    name: String,
}

/// A group that is changed.
#[derive(ToSchema)]
pub(crate) struct ChangedCatalogCategory {
    #[schema(min_length = 1, max_length = 1000)]
    name: Option<String>,
}

row! {
    /// One of many products that are made.
    NewCatalogItemRow: NewCatalogItem => InCategories
}
row! {
    /// One of many products that are changed.
    ChangedCatalogItemRow(id): ChangedCatalogItem => InCategories
}

/// Many products that are made.
#[derive(ToSchema)]
pub(crate) struct NewCatalogItems {
    /// 100 at most.
    items: Many<NewCatalogItemRow>,
}

/// Many products that are changed.
#[derive(ToSchema)]
pub(crate) struct ChangedCatalogItems {
    /// 100 at most.
    items: Many<ChangedCatalogItemRow>,
}

/// Many products that go.
#[derive(ToSchema)]
pub(crate) struct GoneCatalogItems {
    /// 100 at most.
    items: Many<Identifier>,
}

row! {
    /// One of many variants that are made.
    NewCatalogVariantRow: NewCatalogVariant => OfItem
}
row! {
    /// One of many variants that are changed.
    ChangedCatalogVariantRow(id): ChangedCatalogVariant
}

/// Many variants that are made.
#[derive(ToSchema)]
pub(crate) struct NewCatalogVariants {
    /// 100 at most.
    variants: Many<NewCatalogVariantRow>,
}

/// Many variants that are changed.
#[derive(ToSchema)]
pub(crate) struct ChangedCatalogVariants {
    /// 100 at most.
    variants: Many<ChangedCatalogVariantRow>,
}

/// Many variants that go.
#[derive(ToSchema)]
pub(crate) struct GoneCatalogVariants {
    /// 100 at most.
    variants: Many<Identifier>,
}

row! {
    /// One of many groups that are made.
    NewCatalogCategoryRow: NewCatalogCategory => WithItems
}
row! {
    /// One of many groups that are changed.
    ChangedCatalogCategoryRow(id): ChangedCatalogCategory => WithItems
}

/// Many groups that are made.
#[derive(ToSchema)]
pub(crate) struct NewCatalogCategories {
    /// 100 at most.
    categories: Many<NewCatalogCategoryRow>,
}

/// Many groups that are changed.
#[derive(ToSchema)]
pub(crate) struct ChangedCatalogCategories {
    /// 100 at most.
    categories: Many<ChangedCatalogCategoryRow>,
}

/// Many groups that go.
#[derive(ToSchema)]
pub(crate) struct GoneCatalogCategories {
    /// 100 at most.
    categories: Many<Identifier>,
}

/// What became of many.
#[derive(ToSchema)]
pub(crate) struct CatalogJob {
    status: CatalogJobStatus,
    created_at: Time,
    total_count: u64,
    completed_count: u64,
    failed_count: u64,
    completed_at: Option<Time>,
    errors: Vec<CatalogJobError>,
    expires_at: Time,
}

/// Why one of many was refused.
#[derive(ToSchema)]
pub(crate) struct CatalogJobError {
    id: String,
    code: String,
    title: String,
    detail: String,
    /// Into the body of the request.
    source: ErrorSource,
}

/// How far a job is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum CatalogJobStatus {
    Queued,
    Processing,
    Complete,
    Cancelled,
}

/// Somebody who wants to hear of a variant.
#[derive(ToSchema)]
pub(crate) struct NewBackInStock {
    #[schema(min_items = 1)]
    channels: Vec<NewsChannel>,
    /// By id, email, phone number or external id.
    profile: NewProfileDocument,
}

/// A way to be told.
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub(crate) enum NewsChannel {
    Email,
    Push,
    Sms,
    Whatsapp,
}
