//! What can be done with the catalog.

use store::{CatalogAction, CatalogKind};

use super::jobs::Bulk;
use super::listing::PAGE;
use super::relations::Relate;
use crate::filter::Operator;
use crate::operation::{EQUALS, Operation, Tier};
use crate::shapes;

const READ: &[&str] = &["catalogs:read"];
const WRITE: &[&str] = &["catalogs:write"];
const AMONG: &[Operator] = &[Operator::Any];
const CONTAINS: &[Operator] = &[Operator::Contains];
const CREATED: &[&str] = &["created"];

type Filters = &'static [(&'static str, &'static [Operator])];

const ITEM_FILTERS: Filters =
    &[("ids", AMONG), ("category.id", EQUALS), ("title", CONTAINS), ("published", EQUALS)];
const VARIANT_FILTERS: Filters =
    &[("ids", AMONG), ("item.id", EQUALS), ("sku", EQUALS), ("title", CONTAINS), ("published", EQUALS)];
const CATEGORY_FILTERS: Filters = &[("ids", AMONG), ("item.id", EQUALS), ("name", CONTAINS)];

/// What is the same for all kinds: name, path, filters, includes, fields and shapes.
macro_rules! records {
    ($($kind:ident: $list:literal, $create:literal, $get:literal, $update:literal, $delete:literal;
       $path:literal, $name:literal; $filters:expr, $includes:expr, $fields:expr;
       $shape:ty, $new:ty => $made_with:ty, $changed:ty $(=> $changed_with:ty)?);+ $(;)?) => {
        /// Of records.
        pub(crate) static OPERATIONS: &[Operation] = &[$(
            Operation::get($list, $path, READ)
                .limited(Tier::ExtraLarge)
                .filters($filters)
                .sorts(CREATED)
                .includes($includes)
                .fields($fields)
                .pages(PAGE, PAGE)
                .gives_page::<$shape>($name)
                .by(|call| Box::pin(call.api.list_catalog(CatalogKind::$kind, call.asked))),
            Operation::post($create, $path, WRITE)
                .fields(&[$name])
                .takes::<$new>($name)
                .related_to::<$made_with>()
                .gives_one::<$shape>(201, $name)
                .by(|call| Box::pin(call.api.create_catalog_record(CatalogKind::$kind, call.asked, call.body))),
            Operation::get($get, concat!($path, "/{id}"), READ)
                .limited(Tier::ExtraLarge)
                .includes($includes)
                .fields($fields)
                .gives_one::<$shape>(200, $name)
                .by(|call| Box::pin(call.api.get_catalog_record(CatalogKind::$kind, call.asked, call.id))),
            Operation::patch($update, concat!($path, "/{id}"), WRITE)
                .fields(&[$name])
                .takes::<$changed>($name)
                $(.related_to::<$changed_with>())?
                .gives_one::<$shape>(200, $name)
                .by(|call| {
                    let kind = CatalogKind::$kind;
                    Box::pin(call.api.update_catalog_record(kind, call.asked, call.id, call.body))
                }),
            Operation::delete($delete, concat!($path, "/{id}"), WRITE)
                .gives_nothing(204)
                .by(|call| Box::pin(call.api.delete_catalog_record(CatalogKind::$kind, call.id))),
        )+];
    };
}

records! {
    Item: "get_catalog_items", "create_catalog_item", "get_catalog_item", "update_catalog_item", "delete_catalog_item";
        "/api/catalog-items", "catalog-item";
        ITEM_FILTERS, &["variants"], &["catalog-item", "catalog-variant"];
        shapes::CatalogItem, shapes::NewCatalogItem => shapes::InCategories,
        shapes::ChangedCatalogItem => shapes::InCategories;
    Variant: "get_catalog_variants", "create_catalog_variant", "get_catalog_variant", "update_catalog_variant",
        "delete_catalog_variant";
        "/api/catalog-variants", "catalog-variant";
        VARIANT_FILTERS, &[], &["catalog-variant"];
        shapes::CatalogVariant, shapes::NewCatalogVariant => shapes::OfItem, shapes::ChangedCatalogVariant;
    Category: "get_catalog_categories", "create_catalog_category", "get_catalog_category", "update_catalog_category",
        "delete_catalog_category";
        "/api/catalog-categories", "catalog-category";
        CATEGORY_FILTERS, &[], &["catalog-category"];
        shapes::CatalogCategory, shapes::NewCatalogCategory => shapes::WithItems,
        shapes::ChangedCatalogCategory => shapes::WithItems;
}

