use axum::http::StatusCode;

use crate::aws_json::ApiError;

/// Why SQS refuses a request. The names are those of the SQS API's errors.
#[derive(Debug, thiserror::Error)]
pub enum SqsError {
    /// No queue of that name.
    #[error("the queue {0} does not exist")]
    QueueDoesNotExist(String),
    /// A queue of that name exists with other attributes.
    #[error("a queue of that name exists with another value for {0}")]
    QueueNameExists(String),
    /// The handle was not issued by this queue.
    #[error("the receipt handle is not one of this queue")]
    ReceiptHandleIsInvalid,
    /// The message is not being worked on, so its visibility cannot change.
    #[error("the message is not in flight")]
    MessageNotInflight,
    /// The body has characters that XML forbids.
    #[error("the message has characters outside the allowed set")]
    InvalidMessageContents,
    /// A batch without entries.
    #[error("the batch has no entries")]
    EmptyBatchRequest,
    /// A batch of more than ten entries.
    #[error("a batch has at most 10 entries")]
    TooManyEntriesInBatchRequest,
    /// Two entries of a batch have one id.
    #[error("the id {0} is used twice in the batch")]
    BatchEntryIdsNotDistinct(String),
    /// An entry's id is empty, too long or has characters outside `[A-Za-z0-9_-]`.
    #[error("the batch entry id {0} is malformed")]
    InvalidBatchEntryId(String),
    /// The messages of a batch are larger than 1 MiB together.
    #[error("a batch has at most {limit} bytes, this one {actual}")]
    BatchRequestTooLong {
        /// The limit in bytes.
        limit: usize,
        /// The size in bytes.
        actual: usize,
    },
    /// The attribute is not one this emulator knows.
    #[error("the queue attribute {0} is unknown")]
    InvalidAttributeName(String),
    /// The attribute's value is out of range.
    #[error("the value {value} of {name} is invalid")]
    InvalidAttributeValue {
        /// The attribute.
        name: String,
        /// The refused value.
        value: String,
    },
    /// A parameter's value is out of range.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// A source, destination or task that is not there.
    #[error("{0}")]
    ResourceNotFound(String),
    /// SQS knows it, this emulator does not.
    #[error("{0}")]
    UnsupportedOperation(String),
    /// The state file failed.
    #[error("the state file failed: {0}")]
    State(#[from] rusqlite::Error),
    /// The state file holds something this version cannot read.
    #[error("the state file holds malformed data: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl SqsError {
    /// The error's shape in the JSON protocol and its code in the older query protocol.
    pub(super) fn codes(&self) -> (&'static str, &'static str) {
        match self {
            Self::QueueDoesNotExist(_) => ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::QueueNameExists(_) => ("QueueNameExists", "QueueAlreadyExists"),
            Self::ReceiptHandleIsInvalid => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::MessageNotInflight => ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
            Self::InvalidMessageContents => ("InvalidMessageContents", "InvalidMessageContents"),
            Self::EmptyBatchRequest => ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
            Self::TooManyEntriesInBatchRequest => {
                ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
            }
            Self::BatchEntryIdsNotDistinct(_) => {
                ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
            }
            Self::InvalidBatchEntryId(_) => {
                ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId")
            }
            Self::BatchRequestTooLong { .. } => {
                ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong")
            }
            Self::InvalidAttributeName(_) => ("InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidAttributeValue { .. } => ("InvalidAttributeValue", "InvalidAttributeValue"),
            Self::InvalidParameterValue(_) => ("InvalidParameterValue", "InvalidParameterValue"),
            Self::ResourceNotFound(_) => ("ResourceNotFoundException", "ResourceNotFoundException"),
            Self::UnsupportedOperation(_) => {
                ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation")
            }
            Self::State(_) | Self::Malformed(_) => ("InternalError", "InternalError"),
        }
    }
}

impl From<SqsError> for ApiError {
    fn from(error: SqsError) -> Self {
        let (kind, query_code) = error.codes();
        let internal = matches!(error, SqsError::State(_) | SqsError::Malformed(_));
        Self {
            status: if internal { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST },
            kind: format!("com.amazonaws.sqs#{kind}"),
            query_code: Some(query_code.to_owned()),
            message: error.to_string(),
        }
    }
}
