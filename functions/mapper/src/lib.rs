#![doc = include_str!("../README.md")]

mod api;
mod archiving;
mod facts;
mod failure;
mod fetching;
mod health;
mod people;
mod tell;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use archive::{Archive, Entry};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::MessageAttributeValue;
use canonical::{Event, Instant, Metric, Source};
use fetch::Fetcher;
use futures::StreamExt;
use futures::stream;
use platform::{Connection, Delivery, Mapping, MessageError, Platform};
use platforms::PLATFORMS;
use runtime::metrics::count;
use runtime::{Clients, Clock, Config};
use store::{MetricRecord, Store};

use crate::archiving::Trace;
use crate::health::{Seen, Tally};

use fetching::{Fetching, Waiting};

pub use failure::Failure;

/// Records of one batch that are worked on at the same time.
const CONCURRENCY: usize = 10;
/// How long a connection's settings are used before they are read again.
const CONNECTION_FRESH_MS: i64 = 30_000;
/// Metrics and connections remembered before all are forgotten: a bound, not a tuning.
const MAX_REMEMBERED: usize = 10_000;
/// The platform's name of deliveries that came through the HTTP API.
pub const API: &str = "api";

/// Turns deliveries into events.
pub struct Mapper {
    store: Store,
    sqs: aws_sdk_sqs::Client,
    dead_letter_queue_url: String,
    clock: Clock,
    platforms: &'static [&'static dyn Platform],
    fetching: Fetching,
    archive: Option<Archive>,
    /// Metrics that are known to exist, by integration and name.
    metrics: Mutex<HashMap<(String, String), String>>,
    connections: Mutex<HashMap<String, (i64, Connection)>>,
}

/// What a delivery is worked on with.
struct Context {
    source: Source,
    received_at: Instant,
    /// Of a historical import.
    backfill: bool,
    trace: Trace,
}

/// What is left to do with a message.
struct Worked {
    /// Its id, if it must come again.
    again: Option<String>,
    /// What is to be archived, and the message's id if it must come again unless that is done.
    entry: Option<(Option<String>, Entry)>,
}

impl Mapper {
    /// From the function's configuration.
    pub fn new(config: &Config, clients: &Clients, clock: Clock) -> anyhow::Result<Self> {
        let store = Store::new(
            clients.dynamodb.clone(),
            config.required("PROFILES_TABLE")?,
            config.required("ORDERS_TABLE")?,
            config.required("REGISTRY_TABLE")?,
        );
        Ok(Self {
            fetching: Fetching::new(config, clients, store.clone(), clock.clone())?,
            store,
            sqs: clients.sqs.clone(),
            dead_letter_queue_url: config.required("RAW_DELIVERIES_DLQ_URL")?,
            clock,
            platforms: PLATFORMS,
            archive: None,
            metrics: Mutex::default(),
            connections: Mutex::default(),
        })
    }