/// What belongs to something.
macro_rules! related {
    ($($owner:ident $kind:ident: $list:literal, $list_ids:literal; $path:literal, $ids_path:literal, $name:literal;
       $filters:expr, $includes:expr, $fields:expr; $shape:ty);+ $(;)?) => {
        /// Of what belongs to something.
        pub(crate) static RELATED: &[Operation] = &[$(
            Operation::get($list, $path, READ)
                .limited(Tier::ExtraLarge)
                .filters($filters)
                .sorts(CREATED)
                .includes($includes)
                .fields($fields)
                .pages(PAGE, PAGE)
                .gives_page::<$shape>($name)
                .by(|call| {
                    let owner = (CatalogKind::$owner, call.id);
                    Box::pin(call.api.list_catalog_of(owner, CatalogKind::$kind, call.asked, false))
                }),
            Operation::get($list_ids, $ids_path, READ)
                .limited(Tier::ExtraLarge)
                .filters($filters)
                .sorts(CREATED)
                .pages(PAGE, PAGE)
                .gives_ids($name)
                .by(|call| {
                    let owner = (CatalogKind::$owner, call.id);
                    Box::pin(call.api.list_catalog_of(owner, CatalogKind::$kind, call.asked, true))
                }),
        )+];
    };
}

related! {
    Item Variant: "get_variants_for_catalog_item", "get_variant_ids_for_catalog_item";
        "/api/catalog-items/{id}/variants", "/api/catalog-items/{id}/relationships/variants", "catalog-variant";
        VARIANT_FILTERS, &[], &["catalog-variant"]; shapes::CatalogVariant;
    Item Category: "get_categories_for_catalog_item", "get_category_ids_for_catalog_item";
        "/api/catalog-items/{id}/categories", "/api/catalog-items/{id}/relationships/categories", "catalog-category";
        CATEGORY_FILTERS, &[], &["catalog-category"]; shapes::CatalogCategory;
    Category Item: "get_items_for_catalog_category", "get_item_ids_for_catalog_category";
        "/api/catalog-categories/{id}/items", "/api/catalog-categories/{id}/relationships/items", "catalog-item";
        ITEM_FILTERS, &["variants"], &["catalog-item", "catalog-variant"]; shapes::CatalogItem;
}

/// Relations between items and categories.
macro_rules! relations {
    ($($kind:ident $path:literal: $add:literal, $replace:literal, $remove:literal);+ $(;)?) => {
        /// Of relations.
        pub(crate) static RELATIONS: &[Operation] = &[$(
            Operation::post($add, $path, WRITE)
                .takes_body::<shapes::Ids>()
                .gives_nothing(204)
                .by(|call| {
                    Box::pin(call.api.relate_catalog(CatalogKind::$kind, Relate::Add, call.id, call.body))
                }),
            Operation::patch($replace, $path, WRITE)
                .takes_body::<shapes::Ids>()
                .gives_nothing(204)
                .by(|call| {
                    Box::pin(call.api.relate_catalog(CatalogKind::$kind, Relate::Replace, call.id, call.body))
                }),
            Operation::delete($remove, $path, WRITE)
                .takes_body::<shapes::Ids>()
                .gives_nothing(204)
                .by(|call| {
                    Box::pin(call.api.relate_catalog(CatalogKind::$kind, Relate::Remove, call.id, call.body))
                }),
        )+];
    };
}

relations! {
    Item "/api/catalog-items/{id}/relationships/categories": "add_categories_to_catalog_item",
        "update_categories_for_catalog_item", "remove_categories_from_catalog_item";
    Category "/api/catalog-categories/{id}/relationships/items": "add_items_to_catalog_category",
        "update_items_for_catalog_category", "remove_items_from_catalog_category";
}

