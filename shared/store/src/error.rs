use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;

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
            Some("ConditionalCheckFailedException" | "TransactionConflictException") => Self::Conflict,
            Some("TransactionCanceledException") if is_lost_race(error) => Self::Conflict,
            _ => Self::Unavailable(DisplayErrorContext(error).to_string()),
        }
    }

    pub(crate) fn corrupt(kind: &'static str, error: impl std::fmt::Display) -> Self {
        Self::Corrupt(kind, error.to_string())
    }
}

/// Whether a transaction was cancelled because of what somebody else wrote. Throttling cancels it, too: then nothing is
/// known of its conditions.
fn is_lost_race<E: std::error::Error + 'static, R>(error: &SdkError<E, R>) -> bool {
    let error = error.as_service_error().map(|error| error as &(dyn std::error::Error + 'static));
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.and_then(|error| error.downcast_ref())
    else {
        return false;
    };
    let mut codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    codes.any(|code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::types::CancellationReason;
    use aws_sdk_dynamodb::types::error::TransactionCanceledException;

    use super::*;

    #[test]
    fn a_transaction_that_was_throttled_has_met_nobody() {
        let cancelled = |codes: &[&str]| {
            let reasons = codes.iter().map(|&code| CancellationReason::builder().code(code).build());
            let cancelled = TransactionCanceledException::builder()
                .set_cancellation_reasons(Some(reasons.collect()))
                .meta(ErrorMetadata::builder().code("TransactionCanceledException").build())
                .build();
            let error = TransactWriteItemsError::TransactionCanceledException(cancelled);
            Error::of(&SdkError::service_error(error, ()))
        };
        for race in ["ConditionalCheckFailed", "TransactionConflict"] {
            assert!(matches!(cancelled(&["None", race]), Error::Conflict), "{race}");
        }
        for throttled in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
            assert!(matches!(cancelled(&[throttled, "None"]), Error::Unavailable(_)), "{throttled}");
        }
    }
}
