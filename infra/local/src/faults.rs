//! Trouble on purpose: what goes wrong between the functions and the services, decided by a seed.
//!
//! The functions reach DynamoDB and SQS through a proxy that refuses requests, answers late, or loses the answer to what was
//! done. Invocations die at any moment. Queues hand messages out twice and in another order, streams go back, and no two
//! functions agree on the time. The n-th decision of a seed is always the same one; what it strikes is the machine's choice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::aws_json::BODY_LIMIT_BYTES;
use crate::random::Random;

/// A client of AWS asks three times. What is stubborn fails as often, so that whoever asks has to cope.
const ATTEMPTS: u32 = 3;
/// Requests remembered as stubborn before all are forgotten: a bound, not a tuning.
const MAX_STUBBORN: usize = 10_000;
/// Longer than a client of AWS waits for an answer: the request is repeated, and yet done in the end.
const VERY_LATE: Duration = Duration::from_millis(3500);
/// How far a function's clock is off at most, in milliseconds. Signatures may be five minutes old.
const MAX_SKEW_MS: u64 = 120_000;
/// How long an invocation that dies lives at most.
const LONGEST_LIFE_MS: u64 = 400;

/// What goes wrong, and how often. Cloning shares the count of decisions.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seed: u64,
    /// Of a thousand occasions.
    rate: u64,
    armed: AtomicBool,
    decisions: AtomicU64,
    /// Requests that will fail again, in which way, and how often.
    stubborn: Mutex<HashMap<u64, (Trouble, u32)>>,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nothing is done.
    Refused(Refusal),
    /// It is done, and whoever asked does not learn of it.
    Lost(Refusal),
    /// It is done later.
    Late(Duration),
}

/// In which words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Throttled,
    Internal,
    Unavailable,
    /// The connection breaks in the middle of the answer.
    Broken,
}

impl FromStr for Faults {
    type Err = String;

    /// `seed=7,rate=20`: the seed, and how many of a thousand occasions are struck.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut seed, mut rate) = (1, 20);
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or("not of the form seed=7,rate=20")?;
            let value = value.parse().map_err(|_| format!("{name} is not a number"))?;
            match name {
                "seed" => seed = value,
                "rate" if value <= 1000 => rate = value,
                _ => return Err(format!("{part} is neither a seed nor a rate of a thousand")),
            }
        }
        Ok(Self(Arc::new(Inner {
            seed,
            rate,
            armed: AtomicBool::new(false),
            decisions: AtomicU64::new(0),
            stubborn: Mutex::default(),
        })))
    }
}

impl Faults {
    /// From now on things go wrong: not before all has started.
    pub(crate) fn arm(&self) {
        self.0.armed.store(true, Ordering::SeqCst);
    }

    /// The chance of the next decision, if something goes wrong.
    fn strike(&self) -> Option<Random> {
        if !self.0.armed.load(Ordering::SeqCst) {
            return None;
        }
        let number = self.0.decisions.fetch_add(1, Ordering::SeqCst);
        let mut random = self.chance(&number);
        (random.below(1000) < self.0.rate).then_some(random)
    }

    /// Chance that follows from the seed and something else.
    fn chance(&self, of: &impl std::hash::Hash) -> Random {
        let mut hasher = DefaultHasher::new();
        (self.0.seed, of).hash(&mut hasher);
        Random::new(hasher.finish())
    }

    /// After how long an invocation dies, if it does.
    pub(crate) fn death(&self) -> Option<Duration> {
        self.strike().map(|mut random| Duration::from_millis(random.below(LONGEST_LIFE_MS)))
    }

    /// By how much a function's clock is off.
    pub(crate) fn skew(&self, function: &str) -> SignedDuration {
        let off_ms = self.chance(&function).below(2 * MAX_SKEW_MS + 1);
        SignedDuration::from_millis(off_ms.cast_signed() - MAX_SKEW_MS.cast_signed())
    }

    /// For how many seconds a message that is received stays hidden: often not long enough for whoever works on it.
    pub(crate) fn visibility_s(&self) -> Option<u32> {
        self.strike().map(|mut random| u32::try_from(random.below(3)).unwrap_or_default())
    }

    /// Brings messages into another order and keeps some back, which show again later.
    pub(crate) fn deal<T>(&self, messages: &mut Vec<T>) {
        if let Some(mut random) = self.strike() {
            random.shuffle(messages);
            let kept = random.index(messages.len() + 1);
            messages.truncate(kept);
        }
    }

