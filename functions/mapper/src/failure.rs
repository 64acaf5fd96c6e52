use std::time::Duration;

/// Why a delivery was not worked off.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It may succeed when it comes again.
    #[error("retry: {0}")]
    Retry(String),
    /// The platform cannot be asked for what the delivery lacks. The text names no person and no content.
    #[error("later: {reason}")]
    Later {
        /// Why.
        reason: String,
        /// How long the platform asks to be left alone.
        after: Option<Duration>,
    },
    /// It never can. The text names no person and no content.
    #[error("dead: {0}")]
    Dead(String),
}

impl Failure {
    pub(crate) fn dead(reason: &str) -> Self {
        Self::Dead(reason.to_owned())
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict | store::Error::Unavailable(_) => Self::Retry(error.to_string()),
            store::Error::Corrupt(..) | store::Error::Taken(_) => Self::Dead(error.to_string()),
        }
    }
}
