//! Jobs that follow from a change of a segment: written with the change, announced to the queue afterwards.

use canonical::Instant;
use store::{Job, JobKind, JobMessage, JobStatus, PROFILE_SHARDS, SegmentRecord};

use crate::Api;
use crate::ports::Queue;

impl Api {
    /// Brings all profiles to a new or changed definition.
    pub(crate) fn backfill(&self, segment: &SegmentRecord, now: Instant) -> Job {
        let kind = JobKind::Backfill { segment: segment.id.clone(), version: segment.version };
        self.job(kind, PROFILE_SHARDS, now)
    }

    /// Ends the memberships of a deleted segment.
    pub(crate) fn removal(&self, segment: &str, now: Instant) -> Job {
        self.job(JobKind::RemoveMembers { segment: segment.to_owned() }, 1, now)
    }

    fn job(&self, kind: JobKind, parts: u32, now: Instant) -> Job {
        let status = JobStatus { parts_left: (0..parts).collect(), ..JobStatus::default() };
        Job { id: self.long_id("job"), kind, created_at: now, status }
    }

    /// Puts each part of a job that is written already into the queue. What fails is not lost: a job whose parts
    /// stay unfinished is announced again by the clock.
    pub(crate) async fn announce(&self, job: &Job) {
        let sends = job.status.parts_left.iter().map(async |part| {
            let message = JobMessage { job: job.id.clone(), part: *part, cursor: None };
            let Ok(message) = serde_json::to_string(&message) else { return };
            if let Err(error) = self.outbox.send(Queue::Jobs, message).await {
                tracing::warn!(job = job.id, part, error = %error, "job could not be announced");
            }
        });
        futures::future::join_all(sends).await;
    }
}
