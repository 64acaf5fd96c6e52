//! What goes wrong between a platform and whoever asks it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::now;
use crate::past::Past;
use crate::random::Random;

/// Requests of a thousand that go wrong; each in one of five ways.
const WRONG: u64 = 50;
/// A slow answer; requests are given up after ten seconds.
const SLOW: Duration = Duration::from_millis(1500);
/// Requests between two changes of an order.
const CHANGES: u64 = 10;

/// Decides what goes wrong, by a seed.
pub struct Trouble {
    random: Mutex<Random>,
    past: Arc<Past>,
    /// Whether anything does.
    any: bool,
    requests: AtomicU64,
    failed: AtomicU64,
}

impl Trouble {
    pub(crate) fn new(seed: u64, past: Arc<Past>) -> Self {
        let random = Mutex::new(Random(seed));
        Self { random, past, any: true, requests: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    /// Only counts.
    pub(crate) fn none(past: Arc<Past>) -> Self {
        Self { any: false, ..Self::new(0, past) }
    }

    /// Requests that came, and how many of them were not answered as they should.
    pub fn requests(&self) -> (u64, u64) {
        (self.requests.load(Ordering::SeqCst), self.failed.load(Ordering::SeqCst))
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap().below(bound)
    }
}

/// The API with trouble in front of it.
pub(crate) fn with(router: Router, trouble: Arc<Trouble>) -> Router {
    router.layer(from_fn_with_state(trouble, answer))
}

async fn answer(State(trouble): State<Arc<Trouble>>, request: Request, next: Next) -> Response {
    let number = trouble.requests.fetch_add(1, Ordering::SeqCst);
    if !trouble.any {
        return next.run(request).await;
    }
    if number % CHANGES == CHANGES - 1 {
        trouble.past.touch(trouble.below(u64::MAX), now());
    }
    if trouble.below(1000) >= WRONG {
        return next.run(request).await;
    }
    trouble.failed.fetch_add(1, Ordering::SeqCst);
    match trouble.below(5) {
        0 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        2 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
        3 => {
            tokio::time::sleep(SLOW).await;
            next.run(request).await
        }
        // The connection breaks in the middle of the answer.
        _ => {
            let broken = futures::stream::iter([Ok("["), Err(io::Error::other("broken"))]);
            Response::new(Body::from_stream(broken))
        }
    }
}
