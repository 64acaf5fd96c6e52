//! Jobs over a real (embedded) DynamoDB and a queue that records.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod archive;
mod backfill;
mod catalog;
mod control;
mod erasure;
mod predictions;
mod profiles;
mod settling;
mod suppress;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use canonical::{Event, Profile, Source};
use clock::ClockFunction;
use jobs::Jobs;
use serde_json::{Map, Value, json};
use store::{Job, JobKind, JobMessage, JobStatus, PROFILE_SHARDS, SegmentRecord, StoredEvent};
use testing::{JOBS_QUEUE, NOW_MS, World, at};

const SEGMENT: &str = "SEG001";

/// A function with its surroundings.
struct Account {
    world: World,
    jobs: Jobs,
}

impl Account {
    async fn open() -> Self {
        let world = World::start().await;
        // As the clock notes it in an account's first minute.
        world.store.put_zone("UTC", 0, None).await.unwrap();
        let jobs = Jobs::new(&world.config(), &world.clients, world.clock()).unwrap();
        Self { world, jobs }
    }

    /// Profiles with one order each, made long before any job.
    async fn people(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 0..count {
            let id = format!("{number:08}");
            let mut profile = Profile::new(id.clone(), at(NOW_MS - 3_600_000));
            profile.email = Some(format!("guest{number}@example.com"));
            self.world.store.put_profile(&profile, 0).await.unwrap();
            self.world.store.put_event(&order(&id, "C1")).await.unwrap();
            ids.push(id);
        }
        ids
    }

    /// Makes or changes the segment, with its job, as the API does.
    async fn define(&self, job: &str, definition: Value) {
        let store = &self.world.store;
        let version = store.program_version().await.unwrap() + 1;
        let segment = SegmentRecord {
            id: SEGMENT.to_owned(),
            name: "Buyers".to_owned(),
            definition,
            version,
            is_active: true,
            is_starred: false,
            created_at: at(NOW_MS),
            updated_at: at(NOW_MS),
            resumed_version: 0,
            ready_version: 0,
            shown_version: 0,
        };
        let kind = JobKind::Backfill { segment: SEGMENT.to_owned(), version };
        let job = self.job(job, kind, PROFILE_SHARDS);
        store.put_segment_definition(&segment, Some(&job)).await.unwrap();
    }

    fn job(&self, id: &str, kind: JobKind, parts: u32) -> Job {
        let status = JobStatus { parts_left: (0..parts).collect(), ..JobStatus::default() };
        Job { id: id.to_owned(), kind, created_at: self.world.now(), status }
    }

    /// The messages that begin a job.
    fn announcement(job: &str, parts: u32) -> Vec<String> {
        let message = |part| JobMessage { job: job.to_owned(), part, cursor: None };
        (0..parts).map(|part| serde_json::to_string(&message(part)).unwrap()).collect()
    }

    /// Delivers messages one by one; those that failed come back.
    async fn deliver(&self, messages: &[String]) -> Vec<String> {
        let mut failed = Vec::new();
        for body in messages {
            let mut message = SqsMessage::default();
            message.message_id = Some("1".to_owned());
            message.body = Some(body.clone());
            let mut event = SqsEvent::default();
            event.records = vec![message];
            let response = self.jobs.handle(event).await.unwrap();
            if !response.batch_item_failures.is_empty() {
                failed.push(body.clone());
            }
        }
        failed
    }

    fn sent(&self) -> Vec<String> {
        self.world.take_sent(JOBS_QUEUE).into_iter().map(|sent| sent.body).collect()
    }

    /// Delivers until nothing is left; how many messages that took.
    async fn work_off(&self, mut messages: Vec<String>) -> usize {
        let mut count = 0;
        while !messages.is_empty() {
            count += messages.len();
            assert!(count < 500, "no end");
            let failed = self.deliver(&messages).await;
            messages = self.sent();
            messages.extend(failed);
        }
        count
    }

    /// Lets a quarter of an hour pass and the clock look after lost messages, then works off what it sent.
    async fn recover(&self) {
        self.world.pass(15 * 60_000);
        let clock =
            ClockFunction::new(&self.world.config(), &self.world.clients, self.world.clock()).unwrap();
        clock.handle(Value::Null).await.unwrap();
        let messages = self.sent();
        self.work_off(messages).await;
    }

    async fn is_processing(&self) -> bool {
        self.world.store.segment(SEGMENT).await.unwrap().unwrap().is_processing()
    }

    async fn members(&self) -> u64 {
        self.world.store.count_members(SEGMENT).await.unwrap()
    }
}

/// The part of all profiles that an id lies in.
fn part_of(id: &str) -> u32 {
    id.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % PROFILE_SHARDS
}

/// Everybody with at least so many orders.
fn buyers(at_least: u32) -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-metric", "metric_id": "ORDERS", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": at_least},
        "timeframe_filter": {"type": "date", "operator": "alltime"},
    }]}]})
}

fn order(profile: &str, connection: &str) -> StoredEvent {
    StoredEvent {
        profile_id: profile.to_owned(),
        metric_id: "ORDERS".to_owned(),
        ingested_at: at(NOW_MS),
        event: Event {
            id: Event::id_of(connection, "Placed Order", &[profile]),
            metric: "Placed Order".to_owned(),
            source_metric: None,
            occurred_at: at(NOW_MS - 1000),
            value: None,
            properties: Map::new(),
            source: Source {
                platform: "shopify".to_owned(),
                connection: connection.to_owned(),
                topic: "orders/create".to_owned(),
                delivery_id: profile.to_owned(),
            },
            backfill: false,
        },
    }
}
