//! Everything around adapters, over real (embedded) tables and a queue that records.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod receiver;
