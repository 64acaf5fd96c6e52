//! The API over a real (embedded) DynamoDB, through its router.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]
#![allow(clippy::needless_pass_by_value, reason = "helpers take `json!` values as they are written")]

mod api_keys;
mod auth;
mod authorize;
mod back_in_stock;
mod bulk;
mod catalog;
mod catalog_jobs;
mod client;
mod connections;
mod consent;
mod custom_metrics;
mod dead_letters;
mod deliveries;
mod event_bodies;
mod events;
mod filter;
mod identities;
mod imports;
mod legacy;
mod limits;
mod lists;
mod merges;
mod metric_aggregates;
mod metrics;
mod obligations;
mod openapi;
mod predictions;
mod profiles;
mod segment_explain;
mod segment_history;
mod segment_preview;
mod segment_references;
mod segments;
mod tables;
mod tags;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ::api::{Api, DeadLetter, Outbox, Parts, Queue, SendError, Vault, key_digest, router};
use ::platform::{
    ApiRequest, Connection, Delivery, Description, Feed, Fetched, Mapping, Period, Platform, Rejection,
    Request as Incoming, SecretError, Secrets, Unverified, Verdict,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use canonical::{ApiEvent, Event, Instant, Money, Source};
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use runtime::Clock;
use serde_json::{Value, json};
use store::{Allowance, ApiKey, MetricRecord, OptIn, Store, StoredEvent};
use tower::ServiceExt;

const KEY: &str = "pk_test";
const COMPANY: &str = "TEST01";
/// 2026-06-17T12:00:00Z
const NOW_MS: i64 = 1_781_697_600_000;

/// The API, and what stands in for its surroundings.
struct World {
    router: Router,
    store: Store,
    outbox: Arc<Sent>,
    vault: Arc<Safe>,
    now_ms: Arc<AtomicI64>,
    /// How long it takes to look at the clock.
    step_ms: Arc<AtomicI64>,
}

#[derive(Default)]
struct Sent {
    messages: Mutex<Vec<(Queue, String)>>,
    /// What was set aside.
    dead: Mutex<Vec<Queue>>,
    /// Deliveries among it that can be looked at, and those that somebody looks at.
    letters: Mutex<Vec<DeadLetter>>,
    looked_at: Mutex<Vec<DeadLetter>>,
    broken: AtomicBool,
}

struct SharedOutbox(Arc<Sent>);

impl Outbox for SharedOutbox {
    fn send(&self, queue: Queue, message: String) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move {
            if self.0.broken.load(Ordering::SeqCst) {
                return Err(SendError("down".to_owned()));
            }
            self.0.messages.lock().unwrap().push((queue, message));
            Ok(())
        })
    }

    fn send_all(&self, queue: Queue, messages: Vec<String>) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move {
            for message in messages {
                self.send(queue, message).await?;
            }
            Ok(())
        })
    }

    fn dead_letters(&self, queue: Queue) -> BoxFuture<'_, Result<u64, SendError>> {
        let dead = self.0.dead.lock().unwrap();
        let count = dead.iter().filter(|of| **of == queue).count() as u64;
        Box::pin(async move { Ok(count) })
    }

    fn replay(&self, queue: Queue) -> BoxFuture<'_, Result<(), SendError>> {
        self.0.dead.lock().unwrap().retain(|of| *of != queue);
        Box::pin(async { Ok(()) })
    }

    fn look_at_dead(&self, _: Queue) -> BoxFuture<'_, Result<Vec<DeadLetter>, SendError>> {
        let mut letters = self.0.letters.lock().unwrap();
        let count = letters.len().min(2);
        let some: Vec<DeadLetter> = letters.drain(..count).collect();
        self.0.looked_at.lock().unwrap().extend(some.clone());
        Box::pin(async { Ok(some) })
    }

    fn revive<'a>(&'a self, queue: Queue, letter: &'a DeadLetter) -> BoxFuture<'a, Result<(), SendError>> {
        self.0.looked_at.lock().unwrap().retain(|other| other.handle != letter.handle);
        self.send(queue, letter.message.clone())
    }

    fn leave_dead<'a>(&'a self, _: Queue, letter: &'a DeadLetter) -> BoxFuture<'a, Result<(), SendError>> {
        self.0.looked_at.lock().unwrap().retain(|other| other.handle != letter.handle);
        self.0.letters.lock().unwrap().push(letter.clone());
        Box::pin(async { Ok(()) })
    }
}

#[derive(Default)]
struct Safe(Mutex<BTreeMap<String, Secrets>>);

