//! The poller that feeds a function from a queue.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Shutdown, reported_failures, stopped};
use crate::REGION;
use crate::faults::Faults;
use crate::lambda::Functions;
use crate::sqs::{Queues, Received, SqsError, arn, body_md5};
use crate::template::QueueSource;

/// How long Lambda waits for a message in one poll.
const LONG_POLL: Duration = Duration::from_secs(20);
/// With how many concurrent batches Lambda starts where the mapping sets no maximum.
const DEFAULT_CONCURRENCY: usize = 5;
/// What the messages of one invocation may take together.
const PAYLOAD_LIMIT_BYTES: usize = 6 * 1024 * 1024;

/// Polls one queue for one function.
#[derive(Clone)]
pub(crate) struct QueuePoller {
    pub(crate) source: QueueSource,
    pub(crate) queues: Queues,
    pub(crate) functions: Functions,
    pub(crate) faults: Option<Faults>,
}

impl QueuePoller {
    /// Polls until the stack shuts down, then waits for the invocations under way.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let concurrency = self.source.maximum_concurrency.unwrap_or(DEFAULT_CONCURRENCY);
        let permits = Arc::new(Semaphore::new(concurrency));
        let mut invocations = JoinSet::new();
        loop {
            let gathered = async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                (permit, self.gather().await)
            };
            let (permit, gathered) = tokio::select! {
                gathered = gathered => gathered,
                () = stopped(&shutdown) => break,
            };
            match gathered {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => {
                    let poller = self.clone();
                    invocations.spawn(async move {
                        for batch in within_payload_limit(messages) {
                            poller.process(batch).await;
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::error!(queue = self.source.queue, %error, "the queue cannot be polled");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            while invocations.try_join_next().is_some() {}
        }
        while invocations.join_next().await.is_some() {}
    }

    /// Waits for a first message, then for more until the batch is full or the window is over.
    async fn gather(&self) -> Result<Vec<Received>, SqsError> {
        let QueueSource { queue, batch_size, window, .. } = &self.source;
        let visibility_s = self.faults.as_ref().and_then(Faults::visibility_s);
        let mut messages = self.queues.receive(queue, *batch_size, visibility_s, Some(LONG_POLL)).await?;
        let deadline = Instant::now() + *window;
        while !messages.is_empty() && messages.len() < *batch_size {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let more = self.queues.receive(queue, batch_size - messages.len(), None, Some(left)).await?;
            messages.extend(more);
        }
        if let Some(faults) = &self.faults {
            faults.deal(&mut messages);
        }
        Ok(messages)
    }

    /// Invokes the function and deletes what succeeded. What failed shows again after the queue's
    /// visibility time-out.
    async fn process(&self, messages: Vec<Received>) {
        if let Some(faults) = &self.faults {
            faults.dawdle().await;
        }
        let records: Vec<_> = messages.iter().map(|message| record(message, &self.source.queue)).collect();
        let result = self.functions.invoke(&self.source.function, json!({"Records": records})).await;
        let failed: Option<HashSet<String>> = match &result {
            Err(_) => None,
            Ok(_) if !self.source.reports_failures => Some(HashSet::new()),
            Ok(response) => reported_failures(response)
                // An identifier that is not in the batch fails all of it.
                .filter(|failed| failed.iter().all(|id| messages.iter().any(|message| message.id == *id)))
                .map(|failed| failed.into_iter().map(str::to_owned).collect()),
        };
        let Some(failed) = failed else { return };
        let mut done: Vec<_> = messages
            .into_iter()
            .filter(|message| !failed.contains(&message.id))
            .map(|message| message.receipt_handle)
            .collect();
        if !failed.is_empty() {
            tracing::warn!(
                function = self.source.function,
                failed = failed.len(),
                done = done.len(),
                "messages failed"
            );
        }
        if let Some(faults) = &self.faults {
            faults.forget(&mut done);
        }
        if let Err(error) = self.queues.delete_all(&self.source.queue, done).await {
            tracing::error!(queue = self.source.queue, %error, "messages cannot be deleted");
        }
    }
}

fn within_payload_limit(messages: Vec<Received>) -> Vec<Vec<Received>> {
    let mut batches: Vec<Vec<Received>> = Vec::new();
    let mut room = 0;
    for message in messages {
        match batches.last_mut() {
            Some(batch) if message.body.len() <= room => {
                room -= message.body.len();
                batch.push(message);
            }
            _ => {
                room = PAYLOAD_LIMIT_BYTES.saturating_sub(message.body.len());
                batches.push(vec![message]);
            }
        }
    }
    batches
}

/// A message as the function sees it.
fn record(message: &Received, queue: &str) -> Value {
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .map(|(name, attribute)| {
            let mut value = json!({
                "dataType": attribute.data_type, "stringListValues": [], "binaryListValues": [],
            });
            if let Some(text) = &attribute.string_value {
                value["stringValue"] = json!(text);
            }
            if let Some(base64) = &attribute.binary_value {
                value["binaryValue"] = json!(base64);
            }
            (name.clone(), value)
        })
        .collect();
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.system,
        "messageAttributes": attributes,
        "md5OfBody": body_md5(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn(queue),
        "awsRegion": REGION,
    })
}
