#![doc = include_str!("../README.md")]

mod shift;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::error::DisplayErrorContext;
use extract::Extractor;
use fetch::{Client, Fetcher};
use oauth::Grants;
use platform::{Connection, Period, Platform, RawQueue, SecretStore};
use runtime::{Clients, Clock, Config};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ConnectionStatus, Store};

use crate::shift::Shift;

/// How long one call goes on; the function's time-out is 900 s, and the last request and its page need some of it.
const RUN_MS: i64 = 780_000;
/// How long a lease lasts without a sign of life, and how often there is one. Between two of them there may be a request
/// (13 s) and a pause (10 s).
const LEASE_MS: i64 = 45_000;
const RENEWED_EVERY_MS: i64 = 10_000;

/// Asks platforms what changed, and what they knew before.
pub struct Poller {
    platforms: &'static [&'static dyn Platform],
    store: Store,
    extractor: Extractor,
    raw_deliveries: RawQueue,
    sqs: aws_sdk_sqs::Client,
    polls_queue_url: String,
    clock: Clock,
}

/// A message of the queue of polls: somebody's turn.
#[derive(Debug, Serialize, Deserialize)]
pub struct Turn {
    /// The connection's id.
    pub connection: String,
}

/// What a call of the schedule did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Connections whose turn it was.
    pub due: u64,
}

impl Poller {
    /// From the function's configuration.
    pub fn new(
        config: &Config,
        clients: &Clients,
        clock: Clock,
        platforms: &'static [&'static dyn Platform],
    ) -> anyhow::Result<Self> {
        let (orders, registry) = (config.required("ORDERS_TABLE")?, config.required("REGISTRY_TABLE")?);
        let store = Store::new(clients.dynamodb.clone(), String::new(), orders, registry);
        let raw_deliveries_url = config.required("RAW_DELIVERIES_QUEUE_URL")?;
        let secrets = SecretStore::new(clients.ssm.clone(), &config.required("SECRETS_PATH")?);
        let grants = Grants::new(secrets, store.clone(), Client::new(config), clock.clone());
        Ok(Self {
            platforms,
            raw_deliveries: RawQueue::new(clients.sqs.clone(), raw_deliveries_url, store.clone()),
            store,
            extractor: Extractor::new(Fetcher::new(config, clock.clone()), grants, clock.clone()),
            sqs: clients.sqs.clone(),
            polls_queue_url: config.required("POLLS_QUEUE_URL")?,
            clock,
        })
    }

    /// A call of the schedule (any event), or of the queue of polls.
    pub async fn handle(&self, event: Value) -> anyhow::Result<Value> {
        if event.get("Records").is_some() {
            let response = self.turns(serde_json::from_value(event)?).await;
            Ok(serde_json::to_value(response)?)
        } else {
            Ok(serde_json::to_value(self.call().await?)?)
        }
    }

    /// Calls whoever is due, each by a message of its own.
    pub async fn call(&self) -> anyhow::Result<Report> {
        let now_ms = self.clock.now_ms();
        let (polls, imports) = (self.store.polls().await?, self.store.imports().await?);
        let mut report = Report::default();
        for record in self.store.connections().await? {
            let Some(platform) = self.platform(&record.platform) else { continue };
            if record.status != ConnectionStatus::Active {
                continue;
            }
            let connection =
                Connection { id: record.id, platform: record.platform, settings: record.settings };
            let poll = polls.get(&connection.id).cloned().unwrap_or_default();
            let is_due = poll.next_ms <= now_ms && is_polled(platform, &connection, &self.clock);
            let mut imports = imports.iter().filter(|import| import.connection == connection.id);
            let is_import_due = imports.any(|import| import.is_unfinished() && import.next_ms <= now_ms);
            // Whoever holds the lease goes on by itself.
            if poll.lease_ms <= now_ms && (is_due || is_import_due) {
                self.send_turn(&connection.id).await?;
                report.due += 1;
            }
        }
        Ok(report)
    }

    async fn turns(&self, event: SqsEvent) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        for message in event.records {
            let body = message.body.unwrap_or_default();
            let outcome = match serde_json::from_str::<Turn>(&body) {
                Ok(turn) => self.turn(&turn.connection).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = outcome {
                tracing::error!(error = format!("{error:#}"), "turn not taken");
                response.add_failure(message.message_id.unwrap_or_default());
            }
        }
        response
    }

    /// Works for a connection, unless somebody else does.
    pub async fn turn(&self, id: &str) -> anyhow::Result<()> {
        let Some(record) = self.store.connection(id).await? else { return Ok(()) };
        let Some(platform) = self.platform(&record.platform) else { return Ok(()) };
        if record.status != ConnectionStatus::Active {
            return Ok(());
        }
        let created_ms = record.created_at.as_millis();
        let connection = Connection { id: record.id, platform: record.platform, settings: record.settings };
        let now_ms = self.clock.now_ms();
        let Some(poll) = self.store.claim_poll(id, now_ms, LEASE_MS).await? else { return Ok(()) };
        let mut shift = Shift::new(self, platform, &connection, poll, created_ms, now_ms + RUN_MS);
        let is_more = shift.work().await;
        let finished = self.store.finish_poll(id, &shift.poll).await;
        if let Err(error) = finished {
            // The lease ends by itself, and what was not noted is asked for again.
            tracing::warn!(connection = id, error = %error, "poll not noted");
            return Ok(());
        }
        if is_more? { self.send_turn(id).await } else { Ok(()) }
    }

    fn platform(&self, name: &str) -> Option<&'static dyn Platform> {
        self.platforms.iter().find(|platform| platform.name() == name).copied()
    }

    async fn send_turn(&self, connection: &str) -> anyhow::Result<()> {
        let body = serde_json::to_string(&Turn { connection: connection.to_owned() })?;
        let sent = self.sqs.send_message().queue_url(&self.polls_queue_url).message_body(body).send().await;
        sent.map(drop).map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(error)))
    }
}

/// Whether a connection is asked regularly.
fn is_polled(platform: &dyn Platform, connection: &Connection, clock: &Clock) -> bool {
    let now = clock.now();
    !platform.feeds(connection, &Period::changes(now, now)).is_empty()
}
