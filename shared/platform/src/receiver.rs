//! The receiver: one Lambda function per platform, all of them this code with another adapter. It verifies, wraps,
//! enqueues and answers; it parses nothing that is not verified, and keeps nothing in memory between requests but
//! connections and their secrets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::{HeaderMap, HeaderName, HeaderValue};
use aws_sdk_sqs::error::DisplayErrorContext;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use runtime::{Clients, Clock, Config};
use serde_json::json;
use store::{ConnectionRecord, ConnectionStatus, Store};

use crate::adapter::{Connection, Headers, Platform, Rejection, Request, Secrets, Verdict};
use crate::envelope::Unverified;
use crate::queue::MAX_BODY_BYTES;
use crate::secret_store::SecretStore;

/// How long a connection and its secrets are used before they are read again.
const FRESH_MS: i64 = 60_000;
/// A signature that does not match makes the receiver read the secrets again at most this often: a rotation takes
/// effect at once, and a flood of bad signatures does not become a flood of reads.
const REREAD_MS: i64 = 5_000;
/// Connections remembered before all are forgotten: a bound, not a tuning.
const MAX_REMEMBERED: usize = 10_000;

/// Answers deliveries of one platform.
pub struct Receiver {
    platform: &'static dyn Platform,
    store: Store,
    secrets: SecretStore,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    clock: Clock,
    remembered: Mutex<HashMap<String, Arc<Known>>>,
}

struct Known {
    connection: Connection,
    secrets: Secrets,
    read_at_ms: i64,
}

/// What to do with a request, once connection and secrets are at hand.
#[derive(Debug)]
pub enum Decision {
    /// Put this into the queue, then answer 200.
    Enqueue(String),
    /// Answer at once.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The outcome's name for the counter.
        outcome: &'static str,
        /// The body.
        body: String,
    },
    /// The signature is not right; with newer secrets it might be.
    Refuse(Rejection),
}

/// Judges a request without any IO.
pub fn decide(
    platform: &dyn Platform,
    request: &Request,
    body: Vec<u8>,
    connection: &Connection,
    secrets: &Secrets,
    now: Timestamp,
) -> Decision {
    match platform.verify(request, Unverified::new(body), connection, secrets, now) {
        Verdict::Accept(verified) => match verified.into_delivery(connection, now).to_message() {
            Ok(message) => Decision::Enqueue(message),
            Err(_) => too_large(),
        },
        Verdict::Ignore { reason, body } => Decision::Answer { status: 200, outcome: reason, body },
        Verdict::Reject(rejection) => Decision::Refuse(rejection),
    }
}

fn too_large() -> Decision {
    error(413, "too_large", "the body is larger than this receiver takes")
}

fn error(status: u16, outcome: &'static str, detail: &str) -> Decision {
    let title = outcome.replace('_', " ");
    let body = json!({"errors": [{"status": status.to_string(), "code": outcome, "title": title, "detail": detail}]});
    Decision::Answer { status, outcome, body: body.to_string() }
}

impl Receiver {
    /// From the function's configuration.
    pub fn new(
        platform: &'static dyn Platform,
        config: &Config,
        clients: &Clients,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        // Only the registry is read: the function's role allows nothing else.
        let registry = config.required("REGISTRY_TABLE")?;
        Ok(Self {
            platform,
            store: Store::new(clients.dynamodb.clone(), String::new(), String::new(), registry),
            secrets: SecretStore::new(clients.ssm.clone(), &config.required("SECRETS_PATH")?),
            sqs: clients.sqs.clone(),
            queue_url: config.required("RAW_DELIVERIES_QUEUE_URL")?,
            clock,
            remembered: Mutex::default(),
        })
    }

