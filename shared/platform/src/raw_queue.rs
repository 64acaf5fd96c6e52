//! The way into the queue of raw deliveries: for the receivers, and for the poller.

use anyhow::anyhow;
use aws_sdk_sqs::error::DisplayErrorContext;
use jiff::Timestamp;
use store::Store;

use crate::batch;
use crate::queue::Parcel;

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
        let mut messages = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            if let Some((claim, parts)) = parcel.claim {
                self.store.put_claim(&claim.id, parts, now.as_second()).await?;
            }
            messages.push(parcel.message);
        }
        batch::send_all(&self.sqs, &self.url, connection, messages).await
    }
}
