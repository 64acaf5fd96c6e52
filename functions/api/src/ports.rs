//! The two services beside the tables, so that tests can stand in for them.

use aws_sdk_sqs::error::DisplayErrorContext;
use futures::future::BoxFuture;
use platform::{SecretError, SecretStore, Secrets};

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Deliveries, to the mapper.
    RawDeliveries,
    /// Parts of jobs.
    Jobs,
}

/// A message could not be handed over.
#[derive(Debug, thiserror::Error)]
#[error("queue: {0}")]
pub struct SendError(pub String);

/// Hands messages to queues.
pub trait Outbox: Send + Sync + 'static {
    /// Returns once the queue has the message for good.
    fn send(&self, queue: Queue, message: String) -> BoxFuture<'_, Result<(), SendError>>;
}

/// Keeps the secrets of connections.
pub trait Vault: Send + Sync + 'static {
    /// A connection's secrets; none if there are none.
    fn get<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<Secrets, SecretError>>;
    /// Replaces a connection's secrets.
    fn put<'a>(&'a self, connection: &'a str, secrets: &'a Secrets)
    -> BoxFuture<'a, Result<(), SecretError>>;
    /// Removes a connection's secrets.
    fn delete<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<(), SecretError>>;
}

/// SQS.
pub(crate) struct Sqs {
    pub(crate) client: aws_sdk_sqs::Client,
    pub(crate) raw_deliveries_url: String,
    pub(crate) jobs_url: String,
}

impl Outbox for Sqs {
    fn send(&self, queue: Queue, message: String) -> BoxFuture<'_, Result<(), SendError>> {
        let url = match queue {
            Queue::RawDeliveries => &self.raw_deliveries_url,
            Queue::Jobs => &self.jobs_url,
        };
        let request = self.client.send_message().queue_url(url).message_body(message);
        Box::pin(async move {
            let sent = request.send().await;
            sent.map(drop).map_err(|error| SendError(DisplayErrorContext(&error).to_string()))
        })
    }
}

impl Vault for SecretStore {
    fn get<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<Secrets, SecretError>> {
        Box::pin(Self::get(self, connection))
    }

    fn put<'a>(
        &'a self,
        connection: &'a str,
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<(), SecretError>> {
        Box::pin(Self::put(self, connection, secrets))
    }

    fn delete<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<(), SecretError>> {
        Box::pin(Self::delete(self, connection))
    }
}
