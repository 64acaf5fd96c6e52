#![doc = include_str!("../README.md")]

pub use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};

/// A client of AWS, from the environment of a Lambda function.
pub async fn from_env(timeouts: TimeoutConfig) -> Client {
    let config = Builder::from(&runtime::sdk_config().await);
    Client::from_conf(config.timeout_config(timeouts).build())
}

/// A client of an emulated S3 on this machine.
pub fn local(endpoint: &str, timeouts: TimeoutConfig) -> Client {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .timeout_config(timeouts);
    Client::from_conf(config.build())
}
