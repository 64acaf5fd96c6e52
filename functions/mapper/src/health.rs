//! What a batch says about how its connections fare.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lambda_events::sqs::SqsMessage;
use canonical::Instant;
use platform::Delivery;
use store::{Health, Store};

use crate::{API, Failure};

/// Collects a batch's outcomes by connection.
#[derive(Default)]
pub(crate) struct Tally(Mutex<HashMap<String, Health>>);

/// A delivery, as far as its connection's health goes.
pub(crate) struct Seen {
    connection: String,
    topic: String,
    received_at: Instant,
    first_time: bool,
}

impl Seen {
    /// `None` for what came through the HTTP API: there is no connection.
    pub(crate) fn of(delivery: &Delivery, first_time: bool) -> Option<Self> {
        (delivery.platform != API).then(|| Self {
            connection: delivery.connection.clone(),
            topic: delivery.topic.clone(),
            received_at: delivery.received_at.into(),
            first_time,
        })
    }
}

/// Whether a message is handed out for the first time, and was not deferred before.
pub(crate) fn is_first(message: &SqsMessage) -> bool {
    let received = message.attributes.get("ApproximateReceiveCount");
    received.is_none_or(|count| count == "1") && !message.message_attributes.contains_key("deferrals")
}

impl Tally {
    pub(crate) fn add(&self, seen: Option<Seen>, outcome: &Result<&'static str, Failure>, now: Instant) {
        let Some(seen) = seen else { return };
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let health = tally.entry(seen.connection).or_default();
        if seen.first_time {
            health.count("accepted");
            health.last_delivery_at = health.last_delivery_at.max(Some(seen.received_at));
        }
        match outcome {
            Ok(outcome @ "mapped") => health.count(outcome),
            Ok(_) => health.ignore(&seen.topic),
            Err(Failure::Retry(error)) => {
                health.count("retried");
                health.fail(now, error);
            }
            Err(Failure::Later { reason, .. }) => {
                health.count("deferred");
                health.fail(now, reason);
            }
            Err(Failure::Dead(reason)) => {
                health.count("dead_lettered");
                health.fail(now, reason);
            }
        }
        if outcome.is_ok() {
            health.lag_ms = Some((now.as_millis() - seen.received_at.as_millis()).max(0));
        }
    }

    /// Writes it down. What cannot be written is lost and logged: deliveries matter more than their counts.
    pub(crate) async fn write(self, store: &Store) {
        let tally = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let notes = tally.into_iter().map(|(connection, health)| async move {
            if let Err(error) = store.note_health(&connection, &health).await {
                tracing::warn!(connection, error = %error, "health not noted");
            }
        });
        futures::future::join_all(notes).await;
    }
}
