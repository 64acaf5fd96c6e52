//! What was archived: what became of one delivery, and reading some again.

use archive::{Archive, Entry};
use canonical::Instant;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use store::{Choice, Job, JobKind, JobState, StoredEvent};

use crate::Api;
use crate::body;
use crate::document::{Answer, Resource, collection, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::request::{Asked, read_instant};
use crate::shapes;

/// Events of one delivery that are told of, and memberships of one profile that are looked through for what they caused.
const MAX_EVENTS: usize = 100;
const MAX_MEMBERSHIPS: usize = 1000;
/// Events that are looked up at the same time.
const CONCURRENCY: usize = 8;
/// How long the archive is looked through while the request waits, in milliseconds.
const LOOK_MS: i64 = 15_000;
/// Objects that are listed at once.
const CHUNK: usize = 100;
/// Objects that are read at the same time.
const READS: usize = 4;
/// Deliveries that are told of.
const MAX_TOLD: usize = 100;
const MAX_TEXT: usize = 255;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get(
        "get_delivery",
        "/api/deliveries/{id}",
        &["connections:read", "events:read", "profiles:read", "segments:read"],
    )
    .limited(Tier::Medium)
    .gives_one::<shapes::ArchivedDelivery>(200, "delivery")
    .by(|call| Box::pin(call.api.get_delivery(call.asked, call.id))),
    Operation::get("get_delivery_replays", "/api/delivery-replays", &["connections:read"])
        .gives_page::<shapes::DeliveryReplay>("delivery-replay")
        .by(|call| Box::pin(call.api.list_replays(call.asked))),
    Operation::post("replay_deliveries", "/api/delivery-replays", &["connections:write"])
        .limited(Tier::Small)
        .takes::<shapes::NewDeliveryReplay>("delivery-replay")
        .gives_one::<shapes::DeliveryReplay>(202, "delivery-replay")
        .by(|call| Box::pin(call.api.replay_deliveries(call.asked, call.body))),
];

impl Api {
    fn archive(&self) -> ApiResult<&Archive> {
        self.archive.as_ref().ok_or_else(ApiError::nothing_archived)
    }

    /// `GET /api/deliveries/{id}`: what became of it, as it was archived, and what is left of that now.
    pub(crate) async fn get_delivery(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let found =
            self.archive()?.find(id).await.map_err(|error| ApiError::unavailable(format!("{error:#}")))?;
        let entry = found.ok_or_else(|| ApiError::not_found("delivery", id))?;
        let mut profiles = Vec::new();
        for profile in entry.profiles.iter().take(MAX_EVENTS) {
            // It may have merged since, or may have been erased.
            let now = self.store.profile(profile).await?.map(|profile| profile.value.id);
            profiles.extend(now.filter(|now| !profiles.contains(now)));
        }
        let looks: Vec<_> = entry
            .events
            .iter()
            .take(MAX_EVENTS)
            .map(|told| self.event_of(&told.profile, &told.event))
            .collect();
        let events: Vec<Option<StoredEvent>> =
            stream::iter(looks).buffered(CONCURRENCY).try_collect().await?;
        let mut transitions = Vec::new();
        for profile in &profiles {
            transitions.extend(self.caused(profile, &entry).await?);
        }
        let told = entry.events.iter().zip(&events);
        let events: Vec<Value> =
            told.map(|(told, stored)| shown_event(&told.event, stored.as_ref())).collect();
        let resource = Resource::new(asked, "delivery", "deliveries", &entry.id)
            .attribute("platform", entry.platform.as_str())
            .attribute("connection", some(&entry.connection))
            .attribute("topic", entry.topic.as_str())
            .attribute("delivery_id", some(&entry.delivery_id))
            .attribute("received_at", time(entry.received_at.into()))
            .attribute("archived_at", time(entry.archived_at.into()))
            .attribute("outcome", entry.outcome.as_str())
            .attribute("reason", entry.reason.as_deref())
            .attribute("is_kept", entry.message.is_some())
            .attribute("profiles", profiles)
            .attribute("events", events)
            .attribute("transitions", transitions)
            .build();
        Ok(Answer::ok(single(asked, resource, None)))
    }

    /// An event, wherever its profile has gone since.
    async fn event_of(&self, profile: &str, event: &str) -> ApiResult<Option<StoredEvent>> {
        if let Some(stored) = self.store.event(profile, event).await? {
            return Ok(Some(stored));
        }
        let Some(survivor) = self.store.profile(profile).await? else { return Ok(None) };
        Ok(self.store.event(&survivor.value.id, event).await?)
    }

    /// What a delivery's events made of a profile's memberships.
    async fn caused(&self, profile: &str, entry: &Entry) -> ApiResult<Vec<Value>> {
        let history = self.store.profile_history(profile, &[], (None, None), None, MAX_MEMBERSHIPS).await?;
        let event_of = |cause: Option<&str>| {
            let (_, event) = cause?.split_once(':')?;
            entry.events.iter().any(|told| told.event == event).then(|| format!("{profile}-{event}"))
        };
        let caused = history.items.iter().flat_map(|member| {
            let ends = [
                ("entered", member.joined_at, member.joined_cause.as_deref()),
                ("exited", member.left_at, member.left_cause.as_deref()),
            ];
            ends.into_iter().filter_map(move |(transition, at, cause)| {
                Some(json!({
                    "segment_id": member.segment_id,
                    "profile_id": profile,
                    "transition": transition,
                    "at": time(at?),
                    "event_id": event_of(cause)?,
                }))
            })
        });
        Ok(caused.collect())
    }

