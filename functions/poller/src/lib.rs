#![doc = include_str!("../README.md")]

use std::time::Duration;

use canonical::Instant;
use fetch::Fetcher;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use platform::{
    Connection, Delivery, Feed, Fetched, Period, Platform, RawQueue, Record, SecretStore, Secrets,
};
use runtime::{Clients, Clock, Config};
use serde::Serialize;
use store::{ConnectionRecord, ConnectionStatus, Health, Poll, PollRun, Store};

/// Connections that are polled at the same time.
const CONCURRENCY: usize = 4;
/// From one run of a connection to the next, and to the next try after an error.
const EVERY_MS: i64 = 15 * 60_000;
const AGAIN_MS: i64 = 5 * 60_000;
/// How far a window reaches back over the last one: a platform may show a change late.
const OVERLAP_MS: i64 = 10 * 60_000;
/// The widest and the narrowest window.
const WIDEST_MS: i64 = 24 * 3_600_000;
const NARROWEST_MS: i64 = 15 * 60_000;
/// How often the function is called, as the template says.
const CALLED_MS: i64 = 5 * 60_000;
/// How long one call goes on asking. Its last page may take a minute and more; the function's time-out is 300 s, and a
/// lease outlives all that.
const RUN_MS: i64 = 200_000;
const LEASE_MS: i64 = 330_000;
/// Whoever's turn comes with less than this left waits for the next call.
const ENOUGH_MS: i64 = RUN_MS / 2;
/// A platform that asks for more patience than this is asked again in the next run.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tries of one page.
const TRIES: u32 = 3;
/// Pages of one feed in one run: more is a platform that turns in circles.
const MAX_PAGES: u64 = 2_000;

/// Asks platforms what changed.
pub struct Poller {
    platforms: &'static [&'static dyn Platform],
    store: Store,
    secrets: SecretStore,
    fetcher: Fetcher,
    queue: RawQueue,
    clock: Clock,
}

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Connections that were asked.
    pub polled: u64,
    /// Of those, the ones that failed.
    pub failed: u64,
    /// Records that went into the queue.
    pub records: u64,
}

/// Why a run ended early.
#[derive(Debug)]
enum Broken {
    /// Of itself: the window was too wide for the time there is.
    OutOfTime,
    /// The platform, or the way to it. The text names no content.
    Error(String),
}

