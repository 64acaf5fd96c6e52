//! Many messages to a queue in as few requests as there can be.

use anyhow::anyhow;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::{StreamExt, TryStreamExt, stream};

/// SQS's bounds on a batch: messages, and bytes in all (less what names and groups may take).
const MAX_BATCH: usize = 10;
const MAX_BATCH_BYTES: usize = 1024 * 1024 - 16 * 1024;
/// Tries of what the queue did not take.
const TRIES: u32 = 4;
/// Batches under way at the same time.
const CONCURRENCY: usize = 4;

/// Returns once all messages are in the queue for good; if it fails, some may be. The group gives one flood no
/// precedence over others (fair queues).
pub async fn send_all(client: &Client, url: &str, group: &str, messages: Vec<String>) -> anyhow::Result<()> {
    let sends: Vec<_> = batches(messages).into_iter().map(|batch| send(client, url, group, batch)).collect();
    stream::iter(sends).buffer_unordered(CONCURRENCY).try_collect().await
}

/// Sends one batch; again what the queue did not take of it.
async fn send(client: &Client, url: &str, group: &str, mut messages: Vec<String>) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        let entries = messages.iter().enumerate().map(|(index, message)| {
            let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(message);
            entry.message_group_id(group).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = client.send_message_batch().queue_url(url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| anyhow!("{}", DisplayErrorContext(error)))?;
        let refused: Vec<usize> = answer.failed.iter().filter_map(|entry| entry.id.parse().ok()).collect();
        if refused.is_empty() {
            return Ok(());
        }
        messages = refused.into_iter().filter_map(|index| messages.get(index).cloned()).collect();
    }
    Err(anyhow!("the queue does not take all messages of a batch"))
}

/// In their order; a message too large for company goes alone.
fn batches(messages: Vec<String>) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    let mut room = 0;
    for message in messages {
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_BATCH && message.len() <= room => {
                room -= message.len();
                batch.push(message);
            }
            _ => {
                room = MAX_BATCH_BYTES.saturating_sub(message.len());
                batches.push(vec![message]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_ten_messages_or_a_megabyte_and_never_none() {
        let sizes = |bytes: &[usize]| -> Vec<usize> {
            let messages = bytes.iter().map(|bytes| "x".repeat(*bytes)).collect();
            batches(messages).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[1; 21]), [10, 10, 1]);
        assert_eq!(sizes(&[600_000, 400_000, 400_000]), [2, 1]);
        assert_eq!(sizes(&[1_048_576, 1, 1_040_000]), [1, 1, 1], "the largest message there can be");
    }
}
