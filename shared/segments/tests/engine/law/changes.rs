//! Events and profiles that are made up, near the present.

use std::sync::Arc;

use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::{Consent, Suppression};
use canonical::{Instant, Profile};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use segments::Event;
use serde_json::{Map, Value, json};

use super::{DAY, HOUR};

/// An instant near the present, most often at an edge.
fn distance() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => -6 * DAY..=DAY,
        4 => -DAY..=0,
        2 => (-6..=3_i64, -1..=1_i64).prop_map(|(days, edge)| days * DAY + edge),
        2 => (-60..=60_i64, -1..=1_i64).prop_map(|(hours, edge)| hours * HOUR + edge),
        1 => 1..DAY,
        1 => -800 * DAY..=800 * DAY,
        1 => (0..3_i64).prop_map(|years| -years * 365 * DAY),
    ]
}

#[derive(Clone, Debug)]
pub(super) struct MadeEvent {
    pub(super) metric: &'static str,
    pub(super) distance: i64,
    /// Round to the midnight (UTC) before.
    pub(super) snap: bool,
    pub(super) value: Option<i64>,
    pub(super) color: Option<&'static str>,
    pub(super) begins: Option<i64>,
}

pub(super) fn event() -> impl Strategy<Value = MadeEvent> {
    (
        select(vec!["Orders", "Orders", "Orders", "Views", "Views", "Other"]),
        distance(),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.8, -200..500_i64),
        select(vec![None, Some("red"), Some("blue")]),
        prop::option::of(distance()),
    )
        .prop_map(|(metric, distance, snap, value, color, begins)| MadeEvent {
            metric,
            distance,
            snap,
            value,
            color,
            begins,
        })
}

#[derive(Clone, Debug)]
pub(super) struct MadeProfile {
    pub(super) tier: Option<Value>,
    pub(super) birthday: Option<i64>,
    pub(super) email: bool,
    pub(super) status: Option<ConsentStatus>,
    pub(super) consented: i64,
    pub(super) bounced: Option<i64>,
    pub(super) joined: Option<i64>,
    pub(super) place: Option<(&'static str, &'static str)>,
}

pub(super) fn profile() -> impl Strategy<Value = MadeProfile> {
    (
        select(vec![
            None,
            Some(json!("Gold")),
            Some(json!("Silver")),
            Some(json!(5)),
            Some(json!("2024-03-10")),
        ]),
        prop::option::weighted(0.8, distance()),
        any::<bool>(),
        select(vec![None, Some(ConsentStatus::Subscribed), Some(ConsentStatus::Unsubscribed)]),
        distance(),
        prop::option::weighted(0.3, distance()),
        prop::option::weighted(0.6, distance()),
        select(vec![None, Some(("US", "10001")), Some(("United States", "94103")), Some(("DE", "10115"))]),
    )
        .prop_map(|(tier, birthday, email, status, consented, bounced, joined, place)| MadeProfile {
            tier,
            birthday,
            email,
            status,
            consented,
            bounced,
            joined,
            place,
        })
}

/// An event that owns its parts.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) metric: &'static str,
    occurred: i64,
    pub(super) ingested: i64,
    value: Option<Decimal>,
    properties: Map<String, Value>,
}

impl Stored {
    pub(super) fn event(&self) -> Event<'_> {
        Event {
            id: &self.id,
            metric_id: self.metric,
            metric: if self.metric == "Views" { "Viewed Product" } else { "Placed Order" },
            occurred_ms: self.occurred,
            ingested_ms: self.ingested,
            value: self.value,
            properties: &self.properties,
        }
    }

    /// The same, as it arrives with the profile that its own merged into.
    pub(super) fn moved(&self, now: i64) -> Arc<Self> {
        Arc::new(Self {
            id: self.id.clone(),
            metric: self.metric,
            occurred: self.occurred,
            ingested: now,
            value: self.value,
            properties: self.properties.clone(),
        })
    }
}

pub(super) fn instant(millis: i64) -> Instant {
    Instant::from_millis(millis).unwrap()
}

impl MadeEvent {
    pub(super) fn stored(self, number: usize, now: i64) -> Arc<Stored> {
        let mut properties = Map::new();
        if let Some(color) = self.color {
            properties.insert("Color".to_owned(), json!(color));
            properties.insert("Items".to_owned(), json!([{"Color": "green"}, {"Color": color}, {"Size": 4}]));
        }
        if let Some(begins) = self.begins {
            let at = instant(now + begins).to_string();
            let text = if begins % 3 == 0 { &at[..10] } else { &at };
            properties.insert("Trip".to_owned(), json!({"Begins": text}));
        }
        let mut occurred = now + self.distance;
        if self.snap {
            occurred -= occurred.rem_euclid(DAY);
        }
        Arc::new(Stored {
            id: format!("event-{number}"),
            metric: self.metric,
            occurred,
            ingested: now,
            value: self.value.map(|value| Decimal::new(value, 2)),
            properties,
        })
    }
}

impl MadeProfile {
    pub(super) fn change(self, profile: &mut Profile, now: i64) {
        let mut properties = Map::new();
        if let Some(tier) = self.tier {
            properties.insert("Tier".to_owned(), tier);
        }
        if let Some(birthday) = self.birthday {
            let at = instant(now + birthday).to_string();
            let text = if birthday % 2 == 0 { at[..10].to_owned() } else { at };
            properties.insert("Birthday".to_owned(), json!(text));
        }
        profile.attributes.insert("properties".to_owned(), Value::Object(properties));
        if let Some((country, zip)) = self.place {
            profile.attributes.insert("location".to_owned(), json!({"country": country, "zip": zip}));
        }
        profile.lists =
            self.joined.map(|joined| ("NEWS".to_owned(), instant(now + joined))).into_iter().collect();
        profile.phone_number = self.email.then(|| "+15005550006".to_owned());
        profile.email = self.email.then(|| "ada@example.com".to_owned());
        profile.consent.clear();
        if let Some(status) = self.status {
            let consent = Consent {
                status,
                at: Some(instant(now + self.consented)),
                recorded_at: self.bounced.is_none().then(|| instant(now)),
                method: Some("checkout".to_owned()),
                double_opt_in: self.consented % 2 == 0,
                suppressions: self
                    .bounced
                    .map(|at| Suppression { reason: "HARD_BOUNCE".to_owned(), at: instant(now + at) })
                    .into_iter()
                    .collect(),
                ..Consent::default()
            };
            if self.consented % 3 == 0 {
                profile.consent.insert(Channel::WhatsappMarketing, consent.clone());
            }
            profile.consent.insert(Channel::Email, consent);
        }
        profile.updated_at = instant(now);
    }
}
