#![doc = include_str!("../README.md")]

pub mod activity;
mod api_event;
pub mod cart;
pub mod checkout;
pub mod event;
pub mod fact;
pub mod hash;
pub mod identity;
pub mod instant;
pub mod metric;
pub mod money;
pub mod order;
pub mod profile;
mod properties;
#[cfg(feature = "schema")]
mod schema;

pub use api_event::{ApiEvent, DEFAULT_SERVICE};
pub use event::{Event, Source};
pub use fact::{Fact, Person};
pub use instant::Instant;
pub use metric::Metric;
pub use money::{Currency, Money};
pub use profile::Profile;
