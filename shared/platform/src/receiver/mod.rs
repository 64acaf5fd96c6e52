//! The receiver: one Lambda function per platform, all of them this code with another adapter. It verifies, wraps,
//! enqueues and answers; it parses nothing that is not verified, and keeps nothing in memory between requests but
//! connections and their secrets, public keys, and counts that are not written down yet.

mod key_cache;
mod notes;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use runtime::{Clients, Clock, Config};
use serde_json::json;
use store::{ConnectionRecord, ConnectionStatus, Store};

use crate::adapter::{Connection, Headers, Platform, Rejection, Request, Secrets, Verdict};
use crate::envelope::Unverified;
use crate::queue::{MAX_BODY_BYTES, Parcel};
use crate::raw_queue::RawQueue;
use crate::secret_store::SecretStore;

pub use key_cache::KeySource;

use key_cache::KeyCache;
use notes::Notes;

/// When a request is answered at the latest: the function's time-out is 10 s, and platforms have no more patience.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// How long a connection and its secrets are used before they are read again.
const FRESH_MS: i64 = 60_000;
/// A signature that does not match makes the receiver read the secrets again at most this often: a rotation takes
/// effect at once, and a flood of bad signatures does not become a flood of reads.
const REREAD_MS: i64 = 5_000;
/// Connections remembered before all are forgotten: a bound, not a tuning.
const MAX_REMEMBERED: usize = 10_000;
/// Ids of connections are not longer.
const MAX_ID: usize = 64;
/// The header of an answer that says under which id the delivery is followed.
const DELIVERY: &str = "tillstream-delivery";

/// Answers deliveries of one platform.
pub struct Receiver {
    platform: &'static dyn Platform,
    store: Store,
    secrets: SecretStore,
    queue: RawQueue,
    clock: Clock,
    remembered: Mutex<HashMap<String, Arc<Known>>>,
    keys: KeyCache,
    notes: Notes,
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
    Enqueue {
        /// The queue's text, and what must be stored before.
        parcel: Parcel,
        /// The body of the answer.
        answer: &'static str,
    },
    /// Fetch these public keys and judge again.
    FetchKeys(Vec<String>),
    /// Answer at once.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The outcome's name for the counter.
        outcome: &'static str,
        /// The topic, where one is known.
        topic: Option<String>,
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
        Verdict::Accept(verified) => {
            let answer = verified.answer;
            match verified.into_delivery(connection, now).to_parcel() {
                Ok(parcel) => Decision::Enqueue { parcel, answer },
                Err(_) => too_large(),
            }
        }
        Verdict::Ignore { reason, topic, body } => {
            Decision::Answer { status: 200, outcome: reason, topic, body }
        }
        Verdict::Keys(addresses) => Decision::FetchKeys(addresses),
        Verdict::Reject(rejection) => Decision::Refuse(rejection),
    }
}

/// Whether a text may be a connection's id: what is none costs no look into the table.
fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(plain)
}

fn too_large() -> Decision {
    error(413, "too_large", "the body is larger than this receiver takes")
}

fn error(status: u16, outcome: &'static str, detail: &str) -> Decision {
    let title = outcome.replace('_', " ");
    let body = json!({"errors": [{"status": status.to_string(), "code": outcome, "title": title, "detail": detail}]});
    Decision::Answer { status, outcome, topic: None, body: body.to_string() }
}

impl Receiver {
    /// From the function's configuration.
    pub fn new(
        platform: &'static dyn Platform,
        config: &Config,
        clients: &Clients,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        // The profiles are out of reach: the function's role allows nothing there.
        let (orders, registry) = (config.required("ORDERS_TABLE")?, config.required("REGISTRY_TABLE")?);
        let store = Store::new(clients.dynamodb.clone(), String::new(), orders, registry);
        let queue_url = config.required("RAW_DELIVERIES_QUEUE_URL")?;
        Ok(Self {
            platform,
            queue: RawQueue::new(clients.sqs.clone(), queue_url, store.clone()),
            store,
            secrets: SecretStore::new(clients.ssm.clone(), &config.required("SECRETS_PATH")?),
            clock,
            remembered: Mutex::default(),
            keys: KeyCache::default(),
            notes: Notes::default(),
        })
    }

    /// With a source of public keys.
    #[must_use]
    pub fn with_keys(self, key_source: Arc<dyn KeySource>) -> Self {
        Self { keys: KeyCache::new(key_source), ..self }
    }

