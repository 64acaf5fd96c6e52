//! A shop's customers and what they did, the segments a shop of that kind keeps, and DuckDB to ask the same questions.

mod duckdb;
mod generate;
mod segments;
mod stored;

pub use duckdb::DuckDb;
pub use generate::{Event, Person, Record, Workload};
pub use segments::{Named, segments, varied};
pub use stored::{States, Tally, program};

/// Monday 28 December 2026, 15:40 UTC: where the history ends. Birthdays of the next week are in two years.
pub const NOW: i64 = 1_798_472_400_000;
/// Milliseconds of an hour.
pub const HOUR: i64 = 3_600_000;
/// Milliseconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// How many events there are: a million, unless `WORKLOAD_EVENTS` says otherwise. A tenth as many people.
#[allow(clippy::disallowed_methods, reason = "the one setting of a test and of a command")]
pub fn size() -> usize {
    let given = std::env::var("WORKLOAD_EVENTS").ok().filter(|value| !value.is_empty());
    given.map_or(1_000_000, |value| value.parse().unwrap())
}
