//! Measures a stack from within: it stands between the functions and the services they call, and around each invocation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use canonical::money::Decimal;
use futures::future::BoxFuture;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::usage::{
    Unit, Usage, api_requests, billed_ms, dynamodb_units, has_capacity, log_bytes, poll_requests,
    sqs_requests,
};
use crate::functions::ProductFunctions;
use crate::lambda::{AROUND, Around, Handler, handler};
use crate::template::Function;
use crate::{BoxError, Endpoints, FunctionContext, Handlers};

/// The largest request to DynamoDB.
const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// What is used, as it is used. Cloning shares it.
#[derive(Clone, Default)]
pub(super) struct Meter(Arc<Mutex<Reading>>);

/// What has been measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) usage: Usage,
    /// By function: invocations, and messages or records they were given.
    pub(super) batches: BTreeMap<String, (u64, u64)>,
    /// By function: how long invocations took here, and of it on a processor.
    pub(super) time: BTreeMap<String, (Duration, Duration)>,
    pub(super) failed: u64,
    running: u64,
}

impl Reading {
    /// What came since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let mut left = self.clone();
        left.usage = self.usage.since(&earlier.usage);
        for (function, before) in &earlier.batches {
            let batches = left.batches.entry(function.clone()).or_default();
            *batches = (batches.0 - before.0, batches.1 - before.1);
        }
        for (function, before) in &earlier.time {
            let time = left.time.entry(function.clone()).or_default();
            *time = (time.0.saturating_sub(before.0), time.1.saturating_sub(before.1));
        }
        left.failed -= earlier.failed;
        left
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0
    }
}

impl Meter {
    pub(super) fn read(&self) -> Reading {
        self.change(|reading| reading.clone())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Reading) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The product's functions, each with what measures it.
pub(super) struct Metered {
    pub(super) product: ProductFunctions,
    pub(super) meter: Meter,
    /// How long a call of a service takes at least: here they are nearer than in AWS.
    pub(super) latency: Duration,
    /// The size of a line of the HTTP API's own log.
    pub(super) access_line: usize,
}

impl Handlers for Metered {
    fn handler(&self, mut context: FunctionContext) -> BoxFuture<'_, Result<Option<Handler>, BoxError>> {
        Box::pin(async move {
            let (function, upstream) = (context.function.clone(), context.endpoints.clone());
            let tap = Tap {
                http: reqwest::Client::builder().tls_certs_only([]).no_proxy().build()?,
                upstream: upstream.clone(),
                function: function.code.clone(),
                meter: self.meter.clone(),
                latency: self.latency,
            };
            let url = tap.listen().await?;
            context.endpoints = Endpoints { dynamodb: url.clone(), sqs: url.clone(), ssm: url, ..upstream };
            let product = self.product.handler(context).await?;
            Ok(product.map(|product| measured(product, function, self.meter.clone(), self.access_line)))
        })
    }
}

/// A handler that tells what each of its invocations used.
fn measured(product: Handler, function: Function, meter: Meter, access_line: usize) -> Handler {
    let function = Arc::new(function);
    handler(move |event| {
        let (product, function, meter) = (Arc::clone(&product), Arc::clone(&function), meter.clone());
        async move {
            let input = Input::of(&event);
            meter.change(|reading| reading.running += 1);
            let inside = Arc::new(Mutex::new(Inside::default()));
            let around: Around = {
                let inside = Arc::clone(&inside);
                Arc::new(move |work| {
                    let measured = Inside::of(work);
                    *inside.lock().unwrap_or_else(PoisonError::into_inner) = measured;
                })
            };
            let started = Instant::now();
            let answer = AROUND.scope(around, product(event)).await;
            let wall = started.elapsed();
            let inside = std::mem::take(&mut *inside.lock().unwrap_or_else(PoisonError::into_inner));
            meter.change(|reading| {
                reading.running -= 1;
                reading.failed += u64::from(answer.is_err());
                reading.invocation(&function, &input, &inside, wall, access_line);
            });
            answer
        }
    })
}

