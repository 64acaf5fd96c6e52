//! What a client of the HTTP API says about one event, validated, on its way through the queue.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::profile::PropertyPatch;
use crate::{Event, Instant, Money, Person, Source};

/// The service of a metric that names none.
pub const DEFAULT_SERVICE: &str = "api";

/// An event as `POST /api/events` accepted it: the JSON body of a delivery of the platform `api`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiEvent {
    /// The profile's id, if the client named the profile by it. It outranks the identifiers of `person`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<String>,
    /// Identifiers, and attributes as of the time of the request (the delivery's `received_at`), whatever the
    /// time of the event. A null clears.
    pub person: Person,
    /// What to do with single custom properties of the profile, after the attributes.
    #[serde(skip_serializing_if = "PropertyPatch::is_empty")]
    pub patch: PropertyPatch,
    /// The metric's name, as the client writes it.
    pub metric: String,
    /// The integration that the metric belongs to; [`DEFAULT_SERVICE`] if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The client's own id of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<String>,
    /// When it happened, to the second; the time of the request if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Instant>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// Its properties.
    pub properties: Map<String, Value>,
    /// Recorded, but starts no flow.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backfill: bool,
    /// Anybody may have sent it, such as a browser: it changes no identifier that a profile has.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
}

impl ApiEvent {
    /// The integration that the metric belongs to.
    pub fn integration(&self) -> &str {
        self.service.as_deref().unwrap_or(DEFAULT_SERVICE)
    }

    /// The canonical event. `received_at` is the time of the request.
    ///
    /// Its id follows from the metric and the `unique_id`, else the time to the second: one event per profile,
    /// metric and second, as Klaviyo has it. The profile is no part of the id, because events are kept by
    /// profile anyway, and so that a repeat is still one after two profiles merged.
    pub fn into_event(self, source: Source, received_at: Instant) -> Event {
        let occurred_at = self.time.unwrap_or(received_at).truncated_to_second();
        let second = occurred_at.as_millis().div_euclid(1000).to_string();
        let natural_key = match &self.unique_id {
            Some(unique_id) => [self.integration(), "unique_id", unique_id],
            None => [self.integration(), "second", &second],
        };
        Event {
            id: Event::id_of(&source.connection, &self.metric, &natural_key),
            metric: self.metric,
            source_metric: None,
            occurred_at,
            value: self.value,
            properties: self.properties,
            source,
            backfill: self.backfill,
        }
    }
}
