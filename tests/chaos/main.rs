//! Five shops' deliveries in disorder, while the process is killed, services fail and clocks differ; and in the end all
//! that is stored is what it is after a calm day.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that prints what it did")]

mod compared;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use serde_json::json;
use tests::api::at_least;
use tests::five::{Five, PLATFORMS, Said};
use tests::random::Random;
use tests::{Api, Stack, now};

use crate::compared::{counts, differences, storage};

/// Occasions of a thousand at which something goes wrong.
const RATE: u64 = 20;
/// Deliveries between two kills, about.
const A_ROUND: usize = 60;
const AT_ONCE: usize = 8;
/// How often what waits for its next try is helped by a start, and how long nothing moves before.
const STARTS: usize = 20;
const STANDSTILL: Duration = Duration::from_secs(10);
/// How many differences are printed.
const SHOWN: usize = 12;

#[allow(clippy::disallowed_methods, reason = "the settings of a test")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[tokio::test]
async fn whatever_goes_wrong_what_is_stored_is_what_a_calm_day_stores() {
    let count = usize::try_from(setting("CHAOS_DELIVERIES").unwrap_or(200)).unwrap();
    let rate = setting("CHAOS_RATE").unwrap_or(RATE);
    let seed = setting("TILLSTREAM_SEED").unwrap_or_else(|| now().as_second().unsigned_abs());
    println!("CHAOS_DELIVERIES={count} CHAOS_RATE={rate} TILLSTREAM_SEED={seed}");
    let started = Instant::now();

    // Both begin with the same connections and segments, so that ids agree.
    let mut calm = Stack::start(env!("CARGO_BIN_EXE_tillstream")).await;
    let five = Five::connect(calm.api()).await;
    let segments = segments(calm.api()).await;
    let said = five.history(count, seed, now());
    let mut stormy = calm.twin().await;

    send(calm.api(), &five, &said, &Mutex::default()).await;
    redefine(calm.api(), &segments[0]).await;
    assert_eq!(work_off(&mut calm).await, 0, "messages set aside on a calm day");
    println!("calm: {} deliveries, {:.0?}", said.len(), started.elapsed());

    let mut random = Random(seed);
    let said = disordered(said, &mut random);
    let answered = Mutex::default();
    let rounds = said.len().div_ceil(A_ROUND);
    for round in 0..rounds {
        stormy.set_faults(Some(format!("seed={},rate={rate}", random.below(u64::MAX))));
        stormy.restart().await;
        if round == rounds / 2 {
            redefine(stormy.api(), &segments[0]).await;
        }
        let released = said.len() * (round + 1) / rounds;
        let working = async {
            send(stormy.api(), &five, &said[..released], &answered).await;
            std::future::pending::<()>().await;
        };
        // In the short ones nothing is finished, in the long ones something is.
        let longest_ms = if round.is_multiple_of(2) { 1000 } else { 5000 };
        let _ = tokio::time::timeout(Duration::from_millis(20 + random.below(longest_ms)), working).await;
        stormy.kill();
    }
    stormy.restart().await;
    while answered.lock().unwrap().len() < said.len() {
        send(stormy.api(), &five, &said, &answered).await;
    }
    stormy.set_faults(None);
    let set_aside = work_off(&mut stormy).await;
    println!("storm: {rounds} kills, {set_aside} messages set aside and replayed, {:.0?}", started.elapsed());

    for stack in [&calm, &stormy] {
        assert_eq!(stack.depth("EvaluatorFailuresQueue").await, 0);
        for segment in &segments {
            // A part whose message was set aside behind its last step is sent again by the clock, after a quarter of an hour.
            stack.api().segment_is_whole_within(Duration::from_mins(20), segment).await;
        }
    }
    let patience = Duration::from_mins(3) + Duration::from_millis(20) * u32::try_from(count).unwrap();
    let waiting = Instant::now();
    loop {
        let expected = storage(&calm).await;
        let differences = differences(&expected, &storage(&stormy).await);
        if differences.is_empty() {
            println!("equal after {:.0?}: {:?}", started.elapsed(), counts(&expected));
            return;
        }
        let some = differences[..differences.len().min(SHOWN)].join("\n");
        assert!(waiting.elapsed() < patience, "{} items differ:\n{some}", differences.len());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Works off what waits, and returns how many messages were set aside and replayed: that is what is promised of what
/// fails five times. What failed waits for six minutes or for the next start.
async fn work_off(stack: &mut Stack) -> u64 {
    let mut set_aside = 0;
    for _ in 0..STARTS {
        assert!(stack.terminate());
        stack.restart().await;
        if !stack.quiet(STANDSTILL).await {
            continue;
        }
        let mut now = 0;
        for queue in ["RawDeliveriesDeadLetterQueue", "JobsDeadLetterQueue"] {
            now += stack.depth(queue).await;
            stack.replay(queue).await;
        }
        if now == 0 {
            return set_aside;
        }
        set_aside += now;
    }
    panic!("the queues do not get empty");
}

/// For each platform, who bought there twice; the first one is to be changed.
async fn segments(api: &Api) -> Vec<String> {
    let mut segments = Vec::new();
    for (days, platform) in (30..).step_by(10).zip(PLATFORMS) {
        let definition = at_least(2, &store::metric_id(platform, "Placed Order"), days, "day");
        segments.push(api.create_segment(platform, &definition).await);
    }
    for segment in &segments {
        api.segment_is_whole(segment).await;
    }
    segments
}

/// Asks until it is done: the API fails, too.
async fn redefine(api: &Api, segment: &str) {
    let definition = at_least(1, &store::metric_id("shopify", "Placed Order"), 60, "day");
    let body = json!({"data": {"type": "segment", "id": segment, "attributes": {"definition": definition}}});
    let mut status = 500;
    while status >= 500 {
        status = api.patch(&format!("/api/segments/{segment}"), &body).await.status;
    }
    assert_eq!(status, 200);
}

/// A third is repeated, and all come in another order.
fn disordered(mut said: Vec<Said>, random: &mut Random) -> Vec<Said> {
    let repeated: Vec<Said> = said.iter().filter(|_| random.below(3) == 0).cloned().collect();
    said.extend(repeated);
    random.shuffle(&mut said);
    said
}

/// Sends what was not answered yet, some at a time, and notes what was answered.
async fn send(api: &Api, five: &Five, said: &[Said], answered: &Mutex<BTreeSet<usize>>) {
    let open: Vec<usize> =
        (0..said.len()).filter(|index| !answered.lock().unwrap().contains(index)).collect();
    let send = |index: usize| async move {
        // No answer, or one that it failed: the platform will try again.
        match five.try_deliver(api, &said[index]).await {
            Ok(200) => drop(answered.lock().unwrap().insert(index)),
            Ok(status @ ..500) => panic!("{status}: {:?}", said[index]),
            Ok(_) | Err(_) => {}
        }
    };
    stream::iter(open).map(send).buffer_unordered(AT_ONCE).collect::<()>().await;
}