    /// Serves one request of the HTTP API. Always answers: what fails here is the platform's to send again.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> anyhow::Result<ApiGatewayV2httpResponse> {
        let (status, outcome, body) = match self.serve(event).await {
            Decision::Enqueue(_) => (200, "accepted", String::new()),
            Decision::Answer { status, outcome, body } => (status, outcome, body),
            Decision::Refuse(rejection) => {
                tracing::info!(platform = self.platform.name(), reason = %rejection, "delivery refused");
                match error(401, "unauthorized", &rejection.to_string()) {
                    Decision::Answer { status, outcome, body } => (status, outcome, body),
                    _ => (401, "unauthorized", String::new()),
                }
            }
        };
        runtime::metrics::count("deliveries", self.platform.name(), outcome, 1);
        let mut headers = HeaderMap::new();
        if body.starts_with('{') {
            headers.insert(
                HeaderName::from_static("content-type"),
                HeaderValue::from_static("application/json"),
            );
        }
        if status == 503 {
            headers.insert(HeaderName::from_static("retry-after"), HeaderValue::from_static("5"));
        }
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = status.into();
        response.headers = headers;
        response.body = Some(Body::Text(body));
        Ok(response)
    }

    async fn serve(&self, event: ApiGatewayV2httpRequest) -> Decision {
        let Some(id) = event.path_parameters.get("connection_id").cloned() else {
            return error(404, "unknown_connection", "the address names no connection");
        };
        let encoded = event.body.unwrap_or_default();
        if encoded.len() > MAX_BODY_BYTES / 3 * 4 + 4 {
            return too_large();
        }
        let body = if event.is_base64_encoded {
            match STANDARD.decode(encoded) {
                Ok(body) => body,
                Err(_) => return error(400, "bad_encoding", "the body is not base 64"),
            }
        } else {
            encoded.into_bytes()
        };
        if body.len() > MAX_BODY_BYTES {
            return too_large();
        }
        let headers: Headers = event
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let request = Request {
            method: event.request_context.http.method.to_string(),
            query: event.raw_query_string.unwrap_or_default(),
            headers,
        };

        let known = match self.known(&id, FRESH_MS).await {
            Ok(Some(known)) => known,
            Ok(None) => return error(404, "unknown_connection", "there is no such connection"),
            Err(unavailable) => return self.unavailable(&unavailable),
        };
        let mut decision = self.judge(&request, body.clone(), &known);
        if matches!(decision, Decision::Refuse(Rejection::Mismatch | Rejection::NoSecret)) {
            match self.known(&id, REREAD_MS).await {
                Ok(Some(newer)) if newer.read_at_ms > known.read_at_ms => {
                    decision = self.judge(&request, body, &newer);
                }
                Ok(_) => {}
                Err(unavailable) => return self.unavailable(&unavailable),
            }
        }
        let Decision::Enqueue(message) = decision else { return decision };
        // The group gives one shop's flood no precedence over the others (fair queues).
        let send =
            self.sqs.send_message().queue_url(&self.queue_url).message_body(message).message_group_id(&id);
        match send.send().await {
            Ok(_) => Decision::Enqueue(String::new()),
            Err(error) => self.unavailable(&anyhow::anyhow!("{}", DisplayErrorContext(error))),
        }
    }

    fn judge(&self, request: &Request, body: Vec<u8>, known: &Known) -> Decision {
        decide(self.platform, request, body, &known.connection, &known.secrets, self.clock.now())
    }

    fn unavailable(&self, cause: &anyhow::Error) -> Decision {
        tracing::error!(
            platform = self.platform.name(),
            error = format!("{cause:#}"),
            "delivery cannot be taken now"
        );
        error(503, "unavailable", "try again later")
    }

    /// A connection of this platform that takes deliveries, not older than `max_age_ms`.
    async fn known(&self, id: &str, max_age_ms: i64) -> anyhow::Result<Option<Arc<Known>>> {
        let now_ms = self.clock.now_ms();
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(known) = remembered.filter(|known| now_ms - known.read_at_ms < max_age_ms) {
            return Ok(Some(known));
        }
        let (record, secrets) = futures::join!(self.store.connection(id), self.secrets.get(id));
        let usable = |record: &ConnectionRecord| {
            record.platform == self.platform.name() && record.status != ConnectionStatus::Disabled
        };
        let Some(record) = record?.filter(usable) else {
            self.remembered.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
            return Ok(None);
        };
        let connection = Connection { id: record.id, platform: record.platform, settings: record.settings };
        let known = Arc::new(Known { connection, secrets: secrets?, read_at_ms: now_ms });
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(id.to_owned(), Arc::clone(&known));
        Ok(Some(known))
    }
}

/// What a receiver's `main` does: logs, configuration, clients once, serve.
pub async fn run(platform: &'static dyn Platform) -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let receiver = Receiver::new(platform, &Config::from_env(), &Clients::from_env().await, Clock::system())?;
    runtime::run(|event| receiver.handle(event)).await
}