impl Reading {
    fn invocation(
        &mut self,
        function: &Function,
        input: &Input,
        inside: &Inside,
        wall: Duration,
        access_line: usize,
    ) {
        let name = function.code.as_str();
        let usage = &mut self.usage;
        let ms = billed_ms(wall, inside.cpu, function.memory_mb);
        usage.add(Unit::LambdaRequests, name, "", Decimal::ONE);
        usage.add(Unit::LambdaMbMs, name, "", ms * Decimal::from(function.memory_mb));
        usage.add(Unit::LogBytes, name, "", log_bytes(&inside.log_lines));
        let mut given = 1;
        match input {
            Input::Http(bytes) => {
                usage.add(Unit::ApiRequests, name, "", api_requests(*bytes));
                usage.add(Unit::LogBytes, name, "access log", log_bytes(&[access_line]));
            }
            Input::Queue(queue, bodies) => {
                let (receives, deletes) = poll_requests(bodies);
                usage.add(Unit::SqsRequests, name, &format!("{queue} receive"), receives);
                usage.add(Unit::SqsRequests, name, &format!("{queue} delete"), deletes);
                given = bodies.len();
            }
            Input::Stream(records) => {
                usage.add(Unit::StreamRecords, name, "", Decimal::from(*records));
                given = *records;
            }
            Input::Other => {}
        }
        let batches = self.batches.entry(name.to_owned()).or_default();
        *batches = (batches.0 + 1, batches.1 + given as u64);
        let time = self.time.entry(name.to_owned()).or_default();
        *time = (time.0 + wall, time.1 + inside.cpu);
    }
}

/// What a function is invoked with, as far as it is charged.
enum Input {
    /// A request of so many bytes.
    Http(usize),
    /// Messages of a queue, by their sizes.
    Queue(String, Vec<usize>),
    /// So many records of a stream.
    Stream(usize),
    Other,
}

impl Input {
    fn of(event: &Value) -> Self {
        if event["requestContext"]["http"].is_object() {
            return Self::Http(event["body"].as_str().map_or(0, str::len));
        }
        let records = event["Records"].as_array().map_or(&[][..], Vec::as_slice);
        match records.first().and_then(|record| record["eventSource"].as_str()) {
            Some("aws:sqs") => {
                let arn = records[0]["eventSourceARN"].as_str().unwrap_or_default();
                let bodies = records.iter().map(|record| record["body"].as_str().map_or(0, str::len));
                Self::Queue(queue(arn, ':'), bodies.collect())
            }
            Some("aws:dynamodb") => Self::Stream(records.len()),
            _ => Self::Other,
        }
    }
}

/// The last part of a queue's address or ARN, without the stack's name.
fn queue(address: &str, separator: char) -> String {
    let name = address.rsplit(separator).next().unwrap_or_default();
    name.rsplit('-').next().unwrap_or_default().to_owned()
}

/// What an invocation did on its own thread.
#[derive(Default)]
struct Inside {
    cpu: Duration,
    log_lines: Vec<usize>,
}

impl Inside {
    fn of(work: &mut dyn FnMut()) -> Self {
        let counters = Counters::default();
        let before = thread_cpu();
        metrics::with_local_recorder(&counters, work);
        let cpu = thread_cpu().saturating_sub(before);
        Self { cpu, log_lines: counters.log_lines() }
    }
}

/// How long this thread has been on a processor; nothing where Linux does not say it.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

/// Which counters an invocation touched.
#[derive(Default)]
struct Counters(Mutex<BTreeSet<Key>>);

impl Counters {
    fn touch(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
    }

