//! Who would belong to a segment that is not stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use canonical::{Event, Profile, Source};
use evaluation::{Evaluator, Preview};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use store::StoredEvent;
use testing::{Answer, NOW_MS, World, at};

use crate::{define, evaluator, first_name};

const LATER_MS: i64 = i64::MAX;

fn ordered(count: u32, days: u32) -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-metric", "metric_id": "Y6nRLr", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": count},
        "timeframe_filter": {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": days},
    }]}]})
}

/// So many people, called Ada and Ben in turn; number n has placed n % 4 orders yesterday.
async fn people(world: &World, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let mut profile = Profile::new(format!("P{number:04}"), at(NOW_MS));
        let name = if number % 2 == 0 { "Ada" } else { "Ben" };
        profile.attributes.insert("first_name".to_owned(), json!(name));
        world.store.put_profile(&profile, 0).await.unwrap();
        for order in 0..number % 4 {
            let key = format!("{number}-{order}");
            let event = Event {
                id: Event::id_of("", "Placed Order", &[&key]),
                metric: "Placed Order".to_owned(),
                source_metric: None,
                occurred_at: at(NOW_MS - 86_400_000),
                value: None,
                properties: Map::new(),
                source: Source {
                    platform: "api".to_owned(),
                    connection: String::new(),
                    topic: "events".to_owned(),
                    delivery_id: key,
                },
                backfill: false,
            };
            let stored = StoredEvent {
                profile_id: profile.id.clone(),
                metric_id: "Y6nRLr".to_owned(),
                ingested_at: at(NOW_MS - 2 * 86_400_000),
                event,
            };
            world.store.put_event(&stored).await.unwrap();
        }
        ids.push(profile.id);
    }
    ids
}

async fn evaluate_all(evaluator: &Evaluator, ids: &[String]) {
    let program = evaluator.program().await.unwrap();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let loaded = evaluator.load(&ids).await.unwrap();
    for id in ids {
        evaluator.evaluate(&program, id, &loaded, &[]).await.unwrap();
    }
}

/// Counts how often a history is read, and refuses every write.
fn watch(world: &World) -> Arc<AtomicUsize> {
    let histories = Arc::new(AtomicUsize::new(0));
    let counter = histories.clone();
    world.intercept(move |call| {
        let is_write = ["Write", "Put", "Update", "Delete"].iter().any(|word| call.operation.contains(word));
        assert!(!is_write, "{call:?}");
        counter.fetch_add(usize::from(call.is("Query", "\"e#\"")), Ordering::SeqCst);
        std::future::ready(Answer::Pass)
    });
    histories
}

async fn preview(evaluator: &Evaluator, definition: &Value) -> Preview {
    evaluator.preview(definition, Preview::default(), LATER_MS).await.unwrap()
}

#[tokio::test]
async fn histories_are_read_only_where_the_states_do_not_suffice_and_nothing_is_written() {
    let world = World::start().await;
    let evaluator = evaluator(&world);
    define(&world.store, "ORDERS", ordered(1, 30), true).await;
    // More than a page of a shard.
    let ids = people(&world, 120).await;
    evaluate_all(&evaluator, &ids).await;
    let before = world.items("profiles");
    for (definition, count, histories) in [
        // Another number of what is counted already.
        (ordered(3, 30), 30, 0),
        // What only the profile tells.
        (first_name("Ada"), 60, 0),
        (
            json!({"condition_groups": [{"conditions": [
                {"type": "profile-group-membership", "is_member": true, "group_ids": ["ORDERS"]},
            ]}]}),
            90,
            0,
        ),
        // A window that nobody has asked for yet.
        (ordered(2, 60), 60, 120),
    ] {
        let read = watch(&world);
        let preview = preview(&evaluator, &definition).await;
        assert!(preview.is_complete());
        assert_eq!((preview.seen, preview.count), (120, count), "{definition}");
        assert_eq!(preview.sample.len(), Preview::SAMPLE);
        assert_eq!(read.load(Ordering::SeqCst), histories, "{definition}");
    }
    assert_eq!(world.items("profiles"), before);
}

#[tokio::test]
async fn states_of_a_newer_program_than_the_preview_knows_are_not_trusted() {
    let world = World::start().await;
    let evaluator = evaluator(&world);
    define(&world.store, "ORDERS", ordered(1, 30), true).await;
    let ids = people(&world, 8).await;
    evaluate_all(&evaluator, &ids).await;
    // While the first page is read, a definition comes in and everybody is evaluated: the states have now the very
    // version that the preview gave itself.
    let (rival, done) = (
        Arc::new(Evaluator::over(world.store.clone(), world.clock(), TimeZone::UTC)),
        Arc::new(AtomicUsize::new(0)),
    );
    world.intercept(move |call| {
        let is_turn = call.operation == "BatchGetItem" && done.fetch_add(1, Ordering::SeqCst) == 0;
        let (rival, ids) = (rival.clone(), ids.clone());
        async move {
            if is_turn {
                define(rival.store(), "NAMED1", first_name("Ada"), true).await;
                Box::pin(evaluate_all(&rival, &ids)).await;
            }
            Answer::Pass
        }
    });
    let found = preview(&evaluator, &ordered(2, 60)).await;
    assert_eq!((found.seen, found.count), (8, 4));
}

#[tokio::test]
async fn a_preview_without_time_looks_at_somebody_each_time_and_counts_everybody_once() {
    let world = World::start().await;
    let evaluator = evaluator(&world);
    people(&world, 70).await;
    let mut so_far = Preview::default();
    let mut calls = 0;
    while !so_far.is_complete() {
        // As a client sends it back.
        let text = serde_json::to_string(&so_far).unwrap();
        let sent: Preview = serde_json::from_str(&text).unwrap();
        assert!(sent == so_far && sent.is_valid());
        let next = evaluator.preview(&ordered(1, 30), sent, 0).await.unwrap();
        assert!(next.seen > so_far.seen || next.is_complete());
        so_far = next;
        calls += 1;
    }
    assert!(calls > 3, "{calls}");
    assert_eq!((so_far.seen, so_far.count), (70, 52));
    assert_eq!(so_far, preview(&evaluator, &ordered(1, 30)).await);
}

#[tokio::test]
async fn a_preview_that_cannot_have_come_from_here_is_known() {
    let altered = |change: &dyn Fn(&mut Value)| {
        let mut value = serde_json::to_value(Preview::default()).unwrap();
        change(&mut value);
        serde_json::from_value::<Preview>(value).is_ok_and(|preview| preview.is_valid())
    };
    assert!(altered(&|_| {}));
    assert!(!altered(&|value| value["count"] = json!(1)));
    assert!(!altered(&|value| value["places"] = json!([])));
    assert!(!altered(&|value| value["places"][0] = json!("elsewhere")));
    assert!(!altered(&|value| value["sample"] = (0..11).map(|id| json!(id.to_string())).collect()));
}