    /// Forgets that something was done: it comes again.
    pub(crate) fn forget<T>(&self, done: &mut Vec<T>) {
        done.retain(|_| self.strike().is_none());
    }

    /// Waits, now and then.
    pub(crate) async fn dawdle(&self) {
        if let Some(mut random) = self.strike() {
            tokio::time::sleep(Duration::from_millis(random.below(1000))).await;
        }
    }

    /// Where a stream is read on: at `next`, or after one of some earlier positions, or now and then at its very beginning
    /// (`None`), as after the loss of a shard's position.
    pub(crate) fn rewind(&self, earlier: &[Option<String>], next: Option<String>) -> Option<String> {
        let Some(mut random) = self.strike() else { return next };
        if random.chance(5) {
            return None;
        }
        earlier.get(random.index(earlier.len())).cloned().unwrap_or(next)
    }

    /// What happens to a request to a service.
    fn of_request(&self, operation: &str, body: &[u8]) -> Option<Trouble> {
        let mut hasher = DefaultHasher::new();
        (operation, body).hash(&mut hasher);
        let request = hasher.finish();
        let mut stubborn = self.0.stubborn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut again) = stubborn.entry(request) {
            let (trouble, left) = again.get_mut();
            let trouble = *trouble;
            *left -= 1;
            if *left == 0 {
                again.remove();
            }
            return Some(trouble);
        }
        let mut random = self.strike()?;
        let trouble = Trouble::deal(&mut random);
        if !matches!(trouble, Trouble::Late(_)) && random.chance(50) {
            if stubborn.len() >= MAX_STUBBORN {
                stubborn.clear();
            }
            stubborn.insert(request, (trouble, ATTEMPTS - 1));
        }
        Some(trouble)
    }

    /// A service with trouble in front of it.
    #[allow(clippy::disallowed_methods, reason = "whoever asks has a time-out, and to be late is the point")]
    pub(crate) fn in_front_of(&self, service: &'static str, address: String) -> Router {
        let proxy =
            Proxy { faults: self.clone(), service, address: address.into(), client: reqwest::Client::new() };
        Router::new().fallback(pass).layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES)).with_state(proxy)
    }
}

impl Trouble {
    fn deal(random: &mut Random) -> Self {
        let refusal = |random: &mut Random| match random.below(3) {
            0 => Refusal::Internal,
            1 => Refusal::Unavailable,
            _ => Refusal::Broken,
        };
        match random.below(8) {
            0..2 => Self::Refused(Refusal::Throttled),
            2 => Self::Refused(refusal(random)),
            3..6 => Self::Lost(refusal(random)),
            6 => Self::Late(Duration::from_millis(random.below(500))),
            _ => Self::Late(VERY_LATE),
        }
    }
}

#[derive(Clone)]
struct Proxy {
    faults: Faults,
    service: &'static str,
    address: Arc<str>,
    client: reqwest::Client,
}

async fn pass(State(proxy): State<Proxy>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let trouble = proxy.faults.of_request(&operation, &body);
    if trouble.is_some() {
        metrics::counter!("faults_total", "service" => proxy.service, "operation" => operation.clone())
            .increment(1);
    }
    match trouble {
        None => proxy.forward(headers, body).await,
        Some(Trouble::Refused(refusal)) => refusal.answer(proxy.service, &operation, &body),
        Some(Trouble::Lost(refusal)) => {
            let answer = refusal.answer(proxy.service, &operation, &body);
            proxy.forward(headers, body).await;
            answer
        }
        Some(Trouble::Late(delay)) => {
            // Of its own, so that it is done although nobody waits any more.
            let late = tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                proxy.forward(headers, body).await
            });
            late.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

impl Proxy {
    async fn forward(&self, mut headers: HeaderMap, body: Bytes) -> Response {
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let sent = self.client.post(&*self.address).headers(headers).body(body).send();
        let answered = async {
            let answer = sent.await?;
            let (status, mut headers) = (answer.status(), answer.headers().clone());
            headers.remove(header::CONTENT_LENGTH);
            headers.remove(header::TRANSFER_ENCODING);
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?).into_response())
        };
        answered.await.unwrap_or_else(|error| {
            tracing::warn!(service = self.service, %error, "the service behind the faults does not answer");
            StatusCode::BAD_GATEWAY.into_response()
        })
    }
}

