//! Requests to a server on this machine.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod answers;
mod bounds;
mod requests;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use fetch::{Error, Fetcher, Hosts, Limits};
use jiff::Timestamp;
use platform::{ApiRequest, Fetched, Secrets};
use runtime::Clock;
use tokio::net::TcpListener;

/// 2026-06-17T12:00:00Z.
const NOW_MS: i64 = 1_781_697_600_000;

/// A platform that answers as the test says, a client, and a clock.
struct Shop {
    address: SocketAddr,
    fetcher: Fetcher,
    now_ms: Arc<AtomicI64>,
    requests: Arc<AtomicUsize>,
    secrets: Secrets,
}

impl Shop {
    async fn open(answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let router = Router::new().fallback(move |request: Request| {
            counter.fetch_add(1, Ordering::SeqCst);
            let response = answer(request);
            async move {
                if let Some(Hang) = response.extensions().get::<Hang>() {
                    std::future::pending::<()>().await;
                }
                response
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self::at(address, requests)
    }

    fn at(address: SocketAddr, requests: Arc<AtomicUsize>) -> Self {
        let now_ms = Arc::new(AtomicI64::new(NOW_MS));
        let clock_ms = Arc::clone(&now_ms);
        let clock =
            Clock::from_fn(move || Timestamp::from_millisecond(clock_ms.load(Ordering::SeqCst)).unwrap());
        let limits = Limits {
            connect: Duration::from_secs(1),
            total: Duration::from_millis(500),
            body_bytes: 64 * 1024,
        };
        let fetcher = Fetcher::with_limits(Hosts::Any, limits, clock);
        let mut secrets = Secrets::default();
        secrets.rotate("token", "s3cret".to_owned());
        Self { address, fetcher, now_ms, requests, secrets }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// GET, for the connection `C1`.
    async fn get(&self, path: &str) -> Result<Fetched, Error> {
        self.ask("C1", &ApiRequest::get(self.url(path))).await
    }

    async fn ask(&self, connection: &str, request: &ApiRequest) -> Result<Fetched, Error> {
        self.fetcher.fetch(connection, request, &self.secrets).await
    }

    fn pass(&self, millis: i64) {
        self.now_ms.fetch_add(millis, Ordering::SeqCst);
    }

    /// Requests that reached the shop.
    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// In an answer's extensions: it never comes.
#[derive(Clone)]
struct Hang;

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

fn hang() -> Response {
    let mut response = answer(200, &[], "");
    response.extensions_mut().insert(Hang);
    response
}

/// Answers in turn; the last for ever.
fn in_turn(answers: Vec<fn() -> Response>) -> impl Fn(Request) -> Response + Clone + Send + Sync {
    let turn = Arc::new(Mutex::new(0));
    move |_| {
        let mut turn = turn.lock().unwrap();
        let answer = answers[*turn];
        *turn = (*turn + 1).min(answers.len() - 1);
        answer()
    }
}

fn later(reason: &str, after: Option<Duration>) -> Error {
    Error::Later { reason: reason.to_owned(), after }
}
