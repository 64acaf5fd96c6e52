#![doc = include_str!("../README.md")]

mod aws_json;
mod background;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod demo;
mod dynamodb;
mod event_source;
mod faults;
pub mod functions;
mod gateway;
pub mod lambda;
mod random;
mod s3;
pub mod sqs;
mod ssm;
mod stack;
mod state;
pub mod template;

pub use dynamodb::DynamoDbError;
pub use event_source::{Filter, FilterError};
pub use faults::Faults;
pub use stack::{BoxError, Endpoints, FunctionContext, Handlers, Options, Stack, StartError};
pub use state::OpenError;

/// The account of everything emulated; also that of the embedded DynamoDB.
pub const ACCOUNT_ID: &str = "000000000000";
/// The region of everything emulated, the embedded DynamoDB's ARNs excepted.
pub const REGION: &str = "us-east-1";

/// The product's own template, the one that is deployed.
pub const TEMPLATE: &str = include_str!("../../template.yaml");
