//! Keys: every item's address is made here.

use canonical::hash;

/// Partitions over which listings of all profiles are spread.
pub const PROFILE_SHARDS: u32 = 8;
/// Partitions over which the events of one metric are spread in the index.
pub const METRIC_PARTS: u32 = 4;
/// Partitions over which the history of one segment is spread in the index.
const HISTORY_SHARDS: u32 = 4;
/// Partitions of the index of what is due.
pub(crate) const DUE_SHARDS: u32 = 16;

pub(crate) const PROFILE: &str = "profile";
pub(crate) const STATE: &str = "state";
pub(crate) const TICK: &str = "tick";
pub(crate) const EVENT_PREFIX: &str = "e#";
pub(crate) const MEMBER_PREFIX: &str = "s#";
pub(crate) const HISTORY_PREFIX: &str = "h#";
pub(crate) const LISTED_PREFIX: &str = "l#";
pub(crate) const BACK_IN_STOCK_PREFIX: &str = "b#";
const PROFILE_PREFIX: &str = "p#";

/// What a stream record of the profiles table is about, by its sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// An event.
    Event,
    /// Attributes, consent, identifiers.
    Profile,
    /// The clock's touch.
    Tick,
    /// Anything else: never wakes the evaluator.
    Other,
}

impl ItemKind {
    /// By the sort key.
    pub fn of(sort_key: &str) -> Self {
        match sort_key {
            PROFILE => Self::Profile,
            TICK => Self::Tick,
            key if key.starts_with(EVENT_PREFIX) => Self::Event,
            _ => Self::Other,
        }
    }
}

pub(crate) fn profile(id: &str) -> String {
    format!("{PROFILE_PREFIX}{id}")
}

/// The profile id in a partition key of the profiles table; `None` for other partitions.
pub fn profile_of_key(partition_key: &str) -> Option<&str> {
    partition_key.strip_prefix(PROFILE_PREFIX)
}

pub(crate) fn event(id: &str) -> String {
    format!("{EVENT_PREFIX}{id}")
}

pub(crate) fn member(segment: &str) -> String {
    format!("{MEMBER_PREFIX}{segment}")
}

pub(crate) fn listed(list: &str) -> String {
    format!("{LISTED_PREFIX}{list}")
}

/// A list in the index of members, where segments stand under their bare ids.
pub(crate) fn list_group(list: &str) -> String {
    format!("list#{list}")
}

/// A subscription to news of a variant of the catalog, by its external id.
pub(crate) fn back_in_stock(variant: &str) -> String {
    format!("{BACK_IN_STOCK_PREFIX}{variant}")
}

/// A membership that ended and began again since: by its end.
pub(crate) fn past_member(left_ms: i64, order: &str, segment: &str) -> String {
    format!("{HISTORY_PREFIX}{}", timed(left_ms, &format!("{order}#{segment}")))
}

/// The segment in the sort key of a membership, present or past.
pub(crate) fn segment_of_member(sort_key: &str) -> &str {
    match sort_key.strip_prefix(MEMBER_PREFIX) {
        Some(segment) => segment,
        None => sort_key.rsplit('#').next().unwrap_or_default(),
    }
}

pub(crate) fn history_shard(segment: &str, profile: &str) -> String {
    format!("{HISTORY_PREFIX}{segment}#{}", shard(profile, HISTORY_SHARDS))
}

pub(crate) fn history_shards(segment: &str) -> impl Iterator<Item = String> {
    (0..HISTORY_SHARDS).map(move |shard| format!("{HISTORY_PREFIX}{segment}#{shard}"))
}

/// Identifiers are keyed by digest: a key shows nobody's address.
pub(crate) fn identifier(identifier: &str) -> String {
    format!("i#{}", hash::long_id(&["identifier", identifier]))
}

/// A sort value that is unique and ordered by time: 14 digits of milliseconds, then an id. Instants before 1970
/// sort as 1970.
pub(crate) fn timed(millis: i64, id: &str) -> String {
    format!("{:014}#{id}", millis.max(0))
}

fn shard(id: &str, shards: u32) -> u32 {
    id.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) % shards
}

pub(crate) fn profile_shard(id: &str) -> String {
    shard(id, PROFILE_SHARDS).to_string()
}

pub(crate) fn metric_shard(metric: &str, event: &str) -> String {
    format!("{metric}#{}", shard(event, METRIC_PARTS))
}

pub(crate) fn metric_shards(metric: &str) -> impl Iterator<Item = String> {
    (0..METRIC_PARTS).map(move |shard| format!("{metric}#{shard}"))
}

pub(crate) fn due_shard(profile: &str) -> String {
    shard(profile, DUE_SHARDS).to_string()
}

/// A metric's id: a function of the integration and the name, so that racing creations agree.
pub fn metric_id(integration: &str, name: &str) -> String {
    hash::short_id(&["metric", integration, name])
}
