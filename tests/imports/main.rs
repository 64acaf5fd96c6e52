//! The history of shops on every platform that can be asked for it, while one call in twenty fails and the process is
//! killed twice: every order once, every day's count as it was, and how many requests that took.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that prints what it measured")]
#![allow(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "ratios for people")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::past::{Open, Past, SHOPS, Shop};
use tests::{Api, Stack, now};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_mins(45);

/// A shop, and what became of its import.
struct Imported {
    shop: &'static Shop,
    open: Open,
    connection: String,
    import: String,
    took: Option<Duration>,
}

#[allow(clippy::disallowed_methods, reason = "the settings of a test")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[tokio::test]
async fn every_platforms_history_is_told_once_though_calls_fail_and_the_process_is_killed() {
    let orders: usize = setting("IMPORT_ORDERS").map_or(300, |orders| orders.parse().unwrap());
    let only = setting("IMPORT_PLATFORMS");
    let seed =
        setting("TILLSTREAM_SEED").map_or(now().as_second().unsigned_abs(), |seed| seed.parse().unwrap());
    println!("IMPORT_ORDERS={orders} TILLSTREAM_SEED={seed}");
    let mut stack = Stack::start(env!("CARGO_BIN_EXE_tillstream")).await;
    let mut imports = Vec::new();
    for (number, shop) in (0..).zip(SHOPS) {
        if only.as_ref().is_some_and(|only| !only.split(',').any(|name| name == shop.platform)) {
            continue;
        }
        let past = Past::new(orders, seed + number, now());
        let open = shop.open(past, seed ^ number).await;
        let connection = connect(stack.api(), shop, &open).await;
        let import = import(stack.api(), &connection, open.past.begin()).await;
        imports.push(Imported { shop, open, connection, import, took: None });
    }
    let started = Instant::now();
    for percent in [20, 60] {
        // Killed while about as much is done, and the lease is held.
        until(&stack, &mut imports, started, |imports, progress| progress >= percent * imports).await;
        stack.restart().await;
    }
    until(&stack, &mut imports, started, |imports, progress| progress == 100 * imports).await;
    drain(&stack).await;
    println!(
        "{:<26} {:>7} {:>9} {:>6} {:>8} {:>6} {:>8}",
        "platform", "orders", "requests", "failed", "least", "ratio", "seconds"
    );
    for imported in &imports {
        report(imported);
    }
    for imported in &imports {
        is_told_once(stack.api(), imported).await;
    }
    assert_eq!(stack.depth("RawDeliveriesDeadLetterQueue").await, 0);
}

async fn connect(api: &Api, shop: &Shop, open: &Open) -> String {
    let reply = api.post("/api/connections", &shop.connection(&open.address)).await;
    assert_eq!(reply.status, 201, "{}: {}", shop.platform, reply.body);
    reply.id()
}

async fn import(api: &Api, connection: &str, since: Timestamp) -> String {
    let attributes = json!({"since": since.to_string()});
    let body = json!({"data": {"type": "import", "attributes": attributes}});
    let reply = api.post(&format!("/api/connections/{connection}/import"), &body).await;
    assert_eq!(reply.status, 202, "{connection}: {}", reply.body);
    reply.id()
}

/// Waits until the sum of all percentages is enough. The schedule's minute comes at once.
async fn until(
    stack: &Stack,
    imports: &mut [Imported],
    started: Instant,
    is_enough: impl Fn(u64, u64) -> bool,
) {
    loop {
        stack.invoke("PollerFunction").await;
        let mut progress = 0;
        for imported in imports.iter_mut() {
            let reply = stack.api().get(&format!("/api/imports/{}", imported.import), &[]).await;
            let attributes = reply.attributes();
            assert_ne!(attributes["status"], "failed", "{}: {attributes}", imported.shop.platform);
            progress += attributes["percent"].as_u64().unwrap();
            if attributes["status"] == "complete" {
                imported.took.get_or_insert(started.elapsed());
            }
            assert!(started.elapsed() < PATIENCE, "{}: {attributes}", imported.shop.platform);
        }
        if is_enough(imports.len() as u64, progress) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until the queue is empty, however long that takes while it gets shorter.
async fn drain(stack: &Stack) {
    let started = Instant::now();
    while stack.depth("RawDeliveriesQueue").await > 0 {
        assert!(started.elapsed() < PATIENCE, "the queue does not empty");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn report(imported: &Imported) {
    let orders = imported.open.past.orders.len();
    let (requests, failed) = imported.open.trouble.requests();
    let least = (imported.shop.least_requests)(orders);
    let ratio = requests as f64 / least as f64;
    let seconds = imported.took.unwrap_or_default().as_secs_f64();
    println!(
        "{:<26} {orders:>7} {requests:>9} {failed:>6} {least:>8} {ratio:>6.2} {seconds:>8.1}",
        imported.shop.platform
    );
}

async fn is_told_once(api: &Api, imported: &Imported) {
    let (name, past) = (imported.shop.platform, &imported.open.past);
    let events = placed(api, name).await;
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let mut days = BTreeMap::new();
    for event in &events {
        let properties = &event["attributes"]["event_properties"];
        *told.entry(properties["OrderId"].as_str().unwrap().to_owned()).or_default() += 1;
        let at: Timestamp = event["attributes"]["datetime"].as_str().unwrap().parse().unwrap();
        *days.entry(at.to_zoned(TimeZone::UTC).date()).or_default() += 1;
    }
    let expected: BTreeMap<String, usize> =
        past.orders.iter().map(|order| ((imported.shop.order_id)(order.number), 1)).collect();
    assert_eq!(told, expected, "{name}");
    assert_eq!(days, past.days(), "{name}");

    // The platform's own word, by way of the adapter; a day at a time, as the command line asks.
    let path = format!("/api/connections/{}/parity", imported.connection);
    for days in 0..6 {
        let day = past.orders.last().unwrap().at - SignedDuration::from_hours(days * 24);
        let day = day.to_zoned(TimeZone::UTC).date().to_string();
        let parameters = [("metric", "Placed Order"), ("from", &day), ("to", &day)];
        let mut reply = api.get(&path, &parameters).await;
        for _ in 0..5 {
            if reply.status == 200 {
                break;
            }
            // Its server fails now and then, and a request waits for it only so long.
            reply = api.get(&path, &parameters).await;
        }
        assert_eq!(reply.attributes()["equal"], true, "{name}: {}", reply.body);
    }
}

/// Every Placed Order of a platform.
async fn placed(api: &Api, platform: &str) -> Vec<Value> {
    let metrics = api.all("/api/metrics", &[]).await;
    let metric = metrics.iter().find(|metric| {
        let attributes = &metric["attributes"];
        attributes["name"] == "Placed Order" && attributes["integration"]["key"] == platform
    });
    let id = metric.unwrap_or_else(|| panic!("{platform} told nothing: {metrics:?}"))["id"].as_str().unwrap();
    let filter = format!("equals(metric_id,\"{id}\")");
    api.all("/api/events", &[("filter", &filter), ("page[size]", "1000")]).await
}
