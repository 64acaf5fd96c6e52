//! The queues themselves, on `SQLite`.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::SqsError;
use super::attributes::{self, QueueAttributes, Settings, arn, queue_of_arn};
use super::message::{Outgoing, Received, SIZE_LIMIT_BYTES, Sent, attributes_md5, body_md5};
use crate::clock::{Clock, now_ms};
use crate::state::State;

/// A message is ready when `visible_at_ms` has come; `receipt` is that of its latest receive.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS sqs_queues (
        name TEXT PRIMARY KEY,
        attributes TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        modified_at_ms INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS sqs_messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        attributes TEXT NOT NULL,
        group_id TEXT,
        trace_header TEXT,
        sent_at_ms INTEGER NOT NULL,
        visible_at_ms INTEGER NOT NULL,
        receive_count INTEGER NOT NULL DEFAULT 0,
        first_received_at_ms INTEGER,
        receipt TEXT,
        source_queue TEXT
    );
    CREATE INDEX IF NOT EXISTS sqs_ready ON sqs_messages (queue, visible_at_ms, seq);
";

/// The queues of one state file. Cloning shares them.
#[derive(Clone)]
pub struct Queues {
    state: State,
    clock: Clock,
    /// Wakes long polls, by queue.
    arrivals: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
}

/// What a queue holds at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be received.
    pub visible: u64,
    /// Received and neither deleted nor timed out.
    pub in_flight: u64,
    /// Sent with a delay that has not passed.
    pub delayed: u64,
}

impl Queues {
    pub(crate) fn new(state: State, clock: Clock) -> Self {
        Self { state, clock, arrivals: Arc::default() }
    }

