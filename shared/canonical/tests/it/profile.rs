use canonical::Profile;
use canonical::fact::PropertyChange;
use canonical::profile::{AttributeOutcome, MAX_NESTING, MAX_PROPERTIES, MAX_TEXT_BYTES};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::minute;

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn profile() -> Profile {
    Profile::new("p".into(), minute(0))
}

fn apply(profile: &mut Profile, attributes: Value, at_ms: i64) -> AttributeOutcome {
    profile.apply_attributes(&object(attributes), at_ms)
}

const CHANGED: AttributeOutcome = AttributeOutcome { changed: true, dropped: 0 };
const UNCHANGED: AttributeOutcome = AttributeOutcome { changed: false, dropped: 0 };

#[test]
fn each_attribute_keeps_its_newest_value() {
    let mut profile = profile();
    let first = json!({"first_name": "Ada", "location": {"city": "Lyon"}, "properties": {"Tier": "Gold"}});
    assert_eq!(apply(&mut profile, first, 10), CHANGED);
    let older =
        json!({"first_name": "A.", "last_name": "Lovelace", "location": {"city": "Nice", "zip": "06000"}});
    assert_eq!(apply(&mut profile, older, 5), CHANGED);
    assert_eq!(
        Value::Object(profile.attributes.clone()),
        json!({
            "first_name": "Ada", "last_name": "Lovelace", "location": {"city": "Lyon", "zip": "06000"},
            "properties": {"Tier": "Gold"},
        })
    );
    assert_eq!(profile.stamps["location.city"], 10);
    assert_eq!(profile.stamps["location.zip"], 5);
    assert_eq!(profile.stamps["properties.Tier"], 10);
}

#[test]
fn null_clears_and_an_older_value_does_not_come_back() {
    let mut profile = profile();
    let known = json!({"first_name": "Ada", "properties": {"Tier": "Gold"}});
    assert_eq!(apply(&mut profile, known.clone(), 10), CHANGED);
    assert_eq!(apply(&mut profile, json!({"first_name": null, "properties": {"Tier": null}}), 20), CHANGED);
    assert!(profile.attributes.is_empty());
    assert_eq!(apply(&mut profile, known.clone(), 15), UNCHANGED);
    assert!(profile.attributes.is_empty());
    assert_eq!(apply(&mut profile, known, 30), CHANGED);
    assert_eq!(profile.attributes["first_name"], "Ada");
}

#[test]
fn a_null_that_overtakes_its_value_still_clears_it() {
    let mut profile = profile();
    assert_eq!(apply(&mut profile, json!({"title": null}), 20), CHANGED);
    assert_eq!(apply(&mut profile, json!({"title": "Countess"}), 10), UNCHANGED);
    assert!(profile.attributes.is_empty());
}

#[test]
fn a_repeated_value_changes_nothing_at_all() {
    let mut profile = profile();
    let known = json!({"first_name": "Ada", "properties": {"Tags": ["a", {"b": 1}]}});
    assert_eq!(apply(&mut profile, known.clone(), 10), CHANGED);
    let before = profile.clone();
    assert_eq!(apply(&mut profile, known, 20), UNCHANGED);
    assert_eq!(profile, before);
}

#[test]
fn stamps_of_repeated_values_advance_with_a_real_change() {
    let mut profile = profile();
    assert_eq!(apply(&mut profile, json!({"first_name": "Ada"}), 10), CHANGED);
    assert_eq!(apply(&mut profile, json!({"first_name": "Ada", "last_name": "L."}), 30), CHANGED);
    assert_eq!(apply(&mut profile, json!({"first_name": "Augusta"}), 20), UNCHANGED);
    assert_eq!(profile.attributes["first_name"], "Ada");
}

#[test]
fn an_empty_text_is_absent_where_a_name_or_a_place_is_expected() {
    let mut profile = profile();
    assert_eq!(apply(&mut profile, json!({"first_name": "Ada", "location": {"city": "Lyon"}}), 10), CHANGED);
    assert_eq!(apply(&mut profile, json!({"first_name": "", "location": {"city": " "}}), 20), UNCHANGED);
    assert_eq!(apply(&mut profile, json!({"properties": {"Note": ""}}), 20), CHANGED);
}

#[test]
fn unknown_names_are_dropped_and_counted() {
    let attributes =
        json!({"first_name": "Ada", "shoe_size": 38, "location": {"moon": "Io"}, "properties": 7});
    assert_eq!(apply(&mut profile(), attributes, 1), AttributeOutcome { changed: true, dropped: 3 });
    assert_eq!(apply(&mut profile(), json!({"properties": null, "location": null}), 1), UNCHANGED);
}