    /// The sizes of the lines that the deployed function writes of them: one for all counters with the same labels.
    fn log_lines(&self) -> Vec<usize> {
        let mut lines: BTreeMap<Vec<(&str, &str)>, Vec<&str>> = BTreeMap::new();
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys.iter() {
            let labels = key.labels().map(|label| (label.key(), label.value())).collect();
            lines.entry(labels).or_default().push(key.name());
        }
        let line = |(labels, names): (Vec<(&str, &str)>, Vec<&str>)| {
            let metrics: Vec<_> = names.iter().map(|name| json!({"Name": name})).collect();
            let dimensions: Vec<_> = labels.iter().map(|(key, _)| *key).collect();
            let mut line = json!({"_aws": {"Timestamp": 1_798_472_400_000_i64, "CloudWatchMetrics": [
                {"Namespace": "Tillstream", "Dimensions": [dimensions], "Metrics": metrics},
            ]}});
            for (key, value) in labels {
                line[key] = json!(value);
            }
            for name in names {
                line[name] = json!(1);
            }
            line.to_string().len()
        };
        lines.into_iter().map(line).collect()
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.touch(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.touch(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.touch(key);
        Histogram::noop()
    }
}

/// What stands between one function and DynamoDB, SQS and Parameter Store.
struct Tap {
    http: reqwest::Client,
    upstream: Endpoints,
    function: String,
    meter: Meter,
    latency: Duration,
}

impl Tap {
    /// Returns its address. It ends with the process.
    async fn listen(self) -> std::io::Result<String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let limit = DefaultBodyLimit::max(BODY_LIMIT_BYTES);
        let router = Router::new().fallback(pass).layer(limit).with_state(Arc::new(self));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "a service cannot be measured");
            }
        });
        Ok(url)
    }

    async fn pass(&self, mut headers: HeaderMap, body: Bytes) -> anyhow::Result<Response> {
        let due = Instant::now() + self.latency;
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (service, operation) = target.split_once('.').unwrap_or_default();
        let (service, operation) = (service.to_owned(), operation.to_owned());
        let upstream = match service.as_str() {
            "AmazonSQS" => &self.upstream.sqs,
            "AmazonSSM" => &self.upstream.ssm,
            _ => &self.upstream.dynamodb,
        };
        let mut request: Value = serde_json::from_slice(&body)?;
        if has_capacity(&operation) {
            request["ReturnConsumedCapacity"] = json!("INDEXES");
        }
        for name in [header::HOST, header::CONTENT_LENGTH] {
            headers.remove(name);
        }
        let answer = self.http.post(upstream).headers(headers).body(request.to_string()).send().await?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        let body = answer.bytes().await?;
        let answer = serde_json::from_slice(&body).unwrap_or_default();
        self.meter.change(|reading| self.count(&mut reading.usage, &service, &operation, &request, &answer));
        tokio::time::sleep_until(due).await;
        Ok((status, headers, body).into_response())
    }

    fn count(&self, usage: &mut Usage, service: &str, operation: &str, request: &Value, answer: &Value) {
        let function = &self.function;
        match service {
            "AmazonSQS" => {
                let size = |message: &Value| message["MessageBody"].as_str().map_or(0, str::len);
                let entries = request["Entries"].as_array().map_or(&[][..], Vec::as_slice);
                let bytes = size(request) + entries.iter().map(size).sum::<usize>();
                let queue = queue(request["QueueUrl"].as_str().unwrap_or_default(), '/');
                usage.add(Unit::SqsRequests, function, &format!("{queue} send"), sqs_requests(bytes));
            }
            "AmazonSSM" => usage.add(Unit::SecretsRead, function, "", Decimal::ONE),
            _ => {
                for (unit, place, amount) in dynamodb_units(operation, request, answer) {
                    usage.add(unit, function, &place, amount);
                }
            }
        }
    }
}

async fn pass(State(tap): State<Arc<Tap>>, headers: HeaderMap, body: Bytes) -> Response {
    tap.pass(headers, body).await.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "a call cannot be passed on");
        StatusCode::BAD_GATEWAY.into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_writes_a_line_for_each_set_of_labels() {
        let inside = Inside::of(&mut || {
            for _ in 0..3 {
                metrics::counter!("deliveries", "platform" => "shopify", "outcome" => "accepted")
                    .increment(1);
            }
            metrics::counter!("events", "platform" => "shopify", "outcome" => "accepted").increment(4);
            metrics::counter!("clamped").increment(1);
        });
        let line = r#"{"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"clamped"}],"Namespace":"Tillstream"}],"Timestamp":1798472400000},"clamped":1}"#;
        assert_eq!(inside.log_lines.len(), 2);
        assert_eq!(inside.log_lines[0], line.len());
    }

    #[test]
    fn what_a_function_is_invoked_with_decides_what_is_charged() {
        let http = json!({"requestContext": {"http": {"method": "POST"}}, "body": "abc"});
        assert!(matches!(Input::of(&http), Input::Http(3)));
        let message = json!({"eventSource": "aws:sqs", "body": "abcd",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:tillstream-JobsQueue"});
        let messages = json!({"Records": [message, message]});
        let Input::Queue(queue, bodies) = Input::of(&messages) else { panic!("it is a queue's") };
        assert_eq!((queue.as_str(), bodies), ("JobsQueue", vec![4, 4]));
        let record = json!({"Records": [{"eventSource": "aws:dynamodb"}]});
        assert!(matches!(Input::of(&record), Input::Stream(1)));
        assert!(matches!(Input::of(&json!({"source": "aws.events"})), Input::Other));
    }
}
