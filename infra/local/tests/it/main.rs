//! The local stack from outside: through the AWS SDK's own clients and over HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod bench;
mod cli;
mod faults;
mod product;
mod s3;
mod sqs;
mod ssm;
mod stack;
mod stream;
mod support;
mod template;
