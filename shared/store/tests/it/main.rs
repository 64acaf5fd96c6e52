//! The store over a real (embedded) DynamoDB with the tables that are deployed.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod back_in_stock;
mod catalog;
mod claims;
mod erasure;
mod evaluation;
mod events;
mod formats;
mod health;
mod history;
mod identity;
mod lists;
mod merging;
mod metric_settings;
mod profiles;
mod quotas;
mod registry;
mod tags;
mod visitors;

use canonical::identity::Identifiers;
use canonical::{Event, Instant, Profile, Source};
use serde_json::Map;
use store::{Resolved, Store, StoredEvent, Versioned};
use testing::{NOW_MS, at};

fn now() -> Instant {
    at(NOW_MS)
}

fn with_email(email: &str) -> Identifiers {
    Identifiers { email: Some(email.to_owned()), ..Identifiers::default() }
}

fn with_phone(phone: &str) -> Identifiers {
    Identifiers { phone_number: Some(phone.to_owned()), ..Identifiers::default() }
}

fn with_both(email: &str, phone: &str) -> Identifiers {
    Identifiers { phone_number: Some(phone.to_owned()), ..with_email(email) }
}

/// The profile that a fact about this person, made now, leads to.
async fn person(store: &Store, identifiers: &Identifiers) -> Profile {
    match store.update_person(identifiers, Some(now()), now(), |_| false).await.unwrap() {
        Resolved::Profile { profile, .. } => profile,
        other => panic!("{other:?}"),
    }
}

async fn profile(store: &Store, id: &str) -> Versioned<Profile> {
    store.profile(id).await.unwrap().unwrap()
}

/// An event at so many milliseconds after the beginning of the test's present.
fn event(profile: &str, key: &str, offset_ms: i64) -> StoredEvent {
    event_of(profile, "Placed Order", "connection", key, offset_ms)
}

fn event_of(profile: &str, metric: &str, connection: &str, key: &str, offset_ms: i64) -> StoredEvent {
    StoredEvent {
        profile_id: profile.to_owned(),
        metric_id: metric.to_owned(),
        ingested_at: now(),
        event: Event {
            id: Event::id_of(connection, metric, &[key]),
            metric: metric.to_owned(),
            source_metric: None,
            occurred_at: at(NOW_MS + offset_ms),
            value: None,
            properties: Map::new(),
            source: Source {
                platform: "shopify".to_owned(),
                connection: connection.to_owned(),
                topic: "orders/create".to_owned(),
                delivery_id: key.to_owned(),
            },
            backfill: false,
        },
    }
}

/// The ids of a profile's events, in order.
async fn event_ids(store: &Store, profile: &str) -> Vec<String> {
    let history = store.history(profile).await.unwrap();
    let mut ids: Vec<String> = history.into_iter().map(|stored| stored.event.id).collect();
    ids.sort();
    ids
}
