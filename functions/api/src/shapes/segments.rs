//! Segments, and what can be asked about them.

use utoipa::ToSchema;

use super::{Object, Time};

/// A segment.
#[derive(ToSchema)]
pub(crate) struct Segment {
    name: String,
    definition: Object,
    created: Time,
    updated: Time,
    is_active: bool,
    /// Whether profiles are still being evaluated.
    is_processing: bool,
    is_starred: bool,
    /// Only where `additional-fields` asks for it.
    #[schema(required = false, nullable = false)]
    profile_count: Option<u64>,
    /// Only where `additional-fields` asks for it: what the segment waits for.
    job: Option<Object>,
}

/// A segment that is made or changed.
#[derive(ToSchema)]
pub(crate) struct NewSegment {
    #[schema(required = false, nullable = false, min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Groups of conditions: one of each group must hold.
    #[schema(required = false, nullable = false)]
    definition: Option<Object>,
    #[schema(required = false, nullable = false)]
    is_starred: Option<bool>,
    /// Only where the segment is there already.
    #[schema(required = false, nullable = false)]
    is_active: Option<bool>,
}

/// Since when and why somebody belongs to a segment, or belonged.
#[derive(ToSchema)]
pub(crate) struct Membership {
    profile_id: String,
    segment_id: String,
    is_current: bool,
    joined_at: Option<Time>,
    /// `event`, `profile`, `definition` or `time`.
    joined_cause: Option<String>,
    joined_event_id: Option<String>,
    left_at: Option<Time>,
    /// As `joined_cause`.
    left_cause: Option<String>,
    left_event_id: Option<String>,
}

/// A definition to be counted.
#[derive(ToSchema)]
pub(crate) struct NewPreview {
    definition: Object,
    /// What an answer that was not complete gave out.
    r#continue: Option<String>,
}

/// How many would belong to a definition.
#[derive(ToSchema)]
pub(crate) struct Preview {
    is_complete: bool,
    count: u64,
    /// Ids of some of them.
    #[schema(max_items = 10)]
    sample: Vec<String>,
    profiles_seen: u64,
    /// What to send to go on.
    r#continue: Option<String>,
}

/// Why somebody belongs to a segment, or does not.
#[derive(ToSchema)]
pub(crate) struct Explanation {
    profile_id: String,
    is_member: bool,
    evaluated_at: Option<Time>,
    joined_group_at: Option<Time>,
    joined_cause: Option<String>,
    /// As in the definition, each condition with its measure, its truth and its next change.
    condition_groups: Vec<Object>,
}

/// What a segment waits for.
#[derive(ToSchema)]
pub(crate) struct SegmentJob {
    state: SegmentJobState,
}

/// How far a job is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum SegmentJobState {
    Queued,
    Running,
    Stuck,
}

/// Whether orders can be predicted.
#[derive(ToSchema)]
pub(crate) struct Predictions {
    is_available: bool,
    is_fitting: bool,
    reason: Option<String>,
    method: String,
    fitted_day: Option<String>,
    fitted_at: Option<Time>,
    customers: Option<u64>,
}
