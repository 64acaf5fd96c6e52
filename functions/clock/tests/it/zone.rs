use std::collections::BTreeMap;

use clock::ClockFunction;
use runtime::Config;
use serde_json::{Value, json};
use store::{JobKind, PROFILE_SHARDS, SegmentRecord};
use testing::{Answer, JOBS_QUEUE, NOW_MS, World, at};

fn clock(world: &World, zone: &str) -> ClockFunction {
    let variables = [
        ("PROFILES_TABLE", "profiles"),
        ("REGISTRY_TABLE", "registry"),
        ("JOBS_QUEUE_URL", JOBS_QUEUE),
        ("TIME_ZONE", zone),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ClockFunction::new(&Config::from_map(BTreeMap::from(variables)), &world.clients, world.clock()).unwrap()
}

async fn run(world: &World, zone: &str) -> bool {
    clock(world, zone).handle(Value::Null).await.unwrap().zone_changed
}

async fn define(world: &World, id: &str, is_active: bool) {
    let version = world.store.program_version().await.unwrap() + 1;
    let segment = SegmentRecord {
        id: id.to_owned(),
        name: id.to_owned(),
        definition: json!({"condition_groups": []}),
        version,
        is_active,
        is_starred: false,
        created_at: at(NOW_MS),
        updated_at: at(NOW_MS),
        resumed_version: 0,
        ready_version: version,
        shown_version: version,
    };
    world.store.put_segment_definition(&segment, None).await.unwrap();
}

async fn is_processing(world: &World, id: &str) -> bool {
    world.store.segment(id).await.unwrap().unwrap().is_processing()
}

#[tokio::test]
async fn another_zone_moves_the_program_and_starts_one_job_for_all_active_segments() {
    let world = World::start().await;
    // Nobody's days can change yet.
    assert!(!run(&world, "Europe/Paris").await);
    let program = world.store.program().await.unwrap();
    assert_eq!((program.version, program.zone.as_deref()), (0, Some("Europe/Paris")));
    define(&world, "ONE", true).await;
    define(&world, "TWO", true).await;
    define(&world, "OFF", false).await;
    assert!(!run(&world, "Europe/Paris").await);
    assert!(world.store.jobs().await.unwrap().is_empty());

    assert!(run(&world, "America/New_York").await);
    let program = world.store.program().await.unwrap();
    assert_eq!((program.version, program.zone.as_deref()), (4, Some("America/New_York")));
    let jobs = world.store.jobs().await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].kind, JobKind::ChangeZone { zone: "America/New_York".to_owned(), version: 4 });
    assert_eq!(jobs[0].status.parts_left.len(), PROFILE_SHARDS as usize);
    assert!(is_processing(&world, "ONE").await && is_processing(&world, "TWO").await);
    assert!(!is_processing(&world, "OFF").await);
    // It is sent like any job that was not, a minute later, and the zone changes once.
    assert!(world.take_sent(JOBS_QUEUE).is_empty());
    world.pass(60_000);
    assert!(!run(&world, "America/New_York").await);
    assert_eq!(world.take_sent(JOBS_QUEUE).len(), PROFILE_SHARDS as usize);
    // A definition keeps the zone.
    define(&world, "NEW", true).await;
    let program = world.store.program().await.unwrap();
    assert_eq!((program.version, program.zone.as_deref()), (5, Some("America/New_York")));
}

#[tokio::test]
async fn an_account_from_before_zones_were_noted_is_looked_through_once() {
    let world = World::start().await;
    define(&world, "ONE", true).await;
    assert!(run(&world, "UTC").await);
    assert!(!run(&world, "UTC").await);
    assert_eq!(world.store.jobs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_zone_that_could_not_be_noted_is_noted_by_the_next_run() {
    let world = World::start().await;
    run(&world, "UTC").await;
    define(&world, "ONE", true).await;
    for (answer, zone, version) in [(Answer::Throttle, "Asia/Tokyo", 2), (Answer::Lose, "Asia/Seoul", 3)] {
        world.intercept_once(answer, |call| call.operation == "TransactWriteItems");
        assert!(clock(&world, zone).handle(Value::Null).await.is_err());
        world.let_pass();
        run(&world, zone).await;
        let program = world.store.program().await.unwrap();
        assert_eq!((program.version, program.zone.as_deref()), (version, Some(zone)));
        assert_eq!(world.store.jobs().await.unwrap().len(), usize::try_from(version).unwrap() - 1);
    }
}

#[tokio::test]
async fn a_definition_that_changes_at_the_same_moment_comes_first() {
    let world = World::start().await;
    run(&world, "UTC").await;
    define(&world, "ONE", true).await;
    let rival = std::sync::Arc::new(tokio::sync::Mutex::new(Some(world.store.clone())));
    world.intercept(move |call| {
        let rival = rival.clone();
        async move {
            if call.operation == "TransactWriteItems"
                && let Some(store) = rival.lock().await.take()
            {
                let mut segment = store.segment("ONE").await.unwrap().unwrap();
                segment.version = 2;
                store.put_segment_definition(&segment, None).await.unwrap();
            }
            Answer::Pass
        }
    });
    assert!(!run(&world, "Asia/Tokyo").await);
    assert!(run(&world, "Asia/Tokyo").await);
    assert_eq!(world.store.program().await.unwrap().version, 3);
}
