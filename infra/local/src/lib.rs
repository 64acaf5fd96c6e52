#![doc = include_str!("../README.md")]

mod aws_json;
pub mod clock;
pub mod sqs;
pub mod state;
pub mod template;

/// The account of everything emulated; also that of the embedded DynamoDB.
pub const ACCOUNT_ID: &str = "000000000000";
/// The region of everything emulated, the embedded DynamoDB's ARNs excepted.
pub const REGION: &str = "us-east-1";
