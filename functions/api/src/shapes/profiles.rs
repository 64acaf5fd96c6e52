//! Profiles.

use utoipa::ToSchema;

use super::{Object, Time};

/// A profile.
#[derive(ToSchema)]
pub(crate) struct Profile {
    email: Option<String>,
    phone_number: Option<String>,
    external_id: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    organization: Option<String>,
    locale: Option<String>,
    title: Option<String>,
    image: Option<String>,
    created: Time,
    updated: Time,
    last_event_date: Option<Time>,
    location: Object,
    properties: Object,
    /// Only where `additional-fields` asks for it.
    #[schema(required = false, nullable = false)]
    subscriptions: Option<Object>,
    /// Only where `additional-fields` asks for it; null where nothing can be predicted.
    predictive_analytics: Option<Object>,
}

/// A profile that belongs to a list or a segment.
#[derive(ToSchema)]
pub(crate) struct Member {
    #[schema(inline)]
    #[serde(flatten)]
    profile: Profile,
    /// Since when.
    joined_group_at: Option<Time>,
}

/// A profile that is made or changed: what is null is cleared, what is absent stays.
#[derive(ToSchema)]
pub(crate) struct NewProfile {
    #[schema(max_length = 99)]
    email: Option<String>,
    /// As E.164 has it.
    phone_number: Option<String>,
    /// The client's own.
    external_id: Option<String>,
    anonymous_id: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    organization: Option<String>,
    locale: Option<String>,
    title: Option<String>,
    image: Option<String>,
    location: Option<NewLocation>,
    properties: Option<Object>,
}

/// Where somebody is.
#[derive(ToSchema)]
pub(crate) struct NewLocation {
    address1: Option<String>,
    address2: Option<String>,
    city: Option<String>,
    region: Option<String>,
    zip: Option<String>,
    country: Option<String>,
    /// A name of the IANA's.
    timezone: Option<String>,
    /// A number or a text.
    latitude: Option<serde_json::Value>,
    longitude: Option<serde_json::Value>,
    ip: Option<String>,
}

/// Which profile merges into which.
#[derive(ToSchema)]
pub(crate) struct ProfileMerge {
    /// `id` is the one that stays; `relationships.profiles.data` has the one that goes.
    data: Object,
}

/// Of the profile that stays, its id alone is told.
#[derive(ToSchema)]
pub(crate) struct MergedProfile {}

/// Who is to be forgotten.
#[derive(ToSchema)]
pub(crate) struct NewDeletion {
    /// By exactly one of `id`, `attributes.email` and `attributes.phone_number`.
    profile: Object,
}
