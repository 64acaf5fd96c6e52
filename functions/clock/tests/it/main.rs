//! The clock over a real (embedded) DynamoDB and a queue that records.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod crowd;
mod simulation;
mod zone;

use std::sync::atomic::{AtomicI64, Ordering};

use canonical::Instant;
use clock::spread::Spread;
use clock::{ClockFunction, Report};
use runtime::Clock;
use serde_json::Value;
use store::{Evaluation, Job, JobKind, JobMessage, JobStatus, Step};
use testing::{Answer, JOBS_QUEUE, NOW_MS, World, at};

async fn run(world: &World) -> Report {
    let function = ClockFunction::new(&world.config(), &world.clients, world.clock()).unwrap();
    function.handle(Value::Null).await.unwrap()
}

async fn wait(world: &World, profile: &str, due_ms: Option<i64>) {
    let evaluation =
        Evaluation { profile_id: profile, read: None, state: vec![1], due_ms, changes: Vec::new() };
    world.store.save_evaluation(&evaluation).await.unwrap();
}

/// Who has been touched, and when.
fn ticks(world: &World) -> Vec<(String, String)> {
    let items = world.items("profiles");
    let touched = items.into_iter().filter(|((_, sort), _)| sort == "tick");
    touched.map(|((profile, _), item)| (profile, item["touched"]["N"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn exactly_those_that_are_due_are_touched() {
    let world = World::start().await;
    let mut expected = Vec::new();
    for number in 0_i64..80 {
        let offset = number - 40;
        let due_ms = (number % 4 > 0).then_some(NOW_MS + offset);
        wait(&world, &format!("p{number:02}"), due_ms).await;
        if number % 4 > 0 && offset <= 0 {
            expected.push((format!("p#p{number:02}"), NOW_MS.to_string()));
        }
    }
    let report = run(&world).await;
    assert_eq!(ticks(&world), expected);
    let spread = Spread { ticked: 30, max_lag_ms: 39, waiting: 30, is_behind: false };
    assert_eq!(report, Report { spread, ..Report::default() });
    // Nobody has evaluated them yet: the next run touches those that have become due, and nobody again.
    world.pass(10);
    assert_eq!(run(&world).await.spread.ticked, 8);
    // Until it is plain that the touch was lost.
    world.pass(5 * 60_000 - 11);
    assert_eq!(run(&world).await.spread.ticked, 22, "those that became due last");
    world.pass(1);
    assert_eq!(run(&world).await.spread.ticked, 30);
}

#[tokio::test]
async fn who_is_due_again_after_a_touch_is_touched_again() {
    let world = World::start().await;
    wait(&world, "p1", Some(NOW_MS)).await;
    assert_eq!(run(&world).await.spread.ticked, 1);
    world.pass(10_000);
    let read = world.store.state("p1").await.unwrap();
    let evaluation = Evaluation {
        profile_id: "p1",
        read: read.as_ref(),
        state: vec![2],
        due_ms: Some(NOW_MS + 5000),
        changes: Vec::new(),
    };
    world.store.save_evaluation(&evaluation).await.unwrap();
    assert_eq!(run(&world).await.spread.ticked, 1);
}

/// More than a page, all in one part of the index; the later the number, the longer due.
async fn crowd(world: &World) {
    let in_one_part = (0_i64..).filter(|number| {
        let id = format!("{number:05}");
        id.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % 16 == 3
    });
    for number in in_one_part.take(260) {
        wait(world, &format!("{number:05}"), Some(NOW_MS - number)).await;
    }
}

/// The clock, which lets the world's time pass where it waits.
fn patient(world: &World) -> ClockFunction {
    let clock = world.clock();
    let now_ms = std::sync::Arc::new(AtomicI64::new(clock.now_ms()));
    let shown = now_ms.clone();
    let clock = Clock::from_fn(move || at(shown.load(Ordering::SeqCst)).timestamp());
    ClockFunction::new(&world.config(), &world.clients, clock).unwrap().waiting(move |millis| {
        now_ms.fetch_add(millis, Ordering::SeqCst);
        std::future::ready(())
    })
}

#[tokio::test]
async fn more_than_a_round_of_one_part_is_touched_in_one_run_as_long_as_it_may_wait() {
    let world = World::start().await;
    crowd(&world).await;
    // 62 a second and part, and not more than 248 that nobody has evaluated; after a minute these are given up.
    let report = patient(&world).handle(Value::Null).await.unwrap();
    assert_eq!((report.spread.ticked, report.spread.is_behind), (248, true));
    let oldest: Vec<String> = ticks(&world).into_iter().map(|(profile, _)| profile).collect();
    world.pass(60_000);
    assert_eq!(patient(&world).handle(Value::Null).await.unwrap().spread.ticked, 12);
    let all: Vec<String> = ticks(&world).into_iter().map(|(profile, _)| profile).collect();
    assert_eq!(oldest, all[12..], "the ids say who has waited longest");
}

#[tokio::test]
async fn a_touch_that_fails_fails_the_run_and_the_next_makes_it_good() {
    let world = World::start().await;
    wait(&world, "p1", Some(NOW_MS)).await;
    world.intercept_once(Answer::Throttle, |call| call.is("PutItem", "tick"));
    let function = ClockFunction::new(&world.config(), &world.clients, world.clock()).unwrap();
    assert!(function.handle(Value::Null).await.is_err());
    assert_eq!(run(&world).await.spread.ticked, 1);
}

fn job(id: &str, created_at: Instant, parts_left: Vec<u32>) -> Job {
    Job {
        id: id.to_owned(),
        kind: JobKind::RemoveMembers { segment: "SEG001".to_owned() },
        created_at,
        status: JobStatus { parts_left, ..JobStatus::default() },
    }
}

/// What was sent: (job, part).
fn sent(world: &World) -> Vec<(String, u32)> {
    let read = |body: &str| {
        let message: JobMessage = serde_json::from_str(body).unwrap();
        if message.job == "busy" {
            return (message.job, message.part);
        }
        assert_eq!(
            message.cursor.as_deref(),
            (message.job == "stuck" && message.part == 3).then_some("here")
        );
        (message.job, message.part)
    };
    world.take_sent(JOBS_QUEUE).iter().map(|sent| read(&sent.body)).collect()
}

#[tokio::test]
async fn jobs_that_were_never_sent_or_got_stuck_are_sent_again_and_no_others() {
    let world = World::start().await;
    let minutes = 60_000;
    let store = &world.store;
    // Just made; made a minute ago and never moved.
    store.create_job(&job("fresh", at(NOW_MS - minutes + 1), vec![0])).await.unwrap();
    store.create_job(&job("unsent", at(NOW_MS - minutes), vec![0, 2])).await.unwrap();
    // Moved within the last quarter of an hour; not for a quarter of an hour; without a part left.
    for (id, moved_at, finished) in [
        ("busy", NOW_MS - 15 * minutes + 1, None),
        ("stuck", NOW_MS - 15 * minutes, Some(1)),
        ("unfinished", NOW_MS - 20 * minutes, Some(1)),
    ] {
        let parts = if id == "unfinished" { vec![1] } else { vec![1, 3] };
        store.create_job(&job(id, at(NOW_MS - 60 * minutes), parts)).await.unwrap();
        let step = Step { job: id, part: 1, from: None, to: Some("there"), profiles: 5, now_ms: moved_at };
        let step = match finished {
            Some(part) => Step { part, to: None, ..step },
            None => step,
        };
        store.advance_job(&step).await.unwrap().unwrap();
        if id == "stuck" {
            let step = Step { part: 3, to: Some("here"), ..step };
            store.advance_job(&step).await.unwrap().unwrap();
        }
    }
    assert_eq!(run(&world).await.parts_sent, 4);
    let mut first = sent(&world);
    first.sort();
    let expected = [("stuck", 3), ("unfinished", 0), ("unsent", 0), ("unsent", 2)];
    assert_eq!(first, expected.map(|(id, part)| (id.to_owned(), part)));

    // It has just been sent: not again at once, but again when it does not move for another quarter of an hour.
    world.pass(minutes);
    assert_eq!(
        run(&world).await.parts_sent,
        3,
        "the one that is now a minute old, and the busy one's two parts"
    );
    let mut second = sent(&world);
    second.sort();
    assert_eq!(second, [("busy", 1), ("busy", 3), ("fresh", 0)].map(|(id, part)| (id.to_owned(), part)));
    world.pass(14 * minutes);
    assert_eq!(run(&world).await.parts_sent, 4);
}

#[tokio::test]
async fn a_job_that_could_not_be_sent_is_sent_by_the_next_run() {
    let world = World::start().await;
    world.store.create_job(&job("unsent", at(NOW_MS - 60_000), vec![0])).await.unwrap();
    world.intercept_once(Answer::Throttle, |call| call.operation == "SendMessage");
    let function = ClockFunction::new(&world.config(), &world.clients, world.clock()).unwrap();
    assert!(function.handle(Value::Null).await.is_err());
    assert_eq!(function.handle(Value::Null).await.unwrap().parts_sent, 1);
}
