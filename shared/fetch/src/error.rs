use std::time::Duration;

/// Why there is no answer that an adapter should see. Reasons name the host and the status, never a query, a body or
/// a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The same request may succeed later.
    #[error("{reason}")]
    Later {
        /// What happened.
        reason: String,
        /// How long the platform asks to be left alone, if it said so, or the circuit stays open.
        after: Option<Duration>,
    },
    /// The platform does not accept the credentials (401, 403). Others may be entered meanwhile.
    #[error("{reason}")]
    Denied {
        /// What happened.
        reason: String,
    },
    /// The same request can never succeed.
    #[error("{reason}")]
    Never {
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    pub(crate) fn never(reason: impl Into<String>) -> Self {
        Self::Never { reason: reason.into() }
    }
}
