//! Suppressing and unsuppressing: who is named, at once; the members of a list or a segment by a job.

use canonical::Instant;
use canonical::identity::Identifiers;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use serde_json::Value;
use store::{Job, JobKind, JobStatus, Resolved, SuppressedGroup, SuppressionJob, SuppressionProgress};

use super::CONCURRENCY;
use super::read::{Suppressed, suppressing};
use crate::Api;
use crate::body::{self, Node};
use crate::document::{Answer, Resource, collection, identifier, page_of, single, time};
use crate::error::{ApiError, ApiResult};
use crate::request::{Asked, filter_texts};

/// How long a job can be asked about.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Jobs of a page.
const PAGE: usize = 100;

/// Suppressing, or taking it back: in what they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Suppress,
    Unsuppress,
}

impl Direction {
    /// The kind of the resource, and what older revisions have called it.
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Suppress => &["profile-suppression-bulk-create-job"],
            Self::Unsuppress => {
                &["profile-suppression-bulk-delete-job", "profile-unsuppression-bulk-create-job"]
            }
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Suppress => "profile-suppression-bulk-create-job",
            Self::Unsuppress => "profile-suppression-bulk-delete-job",
        }
    }

    fn collection(self) -> &'static str {
        match self {
            Self::Suppress => "profile-suppression-bulk-create-jobs",
            Self::Unsuppress => "profile-suppression-bulk-delete-jobs",
        }
    }

    fn is_of(self, job: &SuppressionJob) -> bool {
        job.suppresses == (self == Self::Suppress)
    }
}

