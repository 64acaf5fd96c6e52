//! Canonical events: what happened to one customer, once.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Instant, Metric, Money};

/// Where a record came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The platform's name as in webhook addresses, such as `shopify`; `api` for the HTTP API.
    pub platform: String,
    /// The connection's id; empty for the HTTP API.
    pub connection: String,
    /// The platform's topic, such as `orders/create`.
    pub topic: String,
    /// The platform's id of the delivery, or one made from the body's digest.
    pub delivery_id: String,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Deterministic: see [`Event::id_of`].
    pub id: String,
    /// The metric's name: a canonical one, or the caller's own through the API.
    pub metric: String,
    /// The name the platform itself uses, when it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_metric: Option<String>,
    /// When it happened, by the source's word.
    pub occurred_at: Instant,
    /// Its value: exact, with a currency where the source says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// Everything else, keyed as in Klaviyo's integration guide.
    pub properties: Map<String, Value>,
    /// The record it was derived from.
    pub source: Source,
    /// From a historical import: recorded and counted in segments, but starts no flow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backfill: bool,
}

impl Event {
    /// The id of an event: a function of the connection, the metric and a natural key (the order's id,
    /// the order's and the line's id, …), never of a clock or a delivery.
    pub fn id_of(connection: &str, metric: &str, natural_key: &[&str]) -> String {
        let mut parts = vec!["event", connection, metric];
        parts.extend_from_slice(natural_key);
        crate::hash::long_id(&parts)
    }

    /// A canonical event with its deterministic id.
    pub fn new(source: &Source, metric: Metric, natural_key: &[&str], occurred_at: Instant) -> Self {
        Self {
            id: Self::id_of(&source.connection, metric.name(), natural_key),
            metric: metric.name().to_owned(),
            source_metric: None,
            occurred_at,
            value: None,
            properties: Map::new(),
            source: source.clone(),
            backfill: false,
        }
    }
}
