//! Files from outside: bytes in, rows and reasons out.

#![allow(clippy::unwrap_used, reason = "a test that cannot run should say so")]

mod events;
mod profiles;
