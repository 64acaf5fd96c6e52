#![doc = include_str!("../README.md")]

mod archive;
mod predictions;
mod profiles;
mod suppress;

use std::time::Duration;

use ::archive::Archive;
use ::predictions::Minimums;
use anyhow::Context;
use archive::Erasure;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use canonical::{Instant, hash};
use evaluation::Evaluator;
use futures::{StreamExt, TryStreamExt, stream};
use platform::RawQueue;
use runtime::{Clients, Clock, Config};
use store::{Cursor, Job, JobKind, JobMessage, ProfileSort, Step, Store};

/// Profiles of one chunk.
const CHUNK: usize = 200;
/// Profiles that are worked on at the same time.
const CONCURRENCY: usize = 8;
/// Profiles that one job goes over in a second at most, unless the configuration says otherwise.
const PROFILES_PER_SECOND: u64 = 500;
/// The longest delay that a queue has.
const MAX_DELAY_MS: u64 = 900_000;
/// When a chunk that failed comes again, in seconds: four times as late each time, up to the queue's own time.
const COMES_AGAIN_S: i32 = 10;
const COMES_AGAIN_MAX_S: i32 = 720;
/// When nobody evaluates by a program any more that did not know yet that a definition shows.
const SETTLED_AFTER_MS: u64 = 120_000;
/// How far behind the table an index of it may be.
const INDEX_LAG_MS: i64 = 60_000;

/// Works on jobs.
pub struct Jobs {
    store: Store,
    evaluator: Evaluator,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    profiles_per_second: u64,
    minimums: Minimums,
    archive: Option<Archive>,
    raw_deliveries: RawQueue,
    clock: Clock,
}

impl Jobs {
    /// From the function's configuration.
    pub fn new(config: &Config, clients: &Clients, clock: Clock) -> anyhow::Result<Self> {
        let store = Store::new(
            clients.dynamodb.clone(),
            config.required("PROFILES_TABLE")?,
            config.required("ORDERS_TABLE")?,
            config.required("REGISTRY_TABLE")?,
        );
        let raw_deliveries_url = config.required("RAW_DELIVERIES_QUEUE_URL")?;
        Ok(Self {
            raw_deliveries: RawQueue::new(clients.sqs.clone(), raw_deliveries_url, store.clone()),
            store,
            archive: None,
            evaluator: Evaluator::new(config, clients, clock.clone())?,
            sqs: clients.sqs.clone(),
            queue_url: config.required("JOBS_QUEUE_URL")?,
            profiles_per_second: profiles_per_second(config)?,
            minimums: Minimums::default(),
            clock,
        })
    }

    /// That looks after an archive.
    #[must_use]
    pub fn with_archive(self, archive: Option<Archive>) -> Self {
        Self { archive, ..self }
    }

    /// With other minimums for predictions.
    #[must_use]
    pub fn predicting_from(self, minimums: Minimums) -> Self {
        Self { minimums, ..self }
    }

    /// Works on a batch of chunks.
    pub async fn handle(&self, event: SqsEvent) -> anyhow::Result<SqsBatchResponse> {
        let mut response = SqsBatchResponse::default();
        for record in event.records {
            let count = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
            let count = count.unwrap_or(1);
            let id = record.message_id.unwrap_or_default();
            let body = record.body.unwrap_or_default();
            match serde_json::from_str::<JobMessage>(&body) {
                Ok(message) => {
                    if let Err(error) = self.chunk(&message, count > 1).await {
                        let error = format!("{error:#}");
                        tracing::warn!(job = message.job, part = message.part, error, "chunk failed");
                        self.note_error(&message.job, &error).await;
                        self.come_again(record.receipt_handle.as_deref(), count).await;
                        response.add_failure(id);
                    }
                }
                Err(error) => {
                    // Comes again until the queue sets it aside.
                    tracing::error!(message_id = id, error = %error, "message is not a job's");
                    response.add_failure(id);
                }
            }
        }
        Ok(response)
    }

    /// Works on the chunk that a message asks for, unless somebody else has. A message that comes `again` may be of one
    /// who broke off before the next was sent: then its part goes on from where it is.
    async fn chunk(&self, message: &JobMessage, again: bool) -> anyhow::Result<()> {
        let Some(mut job) = self.store.job(&message.job).await? else { return Ok(()) };
        if self.is_void(&job).await? {
            tracing::info!(job = job.id, "job is of no use any more");
            return Ok(self.store.delete_job(&job.id).await?);
        }
        if job.status.parts_left.contains(&message.part) {
            let from = job.status.cursors.get(&message.part).cloned();
            if from != message.cursor && !again {
                return Ok(());
            }
            let started_ms = self.clock.now_ms();
            let (profiles, to) = self.work(&job, message.part, from.as_deref()).await?;
            let now_ms = self.clock.now_ms();
            let step = Step {
                job: &job.id,
                part: message.part,
                from: from.as_deref(),
                to: to.as_deref(),
                profiles,
                now_ms,
            };
            let Some(advanced) = self.store.advance_job(&step).await? else { return Ok(()) };
            job = advanced;
            if to.is_some() {
                let spent_ms = u64::try_from(now_ms - started_ms).unwrap_or_default();
                let next = JobMessage { job: job.id.clone(), part: message.part, cursor: to };
                self.send(&next, self.pause_ms(&job, profiles).saturating_sub(spent_ms)).await?;
            }
        }
        // Also for a message that comes again because this very step failed.
        if job.status.parts_left.is_empty() {
            self.finish(&job).await?;
            self.store.delete_job(&job.id).await?;
        }
        Ok(())
    }

