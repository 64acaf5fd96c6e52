//! The poller that feeds a function from a table's stream.
//!
//! One poll takes what the stream has, drops what the filter drops, and deals the rest into lanes
//! by item, so that the records of one item stay in order while lanes run side by side. Within a
//! lane: a function's report makes the lowest failed record the new start; an error cuts the batch
//! in two where the mapping says so; a record that exhausts its retries or its age goes to the
//! failure queue. The position is saved only behind records that are done, so whatever a killed
//! process had under way comes again.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Checkpoints, Filter, Shutdown, reported_failures, stopped};
use crate::clock::Clock;
use crate::dynamodb::{DynamoDb, DynamoDbError, shard_id};
use crate::faults::Faults;
use crate::lambda::{Functions, InvokeError};
use crate::sqs::{Outgoing, Queues};
use crate::template::{StreamSource, function_arn};

/// What one call of `GetRecords` returns at most.
const READ_LIMIT: usize = 1000;
/// The pause before the first retry; every further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// The longest pause between two retries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// How long to sleep when nothing is written, should a notification get lost.
const IDLE: Duration = Duration::from_secs(1);
/// How many windows a stream goes back at most, where that is wanted.
const REMEMBERED: usize = 16;

/// Polls one stream for one function.
pub(crate) struct StreamPoller {
    pub(crate) source: StreamSource,
    pub(crate) filters: Vec<Filter>,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) queues: Queues,
    pub(crate) functions: Functions,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) clock: Clock,
    pub(crate) shutdown: Shutdown,
    pub(crate) faults: Option<Faults>,
}

/// What one poll is to work on.
struct Window {
    /// The records that passed the filter.
    records: Vec<Value>,
    /// The last sequence number the poll covers, filtered records included.
    through: Option<String>,
}

/// Which records of a window are done.
struct Progress {
    done: Vec<bool>,
    /// All records before this one are done.
    next: usize,
}

/// Records that one invocation gets, by their index in the window.
struct Batch {
    records: Vec<usize>,
    failures: u32,
}

enum Outcome {
    Done,
    /// The record at this place failed, those before it are done.
    FailedAt(usize),
    /// The invocation failed.
    Error(Option<InvokeError>),
}

impl StreamPoller {
    /// Polls until the stack shuts down; an invocation under way ends first.
    pub(crate) async fn run(self) {
        let mut changes = self.dynamodb.changes();
        let mut position = None;
        let mut started = false;
        let mut earlier = VecDeque::new();
        while !self.stopping() {
            // What is written from here on wakes the wait below.
            changes.borrow_and_update();
            let polled = async {
                if !started {
                    position = self.start().await?;
                    started = true;
                }
                self.window(position.as_deref()).await
            };
            match polled.await {
                Ok(Window { through: None, .. }) => {
                    tokio::select! {
                        _ = tokio::time::timeout(IDLE, changes.changed()) => {}
                        () = stopped(&self.shutdown) => {}
                    }
                }
                Ok(Window { records, through }) => {
                    if !records.is_empty() {
                        if !self.process(&records).await {
                            return;
                        }
                        self.save(through.as_deref()).await;
                    }
                    position = self.after(&mut earlier, position, through);
                }
                Err(error) => {
                    tracing::error!(stream = self.source.stream_arn, %error, "the stream cannot be read");
                    self.pause(IDLE).await;
                }
            }
        }
    }

    /// Behind what is done, unless faults go back.
    fn after(
        &self,
        earlier: &mut VecDeque<Option<String>>,
        done: Option<String>,
        next: Option<String>,
    ) -> Option<String> {
        let Some(faults) = &self.faults else { return next };
        earlier.push_back(done);
        if earlier.len() > REMEMBERED {
            earlier.pop_front();
        }
        faults.rewind(earlier.make_contiguous(), next)
    }

    fn stopping(&self) -> bool {
        *self.shutdown.borrow()
    }

    /// Sleeps, unless the stack shuts down.
    async fn pause(&self, duration: Duration) {
        let _ = tokio::time::timeout(duration, stopped(&self.shutdown)).await;
    }

    /// Where to go on, or to begin.
    async fn start(&self) -> Result<Option<String>, DynamoDbError> {
        let StreamSource { id, stream_arn, from_latest, .. } = &self.source;
        match self.checkpoints.load(id, stream_arn).await? {
            None if *from_latest => self.dynamodb.newest(stream_arn).await,
            position => Ok(position),
        }
    }

