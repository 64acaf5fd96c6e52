#![doc = include_str!("../README.md")]

mod objects;
mod order;
mod parser;
mod place;

use std::sync::Arc;

use anyhow::{Context, anyhow};
use aws_lambda_events::s3::S3Event;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::MessageAttributeValue;
use canonical::hash;
use platform::{Connection, Delivery, Headers, RawQueue};
use runtime::metrics::count;
use runtime::{Clients, Clock, Config};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{ConnectionStatus, Health, Store};

pub use objects::{Bucket, Object, Objects, Part};
pub use parser::{Item, Parser, Taken};
pub use place::{Format, Place};

/// How long one call reads on; the function's time-out is 900 s.
const RUN_MS: i64 = 600_000;
/// Bytes that are asked for at once: what is read of them, and be it a problem with every second byte, is held in memory.
const BLOCK_BYTES: u64 = 1024 * 1024;
/// The longest line, and the longest order.
const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;
/// Facts of one delivery, and their bytes.
const BATCH_FACTS: usize = 100;
const BATCH_BYTES: usize = 512 * 1024;
/// Problems that a part of a report names; the rest is counted.
const MAX_PROBLEMS: usize = 10_000;

/// Reads files that were put into the bucket.
pub struct Files {
    store: Store,
    objects: Arc<dyn Objects>,
    raw_deliveries: RawQueue,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    dead_letters_url: String,
    clock: Clock,
}

/// A file, and how far it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The object's key.
    pub key: String,
    /// What it is recognised by.
    pub etag: String,
    /// Bytes that have been read.
    #[serde(default)]
    pub offset: u64,
    /// The line that follows them, from 1.
    #[serde(default)]
    pub line: u64,
}

/// What became of a file, or of the part of it that one call read.
#[derive(Debug, Default)]
struct Report {
    facts: u64,
    bad: u64,
    first: Option<String>,
    text: String,
}

impl Report {
    fn problem(&mut self, line: u64, reason: &str) {
        self.bad += 1;
        self.first.get_or_insert_with(|| format!("line {line}: {reason}"));
        if self.bad <= MAX_PROBLEMS as u64 {
            self.text.push_str(&json!({ "line": line, "reason": reason }).to_string());
            self.text.push('\n');
        }
    }

    fn into_text(self, is_complete: bool) -> Vec<u8> {
        let last = json!({ "facts": self.facts, "bad": self.bad, "complete": is_complete });
        format!("{}{last}\n", self.text).into_bytes()
    }
}

impl Files {
    /// From the function's configuration.
    pub fn new(
        config: &Config,
        clients: &Clients,
        clock: Clock,
        objects: Arc<dyn Objects>,
    ) -> anyhow::Result<Self> {
        let (orders, registry) = (config.required("ORDERS_TABLE")?, config.required("REGISTRY_TABLE")?);
        let store = Store::new(clients.dynamodb.clone(), String::new(), orders, registry);
        let raw_deliveries_url = config.required("RAW_DELIVERIES_QUEUE_URL")?;
        Ok(Self {
            raw_deliveries: RawQueue::new(clients.sqs.clone(), raw_deliveries_url, store.clone()),
            store,
            objects,
            sqs: clients.sqs.clone(),
            queue_url: config.required("FILES_QUEUE_URL")?,
            dead_letters_url: config.required("FILES_DLQ_URL")?,
            clock,
        })
    }

    /// Reads the files that messages name. A message that fails comes again, and at last goes to the dead letters.
    pub async fn handle(&self, event: SqsEvent) -> anyhow::Result<SqsBatchResponse> {
        let mut response = SqsBatchResponse::default();
        for message in event.records {
            let body = message.body.unwrap_or_default();
            if let Err(error) = self.message(&body).await {
                tracing::error!(error = format!("{error:#}"), "file not read");
                count("files", "files", "failed", 1);
                response.add_failure(message.message_id.unwrap_or_default());
            }
        }
        Ok(response)
    }

    async fn message(&self, body: &str) -> anyhow::Result<()> {
        for task in tasks(body)? {
            match self.whose(&task).await? {
                Ok((place, connection)) => self.read(task, &place, connection).await?,
                // It will not get better by trying again.
                Err(reason) => self.set_aside(&task, reason).await?,
            }
        }
        Ok(())
    }

