//! Decisions as events.

use canonical::fact::ConsentChange;
use canonical::profile::consent_event;
use canonical::{ApiEvent, DEFAULT_SERVICE, Event, Instant, Metric, Person, Profile, Source};
use serde_json::{Map, Value};
use store::ListRecord;

fn source() -> Source {
    Source {
        platform: DEFAULT_SERVICE.to_owned(),
        connection: String::new(),
        topic: "consent".to_owned(),
        delivery_id: String::new(),
    }
}

/// The events of decisions that are in force. Told whether or not they changed the profile just now: after a crash
/// between the two the request comes again, and an event's id makes it one.
pub(super) fn decided_events(
    profile: &Profile,
    changes: impl Iterator<Item = ConsentChange>,
    backfill: bool,
) -> Vec<ApiEvent> {
    let person = Person {
        external_id: profile.external_id.clone(),
        email: profile.email.clone(),
        phone: profile.phone_number.clone(),
        ..Person::default()
    };
    let in_force = changes.filter(|change| {
        let consent = profile.consent.get(&change.channel);
        consent.is_some_and(|consent| consent.at == Some(change.at) && consent.status == change.status)
    });
    let events = in_force.filter_map(|change| {
        let event = consent_event(&ConsentChange { person: person.clone(), ..change }, &source())?;
        Some(as_sent(profile, event, backfill))
    });
    events.collect()
}

pub(super) fn list_event(
    metric: Metric,
    profile: &Profile,
    list: &ListRecord,
    at: Instant,
    backfill: bool,
) -> ApiEvent {
    let millis = at.as_millis().to_string();
    let event = Event::new(&source(), metric, &[&profile.id, &list.id, &millis], at);
    as_sent(profile, Event { properties: list_properties(list), ..event }, backfill)
}

pub(super) fn list_properties(list: &ListRecord) -> Map<String, Value> {
    let properties = [("List", list.name.as_str()), ("List ID", list.id.as_str())];
    properties.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// An event of a profile, as the queue takes it.
fn as_sent(profile: &Profile, event: Event, backfill: bool) -> ApiEvent {
    ApiEvent {
        profile_id: Some(profile.id.clone()),
        metric: event.metric,
        unique_id: Some(event.id),
        time: Some(event.occurred_at),
        properties: event.properties,
        backfill,
        ..ApiEvent::default()
    }
}
