//! Tags.

use utoipa::ToSchema;

/// A tag.
#[derive(ToSchema)]
pub(crate) struct Tag {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// A group of tags.
#[derive(ToSchema)]
pub(crate) struct TagGroup {
    name: String,
    /// Whether a list or a segment has one tag of the group at most.
    exclusive: bool,
    /// The one that tags are in that name no group.
    default: bool,
}

/// A group of tags that is made.
#[derive(ToSchema)]
pub(crate) struct NewTagGroup {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// False if it is absent.
    exclusive: Option<bool>,
}

/// A group of tags that gets another name.
#[derive(ToSchema)]
pub(crate) struct ChangedTagGroup {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Taken and not used: there is no answer.
    return_fields: Option<Vec<String>>,
}