/// Jobs over many records.
macro_rules! jobs {
    ($($kind:ident $action:ident: $list:literal, $create:literal, $get:literal; $path:literal, $name:literal;
       $tier:ident, $includes:expr, $fields:expr; $shape:ty);+ $(;)?) => {
        /// Of jobs.
        pub(crate) static JOBS: &[Operation] = &[$(
            Operation::get($list, $path, READ)
                .limited(Tier::$tier)
                .filters(&[("status", EQUALS)])
                .fields(&[$name])
                .cursor()
                .gives_page::<shapes::CatalogJob>($name)
                .by(|call| {
                    let bulk = Bulk { of: CatalogKind::$kind, action: CatalogAction::$action };
                    Box::pin(call.api.list_catalog_jobs(bulk, call.asked))
                }),
            Operation::post($create, $path, WRITE)
                .fields(&[$name])
                .takes::<$shape>($name)
                .gives_one::<shapes::CatalogJob>(202, $name)
                .by(|call| {
                    let bulk = Bulk { of: CatalogKind::$kind, action: CatalogAction::$action };
                    Box::pin(call.api.create_catalog_job(bulk, call.asked, call.body))
                }),
            Operation::get($get, concat!($path, "/{job_id}"), READ)
                .limited(Tier::$tier)
                .includes($includes)
                .fields($fields)
                .gives_one::<shapes::CatalogJob>(200, $name)
                .by(|call| {
                    let bulk = Bulk { of: CatalogKind::$kind, action: CatalogAction::$action };
                    Box::pin(call.api.get_catalog_job(bulk, call.asked, call.id))
                }),
        )+];
    };
}

jobs! {
    Item Create: "get_bulk_create_catalog_items_jobs", "bulk_create_catalog_items", "get_bulk_create_catalog_items_job";
        "/api/catalog-item-bulk-create-jobs", "catalog-item-bulk-create-job";
        Large, &["items"], &["catalog-item-bulk-create-job", "catalog-item"]; shapes::NewCatalogItems;
    Item Update: "get_bulk_update_catalog_items_jobs", "bulk_update_catalog_items", "get_bulk_update_catalog_items_job";
        "/api/catalog-item-bulk-update-jobs", "catalog-item-bulk-update-job";
        Large, &["items"], &["catalog-item-bulk-update-job", "catalog-item"]; shapes::ChangedCatalogItems;
    Item Delete: "get_bulk_delete_catalog_items_jobs", "bulk_delete_catalog_items", "get_bulk_delete_catalog_items_job";
        "/api/catalog-item-bulk-delete-jobs", "catalog-item-bulk-delete-job";
        ExtraLarge, &[], &["catalog-item-bulk-delete-job"]; shapes::GoneCatalogItems;
    Variant Create: "get_bulk_create_variants_jobs", "bulk_create_catalog_variants", "get_bulk_create_variants_job";
        "/api/catalog-variant-bulk-create-jobs", "catalog-variant-bulk-create-job";
        Large, &["variants"], &["catalog-variant-bulk-create-job", "catalog-variant"]; shapes::NewCatalogVariants;
    Variant Update: "get_bulk_update_variants_jobs", "bulk_update_catalog_variants", "get_bulk_update_variants_job";
        "/api/catalog-variant-bulk-update-jobs", "catalog-variant-bulk-update-job";
        Large, &["variants"], &["catalog-variant-bulk-update-job", "catalog-variant"]; shapes::ChangedCatalogVariants;
    Variant Delete: "get_bulk_delete_variants_jobs", "bulk_delete_catalog_variants", "get_bulk_delete_variants_job";
        "/api/catalog-variant-bulk-delete-jobs", "catalog-variant-bulk-delete-job";
        ExtraLarge, &[], &["catalog-variant-bulk-delete-job"]; shapes::GoneCatalogVariants;
    Category Create: "get_bulk_create_categories_jobs", "bulk_create_catalog_categories",
        "get_bulk_create_categories_job";
        "/api/catalog-category-bulk-create-jobs", "catalog-category-bulk-create-job";
        ExtraLarge, &["categories"], &["catalog-category-bulk-create-job", "catalog-category"];
        shapes::NewCatalogCategories;
    Category Update: "get_bulk_update_categories_jobs", "bulk_update_catalog_categories",
        "get_bulk_update_categories_job";
        "/api/catalog-category-bulk-update-jobs", "catalog-category-bulk-update-job";
        ExtraLarge, &["categories"], &["catalog-category-bulk-update-job", "catalog-category"];
        shapes::ChangedCatalogCategories;
    Category Delete: "get_bulk_delete_categories_jobs", "bulk_delete_catalog_categories",
        "get_bulk_delete_categories_job";
        "/api/catalog-category-bulk-delete-jobs", "catalog-category-bulk-delete-job";
        ExtraLarge, &[], &["catalog-category-bulk-delete-job"]; shapes::GoneCatalogCategories;
}
