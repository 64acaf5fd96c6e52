#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

mod tables;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lambda_events::dynamodb::EventRecord;
use canonical::Instant;
use jiff::Timestamp;
use runtime::{Clients, Clock, Config};
use serde_json::Value;
use store::Store;

use tables::Tables;
pub use wire::{Answer, Call, Sent};

/// 2026-06-17T12:00:00Z, when every [`World`] begins.
pub const NOW_MS: i64 = 1_781_697_600_000;
/// The queue of jobs, as [`World::config`] names it.
pub const JOBS_QUEUE: &str = "http://queues.example.com/jobs";
/// The dead-letter queue of raw deliveries, as [`World::config`] names it.
pub const DEAD_LETTER_QUEUE: &str = "http://queues.example.com/dead";

/// The queue of raw deliveries, as [`World::config`] names it.
pub const RAW_QUEUE: &str = "http://queues.example.com/raw";
/// The queue of polls, as [`World::config`] names it.
pub const POLLS_QUEUE: &str = "http://queues.example.com/polls";
/// Where secrets lie, as [`World::config`] says.
pub const SECRETS_PATH: &str = "/tillstream/test";

/// What surrounds a function.
pub struct World {
    /// The function's clients.
    pub clients: Clients,
    /// The tables, past the interception.
    pub store: Store,
    tables: Tables,
    wire: Arc<wire::Wire>,
    now_ms: Arc<AtomicI64>,
}

impl World {
    /// Empty tables, empty queues, at [`NOW_MS`].
    pub async fn start() -> Self {
        let tables = Tables::create().await;
        let wire = Arc::new(wire::Wire::default());
        let direct = wire::clients(&tables, &Arc::default());
        Self {
            clients: wire::clients(&tables, &wire),
            store: store_of(&direct),
            tables,
            wire,
            now_ms: Arc::new(AtomicI64::new(NOW_MS)),
        }
    }

    /// The tables as the function reaches them, through the interception.
    pub fn function_store(&self) -> Store {
        store_of(&self.clients)
    }

    /// The function's environment variables.
    pub fn config(&self) -> Config {
        let variables = [
            ("PROFILES_TABLE", "profiles"),
            ("ORDERS_TABLE", "orders"),
            ("REGISTRY_TABLE", "registry"),
            ("JOBS_QUEUE_URL", JOBS_QUEUE),
            ("RAW_DELIVERIES_QUEUE_URL", RAW_QUEUE),
            ("POLLS_QUEUE_URL", POLLS_QUEUE),
            ("RAW_DELIVERIES_DLQ_URL", DEAD_LETTER_QUEUE),
            ("SECRETS_PATH", SECRETS_PATH),
            // The servers that tests start are on this machine.
            ("FETCH_PRIVATE_HOSTS", "true"),
        ];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Config::from_map(BTreeMap::from(owned))
    }

    /// A clock that says what [`World::pass`] has made of it.
    pub fn clock(&self) -> Clock {
        let now_ms = Arc::clone(&self.now_ms);
        Clock::from_fn(move || Timestamp::from_millisecond(now_ms.load(Ordering::SeqCst)).unwrap())
    }

    /// Lets time pass.
    pub fn pass(&self, millis: i64) {
        self.now_ms.fetch_add(millis, Ordering::SeqCst);
    }

    /// The present.
    pub fn now(&self) -> Instant {
        at(self.now_ms.load(Ordering::SeqCst))
    }

    /// Asks `hook` about each call the function makes from now on, in place of any hook before.
    pub fn intercept<F, Fut>(&self, hook: F)
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.wire.intercept(Some(Arc::new(move |call| Box::pin(hook(call)))));
    }

    /// Gives all calls free passage again.
    pub fn let_pass(&self) {
        self.wire.intercept(None);
    }

    /// Gives one answer to the first call for which `matches` holds, and free passage to all others.
    pub fn intercept_once(&self, answer: Answer, matches: impl Fn(&Call) -> bool + Send + Sync + 'static) {
        let pending = Mutex::new(Some(answer));
        self.intercept(move |call| {
            let hit = matches(&call).then(|| pending.lock().unwrap_or_else(PoisonError::into_inner).take());
            std::future::ready(hit.flatten().unwrap_or(Answer::Pass))
        });
    }

    /// Takes what has been sent to a queue, oldest first.
    pub fn take_sent(&self, queue: &str) -> Vec<Sent> {
        self.wire.take_sent(queue)
    }

    /// Sets a connection's secrets, as Parameter Store's text.
    pub fn put_secrets(&self, connection: &str, text: &Value) {
        self.wire.put_parameter(format!("{SECRETS_PATH}/connections/{connection}"), text.to_string());
    }

    /// A connection's grant, as Parameter Store's text; `None` if it has none.
    pub fn grant(&self, connection: &str) -> Option<Value> {
        let text = self.wire.parameter(&format!("{SECRETS_PATH}/connections/{connection}/grant"))?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// Sets a connection's grant, as Parameter Store's text.
    pub fn put_grant(&self, connection: &str, text: &Value) {
        self.wire.put_parameter(format!("{SECRETS_PATH}/connections/{connection}/grant"), text.to_string());
    }

    /// All items of a table in DynamoDB's JSON, by key.
    pub fn items(&self, table: &str) -> BTreeMap<(String, String), Value> {
        self.tables.items(table)
    }

    /// Writes an item, in DynamoDB's JSON, as no function would.
    pub fn put_item(&self, table: &str, item: &Value) {
        self.tables.put(table, item);
    }

    /// Removes an item.
    pub fn delete_item(&self, table: &str, partition: &str, sort: &str) {
        self.tables.delete(table, partition, sort);
    }

    /// The records of the profiles table's stream that the evaluator's event source lets through, oldest first.
    pub fn stream(&self) -> Vec<EventRecord> {
        self.tables.stream()
    }
}

/// An instant of so many milliseconds since 1970.
pub fn at(millis: i64) -> Instant {
    Instant::from_millis(millis).unwrap()
}

fn store_of(clients: &Clients) -> Store {
    Store::new(clients.dynamodb.clone(), "profiles".into(), "orders".into(), "registry".into())
}
