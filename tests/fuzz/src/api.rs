//! The HTTP API, over tables in which there is nothing but the key it is asked with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::api::{Api, DeadLetter, Outbox, Parts, Queue, SendError, Vault, router};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use axum::Router;
use axum::body::{Body, to_bytes};
use futures::future::BoxFuture;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use platform::{SecretError, Secrets};
use runtime::Clock;
use serde_json::{Value, json};
use store::Store;
use tokio::runtime::Runtime;
use tower::ServiceExt;

thread_local! {
    static WORLD: (Runtime, Router) = (
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap(),
        router(Arc::new(api())),
    );
}

/// `METHOD path`, headers, a blank line, a body: whatever is asked, the answer is no failure, and says so in JSON if it refuses.
pub(crate) fn answer(input: &[u8]) {
    let Some(request) = request(input) else { return };
    let is_for_programs = request.uri().path().trim_start_matches('/').starts_with("api/");
    let (status, kind, body) = WORLD.with(|(runtime, router)| {
        runtime.block_on(async {
            let response = router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let kind = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().ends_with(b"json"));
            (parts.status.as_u16(), kind, to_bytes(body, usize::MAX).await.unwrap())
        })
    });
    // 503 is what needs a platform that is asked.
    assert!(status < 500 || status == 503, "{status}: {}", String::from_utf8_lossy(&body));
    if kind {
        let json: Value = serde_json::from_slice(&body).expect("JSON");
        assert!(status < 400 || !is_for_programs || json["errors"][0]["detail"].is_string(), "{json}");
    }
}

fn request(input: &[u8]) -> Option<Request<Body>> {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let head = String::from_utf8_lossy(&input[..end]);
    let mut lines = head.lines();
    let (method, path) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let body = input.get(end + 2..).unwrap_or_default().to_vec();
    let mut request = request.body(Body::from(body)).ok()?;
    let key = "Klaviyo-API-Key pk_fuzz".parse().unwrap();
    request.headers_mut().entry(AUTHORIZATION).or_insert(key);
    Some(request)
}

fn api() -> Api {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url("http://tables.invalid")
        .retry_config(RetryConfig::disabled())
        .http_client(Tables)
        .build();
    let names = ["profiles", "orders", "registry"].map(str::to_owned);
    let [profiles, orders, registry] = names;
    let ids = AtomicU64::new(1);
    Api::new(Parts {
        store: Store::new(Client::from_conf(config), profiles, orders, registry),
        outbox: Box::new(Nobody),
        vault: Box::new(Nobody),
        platforms: platforms::PLATFORMS,
        clock: Clock::from_fn(|| Timestamp::from_millisecond(1_781_697_600_000).unwrap()),
        random: Box::new(move || ids.fetch_add(1, Ordering::Relaxed).into()),
        public_url: None,
        zone: TimeZone::UTC,
    })
    .known_as("TEST01")
}

/// Tables that take everything and hold one key to the API.
#[derive(Clone, Debug)]
struct Tables;

impl HttpClient for Tables {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Tables {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let asked: Value =
            serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let answer = match target.rsplit_once('.').unwrap_or_default().1 {
            "GetItem" if asked["Key"]["pk"]["S"] == "key" => json!({"Item": key(&asked["Key"])}),
            "Query" | "Scan" => json!({"Items": [], "Count": 0, "ScannedCount": 0}),
            "BatchGetItem" => json!({"Responses": {}, "UnprocessedKeys": {}}),
            "BatchWriteItem" => json!({"UnprocessedItems": {}}),
            _ => json!({}),
        };
        let mut response = HttpResponse::new(200.try_into().unwrap(), answer.to_string().into());
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// A key that may do everything.
fn key(names: &Value) -> Value {
    let document = json!({"name": "fuzz", "scopes": ["*"], "created_at": "2026-01-01T00:00:00Z"});
    json!({"pk": names["pk"], "sk": names["sk"], "doc": {"S": document.to_string()}})
}

/// Takes every message, and has no secret.
struct Nobody;

impl Outbox for Nobody {
    fn send(&self, _: Queue, _: String) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }

    fn send_all(&self, _: Queue, _: Vec<String>) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }

    fn dead_letters(&self, _: Queue) -> BoxFuture<'_, Result<u64, SendError>> {
        Box::pin(async { Ok(0) })
    }

    fn replay(&self, _: Queue) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }

    fn look_at_dead(&self, _: Queue) -> BoxFuture<'_, Result<Vec<DeadLetter>, SendError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn revive<'a>(&'a self, _: Queue, _: &'a DeadLetter) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }

    fn leave_dead<'a>(&'a self, _: Queue, _: &'a DeadLetter) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Vault for Nobody {
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Secrets, SecretError>> {
        Box::pin(async { Ok(Secrets::default()) })
    }

    fn put<'a>(&'a self, _: &'a str, _: &'a Secrets) -> BoxFuture<'a, Result<(), SecretError>> {
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), SecretError>> {
        Box::pin(async { Ok(()) })
    }
}
