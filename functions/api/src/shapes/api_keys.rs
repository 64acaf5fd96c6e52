//! Keys to the API.

use utoipa::ToSchema;

use super::Time;

/// A key to the API.
#[derive(ToSchema)]
pub(crate) struct ApiKey {
    name: String,
    scopes: Vec<String>,
    /// A factor of the rate limits, or `unlimited`; null if it may ask as often as everybody.
    limit: Option<String>,
    created: Time,
}

/// A key that was made just now.
#[derive(ToSchema)]
pub(crate) struct MadeApiKey {
    name: String,
    scopes: Vec<String>,
    /// A factor of the rate limits, or `unlimited`; null if it may ask as often as everybody.
    limit: Option<String>,
    created: Time,
    /// The key itself: it is told only here.
    key: String,
}

/// A key that is to be made.
#[derive(ToSchema)]
pub(crate) struct NewApiKey {
    /// 100 characters at most.
    name: String,
    /// Such as `events:write`; `events:full` for reading and writing, `*` for all.
    #[schema(min_items = 1, max_items = 100)]
    scopes: Vec<String>,
    /// A factor of the rate limits between 0.001 and 1000, or `unlimited`.
    #[schema(required = false)]
    limit: Option<String>,
}