    /// Creates a queue, or sets the attributes of the one that is there: what a stack update does.
    pub async fn ensure(&self, name: &str, attributes: QueueAttributes) -> Result<(), SqsError> {
        check_name(name)?;
        attributes::check(&attributes)?;
        let (name, now) = (name.to_owned(), now_ms(&self.clock));
        self.state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                check_redrive(&transaction, &attributes)?;
                transaction.execute(
                    "INSERT INTO sqs_queues VALUES (?1, ?2, ?3, ?3)
                     ON CONFLICT (name) DO UPDATE SET attributes = ?2, modified_at_ms = ?3
                     WHERE attributes <> ?2",
                    params![name, serde_json::to_string(&attributes)?, now],
                )?;
                Ok(transaction.commit()?)
            })
            .await
    }

    /// Creates a queue. One of the same name and attributes is fine, one of other attributes is not.
    pub async fn create(&self, name: &str, attributes: QueueAttributes) -> Result<(), SqsError> {
        check_name(name)?;
        attributes::check(&attributes)?;
        let (name, now) = (name.to_owned(), now_ms(&self.clock));
        self.state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                check_redrive(&transaction, &attributes)?;
                if let Some(existing) = find(&transaction, &name)? {
                    let there = attributes::with_defaults(&existing);
                    let conflict = attributes.iter().find(|(name, value)| there.get(*name) != Some(value));
                    return conflict.map_or(Ok(()), |(name, _)| Err(SqsError::QueueNameExists(name.clone())));
                }
                transaction.execute(
                    "INSERT INTO sqs_queues VALUES (?1, ?2, ?3, ?3)",
                    params![name, serde_json::to_string(&attributes)?, now],
                )?;
                Ok(transaction.commit()?)
            })
            .await
    }

    /// Deletes a queue with its messages.
    pub async fn delete_queue(&self, name: &str) -> Result<(), SqsError> {
        let name = name.to_owned();
        self.state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                existing(&transaction, &name)?;
                transaction.execute("DELETE FROM sqs_messages WHERE queue = ?1", [&name])?;
                transaction.execute("DELETE FROM sqs_queues WHERE name = ?1", [&name])?;
                Ok(transaction.commit()?)
            })
            .await
    }

    /// The names of all queues that start with `prefix`, in order.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, SqsError> {
        let prefix = prefix.to_owned();
        self.state
            .call(move |connection| {
                let mut statement = connection.prepare_cached("SELECT name FROM sqs_queues ORDER BY name")?;
                let names = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
                Ok(names.into_iter().filter(|name| name.starts_with(&prefix)).collect())
            })
            .await
    }

    /// The queues whose dead-letter queue is `name`.
    pub async fn dead_letter_sources(&self, name: &str) -> Result<Vec<String>, SqsError> {
        let name = name.to_owned();
        self.state.call(move |connection| sources_of(connection, &name)).await
    }

    /// All attributes of a queue, defaults and counts included.
    pub async fn attributes(&self, name: &str) -> Result<QueueAttributes, SqsError> {
        let depth = self.depth(name).await?;
        let name = name.to_owned();
        self.state
            .call(move |connection| {
                let mut all = attributes::with_defaults(&existing(connection, &name)?);
                let (created, modified): (i64, i64) = connection.query_row(
                    "SELECT created_at_ms, modified_at_ms FROM sqs_queues WHERE name = ?1",
                    [&name],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                for (key, value) in [
                    ("QueueArn", arn(&name)),
                    ("CreatedTimestamp", (created / 1000).to_string()),
                    ("LastModifiedTimestamp", (modified / 1000).to_string()),
                    ("ApproximateNumberOfMessages", depth.visible.to_string()),
                    ("ApproximateNumberOfMessagesNotVisible", depth.in_flight.to_string()),
                    ("ApproximateNumberOfMessagesDelayed", depth.delayed.to_string()),
                ] {
                    all.insert(key.to_owned(), value);
                }
                Ok(all)
            })
            .await
    }

    /// Changes some attributes of a queue.
    pub async fn set_attributes(&self, name: &str, changes: QueueAttributes) -> Result<(), SqsError> {
        attributes::check(&changes)?;
        let (name, now) = (name.to_owned(), now_ms(&self.clock));
        self.state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                let mut attributes = existing(&transaction, &name)?;
                attributes.extend(changes);
                check_redrive(&transaction, &attributes)?;
                transaction.execute(
                    "UPDATE sqs_queues SET attributes = ?2, modified_at_ms = ?3 WHERE name = ?1",
                    params![name, serde_json::to_string(&attributes)?, now],
                )?;
                Ok(transaction.commit()?)
            })
            .await
    }

    /// How many messages the queue holds.
    pub async fn depth(&self, name: &str) -> Result<Depth, SqsError> {
        let (name, now) = (name.to_owned(), now_ms(&self.clock));
        self.state
            .call(move |connection| {
                existing(connection, &name)?;
                let count = |condition: &str| -> Result<u64, SqsError> {
                    let sql = format!("SELECT COUNT(*) FROM sqs_messages WHERE queue = ?1 AND {condition}");
                    Ok(connection.prepare_cached(&sql)?.query_row(params![name, now], |row| row.get(0))?)
                };
                Ok(Depth {
                    visible: count("visible_at_ms <= ?2")?,
                    in_flight: count("visible_at_ms > ?2 AND receipt IS NOT NULL")?,
                    delayed: count("visible_at_ms > ?2 AND receipt IS NULL")?,
                })
            })
            .await
    }

    /// Sends one message.
    pub async fn send(&self, queue: &str, message: Outgoing) -> Result<Sent, SqsError> {
        let mut sent = self.send_all(queue, vec![message]).await?;
        sent.pop().unwrap_or_else(|| Err(SqsError::EmptyBatchRequest))
    }

    /// Sends messages in one transaction. One that is refused does not stop the others; together
    /// they must not be larger than the limit of a batch.
    pub async fn send_all(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> Result<Vec<Result<Sent, SqsError>>, SqsError> {
        if messages.len() > 1 {
            let actual = messages.iter().filter_map(|message| message.size_bytes().ok()).sum();
            if actual > SIZE_LIMIT_BYTES {
                return Err(SqsError::BatchRequestTooLong { limit: SIZE_LIMIT_BYTES, actual });
            }
        }
        let (name, now) = (queue.to_owned(), now_ms(&self.clock));
        let sent = self
            .state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                let settings = Settings::of(&existing(&transaction, &name)?)?;
                let sent = messages
                    .iter()
                    .map(|message| match message.check(settings.maximum_bytes) {
                        Ok(()) => insert(&transaction, &name, message, settings.delay_s, now).map(Ok),
                        Err(refusal) => Ok(Err(refusal)),
                    })
                    .collect::<Result<Vec<_>, SqsError>>()?;
                transaction.commit()?;
                Ok::<_, SqsError>(sent)
            })
            .await?;
        self.arrival(queue).notify_waiters();
        Ok(sent)
    }

    /// Receives up to `max` messages, hidden from others for `visibility_s` (the queue's own
    /// time-out if `None`), waiting up to `wait` (the queue's own if `None`) for the first.
    pub async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility_s: Option<u32>,
        wait: Option<Duration>,
    ) -> Result<Vec<Received>, SqsError> {
        let arrival = self.arrival(queue);
        let started = Instant::now();
        loop {
            let mut notified = pin!(arrival.notified());
            // Listen before looking, so that nothing arrives unnoticed in between.
            notified.as_mut().enable();
            let taken = self.take(queue, max, visibility_s).await?;
            let deadline = started + wait.unwrap_or(taken.queue_wait);
            if !taken.messages.is_empty() || Instant::now() >= deadline {
                return Ok(taken.messages);
            }
            let next = taken.next_in.map_or(deadline, |next_in| deadline.min(Instant::now() + next_in));
            let _ = tokio::time::timeout_at(next, notified).await;
        }
    }

    async fn take(&self, queue: &str, max: usize, visibility_s: Option<u32>) -> Result<Taken, SqsError> {
        let (name, now) = (queue.to_owned(), now_ms(&self.clock));
        let taken = self
            .state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                let taken = take(&transaction, &name, max, visibility_s, now)?;
                transaction.commit()?;
                Ok::<_, SqsError>(taken)
            })
            .await?;
        if let Some(dead_letter_queue) = &taken.dead_letter_queue {
            self.arrival(dead_letter_queue).notify_waiters();
        }
        Ok(taken)
    }

    /// Deletes messages by their handles. A handle that a later receive replaced deletes nothing.
    pub async fn delete_all(
        &self,
        queue: &str,
        handles: Vec<String>,
    ) -> Result<Vec<Result<(), SqsError>>, SqsError> {
        let name = queue.to_owned();
        self.state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                existing(&transaction, &name)?;
                let results = handles
                    .iter()
                    .map(|handle| match Receipt::parse(handle, &name) {
                        Ok(receipt) => transaction
                            .prepare_cached("DELETE FROM sqs_messages WHERE seq = ?1 AND receipt = ?2")?
                            .execute(params![receipt.seq, receipt.nonce])
                            .map(|_| Ok(())),
                        Err(refusal) => Ok(Err(refusal)),
                    })
                    .collect::<Result<Vec<_>, rusqlite::Error>>()?;
                transaction.commit()?;
                Ok(results)
            })
            .await
    }

    /// Sets for how many seconds from now messages stay hidden.
    pub async fn change_visibility_all(
        &self,
        queue: &str,
        changes: Vec<(String, u32)>,
    ) -> Result<Vec<Result<(), SqsError>>, SqsError> {
        let (name, now) = (queue.to_owned(), now_ms(&self.clock));
        let results = self
            .state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                existing(&transaction, &name)?;
                let results = changes
                    .iter()
                    .map(|(handle, visibility_s)| {
                        change_visibility(&transaction, &name, handle, *visibility_s, now)
                    })
                    .collect();
                transaction.commit()?;
                Ok::<_, SqsError>(results)
            })
            .await?;
        self.arrival(queue).notify_waiters();
        Ok(results)
    }

    /// Deletes all messages of a queue.
    pub async fn purge(&self, queue: &str) -> Result<(), SqsError> {
        let name = queue.to_owned();
        self.state
            .call(move |connection| {
                existing(connection, &name)?;
                connection.execute("DELETE FROM sqs_messages WHERE queue = ?1", [&name])?;
                Ok(())
            })
            .await
    }

    /// Makes the messages visible again that somebody received and did not delete. For a start-up:
    /// whoever held them was part of the process that ended.
    pub async fn release(&self, queue: &str) -> Result<usize, SqsError> {
        let (name, now) = (queue.to_owned(), now_ms(&self.clock));
        self.state
            .call(move |connection| {
                Ok(connection.execute(
                    "UPDATE sqs_messages SET visible_at_ms = ?2
                     WHERE queue = ?1 AND receipt IS NOT NULL AND visible_at_ms > ?2",
                    params![name, now],
                )?)
            })
            .await
    }

    /// Moves the visible messages of a dead-letter queue to `destination`, or each back to where it
    /// came from. They become new messages. Returns how many moved.
    pub async fn redrive(&self, source: &str, destination: Option<&str>) -> Result<u64, SqsError> {
        let (source, destination) = (source.to_owned(), destination.map(str::to_owned));
        let now = now_ms(&self.clock);
        let moved = self
            .state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                let moved = redrive(&transaction, &source, destination.as_deref(), now)?;
                transaction.commit()?;
                Ok::<_, SqsError>(moved)
            })
            .await?;
        for queue in moved.keys() {
            self.arrival(queue).notify_waiters();
        }
        Ok(moved.values().sum())
    }

    /// Deletes what is older than its queue's retention period.
    pub async fn expire(&self) -> Result<usize, SqsError> {
        let now = now_ms(&self.clock);
        self.state
            .call(move |connection| {
                let transaction = connection.transaction()?;
                let mut deleted = 0;
                for (name, attributes) in all(&transaction)? {
                    deleted += transaction.execute(
                        "DELETE FROM sqs_messages WHERE queue = ?1 AND sent_at_ms <= ?2",
                        params![name, now - Settings::of(&attributes)?.retention_ms],
                    )?;
                }
                transaction.commit()?;
                Ok(deleted)
            })
            .await
    }

    fn arrival(&self, queue: &str) -> Arc<Notify> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(arrivals.entry(queue.to_owned()).or_default())
    }
}

