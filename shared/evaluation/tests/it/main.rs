//! What the segment evaluator, the jobs and the API share, over a real (embedded) DynamoDB.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod law;
mod preview;
mod skew;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use canonical::Profile;
use evaluation::{Change, ChangeKind, ConfigError, Error, Evaluator};
use jiff::tz::TimeZone;
use segments::{Needs, State};
use serde_json::{Value, json};
use store::SegmentRecord;
use testing::{Answer, NOW_MS, World, at};

const NAMED: &str = "NAMED1";

fn evaluator(world: &World) -> Evaluator {
    Evaluator::over(world.function_store(), world.clock(), TimeZone::UTC)
}

fn first_name(name: &str) -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-property", "property": "first_name",
        "filter": {"type": "string", "operator": "equals", "value": name},
    }]}]})
}

async fn define(store: &store::Store, id: &str, definition: Value, is_active: bool) {
    let version = store.program_version().await.unwrap() + 1;
    let segment = SegmentRecord {
        id: id.to_owned(),
        name: id.to_owned(),
        definition,
        version,
        is_active,
        is_starred: false,
        created_at: at(NOW_MS),
        updated_at: at(NOW_MS),
        resumed_version: 0,
        ready_version: 0,
        shown_version: 0,
    };
    store.put_segment_definition(&segment, None).await.unwrap();
}

async fn ada(world: &World) -> Profile {
    let mut profile = Profile::new("ada".to_owned(), at(NOW_MS));
    profile.attributes.insert("first_name".to_owned(), json!("Ada"));
    world.store.put_profile(&profile, 0).await.unwrap().value
}

async fn evaluate(evaluator: &Evaluator, changes: &[Change]) -> Result<(), Error> {
    let program = evaluator.program().await?;
    let loaded = evaluator.load(&["ada"]).await?;
    evaluator.evaluate(&program, "ada", &loaded, changes).await
}

#[tokio::test]
async fn the_program_is_compiled_once_per_version_and_leaves_out_what_is_not_active() {
    let world = World::start().await;
    let evaluator = evaluator(&world);
    assert_eq!(evaluator.program().await.unwrap().version(), 0);
    define(&world.store, NAMED, first_name("Ada"), true).await;
    let program = evaluator.program().await.unwrap();
    assert!(Arc::ptr_eq(&program, &evaluator.program().await.unwrap()));
    ada(&world).await;
    evaluate(&evaluator, &[]).await.unwrap();
    assert_eq!(world.store.count_members(NAMED).await.unwrap(), 1);

    // Who was a member stays to be read as one, but nothing is evaluated any more.
    define(&world.store, NAMED, first_name("Ada"), false).await;
    evaluate(&evaluator, &[]).await.unwrap();
    assert_eq!(world.store.count_members(NAMED).await.unwrap(), 1);
    let program = evaluator.program().await.unwrap();
    assert_eq!(program.needs(&State::new()), Needs::Nothing);
}

#[tokio::test]
async fn definitions_that_change_faster_than_they_can_be_read_are_tried_again_later() {
    let world = World::start().await;
    define(&world.store, NAMED, first_name("Ada"), true).await;
    let (rival, version) = (world.store.clone(), Arc::new(AtomicU64::new(0)));
    world.intercept(move |call| {
        let (rival, version) = (rival.clone(), version.clone());
        async move {
            if call.is("Query", "segment") {
                let name = version.fetch_add(1, Ordering::SeqCst).to_string();
                define(&rival, NAMED, first_name(&name), true).await;
            }
            Answer::Pass
        }
    });
    assert!(matches!(evaluator(&world).program().await, Err(Error::Unstable)));
}

#[tokio::test]
async fn who_loses_a_race_reads_again_and_applies_on_top() {
    let world = World::start().await;
    define(&world.store, NAMED, first_name("Ada"), true).await;
    ada(&world).await;
    let (rival, turn) = (
        Arc::new(Evaluator::over(world.store.clone(), world.clock(), TimeZone::UTC)),
        Arc::new(AtomicU64::new(0)),
    );
    let turns = turn.clone();
    world.intercept(move |call| {
        let is_turn = call.operation == "PutItem" && turns.fetch_add(1, Ordering::SeqCst) == 0;
        let rival = rival.clone();
        async move {
            if is_turn {
                let change = Change { position: 1, kind: ChangeKind::ProfileCreated };
                Box::pin(evaluate(&rival, &[change])).await.unwrap();
            }
            Answer::Pass
        }
    });
    let changes = [1, 2].map(|position| Change { position, kind: ChangeKind::ProfileChanged });
    evaluate(&evaluator(&world), &changes).await.unwrap();
    assert_eq!(turn.load(Ordering::SeqCst), 1);
    assert_eq!(world.store.count_members(NAMED).await.unwrap(), 1);
}

#[tokio::test]
async fn a_race_that_is_lost_again_and_again_is_given_up_for_now() {
    let world = World::start().await;
    define(&world.store, NAMED, first_name("Ada"), true).await;
    ada(&world).await;
    let (rival, count) = (world.store.clone(), Arc::new(AtomicU64::new(0)));
    world.intercept(move |call| {
        let (rival, count) = (rival.clone(), count.clone());
        async move {
            if call.operation == "PutItem" {
                count.fetch_add(1, Ordering::SeqCst);
                let read = rival.state("ada").await.unwrap();
                let evaluation = store::Evaluation {
                    profile_id: "ada",
                    read: read.as_ref(),
                    state: State::new().encode(),
                    due_ms: None,
                    changes: Vec::new(),
                };
                rival.save_evaluation(&evaluation).await.unwrap();
            }
            Answer::Pass
        }
    });
    let outcome = evaluate(&evaluator(&world), &[]).await;
    assert!(matches!(outcome, Err(Error::Store(store::Error::Conflict))), "{outcome:?}");
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let world = World::start().await;
    define(&world.store, NAMED, first_name("Ada"), true).await;
    ada(&world).await;
    let evaluator = evaluator(&world);
    evaluate(&evaluator, &[Change { position: 1, kind: ChangeKind::ProfileCreated }]).await.unwrap();
    world.intercept(|call| {
        assert!(!call.operation.contains("Write") && call.operation != "PutItem", "{call:?}");
        std::future::ready(Answer::Pass)
    });
    for kind in [ChangeKind::ProfileChanged, ChangeKind::Tick { touched_ms: NOW_MS }] {
        evaluate(&evaluator, &[Change { position: 2, kind }]).await.unwrap();
    }
}

#[tokio::test]
async fn a_time_zone_that_does_not_exist_is_refused() {
    let world = World::start().await;
    let variables = [("PROFILES_TABLE", "p"), ("REGISTRY_TABLE", "r"), ("TIME_ZONE", "Middle/Earth")];
    let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = runtime::Config::from_map(owned.into());
    let outcome = Evaluator::new(&config, &world.clients, world.clock());
    assert!(matches!(outcome, Err(ConfigError::TimeZone(zone)) if zone == "Middle/Earth"));
}
