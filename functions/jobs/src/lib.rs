#![doc = include_str!("../README.md")]

mod profiles;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use canonical::Instant;
use evaluation::Evaluator;
use futures::{StreamExt, TryStreamExt, stream};
use runtime::{Clients, Clock, Config};
use store::{Cursor, Job, JobKind, JobMessage, ProfileSort, Store};

/// Profiles of one chunk.
const CHUNK: usize = 200;
/// Profiles that are worked on at the same time.
const CONCURRENCY: usize = 8;
/// How far behind the table an index of it may be.
const INDEX_LAG_MS: i64 = 60_000;

/// Works on jobs.
pub struct Jobs {
    store: Store,
    evaluator: Evaluator,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    clock: Clock,
}

impl Jobs {
    /// From the function's configuration.
    pub fn new(config: &Config, clients: &Clients, clock: Clock) -> anyhow::Result<Self> {
        Ok(Self {
            store: Store::new(
                clients.dynamodb.clone(),
                config.required("PROFILES_TABLE")?,
                config.required("ORDERS_TABLE")?,
                config.required("REGISTRY_TABLE")?,
            ),
            evaluator: Evaluator::new(config, clients, clock.clone())?,
            sqs: clients.sqs.clone(),
            queue_url: config.required("JOBS_QUEUE_URL")?,
            clock,
        })
    }

    /// Works on a batch of chunks.
    pub async fn handle(&self, event: SqsEvent) -> anyhow::Result<SqsBatchResponse> {
        let mut response = SqsBatchResponse::default();
        for record in event.records {
            let id = record.message_id.unwrap_or_default();
            let body = record.body.unwrap_or_default();
            match serde_json::from_str::<JobMessage>(&body) {
                Ok(message) => {
                    if let Err(error) = self.chunk(&message).await {
                        tracing::warn!(
                            job = message.job,
                            part = message.part,
                            error = format!("{error:#}"),
                            "chunk failed"
                        );
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

    async fn chunk(&self, message: &JobMessage) -> anyhow::Result<()> {
        let Some(mut job) = self.store.job(&message.job).await? else { return Ok(()) };
        if job.status.parts_left.contains(&message.part) {
            let (done, next) = self.work(&job, message).await?;
            let now_ms = self.clock.now_ms();
            let finished = next.is_none().then_some(message.part);
            let Some(advanced) = self.store.advance_job(&job.id, done, finished, now_ms).await? else {
                return Ok(());
            };
            if let Some(next) = next {
                let body = serde_json::to_string(&next)?;
                self.sqs.send_message().queue_url(&self.queue_url).message_body(body).send().await?;
            }
            job = advanced;
        }
        // Also for a message that comes again because this very step failed.
        if job.status.parts_left.is_empty() {
            self.finish(&job).await?;
            self.store.delete_job(&job.id).await?;
        }
        Ok(())
    }

    /// Works on one chunk. Returns how many profiles it had, and the next chunk if there is one.
    async fn work(&self, job: &Job, message: &JobMessage) -> anyhow::Result<(u64, Option<JobMessage>)> {
        if job.kind == JobKind::ImportProfiles {
            let (rows, more) = self.import_chunk(&job.id).await?;
            return Ok((rows, more.then(|| message.clone())));
        }
        if let JobKind::RemoveMembers { segment } = &job.kind {
            // Those removed leave the index, so the first page is always what is left.
            let removed = self.store.remove_members(segment, CHUNK).await?;
            return Ok((u64::try_from(removed)?, (removed > 0).then(|| message.clone())));
        }
        let cursor = message.cursor.as_deref().and_then(Cursor::decode);
        let page = self.store.list_profile_shard(message.part, cursor, CHUNK).await?;
        self.profiles(job, &page.items).await?;
        let next = page.next.map(|next| JobMessage { cursor: Some(next.encode()), ..message.clone() });
        Ok((u64::try_from(page.items.len())?, next))
    }

    async fn profiles(&self, job: &Job, ids: &[String]) -> anyhow::Result<()> {
        match &job.kind {
            JobKind::Backfill { .. } => {
                let program = self.evaluator.program().await?;
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let loaded = self.evaluator.load(&ids).await?;
                let work: Vec<_> =
                    ids.iter().map(|id| self.evaluator.evaluate(&program, id, &loaded, &[])).collect();
                stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
            }
            JobKind::EraseConnection { connection } => {
                let now = Instant::from(self.clock.now());
                let work: Vec<_> =
                    ids.iter().map(|id| self.store.erase_connection_from(id, connection, now)).collect();
                stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<Vec<usize>>().await?;
            }
            JobKind::RemoveMembers { .. } | JobKind::ImportProfiles => {}
        }
        Ok(())
    }

    /// What is done when no part is left. May be done twice.
    async fn finish(&self, job: &Job) -> anyhow::Result<()> {
        if matches!(job.kind, JobKind::Backfill { .. } | JobKind::EraseConnection { .. }) {
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
            JobKind::Backfill { segment, version } => self.store.segment_is_ready(segment, *version).await?,
            JobKind::EraseConnection { connection } => self.store.erase_catalog(connection).await?,
            JobKind::RemoveMembers { .. } | JobKind::ImportProfiles => {}
        }
        Ok(())
    }
}
