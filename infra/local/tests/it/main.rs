//! The local stack from outside: through the AWS SDK's own clients and over HTTP.

mod sqs;
mod ssm;
mod stack;
mod stream;
mod support;
