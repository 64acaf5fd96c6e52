//! Jobs that follow from a change of a segment or a list: written with the change, announced to the queue afterwards.
//! And how far they are.

use canonical::Instant;
use serde_json::{Map, Value};
use store::{Job, JobKind, JobMessage, JobState, PROFILE_SHARDS, SegmentRecord};

use crate::Api;
use crate::document::{Answer, Resource, collection, page_of, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{ANY, Operation, Tier};
use crate::ports::Queue;
use crate::request::{Asked, filter_texts, unsupported};
use crate::shapes;

const PAGE: usize = 20;
const MAX_PAGE: usize = 100;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::post("recalculate_segment", "/api/segments/{id}/recalculate", &["segments:write"])
        .limited(Tier::Small)
        .gives_one::<shapes::SegmentJob>(202, "segment-job")
        .by(|call| Box::pin(call.api.recalculate_segment(call.asked, call.id))),
    Operation::get("get_segment_jobs", "/api/segment-jobs", &["segments:read"])
        .filters(&[("segment_id", ANY), ("state", ANY)])
        .pages(PAGE, MAX_PAGE)
        .gives_page::<shapes::SegmentJob>("segment-job")
        .by(|call| Box::pin(call.api.list_segment_jobs(call.asked))),
    Operation::get("get_segment_job", "/api/segment-jobs/{id}", &["segments:read"])
        .gives_one::<shapes::SegmentJob>(200, "segment-job")
        .by(|call| Box::pin(call.api.get_segment_job(call.asked, call.id))),
];

