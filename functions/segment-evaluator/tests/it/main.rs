//! The evaluator over a real (embedded) DynamoDB, fed from its stream.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod definitions;
mod failures;
mod formats;
mod lag;
mod removals;
mod replays;

use std::collections::BTreeMap;

use aws_lambda_events::dynamodb::{Event as StreamEvent, EventRecord};
use canonical::identity::Identifiers;
use canonical::{Event, Source};
use evaluation::Evaluator;
use jiff::tz::TimeZone;
use segment_evaluator::SegmentEvaluator;
use serde_json::{Map, Value, json};
use store::{Resolved, SegmentRecord, StoredEvent};
use testing::{NOW_MS, World, at};

const METRIC: &str = "ORDERS";

/// A function with its surroundings.
struct Shop {
    world: World,
    function: SegmentEvaluator,
}

impl Shop {
    async fn open() -> Self {
        let world = World::start().await;
        let function = function(&world);
        Self { world, function }
    }

    /// Makes or changes a segment, as the API does.
    async fn define(&self, id: &str, condition: Value) {
        define(&self.world.store, id, condition).await;
    }

    async fn person(&self, email: &str) -> String {
        let identifiers = Identifiers { email: Some(email.to_owned()), ..Identifiers::default() };
        let outcome = self.world.store.update_person(&identifiers, None, self.world.now(), |_| false).await;
        match outcome.unwrap() {
            Resolved::Profile { profile, .. } => profile.id,
            other => panic!("{other:?}"),
        }
    }

    async fn order(&self, profile: &str, key: &str) -> StoredEvent {
        let stored = order(profile, key);
        self.world.store.put_event(&stored).await.unwrap();
        stored
    }

    /// Works on a batch; the sequence number from which on it must come again.
    async fn evaluate(&self, records: Vec<EventRecord>) -> Option<String> {
        let mut event = StreamEvent::default();
        event.records = records;
        let response = self.function.handle(event).await.unwrap();
        assert!(response.batch_item_failures.len() <= 1);
        response.batch_item_failures.into_iter().next().and_then(|failure| failure.item_identifier)
    }

    /// Works on all of the stream as one batch.
    async fn evaluate_all(&self) {
        assert_eq!(self.evaluate(self.world.stream()).await, None);
    }

    /// What the evaluator has written.
    fn outcome(&self) -> BTreeMap<(String, String), Value> {
        let mut items = self.world.items("profiles");
        items.retain(|(_, sort), _| sort == "state" || sort.starts_with("s#"));
        items
    }

    async fn is_member(&self, profile: &str, segment: &str) -> bool {
        let member = self.world.store.membership(profile, segment).await.unwrap();
        member.is_some_and(|member| member.current)
    }
}

fn function(world: &World) -> SegmentEvaluator {
    SegmentEvaluator::new(Evaluator::over(world.function_store(), world.clock(), TimeZone::UTC))
}

async fn define(store: &store::Store, id: &str, condition: Value) {
    let version = store.program_version().await.unwrap() + 1;
    let segment = SegmentRecord {
        id: id.to_owned(),
        name: id.to_owned(),
        definition: json!({"condition_groups": [{"conditions": [condition]}]}),
        version,
        is_active: true,
        is_starred: false,
        created_at: at(NOW_MS),
        updated_at: at(NOW_MS),
        resumed_version: 0,
        ready_version: 0,
        shown_version: 0,
    };
    store.put_segment_definition(&segment, None).await.unwrap();
}

/// At least so many orders, ever.
fn orders(at_least: u32) -> Value {
    json!({
        "type": "profile-metric", "metric_id": METRIC, "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": at_least},
        "timeframe_filter": {"type": "date", "operator": "alltime"},
    })
}

/// At least one order in the last so many days.
fn recent(days: u32) -> Value {
    json!({
        "type": "profile-metric", "metric_id": METRIC, "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than", "value": 0},
        "timeframe_filter": {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": days},
    })
}

fn order(profile: &str, key: &str) -> StoredEvent {
    let source = Source {
        platform: "shopify".to_owned(),
        connection: "C1".to_owned(),
        topic: "orders/create".to_owned(),
        delivery_id: key.to_owned(),
    };
    StoredEvent {
        profile_id: profile.to_owned(),
        metric_id: METRIC.to_owned(),
        ingested_at: at(NOW_MS),
        event: Event {
            id: Event::id_of("C1", METRIC, &[key]),
            metric: "Placed Order".to_owned(),
            source_metric: None,
            occurred_at: at(NOW_MS - 1000),
            value: None,
            properties: Map::new(),
            source,
            backfill: false,
        },
    }
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn sequence(record: &EventRecord) -> u128 {
    record.change.sequence_number.as_ref().unwrap().parse().unwrap()
}