    async fn save(&self, sequence_number: Option<&str>) {
        let StreamSource { id, stream_arn, .. } = &self.source;
        if let Some(sequence_number) = sequence_number
            && let Err(error) = self.checkpoints.save(id, stream_arn, sequence_number).await
        {
            tracing::error!(mapping = id, %error, "the stream's position cannot be saved");
        }
    }

    /// Reads the next window, waiting for more records where the mapping has a batching window.
    async fn window(&self, after: Option<&str>) -> Result<Window, DynamoDbError> {
        let wanted = self.source.batch_size * self.source.parallelization;
        let mut changes = self.dynamodb.changes();
        let mut deadline = None;
        loop {
            changes.borrow_and_update();
            let window = self.read(after, wanted).await?;
            if self.source.window.is_zero() || window.records.is_empty() || window.records.len() >= wanted {
                return Ok(window);
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.source.window);
            if Instant::now() >= deadline {
                return Ok(window);
            }
            let _ = tokio::time::timeout_at(deadline, changes.changed()).await;
        }
    }

    async fn read(&self, after: Option<&str>, wanted: usize) -> Result<Window, DynamoDbError> {
        let page = self.dynamodb.records(&self.source.stream_arn, after, READ_LIMIT).await?;
        let mut window = Window { records: Vec::new(), through: None };
        for record in page.records {
            if window.records.len() >= wanted {
                break;
            }
            window.through = Some(sequence_number(&record).to_owned());
            if self.passes(&record) {
                window.records.push(record);
            }
        }
        Ok(window)
    }

