//! Events as all revisions since 2022-10-17 write them.

use api::Queue;
use axum::body::Body;
use canonical::Instant;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{KEY, Reply, World};

impl World {
    async fn post_as_of(&self, revision: &str, body: &Value) -> Reply {
        let request = Request::post("/api/events/")
            .header("authorization", format!("Klaviyo-API-Key {KEY}"))
            .header("revision", revision)
            .header("content-type", "application/json");
        self.request(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

/// Up to 2023-06-15.
fn flat() -> Value {
    json!({"data": {"type": "event", "attributes": {
        "profile": {
            "$email": "Ann@Example.com", "$phone_number": "+12125550123", "$id": "shop-7", "$first_name": "Ann",
            "last_name": "Lee", "$city": "Lyon", "$latitude": 45.76, "$consent": ["email"], "Tier": "gold",
        },
        "metric": {"name": "Placed Order", "service": "magento"},
        "properties": {"OrderId": "1001"},
        "time": "2023-01-02T03:04:05",
        "value": 9.5,
        "unique_id": "1001",
    }}})
}

fn nested(profile: Value) -> Value {
    json!({"data": {"type": "event", "attributes": {
        "profile": {"data": profile},
        "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order", "service": "magento"}}},
        "properties": {"OrderId": "1001"},
        "time": "2023-01-02T03:04:05",
        "value": 9.5,
        "unique_id": "1001",
    }}})
}

#[tokio::test]
async fn an_event_is_the_same_whatever_revision_it_is_written_in() {
    let world = World::new().await;
    let patch = json!({"patch_properties": {"unset": "old"}});
    let attributes = json!({
        "email": "ann@example.com", "phone_number": "+12125550123", "external_id": "shop-7", "first_name": "Ann",
        "last_name": "Lee", "location": {"city": "Lyon", "latitude": 45.76}, "properties": {"Tier": "gold"},
        "_kx": "ignored",
    });
    let beside = json!({"type": "profile", "attributes": attributes, "meta": patch});
    let mut within = attributes.clone();
    within["meta"] = patch.clone();
    let within = json!({"type": "profile", "attributes": within});
    for revision in ["2022-10-17", "2022-12-15", "2023-01-24", "2023-02-22", "2023-06-15"] {
        assert_eq!(world.post_as_of(revision, &flat()).await.status, StatusCode::ACCEPTED, "{revision}");
    }
    for revision in ["2023-07-15", "2023-09-15", "2023-10-15", "2023-12-15", "2026-10-15"] {
        let reply = world.post_as_of(revision, &nested(beside.clone())).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{revision}");
        assert_eq!(world.last_event().1.patch.unset, ["old"]);
    }
    for revision in
        ["2024-02-15", "2024-07-15", "2024-10-15", "2025-01-15", "2025-07-15", "2026-01-15", "2026-07-15"]
    {
        let reply = world.post_as_of(revision, &nested(within.clone())).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{revision}");
        assert_eq!(world.last_event().1.patch.unset, ["old"]);
    }
    let mut first = None;
    for message in world.sent(Queue::RawDeliveries) {
        let delivery = platform::Delivery::from_message(&message).unwrap();
        let mut event: canonical::ApiEvent = serde_json::from_slice(&delivery.body).unwrap();
        event.patch = canonical::profile::PropertyPatch::default();
        assert_eq!(event.time.map(Instant::to_utc_string).as_deref(), Some("2023-01-02T03:04:05Z"));
        let first = first.get_or_insert_with(|| event.clone());
        assert_eq!(*first, event);
    }
    assert_eq!(first.unwrap().person.external_id.as_deref(), Some("shop-7"));
}

#[tokio::test]
async fn a_flat_profile_is_read_as_strictly() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut body = flat();
        body["data"]["attributes"]["profile"][name] = value;
        body
    };
    for (body, place) in [
        (with("$email", json!("ann@")), "$email"),
        (with("$phone_number", json!("2125550123")), "$phone_number"),
        (with("$id", json!(7)), "$id"),
        (with("$first_name", json!(1)), "$first_name"),
        (with("$city", json!(1)), "$city"),
        (with("note", json!("x".repeat(102_401))), ""),
        (with("big", json!(u64::MAX)), "big"),
        (with("note", json!("x".repeat(97_500))), ""),
    ] {
        let place = if place.is_empty() { String::new() } else { format!("/{place}") };
        let pointer = format!("/data/attributes/profile{place}");
        assert_eq!(world.post("/api/events", body).await.error(), (400, pointer.as_str()));
    }
    let mut nobody = flat();
    nobody["data"]["attributes"]["profile"] = json!({"$first_name": "Ann"});
    assert_eq!(world.post("/api/events", nobody).await.error(), (400, "/data/attributes/profile"));
    let mut nameless = flat();
    nameless["data"]["attributes"]["metric"] = json!({"service": "magento"});
    assert_eq!(world.post("/api/events", nameless).await.error(), (400, "/data/attributes/metric/name"));
    assert_eq!(world.sent(Queue::RawDeliveries).len(), 0);
}

#[tokio::test]
async fn integers_fit_64_bits_and_profiles_95_kilobytes() {
    let world = World::new().await;
    let person = json!({"type": "profile", "attributes": {"email": "ann@example.com"}});
    let with = |text: &str| {
        let body = nested(person.clone()).to_string();
        body.replacen("\"1001\"}", &format!("\"1001\",\"n\":{text}}}"), 1)
    };
    for (text, status) in [
        ("9223372036854775807", 202),
        ("-9223372036854775808", 202),
        ("9223372036854775808", 400),
        ("18446744073709551616", 400),
        ("-99999999999999999999", 400),
        ("[{\"a\":9223372036854775808}]", 400),
        ("0.5", 202),
    ] {
        let reply = world.send(http::Method::POST, "/api/events", with(text)).await;
        assert_eq!(reply.status.as_u16(), status, "{text}");
        if status == 400 {
            assert!(reply.error().1.starts_with("/data/attributes/properties/n"));
        }
    }
    for (length, status) in [(90_000, 202), (97_500, 400)] {
        let attributes = json!({"email": "ann@example.com", "properties": {"note": "x".repeat(length)}});
        let reply =
            world.post("/api/events", nested(json!({"type": "profile", "attributes": attributes}))).await;
        assert_eq!(reply.status.as_u16(), status);
        if status == 400 {
            assert_eq!(reply.error().1, "/data/attributes/profile/data/attributes");
        }
    }
    let oversized = nested(
        json!({"type": "profile", "attributes": {"email": "ann@example.com", "title": "x".repeat(5_300_000)}}),
    );
    assert_eq!(world.post("/api/events", oversized).await.error().0, 413);
}
