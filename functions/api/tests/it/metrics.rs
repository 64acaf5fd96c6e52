//! Metrics and their properties.

use canonical::{Event, Instant, Source};
use serde_json::{Value, json};
use store::StoredEvent;

use crate::World;

impl World {
    async fn waved(&self, profile: &str, at_s: i64, properties: Value) {
        self.record(profile, "Waved", "first", 1_700_000_000, None).await;
        let source = Source {
            platform: "api".to_owned(),
            connection: String::new(),
            topic: "events".to_owned(),
            delivery_id: "d".to_owned(),
        };
        let event = Event {
            id: Event::id_of("", "Waved", &[&at_s.to_string()]),
            metric: "Waved".to_owned(),
            source_metric: None,
            occurred_at: Instant::from_millis(at_s * 1000).unwrap(),
            value: None,
            properties: properties.as_object().unwrap().clone(),
            source,
            backfill: false,
        };
        let stored = StoredEvent {
            profile_id: profile.to_owned(),
            metric_id: store::metric_id("api", "Waved"),
            ingested_at: self.now(),
            event,
        };
        self.store.put_event(&stored).await.unwrap();
    }
}

#[tokio::test]
async fn properties_are_those_of_the_newest_events() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    let rest = json!({"$extra": {"note": 1}, "Never": null, "Hands": 2, "Mixed": 1});
    world.waved(&ann, 1_700_000_001, rest).await;
    let properties = json!({
        "Hands": 1.5, "At": "2026-01-02T03:04:05Z", "Day": "2026-01-02", "Warm": true, "Fingers": ["a", "b", "a"],
        "Where": {"City": "Lyon"}, "Mixed": "x", "Long": "x".repeat(300),
    });
    world.waved(&ann, 1_700_000_002, properties).await;
    let id = store::metric_id("api", "Waved");
    let list = world.get(&format!("/api/metrics/{id}/metric-properties")).await;
    let types: Vec<(&str, &str)> = list.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|property| {
            let attributes = &property["attributes"];
            assert_eq!(attributes.get("sample_values"), None);
            (attributes["property"].as_str().unwrap(), attributes["inferred_type"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        types,
        [
            ("$event_id", "String"),
            ("At", "Date"),
            ("Day", "Date"),
            ("Fingers", "List"),
            ("Hands", "Number"),
            ("Long", "String"),
            ("Mixed", "String"),
            ("OrderId", "String"),
            ("Warm", "Boolean"),
            ("Where", "Object"),
        ]
    );
    let ids = world.get(&format!("/api/metrics/{id}/relationships/metric-properties")).await;
    assert_eq!(ids.ids(), list.ids());
    assert_eq!(ids.body["data"][0], json!({"type": "metric-property", "id": list.ids()[0]}));
    let sampled = world
        .get(&format!("/api/metrics/{id}/metric-properties?additional-fields[metric-property]=sample_values"))
        .await;
    let samples = |place: usize| &sampled.body["data"][place]["attributes"]["sample_values"];
    assert_eq!((samples(3), samples(4), samples(5)), (&json!(["a", "b"]), &json!([1.5, 2]), &json!([])));

    let hands = list.ids()[4].to_owned();
    let one = world.get(&format!("/api/metric-properties/{hands}?include=metric&fields[metric]=name")).await;
    assert_eq!(one.body["data"], list.body["data"][4]);
    assert_eq!(one.body["included"][0]["attributes"], json!({"name": "Waved"}));
    assert_eq!(one.body["data"]["relationships"]["metric"]["data"], json!({"type": "metric", "id": id}));
    assert_eq!(one.body["data"]["attributes"]["label"], "Hands");
    assert_eq!(world.get(&format!("/api/metric-properties/{hands}/metric")).await.id(), id);
    let related = world.get(&format!("/api/metric-properties/{hands}/relationships/metric")).await;
    assert_eq!(related.body["data"], json!({"type": "metric", "id": id}));
    for missing in ["none", &format!("{id}-x"), &format!("{id}-Tm9wZQ"), "NONE00-SGFuZHM"] {
        assert_eq!(world.get(&format!("/api/metric-properties/{missing}")).await.error().0, 404, "{missing}");
    }
    assert_eq!(world.get("/api/metrics/NONE00/metric-properties").await.error().0, 404);
}

#[tokio::test]
async fn metrics_start_no_flows() {
    let world = World::new().await;
    let ann = world.profile("ann@example.com").await;
    world.record(&ann, "Waved", "first", 1_700_000_000, None).await;
    let id = store::metric_id("api", "Waved");
    for address in [format!("/api/metrics/{id}"), "/api/metrics".to_owned()] {
        let reply = world.get(&format!("{address}?include=flow-triggers")).await;
        assert_eq!(reply.body["included"], json!([]));
        assert_eq!(world.get(&address).await.body.get("included"), None);
        assert_eq!(world.get(&format!("{address}?include=flows")).await.error(), (400, "include"));
    }
    for address in ["flow-triggers", "relationships/flow-triggers"] {
        assert_eq!(world.get(&format!("/api/metrics/{id}/{address}")).await.body["data"], json!([]));
        assert_eq!(world.get(&format!("/api/metrics/NONE00/{address}")).await.error().0, 404);
    }
    let metric = world.get(&format!("/api/metrics/{id}?fields[metric]=integration.name")).await;
    assert_eq!(metric.body["data"]["attributes"], json!({"integration": {"name": "API"}}));
}