    /// Whose file it is and how it is to be read, or why it is not.
    async fn whose(&self, task: &Task) -> anyhow::Result<Result<(Place, Connection), &'static str>> {
        let place = match Place::of(&task.key) {
            Ok(place) => place,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(record) = self.store.connection(&place.connection).await? else {
            return Ok(Err("there is no such connection"));
        };
        if record.status != ConnectionStatus::Active {
            return Ok(Err("the connection is not active"));
        }
        let connection = Connection { id: record.id, platform: record.platform, settings: record.settings };
        Ok(Ok((place, connection)))
    }

    /// Reads a file from where its task stands.
    async fn read(&self, mut task: Task, place: &Place, connection: Connection) -> anyhow::Result<()> {
        let (started_line, deadline_ms) = (task.line.max(1), self.clock.now_ms() + RUN_MS);
        let mut parser = Parser::new(connection.clone(), place.format);
        let mut report = Report::default();
        let is_complete =
            self.blocks(place, &connection, &mut task, &mut parser, &mut report, deadline_ms).await?;
        self.note(&connection, &task.key, &report).await;
        if is_complete.is_some() {
            let key = Place::report(&task.key, &task.etag, started_line);
            self.objects.put(&key, report.into_text(is_complete == Some(true))).await?;
        }
        if is_complete == Some(false) { self.go_on(&task).await } else { Ok(()) }
    }

    /// Reads blocks until the end or the deadline. Returns whether it is the end; `None` if the object is gone.
    async fn blocks(
        &self,
        place: &Place,
        connection: &Connection,
        task: &mut Task,
        parser: &mut Parser,
        report: &mut Report,
        deadline_ms: i64,
    ) -> anyhow::Result<Option<bool>> {
        let object = Object { key: &task.key.clone(), etag: &task.etag.clone() };
        let mut buffer = Vec::new();
        // Within a line that is too long.
        let mut is_passing = false;
        // Behind the buffer's end.
        let mut from = if parser.has_header() { task.offset } else { 0 };
        parser.skip_to(if from == 0 { 1 } else { task.line });
        loop {
            let Some(part) = self.objects.part(&object, from, BLOCK_BYTES).await? else { return Ok(None) };
            from += part.bytes.len() as u64;
            let is_last = part.bytes.is_empty() || from >= part.size;
            buffer.extend(part.bytes);
            if is_passing {
                let end = buffer.iter().position(|byte| *byte == b'\n');
                buffer.drain(..end.map_or(buffer.len(), |end| end + 1));
                parser.skip_to(parser.line() + u64::from(end.is_some()));
                is_passing = end.is_none();
            }
            let mut consumed = 0;
            if !parser.has_header() {
                match parser.take_header(&buffer, is_last) {
                    Ok(bytes) => consumed = bytes,
                    Err(reason) => {
                        report.problem(1, &reason);
                        return Ok(Some(true));
                    }
                }
                if parser.has_header() && task.offset > consumed as u64 {
                    // The header of a file whose rows were read by an earlier call.
                    (buffer, from) = (Vec::new(), task.offset);
                    parser.skip_to(task.line);
                    continue;
                }
            }
            if parser.has_header() {
                let taken = parser.take(&buffer[consumed..], is_last);
                consumed += taken.bytes;
                self.send(place, connection, &object, taken.items, report).await?;
            }
            buffer.drain(..consumed);
            (task.offset, task.line) = (from - buffer.len() as u64, parser.line());
            if is_last {
                return Ok(Some(true));
            }
            if buffer.len() > MAX_RECORD_BYTES && place.format == Format::Ndjson {
                report.problem(parser.line(), "longer than 8 MiB");
                (buffer, is_passing) = (Vec::new(), true);
            } else if buffer.len() > MAX_RECORD_BYTES {
                report.problem(parser.line(), "longer than 8 MiB; nothing behind it was read");
                return Ok(Some(true));
            }
            if parser.has_header() && self.clock.now_ms() > deadline_ms {
                return Ok(Some(false));
            }
        }
    }

