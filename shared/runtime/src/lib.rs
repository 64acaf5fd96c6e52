//! The edge of every function: configuration, the clock, AWS clients, logs, counters and the loop that serves
//! invocations. The only crate that reads the environment, the system's clock or standard output.

mod clients;
mod clock;
mod config;
mod serve;

pub use clients::{Clients, Endpoints, sdk_config};
pub use clock::Clock;
pub use config::{Config, MissingVariable};
pub use serve::{init, run};

/// Counters of what functions do, by low-cardinality labels only: never a connection, a profile or a person.
pub mod metrics {
    pub use metrics::{counter, gauge, histogram};

    /// Records a duration, which a clock that goes wrong may make negative.
    pub fn duration_ms(name: &'static str, ms: i64) {
        metrics::histogram!(name).record(f64::from(i32::try_from(ms.max(0)).unwrap_or(i32::MAX)));
    }

    /// A delivery or record that was dropped or set aside, with its reason.
    pub fn count(name: &'static str, platform: &str, outcome: &str, by: u64) {
        metrics::counter!(name, "platform" => platform.to_owned(), "outcome" => outcome.to_owned())
            .increment(by);
    }
}
