//! The operations of the SQS API, from JSON to the queues and back.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::attributes::{QueueAttributes, arn, queue_of_arn};
use super::message::{
    MessageAttribute, MessageAttributes, Outgoing, Received, Sent, attributes_md5, body_md5,
};
use super::queues::queue_of;
use super::{Queues, SqsError};
use crate::ACCOUNT_ID;
use crate::aws_json::{ApiError, JsonService, input};
use crate::clock::{Clock, now_ms};

/// A batch has at most ten entries, and so has a receive.
const BATCH_LIMIT: usize = 10;

/// SQS behind its JSON protocol.
pub(crate) struct SqsService {
    queues: Queues,
    /// `http://host:port`, what queue URLs start with.
    endpoint: String,
    clock: Clock,
    /// Finished message move tasks, newest first.
    moves: Mutex<Vec<Value>>,
}

impl SqsService {
    pub(crate) fn new(queues: Queues, endpoint: String, clock: Clock) -> Self {
        Self { queues, endpoint, clock, moves: Mutex::default() }
    }

    fn url(&self, queue: &str) -> String {
        queue_url(&self.endpoint, queue)
    }
}

/// The URL of a queue.
pub(crate) fn queue_url(endpoint: &str, queue: &str) -> String {
    format!("{endpoint}/{ACCOUNT_ID}/{queue}")
}

impl JsonService for SqsService {
    const TARGET: &'static str = "AmazonSQS";
    const CONTENT_TYPE: &'static str = "application/x-amz-json-1.0";
    const NAME: &'static str = "sqs";

