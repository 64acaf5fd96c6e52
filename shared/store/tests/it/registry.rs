use canonical::fact::CatalogItem;
use serde_json::json;
use store::{
    CatalogEntry, Error, Job, JobKind, JobState, JobStatus, MetricRecord, Progress, SegmentRecord, Step,
    Subject, SubjectKey,
};
use testing::{NOW_MS, World, at};

use crate::now;

fn segment(id: &str, version: u64) -> SegmentRecord {
    SegmentRecord {
        id: id.to_owned(),
        name: "Loyal".to_owned(),
        definition: json!({"condition_groups": []}),
        version,
        is_active: true,
        is_starred: false,
        created_at: now(),
        updated_at: now(),
        resumed_version: 0,
        ready_version: 0,
        shown_version: 0,
    }
}

fn job(id: &str, parts: u32) -> Job {
    Job {
        id: id.to_owned(),
        kind: JobKind::Backfill { segment: "SEG001".to_owned(), version: 1 },
        created_at: now(),
        status: JobStatus { parts_left: (0..parts).collect(), ..JobStatus::default() },
    }
}

#[tokio::test]
async fn of_two_definitions_for_one_version_the_second_is_a_conflict_and_leaves_nothing() {
    let world = World::start().await;
    let store = &world.store;
    assert_eq!(store.program_version().await.unwrap(), 0);
    store.put_segment_definition(&segment("SEG001", 1), Some(&job("J1", 2))).await.unwrap();
    assert_eq!(store.program_version().await.unwrap(), 1);

    let before = world.items("registry");
    let late = store.put_segment_definition(&segment("SEG002", 1), Some(&job("J2", 2))).await;
    assert!(matches!(late, Err(Error::Conflict)));
    let early = store.put_segment_definition(&segment("SEG002", 3), None).await;
    assert!(matches!(early, Err(Error::Conflict)));
    let deleted = store.delete_segment("SEG001", 1, &job("J3", 1)).await;
    assert!(matches!(deleted, Err(Error::Conflict)));
    assert_eq!(world.items("registry"), before);

    store.put_segment_definition(&segment("SEG002", 2), None).await.unwrap();
    store.delete_segment("SEG001", 3, &job("J3", 1)).await.unwrap();
    assert_eq!(store.program_version().await.unwrap(), 3);
    let ids: Vec<String> = store.segments().await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(ids, ["SEG002"]);
}

#[tokio::test]
async fn a_segment_is_ready_only_for_the_version_that_was_worked_off() {
    let world = World::start().await;
    let store = &world.store;
    store.put_segment_definition(&segment("SEG001", 1), None).await.unwrap();
    let processing = async || store.segment("SEG001").await.unwrap().unwrap().is_processing();
    assert!(processing().await);
    store.put_segment_definition(&segment("SEG001", 2), None).await.unwrap();
    // Evaluators learn of what shows by the program.
    let shown = async || {
        (store.segment("SEG001").await.unwrap().unwrap().shown_version, store.program().await.unwrap().shows)
    };
    store.segment_is_ready("SEG001", 1).await.unwrap();
    assert_eq!((processing().await, shown().await), (true, (1, 0)));
    store.segment_is_ready("SEG001", 2).await.unwrap();
    assert_eq!((processing().await, shown().await), (false, (2, 1)));
    // Another name does not make it wait again.
    let record = SegmentRecord { name: "Friends".to_owned(), ..segment("SEG001", 2) };
    store.put_segment_attributes(&record).await.unwrap();
    assert!(!processing().await);
    assert_eq!(store.segment("SEG001").await.unwrap().unwrap().name, "Friends");
    let stale = store.put_segment_attributes(&segment("SEG001", 1)).await;
    assert!(matches!(stale, Err(Error::Conflict)));
    store.segment_is_ready("gone", 1).await.unwrap();
    assert!(store.segment("gone").await.unwrap().is_none());
}