impl Refusal {
    fn answer(self, service: &str, operation: &str, body: &[u8]) -> Response {
        let (status, kind) = match self {
            Self::Throttled => return throttled(service, operation, body),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Self::Broken => {
                let broken = stream::iter([Ok("{"), Err(io::Error::other("broken"))]);
                return Response::new(Body::from_stream(broken));
            }
        };
        (status, axum::Json(json!({"__type": kind, "message": "on purpose"}))).into_response()
    }
}

/// Each operation has its own way of being too much.
fn throttled(service: &str, operation: &str, body: &[u8]) -> Response {
    let given: Value = serde_json::from_slice(body).unwrap_or_default();
    let (status, answer) = match operation {
        "BatchWriteItem" => (StatusCode::OK, json!({"UnprocessedItems": given["RequestItems"]})),
        "BatchGetItem" => {
            (StatusCode::OK, json!({"Responses": {}, "UnprocessedKeys": given["RequestItems"]}))
        }
        "TransactWriteItems" => {
            let count = given["TransactItems"].as_array().map_or(0, Vec::len);
            let reason = |place| match place {
                0 => json!({"Code": "ThrottlingError", "Message": "on purpose"}),
                _ => json!({"Code": "None"}),
            };
            let reasons: Vec<Value> = (0..count).map(reason).collect();
            let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
            let answer = json!({"__type": kind, "Message": "on purpose", "CancellationReasons": reasons});
            (StatusCode::BAD_REQUEST, answer)
        }
        _ => {
            let kind = match service {
                "sqs" => "com.amazonaws.sqs#RequestThrottled",
                _ => "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
            };
            (StatusCode::BAD_REQUEST, json!({"__type": kind, "message": "on purpose"}))
        }
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed(text: &str) -> Faults {
        let faults: Faults = text.parse().unwrap();
        faults.arm();
        faults
    }

    #[test]
    fn a_seed_decides_the_same_every_time() {
        let decide = |seed: &str| -> Vec<Option<Trouble>> {
            let faults = armed(seed);
            (0..1000_u32).map(|number| faults.of_request("PutItem", &number.to_be_bytes())).collect()
        };
        let first = decide("seed=7,rate=100");
        assert_eq!(first, decide("seed=7,rate=100"));
        assert_ne!(first, decide("seed=8,rate=100"));
        let struck = first.iter().flatten().count();
        assert!((60..140).contains(&struck), "{struck} of 1000");
    }

    #[test]
    fn half_of_what_fails_fails_as_often_as_a_client_asks_and_then_no_more() {
        let faults = armed("seed=7,rate=1000");
        let fails = |body: &[u8]| faults.0.stubborn.lock().unwrap().len() + usize::from(body.is_empty());
        let stubborn = (0..100_u8).filter(|number| {
            let before = fails(&[*number]);
            faults.of_request("PutItem", &[*number]);
            fails(&[*number]) > before
        });
        let stubborn: Vec<u8> = stubborn.collect();
        assert!((20..60).contains(&stubborn.len()), "{}", stubborn.len());
        for number in stubborn {
            faults.of_request("PutItem", &[number]);
            faults.of_request("PutItem", &[number]);
        }
        assert!(faults.0.stubborn.lock().unwrap().is_empty());
    }

    #[test]
    fn nothing_goes_wrong_before_it_is_armed_or_at_the_rate_of_nothing() {
        for faults in [Faults::from_str("rate=1000").unwrap(), armed("rate=0")] {
            assert_eq!(faults.of_request("PutItem", b"{}"), None);
            assert_eq!(faults.death(), None);
        }
    }

    #[test]
    fn clocks_differ_by_function_and_by_no_more_than_is_meant() {
        let faults = armed("seed=7");
        let skews: Vec<_> = ["mapper", "shopify", "api"].map(|function| faults.skew(function)).into();
        assert!(skews.iter().all(|skew| skew.abs() <= SignedDuration::from_millis(120_000)));
        assert!(skews[0] != skews[1] && skews[1] != skews[2]);
        assert_eq!(skews[0], faults.skew("mapper"));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in ["", "seed", "seed=x", "rate=1001", "speed=1"] {
            assert!(Faults::from_str(text).is_err(), "{text}");
        }
    }
}