impl Api {
    /// `POST /api/profile-suppression-bulk-{create,delete}-jobs`: 202 with the job.
    pub(crate) async fn create_suppression_job(
        &self,
        asked: &Asked,
        direction: Direction,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let now = self.now();
        let mut record = SuppressionJob {
            id: self.long_id("suppression"),
            suppresses: direction == Direction::Suppress,
            group: None,
            total: 0,
            created_at: now,
            expires_at: now.timestamp().checked_add(KEPT_FOR).map_err(ApiError::unavailable)?.into(),
            progress: SuppressionProgress::default(),
        };
        let unknown = |kind, node: &Node<'_>, id: &str| ApiError {
            source: node.invalid("").source,
            ..ApiError::not_found(kind, id)
        };
        match suppressing(&body, direction.kinds())? {
            Suppressed::Emails(emails) => {
                record.total = emails.len() as u64;
                record.progress = self.suppress_named(&emails, direction, now).await?;
                self.store.create_suppression_job(&record, None).await?;
            }
            Suppressed::List(node) => {
                let id = node.text()?;
                self.store.list(id).await?.ok_or_else(|| unknown("list", &node, id))?;
                record.group = Some(SuppressedGroup::List(id.to_owned()));
                record.total = self.store.count_listed(id).await?;
                self.begin(&record).await?;
            }
            Suppressed::Segment(node) => {
                let id = node.text()?;
                self.store.segment(id).await?.ok_or_else(|| unknown("segment", &node, id))?;
                record.group = Some(SuppressedGroup::Segment(id.to_owned()));
                record.total = self.store.count_members(id).await?;
                self.begin(&record).await?;
            }
        }
        Ok(Answer::accepted(single(asked, resource(asked, direction, &record), None)))
    }

    /// `GET /api/profile-suppression-bulk-{create,delete}-jobs`.
    pub(crate) async fn list_suppression_jobs(
        &self,
        asked: &Asked,
        direction: Direction,
    ) -> ApiResult<Answer> {
        let now = self.now();
        let mut jobs = self.store.suppression_jobs().await?;
        jobs.retain(|job| direction.is_of(job) && job.expires_at > now);
        for filter in asked.filters() {
            let wanted = filter_texts(filter)?;
            jobs.retain(|job| match (filter.field.as_str(), &job.group) {
                ("status", _) => wanted.contains(&status(job)),
                ("list_id", Some(SuppressedGroup::List(id)))
                | ("segment_id", Some(SuppressedGroup::Segment(id))) => wanted.contains(&id.as_str()),
                _ => false,
            });
        }
        let descending = asked.sort().is_some_and(|(_, descending)| descending);
        let key = |job: &SuppressionJob| format!("{:014}#{}", job.created_at.as_millis(), job.id);
        let (page, next) = page_of(asked, jobs, key, descending, PAGE)?;
        let data = page.iter().map(|job| resource(asked, direction, job)).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/profile-suppression-bulk-{create,delete}-jobs/{id}`.
    pub(crate) async fn get_suppression_job(
        &self,
        asked: &Asked,
        direction: Direction,
        id: &str,
    ) -> ApiResult<Answer> {
        let found = self.store.suppression_job(id).await?;
        let found = found.filter(|job| direction.is_of(job) && job.expires_at > self.now());
        let job = found.ok_or_else(|| ApiError::not_found(direction.kind(), id))?;
        Ok(Answer::ok(single(asked, resource(asked, direction, &job), None)))
    }

    /// Who is not known yet is suppressed all the same: they may be made known later. Who is unknown needs no
    /// suppression taken back.
    async fn suppress_named(
        &self,
        emails: &[String],
        direction: Direction,
        now: Instant,
    ) -> ApiResult<SuppressionProgress> {
        let work: Vec<_> = emails.iter().map(|email| self.suppress_one(email, direction, now)).collect();
        let changed: Vec<bool> = stream::iter(work).buffer_unordered(CONCURRENCY).try_collect().await?;
        let (changed, skipped): (Vec<bool>, Vec<bool>) = changed.into_iter().partition(|changed| *changed);
        Ok(SuppressionProgress {
            changed: changed.len() as u64,
            skipped: skipped.len() as u64,
            ended_at: Some(now),
            ..SuppressionProgress::default()
        })
    }

    async fn suppress_one(&self, email: &str, direction: Direction, now: Instant) -> ApiResult<bool> {
        let identifiers = Identifiers { email: Some(email.to_owned()), ..Identifiers::default() };
        let mut changed = false;
        match direction {
            Direction::Suppress => {
                let change = |profile: &mut canonical::Profile| {
                    changed = profile.suppress(now);
                    changed
                };
                match self.store.update_person(&identifiers, None, now, change).await? {
                    Resolved::Profile { .. } => {}
                    Resolved::Nobody | Resolved::Erased => {
                        return Err(ApiError::unavailable("the profile was not made"));
                    }
                }
            }
            Direction::Unsuppress => {
                let Some(found) = self.store.find_person(&identifiers).await? else { return Ok(false) };
                let change = |profile: &mut canonical::Profile| {
                    changed = profile.unsuppress();
                    changed
                };
                self.store.update_profile(&found.value.id, now, change).await?;
            }
        }
        Ok(changed)
    }

    async fn begin(&self, record: &SuppressionJob) -> ApiResult<()> {
        let job = Job {
            id: record.id.clone(),
            kind: JobKind::Suppress,
            created_at: record.created_at,
            status: JobStatus { parts_left: vec![0], ..JobStatus::default() },
        };
        self.store.create_suppression_job(record, Some(&job)).await?;
        self.announce(&job).await;
        Ok(())
    }
}

fn status(job: &SuppressionJob) -> &'static str {
    match &job.progress {
        SuppressionProgress { cancelled: true, .. } => "cancelled",
        SuppressionProgress { ended_at: Some(_), .. } => "complete",
        SuppressionProgress { place: Some(_), .. } => "processing",
        SuppressionProgress { .. } => "queued",
    }
}

fn resource(asked: &Asked, direction: Direction, job: &SuppressionJob) -> Value {
    let SuppressionProgress { changed, skipped, ended_at, .. } = &job.progress;
    let (lists, segments) = match &job.group {
        Some(SuppressedGroup::List(id)) => (vec![identifier("list", id)], Vec::new()),
        Some(SuppressedGroup::Segment(id)) => (Vec::new(), vec![identifier("segment", id)]),
        None => (Vec::new(), Vec::new()),
    };
    Resource::new(asked, direction.kind(), direction.collection(), &job.id)
        .attribute("status", status(job))
        .attribute("created_at", time(job.created_at))
        .attribute("total_count", job.total)
        .attribute("completed_count", *changed)
        .attribute("completed_at", ended_at.map(time))
        .attribute("skipped_count", *skipped)
        .named("lists", lists.into())
        .named("segments", segments.into())
        .build()
}
