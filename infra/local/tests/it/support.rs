//! What the tests share.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tillstream::lambda::{Handler, handler};
use tillstream::{Options, Stack};

pub(crate) const SAMPLE: &str = include_str!("../sample.yaml");

/// Events a recording handler got.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Value>>>);

impl Calls {
    pub(crate) fn add(&self, event: Value) {
        self.0.lock().unwrap().push(event);
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// A handler that records its event and answers with what `answer` makes of it.
    pub(crate) fn handler<F>(&self, answer: F) -> Handler
    where
        F: Fn(&Value) -> Result<Value, String> + Send + Sync + 'static,
    {
        let calls = self.clone();
        handler(move |event| {
            let result = answer(&event);
            calls.add(event);
            async move { result }
        })
    }
}

/// Handlers for every function of the sample, of which a test replaces some.
pub(crate) fn handlers(replaced: Vec<(&str, Handler)>) -> HashMap<String, Handler> {
    let nothing = handler(|_| async { Ok(Value::Null) });
    let mut handlers: HashMap<String, Handler> = ["receiver", "worker", "watcher", "ticker"]
        .into_iter()
        .map(|name| (name.to_owned(), Arc::clone(&nothing)))
        .collect();
    handlers.extend(replaced.into_iter().map(|(name, handler)| (name.to_owned(), handler)));
    handlers
}

pub(crate) async fn start(replaced: Vec<(&str, Handler)>) -> Stack {
    Stack::start(Options::in_memory(SAMPLE), &handlers(replaced)).await.unwrap()
}

pub(crate) async fn start_in(directory: &Path, replaced: Vec<(&str, Handler)>) -> Stack {
    let options = Options { data_dir: Some(directory.to_owned()), ..Options::in_memory(SAMPLE) };
    Stack::start(options, &handlers(replaced)).await.unwrap()
}

/// Waits for something to become true, up to ten seconds.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        pub(crate) fn $name(url: &str) -> $sdk::Client {
            let credentials = $sdk::config::Credentials::new("local", "local", None, None, "test");
            let config = $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new("us-east-1"))
                .credentials_provider(credentials)
                .endpoint_url(url)
                .build();
            $sdk::Client::from_conf(config)
        }
    };
}

client!(sqs_client, aws_sdk_sqs);
client!(ssm_client, aws_sdk_ssm);
client!(dynamodb_client, aws_sdk_dynamodb);
client!(streams_client, aws_sdk_dynamodbstreams);

/// Puts an item whose sort key is `sk`.
pub(crate) async fn put(client: &aws_sdk_dynamodb::Client, pk: &str, sk: &str, value: &str) {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    client
        .put_item()
        .table_name("tillstream-items")
        .item("pk", S(pk.to_owned()))
        .item("sk", S(sk.to_owned()))
        .item("value", S(value.to_owned()))
        .send()
        .await
        .unwrap();
}

/// The sort keys of the records in an event of the stream.
pub(crate) fn sort_keys(event: &Value) -> Vec<String> {
    let records = event["Records"].as_array().unwrap();
    records.iter().map(|record| record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap().to_owned()).collect()
}

/// A report of failed records.
pub(crate) fn failures<I: IntoIterator<Item = String>>(identifiers: I) -> Value {
    let failures: Vec<_> = identifiers.into_iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}