    /// Whether nobody waits for a job any more: its segment is gone, inactive or another one by now, its zone no longer
    /// the account's.
    async fn is_void(&self, job: &Job) -> anyhow::Result<bool> {
        Ok(match &job.kind {
            JobKind::Backfill { segment, version } | JobKind::Recount { segment, version } => {
                let segment = self.store.segment(segment).await?;
                segment.is_none_or(|segment| !segment.is_active || segment.version != *version)
            }
            JobKind::ChangeZone { zone, .. } => self.store.program().await?.zone.as_ref() != Some(zone),
            JobKind::EraseArchived { .. } | JobKind::Replay { .. } => self.archive.is_none(),
            _ => false,
        })
    }

    /// How long a part pauses after so many profiles: all parts of a job together keep to its rate.
    fn pause_ms(&self, job: &Job, profiles: u64) -> u64 {
        if job.kind == JobKind::ImportProfiles {
            return 0;
        }
        let parts = u64::try_from(job.status.parts_left.len()).unwrap_or(1);
        (profiles * parts * 1000 / self.profiles_per_second).min(MAX_DELAY_MS)
    }

    /// Sends a message that is not to be received for so long. The queue knows whole seconds; the rest is waited here.
    async fn send(&self, message: &JobMessage, delay_ms: u64) -> anyhow::Result<()> {
        tokio::time::sleep(Duration::from_millis(delay_ms % 1000)).await;
        let body = serde_json::to_string(message)?;
        let request = self.sqs.send_message().queue_url(&self.queue_url).message_body(body);
        let seconds = Some(i32::try_from(delay_ms / 1000)?).filter(|seconds| *seconds > 0);
        request.set_delay_seconds(seconds).send().await?;
        Ok(())
    }

    /// Lets a message that failed be received sooner than the queue would let it. Best effort: it comes again anyway.
    async fn come_again(&self, receipt_handle: Option<&str>, count: u32) {
        let seconds = COMES_AGAIN_S
            .saturating_mul(4_i32.saturating_pow(count.saturating_sub(1)))
            .min(COMES_AGAIN_MAX_S);
        let request = self.sqs.change_message_visibility().queue_url(&self.queue_url);
        let request =
            request.set_receipt_handle(receipt_handle.map(str::to_owned)).visibility_timeout(seconds);
        if let Err(error) = request.send().await {
            tracing::warn!(error = %error, "message will come again later");
        }
    }

    /// Keeps an error where people see it. Best effort: the message comes again anyway.
    async fn note_error(&self, job: &str, error: &str) {
        if let Err(error) = self.store.note_job_error(job, error, self.clock.now_ms()).await {
            tracing::warn!(job, error = %error, "error could not be noted");
        }
    }

    /// Works on one chunk of a part, from where it was left. Returns how many profiles it had, and where the part is
    /// left now, if it is not done.
    async fn work(&self, job: &Job, part: u32, from: Option<&str>) -> anyhow::Result<(u64, Option<String>)> {
        // Where there is no place to keep, chunks are numbered.
        let next = || (from.and_then(|from| from.parse().ok()).unwrap_or(0_u64) + 1).to_string();
        match &job.kind {
            JobKind::ImportProfiles => {
                let (rows, more) = self.import_chunk(&job.id).await?;
                Ok((rows, more.then(next)))
            }
            JobKind::Suppress => {
                let (members, more) = self.suppress_chunk(&job.id).await?;
                Ok((members, more.then(next)))
            }
            // Those removed leave the index, so the first page is always what is left.
            JobKind::RemoveMembers { segment } => {
                let removed = self.store.remove_members(segment, job.created_at, CHUNK).await?;
                Ok((u64::try_from(removed)?, (removed > 0).then(next)))
            }
            JobKind::SettleMembers { segment } => {
                let after = from.and_then(Cursor::decode);
                let (members, next) = self.store.settle_members(segment, after, CHUNK).await?;
                Ok((u64::try_from(members)?, next.map(|next| next.encode())))
            }
            JobKind::EmptyList { list } => {
                let removed = self.store.empty_list(list, CHUNK, self.clock.now().into()).await?;
                Ok((u64::try_from(removed)?, (removed > 0).then(next)))
            }
            JobKind::EraseArchived { connection, names } => {
                self.erase_archived(&Erasure { job, connection: connection.as_deref(), names }, from).await
            }
            JobKind::Replay { choice } => self.replay(choice, from).await,
            JobKind::Settle { profile } => {
                let (events, to) = self.store.settle(profile, from).await?;
                Ok((u64::try_from(events)?, to))
            }
            JobKind::ChangeCatalog { of, action } => {
                let now = self.clock.now().into();
                for next in self.store.do_catalog_job(*of, *action, &job.id, now).await? {
                    for message in JobMessage::of_parts_left(&next) {
                        self.send(&message, 0).await?;
                    }
                }
                Ok((0, None))
            }
            JobKind::ClearCatalog { of, place } => {
                let removed = self.store.clear_catalog(*of, place, CHUNK).await?;
                Ok((u64::try_from(removed)?, (removed > 0).then(next)))
            }
            JobKind::Backfill { .. }
            | JobKind::Recount { .. }
            | JobKind::ChangeZone { .. }
            | JobKind::FitPredictions
            | JobKind::Predict { .. }
            | JobKind::EraseConnection { .. } => {
                if !job.status.counts.contains_key(&part) {
                    self.count(job, part).await?;
                }
                if job.kind == JobKind::FitPredictions {
                    return self.collect(job, part, from).await;
                }
                let page = self.store.list_profile_shard(part, from.and_then(Cursor::decode), CHUNK).await?;
                self.profiles(job, &page.items).await?;
                Ok((u64::try_from(page.items.len())?, page.next.map(|next| next.encode())))
            }
        }
    }

