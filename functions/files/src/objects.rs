//! Where files lie.

use std::time::Duration;

use anyhow::anyhow;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::ByteStream;
use futures::FutureExt;
use futures::future::BoxFuture;

/// How long one try of a request may take.
const ATTEMPT: Duration = Duration::from_mins(1);

/// One object as it was when it was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// Its key.
    pub key: &'a str,
    /// What it is then recognised by.
    pub etag: &'a str,
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its bytes; fewer than were asked for only at the end.
    pub bytes: Vec<u8>,
    /// How many the whole object has.
    pub size: u64,
}

/// Storage for objects.
pub trait Objects: Send + Sync {
    /// Bytes from a place on; `None` if the object is gone, or is another by now.
    fn part<'a>(
        &'a self,
        object: &'a Object<'a>,
        from: u64,
        count: u64,
    ) -> BoxFuture<'a, anyhow::Result<Option<Part>>>;

    /// Writes an object.
    fn put<'a>(&'a self, key: &'a str, body: Vec<u8>) -> BoxFuture<'a, anyhow::Result<()>>;
}

/// A bucket of S3.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: s3::Client,
    name: String,
}

impl Bucket {
    /// A bucket of AWS, from the environment of a Lambda function.
    pub async fn from_env(name: String) -> Self {
        Self { client: s3::from_env(timeouts()).await, name }
    }

    /// A bucket of an emulated S3 on this machine.
    pub fn local(endpoint: &str, name: String) -> Self {
        Self { client: s3::local(endpoint, timeouts()), name }
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build()
}

impl Objects for Bucket {
    fn part<'a>(
        &'a self,
        object: &'a Object<'a>,
        from: u64,
        count: u64,
    ) -> BoxFuture<'a, anyhow::Result<Option<Part>>> {
        async move {
            let range = format!("bytes={from}-{}", from + count.saturating_sub(1));
            let request = self.client.get_object().bucket(&self.name).key(object.key);
            let answer = match request
                .if_match(format!("\"{}\"", object.etag.trim_matches('"')))
                .range(range)
                .send()
                .await
            {
                Ok(answer) => answer,
                Err(error) => {
                    return match error.code() {
                        // Empty, or read to its end.
                        Some("InvalidRange") => Ok(Some(Part { bytes: Vec::new(), size: from })),
                        Some("NoSuchKey" | "NotFound" | "PreconditionFailed") => Ok(None),
                        _ => Err(anyhow!("{}", DisplayErrorContext(error))),
                    };
                }
            };
            let total = answer.content_range().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
            let bytes = answer.body.collect().await?.to_vec();
            let size = total.unwrap_or(from + bytes.len() as u64);
            Ok(Some(Part { bytes, size }))
        }
        .boxed()
    }

    fn put<'a>(&'a self, key: &'a str, body: Vec<u8>) -> BoxFuture<'a, anyhow::Result<()>> {
        async move {
            let request = self.client.put_object().bucket(&self.name).key(key);
            let sent = request.content_type("application/x-ndjson").body(ByteStream::from(body)).send().await;
            sent.map(drop).map_err(|error| anyhow!("{}", DisplayErrorContext(error)))
        }
        .boxed()
    }
}
