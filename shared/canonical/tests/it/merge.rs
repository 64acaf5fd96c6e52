use std::collections::BTreeMap;

use canonical::Profile;
use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::{Consent, Suppression};
use serde_json::{Value, json};

use crate::{at, minute};

fn profile(email: Option<&str>, attributes: Value) -> Profile {
    let mut profile = Profile { email: email.map(str::to_owned), ..Profile::new("p".into(), minute(5)) };
    let _ = profile.apply_attributes(&serde_json::from_value(attributes).unwrap(), 10);
    profile
}

fn attributes(profile: &Profile) -> Value {
    Value::Object(profile.attributes.clone())
}

#[test]
fn the_destination_wins_and_the_source_fills_its_gaps() {
    let mut destination =
        profile(Some("ada@example.com"), json!({"first_name": "Ada", "properties": {"a": 1}}));
    let mut source = profile(
        Some("other@example.com"),
        json!({"first_name": "A.", "last_name": "L.", "properties": {"a": 2, "b": 2}}),
    );
    source.phone_number = Some("+16136120707".into());
    destination.merge(&source);
    assert_eq!(destination.email.as_deref(), Some("ada@example.com"));
    assert_eq!(destination.phone_number.as_deref(), Some("+16136120707"));
    assert_eq!(
        attributes(&destination),
        json!({"first_name": "Ada", "properties": {"a": 1, "b": 2}, "last_name": "L."})
    );
    assert_eq!(destination.stamps["last_name"], 10);
}

#[test]
fn what_the_destination_cleared_is_no_gap() {
    let mut destination = profile(None, json!({"first_name": null}));
    destination.merge(&profile(None, json!({"first_name": "Ada"})));
    assert_eq!(attributes(&destination), json!({}));
}

#[test]
fn the_fuller_location_wins_and_the_time_zone_is_the_sources() {
    let sparse = json!({"location": {"city": "Lyon", "timezone": "Europe/Paris"}});
    let full = json!({"location": {"city": "Nice", "zip": "06000", "timezone": "Europe/Monaco"}});
    let mut destination = profile(None, sparse.clone());
    destination.merge(&profile(None, full.clone()));
    assert_eq!(attributes(&destination), full);
    let mut destination = profile(None, full);
    destination.merge(&profile(None, sparse));
    assert_eq!(
        attributes(&destination),
        json!({"location": {"city": "Nice", "zip": "06000", "timezone": "Europe/Paris"}})
    );
}

#[test]
fn the_older_birth_is_kept() {
    let mut destination = profile(None, json!({}));
    let source = Profile::new("q".into(), at("2025-01-01T00:00:00Z"));
    destination.merge(&source);
    assert_eq!(destination.id, "p");
    assert_eq!(destination.created_at, at("2025-01-01T00:00:00Z"));
    destination.merge(&Profile::new("r".into(), minute(8)));
    assert_eq!(destination.created_at, at("2025-01-01T00:00:00Z"));
}

fn consenting(status: ConsentStatus, suppressions: &[(&str, i64)]) -> Profile {
    let suppressions = suppressions
        .iter()
        .map(|(reason, minutes)| Suppression { reason: (*reason).into(), at: minute(*minutes) })
        .collect();
    let consent = Consent { status, suppressions, ..Consent::default() };
    Profile { consent: BTreeMap::from([(Channel::Email, consent)]), ..profile(None, json!({})) }
}

#[test]
fn the_merged_profile_is_suppressed_if_either_was() {
    use ConsentStatus::{NeverSubscribed, Subscribed, Unsubscribed};
    for (destination, source, status, suppressions) in [
        (
            consenting(Subscribed, &[]),
            consenting(Unsubscribed, &[("UNSUBSCRIBE", 1)]),
            Subscribed,
            vec![("UNSUBSCRIBE", 1)],
        ),
        (
            consenting(NeverSubscribed, &[("HARD_BOUNCE", 1)]),
            consenting(Subscribed, &[]),
            Subscribed,
            vec![("HARD_BOUNCE", 1)],
        ),
        (
            consenting(Unsubscribed, &[("UNSUBSCRIBE", 1)]),
            consenting(Unsubscribed, &[("UNSUBSCRIBE", 2)]),
            Unsubscribed,
            vec![("UNSUBSCRIBE", 2)],
        ),
        (profile(None, json!({})), consenting(Subscribed, &[]), Subscribed, vec![]),
    ] {
        let mut merged = destination;
        merged.merge(&source);
        assert_eq!(merged.consent, consenting(status, &suppressions).consent);
    }
}
