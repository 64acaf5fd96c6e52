//! From the answer to a delivery until the membership that follows from it can be read: one delivery at a time, each of a
//! new buyer. `cargo bench -p tillstream --bench latency -- [deliveries]`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command whose output is its result")]

use std::time::{Duration, Instant};

use tests::{Api, Order, PATIENCE, Shop, Stack, api::at_least, now};

/// How often the membership is asked for.
const POLL: Duration = Duration::from_millis(5);
const WARM_UP: usize = 10;

#[tokio::main]
#[allow(clippy::disallowed_methods, reason = "a command's arguments")]
async fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(200);
    let stack = Stack::start(env!("CARGO_BIN_EXE_tillstream")).await;
    let api = stack.api();
    let shop = Shop::connect(api).await;
    let definition = at_least(1, &store::metric_id("shopify", "Placed Order"), 30, "day");
    let segment = api.create_segment("Buyers", &definition).await;
    api.segment_is_whole(&segment).await;

    let mut answers = Vec::with_capacity(count);
    let mut memberships = Vec::with_capacity(count);
    for index in 0..WARM_UP + count {
        let email = format!("buyer{index}@example.com");
        let order = Order::new(1 + index as u64, &email, now()).created();
        let sent = Instant::now();
        shop.deliver(api, &order).await;
        let accepted = Instant::now();
        until_member(api, &segment, &email).await;
        if index >= WARM_UP {
            answers.push(accepted - sent);
            memberships.push(accepted.elapsed());
        }
    }
    println!("{count} deliveries, one at a time; the membership is asked for every {} ms", POLL.as_millis());
    report("sent → accepted", answers);
    report("accepted → membership can be read", memberships);
}

async fn until_member(api: &Api, segment: &str, email: &str) {
    let started = Instant::now();
    let (path, filter) = (format!("/api/segments/{segment}/profiles"), format!("equals(email,\"{email}\")"));
    loop {
        let members = api.get(&path, &[("filter", &filter)]).await;
        if members.body["data"].as_array().is_some_and(|members| !members.is_empty()) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{email} does not become a member");
        tokio::time::sleep(POLL).await;
    }
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!("{what}: p50 {:.1?}, p95 {:.1?}, p99 {:.1?}, longest {:.1?}", at(50), at(95), at(99), at(100));
}
