//! What was set aside: how much there is, and the way back into its queue.

use canonical::Instant;
use futures::{StreamExt, TryStreamExt, stream};
use platform::Label;
use serde_json::{Map, Value, json};

use crate::Api;
use crate::body;
use crate::document::{Answer, Resource, collection, single};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::ports::{DeadLetter, Queue};
use crate::request::{Asked, read_instant};
use crate::shapes;

/// How long messages are looked at while the request waits, in milliseconds, and how many at most.
const LOOK_MS: i64 = 15_000;
const MAX_LOOKED_AT: usize = 2000;
const MAX_LOOKED_AT_BYTES: usize = 32 * 1024 * 1024;
/// Messages that are put back at the same time.
const CONCURRENCY: usize = 16;
/// How often in a row there must be nothing for that to be the end.
const SILENCES: usize = 2;
/// Those that are told of.
const MAX_TOLD: usize = 100;
const MAX_TEXT: usize = 255;

const QUEUES: [(&str, Queue); 4] = [
    ("raw-deliveries", Queue::RawDeliveries),
    ("jobs", Queue::Jobs),
    ("polls", Queue::Polls),
    ("files", Queue::Files),
];

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_dead_letters", "/api/dead-letters", &["connections:read"])
        .gives_page::<shapes::DeadLetters>("dead-letter-queue")
        .by(|call| Box::pin(call.api.list_dead_letters(call.asked))),
    Operation::post("replay_dead_letters", "/api/dead-letters/{id}/replay", &["connections:write"])
        .limited(Tier::Medium)
        .takes::<shapes::Replay>("dead-letter-queue")
        .gives_one::<shapes::DeadLetters>(202, "dead-letter-queue")
        .by(|call| Box::pin(call.api.replay_dead_letters(call.asked, call.id, call.body))),
];

impl Api {
    /// `GET /api/dead-letters`.
    pub(crate) async fn list_dead_letters(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut data = Vec::new();
        for (name, queue) in QUEUES {
            data.push(resource(asked, name, self.dead_letters(queue).await?));
        }
        Ok(Answer::ok(collection(asked, data, None, None)))
    }

    /// `POST /api/dead-letters/{queue}/replay`: 202 once the queue has begun to move them, or those that were chosen are back.
    /// Whatever comes again changes nothing that it changed before.
    pub(crate) async fn replay_dead_letters(
        &self,
        asked: &Asked,
        name: &str,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let queue = QUEUES.iter().find(|(known, _)| *known == name);
        let queue = queue.ok_or_else(|| ApiError::not_found("dead-letter queue", name))?.1;
        let choice = Choice::read(bytes)?;
        let waiting = self.dead_letters(queue).await?;
        let mut answer = resource(asked, name, waiting);
        match choice {
            None if waiting > 0 => self.outbox.replay(queue).await.map_err(ApiError::unavailable)?,
            None => {}
            Some(choice) if queue == Queue::RawDeliveries => {
                answer["attributes"]["chosen"] = self.replay_chosen(queue, &choice).await?;
            }
            Some(_) => {
                let detail =
                    "Only among deliveries (raw-deliveries) can be chosen: the other queues go back whole.";
                return Err(ApiError::invalid("/data/attributes", detail));
            }
        }
        Ok(Answer::accepted(single(asked, answer, None)))
    }

