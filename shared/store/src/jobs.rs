//! Work over all profiles: jobs, how far they are, and whether they move.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, Select, TransactWriteItem};
use canonical::Instant;
use serde::{Deserialize, Serialize};

use crate::registry::{document_item, item_number, read_document};
use crate::table::{self, Item, Unless, item_text, number, text};
use crate::{CatalogAction, CatalogKind, CatalogPlace, Error, Result, Store};

const JOB: &str = "job";
/// Where a part is left that is done: no cursor looks like this.
const END: &str = ".";
/// A job that has not moved for so long is stuck, and is sent again.
pub const STUCK_MS: i64 = 15 * 60_000;
/// What is kept of an error.
const MAX_ERROR: usize = 300;
/// Pages that a count reads at most: some five million profiles of one part.
const COUNTED_PAGES: usize = 1000;

/// Work that is done piece by piece over all profiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// 26 characters.
    pub id: String,
    /// What is done.
    pub kind: JobKind,
    /// When it was asked for.
    pub created_at: Instant,
    /// How far it is. Kept outside of the document.
    #[serde(skip)]
    pub status: JobStatus,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobKind {
    /// Brings every profile to the program of this version, after a segment was made or changed.
    Backfill {
        /// The segment that is waiting.
        segment: String,
        /// The version it was given.
        version: u64,
    },
    /// Takes out of a segment's members those that a changed definition hides, once it shows.
    SettleMembers {
        /// The segment.
        segment: String,
    },
    /// Counts everybody's events anew from their history, at a segment's wish.
    Recount {
        /// The segment that is waiting.
        segment: String,
        /// The version it has.
        version: u64,
    },
    /// Brings every profile to days of another time zone.
    ChangeZone {
        /// The zone's name.
        zone: String,
        /// The program's first version in this zone.
        version: u64,
    },
    /// Fits the model of everybody's orders.
    FitPredictions,
    /// Brings every profile to what another model says.
    Predict {
        /// The program's first version with this model.
        version: u64,
    },
    /// Ends the memberships of a deleted segment.
    RemoveMembers {
        /// The segment.
        segment: String,
    },
    /// Takes everybody off a deleted list.
    EmptyList {
        /// The list.
        list: String,
    },
    /// Erases everything that came through a connection.
    EraseConnection {
        /// The connection.
        connection: String,
    },
    /// Writes the profiles of a bulk import, which has the job's id.
    ImportProfiles,
    /// Suppresses the members of a list or a segment, or takes that back: what [`crate::SuppressionJob`] of the job's id
    /// says.
    Suppress,
    /// Moves or removes what lies with a profile that merged into another or was erased.
    Settle {
        /// The profile.
        profile: String,
    },
    /// Erases what the archive has of people who were erased, or what came through a connection.
    EraseArchived {
        /// The connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<String>,
        /// Keys by which whoever is erased was known then; they are digests.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        names: BTreeSet<String>,
    },
    /// Puts archived deliveries back into the queue.
    Replay {
        /// Which.
        choice: Choice,
    },
    /// Changes many records of the catalog, as the catalog's job of this job's id says.
    ChangeCatalog {
        /// What the records are.
        of: CatalogKind,
        /// What is done to them.
        action: CatalogAction,
    },
    /// Removes what belonged to a record of the catalog that was deleted.
    ClearCatalog {
        /// What the record was.
        of: CatalogKind,
        /// Where it stood.
        place: CatalogPlace,
    },
}

impl JobKind {
    /// Whether segments wait for it.
    pub fn is_of_segments(&self) -> bool {
        matches!(self, Self::ChangeZone { .. } | Self::Predict { .. }) || self.segment().is_some()
    }

    /// The segment that it is of; `None` for one that concerns all, or none.
    pub fn segment(&self) -> Option<&str> {
        match self {
            Self::Backfill { segment, .. }
            | Self::Recount { segment, .. }
            | Self::RemoveMembers { segment }
            | Self::SettleMembers { segment } => Some(segment),
            _ => None,
        }
    }

    /// Whether it does something to every profile, so that it must also see those that are made meanwhile.
    pub fn is_of_profiles(&self) -> bool {
        matches!(
            self,
            Self::Backfill { .. }
                | Self::Recount { .. }
                | Self::ChangeZone { .. }
                | Self::Predict { .. }
                | Self::EraseConnection { .. }
        )
    }
}

/// Which archived deliveries are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Received then or later,
    pub from: Instant,
    /// and before then;
    pub until: Instant,
    /// from this platform,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// through this connection,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// of this topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

impl Choice {
    /// Whether a delivery is.
    pub fn means(&self, platform: &str, connection: &str, topic: &str, received_at: Instant) -> bool {
        let is = |wanted: &Option<String>, known: &str| wanted.as_ref().is_none_or(|wanted| wanted == known);
        (self.from..self.until).contains(&received_at)
            && is(&self.platform, platform)
            && is(&self.connection, connection)
            && is(&self.topic, topic)
    }
}

/// What the queue of jobs carries: one part of a job, to be worked on from the cursor on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMessage {
    /// The job's id.
    pub job: String,
    /// Which of its parts.
    pub part: u32,
    /// Where the part was left; from its beginning if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl JobMessage {
    /// What makes a job go on from where it is: a message for each part that is left. A job without lacks only its
    /// end; any message brings that about.
    pub fn of_parts_left(job: &Job) -> Vec<Self> {
        let parts: &[u32] = if job.status.parts_left.is_empty() { &[0] } else { &job.status.parts_left };
        let message = |part: &u32| {
            let cursor = job.status.cursors.get(part).cloned();
            Self { job: job.id.clone(), part: *part, cursor }
        };
        parts.iter().map(message).collect()
    }
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// Parts that are not finished.
    pub parts_left: Vec<u32>,
    /// Where each part that has begun was left.
    pub cursors: BTreeMap<u32, String>,
    /// How many profiles each part had when it began.
    pub counts: BTreeMap<u32, u64>,
    /// Profiles seen so far.
    pub profiles_done: u64,
    /// Those of them that were seen before the last restart.
    pub done_before: u64,
    /// When it last moved or was sent, in milliseconds; 0 if never.
    pub touched_ms: i64,
    /// When it last moved, in milliseconds; 0 if never.
    pub moved_ms: i64,
    /// When somebody last restarted it, in milliseconds; 0 if never.
    pub restarted_ms: i64,
    /// Why a chunk failed last.
    pub last_error: Option<String>,
    /// When that was.
    pub failed_at: Option<Instant>,
}

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