impl<E: std::fmt::Display> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Error(format!("{error:#}"))
    }
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
        let queue_url = config.required("RAW_DELIVERIES_QUEUE_URL")?;
        Ok(Self {
            platforms,
            queue: RawQueue::new(clients.sqs.clone(), queue_url, store.clone()),
            store,
            secrets: SecretStore::new(clients.ssm.clone(), &config.required("SECRETS_PATH")?),
            fetcher: Fetcher::new(config, clock.clone())?,
            clock,
        })
    }

    /// One call. The event's content does not matter.
    pub async fn handle(&self, _event: serde_json::Value) -> anyhow::Result<Report> {
        let now_ms = self.clock.now_ms();
        let deadline_ms = now_ms + RUN_MS;
        let mut connections = self.store.connections().await?;
        // Each call begins with another one: backlogs at the front must not keep the last from ever being asked.
        let turn = usize::try_from(now_ms / CALLED_MS).unwrap_or_default();
        let first = turn % connections.len().max(1);
        connections.rotate_left(first);
        let runs = connections
            .into_iter()
            .filter(|record| record.status == ConnectionStatus::Active)
            .filter_map(|record| {
                let platform = self.platforms.iter().find(|platform| platform.name() == record.platform)?;
                Some(self.connection(*platform, record, deadline_ms))
            });
        let runs: Vec<_> = runs.collect();
        let runs: Vec<Option<PollRun>> = stream::iter(runs).buffer_unordered(CONCURRENCY).collect().await;
        Ok(runs.iter().flatten().fold(Report::default(), |report, run| Report {
            polled: report.polled + 1,
            failed: report.failed + u64::from(run.error.is_some()),
            records: report.records + run.records,
        }))
    }

    /// Polls a connection if it is due and nobody else does.
    async fn connection(
        &self,
        platform: &dyn Platform,
        record: ConnectionRecord,
        deadline_ms: i64,
    ) -> Option<PollRun> {
        let created_ms = record.created_at.as_millis();
        let connection = Connection { id: record.id, platform: record.platform, settings: record.settings };
        let now = self.clock.now();
        if platform.feeds(&connection, &Period::changes(now, now)).is_empty()
            || now.as_millisecond() > deadline_ms - ENOUGH_MS
        {
            return None;
        }
        let poll = match self.store.claim_poll(&connection.id, now.as_millisecond(), LEASE_MS).await {
            Ok(poll) => poll?,
            Err(error) => {
                tracing::error!(connection = connection.id, error = %error, "poll item unavailable");
                return None;
            }
        };
        let (next, run) = self.run(platform, &connection, poll, created_ms, deadline_ms).await;
        if let Some(error) = &run.error {
            tracing::warn!(connection = connection.id, error, "poll failed");
            let mut health = Health::default();
            health.fail(self.clock.now().into(), error);
            if let Err(error) = self.store.note_health(&connection.id, &health).await {
                tracing::warn!(connection = connection.id, error = %error, "health not noted");
            }
        }
        if let Err(error) = self.store.finish_poll(&connection.id, &next, &run).await {
            // The lease ends by itself, and the window is asked for again.
            tracing::error!(connection = connection.id, error = %error, "poll not noted");
        }
        Some(run)
    }

    async fn run(
        &self,
        platform: &dyn Platform,
        connection: &Connection,
        poll: Poll,
        created_ms: i64,
        deadline_ms: i64,
    ) -> (Poll, PollRun) {
        let started = self.clock.now();
        let started_ms = started.as_millisecond();
        let cursor_ms = poll.cursor_ms.unwrap_or(created_ms).min(started_ms);
        let window_ms = poll.window_ms.unwrap_or(WIDEST_MS).clamp(NARROWEST_MS, WIDEST_MS);
        let until_ms = started_ms.min(cursor_ms + window_ms);
        let mut run = PollRun { started_at: started.into(), ..PollRun::default() };
        let outcome =
            self.feeds(platform, connection, [cursor_ms - OVERLAP_MS, until_ms], deadline_ms, &mut run).await;
        let finished_ms = self.clock.now_ms();
        run.finished_at = Instant::from_millis(finished_ms).unwrap_or(run.started_at);
        let mut next = poll;
        (next.cursor_ms, next.window_ms) = (Some(cursor_ms), Some(window_ms));
        match outcome {
            Ok(()) => {
                next.cursor_ms = Some(until_ms);
                next.window_ms = Some((window_ms * 2).min(WIDEST_MS));
                // What is left of a backlog is due at once.
                let wait_ms = if until_ms < started_ms { 0 } else { EVERY_MS + spread_ms(&connection.id) };
                next.next_ms = finished_ms + wait_ms;
            }
            // Half of it may succeed: it has fewer pages, each with a chance to fail, and smaller ones.
            Err(broken) => {
                next.window_ms = Some((window_ms / 2).max(NARROWEST_MS));
                let (wait_ms, error) = match broken {
                    Broken::OutOfTime => (
                        0,
                        "the window holds more than one run can take; the next is half as wide".to_owned(),
                    ),
                    Broken::Error(error) => (AGAIN_MS, error),
                };
                next.next_ms = finished_ms + wait_ms;
                run.error = Some(error);
            }
        }
        (next, run)
    }

    async fn feeds(
        &self,
        platform: &dyn Platform,
        connection: &Connection,
        [since_ms, until_ms]: [i64; 2],
        deadline_ms: i64,
        run: &mut PollRun,
    ) -> Result<(), Broken> {
        let secrets = self.secrets.get(&connection.id).await?;
        let (since, until) = (Timestamp::from_millisecond(since_ms)?, Timestamp::from_millisecond(until_ms)?);
        for mut feed in platform.feeds(connection, &Period::changes(since, until)) {
            for page in 0.. {
                if page == MAX_PAGES {
                    return Err(Broken::Error(format!("{} does not end", feed.name)));
                }
                if self.clock.now_ms() > deadline_ms {
                    return Err(Broken::OutOfTime);
                }
                let answer = self.ask(connection, &feed, &secrets).await?;
                let page = platform.page(connection, &feed, &answer, &[]);
                let page = page.map_err(|error| Broken::Error(format!("{}: {error}", feed.name)))?;
                run.pages += 1;
                for record in page.records {
                    self.enqueue(connection, record).await?;
                    run.records += 1;
                }
                match page.next {
                    Some(request) => feed.request = request,
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// One page, with patience for a platform that asks for some.
    async fn ask(&self, connection: &Connection, feed: &Feed, secrets: &Secrets) -> Result<Fetched, Broken> {
        let mut tries = 1;
        loop {
            match self.fetcher.fetch(&connection.id, &feed.request, secrets).await {
                Err(fetch::Error::Later { after: Some(after), .. }) if after <= PATIENCE && tries < TRIES => {
                    tokio::time::sleep(after).await;
                    tries += 1;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn enqueue(&self, connection: &Connection, record: Record) -> Result<(), Broken> {
        let delivery = Delivery {
            platform: connection.platform.clone(),
            connection: connection.id.clone(),
            topic: record.topic,
            delivery_id: record.delivery_id,
            received_at: self.clock.now(),
            headers: record.headers,
            backfill: false,
            body: record.body,
        };
        let now = delivery.received_at;
        Ok(self.queue.send(&connection.id, delivery.to_parcel()?, now).await?)
    }
}

/// Up to a minute that differs from connection to connection, so that not all ask at once.
fn spread_ms(connection: &str) -> i64 {
    let sum = connection.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    i64::from(sum % 60_000)
}
