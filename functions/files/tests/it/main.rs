//! The function over a real (embedded) DynamoDB, queues that record, and a bucket in memory.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod function;
mod parser;
