#![doc = include_str!("../README.md")]

mod column;
mod event;
mod profile;
mod row;
mod rows;

pub use event::{EventColumns, EventRow, event_lines, events};
pub use profile::{ProfileColumns, ProfileRow, profiles};
pub use row::{Row, mark, row};
pub use rows::{RowError, record};

/// Most columns of a file.
pub const MAX_COLUMNS: usize = 500;
