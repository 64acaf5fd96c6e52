//! The three layers of JSON in a token: its claims, the envelope, the event.

use canonical::Instant;
use platform::lenient::{self, BodyError, Dropped, Field, Id, Object};
use platform::signature::jwt;

use crate::payload::{self, Json};
use crate::topic::Topic;

/// A delivery, unwrapped.
#[derive(Debug, Default)]
pub(crate) struct Event {
    /// The event's name; empty if there is none.
    pub(crate) topic: String,
    /// The app's instance on one site.
    pub(crate) instance_id: Option<String>,
    /// Names the event in every repetition; older events have none.
    pub(crate) id: Option<String>,
    /// The id of what it is about.
    pub(crate) entity_id: Option<String>,
    /// When it happened; of an event without a time, when the token was made.
    pub(crate) time: Option<Instant>,
    /// It was caused by somebody's wish to be forgotten.
    pub(crate) anonymized: bool,
    /// What was created or changed, or what an action says: JSON.
    pub(crate) content: Option<String>,
    /// The whole event: JSON.
    pub(crate) data: String,
    /// Why the event cannot be read, although its envelope can.
    pub(crate) error: Option<BodyError>,
}

impl Event {
    /// Unwraps a token that was verified before. What is missing stays empty.
    pub(crate) fn open(token: &[u8], dropped: &mut Dropped) -> Self {
        let claims = jwt::claims(token).unwrap_or_default();
        let claims: payload::Claims = lenient::object(&claims).unwrap_or_default();
        let Json(envelope) = claims.data.ok().unwrap_or_default();
        let envelope: payload::Envelope = lenient::object(envelope.as_bytes()).unwrap_or_default();
        let Json(data) = dropped.take("data", envelope.data).unwrap_or_default();
        let (event, error) = match lenient::object::<payload::Event>(data.as_bytes()) {
            Ok(event) => (event, None),
            Err(error) => (payload::Event::default(), Some(error)),
        };
        let sent_at = claims.iat.ok().and_then(|seconds| Instant::from_millis(seconds.0.checked_mul(1000)?));
        let happened_at = dropped.take("eventTime", event.event_time);
        let named =
            event.entity_fqdn.ok().zip(event.slug.ok()).map(|(entity, slug)| format!("{entity}_{slug}"));
        let event_type = envelope.event_type.ok();
        Self {
            topic: topic(event_type, named),
            instance_id: dropped.take("instanceId", envelope.instance_id),
            id: dropped.take("id", event.id).map(|Id(id)| id),
            entity_id: dropped.take("entityId", event.entity_id).map(|Id(id)| id),
            time: happened_at.and_then(lenient::Moment::in_utc).or(sent_at),
            anonymized: dropped
                .take("triggeredByAnonymizeRequest", event.triggered_by_anonymize_request)
                .unwrap_or_default(),
            content: content(
                dropped.take("createdEvent", event.created_event),
                dropped.take("updatedEvent", event.updated_event),
                dropped.take("actionEvent", event.action_event),
            ),
            data,
            error,
        }
    }

    /// A record that was asked for, which has no envelope.
    pub(crate) fn polled(body: &[u8]) -> Self {
        Self { content: Some(String::from_utf8_lossy(body).into_owned()), ..Self::default() }
    }
}

/// The name in the envelope, or the one that the event gives itself if only that is known.
fn topic(event_type: Option<String>, named: Option<String>) -> String {
    match (event_type, named) {
        (Some(event_type), Some(named))
            if Topic::parse(&event_type).is_none() && Topic::parse(&named).is_some() =>
        {
            named
        }
        (event_type, named) => event_type.or(named).unwrap_or_default(),
    }
}

fn content(
    created: Option<Object<payload::Created>>,
    updated: Option<Object<payload::Updated>>,
    action: Option<Object<payload::Action>>,
) -> Option<String> {
    let created = created.and_then(|Object(created)| either(created.entity, created.entity_as_json));
    let updated = || {
        let Object(updated) = updated?;
        either(updated.current_entity, updated.current_entity_as_json)
    };
    let action = || {
        let Object(action) = action?;
        either(action.body, action.body_as_json)
    };
    created.or_else(updated).or_else(action)
}

fn either(now: Field<Json>, before: Field<Json>) -> Option<String> {
    now.ok().or_else(|| before.ok()).map(|Json(json)| json)
}
