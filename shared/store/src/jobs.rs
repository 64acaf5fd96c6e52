//! Work over all profiles: jobs, how far they are, and whether they move.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, Select, TransactWriteItem};
use canonical::Instant;

use crate::registry::{document_item, item_number, read_document};
use crate::table::{self, Item, Unless, item_text, number, text};
use crate::{Error, Job, JobKind, JobStatus, Result, Store};

const JOB: &str = "job";
/// Where a part is left that is done: no cursor looks like this.
const END: &str = ".";
/// A job that has not moved for so long is stuck, and is sent again.
pub const STUCK_MS: i64 = 15 * 60_000;
/// What is kept of an error.
const MAX_ERROR: usize = 300;
/// Pages that a count reads at most: some five million profiles of one part.
const COUNTED_PAGES: usize = 1000;

/// A chunk that was worked off.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Of which job.
    pub job: &'a str,
    /// Of which part.
    pub part: u32,
    /// Where the part had been left.
    pub from: Option<&'a str>,
    /// Where it is left now; `None` if it is done.
    pub to: Option<&'a str>,
    /// Profiles of the chunk.
    pub profiles: u64,
    /// When.
    pub now_ms: i64,
}

/// Whether a job moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It has not begun, or has just been restarted.
    Queued,
    /// It moves.
    Running,
    /// It has not moved since this instant, for a quarter of an hour or longer.
    Stuck(i64),
}

/// How far a job is, as people ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many profiles there are to go over; `None` until all have been counted.
    pub profiles_total: Option<u64>,
    /// In whole percent; 100 only once nothing is left to do.
    pub percent: Option<u64>,
    /// Profiles per second, since it began or was restarted.
    pub rate: Option<u64>,
    /// When it will be done if it goes on like this, in milliseconds; `None` for a job that does not move.
    pub end_ms: Option<i64>,
}

impl Job {
    /// A new one, of so many parts.
    pub fn new(id: String, kind: JobKind, parts: u32, created_at: Instant) -> Self {
        let status = JobStatus { parts_left: (0..parts).collect(), ..JobStatus::default() };
        Self { id, kind, created_at, status }
    }

    /// Whether it moves.
    pub fn state(&self, now_ms: i64) -> JobState {
        let JobStatus { moved_ms, restarted_ms, .. } = self.status;
        let sign_of_life = moved_ms.max(restarted_ms).max(self.created_at.as_millis());
        if now_ms - sign_of_life >= STUCK_MS {
            JobState::Stuck(sign_of_life)
        } else if moved_ms > restarted_ms {
            JobState::Running
        } else {
            JobState::Queued
        }
    }

    /// How far it is.
    pub fn progress(&self, now_ms: i64) -> Progress {
        let status = &self.status;
        let is_counted = status.parts_left.iter().all(|part| status.counts.contains_key(part));
        // Profiles that have come since it was counted are done, too.
        let total = status.counts.values().sum::<u64>().max(status.profiles_done);
        let profiles_total = (is_counted && !status.counts.is_empty()).then_some(total);
        let percent = profiles_total.map(|total| {
            let percent = (status.profiles_done * 100).checked_div(total).unwrap_or_default();
            if status.parts_left.is_empty() { 100 } else { percent.min(99) }
        });
        let begun_ms = status.restarted_ms.max(self.created_at.as_millis());
        let elapsed_ms = u64::try_from(status.moved_ms - begun_ms).unwrap_or_default();
        let recently = status.profiles_done.saturating_sub(status.done_before);
        let rate = (recently * 1000).checked_div(elapsed_ms).filter(|_| recently > 0);
        let left_ms = profiles_total
            .filter(|_| self.state(now_ms) == JobState::Running)
            .and_then(|total| ((total - status.profiles_done) * elapsed_ms).checked_div(recently));
        let end_ms = left_ms
            .map(|left_ms| now_ms.max(status.moved_ms + i64::try_from(left_ms).unwrap_or(i64::MAX / 2)));
        Progress { profiles_total, percent, rate, end_ms }
    }
}

impl Store {
    /// Writes a new job with its parts.
    pub async fn create_job(&self, job: &Job) -> Result<()> {
        self.put(&self.registry, job_item(job)?, Some(Unless::Exists)).await
    }

    /// The writing of a new job, as a part of a transaction.
    pub(crate) fn put_job(&self, job: &Job) -> Result<TransactWriteItem> {
        table::put_of(&self.registry, job_item(job)?)
    }

    /// A job.
    pub async fn job(&self, id: &str) -> Result<Option<Job>> {
        let item = self.get(&self.registry, JOB, id).await?;
        item.as_ref().map(read_job).transpose()
    }

    /// All jobs that are not finished.
    pub async fn jobs(&self) -> Result<Vec<Job>> {
        let items = self.partition(&self.registry, JOB, "").await?;
        items.iter().map(read_job).collect()
    }

    /// Removes a finished job.
    pub async fn delete_job(&self, id: &str) -> Result<()> {
        self.delete(&self.registry, JOB, id).await
    }

