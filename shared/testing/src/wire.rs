//! Between the SDK's clients and the services.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use futures::future::BoxFuture;
use runtime::Clients;
use serde_json::{Value, json};

use crate::tables::Tables;

/// A call that the function makes.
#[derive(Clone, Debug)]
pub struct Call {
    /// Such as `PutItem` or `SendMessage`.
    pub operation: String,
    /// The request in the service's JSON.
    pub body: Value,
}

impl Call {
    /// Whether it is such a call and its request contains this text.
    pub fn is(&self, operation: &str, text: &str) -> bool {
        self.operation == operation && self.body.to_string().contains(text)
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It reaches the service and is answered.
    Pass,
    /// The service refuses it for now, and does nothing.
    Throttle,
    /// The service does it, but the answer gets lost.
    Lose,
}

/// A message that was sent to a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The queue's address.
    pub queue: String,
    /// The message.
    pub body: String,
    /// The attribute `reason`, if it has one.
    pub reason: Option<String>,
    /// The attribute `deferrals`, if it has one.
    pub deferrals: Option<String>,
    /// The group it is sent in.
    pub group: Option<String>,
    /// Seconds before it can be received.
    pub delay_s: Option<u64>,
}

type Hook = Arc<dyn Fn(Call) -> BoxFuture<'static, Answer> + Send + Sync>;

/// Where the test cuts in, and what the queues got.
#[derive(Default)]
pub(crate) struct Wire {
    hook: Mutex<Option<Hook>>,
    sent: Mutex<Vec<Sent>>,
    parameters: Mutex<BTreeMap<String, String>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Wire")
    }
}

impl Wire {
    pub(crate) fn intercept(&self, hook: Option<Hook>) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    pub(crate) fn take_sent(&self, queue: &str) -> Vec<Sent> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.extract_if(.., |message| message.queue == queue).collect()
    }

    pub(crate) fn put_parameter(&self, name: String, value: String) {
        self.parameters.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
    }

    async fn decide(&self, call: &Call) -> Answer {
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match hook {
            Some(hook) => hook(call.clone()).await,
            None => Answer::Pass,
        }
    }

    /// The queue service, for as many messages as one request brings.
    fn send_message_batch(&self, body: &Value) -> Value {
        let entries = body["Entries"].as_array().into_iter().flatten();
        let taken = entries.map(|entry| {
            let mut message = entry.clone();
            message["QueueUrl"] = body["QueueUrl"].clone();
            let mut answer = self.send_message(&message);
            answer["Id"] = entry["Id"].clone();
            answer
        });
        json!({"Successful": taken.collect::<Vec<_>>(), "Failed": []})
    }

    /// The queue service.
    fn send_message(&self, body: &Value) -> Value {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push(Sent {
            queue: text(&body["QueueUrl"]).unwrap_or_default(),
            body: text(&body["MessageBody"]).unwrap_or_default(),
            reason: text(&body["MessageAttributes"]["reason"]["StringValue"]),
            deferrals: text(&body["MessageAttributes"]["deferrals"]["StringValue"]),
            group: text(&body["MessageGroupId"]),
            delay_s: body["DelaySeconds"].as_u64(),
        });
        json!({"MessageId": sent.len().to_string(), "MD5OfMessageBody": ""})
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Parameter Store.
    fn parameters(&self, operation: &str, body: &Value) -> HttpResponse {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let name = text("Name");
        let mut parameters = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match operation {
            "GetParameter" => {
                let found = parameters.get(&name);
                found.map(|value| json!({"Parameter": {"Name": name, "Value": value}}))
            }
            "PutParameter" => {
                parameters.insert(name, text("Value"));
                Some(json!({"Version": 1, "Tier": "Standard"}))
            }
            "DeleteParameter" => parameters.remove(&name).map(|_| json!({})),
            _ => panic!("{operation}"),
        };
        found.map_or_else(|| refusal(400, "ParameterNotFound"), |found| answered(200, &found))
    }
}

/// Clients whose calls travel over the wire. They do not try again by themselves: a test says what happens.
pub(crate) fn clients(tables: &Tables, wire: &Arc<Wire>) -> Clients {
    let http = SharedHttpClient::new(WireClient { inner: Builder::new().build_http(), wire: wire.clone() });
    let credentials = Credentials::new(&tables.account, "test", None, None, "test");
    macro_rules! client {
        ($sdk:ident) => {
            $sdk::Client::from_conf(
                $sdk::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::from_static("us-east-1"))
                    .credentials_provider(credentials.clone())
                    .endpoint_url(&tables.address)
                    .retry_config(RetryConfig::disabled())
                    .http_client(http.clone())
                    .build(),
            )
        };
    }
    Clients { dynamodb: client!(aws_sdk_dynamodb), sqs: client!(aws_sdk_sqs), ssm: client!(aws_sdk_ssm) }
}

#[derive(Clone, Debug)]
struct WireClient {
    inner: SharedHttpClient,
    wire: Arc<Wire>,
}

impl HttpClient for WireClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(WireConnector { inner, wire: self.wire.clone() })
    }
}

#[derive(Debug)]
struct WireConnector {
    inner: SharedHttpConnector,
    wire: Arc<Wire>,
}

impl HttpConnector for WireConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, wire) = (self.inner.clone(), self.wire.clone());
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let (service, operation) = target.split_once('.').unwrap_or_default();
            let service = service.to_owned();
            let body = request.body().bytes().unwrap_or_default();
            let call = Call {
                operation: operation.to_owned(),
                body: serde_json::from_slice(body).unwrap_or_default(),
            };
            let answer = wire.decide(&call).await;
            if answer == Answer::Throttle {
                return Ok(refusal(400, "ProvisionedThroughputExceededException"));
            }
            let response = match service.as_str() {
                "AmazonSQS" => {
                    let answer = match call.operation.as_str() {
                        "SendMessage" => wire.send_message(&call.body),
                        "SendMessageBatch" => wire.send_message_batch(&call.body),
                        // Tests say themselves when a message comes again.
                        "ChangeMessageVisibility" => json!({}),
                        other => panic!("SQS {other}"),
                    };
                    answered(200, &answer)
                }
                "AmazonSSM" => wire.parameters(&call.operation, &call.body),
                _ => inner.call(request).await?,
            };
            Ok(if answer == Answer::Lose { refusal(500, "InternalServerError") } else { response })
        })
    }
}

fn refusal(status: u16, kind: &str) -> HttpResponse {
    answered(status, &json!({"__type": format!("com.amazonaws#{kind}"), "message": kind}))
}

fn answered(status: u16, body: &Value) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), body.to_string().into());
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
