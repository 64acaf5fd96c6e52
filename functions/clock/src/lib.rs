#![doc = include_str!("../README.md")]

use anyhow::Context;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use runtime::{Clients, Clock, Config};
use serde::Serialize;
use store::{JobMessage, Store};

/// Ticks that are written at the same time, per part of the index.
const CONCURRENCY: usize = 8;
/// Rows of the index that are read at a time.
const PAGE: usize = 250;
/// How long one run goes on before the next takes over; the function's time-out is 60 s.
const RUN_MS: i64 = 50_000;
/// A job that was never sent, and one that stopped moving.
const UNSENT_MS: i64 = 60_000;
const STUCK_MS: i64 = 15 * 60_000;

/// Lets time pass.
pub struct ClockFunction {
    store: Store,
    sqs: aws_sdk_sqs::Client,
    jobs_queue_url: String,
    clock: Clock,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Profiles touched.
    pub ticked: u64,
    /// How late the latest of them was, in milliseconds.
    pub max_lag_ms: i64,
    /// Parts of jobs sent again.
    pub parts_sent: u64,
}

impl ClockFunction {
    /// From the function's configuration.
    pub fn new(config: &Config, clients: &Clients, clock: Clock) -> anyhow::Result<Self> {
        let profiles = config.required("PROFILES_TABLE")?;
        let registry = config.required("REGISTRY_TABLE")?;
        Ok(Self {
            store: Store::new(clients.dynamodb.clone(), profiles, String::new(), registry),
            sqs: clients.sqs.clone(),
            jobs_queue_url: config.required("JOBS_QUEUE_URL")?,
            clock,
        })
    }

    /// One run. The event's content does not matter; the system's clock does.
    pub async fn handle(&self, _event: serde_json::Value) -> anyhow::Result<Report> {
        let started_ms = self.clock.now_ms();
        let (ticks, parts_sent) = futures::join!(self.tick_all(started_ms), self.send_stuck_jobs(started_ms));
        let report = Report { parts_sent: parts_sent?, ..ticks? };
        runtime::metrics::counter!("ticks").increment(report.ticked);
        runtime::metrics::gauge!("due_lag_ms")
            .set(f64::from(i32::try_from(report.max_lag_ms).unwrap_or(i32::MAX)));
        Ok(report)
    }

    async fn tick_all(&self, started_ms: i64) -> anyhow::Result<Report> {
        let parts: Vec<_> = Store::due_shards().map(|shard| self.tick_part(shard, started_ms)).collect();
        let reports = try_join_all(parts).await?;
        Ok(reports.into_iter().fold(Report::default(), |sum, part| Report {
            ticked: sum.ticked + part.ticked,
            max_lag_ms: sum.max_lag_ms.max(part.max_lag_ms),
            parts_sent: 0,
        }))
    }

    async fn tick_part(&self, shard: u32, started_ms: i64) -> anyhow::Result<Report> {
        let mut report = Report::default();
        let mut after = None;
        loop {
            let page = self.store.due(shard, started_ms, after, PAGE).await.context("reading what is due")?;
            let lag = page.items.iter().map(|(_, due_ms)| started_ms - due_ms).max();
            report.max_lag_ms = report.max_lag_ms.max(lag.unwrap_or_default());
            let ticks = stream::iter(&page.items)
                .map(|(profile, _)| self.store.tick(profile, started_ms))
                .buffer_unordered(CONCURRENCY);
            report.ticked +=
                ticks.try_fold(0_u64, |sum, ()| async move { Ok(sum + 1) }).await.context("touching")?;
            after = page.next;
            if after.is_none() || self.clock.now_ms() - started_ms > RUN_MS {
                return Ok(report);
            }
        }
    }

    async fn send_stuck_jobs(&self, now_ms: i64) -> anyhow::Result<u64> {
        let mut sent = 0;
        for job in self.store.jobs().await? {
            let quiet_ms = now_ms - job.status.touched_ms.max(job.created_at.as_millis());
            let allowed_ms = if job.status.touched_ms == 0 { UNSENT_MS } else { STUCK_MS };
            if quiet_ms < allowed_ms {
                continue;
            }
            // A job without parts lacks only its end; any message brings that about.
            let parts = if job.status.parts_left.is_empty() { vec![0] } else { job.status.parts_left };
            for part in &parts {
                let message = JobMessage { job: job.id.clone(), part: *part, cursor: None };
                let body = serde_json::to_string(&message)?;
                self.sqs.send_message().queue_url(&self.jobs_queue_url).message_body(body).send().await?;
                sent += 1;
            }
            self.store.advance_job(&job.id, 0, None, now_ms).await?;
            tracing::warn!(job = job.id, parts = parts.len(), "job was sent again");
        }
        Ok(sent)
    }
}