    /// Counts the profiles of a part, for whoever wants to know how far the job is.
    async fn count(&self, job: &Job, part: u32) -> anyhow::Result<()> {
        if let Some(profiles) = self.store.count_profile_shard(part).await? {
            self.store.note_job_count(&job.id, part, profiles).await?;
        }
        Ok(())
    }

    async fn profiles(&self, job: &Job, ids: &[String]) -> anyhow::Result<()> {
        match &job.kind {
            JobKind::Backfill { .. }
            | JobKind::Recount { .. }
            | JobKind::ChangeZone { .. }
            | JobKind::Predict { .. } => {
                let program = self.evaluator.program().await?;
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let loaded = self.evaluator.load(&ids).await?;
                let anew = matches!(job.kind, JobKind::Recount { .. });
                let work: Vec<_> = ids
                    .iter()
                    .map(async |id| {
                        if anew {
                            self.evaluator.recount(&program, id, &loaded).await
                        } else {
                            self.evaluator.evaluate(&program, id, &loaded, &[]).await
                        }
                    })
                    .collect();
                stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
            }
            JobKind::EraseConnection { connection } => {
                let now = Instant::from(self.clock.now());
                let work: Vec<_> =
                    ids.iter().map(|id| self.store.erase_connection_from(id, connection, now)).collect();
                stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<Vec<usize>>().await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What is done when no part is left. May be done twice.
    async fn finish(&self, job: &Job) -> anyhow::Result<()> {
        if job.kind.is_of_profiles() {
            let mut after = None;
            loop {
                let since_ms = job.created_at.as_millis() - INDEX_LAG_MS;
                let bounds = (Some(since_ms), Some(job.created_at.as_millis()));
                let page =
                    self.store.list_profile_ids(ProfileSort::Created, false, bounds, after, CHUNK).await?;
                self.profiles(job, &page.items).await?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        match &job.kind {
            JobKind::Backfill { segment, version } | JobKind::Recount { segment, version } => {
                self.show(segment, *version, job).await?;
            }
            JobKind::ChangeZone { version, .. } => {
                let segments = self.store.segments().await?;
                let older =
                    segments.iter().filter(|segment| segment.is_active && segment.version <= *version);
                for segment in older {
                    self.show(&segment.id, segment.version, job).await?;
                }
            }
            JobKind::EraseConnection { connection } => self.store.erase_catalog(connection).await?,
            JobKind::FitPredictions => self.fit(job).await?,
            _ => {}
        }
        Ok(())
    }

    /// Lets a segment show its definition of this version, and sees to what that hides.
    async fn show(&self, id: &str, version: u64, job: &Job) -> anyhow::Result<()> {
        let Some(segment) = self.store.segment(id).await? else { return Ok(()) };
        let hides = segment.version == version && segment.shown_version < version;
        let kind = JobKind::SettleMembers { segment: id.to_owned() };
        let next = Job::new(hash::long_id(&["settle", &job.id, id]), kind, 1, self.clock.now().into());
        // Before it shows: afterwards nobody would know that there is something to see to.
        if hides {
            match self.store.create_job(&next).await {
                Ok(()) | Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.store.segment_is_ready(id, version).await?;
        if hides {
            for message in JobMessage::of_parts_left(&next) {
                self.send(&message, SETTLED_AFTER_MS).await?;
            }
        }
        Ok(())
    }
}

/// How many profiles one job goes over in a second at most.
fn profiles_per_second(config: &Config) -> anyhow::Result<u64> {
    let Some(text) = config.optional("JOB_PROFILES_PER_SECOND") else { return Ok(PROFILES_PER_SECOND) };
    let rate = text.parse().ok().filter(|rate| *rate > 0);
    rate.context("JOB_PROFILES_PER_SECOND is not a positive number")
}