struct SharedVault(Arc<Safe>);

impl Vault for SharedVault {
    fn get<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<Secrets, SecretError>> {
        Box::pin(async move { Ok(self.0.0.lock().unwrap().get(connection).cloned().unwrap_or_default()) })
    }

    fn put<'a>(
        &'a self,
        connection: &'a str,
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<(), SecretError>> {
        Box::pin(async move {
            self.0.0.lock().unwrap().insert(connection.to_owned(), secrets.clone());
            Ok(())
        })
    }

    fn delete<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<(), SecretError>> {
        Box::pin(async move {
            self.0.0.lock().unwrap().remove(connection);
            Ok(())
        })
    }
}

/// A platform that exists only here.
struct AnyShop;

impl Platform for AnyShop {
    fn name(&self) -> &'static str {
        "anyshop"
    }

    fn description(&self) -> Description {
        Description {
            title: "Any Shop",
            settings: json!({
                "type": "object",
                "required": ["shop"],
                "properties": {"shop": {"type": "string"}, "import": {"type": "boolean"}},
            }),
            secrets: json!({
                "type": "object",
                "required": ["webhook_secret"],
                "properties": {
                    "webhook_secret": {"type": "string", "minLength": 8},
                    "token": {"type": "string"},
                },
            }),
        }
    }

    fn verify(&self, _: &Incoming, _: Unverified, _: &Connection, _: &Secrets, _: Timestamp) -> Verdict {
        Verdict::Reject(Rejection::Missing)
    }

    fn facts(&self, _: &Delivery, _: &Connection, _: &[Fetched]) -> Mapping {
        Mapping::Ignore("test")
    }

    fn feeds(&self, connection: &Connection, _: &Period) -> Vec<Feed> {
        let request = ApiRequest::get("https://anyshop.example/orders");
        let has_past = connection.text("shop") == Some("past");
        has_past.then_some(Feed { name: "orders", request }).into_iter().collect()
    }
}

