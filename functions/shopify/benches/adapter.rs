//! How long one delivery takes: at the door, and from bytes to facts to events.

#![allow(missing_docs, reason = "benchmarks have no callers")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should say so")]

use canonical::order::{Ledger, advance};
use canonical::{Fact, Source};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use jiff::Timestamp;
use platform::receiver::{Decision, decide};
use platform::signature::hmac_sha256_base64;
use platform::{Connection, Delivery, Headers, Mapping, Platform, Request, Secrets, Unverified};
use serde_json::Value;
use shopify::Shopify;

const SECRET: &str = "larch-and-linen-secret";

fn main() {
    divan::main();
}

/// A whole order of three lines: 10 KB, as Shopify sends it.
fn order() -> Vec<u8> {
    let fixture = include_str!("../fixtures/orders_create/full_three_lines.json");
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    serde_json::to_vec(&fixture["body"]).unwrap()
}

fn headers() -> Headers {
    [
        ("X-Shopify-Topic", "orders/create"),
        ("X-Shopify-Webhook-Id", "b1946ac9-2492-4d23-8f62-000000000001"),
        ("X-Shopify-Shop-Domain", "larch-and-linen.example"),
    ]
    .into_iter()
    .collect()
}

fn delivery() -> Delivery {
    Delivery {
        platform: "shopify".to_owned(),
        connection: "conn-1".to_owned(),
        topic: "orders/create".to_owned(),
        delivery_id: "b1946ac9-2492-4d23-8f62-000000000001".to_owned(),
        received_at: Timestamp::UNIX_EPOCH,
        headers: headers(),
        backfill: false,
        body: order(),
    }
}

fn source() -> Source {
    Source {
        platform: "shopify".to_owned(),
        connection: "conn-1".to_owned(),
        topic: "orders/create".to_owned(),
        delivery_id: "b1946ac9-2492-4d23-8f62-000000000001".to_owned(),
    }
}

#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let body = order();
    let signature = ("X-Shopify-Hmac-Sha256", hmac_sha256_base64(SECRET, &body));
    let pairs = [("X-Shopify-Topic", "orders/create".to_owned()), signature];
    let headers = pairs.into_iter().collect();
    let request = Request { method: "POST".to_owned(), headers, ..Request::default() };
    let mut secrets = Secrets::default();
    secrets.rotate("webhook_secret", SECRET.to_owned());
    bencher.counter(BytesCount::of_slice(&body)).with_inputs(|| Unverified::new(body.clone())).bench_values(
        |body| Shopify.verify(&request, body, &Connection::default(), &secrets, Timestamp::UNIX_EPOCH),
    );
}

/// All that the receiver does but the network: verify, wrap in an envelope, write the queue's text.
#[divan::bench]
fn receive(bencher: Bencher<'_, '_>) {
    let body = order();
    let signature = ("X-Shopify-Hmac-Sha256", hmac_sha256_base64(SECRET, &body));
    let headers = [("X-Shopify-Topic", "orders/create".to_owned()), signature].into_iter().collect();
    let request = Request { method: "POST".to_owned(), headers, ..Request::default() };
    let mut secrets = Secrets::default();
    secrets.rotate("webhook_secret", SECRET.to_owned());
    let connection =
        Connection { id: "conn-1".to_owned(), platform: "shopify".to_owned(), ..Connection::default() };
    bencher.counter(BytesCount::of_slice(&body)).with_inputs(|| body.clone()).bench_values(|body| {
        let decision = decide(&Shopify, &request, body, &connection, &secrets, Timestamp::UNIX_EPOCH);
        assert!(matches!(decision, Decision::Enqueue { .. }));
        decision
    });
}

#[divan::bench]
fn facts(bencher: Bencher<'_, '_>) {
    let (delivery, connection) = (delivery(), Connection::default());
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::of_slice(&delivery.body))
        .bench(|| Shopify.facts(black_box(&delivery), &connection, &[]));
}

#[divan::bench]
fn facts_and_events(bencher: Bencher<'_, '_>) {
    let (delivery, connection, source) = (delivery(), Connection::default(), source());
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        let Mapping::Facts { facts, .. } = Shopify.facts(black_box(&delivery), &connection, &[]) else {
            return Vec::new();
        };
        let events = facts.into_iter().filter_map(|fact| match fact {
            Fact::Order(snapshot) => Some(advance(&Ledger::default(), &snapshot, &source).1),
            _ => None,
        });
        events.flatten().collect()
    });
}
