//! The engine against its law, its vectors and its limits.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]
#![allow(clippy::print_stdout, reason = "tests may print")]
#![allow(clippy::needless_pass_by_value, reason = "JSON that is made for one call")]

mod definitions;
mod format;
mod law;
mod regressions;
mod replay;
mod size;
mod story;
mod typical;
mod vectors;
