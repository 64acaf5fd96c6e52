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

/// A delivery that was set aside.
#[derive(ToSchema)]
pub(crate) struct DeadDelivery {
    platform: String,
    connection: String,
    topic: String,
    delivery_id: String,
    received_at: Time,
    /// Null if it failed again and again without saying why.
    reason: Option<String>,
}