#[tokio::test]
async fn a_job_counts_what_is_done_and_the_parts_that_are_left() {
    let world = World::start().await;
    let store = &world.store;
    store.create_job(&job("J1", 3)).await.unwrap();
    assert!(matches!(store.create_job(&job("J1", 3)).await, Err(Error::Conflict)));
    assert_eq!(store.job("J1").await.unwrap(), Some(job("J1", 3)));

    let step = Step { job: "J1", part: 1, from: None, to: Some("a"), profiles: 10, now_ms: NOW_MS };
    for (step, left) in [
        (step, Some(3)),
        // Asked again, because the answer was lost.
        (step, Some(3)),
        // The same chunk by somebody else, and one from where the part is not.
        (Step { now_ms: NOW_MS + 1, ..step }, None),
        (Step { from: Some("b"), to: None, ..step }, None),
        (Step { from: Some("a"), to: None, ..step }, Some(2)),
        (Step { from: Some("a"), to: None, now_ms: NOW_MS + 1, ..step }, None),
        (Step { part: 0, to: None, ..step }, Some(1)),
        (Step { part: 0, to: None, now_ms: NOW_MS + 1, ..step }, None),
    ] {
        let advanced = store.advance_job(&step).await.unwrap();
        assert_eq!(advanced.map(|job| job.status.parts_left.len()), left, "{step:?}");
    }
    store.note_job_count("J1", 2, 7).await.unwrap();
    store.note_job_error("J1", &"x".repeat(1000), NOW_MS + 1).await.unwrap();
    store.note_job_sent("J1", NOW_MS + 2).await.unwrap();
    let status = store.job("J1").await.unwrap().unwrap().status;
    assert_eq!((&status.parts_left, status.profiles_done), (&vec![2], 30));
    assert_eq!((status.moved_ms, status.touched_ms, status.restarted_ms), (NOW_MS, NOW_MS + 2, 0));
    assert_eq!(status.counts.into_iter().collect::<Vec<_>>(), [(2, 7)]);
    assert_eq!(status.last_error.map(|error| error.len()), Some(300));
    assert_eq!(status.failed_at, Some(at(NOW_MS + 1)));
    assert_eq!(store.jobs().await.unwrap().len(), 1);
    store.delete_job("J1").await.unwrap();
    assert_eq!(store.advance_job(&Step { part: 2, ..step }).await.unwrap(), None);
    store.note_job_count("J1", 2, 7).await.unwrap();
    store.note_job_sent("J1", NOW_MS).await.unwrap();
    assert!(store.jobs().await.unwrap().is_empty());
}

#[test]
fn a_job_says_whether_it_moves_how_far_it_is_and_when_it_will_be_done() {
    let mut job = job("J1", 2);
    let minute = 60_000;
    assert_eq!(job.state(NOW_MS), JobState::Queued);
    assert_eq!(
        job.progress(NOW_MS),
        Progress { profiles_total: None, percent: None, rate: None, end_ms: None }
    );
    assert_eq!(job.state(NOW_MS + 15 * minute - 1), JobState::Queued);
    assert_eq!(job.state(NOW_MS + 15 * minute), JobState::Stuck(NOW_MS));

    // One of two parts is counted, then both.
    job.status.profiles_done = 300;
    job.status.moved_ms = NOW_MS + minute;
    job.status.touched_ms = NOW_MS + minute;
    job.status.counts.insert(0, 400);
    assert_eq!(job.progress(NOW_MS + minute).profiles_total, None);
    job.status.counts.insert(1, 800);
    assert_eq!(job.state(NOW_MS + minute), JobState::Running);
    let progress = job.progress(NOW_MS + minute);
    assert_eq!((progress.profiles_total, progress.percent, progress.rate), (Some(1200), Some(25), Some(5)));
    assert_eq!(progress.end_ms, Some(NOW_MS + 4 * minute));

    // Sending it again is no movement; a restart is a new chance, and counts from there.
    job.status.touched_ms = NOW_MS + 20 * minute;
    assert_eq!(job.state(NOW_MS + 20 * minute), JobState::Stuck(NOW_MS + minute));
    assert_eq!(job.progress(NOW_MS + 20 * minute).end_ms, None);
    job.status.restarted_ms = NOW_MS + 20 * minute;
    job.status.done_before = 300;
    assert_eq!(job.state(NOW_MS + 20 * minute), JobState::Queued);
    job.status.moved_ms = NOW_MS + 21 * minute;
    job.status.profiles_done = 1199;
    let progress = job.progress(NOW_MS + 21 * minute);
    assert_eq!((progress.percent, progress.rate), (Some(99), Some(14)));
    // More than were counted, and not done all the same.
    job.status.profiles_done = 1300;
    let progress = job.progress(NOW_MS + 21 * minute);
    assert_eq!((progress.profiles_total, progress.percent), (Some(1300), Some(99)));
    job.status.parts_left.clear();
    assert_eq!(job.progress(NOW_MS + 21 * minute).percent, Some(100));
}

