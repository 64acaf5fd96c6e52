//! What Lambda polls or is called by: queues, streams and schedules.

mod checkpoint;
mod filter;
mod queue;
mod schedule;
mod stream;

use serde_json::Value;
use tokio::sync::watch;

pub(crate) use checkpoint::{Checkpoints, SCHEMA};
pub use filter::{Filter, FilterError};
pub(crate) use queue::QueuePoller;
pub(crate) use schedule::Scheduler;
pub(crate) use stream::StreamPoller;

/// Becomes true when the stack shuts down.
pub(crate) type Shutdown = watch::Receiver<bool>;

/// Resolves when the stack shuts down, also when it is simply dropped.
pub(crate) async fn stopped(shutdown: &Shutdown) {
    let mut shutdown = shutdown.clone();
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// The identifiers a function reported as failed. `None` is a response that cannot be followed
/// because an identifier is missing, which fails the whole batch.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
fn reported_failures(response: &Value) -> Option<Vec<&str>> {
    match &response["batchItemFailures"] {
        Value::Null => Some(Vec::new()),
        Value::Array(failures) => {
            let identifiers = failures.iter().map(|failure| failure["itemIdentifier"].as_str());
            identifiers.map(|identifier| identifier.filter(|text| !text.is_empty())).collect()
        }
        _ => None,
    }
}
