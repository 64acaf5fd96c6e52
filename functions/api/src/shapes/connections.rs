//! Connections to platforms, and what is had from them.

use utoipa::ToSchema;

use super::{Day, Object, Time};

/// A connection.
#[derive(ToSchema)]
pub(crate) struct Connection {
    platform: String,
    name: String,
    enabled: bool,
    settings: Object,
    /// Where the platform is to send its webhooks.
    webhook_url: Option<String>,
    created: Time,
    updated: Time,
}

/// A connection that is made or changed.
#[derive(ToSchema)]
pub(crate) struct NewConnection {
    #[schema(required = false, nullable = false)]
    platform: Option<String>,
    #[schema(required = false, nullable = false)]
    name: Option<String>,
    #[schema(required = false, nullable = false)]
    enabled: Option<bool>,
    #[schema(required = false, nullable = false)]
    settings: Option<Object>,
    /// Never given out again.
    #[schema(required = false, nullable = false)]
    secrets: Option<Object>,
    /// `forget`: those that were replaced are no longer good.
    #[schema(required = false, nullable = false)]
    previous_secrets: Option<String>,
}

/// A link that authorises a connection.
#[derive(ToSchema)]
pub(crate) struct Authorization {
    url: String,
    expires: Time,
}

/// What a platform said.
#[derive(ToSchema)]
pub(crate) struct ConnectionTest {
    ok: bool,
    detail: String,
    requests: u64,
}

/// What a platform says against what is stored.
#[derive(ToSchema)]
pub(crate) struct Parity {
    metric: String,
    time_zone: String,
    from: Day,
    to: Day,
    equal: bool,
    days: Vec<Object>,
}

/// A historical import that is asked for.
#[derive(ToSchema)]
pub(crate) struct NewImport {
    since: Time,
    until: Option<Time>,
}

/// A historical import.
#[derive(ToSchema)]
pub(crate) struct Import {
    connection: String,
    status: String,
    since: Time,
    until: Time,
    percent: f64,
    records: u64,
    pages: u64,
    requests: u64,
    /// Records a second.
    rate: Option<f64>,
    estimated_end: Option<Time>,
    error: Option<String>,
    created: Time,
    started: Option<Time>,
    finished: Option<Time>,
}

/// What a connection to a platform needs.
#[derive(ToSchema)]
pub(crate) struct PlatformDescription {
    title: String,
    /// A JSON Schema.
    settings: Object,
    /// A JSON Schema.
    secrets: Object,
}

/// A queue of what was set aside.
#[derive(ToSchema)]
pub(crate) struct DeadLetters {
    name: String,
    approximate_messages: u64,
    /// Only where some were chosen.
    #[schema(required = false, nullable = false)]
    chosen: Option<ChosenDeadLetters>,
}

/// Which of what was set aside goes back; all of it if nothing is said.
#[derive(ToSchema)]
pub(crate) struct Replay {
    #[schema(required = false, nullable = false)]
    platform: Option<String>,
    /// Its id.
    #[schema(required = false, nullable = false)]
    connection: Option<String>,
    #[schema(required = false, nullable = false)]
    topic: Option<String>,
    /// A part of why it was set aside.
    #[schema(required = false, nullable = false)]
    reason: Option<String>,
    #[schema(required = false, nullable = false)]
    received_from: Option<Time>,
    /// This instant is not among them.
    #[schema(required = false, nullable = false)]
    received_until: Option<Time>,
    /// Only says which those are.
    #[schema(required = false, nullable = false)]
    dry_run: Option<bool>,
}

/// What came of choosing.
#[derive(ToSchema)]
pub(crate) struct ChosenDeadLetters {
    matched: u64,
    looked_at: u64,
    /// Whether there was time and room for all.
    is_complete: bool,
    is_dry_run: bool,
    /// Some of those that matched.
    #[schema(max_items = 100)]
    deliveries: Vec<DeadDelivery>,
}

/// A delivery that was archived, and what became of it.
#[derive(ToSchema)]
pub(crate) struct ArchivedDelivery {
    platform: String,
    /// Null for what came through the API.
    connection: Option<String>,
    topic: String,
    /// The platform's id of it; null if it was erased.
    delivery_id: Option<String>,
    received_at: Time,
    archived_at: Time,
    /// `mapped`, `dead_lettered`, `erased`, or why it says nothing.
    outcome: String,
    /// Why it was set aside.
    reason: Option<String>,
    /// Whether it can be read again.
    is_kept: bool,
    /// Those who are still there, by the ids they have now.
    profiles: Vec<String>,
    #[schema(max_items = 100)]
    events: Vec<DeliveredEvent>,
    /// What its events made of memberships.
    transitions: Vec<DeliveredTransition>,
}

/// An event that a delivery led to.
#[derive(ToSchema)]
pub(crate) struct DeliveredEvent {
    /// Null if it is not there any more, as are the others.
    id: Option<String>,
    metric_id: Option<String>,
    datetime: Option<Time>,
    is_stored: bool,
}

/// A membership that began or ended by an event of a delivery.
#[derive(ToSchema)]
pub(crate) struct DeliveredTransition {
    segment_id: String,
    profile_id: String,
    #[schema(rename = "transition")]
    kind: TransitionKind,
    at: Time,
    event_id: String,
}

/// Whether somebody joined or left.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum TransitionKind {
    Entered,
    Exited,
}

/// Which archived deliveries are to be read again.
#[derive(ToSchema)]
pub(crate) struct NewDeliveryReplay {
    received_from: Time,
    /// This instant is not among them.
    received_until: Time,
    #[schema(required = false, nullable = false)]
    platform: Option<String>,
    /// Its id.
    #[schema(required = false, nullable = false)]
    connection: Option<String>,
    #[schema(required = false, nullable = false)]
    topic: Option<String>,
    /// Only says which those are.
    #[schema(required = false, nullable = false)]
    dry_run: Option<bool>,
}

/// Archived deliveries that are read again.
#[derive(ToSchema)]
pub(crate) struct DeliveryReplay {
    received_from: Time,
    received_until: Time,
    platform: Option<String>,
    connection: Option<String>,
    topic: Option<String>,
    /// `queued`, `running`, `stuck` or `dry_run`.
    state: String,
    /// How many have gone back into the queue.
    replayed: u64,
    /// What a dry run has found.
    found: Option<FoundDeliveries>,
}

/// What a dry run has found.
#[derive(ToSchema)]
pub(crate) struct FoundDeliveries {
    matched: u64,
    looked_at: u64,
    /// Whether there was time for all.
    is_complete: bool,
    /// Some of those that matched.
    #[schema(max_items = 100)]
    deliveries: Vec<FoundDelivery>,
}

/// A delivery that a dry run has found.
#[derive(ToSchema)]
pub(crate) struct FoundDelivery {
    id: String,
    platform: String,
    connection: Option<String>,
    topic: String,
    delivery_id: Option<String>,
    received_at: Time,
    outcome: String,
}

/// A delivery that was set aside.
#[derive(ToSchema)]
pub(crate) struct DeadDelivery {
    id: String,
    platform: String,
    connection: String,
    topic: String,
    delivery_id: String,
    received_at: Time,
    /// Null if it failed again and again without saying why.
    reason: Option<String>,
}
