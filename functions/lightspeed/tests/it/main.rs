//! The adapter from outside: answers of the API in, requests and facts out.

#![allow(clippy::unwrap_used, reason = "a test that cannot run should say so")]

mod feeds;
mod grant;
mod source;
mod suite;

conformance::tests!(suite::SUITE);