    fn passes(&self, record: &Value) -> bool {
        // DynamoDB writes no record for a put that changes nothing; the embedded engine does.
        let images = &record["dynamodb"];
        let unchanged = record["eventName"] == "MODIFY"
            && images["NewImage"].is_object()
            && images["NewImage"] == images["OldImage"];
        !unchanged && (self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(record)))
    }

    /// Works a window off. Returns whether every record is done or given up, which it is unless the
    /// stack shuts down.
    async fn process(&self, records: &[Value]) -> bool {
        let mut lanes = vec![Vec::new(); self.source.parallelization];
        for (index, record) in records.iter().enumerate() {
            lanes[lane_of(record, self.source.parallelization)].push(index);
        }
        let progress = Mutex::new(Progress { done: vec![false; records.len()], next: 0 });
        join_all(lanes.into_iter().map(|lane| self.process_lane(records, lane, &progress))).await;
        progress.into_inner().next == records.len()
    }

    async fn process_lane(&self, records: &[Value], lane: Vec<usize>, progress: &Mutex<Progress>) {
        let mut queue: VecDeque<Batch> = lane
            .chunks(self.source.batch_size)
            .map(|chunk| Batch { records: chunk.to_vec(), failures: 0 })
            .collect();
        while let Some(mut batch) = queue.pop_front() {
            if self.stopping() {
                return;
            }
            let expired = self.expired(records, &batch.records);
            if expired > 0 {
                let rest = batch.records.split_off(expired);
                self.give_up(records, &batch, "RecordAgeExpired", None).await;
                self.finish(records, &batch.records, progress).await;
                batch.records = rest;
            }
            if batch.records.is_empty() {
                continue;
            }
            let error = match self.invoke(records, &batch.records).await {
                Outcome::Done => {
                    self.finish(records, &batch.records, progress).await;
                    continue;
                }
                Outcome::FailedAt(place) if place > 0 => {
                    let rest = batch.records.split_off(place);
                    self.finish(records, &batch.records, progress).await;
                    self.pause(FIRST_BACKOFF).await;
                    queue.push_front(Batch { records: rest, failures: 1 });
                    continue;
                }
                Outcome::FailedAt(_) => None,
                Outcome::Error(error) => error,
            };
            if self.source.bisect && batch.records.len() > 1 {
                let second = batch.records.split_off(batch.records.len().div_ceil(2));
                queue.push_front(Batch { records: second, failures: 0 });
                queue.push_front(Batch { records: batch.records, failures: 0 });
                continue;
            }
            batch.failures += 1;
            if self.source.maximum_retries.is_some_and(|maximum| batch.failures > maximum) {
                self.give_up(records, &batch, "RetryAttemptsExhausted", error.as_ref()).await;
                self.finish(records, &batch.records, progress).await;
            } else {
                self.pause(backoff(batch.failures)).await;
                queue.push_front(batch);
            }
        }
    }

    async fn invoke(&self, records: &[Value], batch: &[usize]) -> Outcome {
        let event: Vec<_> = batch.iter().map(|index| &records[*index]).collect();
        let result = self.functions.invoke(&self.source.function, json!({"Records": event})).await;
        let response = match result {
            Err(error) => return Outcome::Error(Some(error)),
            Ok(_) if !self.source.reports_failures => return Outcome::Done,
            Ok(response) => response,
        };
        let Some(failed) = reported_failures(&response) else { return Outcome::Error(None) };
        let place = |id: &str| batch.iter().position(|index| sequence_number(&records[*index]) == id);
        match failed.into_iter().map(place).collect::<Option<Vec<_>>>() {
            // An identifier that is not in the batch fails all of it.
            None => Outcome::Error(None),
            Some(places) => places.into_iter().min().map_or(Outcome::Done, Outcome::FailedAt),
        }
    }

    /// How many records at the head of a batch are too old.
    fn expired(&self, records: &[Value], batch: &[usize]) -> usize {
        let Some(maximum) = self.source.maximum_age else { return 0 };
        let limit = (self.clock)().as_second() - i64::try_from(maximum.as_secs()).unwrap_or(i64::MAX);
        batch.iter().take_while(|index| created_at(&records[**index]).as_second() < limit).count()
    }

    /// Marks records as done and saves how far the window is done without a gap.
    async fn finish(&self, records: &[Value], batch: &[usize], progress: &Mutex<Progress>) {
        let mut progress = progress.lock().await;
        for index in batch {
            progress.done[*index] = true;
        }
        let before = progress.next;
        while progress.done.get(progress.next) == Some(&true) {
            progress.next += 1;
        }
        // The end of the window is saved by the caller, together with what was filtered behind it.
        if progress.next > before && progress.next < records.len() {
            self.save(Some(sequence_number(&records[progress.next - 1]))).await;
        }
    }

    /// Tells the failure queue which records were given up, in the words of Lambda's destination.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>
    async fn give_up(&self, records: &[Value], batch: &Batch, condition: &str, error: Option<&InvokeError>) {
        let (Some(first), Some(last)) = (batch.records.first(), batch.records.last()) else { return };
        let (first, last) = (&records[*first], &records[*last]);
        let StreamSource { function, stream_arn, .. } = &self.source;
        metrics::counter!("stream_records_given_up_total", "function" => function.clone())
            .increment(batch.records.len() as u64);
        tracing::error!(function, condition, records = batch.records.len(), "stream records are given up");
        let Some(queue) = &self.source.on_failure else { return };
        let name = self.functions.name(function).unwrap_or(function);
        let mut response_context = json!({"statusCode": 200, "executedVersion": "$LATEST"});
        if error.is_some() {
            response_context["functionError"] = json!("Unhandled");
        }
        let notice = json!({
            "requestContext": {
                "requestId": Uuid::new_v4().to_string(),
                "functionArn": function_arn(name),
                "condition": condition,
                "approximateInvokeCount": batch.failures,
            },
            "responseContext": response_context,
            "version": "1.0",
            "timestamp": (self.clock)().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
            "DDBStreamBatchInfo": {
                "shardId": shard_id(stream_arn),
                "startSequenceNumber": sequence_number(first),
                "endSequenceNumber": sequence_number(last),
                "approximateArrivalOfFirstRecord": created_at(first).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "approximateArrivalOfLastRecord": created_at(last).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "batchSize": batch.records.len(),
                "streamArn": stream_arn,
            },
        });
        if let Err(error) = self.queues.send(queue, Outgoing::text(notice.to_string())).await {
            tracing::error!(queue, %error, "the failure queue refuses a notice");
        }
    }
}

fn sequence_number(record: &Value) -> &str {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default()
}

fn created_at(record: &Value) -> Timestamp {
    let seconds = &record["dynamodb"]["ApproximateCreationDateTime"];
    // Whole seconds, but written as a floating-point number.
    let seconds = seconds.as_i64().or_else(|| seconds.to_string().split('.').next()?.parse().ok());
    Timestamp::from_second(seconds.unwrap_or_default()).unwrap_or_default()
}

/// The lane of a record: Lambda keeps order per item, that is, per whole key.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html>
fn lane_of(record: &Value, lanes: usize) -> usize {
    let Some(keys) = record["dynamodb"]["Keys"].as_object() else { return 0 };
    let mut names: Vec<_> = keys.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    let mut hasher = DefaultHasher::new();
    for (name, value) in names {
        name.hash(&mut hasher);
        value.to_string().hash(&mut hasher);
    }
    usize::try_from(hasher.finish() % lanes.max(1) as u64).unwrap_or_default()
}

fn backoff(failures: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST_BACKOFF)
}
