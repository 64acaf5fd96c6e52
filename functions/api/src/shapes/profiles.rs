//! Profiles.

use utoipa::ToSchema;

use super::{Object, OfSource, One, Subscriptions, Time};

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
    location: Location,
    properties: Object,
    /// Only where `additional-fields` asks for it.
    #[schema(required = false, nullable = false)]
    subscriptions: Option<Subscriptions>,
    /// Only where `additional-fields` asks for it; null where nothing can be predicted.
    predictive_analytics: Option<PredictiveAnalytics>,
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
    location: Option<Location>,
    properties: Option<Object>,
    /// Taken and not used.
    #[schema(rename = "_kx")]
    kx: Option<String>,
    /// As the resource's own `meta`.
    meta: Option<ProfileMeta>,
}

/// What is to be done to what is there already.
#[derive(ToSchema)]
pub(crate) struct ProfileMeta {
    patch_properties: Option<PropertiesPatch>,
    patch_identifiers: Option<IdentifiersPatch>,
}

/// Additions to properties that are lists, and what goes from them.
#[derive(ToSchema)]
pub(crate) struct PropertiesPatch {
    append: Option<Object>,
    unappend: Option<Object>,
    /// Names of properties, or one name.
    unset: Option<Names>,
}

/// One, or some.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Names {
    One(String),
    Some(Vec<String>),
}

/// Identifiers that are added and taken away.
#[derive(ToSchema)]
pub(crate) struct IdentifiersPatch {
    append: Option<Object>,
    unappend: Option<Object>,
}

/// One of many profiles that are made, or changed if somebody has the id or one of the identifiers.
#[derive(ToSchema)]
pub(crate) struct ProfileToImport {
    /// `profile`
    r#type: String,
    #[schema(required = false)]
    id: Option<String>,
    attributes: NewProfile,
    #[schema(required = false, nullable = false)]
    meta: Option<ProfileMeta>,
}

/// Where somebody is.
#[derive(ToSchema)]
pub(crate) struct Location {
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

/// What is predicted of somebody's orders; null where it cannot be.
#[derive(ToSchema)]
pub(crate) struct PredictiveAnalytics {
    historic_clv: Option<f64>,
    predicted_clv: Option<f64>,
    total_clv: Option<f64>,
    historic_number_of_orders: Option<f64>,
    predicted_number_of_orders: Option<f64>,
    average_days_between_orders: Option<f64>,
    average_order_value: Option<f64>,
    churn_probability: Option<f64>,
    expected_date_of_next_order: Option<Time>,
    /// Always null.
    ranked_channel_affinity: Option<Vec<String>>,
}

/// Which profile merges into which.
#[derive(ToSchema)]
pub(crate) struct ProfileMerge {
    data: ProfileMergeResource,
}

/// Which profile merges into which.
#[derive(ToSchema)]
pub(crate) struct ProfileMergeResource {
    /// `profile-merge`
    r#type: String,
    /// The one that stays.
    id: String,
    relationships: OfSource,
}

/// Of the profile that stays, its id alone is told.
#[derive(ToSchema)]
pub(crate) struct MergedProfile {}

/// Who is to be forgotten.
#[derive(ToSchema)]
pub(crate) struct NewDeletion {
    /// By exactly one of `id`, `attributes.email` and `attributes.phone_number`.
    profile: One<ForgottenProfile>,
}

/// Who is to be forgotten.
#[derive(ToSchema)]
pub(crate) struct ForgottenProfile {
    /// `profile`
    r#type: String,
    #[schema(required = false)]
    id: Option<String>,
    #[schema(required = false, nullable = false)]
    attributes: Option<ForgottenAddress>,
}

/// One of the two.
#[derive(ToSchema)]
pub(crate) struct ForgottenAddress {
    email: Option<String>,
    phone_number: Option<String>,
}
