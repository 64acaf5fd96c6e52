//! A bucket of S3.

use std::time::Duration;

use anyhow::anyhow;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::ByteStream;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::{Object, Objects};

/// How long one try of a request may take, and all of them: whoever archives a batch has a minute for all.
const ATTEMPT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(12);

pub(crate) struct Bucket {
    client: s3::Client,
    name: String,
}

impl Bucket {
    pub(crate) async fn from_env(name: String) -> Self {
        Self { client: s3::from_env(timeouts()).await, name }
    }

    pub(crate) fn local(endpoint: &str, name: String) -> Self {
        Self { client: s3::local(endpoint, timeouts()), name }
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(PATIENCE).build()
}

impl Objects for Bucket {
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Vec<u8>,
        over: Option<&'a str>,
    ) -> BoxFuture<'a, anyhow::Result<bool>> {
        async move {
            let request = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(body));
            let request = request.content_type("application/gzip").set_if_match(over.map(str::to_owned));
            match request.send().await {
                Ok(_) => Ok(true),
                Err(error) => match error.code() {
                    Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey") => Ok(false),
                    _ => Err(anyhow!("{}", DisplayErrorContext(error))),
                },
            }
        }
        .boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Object>>> {
        async move {
            match self.client.get_object().bucket(&self.name).key(key).send().await {
                Ok(answer) => {
                    let etag = answer.e_tag.unwrap_or_default();
                    Ok(Some(Object { body: answer.body.collect().await?.to_vec(), etag }))
                }
                Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
                Err(error) => Err(anyhow!("{}", DisplayErrorContext(error))),
            }
        }
        .boxed()
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, anyhow::Result<Vec<String>>> {
        async move {
            let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).start_after(after);
            let answer = request.max_keys(i32::try_from(limit)?).send().await;
            let answer = answer.map_err(|error| anyhow!("{}", DisplayErrorContext(error)))?;
            Ok(answer.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect())
        }
        .boxed()
    }
}
