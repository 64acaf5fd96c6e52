//! Many at once.

use utoipa::ToSchema;

use super::{ErrorSource, Many, NewEventRow, NewProfileDocument, Object, ProfileToImport, Time, row};

/// Many events.
#[derive(ToSchema)]
pub(crate) struct NewEvents {
    /// Profiles, each with its events: 1000 events at most.
    #[schema(rename = "events-bulk-create")]
    events_bulk_create: Many<EventsRow>,
}

row! {
    /// One profile with its events.
    EventsRow: EventsOfProfile
}

/// A profile with its events.
#[derive(ToSchema)]
pub(crate) struct EventsOfProfile {
    /// Whether they are history, unless an event says something else.
    backfill: Option<bool>,
    profile: NewProfileDocument,
    events: Many<NewEventRow>,
}

/// Many profiles.
#[derive(ToSchema)]
pub(crate) struct NewProfiles {
    /// 10 000 at most.
    profiles: Many<ProfileToImport>,
}

/// What became of many profiles.
#[derive(ToSchema)]
pub(crate) struct ProfileImport {
    status: ImportStatus,
    created_at: Time,
    total_count: u64,
    completed_count: u64,
    failed_count: u64,
    started_at: Option<Time>,
    completed_at: Option<Time>,
    expires_at: Time,
}

/// What became of a file of events; of JSON nothing is said.
#[derive(ToSchema)]
pub(crate) struct EventImport {
    status: ImportStatus,
    created_at: Time,
    total_count: u64,
    completed_count: u64,
    failed_count: u64,
}

/// How far an import is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ImportStatus {
    Queued,
    Processing,
    Complete,
    Cancelled,
}

/// Why a row was not taken.
#[derive(ToSchema)]
pub(crate) struct ImportError {
    code: String,
    title: String,
    detail: String,
    source: ErrorSource,
    /// Always null: rows are not kept.
    original_payload: Option<Object>,
}