/// An answer.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Reply {
    /// The first error's status and place.
    fn error(&self) -> (u16, &str) {
        let error = &self.body["errors"][0];
        for name in ["id", "code", "title", "detail"] {
            assert!(error[name].as_str().is_some_and(|text| !text.is_empty()), "{name} in {}", self.body);
        }
        assert_eq!(error["status"], self.status.as_u16());
        let source = &error["source"];
        (
            self.status.as_u16(),
            source["pointer"].as_str().or(source["parameter"].as_str()).unwrap_or_default(),
        )
    }

    fn id(&self) -> String {
        self.body["data"]["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.body)).to_owned()
    }

    fn ids(&self) -> Vec<&str> {
        self.body["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
    }

    fn next(&self) -> Option<String> {
        self.body["links"]["next"].as_str().map(str::to_owned)
    }
}

/// Asks one process.
async fn ask(router: &Router, request: Request<Body>) -> Reply {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    if !bytes.is_empty() {
        // A schema is a document of its own; everything else, errors included, is JSON:API's.
        let kind = if body.get("$schema").is_some() { "schema" } else { "vnd.api" };
        assert_eq!(parts.headers["content-type"], format!("application/{kind}+json"));
    }
    openapi::check(&method, &uri, parts.status, &body);
    Reply { status: parts.status, headers: parts.headers, body }
}

impl World {
    async fn new() -> Self {
        Self::over(tables::store().await).await
    }

    /// With what somebody must do who subscribes without a list.
    async fn opting_in(process: OptIn) -> Self {
        let world = Self::new().await;
        let router = router(Arc::new(world.api().opting_in(process)));
        Self { router, ..world }
    }

    async fn over(store: Store) -> Self {
        let world = Self {
            router: Router::new(),
            store,
            outbox: Arc::default(),
            vault: Arc::default(),
            now_ms: Arc::new(AtomicI64::new(NOW_MS)),
            step_ms: Arc::default(),
        };
        world.add_key(KEY, &["*"]).await;
        Self { router: world.instance(), ..world }
    }

    /// A further process with the same tables.
    fn instance(&self) -> Router {
        router(Arc::new(self.api()))
    }

    fn api(&self) -> Api {
        static PLATFORMS: &[&dyn Platform] = &[&AnyShop];
        let counter = AtomicU64::new(1);
        let (now_ms, step_ms) = (self.now_ms.clone(), self.step_ms.clone());
        Api::new(Parts {
            store: self.store.clone(),
            outbox: Box::new(SharedOutbox(self.outbox.clone())),
            vault: Box::new(SharedVault(self.vault.clone())),
            platforms: PLATFORMS,
            clock: Clock::from_fn(move || {
                let step_ms = step_ms.load(Ordering::SeqCst);
                Timestamp::from_millisecond(now_ms.fetch_add(step_ms, Ordering::SeqCst)).unwrap()
            }),
            random: Box::new(move || u128::from(counter.fetch_add(1, Ordering::SeqCst))),
            public_url: None,
            zone: TimeZone::UTC,
        })
        .known_as(COMPANY)
    }

    async fn add_key(&self, key: &str, scopes: &[&str]) {
        self.add_limited_key(key, scopes, None).await;
    }

    async fn add_limited_key(&self, key: &str, scopes: &[&str], limit: Option<Allowance>) {
        let key_record = ApiKey {
            name: key.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            limit,
            created_at: self.now(),
        };
        self.store.put_api_key(&key_digest(key), &key_record).await.unwrap();
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.now_ms.load(Ordering::SeqCst)).unwrap()
    }

    fn pass(&self, millis: i64) {
        self.now_ms.fetch_add(millis, Ordering::SeqCst);
    }

    async fn request(&self, request: Request<Body>) -> Reply {
        ask(&self.router, request).await
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "api.example.com")
            .header("x-forwarded-proto", "https")
            .header("authorization", format!("Klaviyo-API-Key {KEY}"))
            .header("revision", "2026-07-15")
            .header("content-type", "application/vnd.api+json");
        self.request(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, &path.replace("https://api.example.com", ""), Body::empty()).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, body.to_string()).await
    }

    /// Sends a file.
    async fn upload(&self, path: &str, content_type: &str, body: &str) -> Reply {
        let request = Request::post(path)
            .header("host", "api.example.com")
            .header("x-forwarded-proto", "https")
            .header("authorization", format!("Klaviyo-API-Key {KEY}"))
            .header("content-type", content_type);
        self.request(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, body.to_string()).await
    }

    async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, Body::empty()).await
    }

    /// Messages of one queue, oldest first.
    fn sent(&self, queue: Queue) -> Vec<String> {
        let messages = self.outbox.messages.lock().unwrap();
        messages.iter().filter(|(to, _)| *to == queue).map(|(_, message)| message.clone()).collect()
    }

    /// The last event that was handed to the mapper.
    fn last_event(&self) -> (Delivery, ApiEvent) {
        let message = self.sent(Queue::RawDeliveries).pop().unwrap();
        let delivery = Delivery::from_message(&message).unwrap();
        let event = serde_json::from_slice(&delivery.body).unwrap();
        (delivery, event)
    }

    /// All events that were handed to the mapper.
    fn api_events(&self) -> Vec<ApiEvent> {
        let deliveries =
            self.sent(Queue::RawDeliveries).into_iter().map(|sent| Delivery::from_message(&sent).unwrap());
        deliveries.map(|delivery| serde_json::from_slice(&delivery.body).unwrap()).collect()
    }

    async fn profile(&self, email: &str) -> String {
        let body = json!({"data": {"type": "profile", "attributes": {"email": email}}});
        let reply = self.post("/api/profiles", body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
        reply.id()
    }

    /// Records an event as the mapper would. `at_s` is in seconds.
    async fn record(&self, profile: &str, metric: &str, key: &str, at_s: i64, value: Option<&str>) {
        let metric_id = store::metric_id("api", metric);
        let record = MetricRecord {
            id: metric_id.clone(),
            name: metric.to_owned(),
            integration: "api".to_owned(),
            canonical: None,
            created_at: self.now(),
            updated_at: self.now(),
        };
        self.store.ensure_metric(record).await.unwrap();
        let event = Event {
            id: Event::id_of("", metric, &[key]),
            metric: metric.to_owned(),
            source_metric: None,
            occurred_at: Instant::from_millis(at_s * 1000).unwrap(),
            value: value.map(|value| Money::new(value.parse().unwrap(), "EUR".parse().unwrap())),
            properties: serde_json::from_value(json!({"OrderId": key})).unwrap(),
            source: Source {
                platform: "api".to_owned(),
                connection: String::new(),
                topic: "events".to_owned(),
                delivery_id: "d".to_owned(),
            },
            backfill: false,
        };
        let stored =
            StoredEvent { profile_id: profile.to_owned(), metric_id, ingested_at: self.now(), event };
        self.store.put_event(&stored).await.unwrap();
    }
}
