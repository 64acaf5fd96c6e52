//! Lists.

use utoipa::ToSchema;

use super::Time;

/// A list.
#[derive(ToSchema)]
pub(crate) struct List {
    name: String,
    created: Time,
    updated: Time,
    opt_in_process: OptInProcess,
    /// Only where `additional-fields` asks for it.
    #[schema(required = false, nullable = false)]
    profile_count: Option<u64>,
}

/// A list that is made or changed.
#[derive(ToSchema)]
pub(crate) struct NewList {
    /// Not blank.
    #[schema(required = false, nullable = false, min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(required = false, nullable = false)]
    opt_in_process: Option<OptInProcess>,
}

/// Whether who subscribes has to confirm it.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum OptInProcess {
    DoubleOptIn,
    SingleOptIn,
}
