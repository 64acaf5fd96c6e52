//! The two services beside the tables, so that tests can stand in for them.

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::BoxFuture;
use platform::{SecretError, SecretStore, Secrets};

/// The attribute in which the mapper says why.
const REASON: &str = "reason";
/// Longer than one request looks.
const LOOK_SECONDS: i32 = 60;

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Deliveries, to the mapper.
    RawDeliveries,
    /// Parts of jobs.
    Jobs,
    /// Turns of connections to be asked.
    Polls,
    /// Announcements of files.
    Files,
}

/// A message could not be handed over.
#[derive(Debug, thiserror::Error)]
#[error("queue: {0}")]
pub struct SendError(pub String);

/// A message that was set aside, while it is looked at.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The message.
    pub message: String,
    /// Why it was set aside, if a function did it.
    pub reason: Option<String>,
    /// What SQS knows it by.
    pub handle: String,
}

/// Hands messages to queues.
pub trait Outbox: Send + Sync + 'static {
    /// Returns once the queue has the message for good.
    fn send(&self, queue: Queue, message: String) -> BoxFuture<'_, Result<(), SendError>>;
    /// Returns once the queue has all of them for good. If that fails it may have some.
    fn send_all(&self, queue: Queue, messages: Vec<String>) -> BoxFuture<'_, Result<(), SendError>>;
    /// About how many messages of a queue were set aside.
    fn dead_letters(&self, queue: Queue) -> BoxFuture<'_, Result<u64, SendError>>;
    /// Begins to move what was set aside back into its queue.
    fn replay(&self, queue: Queue) -> BoxFuture<'_, Result<(), SendError>>;
    /// Some of what was set aside; nobody else sees them for a minute.
    fn look_at_dead(&self, queue: Queue) -> BoxFuture<'_, Result<Vec<DeadLetter>, SendError>>;
    /// Puts one back into its queue. If that fails it may be in both.
    fn revive<'a>(&'a self, queue: Queue, letter: &'a DeadLetter) -> BoxFuture<'a, Result<(), SendError>>;
    /// Lets others see one again.
    fn leave_dead<'a>(&'a self, queue: Queue, letter: &'a DeadLetter)
    -> BoxFuture<'a, Result<(), SendError>>;
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
    pub(crate) polls_url: String,
    pub(crate) files_url: String,
    pub(crate) raw_deliveries_dlq_url: String,
    pub(crate) jobs_dlq_url: String,
    pub(crate) polls_dlq_url: String,
    pub(crate) files_dlq_url: String,
}

impl Sqs {
    fn url(&self, queue: Queue) -> &str {
        match queue {
            Queue::RawDeliveries => &self.raw_deliveries_url,
            Queue::Jobs => &self.jobs_url,
            Queue::Polls => &self.polls_url,
            Queue::Files => &self.files_url,
        }
    }

    fn dead_letter_url(&self, queue: Queue) -> &str {
        match queue {
            Queue::RawDeliveries => &self.raw_deliveries_dlq_url,
            Queue::Jobs => &self.jobs_dlq_url,
            Queue::Polls => &self.polls_dlq_url,
            Queue::Files => &self.files_dlq_url,
        }
    }

    async fn attribute(&self, url: &str, name: QueueAttributeName) -> Result<String, SendError> {
        let request = self.client.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        let answer = request.send().await.map_err(failed)?;
        let value = answer.attributes.and_then(|mut attributes| attributes.remove(&name));
        value.ok_or_else(|| SendError(format!("the queue does not say its {name}")))
    }
}

fn failed<E: std::error::Error>(error: E) -> SendError {
    SendError(DisplayErrorContext(&error).to_string())
}

impl Outbox for Sqs {
    fn send(&self, queue: Queue, message: String) -> BoxFuture<'_, Result<(), SendError>> {
        let request = self.client.send_message().queue_url(self.url(queue)).message_body(message);
        Box::pin(async move { request.send().await.map(drop).map_err(failed) })
    }

    fn send_all(&self, queue: Queue, messages: Vec<String>) -> BoxFuture<'_, Result<(), SendError>> {
        // With a group of its own, a mass of messages takes no precedence over single ones.
        let sent = platform::send_all(&self.client, self.url(queue), "bulk", messages);
        Box::pin(async move { sent.await.map_err(|error| SendError(format!("{error:#}"))) })
    }

    fn dead_letters(&self, queue: Queue) -> BoxFuture<'_, Result<u64, SendError>> {
        Box::pin(async move {
            let name = QueueAttributeName::ApproximateNumberOfMessages;
            let count = self.attribute(self.dead_letter_url(queue), name).await?;
            count.parse().map_err(failed)
        })
    }

    fn replay(&self, queue: Queue) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move {
            let from = self.attribute(self.dead_letter_url(queue), QueueAttributeName::QueueArn).await?;
            // Named, because SQS knows no source of what a function has set aside itself.
            let to = self.attribute(self.url(queue), QueueAttributeName::QueueArn).await?;
            let request = self.client.start_message_move_task().source_arn(from).destination_arn(to);
            request.send().await.map(drop).map_err(failed)
        })
    }

    fn look_at_dead(&self, queue: Queue) -> BoxFuture<'_, Result<Vec<DeadLetter>, SendError>> {
        let request = self.client.receive_message().queue_url(self.dead_letter_url(queue));
        // A short poll asks some of SQS's servers only: it may find nothing where there is something.
        let request =
            request.max_number_of_messages(10).wait_time_seconds(1).visibility_timeout(LOOK_SECONDS);
        let request = request.message_attribute_names(REASON);
        Box::pin(async move {
            let received = request.send().await.map_err(failed)?.messages.unwrap_or_default();
            let letters = received.into_iter().filter_map(|received| {
                let reason = received
                    .message_attributes
                    .and_then(|mut attributes| attributes.remove(REASON)?.string_value);
                Some(DeadLetter { message: received.body?, reason, handle: received.receipt_handle? })
            });
            Ok(letters.collect())
        })
    }

    fn revive<'a>(&'a self, queue: Queue, letter: &'a DeadLetter) -> BoxFuture<'a, Result<(), SendError>> {
        let delete = self
            .client
            .delete_message()
            .queue_url(self.dead_letter_url(queue))
            .receipt_handle(&letter.handle);
        Box::pin(async move {
            self.send(queue, letter.message.clone()).await?;
            delete.send().await.map(drop).map_err(failed)
        })
    }

    fn leave_dead<'a>(
        &'a self,
        queue: Queue,
        letter: &'a DeadLetter,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        let request = self.client.change_message_visibility().queue_url(self.dead_letter_url(queue));
        let request = request.receipt_handle(&letter.handle).visibility_timeout(0);
        Box::pin(async move { request.send().await.map(drop).map_err(failed) })
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
