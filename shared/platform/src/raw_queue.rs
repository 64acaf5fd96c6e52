//! The way into the queue of raw deliveries: for the receivers, and for the poller.

use anyhow::anyhow;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use jiff::Timestamp;
use store::Store;

use crate::queue::Parcel;

/// SQS's bounds on a batch: messages, and bytes in all (less what their attributes may take).
const MAX_BATCH: usize = 10;
const MAX_BATCH_BYTES: usize = 1024 * 1024 - 16 * 1024;
/// Tries of what the queue did not take.
const BATCH_TRIES: u32 = 4;

/// The queue, and the store for what no message holds.
#[derive(Clone, Debug)]
pub struct RawQueue {
    sqs: aws_sdk_sqs::Client,
    url: String,
    store: Store,
}

impl RawQueue {
    /// Over the queue of this address and the orders table.
    pub fn new(sqs: aws_sdk_sqs::Client, url: String, store: Store) -> Self {
        Self { sqs, url, store }
    }

    /// Returns once the delivery of a connection is in the queue for good, and before it the body that its message
    /// only names.
    pub async fn send(&self, connection: &str, parcel: Parcel, now: Timestamp) -> anyhow::Result<()> {
        if let Some((claim, parts)) = parcel.claim {
            self.store.put_claim(&claim.id, parts, now.as_second()).await?;
        }
        let request = self.sqs.send_message().queue_url(&self.url).message_body(parcel.message);
        // The group gives one shop's flood no precedence over the others (fair queues).
        let sent = request.message_group_id(connection).send().await;
        sent.map(drop).map_err(|error| anyhow!("{}", DisplayErrorContext(error)))
    }

    /// As [`Self::send`] for many, in as few requests as there can be. Returns once all are in the queue for good.
    pub async fn send_all(
        &self,
        connection: &str,
        parcels: Vec<Parcel>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for parcel in parcels {
            if let Some((claim, parts)) = parcel.claim {
                self.store.put_claim(&claim.id, parts, now.as_second()).await?;
            }
            if batch.len() == MAX_BATCH || bytes + parcel.message.len() > MAX_BATCH_BYTES {
                self.send_batch(connection, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += parcel.message.len();
            batch.push(parcel.message);
        }
        if batch.is_empty() { Ok(()) } else { self.send_batch(connection, batch).await }
    }

    /// Sends at most ten messages; again those that the queue did not take.
    async fn send_batch(&self, connection: &str, mut messages: Vec<String>) -> anyhow::Result<()> {
        for _ in 0..BATCH_TRIES {
            let entries = messages.iter().enumerate().map(|(index, message)| {
                SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(message)
                    .message_group_id(connection)
                    .build()
            });
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            let request = self.sqs.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let answer = request.send().await.map_err(|error| anyhow!("{}", DisplayErrorContext(error)))?;
            let refused: Vec<usize> =
                answer.failed.iter().filter_map(|entry| entry.id.parse().ok()).collect();
            if refused.is_empty() {
                return Ok(());
            }
            messages = refused.into_iter().filter_map(|index| messages.get(index).cloned()).collect();
        }
        Err(anyhow!("the queue does not take all messages of a batch"))
    }
}