    fn call<'a>(&'a self, operation: &'a str, value: Value) -> BoxFuture<'a, Result<Value, ApiError>> {
        match operation {
            "CreateQueue" => self.create_queue(value).boxed(),
            "GetQueueUrl" => self.get_queue_url(value).boxed(),
            "ListQueues" => self.list_queues(value).boxed(),
            "ListDeadLetterSourceQueues" => self.list_dead_letter_source_queues(value).boxed(),
            "DeleteQueue" => self.delete_queue(value).boxed(),
            "PurgeQueue" => self.purge_queue(value).boxed(),
            "GetQueueAttributes" => self.get_queue_attributes(value).boxed(),
            "SetQueueAttributes" => self.set_queue_attributes(value).boxed(),
            "SendMessage" => self.send_message(value).boxed(),
            "SendMessageBatch" => self.send_message_batch(value).boxed(),
            "ReceiveMessage" => self.receive_message(value).boxed(),
            "DeleteMessage" => self.delete_message(value).boxed(),
            "DeleteMessageBatch" => self.delete_message_batch(value).boxed(),
            "ChangeMessageVisibility" => self.change_message_visibility(value).boxed(),
            "ChangeMessageVisibilityBatch" => self.change_message_visibility_batch(value).boxed(),
            "StartMessageMoveTask" => self.start_message_move_task(value).boxed(),
            "ListMessageMoveTasks" => ready(self.list_message_move_tasks(value)).boxed(),
            other => {
                let error = ApiError::unknown_operation(other);
                async { Err(error) }.boxed()
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueInput {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    queue_name: String,
    #[serde(default)]
    attributes: QueueAttributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PrefixInput {
    #[serde(default)]
    queue_name_prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributesInput {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetAttributesInput {
    queue_url: String,
    attributes: QueueAttributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MessageInput {
    message_body: String,
    delay_seconds: Option<u32>,
    message_group_id: Option<String>,
    #[serde(default)]
    message_attributes: MessageAttributes,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, MessageAttribute>,
}

impl From<MessageInput> for Outgoing {
    fn from(mut input: MessageInput) -> Self {
        let trace = input.message_system_attributes.remove("AWSTraceHeader");
        Self {
            body: input.message_body,
            attributes: input.message_attributes,
            delay_s: input.delay_seconds,
            group_id: input.message_group_id,
            trace_header: trace.and_then(|attribute| attribute.string_value),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendInput {
    queue_url: String,
    #[serde(flatten)]
    message: MessageInput,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveInput {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u32>,
    wait_time_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HandleInput {
    receipt_handle: String,
    visibility_timeout: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OneHandleInput {
    queue_url: String,
    #[serde(flatten)]
    handle: HandleInput,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchInput<T> {
    queue_url: String,
    entries: Vec<Entry<T>>,
}

#[derive(Deserialize)]
struct Entry<T> {
    #[serde(rename = "Id")]
    id: String,
    #[serde(flatten)]
    value: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MoveInput {
    source_arn: String,
    destination_arn: Option<String>,
}

impl SqsService {
    async fn create_queue(&self, value: Value) -> Result<Value, ApiError> {
        let NameInput { queue_name, attributes } = input(value)?;
        self.queues.create(&queue_name, attributes).await?;
        Ok(json!({"QueueUrl": self.url(&queue_name)}))
    }

    async fn get_queue_url(&self, value: Value) -> Result<Value, ApiError> {
        let NameInput { queue_name, .. } = input(value)?;
        self.queues.depth(&queue_name).await?;
        Ok(json!({"QueueUrl": self.url(&queue_name)}))
    }

    async fn list_queues(&self, value: Value) -> Result<Value, ApiError> {
        let PrefixInput { queue_name_prefix } = input(value)?;
        let names = self.queues.list(&queue_name_prefix).await?;
        Ok(json!({"QueueUrls": names.iter().map(|name| self.url(name)).collect::<Vec<_>>()}))
    }

    async fn list_dead_letter_source_queues(&self, value: Value) -> Result<Value, ApiError> {
        let QueueInput { queue_url } = input(value)?;
        let names = self.queues.dead_letter_sources(&queue_of(&queue_url)?).await?;
        Ok(json!({"queueUrls": names.iter().map(|name| self.url(name)).collect::<Vec<_>>()}))
    }

    async fn delete_queue(&self, value: Value) -> Result<Value, ApiError> {
        let QueueInput { queue_url } = input(value)?;
        self.queues.delete_queue(&queue_of(&queue_url)?).await?;
        Ok(json!({}))
    }

    async fn purge_queue(&self, value: Value) -> Result<Value, ApiError> {
        let QueueInput { queue_url } = input(value)?;
        self.queues.purge(&queue_of(&queue_url)?).await?;
        Ok(json!({}))
    }

    async fn get_queue_attributes(&self, value: Value) -> Result<Value, ApiError> {
        let AttributesInput { queue_url, attribute_names } = input(value)?;
        let mut attributes = self.queues.attributes(&queue_of(&queue_url)?).await?;
        attributes.retain(|name, _| asked_for(&attribute_names, name));
        Ok(json!({"Attributes": attributes}))
    }

    async fn set_queue_attributes(&self, value: Value) -> Result<Value, ApiError> {
        let SetAttributesInput { queue_url, attributes } = input(value)?;
        self.queues.set_attributes(&queue_of(&queue_url)?, attributes).await?;
        Ok(json!({}))
    }

    async fn send_message(&self, value: Value) -> Result<Value, ApiError> {
        let SendInput { queue_url, message } = input(value)?;
        let sent = self.queues.send(&queue_of(&queue_url)?, message.into()).await?;
        Ok(Value::Object(sent_json(sent)))
    }

    async fn send_message_batch(&self, value: Value) -> Result<Value, ApiError> {
        let batch: BatchInput<MessageInput> = input(value)?;
        let (queue, ids, messages) = split(batch)?;
        let results = self.queues.send_all(&queue, messages.into_iter().map(Into::into).collect()).await?;
        Ok(batch_json(ids, results.into_iter().map(|result| result.map(sent_json))))
    }

    async fn receive_message(&self, value: Value) -> Result<Value, ApiError> {
        let input: ReceiveInput = input(value)?;
        let max = input.max_number_of_messages.unwrap_or(1);
        if !(1..=BATCH_LIMIT).contains(&max) {
            return Err(parameter("MaxNumberOfMessages is 1 to 10"));
        }
        if input.wait_time_seconds.is_some_and(|wait| wait > 20) {
            return Err(parameter("WaitTimeSeconds is 0 to 20"));
        }
        if input.visibility_timeout.is_some_and(|timeout| timeout > 43_200) {
            return Err(parameter("VisibilityTimeout is 0 to 43200"));
        }
        let queue = queue_of(&input.queue_url)?;
        let wait = input.wait_time_seconds.map(Duration::from_secs);
        let received = self.queues.receive(&queue, max, input.visibility_timeout, wait).await?;
        if received.is_empty() {
            return Ok(json!({}));
        }
        let system = [input.attribute_names, input.message_system_attribute_names].concat();
        let messages = received
            .into_iter()
            .map(|message| received_json(message, &system, &input.message_attribute_names))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(json!({"Messages": messages}))
    }

    async fn delete_message(&self, value: Value) -> Result<Value, ApiError> {
        let OneHandleInput { queue_url, handle } = input(value)?;
        let results = self.queues.delete_all(&queue_of(&queue_url)?, vec![handle.receipt_handle]).await?;
        results.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(json!({}))
    }

    async fn delete_message_batch(&self, value: Value) -> Result<Value, ApiError> {
        let batch: BatchInput<HandleInput> = input(value)?;
        let (queue, ids, handles) = split(batch)?;
        let handles = handles.into_iter().map(|handle| handle.receipt_handle).collect();
        let results = self.queues.delete_all(&queue, handles).await?;
        Ok(batch_json(ids, results.into_iter().map(|result| result.map(|()| Map::new()))))
    }

    async fn change_message_visibility(&self, value: Value) -> Result<Value, ApiError> {
        let OneHandleInput { queue_url, handle } = input(value)?;
        let changes = vec![visibility(handle)?];
        let results = self.queues.change_visibility_all(&queue_of(&queue_url)?, changes).await?;
        results.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(json!({}))
    }

    async fn change_message_visibility_batch(&self, value: Value) -> Result<Value, ApiError> {
        let batch: BatchInput<HandleInput> = input(value)?;
        let (queue, ids, handles) = split(batch)?;
        let changes = handles.into_iter().map(visibility).collect::<Result<Vec<_>, _>>()?;
        let results = self.queues.change_visibility_all(&queue, changes).await?;
        Ok(batch_json(ids, results.into_iter().map(|result| result.map(|()| Map::new()))))
    }

    /// Moves at once what SQS moves in the background.
    async fn start_message_move_task(&self, value: Value) -> Result<Value, ApiError> {
        let MoveInput { source_arn, destination_arn } = input(value)?;
        let queue = |arn: &str| {
            queue_of_arn(arn)
                .map(str::to_owned)
                .ok_or_else(|| SqsError::InvalidParameterValue(format!("{arn} is not the ARN of a queue")))
        };
        let source = queue(&source_arn)?;
        let destination = destination_arn.as_deref().map(queue).transpose()?;
        let moved = self.queues.redrive(&source, destination.as_deref()).await?;
        let handle = Uuid::new_v4().to_string();
        let mut task = json!({
            "SourceArn": source_arn,
            "Status": "COMPLETED",
            "ApproximateNumberOfMessagesMoved": moved,
            "ApproximateNumberOfMessagesToMove": moved,
            "StartedTimestamp": now_ms(&self.clock),
        });
        if let Some(destination) = destination {
            task["DestinationArn"] = json!(arn(&destination));
        }
        self.moves.lock().unwrap_or_else(PoisonError::into_inner).insert(0, task);
        Ok(json!({"TaskHandle": handle}))
    }

    fn list_message_move_tasks(&self, value: Value) -> Result<Value, ApiError> {
        let MoveInput { source_arn, .. } = input(value)?;
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let results: Vec<_> =
            moves.iter().filter(|task| task["SourceArn"] == source_arn.as_str()).take(BATCH_LIMIT).collect();
        Ok(json!({"Results": results}))
    }
}

fn parameter(message: &str) -> ApiError {
    SqsError::InvalidParameterValue(message.to_owned()).into()
}

fn visibility(handle: HandleInput) -> Result<(String, u32), ApiError> {
    let timeout = handle.visibility_timeout.ok_or_else(|| parameter("VisibilityTimeout is missing"))?;
    Ok((handle.receipt_handle, timeout))
}

/// Takes a batch apart into queue, ids and values, and refuses what SQS refuses.
fn split<T>(batch: BatchInput<T>) -> Result<(String, Vec<String>, Vec<T>), SqsError> {
    if batch.entries.is_empty() {
        return Err(SqsError::EmptyBatchRequest);
    }
    if batch.entries.len() > BATCH_LIMIT {
        return Err(SqsError::TooManyEntriesInBatchRequest);
    }
    let mut seen = HashSet::new();
    for Entry { id, .. } in &batch.entries {
        let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
        if !(1..=80).contains(&id.len()) || !id.chars().all(allowed) {
            return Err(SqsError::InvalidBatchEntryId(id.clone()));
        }
        if !seen.insert(id.clone()) {
            return Err(SqsError::BatchEntryIdsNotDistinct(id.clone()));
        }
    }
    let queue = queue_of(&batch.queue_url)?;
    let (ids, values) = batch.entries.into_iter().map(|entry| (entry.id, entry.value)).unzip();
    Ok((queue, ids, values))
}

fn batch_json(
    ids: Vec<String>,
    results: impl Iterator<Item = Result<Map<String, Value>, SqsError>>,
) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, result) in ids.into_iter().zip(results) {
        match result {
            Ok(mut fields) => {
                fields.insert("Id".to_owned(), json!(id));
                successful.push(Value::Object(fields));
            }
            Err(error) => failed.push(json!({
                "Id": id, "SenderFault": true, "Code": error.codes().1, "Message": error.to_string(),
            })),
        }
    }
    json!({"Successful": successful, "Failed": failed})
}

fn sent_json(sent: Sent) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("MessageId".to_owned(), json!(sent.id));
    fields.insert("MD5OfMessageBody".to_owned(), json!(sent.body_md5));
    if let Some(digest) = sent.attributes_md5 {
        fields.insert("MD5OfMessageAttributes".to_owned(), json!(digest));
    }
    fields
}

fn received_json(message: Received, system: &[String], custom: &[String]) -> Result<Value, SqsError> {
    let mut json = json!({
        "MessageId": message.id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": body_md5(&message.body),
        "Body": message.body,
    });
    let mut known = message.system;
    known.retain(|name, _| asked_for(system, name));
    if !known.is_empty() {
        json["Attributes"] = json!(known);
    }
    let mut attributes = message.attributes;
    attributes.retain(|name, _| asked_for(custom, name));
    if let Some(digest) = attributes_md5(&attributes)? {
        json["MD5OfMessageAttributes"] = json!(digest);
        json["MessageAttributes"] = json!(attributes);
    }
    Ok(json)
}

/// Whether a list of wanted names covers one: by name, by `All`, or by a prefix such as `shop.*`.
fn asked_for(wanted: &[String], name: &str) -> bool {
    wanted.iter().any(|wanted| match wanted.strip_suffix(".*") {
        Some(prefix) => prefix.is_empty() || name.starts_with(prefix),
        None => wanted == name || wanted == "All",
    })
}
