//! The adapter from outside: bytes and headers in, verdicts and facts out.

mod case;
mod description;
mod fixtures;
mod properties;
