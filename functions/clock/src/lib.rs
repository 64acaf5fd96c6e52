#![doc = include_str!("../README.md")]

mod predictions;
pub mod spread;
mod zone;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use canonical::Instant;
use futures::future::BoxFuture;
use runtime::{Clients, Clock, Config};
use serde::Serialize;
use spread::{Desk, Pace, Spread};
use store::{Job, JobMessage, STUCK_MS, Store};
use tokio::sync::Mutex;

/// Ticks that are written in a second at most, unless the configuration says otherwise.
const TICKS_PER_SECOND: usize = 1000;
/// Seconds' worth of ticks that may wait for the evaluator at most.
const WINDOW_S: usize = 4;
/// A job that was never sent.
const UNSENT_MS: i64 = 60_000;

/// Waits so many milliseconds.
type Pause = Arc<dyn Fn(i64) -> BoxFuture<'static, ()> + Send + Sync>;

/// Lets time pass.
pub struct ClockFunction {
    store: Store,
    sqs: aws_sdk_sqs::Client,
    jobs_queue_url: String,
    zone: String,
    pace: Pace,
    clock: Clock,
    pause: Pause,
    /// Whether any segment asks for predictions, at which version of the program.
    asked: Mutex<Option<(u64, bool)>>,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Who was touched.
    #[serde(flatten)]
    pub spread: Spread,
    /// Parts of jobs sent.
    pub parts_sent: u64,
    /// Whether the account's zone had changed.
    pub zone_changed: bool,
}

impl ClockFunction {
    /// From the function's configuration.
    pub fn new(config: &Config, clients: &Clients, clock: Clock) -> anyhow::Result<Self> {
        let profiles = config.required("PROFILES_TABLE")?;
        let registry = config.required("REGISTRY_TABLE")?;
        let zone = evaluation::zone(config)?;
        Ok(Self {
            store: Store::new(clients.dynamodb.clone(), profiles, String::new(), registry),
            sqs: clients.sqs.clone(),
            jobs_queue_url: config.required("JOBS_QUEUE_URL")?,
            zone: zone.iana_name().context("the zone has no name")?.to_owned(),
            pace: Pace { per_second: ticks_per_second(config)?, window_s: WINDOW_S },
            clock,
            pause: Arc::new(|millis| {
                let millis = u64::try_from(millis).unwrap_or_default();
                Box::pin(tokio::time::sleep(Duration::from_millis(millis)))
            }),
            asked: Mutex::new(None),
        })
    }

    /// Waits otherwise than by letting time pass: for simulations.
    #[must_use]
    pub fn waiting<Fut: Future<Output = ()> + Send + 'static>(
        self,
        pause: impl Fn(i64) -> Fut + Send + Sync + 'static,
    ) -> Self {
        Self { pause: Arc::new(move |millis| Box::pin(pause(millis))), ..self }
    }

    /// One run. The event's content does not matter; the system's clock does.
    pub async fn handle(&self, _event: serde_json::Value) -> anyhow::Result<Report> {
        let now_ms = self.clock.now_ms();
        let (spread, parts_again, parts_new, zone_changed) = futures::join!(
            Box::pin(spread::spread(self, self.pace)),
            Box::pin(self.send_stuck_jobs(now_ms)),
            Box::pin(self.fit_if_due(now_ms)),
            zone::follow(&self.store, &self.zone, Instant::from(self.clock.now())),
        );
        if let Ok(spread) = &spread {
            runtime::metrics::counter!("ticks").increment(spread.ticked);
            runtime::metrics::gauge!("due_lag_ms")
                .set(f64::from(i32::try_from(spread.max_lag_ms).unwrap_or(i32::MAX)));
            runtime::metrics::gauge!("due_backlog")
                .set(f64::from(u32::try_from(spread.waiting).unwrap_or(u32::MAX)));
        }
        let parts_sent = parts_again? + parts_new?;
        Ok(Report { spread: spread?, parts_sent, zone_changed: zone_changed? })
    }

    async fn send_stuck_jobs(&self, now_ms: i64) -> anyhow::Result<u64> {
        let mut sent = 0;
        for job in self.store.jobs().await? {
            let quiet_ms = now_ms - job.status.touched_ms.max(job.created_at.as_millis());
            let allowed_ms = if job.status.touched_ms == 0 { UNSENT_MS } else { STUCK_MS };
            if quiet_ms < allowed_ms {
                continue;
            }
            sent += self.send_parts(&job).await?;
            self.store.note_job_sent(&job.id, now_ms).await?;
            tracing::warn!(job = job.id, parts = job.status.parts_left.len(), "job was sent again");
        }
        Ok(sent)
    }

    /// Sends what is left of a job. Returns how many parts that are.
    async fn send_parts(&self, job: &Job) -> anyhow::Result<u64> {
        let messages = JobMessage::of_parts_left(job);
        for message in &messages {
            let body = serde_json::to_string(message)?;
            self.sqs.send_message().queue_url(&self.jobs_queue_url).message_body(body).send().await?;
        }
        Ok(u64::try_from(messages.len())?)
    }
}

impl Desk for ClockFunction {
    fn parts(&self) -> Vec<u32> {
        Store::due_shards().collect()
    }

    async fn due(&self, part: u32, now_ms: i64, limit: usize) -> anyhow::Result<Vec<(String, i64)>> {
        let page = self.store.due(part, now_ms, None, limit).await.context("reading what is due")?;
        Ok(page.items)
    }

    async fn touched(&self, ids: &[&str]) -> anyhow::Result<HashMap<String, i64>> {
        self.store.ticks(ids).await.context("reading ticks")
    }

    async fn touch(&self, id: &str, now_ms: i64) -> anyhow::Result<()> {
        self.store.tick(id, now_ms).await.context("touching")
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    async fn pause(&self, millis: i64) {
        (self.pause)(millis).await;
    }
}

/// How many ticks are written in a second at most.
fn ticks_per_second(config: &Config) -> anyhow::Result<usize> {
    let Some(text) = config.optional("TICKS_PER_SECOND") else { return Ok(TICKS_PER_SECOND) };
    let rate = text.parse().ok().filter(|rate| *rate > 0);
    rate.context("TICKS_PER_SECOND is not a positive number")
}