    /// Puts facts into the queue of raw deliveries, many at a time.
    async fn send(
        &self,
        place: &Place,
        connection: &Connection,
        object: &Object<'_>,
        items: Vec<Item>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let (mut parcels, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut parcel = |first: u64, batch: Vec<String>| {
            let line = first.to_string();
            let delivery = Delivery {
                platform: connection.platform.clone(),
                connection: connection.id.clone(),
                topic: contract::TOPIC.to_owned(),
                delivery_id: hash::long_id(&[object.key, object.etag, &line]),
                received_at: now,
                headers: Headers::default(),
                backfill: place.is_history,
                body: format!("{{\"facts\":[{}]}}", batch.join(",")).into_bytes(),
            };
            delivery.to_parcel().map(|parcel| parcels.push(parcel))
        };
        let mut first = 0;
        for item in items {
            let facts = match item.facts {
                Ok(facts) => facts,
                Err(reason) => {
                    report.problem(item.line, &reason);
                    continue;
                }
            };
            for fact in facts {
                if batch.len() == BATCH_FACTS || (bytes + fact.len() > BATCH_BYTES && !batch.is_empty()) {
                    parcel(first, std::mem::take(&mut batch))?;
                    bytes = 0;
                }
                if batch.is_empty() {
                    first = item.line;
                }
                bytes += fact.len();
                report.facts += 1;
                batch.push(fact);
            }
        }
        if !batch.is_empty() {
            parcel(first, batch)?;
        }
        self.raw_deliveries.send_all(&connection.id, parcels, now).await
    }

    /// Counts, and tells at the connection what was not read.
    async fn note(&self, connection: &Connection, key: &str, report: &Report) {
        count("files", &connection.platform, "facts", report.facts);
        count("files", &connection.platform, "bad_lines", report.bad);
        tracing::info!(connection = connection.id, facts = report.facts, bad = report.bad, "file read");
        let Some(first) = &report.first else { return };
        let mut health = Health::default();
        let bad = report.bad;
        health.fail(self.clock.now().into(), &format!("{key}: {bad} lines not read; {first}"));
        if let Err(error) = self.store.note_health(&connection.id, &health).await {
            tracing::warn!(connection = connection.id, error = %error, "health not noted");
        }
    }

    /// Leaves the rest of a file to another call.
    async fn go_on(&self, task: &Task) -> anyhow::Result<()> {
        self.enqueue(&self.queue_url, task, None).await
    }

    /// Puts a file among the dead letters, as a message that can be put back once the reason is gone.
    async fn set_aside(&self, task: &Task, reason: &'static str) -> anyhow::Result<()> {
        tracing::warn!(reason, "file set aside");
        count("files", "files", "dead_lettered", 1);
        self.enqueue(&self.dead_letters_url, task, Some(reason)).await
    }

    async fn enqueue(&self, queue: &str, task: &Task, reason: Option<&str>) -> anyhow::Result<()> {
        let body = serde_json::to_string(task)?;
        let mut request = self.sqs.send_message().queue_url(queue).message_body(body);
        if let Some(reason) = reason {
            let value = MessageAttributeValue::builder().data_type("String").string_value(reason).build()?;
            request = request.message_attributes("reason", value);
        }
        let sent = request.send().await;
        sent.map(drop).map_err(|error| anyhow!("{}", DisplayErrorContext(error)))
    }
}

/// What a message asks for: files that S3 announces, or the rest of one.
fn tasks(body: &str) -> anyhow::Result<Vec<Task>> {
    let message: Value = serde_json::from_str(body)?;
    if message.get("key").is_some() {
        return Ok(vec![serde_json::from_value(message)?]);
    }
    // What S3 sends once, when a notification is set up.
    if message.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    let event: S3Event = serde_json::from_value(message)?;
    let created = event
        .records
        .into_iter()
        .filter(|record| record.event_name.as_deref().is_some_and(|name| name.starts_with("ObjectCreated:")));
    created
        .map(|record| {
            let object = record.s3.object;
            let key = object.key.context("no key")?;
            Ok(Task { key: decoded(&key)?, etag: object.e_tag.context("no ETag")?, ..Task::default() })
        })
        .collect()
}

/// A key as it is: in events it is written as in a form.
fn decoded(key: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit =
                    || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let digits = digit().zip(digit());
                digits
                    .map(|(high, low)| high * 16 + low)
                    .context("a key that is not encoded as it should be")?
            }
            byte => byte,
        });
    }
    Ok(String::from_utf8(bytes)?)
}
