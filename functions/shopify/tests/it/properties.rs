//! Nothing that arrives makes the adapter panic, and nothing unsigned gets in.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use platform::{Connection, Headers, Mapping, Platform, Request, Unverified, Verdict};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use shopify::Shopify;

use crate::case::{Case, NOW, SECRET, delivery, paths, secrets};

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| paths().iter().map(|path| Case::read(path)).collect());

fn topics() -> BTreeSet<&'static str> {
    CASES.iter().map(Case::topic).collect()
}

/// Every JSON object of the fixtures, with its topic.
fn bodies() -> Vec<(&'static str, Value)> {
    let objects = CASES.iter().filter(|case| case.body.is_object());
    objects.map(|case| (case.topic(), case.body.clone())).collect()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        select(vec![
            "79228162514264337593543950335",
            "-0.0000000000000000000000000001",
            "1e28",
            "gid://",
            "gid:///?",
            "2026-03-14T10:26:51+01:00",
            "+999999-01-01T00:00:00Z",
            "-009999-01-01T00:00:00Z",
            "success",
            "refund",
            "true",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-z_]{0,12}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Replaces the value at the `place`th place of a tree, counted modulo all places.
fn mutate(tree: &mut Value, place: prop::sample::Index, with: &Value) {
    fn places(tree: &Value) -> usize {
        1 + match tree {
            Value::Array(items) => items.iter().map(places).sum(),
            Value::Object(fields) => fields.values().map(places).sum(),
            _ => 0,
        }
    }
    fn replace(tree: &mut Value, left: &mut usize, with: &Value) {
        if *left == 0 {
            *tree = with.clone();
        }
        *left = left.wrapping_sub(1);
        match tree {
            _ if *left == usize::MAX => {}
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, left, with)),
            Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, left, with)),
            _ => {}
        }
    }
    // The root itself stays: a body that is no object is another test's.
    let count = places(tree) - 1;
    if count > 0 {
        let mut left = place.index(count) + 1;
        replace(tree, &mut left, with);
    }
}

fn read(topic: &str, body: Vec<u8>, settings: Map<String, Value>) -> Mapping {
    let headers: Headers = [("x-shopify-topic", topic)].into_iter().collect();
    let connection = Connection { settings, ..Connection::default() };
    Shopify.facts(&delivery(topic, &headers, body), &connection, &[])
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_malformed_in_every_topic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        for topic in topics() {
            let mapping = read(topic, body.clone(), Map::new());
            prop_assert!(matches!(mapping, Mapping::Malformed(_) | Mapping::Ignore(_)), "{topic}: {mapping:?}");
        }
    }

    #[test]
    fn arbitrary_json_does_no_harm_in_any_topic(body in any_json()) {
        for topic in topics() {
            read(topic, serde_json::to_vec(&body).unwrap(), Map::new());
        }
    }

    #[test]
    fn real_bodies_with_arbitrary_changes_do_no_harm(
        (topic, mut body) in select(bodies()),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any_json()), 1..6),
        each in any::<bool>(),
    ) {
        for (place, with) in changes {
            mutate(&mut body, place, &with);
        }
        let settings = json!({ "refund_policy": if each { "each" } else { "full_only" } });
        let Value::Object(settings) = settings else { unreachable!() };
        read(topic, serde_json::to_vec(&body).unwrap(), settings);
    }

    #[test]
    fn a_request_that_is_not_signed_is_rejected(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        headers in proptest::collection::vec(
            (select(vec!["x-shopify-topic", "x-shopify-hmac-sha256", "x-shopify-shop-domain"]), ".*"), 0..4),
    ) {
        let request = Request { headers: headers.into_iter().collect(), ..Request::default() };
        let verdict = Shopify.verify(
            &request, Unverified::new(body), &Connection::default(), &secrets([SECRET]), NOW.parse().unwrap());
        prop_assert!(matches!(verdict, Verdict::Reject(_)));
    }

    #[test]
    fn the_same_bytes_give_the_same_facts((topic, body) in select(bodies())) {
        let body = serde_json::to_vec(&body).unwrap();
        prop_assert_eq!(read(topic, body.clone(), Map::new()), read(topic, body, Map::new()));
    }
}