    /// Serves one request of the HTTP API. Always answers: what fails here is the platform's to send again.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> anyhow::Result<ApiGatewayV2httpResponse> {
        let mut accepted = None;
        let decision = match tokio::time::timeout(ANSWER_WITHIN, self.serve(event, &mut accepted)).await {
            Ok(decision) => decision,
            Err(_) => self.unavailable(&anyhow::anyhow!("it takes too long")),
        };
        let (status, outcome, body) = match decision {
            Decision::Answer { status, outcome, body, .. } => (status, outcome, body),
            Decision::Refuse(rejection) => {
                tracing::info!(platform = self.platform.name(), reason = %rejection, "delivery refused");
                match error(401, "unauthorized", &rejection.to_string()) {
                    Decision::Answer { status, outcome, body, .. } => (status, outcome, body),
                    _ => (401, "unauthorized", String::new()),
                }
            }
            // Neither leaves `serve`.
            Decision::Enqueue { .. } | Decision::FetchKeys(_) => (500, "undecided", String::new()),
        };
        runtime::metrics::count("deliveries", self.platform.name(), outcome, 1);
        let mut headers = HeaderMap::new();
        let kind = if body.starts_with('{') { "application/json" } else { "text/plain; charset=utf-8" };
        headers.insert(HeaderName::from_static("content-type"), HeaderValue::from_static(kind));
        if status == 503 {
            headers.insert(HeaderName::from_static("retry-after"), HeaderValue::from_static("5"));
        }
        if let Some(id) = accepted.and_then(|id| HeaderValue::try_from(id).ok()) {
            headers.insert(HeaderName::from_static(DELIVERY), id);
        }
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = status.into();
        response.headers = headers;
        response.body = Some(Body::Text(body));
        Ok(response)
    }

    /// Of what is in the queue, `accepted` becomes the id.
    async fn serve(&self, event: ApiGatewayV2httpRequest, accepted: &mut Option<String>) -> Decision {
        let Some(id) = event.path_parameters.get("connection_id").filter(|id| is_id(id)).cloned() else {
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
        let mut request = Request {
            method: event.request_context.http.method.to_string(),
            query: event.raw_query_string.unwrap_or_default(),
            headers,
            keys: BTreeMap::new(),
        };

        let known = match self.known(&id, FRESH_MS).await {
            Ok(Some(known)) => known,
            Ok(None) => return error(404, "unknown_connection", "there is no such connection"),
            Err(unavailable) => return self.unavailable(&unavailable),
        };
        let mut decision = self.judge(&mut request, &body, &known).await;
        if matches!(decision, Decision::Refuse(Rejection::Mismatch | Rejection::NoSecret)) {
            match self.known(&id, REREAD_MS).await {
                Ok(Some(newer)) if newer.read_at_ms > known.read_at_ms => {
                    decision = self.judge(&mut request, &body, &newer).await;
                }
                Ok(_) => {}
                Err(unavailable) => return self.unavailable(&unavailable),
            }
        }
        let (mut parcel, answer) = match decision {
            Decision::Enqueue { parcel, answer } => (parcel, answer),
            other => {
                self.notes.take(&self.store, &id, &other, self.clock.now_ms()).await;
                return other;
            }
        };
        let delivery = std::mem::take(&mut parcel.id);
        match self.queue.send(&id, parcel, self.clock.now()).await {
            Ok(()) => {
                *accepted = Some(delivery);
                Decision::Answer { status: 200, outcome: "accepted", topic: None, body: answer.to_owned() }
            }
            Err(error) => self.unavailable(&error),
        }
    }

    /// Decides; if the platform signs with keys it publishes, fetches those that are not at hand and decides again.
    async fn judge(&self, request: &mut Request, body: &[u8], known: &Known) -> Decision {
        let now = self.clock.now();
        let judge = |request: &Request| {
            decide(self.platform, request, body.to_vec(), &known.connection, &known.secrets, now)
        };
        let addresses = match judge(request) {
            Decision::FetchKeys(addresses) => addresses,
            decision => return decision,
        };
        let missing = self.keys.fetch(addresses, now, &mut request.keys).await;
        match (judge(request), missing) {
            // Of several keys one may be enough; if not, the others are still needed.
            (Decision::FetchKeys(_), Some(error)) => self.unavailable(&error),
            // Asked twice for the same: there is no such key.
            (Decision::FetchKeys(_), None) => Decision::Refuse(Rejection::NoSecret),
            (decision, _) => decision,
        }
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
        let usable = |record: &ConnectionRecord| {
            record.platform == self.platform.name() && record.status != ConnectionStatus::Disabled
        };
        let Some(record) = self.store.connection(id).await?.filter(usable) else {
            self.remembered.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
            return Ok(None);
        };
        // Only now: invented ids must not use up what Parameter Store answers in a second.
        let secrets = self.secrets.get(id).await?;
        let connection = Connection { id: record.id, platform: record.platform, settings: record.settings };
        let known = Arc::new(Known { connection, secrets, read_at_ms: now_ms });
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
    serve(platform, |receiver| receiver).await
}

/// [`run`], for a platform that signs with keys it publishes.
pub async fn run_with_keys(
    platform: &'static dyn Platform,
    key_source: Arc<dyn KeySource>,
) -> Result<(), lambda_runtime::Error> {
    serve(platform, |receiver| receiver.with_keys(key_source)).await
}

async fn serve(
    platform: &'static dyn Platform,
    complete: impl FnOnce(Receiver) -> Receiver,
) -> Result<(), lambda_runtime::Error> {
    runtime::init();
    let receiver = Receiver::new(platform, &Config::from_env(), &Clients::from_env().await, Clock::system())?;
    let receiver = complete(receiver);
    runtime::run(|event| receiver.handle(event)).await
}
