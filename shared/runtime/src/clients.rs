use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

/// The AWS clients, built once per process. Building one is cheap as long as nothing is called.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Secrets.
    pub ssm: aws_sdk_ssm::Client,
}

/// Addresses of emulated services.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// DynamoDB and its streams.
    pub dynamodb: String,
    /// SQS.
    pub sqs: String,
    /// Systems Manager.
    pub ssm: String,
}

impl Clients {
    /// For AWS, from the environment of a Lambda function (`AWS_REGION`, credentials, `AWS_ENDPOINT_URL*`).
    pub async fn from_env() -> Self {
        Self::of(&loader().load().await)
    }

    /// For emulated services on this machine.
    pub async fn local(endpoints: &Endpoints) -> Self {
        let credentials = aws_sdk_dynamodb::config::Credentials::new("local", "local", None, None, "local");
        let config =
            loader().region(Region::from_static("us-east-1")).credentials_provider(credentials).load().await;
        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(
                aws_sdk_dynamodb::config::Builder::from(&config).endpoint_url(&endpoints.dynamodb).build(),
            ),
            sqs: aws_sdk_sqs::Client::from_conf(
                aws_sdk_sqs::config::Builder::from(&config).endpoint_url(&endpoints.sqs).build(),
            ),
            ssm: aws_sdk_ssm::Client::from_conf(
                aws_sdk_ssm::config::Builder::from(&config).endpoint_url(&endpoints.ssm).build(),
            ),
        }
    }

    fn of(config: &SdkConfig) -> Self {
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
        }
    }
}

fn loader() -> aws_config::ConfigLoader {
    // A call that hangs must end before the function's own time-out does, so that its record is reported as
    // failed instead of the whole batch.
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(10))
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts)
}
