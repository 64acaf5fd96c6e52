//! The time the emulated services live by.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time. The services ask it for every time stamp they write, so a test can move it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of this machine.
#[allow(clippy::disallowed_methods, reason = "the one place where the local stack reads the machine's clock")]
pub fn system() -> Clock {
    Arc::new(Timestamp::now)
}

/// Milliseconds since the epoch, the unit of SQS's time stamps.
pub(crate) fn now_ms(clock: &Clock) -> i64 {
    clock().as_millisecond()
}
