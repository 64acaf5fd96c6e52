//! The adapter from outside: bytes and headers in, verdicts and facts out.

#![allow(clippy::unwrap_used, reason = "a test that cannot run should say so")]

mod feeds;
mod history;
mod paging;
mod suite;

conformance::tests!(suite::SUITE);
