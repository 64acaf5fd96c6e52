//! The vocabulary every platform is translated into, and the rules that need no platform: facts,
//! canonical events, profiles, identifiers, exact money, instants that keep the source's zone, and
//! the ledgers that turn facts into events exactly once.
//!
//! Nothing here reads a clock, a network or a database.

pub mod activity;
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

pub use event::{Event, Source};
pub use fact::{Fact, Person};
pub use instant::Instant;
pub use metric::Metric;
pub use money::{Currency, Money};
pub use profile::Profile;
