use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use crate::Config;

/// Whom AWS' own endpoints are vouched for by. To read these five takes a fraction of what the system's hundred and forty take,
/// at each cold start.
const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

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
        Self::of(&sdk_config().await)
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

/// What a client of AWS' services is made of, from the environment of a Lambda function.
pub async fn sdk_config() -> SdkConfig {
    let loader = match amazon(&Config::from_env()) {
        Some(client) => loader().http_client(client),
        None => loader(),
    };
    loader.load().await
}

/// A client that trusts Amazon's roots alone. None where endpoints may be others': they are given and
/// encrypted, or in China.
fn amazon(config: &Config) -> Option<SharedHttpClient> {
    let is_china = config.optional("AWS_REGION").is_some_and(|region| region.starts_with("cn-"));
    let is_given = ["", "_DYNAMODB", "_S3", "_SQS", "_SSM"]
        .iter()
        .filter_map(|service| config.optional(&format!("AWS_ENDPOINT_URL{service}")))
        .any(|url| url.starts_with("https:"));
    if is_china || is_given {
        return None;
    }
    let store = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let tls = TlsContext::builder().with_trust_store(store).build().ok()?;
    let rustls = Provider::Rustls(CryptoMode::AwsLc);
    Some(Builder::new().tls_provider(rustls).tls_context(tls).build_https())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts_amazon_alone(variables: &[(&str, &str)]) -> bool {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        amazon(&Config::from_map(owned.collect())).is_some()
    }

    #[test]
    fn endpoints_that_may_be_others_are_trusted_as_the_system_does() {
        assert!(trusts_amazon_alone(&[("AWS_REGION", "eu-central-1")]));
        assert!(trusts_amazon_alone(&[("AWS_ENDPOINT_URL", "http://localhost")]));
        assert!(!trusts_amazon_alone(&[("AWS_REGION", "cn-north-1")]));
        assert!(!trusts_amazon_alone(&[
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "https://localhost")
        ]));
        assert!(!trusts_amazon_alone(&[("AWS_ENDPOINT_URL_SQS", "https://localhost")]));
    }

    /// The SDK panics over roots that cannot be read, when a client is made.
    #[tokio::test]
    async fn a_client_can_be_made_with_the_roots() {
        assert_eq!(AMAZON_ROOTS.matches("BEGIN CERTIFICATE").count(), 5);
        let client = amazon(&Config::default()).unwrap();
        let config = loader().http_client(client).region(Region::from_static("us-east-1")).load().await;
        let _ = Clients::of(&config);
    }
}