    /// With other platforms than all.
    #[must_use]
    pub fn with_platforms(self, platforms: &'static [&'static dyn Platform]) -> Self {
        Self { platforms, ..self }
    }

    /// That archives what it works off.
    #[must_use]
    pub fn with_archive(self, archive: Option<Archive>) -> Self {
        Self { archive, ..self }
    }

    /// With another way to ask platforms.
    #[must_use]
    pub fn with_fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetching.fetcher = fetcher;
        self
    }

    /// Works on a batch. What may succeed later is reported as failed and comes again; what never can is set aside
    /// in the dead-letter queue with its reason.
    pub async fn handle(&self, event: SqsEvent) -> anyhow::Result<SqsBatchResponse> {
        let tally = Tally::default();
        let work: Vec<_> = event.records.into_iter().map(|message| self.message(message, &tally)).collect();
        let worked: Vec<Worked> = stream::iter(work).buffer_unordered(CONCURRENCY).collect().await;
        tally.write(&self.store).await;
        let (mut again, mut entries) = (Vec::new(), Vec::new());
        for worked in worked {
            again.extend(worked.again);
            entries.extend(worked.entry);
        }
        if let Some(archive) = &self.archive {
            again.extend(archiving::keep(archive, entries).await);
        }
        let mut response = SqsBatchResponse::default();
        response.set_failures(again);
        Ok(response)
    }

    async fn message(&self, message: SqsMessage, tally: &Tally) -> Worked {
        let first_time = health::is_first(&message);
        let deferrals = fetching::deferrals(&message);
        let id = message.message_id.unwrap_or_default();
        let body = message.body.unwrap_or_default();
        let delivery = match self.unpack(&body).await {
            Ok(delivery) => delivery,
            Err(Failure::Retry(error)) => {
                count("mapped", "unknown", "retry", 1);
                tracing::warn!(message_id = id, error, "delivery will be tried again");
                return Worked { again: Some(id), entry: None };
            }
            Err(Failure::Dead(reason) | Failure::Later { reason, .. }) => {
                return Worked { again: self.set_aside(id, body, "unknown", &reason).await, entry: None };
            }
        };
        let seen = Seen::of(&delivery, first_time);
        let (platform, delivery_id) = (delivery.platform.clone(), delivery.delivery_id.clone());
        let connection = delivery.connection.clone();
        // What was imported can be read again from where it came.
        let kept = self.archive.is_some() && !delivery.backfill;
        let kept = kept.then(|| delivery.clone());
        // Boxed: the future is deep and large, and one is made per record.
        let (outcome, trace) = Box::pin(self.traced(delivery)).await;
        let now = self.clock.now();
        tally.add(seen, &outcome, now.into());
        let entry = kept.and_then(|delivery| archiving::entry(delivery, trace, &outcome, now));
        let acknowledged = outcome.is_ok().then(|| id.clone());
        let again = match outcome {
            Ok(outcome) => {
                count("mapped", &platform, outcome, 1);
                None
            }
            Err(Failure::Retry(error)) => {
                count("mapped", &platform, "retry", 1);
                tracing::warn!(platform, delivery_id, error, "delivery will be tried again");
                Some(id)
            }
            Err(Failure::Later { reason, after }) => {
                let waiting = Waiting { id, body, platform, connection, deferrals };
                self.defer(waiting, &reason, after).await
            }
            Err(Failure::Dead(reason)) => self.set_aside(id, body, &platform, &reason).await,
        };
        Worked { again, entry: entry.map(|entry| (acknowledged, entry)) }
    }

    /// The delivery in a message, with its body from the store if the message only names it.
    async fn unpack(&self, message: &str) -> Result<Delivery, Failure> {
        match Delivery::from_message(message) {
            Ok(delivery) => Ok(delivery),
            Err(MessageError::Claimed(claim)) => {
                let packed = self.store.claim(&claim.id, claim.parts).await?;
                let packed = packed.ok_or_else(|| Failure::dead("the stored body is gone"))?;
                Delivery::from_claimed(message, &packed).map_err(|error| Failure::Dead(error.to_string()))
            }
            Err(error) => Err(Failure::Dead(error.to_string())),
        }
    }

    /// Puts a message that can never succeed into the dead-letter queue. Returns its id if that fails.
    async fn set_aside(&self, id: String, body: String, platform: &str, reason: &str) -> Option<String> {
        count("mapped", platform, "dead_lettered", 1);
        tracing::error!(platform, message_id = id, reason, "delivery set aside");
        let attribute = MessageAttributeValue::builder().data_type("String").string_value(reason).build();
        let request = self.sqs.send_message().queue_url(&self.dead_letter_queue_url).message_body(body);
        let sent = match attribute {
            Ok(reason) => request.message_attributes("reason", reason).send().await,
            Err(_) => request.send().await,
        };
        match sent {
            Ok(_) => None,
            Err(error) => {
                tracing::error!(message_id = id, error = %DisplayErrorContext(error), "dead-letter queue unavailable");
                Some(id)
            }
        }
    }

    /// Works on one delivery. Returns the outcome's name for the counter.
    pub async fn delivery(&self, delivery: Delivery) -> Result<&'static str, Failure> {
        self.traced(delivery).await.0
    }

    /// The same, and what it has met.
    async fn traced(&self, delivery: Delivery) -> (Result<&'static str, Failure>, Trace) {
        let source = Source {
            platform: delivery.platform.clone(),
            connection: delivery.connection.clone(),
            topic: delivery.topic.clone(),
            delivery_id: delivery.delivery_id.clone(),
        };
        let received_at = delivery.received_at.into();
        let context = Context { source, received_at, backfill: delivery.backfill, trace: Trace::default() };
        let outcome = if delivery.platform == API {
            self.api_event(&delivery.body, &context).await
        } else {
            self.facts(&delivery, &context).await
        };
        (outcome, context.trace)
    }

    async fn facts(&self, delivery: &Delivery, context: &Context) -> Result<&'static str, Failure> {
        let adapter = self.platforms.iter().find(|platform| platform.name() == delivery.platform);
        let adapter = *adapter.ok_or_else(|| Failure::dead("no such platform"))?;
        let connection = self.connection(&delivery.connection).await?;
        let (facts, dropped) = match self.read(adapter, delivery, &connection).await? {
            Mapping::Facts { facts, dropped } => (facts, dropped),
            Mapping::Ignore(reason) => return Ok(reason),
            Mapping::Malformed(reason) => return Err(Failure::Dead(reason)),
            Mapping::Fetch(_) => return Err(Failure::dead("the delivery asks for too many requests")),
        };
        for field in dropped {
            count("dropped_fields", &delivery.platform, field, 1);
        }
        for fact in facts {
            // Boxed: what is done about some facts is large.
            Box::pin(self.fact(fact, context)).await?;
        }
        Ok("mapped")
    }

    async fn connection(&self, id: &str) -> Result<Connection, Failure> {
        let now_ms = self.clock.now_ms();
        let remembered = self.connections.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some((_, connection)) =
            remembered.filter(|(read_at, _)| now_ms - read_at < CONNECTION_FRESH_MS)
        {
            return Ok(connection);
        }
        let record =
            self.store.connection(id).await?.ok_or_else(|| Failure::dead("the connection was deleted"))?;
        let connection = Connection { id: record.id, platform: record.platform, settings: record.settings };
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.len() >= MAX_REMEMBERED {
            connections.clear();
        }
        connections.insert(id.to_owned(), (now_ms, connection.clone()));
        Ok(connection)
    }

    /// The id of an event's metric, which is made when it happens first.
    async fn metric(&self, integration: &str, event: &Event) -> Result<String, Failure> {
        let key = (integration.to_owned(), event.metric.clone());
        if let Some(id) = self.metrics.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(id.clone());
        }
        let now = Instant::from(self.clock.now());
        let metric = self
            .store
            .ensure_metric(MetricRecord {
                id: store::metric_id(integration, &event.metric),
                name: event.metric.clone(),
                integration: integration.to_owned(),
                canonical: Metric::from_name(&event.metric).map(|metric| metric.name().to_owned()),
                created_at: now,
                updated_at: now,
            })
            .await?;
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if metrics.len() >= MAX_REMEMBERED {
            metrics.clear();
        }
        metrics.insert(key, metric.id.clone());
        Ok(metric.id)
    }
}
