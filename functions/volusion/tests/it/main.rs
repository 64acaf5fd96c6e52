//! The adapter from outside: bytes and an address in, verdicts and facts out.

#![allow(clippy::unwrap_used, reason = "a test that cannot run should say so")]

mod classic;
mod door;
mod suite;
mod volt;

conformance::tests!(suite::SUITE);
