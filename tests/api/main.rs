//! The API under the load that Klaviyo admits, and what becomes of it: single events at a steady rate, whether the answers come
//! or not, then one job of many events. Nothing may be lost.
//! `cargo bench -p tillstream --bench api -- [requests a second] [seconds] [events of the job]`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command whose output is its result")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Api, Stack};
use tokio::task::JoinSet;

/// What Klaviyo admits of `POST /api/events`.
const RATE: u32 = 350;
const SECONDS: u32 = 60;
/// Events of one job, the most there may be.
const BULK: u32 = 1000;
/// People to whom all this happens.
const PEOPLE: u32 = 1000;
const WARM_UP: u32 = 50;
/// How long what is left in the queues may take.
const PATIENCE: Duration = Duration::from_mins(10);

#[tokio::main]
#[allow(clippy::disallowed_methods, reason = "a command's arguments")]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let rate: u32 = arguments.next().unwrap_or(RATE);
    let seconds: u32 = arguments.next().unwrap_or(SECONDS);
    let stack = Stack::start(env!("CARGO_BIN_EXE_tillstream")).await;
    let api = stack.api();
    for number in 0..WARM_UP {
        assert_eq!(send(api, "Warm-up", number).await, 202);
    }
    stack.settled().await;
    single(&stack, rate, seconds).await;
    bulk(&stack, arguments.next().unwrap_or(BULK)).await;
}

/// One request after the other at fixed times: one that is answered late does not put off the next.
async fn single(stack: &Stack, rate: u32, seconds: u32) {
    let api = stack.api();
    let count = rate * seconds;
    let mut answers = JoinSet::new();
    let started = tokio::time::Instant::now();
    for number in 0..count {
        let due = started + Duration::from_secs(1) * number / rate;
        tokio::time::sleep_until(due).await;
        let api = api.clone();
        answers.spawn(async move {
            let status = send(&api, "Load", number).await;
            (status, due.elapsed())
        });
    }
    let sent_in = started.elapsed();
    let mut by_status: BTreeMap<u16, u32> = BTreeMap::new();
    let mut times = Vec::new();
    while let Some(answer) = answers.join_next().await {
        let (status, time) = answer.unwrap();
        *by_status.entry(status).or_default() += 1;
        times.push(time);
    }
    println!("POST /api/events: {count} requests, {rate} a second for {seconds} s (sent in {sent_in:.1?})");
    println!("  answers by status: {by_status:?}");
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "  due → answered: p50 {:.1?}, p95 {:.1?}, p99 {:.1?}, longest {:.1?}",
        at(50),
        at(95),
        at(99),
        at(100)
    );
    let accepted = by_status.get(&202).copied().unwrap_or_default();
    let there = all_there(stack, "Load", accepted as usize).await;
    println!("  {accepted} accepted, {there} there, {:.1?} after the first was sent", started.elapsed());
    assert_eq!((accepted, there), (count, count as usize), "something was refused or lost");
}

async fn bulk(stack: &Stack, count: u32) {
    let events = (0..count).map(|number| {
        let event = json!({"type": "event", "attributes": attributes("Bulk", number)});
        json!({"type": "event-bulk-create", "attributes": {"profile": profile(number), "events": {"data": [event]}}})
    });
    let attributes = json!({"events-bulk-create": {"data": events.collect::<Vec<_>>()}});
    let body = json!({"data": {"type": "event-bulk-create-job", "attributes": attributes}});
    let started = Instant::now();
    let reply = stack.api().post("/api/event-bulk-create-jobs", &body).await;
    let accepted = started.elapsed();
    assert_eq!(reply.status, 202, "{}", reply.body);
    let there = all_there(stack, "Bulk", count as usize).await;
    println!("POST /api/event-bulk-create-jobs: {count} events");
    println!("  accepted after {accepted:.1?}; {there} there after {:.1?}", started.elapsed());
    assert_eq!(there, count as usize, "something was lost");
}

async fn send(api: &Api, metric: &str, number: u32) -> u16 {
    let mut attributes = attributes(metric, number);
    attributes["profile"] = profile(number);
    api.post("/api/events", &json!({"data": {"type": "event", "attributes": attributes}})).await.status
}

fn attributes(metric: &str, number: u32) -> Value {
    json!({
        "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
        "properties": {"OrderId": number.to_string(), "Items": ["Mug", "Tea"]},
        "value": 29.98,
        "value_currency": "EUR",
        "unique_id": number.to_string(),
    })
}

fn profile(number: u32) -> Value {
    let email = format!("person{}@example.com", number % PEOPLE);
    json!({"data": {"type": "profile", "attributes": {"email": email}}})
}

/// How many different events there are, once as many are there or nothing is under way any more.
async fn all_there(stack: &Stack, metric: &str, expected: usize) -> usize {
    let id = store::metric_id("api", metric);
    let filter = format!("equals(metric_id,\"{id}\")");
    let started = Instant::now();
    loop {
        let depth = stack.depth("RawDeliveriesQueue").await;
        // Counting a great many takes its time: while many are under way, few questions are asked.
        if depth <= u64::from(BULK) {
            let ids = ids(stack.api(), &filter).await.unwrap_or_default();
            if ids.len() >= expected || (depth == 0 && !ids.is_empty()) {
                return ids.len();
            }
        }
        assert!(started.elapsed() < PATIENCE, "{depth} messages are still under way");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The ids of all events that a filter lets through; nothing if the API is too busy to tell.
async fn ids(api: &Api, filter: &str) -> Option<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let asked = [
            ("filter", filter),
            ("page[size]", "1000"),
            ("fields[event]", "uuid"),
            ("page[cursor]", &cursor),
        ];
        let page = api.get("/api/events", if cursor.is_empty() { &asked[..3] } else { &asked }).await;
        let events = page.body["data"].as_array()?;
        ids.extend(events.iter().filter_map(|event| event["id"].as_str()).map(str::to_owned));
        let Some(next) = page.body["links"]["next"].as_str() else { return Some(ids) };
        next.split_once("page%5Bcursor%5D=")?.1.clone_into(&mut cursor);
    }
}