/// What one look into a queue yields.
struct Taken {
    messages: Vec<Received>,
    /// Until the next hidden message shows, if there is one.
    next_in: Option<Duration>,
    queue_wait: Duration,
    /// Set if a message went there.
    dead_letter_queue: Option<String>,
}

/// A message's row, as far as a receive needs it.
struct Row {
    seq: i64,
    id: String,
    body: String,
    attributes: String,
    group_id: Option<String>,
    trace_header: Option<String>,
    sent_at_ms: i64,
    receive_count: i64,
    first_received_at_ms: Option<i64>,
    source_queue: Option<String>,
}

fn take(
    transaction: &Transaction<'_>,
    queue: &str,
    max: usize,
    visibility_s: Option<u32>,
    now: i64,
) -> Result<Taken, SqsError> {
    let settings = Settings::of(&existing(transaction, queue)?)?;
    let visible_at_ms = now + i64::from(visibility_s.unwrap_or(settings.visibility_timeout_s)) * 1000;
    let mut taken = Taken {
        messages: Vec::new(),
        next_in: None,
        queue_wait: Duration::from_secs(settings.wait_s.into()),
        dead_letter_queue: None,
    };
    let redrive = match settings.redrive {
        Some(redrive) if find(transaction, &redrive.dead_letter_queue)?.is_some() => Some(redrive),
        _ => None,
    };
    let mut ready = transaction.prepare_cached(
        "SELECT seq, id, body, attributes, group_id, trace_header, sent_at_ms, receive_count,
                first_received_at_ms, source_queue
         FROM sqs_messages
         WHERE queue = ?1 AND visible_at_ms <= ?2 AND sent_at_ms > ?3
         ORDER BY visible_at_ms, seq LIMIT ?4",
    )?;
    while taken.messages.len() < max {
        let wanted = i64::try_from(max - taken.messages.len()).unwrap_or(i64::MAX);
        let rows = ready
            .query_map(params![queue, now, now - settings.retention_ms, wanted], |row| {
                Ok(Row {
                    seq: row.get(0)?,
                    id: row.get(1)?,
                    body: row.get(2)?,
                    attributes: row.get(3)?,
                    group_id: row.get(4)?,
                    trace_header: row.get(5)?,
                    sent_at_ms: row.get(6)?,
                    receive_count: row.get(7)?,
                    first_received_at_ms: row.get(8)?,
                    source_queue: row.get(9)?,
                })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let mut buried = false;
        for row in rows {
            match &redrive {
                Some(redrive) if row.receive_count >= redrive.max_receive_count => {
                    bury(transaction, &row, queue, &redrive.dead_letter_queue, now)?;
                    taken.dead_letter_queue = Some(redrive.dead_letter_queue.clone());
                    buried = true;
                }
                _ => taken.messages.push(hand_out(transaction, row, queue, now, visible_at_ms)?),
            }
        }
        // What went to the dead-letter queue left room; with no time-out, what was handed out would
        // be found again.
        if !buried || visible_at_ms <= now {
            break;
        }
    }
    if taken.messages.is_empty() {
        let next: Option<i64> = transaction
            .prepare_cached(
                "SELECT MIN(visible_at_ms) FROM sqs_messages WHERE queue = ?1 AND visible_at_ms > ?2",
            )?
            .query_row(params![queue, now], |row| row.get(0))?;
        taken.next_in =
            next.map(|next| Duration::from_millis(u64::try_from(next - now).unwrap_or_default().max(1)));
    }
    Ok(taken)
}

/// Moves a message that was received too often. It keeps its id and its age.
fn bury(
    transaction: &Transaction<'_>,
    row: &Row,
    queue: &str,
    dead_letter_queue: &str,
    now: i64,
) -> Result<(), SqsError> {
    transaction
        .prepare_cached(
            "UPDATE sqs_messages SET queue = ?2, source_queue = ?3, visible_at_ms = ?4, receipt = NULL
             WHERE seq = ?1",
        )?
        .execute(params![row.seq, dead_letter_queue, queue, now])?;
    metrics::counter!("sqs_dead_letters_total", "queue" => queue.to_owned()).increment(1);
    Ok(())
}

fn hand_out(
    transaction: &Transaction<'_>,
    row: Row,
    queue: &str,
    now: i64,
    visible_at_ms: i64,
) -> Result<Received, SqsError> {
    let receipt = Receipt { seq: row.seq, nonce: Uuid::new_v4().simple().to_string() };
    let first_received_at_ms = row.first_received_at_ms.unwrap_or(now);
    transaction
        .prepare_cached(
            "UPDATE sqs_messages
             SET receive_count = ?2, first_received_at_ms = ?3, visible_at_ms = ?4, receipt = ?5
             WHERE seq = ?1",
        )?
        .execute(params![
            row.seq,
            row.receive_count + 1,
            first_received_at_ms,
            visible_at_ms,
            receipt.nonce
        ])?;
    let mut system = BTreeMap::from([
        ("ApproximateFirstReceiveTimestamp", first_received_at_ms.to_string()),
        ("ApproximateReceiveCount", (row.receive_count + 1).to_string()),
        ("SenderId", crate::ACCOUNT_ID.to_owned()),
        ("SentTimestamp", row.sent_at_ms.to_string()),
    ]);
    system.extend(row.group_id.map(|value| ("MessageGroupId", value)));
    system.extend(row.trace_header.map(|value| ("AWSTraceHeader", value)));
    system.extend(row.source_queue.map(|value| ("DeadLetterQueueSourceArn", arn(&value))));
    Ok(Received {
        id: row.id,
        receipt_handle: receipt.handle(queue),
        body: row.body,
        attributes: serde_json::from_str(&row.attributes)?,
        system,
    })
}

fn insert(
    transaction: &Transaction<'_>,
    queue: &str,
    message: &Outgoing,
    queue_delay_s: u32,
    now: i64,
) -> Result<Sent, SqsError> {
    let id = Uuid::new_v4().to_string();
    let delay_ms = i64::from(message.delay_s.unwrap_or(queue_delay_s)) * 1000;
    transaction
        .prepare_cached(
            "INSERT INTO sqs_messages
                 (queue, id, body, attributes, group_id, trace_header, sent_at_ms, visible_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            queue,
            id,
            message.body,
            serde_json::to_string(&message.attributes)?,
            message.group_id,
            message.trace_header,
            now,
            now + delay_ms,
        ])?;
    Ok(Sent { id, body_md5: body_md5(&message.body), attributes_md5: attributes_md5(&message.attributes)? })
}

fn change_visibility(
    transaction: &Transaction<'_>,
    queue: &str,
    handle: &str,
    visibility_s: u32,
    now: i64,
) -> Result<(), SqsError> {
    if visibility_s > 43_200 {
        return Err(SqsError::InvalidParameterValue("a visibility time-out is at most 43200 s".to_owned()));
    }
    let receipt = Receipt::parse(handle, queue)?;
    let changed = transaction
        .prepare_cached(
            "UPDATE sqs_messages SET visible_at_ms = ?3
             WHERE seq = ?1 AND receipt = ?2 AND visible_at_ms > ?4",
        )?
        .execute(params![receipt.seq, receipt.nonce, now + i64::from(visibility_s) * 1000, now])?;
    if changed == 0 { Err(SqsError::MessageNotInflight) } else { Ok(()) }
}

fn redrive(
    transaction: &Transaction<'_>,
    source: &str,
    destination: Option<&str>,
    now: i64,
) -> Result<BTreeMap<String, u64>, SqsError> {
    existing(transaction, source)?;
    let sources = sources_of(transaction, source)?;
    if sources.is_empty() {
        return Err(SqsError::InvalidParameterValue(format!("{source} is not a dead-letter queue")));
    }
    if let Some(destination) = destination {
        find(transaction, destination)?
            .ok_or_else(|| SqsError::ResourceNotFound(format!("the queue {destination} does not exist")))?;
    }
    let rows = transaction
        .prepare_cached(
            "SELECT seq, source_queue FROM sqs_messages WHERE queue = ?1 AND visible_at_ms <= ?2",
        )?
        .query_map(params![source, now], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(i64, Option<String>)>, _>>()?;
    let mut moved = BTreeMap::new();
    for (seq, origin) in rows {
        // What was sent to the dead-letter queue itself goes to the queue it serves.
        let Some(target) = destination.or(origin.as_deref()).or(sources.first().map(String::as_str)) else {
            continue;
        };
        transaction.execute(
            "UPDATE sqs_messages
             SET queue = ?2, id = ?3, sent_at_ms = ?4, visible_at_ms = ?4, receive_count = 0,
                 first_received_at_ms = NULL, receipt = NULL, source_queue = NULL
             WHERE seq = ?1",
            params![seq, target, Uuid::new_v4().to_string(), now],
        )?;
        *moved.entry(target.to_owned()).or_default() += 1;
    }
    Ok(moved)
}

fn find(connection: &Connection, queue: &str) -> Result<Option<QueueAttributes>, SqsError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT attributes FROM sqs_queues WHERE name = ?1")?
        .query_row([queue], |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn existing(connection: &Connection, queue: &str) -> Result<QueueAttributes, SqsError> {
    find(connection, queue)?.ok_or_else(|| SqsError::QueueDoesNotExist(queue.to_owned()))
}

fn all(connection: &Connection) -> Result<Vec<(String, QueueAttributes)>, SqsError> {
    let mut statement = connection.prepare_cached("SELECT name, attributes FROM sqs_queues ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (name, attributes) = row?;
        Ok((name, serde_json::from_str(&attributes)?))
    })
    .collect()
}

fn sources_of(connection: &Connection, dead_letter_queue: &str) -> Result<Vec<String>, SqsError> {
    existing(connection, dead_letter_queue)?;
    let mut sources = Vec::new();
    for (name, attributes) in all(connection)? {
        let redrive = Settings::of(&attributes)?.redrive;
        if redrive.is_some_and(|redrive| redrive.dead_letter_queue == dead_letter_queue) {
            sources.push(name);
        }
    }
    Ok(sources)
}

fn check_redrive(connection: &Connection, attributes: &QueueAttributes) -> Result<(), SqsError> {
    match Settings::of(attributes)?.redrive {
        Some(redrive) if find(connection, &redrive.dead_letter_queue)?.is_none() => {
            Err(SqsError::InvalidParameterValue(format!(
                "the dead-letter queue {} does not exist",
                redrive.dead_letter_queue
            )))
        }
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), SqsError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if name.strip_suffix(".fifo").is_some() {
        return Err(SqsError::UnsupportedOperation("FIFO queues are not emulated".to_owned()));
    }
    if (1..=80).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(SqsError::InvalidParameterValue(format!("the queue name {name} is not 1 to 80 of [A-Za-z0-9_-]")))
}

/// What a receipt handle says: which message, and which of its receives.
struct Receipt {
    seq: i64,
    nonce: String,
}

impl Receipt {
    fn handle(&self, queue: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{queue}/{}/{}", self.seq, self.nonce))
    }

    fn parse(handle: &str, queue: &str) -> Result<Self, SqsError> {
        let parse = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(handle).ok()?).ok()?;
            let mut parts = text.split('/');
            let (of, seq, nonce) = (parts.next()?, parts.next()?, parts.next()?);
            (of == queue && parts.next().is_none())
                .then_some(Self { seq: seq.parse().ok()?, nonce: nonce.to_owned() })
        };
        parse().ok_or(SqsError::ReceiptHandleIsInvalid)
    }
}

/// The queue's name in a queue URL, or in an ARN.
pub(super) fn queue_of(reference: &str) -> Result<String, SqsError> {
    let name = queue_of_arn(reference).or_else(|| reference.rsplit('/').next()).unwrap_or_default();
    if name.is_empty() { Err(SqsError::QueueDoesNotExist(reference.to_owned())) } else { Ok(name.to_owned()) }
}
