//! What resources are related to: as they are answered, and as bodies may say it.

use utoipa::ToSchema;

use super::{Identifier, Many, One};

/// What a resource is related to.
#[derive(Clone, Copy)]
pub(crate) struct Relationship {
    pub(crate) name: &'static str,
    /// Of the other resources.
    pub(crate) kind: &'static str,
    pub(crate) is_many: bool,
}

const fn one(name: &'static str, kind: &'static str) -> Relationship {
    Relationship { name, kind, is_many: false }
}

const fn many(name: &'static str, kind: &'static str) -> Relationship {
    Relationship { name, kind, is_many: true }
}

/// What an answer may say of a resource of a kind, and nothing else.
pub(crate) fn relationships(kind: &str) -> &'static [Relationship] {
    match kind {
        "catalog-category" => const { &[many("items", "catalog-item")] },
        "catalog-category-bulk-create-job"
        | "catalog-category-bulk-delete-job"
        | "catalog-category-bulk-update-job" => const { &[many("categories", "catalog-category")] },
        "catalog-item-bulk-create-job" | "catalog-item-bulk-delete-job" | "catalog-item-bulk-update-job" => {
            const { &[many("items", "catalog-item")] }
        }
        "catalog-variant" => const { &[one("item", "catalog-item")] },
        "catalog-item"
        | "catalog-variant-bulk-create-job"
        | "catalog-variant-bulk-delete-job"
        | "catalog-variant-bulk-update-job" => const { &[many("variants", "catalog-variant")] },
        "custom-metric" => const { &[many("metrics", "metric")] },
        "event" => {
            const { &[one("profile", "profile"), one("metric", "metric"), many("attributions", "attribution")] }
        }
        "event-bulk-create-job" => const { &[many("import-errors", "import-error")] },
        "list" | "segment" => {
            const { &[many("profiles", "profile"), many("tags", "tag"), many("flow-triggers", "flow")] }
        }
        "mapped-metric" => const { &[one("metric", "metric"), one("custom-metric", "custom-metric")] },
        "metric" => const { &[many("flow-triggers", "flow")] },
        "metric-property" => const { &[one("metric", "metric")] },
        "profile" => {
            const {
                &[
                    many("lists", "list"),
                    many("segments", "segment"),
                    many("push-tokens", "push-token"),
                    many("conversations", "conversation"),
                ]
            }
        }
        "profile-bulk-import-job" => {
            const { &[many("lists", "list"), many("profiles", "profile"), many("import-errors", "import-error")] }
        }
        "profile-suppression-bulk-create-job" | "profile-suppression-bulk-delete-job" => {
            const { &[many("lists", "list"), many("segments", "segment")] }
        }
        "tag" => {
            const { &[one("tag-group", "tag-group"), many("lists", "list"), many("segments", "segment")] }
        }
        "tag-group" => const { &[many("tags", "tag")] },
        _ => &[],
    }
}

/// The list that it is about.
#[derive(ToSchema)]
pub(crate) struct OfList {
    #[schema(required = false, nullable = false)]
    list: Option<One<Identifier>>,
}

/// The lists that profiles are put on.
#[derive(ToSchema)]
pub(crate) struct OntoLists {
    /// 10 at most.
    #[schema(required = false, nullable = false)]
    lists: Option<Many<Identifier>>,
}

/// A list or a segment: all who belong to it.
#[derive(ToSchema)]
pub(crate) struct OfGroup {
    #[schema(required = false, nullable = false)]
    list: Option<One<Identifier>>,
    #[schema(required = false, nullable = false)]
    segment: Option<One<Identifier>>,
}

/// The variant that it is about.
#[derive(ToSchema)]
pub(crate) struct OfVariant {
    variant: One<Identifier>,
}

/// The product that a variant is of.
#[derive(ToSchema)]
pub(crate) struct OfItem {
    #[schema(required = false, nullable = false)]
    item: Option<One<Identifier>>,
}

/// The groups that a product is in.
#[derive(ToSchema)]
pub(crate) struct InCategories {
    #[schema(required = false, nullable = false)]
    categories: Option<Many<Identifier>>,
}

/// The products that are in a group.
#[derive(ToSchema)]
pub(crate) struct WithItems {
    #[schema(required = false, nullable = false)]
    items: Option<Many<Identifier>>,
}

/// The group of a tag; the default one if it is absent.
#[derive(ToSchema)]
pub(crate) struct InTagGroup {
    #[schema(rename = "tag-group", required = false, nullable = false)]
    tag_group: Option<One<Identifier>>,
}

/// The profile that goes.
#[derive(ToSchema)]
pub(crate) struct OfSource {
    profiles: Many<Identifier>,
}
