#![doc = include_str!("../README.md")]
// A helper that fails is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests use this crate")]
#![allow(clippy::print_stderr, reason = "only tests use this crate")]

pub mod api;
pub mod bigcommerce;
pub mod deployed;
pub mod five;
pub mod past;
pub mod python;
pub mod random;
pub mod running;
pub mod shop;
pub mod stack;
pub mod workload;

use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use crate::api::{Api, Reply};
pub use crate::bigcommerce::BigShop;
pub use crate::deployed::{Deployed, Emulator};
pub use crate::five::Five;
pub use crate::running::Running;
pub use crate::shop::{Delivery, Order, Shop};
pub use crate::stack::Stack;

/// How long what must happen may take: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again until there is an answer. Panics with `what` if there is none in time.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, look).await
}

/// The same for what may take another time.
pub async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < patience, "it did not come to pass: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks again until the answer is the expected one. Panics with the last answer if it is not in time.
pub async fn eventually_eq<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &T,
    mut look: impl AsyncFnMut() -> T,
) {
    let started = Instant::now();
    loop {
        let found = look().await;
        if found == *expected {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{what}:\nexpected {expected:#?}\nfound {found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The system's time.
pub fn now() -> Timestamp {
    runtime::Clock::system().now()
}
