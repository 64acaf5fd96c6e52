//! What goes in, and what comes out.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An event of one profile, as the engine sees it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its id: one event counts once.
    pub id: &'a str,
    /// The id of its metric.
    pub metric_id: &'a str,
    /// The name of its metric, which is the same whichever platform tells it.
    pub metric: &'a str,
    /// When it happened, in milliseconds since 1970: decides in which window it lies.
    pub occurred_ms: i64,
    /// When it arrived here, in milliseconds since 1970.
    pub ingested_ms: i64,
    /// What a sum adds: rounded to ten decimals; an amount of more than 18 digits before the point adds nothing.
    pub value: Option<Decimal>,
    /// Its properties.
    pub properties: &'a Map<String, Value>,
}

/// Why a membership changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An event, by its id.
    Event(String),
    /// A change of the profile.
    Profile,
    /// The segment was created, edited or deleted, or its members are counted anew.
    Definition,
    /// Nothing but time.
    Time,
}

/// A membership changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The segment.
    pub segment_id: String,
    /// Whether it was entered or left.
    pub entered: bool,
    /// Since when, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why.
    pub cause: Cause,
}