#[test]
fn there_are_at_most_400_properties() {
    let many: Map<_, _> =
        (0..MAX_PROPERTIES + 3).map(|number| (format!("k{number}"), json!(number))).collect();
    let mut profile = profile();
    let outcome = apply(&mut profile, json!({"properties": many}), 10);
    assert_eq!(outcome, AttributeOutcome { changed: true, dropped: 3 });
    assert_eq!(profile.attributes["properties"].as_object().unwrap().len(), MAX_PROPERTIES);
    assert_eq!(apply(&mut profile, json!({"properties": {"k0": "new"}}), 11), CHANGED);
    assert_eq!(apply(&mut profile, json!({"properties": {"k0": null}}), 12), CHANGED);
    assert_eq!(apply(&mut profile, json!({"properties": {"another": 1}}), 13), CHANGED);
}

#[test]
fn cleared_properties_do_not_pile_up() {
    let mut profile = profile();
    for number in 0..3 * MAX_PROPERTIES {
        let _ = apply(&mut profile, json!({"properties": {format!("k{number}"): null}}), 10);
    }
    assert_eq!(profile.stamps.len(), 2 * MAX_PROPERTIES);
}

#[test]
fn what_is_too_deep_or_too_long_is_dropped_and_counted() {
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let mut profile = profile();
    let attributes = json!({"properties": {
        "deep": nested(MAX_NESTING), "too deep": nested(MAX_NESTING + 1),
        "long": "x".repeat(MAX_TEXT_BYTES), "too long": "x".repeat(MAX_TEXT_BYTES + 1),
        "too many": vec![0; 4001],
    }});
    assert_eq!(apply(&mut profile, attributes, 1), AttributeOutcome { changed: true, dropped: 3 });
    let properties = profile.attributes["properties"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["deep", "long"]);
}

proptest! {
    /// Values that differ whenever their times do: a repetition does not advance its stamp.
    #[test]
    fn attributes_end_the_same_in_any_order(
        (ordered, shuffled) in prop::collection::vec((0..4_u8, 0..20_i64), 1..12)
            .prop_flat_map(|writes| (Just(writes.clone()), Just(writes).prop_shuffle()))
    ) {
        let end = |writes: &[(u8, i64)]| {
            let mut profile = profile();
            for (key, at_ms) in writes {
                let value = if *at_ms == 10 { Value::Null } else { json!(at_ms) };
                let _ = apply(&mut profile, json!({"properties": {format!("k{key}"): value}}), *at_ms);
            }
            (profile.attributes.get("properties").cloned().unwrap_or(json!({})), profile.stamps)
        };
        prop_assert_eq!(end(&ordered), end(&shuffled));
    }
}

#[test]
fn a_property_changes_only_if_it_was_seen_before_with_another_value_and_not_later() {
    let change =
        |value: Value, rising| PropertyChange { property: "Tier".into(), value, rising, unless: None };
    let mut profile = profile();
    assert!(!profile.undergoes(&change(json!("Gold"), false), 10), "never seen");
    assert_eq!(apply(&mut profile, json!({"properties": {"Tier": "Gold"}}), 10), CHANGED);
    assert!(!profile.undergoes(&change(json!("Gold"), false), 20));
    assert!(profile.undergoes(&change(json!("Silver"), false), 20));
    assert!(!profile.undergoes(&change(json!("Silver"), false), 5), "older");
    assert_eq!(apply(&mut profile, json!({"properties": {"Tier": 500}}), 20), CHANGED);
    assert!(profile.undergoes(&change(json!(1000), true), 30));
    assert!(!profile.undergoes(&change(json!(100), true), 30), "lower");
    assert!(!profile.undergoes(&change(json!(null), true), 30), "none");
    assert_eq!(apply(&mut profile, json!({"properties": {"Tier": null}}), 30), CHANGED);
    assert!(profile.undergoes(&change(json!(100), true), 40), "cleared");
    assert!(!profile.undergoes(&change(json!(null), true), 40));
    let unless =
        |id: u64| PropertyChange { unless: Some(("Id".into(), json!(id))), ..change(json!(100), true) };
    assert!(profile.undergoes(&unless(7), 40), "the other was never seen");
    assert_eq!(apply(&mut profile, json!({"properties": {"Id": 7}}), 40), CHANGED);
    assert!(!profile.undergoes(&unless(7), 50), "it only means something else");
    assert!(profile.undergoes(&unless(8), 50));
}
