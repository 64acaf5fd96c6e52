//! Events and metrics.

use utoipa::ToSchema;

use super::{NewProfile, Object, ProfileMeta, Time, row};

/// An event.
#[derive(ToSchema)]
pub(crate) struct Event {
    /// Seconds since 1970.
    timestamp: i64,
    #[schema(rename = "event_properties")]
    properties: Object,
    datetime: Time,
    uuid: String,
}

/// An event that is told.
#[derive(ToSchema)]
pub(crate) struct NewEvent {
    properties: Object,
    /// Now if it is absent.
    time: Option<Time>,
    value: Option<f64>,
    /// As ISO 4217 has it.
    value_currency: Option<String>,
    /// The same id of one profile and metric is the same event; the first one stays.
    #[schema(min_length = 1, max_length = 255)]
    unique_id: Option<String>,
    /// Whether it is history: segments change, flows do not start.
    backfill: Option<bool>,
    metric: NewMetricDocument,
    profile: NewProfileDocument,
}

row! {
    /// One of many events that are told.
    NewEventRow: NewEventOfMany
}

/// One of many events that are told, whose profile is told beside it.
#[derive(ToSchema)]
pub(crate) struct NewEventOfMany {
    properties: Object,
    /// Now if it is absent.
    time: Option<Time>,
    value: Option<f64>,
    /// As ISO 4217 has it.
    value_currency: Option<String>,
    /// The same id of one profile and metric is the same event; the first one stays.
    #[schema(min_length = 1, max_length = 255)]
    unique_id: Option<String>,
    /// Whether it is history: segments change, flows do not start.
    backfill: Option<bool>,
    metric: NewMetricDocument,
}

/// The metric of an event.
#[derive(ToSchema)]
pub(crate) struct NewMetricDocument {
    data: NewMetricResource,
}

/// The metric of an event.
#[derive(ToSchema)]
pub(crate) struct NewMetricResource {
    /// `metric`
    r#type: String,
    attributes: NewMetric,
}

/// The metric of an event.
#[derive(ToSchema)]
pub(crate) struct NewMetric {
    /// Shorter than 128 characters.
    #[schema(min_length = 1, max_length = 127)]
    name: String,
    /// Whose metric it is: `api` if it is absent.
    service: Option<String>,
}

/// The profile of an event.
#[derive(ToSchema)]
pub(crate) struct NewProfileDocument {
    data: NewProfileResource,
}

/// The profile of an event, by its id or by identifiers.
#[derive(ToSchema)]
pub(crate) struct NewProfileResource {
    /// `profile`
    r#type: String,
    id: Option<String>,
    #[schema(required = false, nullable = false)]
    attributes: Option<NewProfile>,
    #[schema(required = false, nullable = false)]
    meta: Option<ProfileMeta>,
}

/// A metric.
#[derive(ToSchema)]
pub(crate) struct Metric {
    name: String,
    created: Time,
    updated: Time,
    /// The platform that tells it.
    integration: Object,
}
