use canonical::profile::PropertyPatch;
use canonical::{ApiEvent, Profile};
use serde_json::{Value, json};

use crate::{at, source};

fn placed(unique_id: Option<&str>, time: Option<&str>) -> ApiEvent {
    ApiEvent {
        metric: "Placed Order".into(),
        unique_id: unique_id.map(str::to_owned),
        time: time.map(at),
        ..ApiEvent::default()
    }
}

#[test]
fn one_unique_id_is_one_event_whatever_its_time() {
    let id = |event: ApiEvent| event.into_event(source(), at("2026-01-01T00:00:00Z")).id;
    let first = id(placed(Some("1001"), Some("2026-01-02T03:04:05Z")));
    assert_eq!(id(placed(Some("1001"), Some("2026-05-05T05:05:05Z"))), first);
    assert_ne!(id(placed(Some("1002"), Some("2026-01-02T03:04:05Z"))), first);
    assert_ne!(id(ApiEvent { metric: "Waved".into(), ..placed(Some("1001"), None) }), first);
    assert_ne!(id(ApiEvent { service: Some("magento".into()), ..placed(Some("1001"), None) }), first);
    assert_eq!(id(ApiEvent { service: Some("api".into()), ..placed(Some("1001"), None) }), first);
}

#[test]
fn without_one_an_event_is_named_by_its_second() {
    let event = |time: &str| placed(None, Some(time)).into_event(source(), at("2026-01-01T00:00:00Z"));
    let first = event("2026-01-02T03:04:05.100Z");
    assert_eq!(event("2026-01-02T04:04:05.900+01:00").id, first.id);
    assert_ne!(event("2026-01-02T03:04:06Z").id, first.id);
    assert_eq!(first.occurred_at, at("2026-01-02T03:04:05Z"));
    let now = placed(None, None).into_event(source(), at("2026-01-01T00:00:00.999Z"));
    assert_eq!(now.occurred_at, at("2026-01-01T00:00:00Z"));
    // A text that looks like a second is none.
    assert_ne!(
        event("1970-01-01T00:00:07Z").id,
        placed(Some("7"), None).into_event(source(), at("2026-01-01T00:00:00Z")).id
    );
}

#[test]
fn it_survives_the_queue() {
    let event = ApiEvent {
        patch: PropertyPatch { unset: vec!["a".into()], ..PropertyPatch::default() },
        ..placed(Some("1"), Some("2026-01-02T03:04:05+02:00"))
    };
    let text = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<ApiEvent>(&text).unwrap(), event);
}

#[test]
fn a_patch_can_come_twice_and_touches_nothing_newer() {
    let start =
        json!({"properties": {"tags": ["a", "b", "a"], "size": "M", "one": 1, "old": true, "n": null}});
    let patch: PropertyPatch = serde_json::from_value(json!({
        "append": {"tags": ["c", "b"], "size": "L", "new": 1},
        "unappend": {"tags": "a", "one": [1, 2], "none": 1},
        "unset": ["old", "missing"],
    }))
    .unwrap();
    let made = || {
        let mut profile = Profile::new("P".into(), at("2026-01-01T00:00:00Z"));
        let Value::Object(attributes) = &start else { unreachable!() };
        assert!(profile.apply_attributes(attributes, 1000).changed);
        profile
    };
    let mut profile = made();
    assert!(profile.apply_patch(&patch, 2000));
    let expected = json!({"tags": ["b", "c"], "size": ["M", "L"], "one": [], "new": [1]});
    assert_eq!(profile.attributes["properties"], expected);
    let once = profile.attributes.clone();
    profile.apply_patch(&patch, 3000);
    assert_eq!(profile.attributes, once);

    let mut profile = made();
    assert!(profile.apply_patch(&patch, 500));
    let untouched = json!({"tags": ["a", "b", "a"], "size": "M", "one": 1, "old": true, "new": [1]});
    assert_eq!(profile.attributes["properties"], untouched);
    assert!(!profile.apply_patch(&PropertyPatch::default(), 4000));
}