impl Api {
    /// `GET /api/segment-jobs`: the work that segments wait for. What is finished is gone.
    pub(crate) async fn list_segment_jobs(&self, asked: &Asked) -> ApiResult<Answer> {
        let now = self.now();
        let mut jobs = self.store.jobs().await?;
        jobs.retain(|job| job.kind.is_of_segments());
        for filter in asked.filters() {
            let values = filter_texts(filter)?;
            match filter.field.as_str() {
                "segment_id" => jobs.retain(|job| job.kind.segment().is_some_and(|id| values.contains(&id))),
                "state" => jobs.retain(|job| values.contains(&state_of(job, now))),
                _ => return Err(unsupported(filter)),
            }
        }
        let size = asked.page_size();
        let key = |job: &Job| format!("{:014}#{}", job.created_at.as_millis().max(0), job.id);
        let (page, next) = page_of(asked, jobs, key, true, size)?;
        let data = page.iter().map(|job| job_resource(asked, job, now)).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/segment-jobs/{id}`.
    pub(crate) async fn get_segment_job(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let job = self.store.job(id).await?.filter(|job| job.kind.is_of_segments());
        let job = job.ok_or_else(|| ApiError::not_found("segment-job", id))?;
        Ok(Answer::ok(single(asked, job_resource(asked, &job, self.now()), None)))
    }

    /// `POST /api/segments/{id}/recalculate`: counts everybody's events anew, or makes the job that is under way move
    /// again, from where it is, if it does not.
    pub(crate) async fn recalculate_segment(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let segment = self.segment_by_id(id).await?;
        if !segment.is_active {
            let detail = "The segment is not active, so nothing is evaluated.";
            return Err(ApiError::conflict("inactive", detail));
        }
        let now = self.now();
        let job = match self.job_of(&segment).await? {
            Some(job) if job.state(now.as_millis()) == JobState::Running => job,
            Some(job) => {
                self.store.note_job_restart(&job, now.as_millis()).await?;
                self.announce(&job).await;
                self.store.job(&job.id).await?.unwrap_or(job)
            }
            None => {
                let kind = JobKind::Recount { segment: segment.id.clone(), version: segment.version };
                let job = self.job(kind, PROFILE_SHARDS, now);
                self.store.create_segment_job(&segment, &job).await?;
                self.announce(&job).await;
                job
            }
        };
        Ok(Answer::accepted(single(asked, job_resource(asked, &job, now), None)))
    }

    /// The job that a segment waits for: its own, or one that concerns all segments.
    pub(crate) async fn job_of(&self, segment: &SegmentRecord) -> ApiResult<Option<Job>> {
        let mut jobs = self.store.jobs().await?;
        jobs.retain(|job| match &job.kind {
            JobKind::Backfill { segment: id, version } | JobKind::Recount { segment: id, version } => {
                segment.is_active && *id == segment.id && *version == segment.version
            }
            JobKind::ChangeZone { version, .. } | JobKind::Predict { version } => {
                segment.is_active && segment.version <= *version
            }
            _ => false,
        });
        Ok(jobs.into_iter().min_by_key(|job| (job.kind.segment().is_none(), job.created_at)))
    }

    /// How far the job is that a segment waits for; null if there is none.
    pub(crate) async fn progress_of(&self, segment: &SegmentRecord) -> ApiResult<Value> {
        let Some(job) = self.job_of(segment).await? else { return Ok(Value::Null) };
        let mut attributes = attributes_of(&job, self.now());
        attributes.insert("id".to_owned(), job.id.into());
        Ok(Value::Object(attributes))
    }

    /// Brings all profiles to a new or changed definition.
    pub(crate) fn backfill(&self, segment: &SegmentRecord, now: Instant) -> Job {
        let kind = JobKind::Backfill { segment: segment.id.clone(), version: segment.version };
        self.job(kind, PROFILE_SHARDS, now)
    }

    /// Ends the memberships of a deleted segment.
    pub(crate) fn removal(&self, segment: &str, now: Instant) -> Job {
        self.job(JobKind::RemoveMembers { segment: segment.to_owned() }, 1, now)
    }

    /// Takes everybody off a deleted list.
    pub(crate) fn emptying(&self, list: &str, now: Instant) -> Job {
        self.job(JobKind::EmptyList { list: list.to_owned() }, 1, now)
    }

    pub(crate) fn job(&self, kind: JobKind, parts: u32, now: Instant) -> Job {
        Job::new(self.long_id("job"), kind, parts, now)
    }

    /// Puts each part of a job that is written already into the queue. What fails is not lost: a job whose parts
    /// stay unfinished is announced again by the clock.
    pub(crate) async fn announce(&self, job: &Job) {
        let sends = JobMessage::of_parts_left(job).into_iter().map(async |message| {
            let Ok(body) = serde_json::to_string(&message) else { return };
            if let Err(error) = self.outbox.send(Queue::Jobs, body).await {
                tracing::warn!(job = job.id, part = message.part, error = %error, "job could not be announced");
            }
        });
        futures::future::join_all(sends).await;
    }
}

fn state_of(job: &Job, now: Instant) -> &'static str {
    match job.state(now.as_millis()) {
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Stuck(_) => "stuck",
    }
}

fn job_resource(asked: &Asked, job: &Job, now: Instant) -> Value {
    let resource = Resource::new(asked, "segment-job", "segment-jobs", &job.id);
    let attributes = attributes_of(job, now).into_iter();
    attributes.fold(resource, |resource, (name, value)| resource.attribute(&name, value)).build()
}

fn attributes_of(job: &Job, now: Instant) -> Map<String, Value> {
    let kind = match &job.kind {
        JobKind::Recount { .. } => "recount",
        JobKind::ChangeZone { .. } => "change_zone",
        JobKind::Predict { .. } => "predict",
        JobKind::RemoveMembers { .. } => "remove_members",
        JobKind::SettleMembers { .. } => "settle_members",
        _ => "backfill",
    };
    let moment = |millis: Option<i64>| millis.and_then(Instant::from_millis).map(time);
    let stuck_ms = match job.state(now.as_millis()) {
        JobState::Stuck(since_ms) => Some(since_ms),
        JobState::Queued | JobState::Running => None,
    };
    let progress = job.progress(now.as_millis());
    let attributes: [(&str, Value); 12] = [
        ("kind", kind.into()),
        ("segment_id", job.kind.segment().into()),
        ("state", state_of(job, now).into()),
        ("created_at", time(job.created_at)),
        ("profiles_done", job.status.profiles_done.into()),
        ("profiles_total", progress.profiles_total.into()),
        ("percent", progress.percent.into()),
        ("profiles_per_second", progress.rate.into()),
        ("estimated_end", moment(progress.end_ms).into()),
        ("stuck_since", moment(stuck_ms).into()),
        ("last_error", job.status.last_error.clone().into()),
        ("last_error_at", job.status.failed_at.map(time).into()),
    ];
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
