use std::future::Future;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing_subscriber::EnvFilter;

/// Starts structured logs on standard output: JSON, one line a record, level from `RUST_LOG`, else `info`. Lambda's own
/// filter is no substitute: it takes counters, which have no level, for `INFO`.
pub fn init() {
    let level = crate::Config::from_env().optional("RUST_LOG").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .without_time()
        .with_env_filter(filter)
        .init();
}

/// Serves invocations of one function until Lambda ends the process. Counters are written after each invocation
/// in CloudWatch's embedded metric format, in a namespace of the stack's own. An error fails the invocation; Lambda's own retry rules apply.
pub async fn run<E, R, F, Fut>(handler: F) -> Result<(), Error>
where
    E: DeserializeOwned,
    R: Serialize,
    F: Fn(E) -> Fut,
    Fut: Future<Output = anyhow::Result<R>>,
{
    let stack = crate::Config::from_env().optional("STACK").map(|stack| format!("/{stack}"));
    let namespace = format!("Tillstream{}", stack.unwrap_or_default());
    let counters = metrics_cloudwatch_embedded::Builder::new().cloudwatch_namespace(namespace).init()?;
    let handler = &handler;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<E>| async move {
        // Boxed: a handler's future is deep and large, and it is made once per invocation.
        let answer = Box::pin(handler(event.payload)).await;
        if let Err(error) = counters.flush(std::io::stdout()) {
            tracing::warn!(error = %error, "counters could not be written");
        }
        answer.map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "invocation failed");
            Error::from(format!("{error:#}"))
        })
    }))
    .await
}
