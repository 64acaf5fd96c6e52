//! The adapter from outside: bytes and headers in, verdicts and facts out.

#![allow(clippy::unwrap_used, reason = "a test that cannot run should say so")]

mod credentials;
mod feeds;
mod history;
mod requests;
mod suite;

conformance::tests!(suite::SUITE);