#[tokio::test]
async fn the_catalog_keeps_the_newest_state_of_a_product_in_whatever_order_they_come() {
    let world = World::start().await;
    let entry = |title: &str, offset_ms: Option<i64>| CatalogEntry {
        connection: "C1".to_owned(),
        item: CatalogItem {
            product_id: "1".to_owned(),
            title: Some(title.to_owned()),
            updated_at: offset_ms.map(|offset| at(NOW_MS + offset)),
            ..CatalogItem::default()
        },
    };
    for (told, expected) in [
        (entry("undated", None), "undated"),
        (entry("second", Some(2)), "second"),
        (entry("first", Some(1)), "second"),
        (entry("second again", Some(2)), "second again"),
        (entry("undated", None), "second again"),
    ] {
        world.store.put_catalog_item(&told).await.unwrap();
        let items = world.store.catalog_items("C1", &["1", "2"]).await.unwrap();
        let titles: Vec<_> = items.iter().filter_map(|item| item.title.as_deref()).collect();
        assert_eq!(titles, [expected]);
    }
    assert!(world.store.catalog_items("C2", &["1"]).await.unwrap().is_empty());
    world.store.erase_catalog("C1").await.unwrap();
    assert!(world.store.catalog_items("C1", &["1"]).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_names_whose_metric_ids_collide_do_not_become_one() {
    let world = World::start().await;
    let metric = |name: &str| MetricRecord {
        id: "ABC123".to_owned(),
        name: name.to_owned(),
        integration: "api".to_owned(),
        canonical: None,
        created_at: now(),
        updated_at: now(),
    };
    assert_eq!(world.store.ensure_metric(metric("One")).await.unwrap(), metric("One"));
    let later = MetricRecord { created_at: at(NOW_MS + 1), ..metric("One") };
    assert_eq!(world.store.ensure_metric(later).await.unwrap(), metric("One"));
    let collision = world.store.ensure_metric(metric("Two")).await;
    assert!(matches!(collision, Err(Error::Taken(id)) if id == "ABC123"));
}

#[tokio::test]
async fn a_ledger_is_written_only_over_the_version_that_was_read() {
    let world = World::start().await;
    let key = SubjectKey { connection: "C1".to_owned(), kind: "order", id: "1".to_owned() };
    let empty: Subject<u32> = world.store.subject(&key).await.unwrap();
    assert_eq!(empty, Subject::default());
    let first = Subject { ledger: 1, ..empty };
    world.store.put_subject(&key, &first, Some(5)).await.unwrap();
    assert!(matches!(world.store.put_subject(&key, &first, None).await, Err(Error::Conflict)));
    let read: Subject<u32> = world.store.subject(&key).await.unwrap();
    assert_eq!((read.ledger, read.version), (1, 1));
    world.store.put_subject(&key, &Subject { ledger: 2, ..read }, None).await.unwrap();
    assert_eq!(world.store.subject::<u32>(&key).await.unwrap().version, 2);

    world.store.park("7", &key).await.unwrap();
    world.store.park("7", &key).await.unwrap();
    assert_eq!(world.store.parked("C1", "7").await.unwrap(), std::slice::from_ref(&key));
    world.store.unpark("7", &key).await.unwrap();
    assert!(world.store.parked("C1", "7").await.unwrap().is_empty());
}

#[tokio::test]
async fn registry_and_order_items_that_are_not_what_was_written_are_errors() {
    let world = World::start().await;
    let broken = |table: &str, partition: &str, sort: &str, doc: serde_json::Value| {
        let item = json!({"pk": {"S": partition}, "sk": {"S": sort}, "doc": doc, "v": {"N": "1"}});
        world.put_item(table, &item);
    };
    let store = &world.store;
    for doc in [json!({"S": "{"}), json!({"N": "1"})] {
        for kind in ["connection", "metric", "segment", "key", "job", "catalog#C1"] {
            broken("registry", kind, "1", doc.clone());
        }
        broken("orders", "C1#order#1", "ledger", doc);
        assert!(matches!(store.connection("1").await, Err(Error::Corrupt("connection", _))));
        assert!(matches!(store.connections().await, Err(Error::Corrupt("connection", _))));
        assert!(matches!(store.metrics().await, Err(Error::Corrupt("metric", _))));
        assert!(matches!(store.segments().await, Err(Error::Corrupt("segment", _))));
        assert!(matches!(store.api_key("1").await, Err(Error::Corrupt("key", _))));
        assert!(matches!(store.jobs().await, Err(Error::Corrupt("job", _))));
        assert!(matches!(store.catalog_items("C1", &["1"]).await, Err(Error::Corrupt("catalog item", _))));
        let key = SubjectKey { connection: "C1".to_owned(), kind: "order", id: "1".to_owned() };
        assert!(matches!(store.subject::<u32>(&key).await, Err(Error::Corrupt("ledger", _))));
    }
}