    /// Notes that a chunk was worked off: each counts once, whoever repeats it. Returns the job as it is now; `None`
    /// if somebody else has moved the part, or the job is gone.
    pub async fn advance_job(&self, step: &Step<'_>) -> Result<Option<Job>> {
        let place = format!("c{}", step.part);
        // By which a step is known again whose answer was lost: the client repeats it, and finds it done.
        let since = format!("m{}", step.part);
        let request = self.client.update_item().table_name(&self.registry);
        let request = request
            .set_key(Some(table::key(JOB, step.job)))
            .expression_attribute_names("#done", "done")
            .expression_attribute_names("#place", &place)
            .expression_attribute_names("#since", &since)
            .expression_attribute_values(":to", text(step.to.unwrap_or(END)))
            .expression_attribute_values(":profiles", number(step.profiles))
            .expression_attribute_values(":now", number(step.now_ms))
            .return_values(ReturnValue::AllNew);
        let request = match step.from {
            Some(from) => request
                .condition_expression("attribute_exists(pk) AND #place = :from")
                .expression_attribute_values(":from", text(from)),
            None => request.condition_expression("attribute_exists(pk) AND attribute_not_exists(#place)"),
        };
        let set = "SET touched = :now, moved = :now, #place = :to, #since = :now ADD #done :profiles";
        let request = match step.to {
            Some(_) => request.update_expression(set),
            None => request
                .update_expression(format!("{set} DELETE parts :part"))
                .expression_attribute_values(":part", AttributeValue::Ns(vec![step.part.to_string()])),
        };
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(answer) => answer.attributes.as_ref().map(read_job).transpose(),
            Err(Error::Conflict) => {
                let item = self.get(&self.registry, JOB, step.job).await?;
                let is_mine = |item: &Item| {
                    item_text(item, &place) == Some(step.to.unwrap_or(END))
                        && i64::try_from(item_number(item, &since)) == Ok(step.now_ms)
                };
                item.filter(is_mine).as_ref().map(read_job).transpose()
            }
            Err(error) => Err(error),
        }
    }

    /// Notes how many profiles a part has, and whether the job still is there.
    pub async fn note_job_count(&self, id: &str, part: u32, profiles: u64) -> Result<()> {
        let name = format!("n{part}");
        self.set_of_job(id, &[(&name, number(profiles))]).await
    }

    /// Notes that a job's parts were sent again. That is no movement.
    pub async fn note_job_sent(&self, id: &str, now_ms: i64) -> Result<()> {
        self.set_of_job(id, &[("touched", number(now_ms))]).await
    }

    /// Notes why a chunk failed.
    pub async fn note_job_error(&self, id: &str, error: &str, now_ms: i64) -> Result<()> {
        let error: String = error.chars().take(MAX_ERROR).collect();
        self.set_of_job(id, &[("error", text(error)), ("failed", number(now_ms))]).await
    }

    /// Notes that somebody wants a job to begin to move again, from where it is.
    pub async fn note_job_restart(&self, job: &Job, now_ms: i64) -> Result<()> {
        let values = [
            ("touched", number(now_ms)),
            ("restarted", number(now_ms)),
            ("before", number(job.status.profiles_done)),
        ];
        self.set_of_job(&job.id, &values).await
    }

    /// How many profiles one of [`crate::PROFILE_SHARDS`] parts has; `None` if there are too many to count.
    pub async fn count_profile_shard(&self, shard: u32) -> Result<Option<u64>> {
        let (mut count, mut start) = (0, None);
        for _ in 0..COUNTED_PAGES {
            let request = self.client.query().table_name(&self.profiles).index_name("profiles-by-id");
            let answer = request
                .key_condition_expression("ps = :ps")
                .expression_attribute_values(":ps", text(shard.to_string()))
                .select(Select::Count)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| Error::of(&error))?;
            count += u64::try_from(answer.count).unwrap_or_default();
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(Some(count));
            }
        }
        Ok(None)
    }

    /// Sets attributes of a job; does nothing if it is gone.
    async fn set_of_job(&self, id: &str, values: &[(&str, AttributeValue)]) -> Result<()> {
        let request = self.client.update_item().table_name(&self.registry).set_key(Some(table::key(JOB, id)));
        let mut request = request.condition_expression("attribute_exists(pk)");
        let mut assignments = Vec::with_capacity(values.len());
        for (place, (name, value)) in values.iter().enumerate() {
            assignments.push(format!("#n{place} = :v{place}"));
            request = request
                .expression_attribute_names(format!("#n{place}"), *name)
                .expression_attribute_values(format!(":v{place}"), value.clone());
        }
        match request.update_expression(format!("SET {}", assignments.join(", "))).send().await {
            Ok(_) => Ok(()),
            Err(error) => match Error::of(&error) {
                Error::Conflict => Ok(()),
                error => Err(error),
            },
        }
    }
}

pub(crate) fn job_item(job: &Job) -> Result<Item> {
    let mut item = document_item(JOB, &job.id, job)?;
    if !job.status.parts_left.is_empty() {
        let parts = job.status.parts_left.iter().map(u32::to_string).collect();
        item.insert("parts".to_owned(), AttributeValue::Ns(parts));
    }
    Ok(item)
}

fn read_job(item: &Item) -> Result<Job> {
    let job: Job = read_document(JOB, item)?;
    let parts = item.get("parts").and_then(|value| value.as_ns().ok());
    let instant = |name| i64::try_from(item_number(item, name)).unwrap_or_default();
    let part_of = |name: &str, prefix: char| name.strip_prefix(prefix)?.parse::<u32>().ok();
    let mut cursors = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for name in item.keys() {
        if let (Some(part), Some(cursor)) = (part_of(name, 'c'), item_text(item, name)) {
            cursors.insert(part, cursor.to_owned());
        } else if let Some(part) = part_of(name, 'n') {
            counts.insert(part, item_number(item, name));
        }
    }
    let status = JobStatus {
        parts_left: parts.into_iter().flatten().filter_map(|part| part.parse().ok()).collect(),
        cursors,
        counts,
        profiles_done: item_number(item, "done"),
        done_before: item_number(item, "before"),
        touched_ms: instant("touched"),
        moved_ms: instant("moved"),
        restarted_ms: instant("restarted"),
        last_error: item_text(item, "error").map(str::to_owned),
        failed_at: Some(instant("failed")).filter(|millis| *millis > 0).and_then(Instant::from_millis),
    };
    Ok(Job { status, ..job })
}