    /// `GET /api/delivery-replays`: those under way. What is finished is gone.
    pub(crate) async fn list_replays(&self, asked: &Asked) -> ApiResult<Answer> {
        let now = self.now();
        let jobs = self.store.jobs().await?;
        let replays = jobs.iter().filter_map(|job| match &job.kind {
            JobKind::Replay { choice } => Some(replay_resource(asked, job, choice, None, now)),
            _ => None,
        });
        Ok(Answer::ok(collection(asked, replays.collect(), None, None)))
    }

    /// `POST /api/delivery-replays`: 202. A job puts the deliveries back; a dry run only looks for them.
    pub(crate) async fn replay_deliveries(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let archive = self.archive()?;
        let (now, (choice, is_dry_run)) = (self.now(), read(bytes)?);
        // What is not received yet cannot be meant.
        let choice = Choice { until: choice.until.min(now), ..choice };
        let job = self.job(JobKind::Replay { choice: choice.clone() }, 1, now);
        let found = if is_dry_run {
            Some(
                self.look_for(archive, &choice)
                    .await
                    .map_err(|error| ApiError::unavailable(format!("{error:#}")))?,
            )
        } else {
            self.store.create_job(&job).await?;
            self.announce(&job).await;
            None
        };
        let resource = replay_resource(asked, &job, &choice, found, now);
        Ok(Answer::accepted(single(asked, resource, None)))
    }

    /// What a replay would put back, as far as there is time to look.
    async fn look_for(&self, archive: &Archive, choice: &Choice) -> anyhow::Result<Value> {
        let until_ms = self.clock.now_ms() + LOOK_MS;
        let (mut matched, mut looked_at, mut told) = (0_u64, 0_u64, Vec::new());
        let mut after: Option<String> = None;
        let is_complete = loop {
            let (from, until) = (choice.from.timestamp(), choice.until.timestamp());
            let keys = archive.keys(from, until, after.as_deref(), CHUNK).await?;
            let is_last = keys.len() < CHUNK;
            after = keys.last().cloned();
            let mut reads = stream::iter(keys).map(async |key| archive.read(&key).await).buffered(READS);
            while let Some(batch) = reads.try_next().await? {
                for entry in batch.into_iter().flat_map(|batch| batch.entries) {
                    looked_at += 1;
                    let at = entry.received_at.into();
                    let is_meant = choice.means(&entry.platform, &entry.connection, &entry.topic, at);
                    if !is_meant || entry.message.is_none() {
                        continue;
                    }
                    matched += 1;
                    if told.len() < MAX_TOLD {
                        told.push(shown(&entry));
                    }
                }
            }
            if is_last {
                break true;
            }
            if self.clock.now_ms() >= until_ms {
                break false;
            }
        };
        Ok(
            json!({"matched": matched, "looked_at": looked_at, "is_complete": is_complete, "deliveries": told}),
        )
    }
}

/// What is to be replayed, and whether it is only looked for.
fn read(bytes: &[u8]) -> ApiResult<(Choice, bool)> {
    let body = body::parse(bytes)?;
    let attributes = body::data(&body, "delivery-replay")?.required("attributes")?.object()?;
    let known = ["received_from", "received_until", "platform", "connection", "topic", "dry_run"];
    attributes.only(&known)?;
    let text =
        |name: &str| -> ApiResult<Option<String>> { Ok(attributes.text(name, MAX_TEXT)?.map(str::to_owned)) };
    let instant = |name: &str| -> ApiResult<Instant> {
        let node = attributes.required(name)?;
        read_instant(node.text()?).ok_or_else(|| node.invalid("A time in ISO 8601 is expected."))
    };
    let choice = Choice {
        from: instant("received_from")?,
        until: instant("received_until")?,
        platform: text("platform")?,
        connection: text("connection")?,
        topic: text("topic")?,
    };
    Ok((choice, attributes.flag("dry_run")?.unwrap_or_default()))
}

fn replay_resource(asked: &Asked, job: &Job, choice: &Choice, found: Option<Value>, now: Instant) -> Value {
    let state = match job.state(now.as_millis()) {
        _ if found.is_some() => "dry_run",
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Stuck(_) => "stuck",
    };
    let mut resource = Resource::new(asked, "delivery-replay", "delivery-replays", &job.id)
        .attribute("received_from", time(choice.from))
        .attribute("received_until", time(choice.until))
        .attribute("platform", choice.platform.as_deref())
        .attribute("connection", choice.connection.as_deref())
        .attribute("topic", choice.topic.as_deref())
        .attribute("state", state)
        .attribute("replayed", job.status.profiles_done)
        .attribute("found", found)
        .build();
    // It has no address of its own.
    if let Some(resource) = resource.as_object_mut() {
        resource.remove("links");
    }
    resource
}

fn shown(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "platform": entry.platform,
        "connection": some(&entry.connection),
        "topic": entry.topic,
        "delivery_id": some(&entry.delivery_id),
        "received_at": time(entry.received_at.into()),
        "outcome": entry.outcome,
    })
}

/// An event by the name it has outside; one that is not there any more by its own id alone.
fn shown_event(id: &str, stored: Option<&StoredEvent>) -> Value {
    json!({
        "id": stored.map(|stored| format!("{}-{id}", stored.profile_id)),
        "metric_id": stored.map(|stored| stored.metric_id.as_str()),
        "datetime": stored.map(|stored| time(stored.event.occurred_at)),
        "is_stored": stored.is_some(),
    })
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
