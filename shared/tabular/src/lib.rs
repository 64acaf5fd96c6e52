#![doc = include_str!("../README.md")]

mod column;
mod event;
mod profile;
mod rows;

pub use event::{EventColumns, EventRow, event_lines, events};
pub use profile::{ProfileColumns, ProfileRow, profiles};
pub use rows::{RowError, record};

/// Most columns of a file.
pub const MAX_COLUMNS: usize = 500;
