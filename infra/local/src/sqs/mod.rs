//! SQS: standard queues behind the JSON protocol, durable in the state file.
//!
//! Visibility time-outs, receive counts, redrive to a dead-letter queue, delays, retention, long
//! polls, batches, digests, size limits and error shapes are those of SQS. FIFO queues, queue
//! policies and encryption are not emulated.

mod attributes;
mod error;
mod message;
mod protocol;
mod queues;

pub use attributes::{QueueAttributes, arn, queue_of_arn};
pub use error::SqsError;
pub(crate) use message::body_md5;
pub use message::{MessageAttribute, MessageAttributes, Outgoing, Received, SIZE_LIMIT_BYTES, Sent};
pub(crate) use protocol::{SqsService, queue_url};
pub(crate) use queues::SCHEMA;
pub use queues::{Depth, Queues};