    /// Looks at what was set aside, and then puts back what is meant: what fails again at once is not looked at twice.
    async fn replay_chosen(&self, queue: Queue, choice: &Choice) -> ApiResult<Value> {
        let until_ms = self.clock.now_ms() + LOOK_MS;
        let (mut meant, mut left) = (Vec::new(), Vec::new());
        let (mut bytes, mut silences) = (0, 0);
        // SQS may say nothing though there is something.
        while silences < SILENCES
            && meant.len() + left.len() < MAX_LOOKED_AT
            && bytes < MAX_LOOKED_AT_BYTES
            && self.clock.now_ms() < until_ms
        {
            let letters = self.outbox.look_at_dead(queue).await.map_err(ApiError::unavailable)?;
            silences = if letters.is_empty() { silences + 1 } else { 0 };
            for letter in letters {
                bytes += letter.message.len();
                match Label::of(&letter.message) {
                    Ok(label) if choice.means(&label, &letter) => meant.push((label, letter)),
                    _ => left.push(letter),
                }
            }
        }
        let looked_at = meant.len() + left.len();
        let deliveries: Vec<Value> =
            meant.iter().take(MAX_TOLD).map(|(label, letter)| told(label, letter)).collect();
        let matched = meant.len();
        let meant = meant.into_iter().map(|(_, letter)| letter);
        if choice.is_dry_run {
            left.extend(meant);
        } else {
            let work: Vec<DeadLetter> = meant.collect();
            let revived = work.iter().map(|letter| self.outbox.revive(queue, letter));
            let revived = stream::iter(revived.collect::<Vec<_>>()).buffer_unordered(CONCURRENCY);
            revived.try_collect::<()>().await.map_err(ApiError::unavailable)?;
        }
        // Who is not told shows again by itself.
        let leaving = left.iter().map(|letter| self.outbox.leave_dead(queue, letter));
        stream::iter(leaving.collect::<Vec<_>>()).buffer_unordered(CONCURRENCY).for_each(async |_| {}).await;
        Ok(json!({
            "matched": matched,
            "looked_at": looked_at,
            "is_complete": silences == SILENCES,
            "is_dry_run": choice.is_dry_run,
            "deliveries": deliveries,
        }))
    }

    async fn dead_letters(&self, queue: Queue) -> ApiResult<u64> {
        self.outbox.dead_letters(queue).await.map_err(ApiError::unavailable)
    }
}

/// Which of what was set aside is meant.
#[derive(Default)]
struct Choice {
    platform: Option<String>,
    connection: Option<String>,
    topic: Option<String>,
    reason: Option<String>,
    from: Option<Instant>,
    until: Option<Instant>,
    is_dry_run: bool,
}

impl Choice {
    /// Nothing if all is meant.
    fn read(bytes: &[u8]) -> ApiResult<Option<Self>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let body = body::parse(bytes)?;
        let Some(attributes) = body.get("data").and_then(|data| data.get("attributes")) else {
            return Ok(None);
        };
        if attributes.as_object().is_some_and(Map::is_empty) {
            return Ok(None);
        }
        let attributes = body::data(&body, "dead-letter-queue")?.required("attributes")?.object()?;
        attributes.only(&[
            "platform",
            "connection",
            "topic",
            "reason",
            "received_from",
            "received_until",
            "dry_run",
        ])?;
        let text = |name: &str| -> ApiResult<Option<String>> {
            Ok(attributes.text(name, MAX_TEXT)?.map(str::to_owned))
        };
        let time = |name: &str| -> ApiResult<Option<Instant>> {
            let Some(node) = attributes.optional(name) else { return Ok(None) };
            let at = read_instant(node.text()?);
            at.map(Some).ok_or_else(|| node.invalid("A time in ISO 8601 is expected."))
        };
        Ok(Some(Self {
            platform: text("platform")?,
            connection: text("connection")?,
            topic: text("topic")?,
            reason: text("reason")?,
            from: time("received_from")?,
            until: time("received_until")?,
            is_dry_run: attributes.flag("dry_run")?.unwrap_or_default(),
        }))
    }

    fn means(&self, label: &Label, letter: &DeadLetter) -> bool {
        let is = |wanted: &Option<String>, known: &str| wanted.as_ref().is_none_or(|wanted| wanted == known);
        let reason = letter.reason.as_deref().unwrap_or_default();
        is(&self.platform, &label.platform)
            && is(&self.connection, &label.connection)
            && is(&self.topic, &label.topic)
            && self.reason.as_ref().is_none_or(|part| reason.contains(part))
            && self.from.is_none_or(|from| label.received_at >= from.timestamp())
            && self.until.is_none_or(|until| label.received_at < until.timestamp())
    }
}

fn told(label: &Label, letter: &DeadLetter) -> Value {
    json!({
        "id": label.id(),
        "platform": label.platform,
        "connection": label.connection,
        "topic": label.topic,
        "delivery_id": label.delivery_id,
        "received_at": label.received_at.to_string(),
        "reason": letter.reason,
    })
}

fn resource(asked: &Asked, name: &str, messages: u64) -> Value {
    let mut resource = Resource::new(asked, "dead-letter-queue", "dead-letters", name)
        .attribute("name", name)
        .attribute("approximate_messages", messages)
        .build();
    // It has no address of its own.
    if let Some(resource) = resource.as_object_mut() {
        resource.remove("links");
    }
    resource
}
