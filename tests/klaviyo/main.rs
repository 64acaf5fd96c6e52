//! Klaviyo's official clients, as they are published, against the product as a process: only the address is another.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]
#![allow(clippy::print_stderr, reason = "what a suite says when it fails")]

mod specification;
mod suites;

use tests::Stack;

async fn start() -> Stack {
    start_with(&[]).await
}

/// A stack with parameters of the template.
async fn start_with(parameters: &[&str]) -> Stack {
    Stack::start_with(env!("CARGO_BIN_EXE_tillstream"), parameters).await
}
