use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// What a call to the store can fail with. All but [`Error::Corrupt`] may succeed when tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else wrote first: read again and decide anew.
    #[error("conflict with a concurrent write")]
    Conflict,
    /// A name that must be unique is taken by the item of this id.
    #[error("already taken by {0}")]
    Taken(String),
    /// DynamoDB throttled or failed.
    #[error("dynamodb: {0}")]
    Unavailable(String),
    /// An item is not what was written.
    #[error("item {0} cannot be read: {1}")]
    Corrupt(&'static str, String),
}

/// The store's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        match error.code() {
            Some(
                "ConditionalCheckFailedException"
                | "TransactionCanceledException"
                | "TransactionConflictException",
            ) => Self::Conflict,
            _ => Self::Unavailable(DisplayErrorContext(error).to_string()),
        }
    }

    pub(crate) fn corrupt(kind: &'static str, error: impl std::fmt::Display) -> Self {
        Self::Corrupt(kind, error.to_string())
    }
}
