//! The receiver: from a request to the answer and the queue.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::{HeaderName, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::receiver::{KeySource, Receiver};
use platform::signature::token;
use platform::{
    Connection, Delivery, Description, Fetched, Headers, MAX_BODY_BYTES, Mapping, MessageError, Platform,
    Rejection, Request, Secrets, Unverified, Verdict,
};
use serde_json::{Map, Value, json};
use store::{ConnectionRecord, ConnectionStatus, Health};
use testing::{Answer, RAW_QUEUE, World};

const SHOP: &str = "C1";

/// A platform that sends a token, or names keys of which one must be the same as the token.
struct Door;

impl Platform for Door {
    fn name(&self) -> &'static str {
        "door"
    }

    fn description(&self) -> Description {
        Description { title: "Door", settings: json!({}), secrets: json!({}) }
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        _: &Connection,
        secrets: &Secrets,
        _: Timestamp,
    ) -> Verdict {
        let presented = request.headers.get("x-token");
        let proof = match request.headers.get("x-keys") {
            None => token::verify(secrets.valid("token"), presented),
            Some(named) => {
                let (known, lacking): (Vec<_>, Vec<_>) =
                    named.split(',').partition(|key| request.keys.contains_key(*key));
                let proof = token::verify(known.into_iter().map(|key| &request.keys[key]), presented);
                if proof.is_err() && !lacking.is_empty() {
                    return Verdict::Keys(lacking.into_iter().map(str::to_owned).collect());
                }
                proof
            }
        };
        match (proof, request.headers.get("x-topic").unwrap_or("order")) {
            (Err(rejection), _) => Verdict::Reject(rejection),
            (Ok(_), "ping") => Verdict::ignore("ping", None),
            (Ok(_), topic) if topic.starts_with("unknown") => Verdict::ignore("unknown_topic", Some(topic)),
            (Ok(proof), topic) => {
                let verified = body.accept(proof, topic.to_owned(), "d-1".to_owned(), Headers::default());
                Verdict::Accept(verified.answering("thanks"))
            }
        }
    }

    fn facts(&self, _: &Delivery, _: &Connection, _: &[Fetched]) -> Mapping {
        Mapping::Ignore("only received")
    }
}

/// Keys by address, and which were fetched.
#[derive(Default)]
struct Keys {
    published: Mutex<BTreeMap<String, String>>,
    fetched: Mutex<Vec<String>>,
}

impl KeySource for Keys {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, anyhow::Result<String>> {
        self.fetched.lock().unwrap().push(url.to_owned());
        let key = self.published.lock().unwrap().get(url).cloned();
        async move { key.context("no such key") }.boxed()
    }
}

impl Keys {
    fn publish(&self, url: &str, key: &str) {
        self.published.lock().unwrap().insert(url.to_owned(), key.to_owned());
    }

    /// What was fetched since the last look.
    fn take_fetched(&self) -> Vec<String> {
        let mut fetched = std::mem::take(&mut *self.fetched.lock().unwrap());
        fetched.sort();
        fetched
    }
}

struct Entrance {
    world: World,
    receiver: Receiver,
    keys: Arc<Keys>,
}

impl Entrance {
    /// With a connection whose token is `t1`.
    async fn open() -> Self {
        let world = World::start().await;
        let keys = Arc::new(Keys::default());
        let receiver = Receiver::new(&Door, &world.config(), &world.clients, world.clock()).unwrap();
        let entrance = Self { receiver: receiver.with_keys(keys.clone()), world, keys };
        entrance.connect(SHOP, "door", ConnectionStatus::Active).await;
        entrance
    }

    async fn connect(&self, id: &str, platform: &str, status: ConnectionStatus) {
        let record = ConnectionRecord {
            id: id.to_owned(),
            platform: platform.to_owned(),
            name: "Larch & Linen".to_owned(),
            settings: Map::new(),
            secret_names: Vec::new(),
            status,
            created_at: self.world.now(),
            updated_at: self.world.now(),
        };
        self.world.store.create_connection(&record).await.unwrap();
        self.enter(id, "t1");
    }

    fn enter(&self, connection: &str, token: &str) {
        self.world.put_secrets(connection, &json!({"token": {"current": token}}));
    }

    async fn send(&self, event: ApiGatewayV2httpRequest) -> (i64, String) {
        let answer = self.receiver.handle(event).await.unwrap();
        (answer.status_code, text(&answer))
    }

    /// The status of an answer to a token.
    async fn token(&self, token: &str) -> i64 {
        self.send(request(SHOP, &[("x-token", token)], "{}")).await.0
    }

    /// The status of an answer to a delivery that names keys.
    async fn keyed(&self, keys: &str, token: &str) -> i64 {
        self.send(request(SHOP, &[("x-keys", keys), ("x-token", token)], "{}")).await.0
    }

    async fn health(&self) -> Health {
        self.world.store.health(SHOP).await.unwrap()
    }

    fn queued(&self) -> Vec<String> {
        self.world.take_sent(RAW_QUEUE).into_iter().map(|sent| sent.body).collect()
    }

    /// Counts the calls of an operation from now on.
    fn count(&self, operation: &'static str) -> Arc<AtomicUsize> {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        self.world.intercept(move |call| {
            counter.fetch_add(usize::from(call.operation == operation), Ordering::SeqCst);
            std::future::ready(Answer::Pass)
        });
        calls
    }
}

fn request(connection: &str, headers: &[(&str, &str)], body: &str) -> ApiGatewayV2httpRequest {
    let mut event = ApiGatewayV2httpRequest::default();
    event.path_parameters.insert("connection_id".to_owned(), connection.to_owned());
    event.request_context.http.method = Method::POST;
    for (name, value) in headers {
        event.headers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    event.body = Some(body.to_owned());
    event
}

fn text(answer: &ApiGatewayV2httpResponse) -> String {
    match &answer.body {
        Some(Body::Text(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// Letters without a pattern: no compression makes them small.
fn noise(bytes: usize) -> String {
    let mut state = 1_u32;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b' ' + u8::try_from((state >> 24) % 94).unwrap())
    });
    letters.take(bytes).collect()
}

#[tokio::test]
async fn a_genuine_delivery_is_in_the_queue_before_it_is_answered() {
    let entrance = Entrance::open().await;
    let answer = entrance.send(request(SHOP, &[("X-Token", "t1")], "{\"id\":1}")).await;
    assert_eq!(answer, (200, "thanks".to_owned()));
    let [sent] = &entrance.world.take_sent(RAW_QUEUE)[..] else { panic!("not one message") };
    assert_eq!(sent.group.as_deref(), Some(SHOP));
    let delivery = Delivery::from_message(&sent.body).unwrap();
    assert_eq!((delivery.connection.as_str(), delivery.topic.as_str()), (SHOP, "order"));
    assert_eq!(delivery.body, b"{\"id\":1}");

    let mut encoded = request(SHOP, &[("x-token", "t1")], &STANDARD.encode([0xff, 0x00]));
    encoded.is_base64_encoded = true;
    assert_eq!(entrance.send(encoded).await.0, 200);
    assert_eq!(Delivery::from_message(&entrance.queued()[0]).unwrap().body, [0xff, 0x00]);
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_the_reason() {
    let entrance = Entrance::open().await;
    let mut not_base64 = request(SHOP, &[("x-token", "t1")], "%");
    not_base64.is_base64_encoded = true;
    let mut too_large_encoded =
        request(SHOP, &[("x-token", "t1")], &STANDARD.encode(vec![b' '; MAX_BODY_BYTES + 1]));
    too_large_encoded.is_base64_encoded = true;
    for (event, expected) in [
        (not_base64, (400, "bad_encoding")),
        (too_large_encoded, (413, "too_large")),
        (request(SHOP, &[("x-token", "t1")], &" ".repeat(MAX_BODY_BYTES + 1)), (413, "too_large")),
        (request(SHOP, &[("x-token", "t2")], "{}"), (401, "unauthorized")),
        (request(SHOP, &[], "{}"), (401, "unauthorized")),
    ] {
        let (status, body) = entrance.send(event).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, body["errors"][0]["code"].as_str().unwrap()), expected);
    }
    assert_eq!(entrance.queued(), [] as [String; 0]);
    assert_eq!(entrance.send(request(SHOP, &[("x-token", "t1")], &" ".repeat(MAX_BODY_BYTES))).await.0, 200);
}

#[tokio::test]
async fn an_address_of_no_connection_is_unknown_and_costs_no_look_at_secrets() {
    let entrance = Entrance::open().await;
    entrance.connect("C2", "another", ConnectionStatus::Active).await;
    entrance.connect("C3", "door", ConnectionStatus::Disabled).await;
    let secrets = entrance.count("GetParameter");
    for id in ["C2", "C3", "C4", "", "a/b", "C1 ", &"x".repeat(3_000)] {
        let (status, _) = entrance.send(request(id, &[("x-token", "t1")], "{}")).await;
        assert_eq!(status, 404, "{id}");
    }
    assert_eq!(entrance.send(ApiGatewayV2httpRequest::default()).await.0, 404);
    assert_eq!(secrets.load(Ordering::SeqCst), 0);
    let look_ups = entrance.count("GetItem");
    entrance.send(request("a/b", &[], "{}")).await;
    assert_eq!(look_ups.load(Ordering::SeqCst), 0, "what is no id is not looked for");
}

#[tokio::test]
async fn an_exchanged_token_works_within_seconds_and_wrong_ones_do_not_become_reads() {
    let entrance = Entrance::open().await;
    assert_eq!(entrance.token("t1").await, 200);
    entrance.enter(SHOP, "t2");
    let secrets = entrance.count("GetParameter");
    assert_eq!(entrance.token("t2").await, 401, "read just now");
    entrance.world.pass(5_000);
    assert_eq!(entrance.token("t2").await, 200);
    for _ in 0..5 {
        assert_eq!(entrance.token("wrong").await, 401);
    }
    assert_eq!(secrets.load(Ordering::SeqCst), 1);
    entrance.world.pass(60_000);
    assert_eq!(entrance.token("t2").await, 200);
    assert_eq!(secrets.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_key_is_fetched_once_a_day() {
    let entrance = Entrance::open().await;
    entrance.keys.publish("k1", "one");
    assert_eq!(entrance.keyed("k1", "one").await, 200);
    assert_eq!(entrance.keyed("k1", "one").await, 200);
    assert_eq!(entrance.keyed("k1", "forged").await, 401);
    entrance.world.pass(24 * 3_600_000 - 1);
    assert_eq!(entrance.keyed("k1", "one").await, 200);
    assert_eq!(entrance.keys.take_fetched(), ["k1"]);
    entrance.keys.publish("k1", "two");
    entrance.world.pass(1);
    assert_eq!(entrance.keyed("k1", "one").await, 401);
    assert_eq!(entrance.keyed("k1", "two").await, 200);
    assert_eq!(entrance.keys.take_fetched(), ["k1"]);
    assert_eq!(entrance.queued().len(), 4);
}

#[tokio::test]
async fn one_key_of_two_is_enough_and_without_any_the_delivery_must_come_again() {
    let entrance = Entrance::open().await;
    entrance.keys.publish("k1", "one");
    assert_eq!(entrance.keyed("k1,k2", "one").await, 200, "the other cannot be had, and need not");
    assert_eq!(entrance.keys.take_fetched(), ["k1", "k2"]);
    assert_eq!(entrance.keyed("k1,k2", "two").await, 503, "the other may be the one");
    assert_eq!(entrance.keys.take_fetched(), ["k2"], "a key that was not there is asked for again");
    entrance.keys.publish("k2", "two");
    assert_eq!(entrance.keyed("k1,k2", "two").await, 200);
    assert_eq!(entrance.keyed("k1,k2", "three").await, 401);
    assert_eq!(entrance.keyed("k3", "three").await, 503);

    let blind =
        Receiver::new(&Door, &entrance.world.config(), &entrance.world.clients, entrance.world.clock());
    let event = request(SHOP, &[("x-keys", "k1"), ("x-token", "one")], "{}");
    assert_eq!(blind.unwrap().handle(event).await.unwrap().status_code, 503, "nobody to fetch it");
}

/// A platform that asks for the same key whatever it gets.
struct Insatiable;

impl Platform for Insatiable {
    fn name(&self) -> &'static str {
        "door"
    }

    fn description(&self) -> Description {
        Door.description()
    }

    fn verify(&self, _: &Request, _: Unverified, _: &Connection, _: &Secrets, _: Timestamp) -> Verdict {
        Verdict::Keys(vec!["k1".to_owned()])
    }

    fn facts(&self, _: &Delivery, _: &Connection, _: &[Fetched]) -> Mapping {
        Mapping::Ignore("only received")
    }
}

#[tokio::test]
async fn a_key_that_does_not_help_is_a_refusal() {
    let entrance = Entrance::open().await;
    entrance.keys.publish("k1", "one");
    let world = &entrance.world;
    let receiver = Receiver::new(&Insatiable, &world.config(), &world.clients, world.clock()).unwrap();
    let receiver = receiver.with_keys(entrance.keys.clone());
    let answer = receiver.handle(request(SHOP, &[], "{}")).await.unwrap();
    assert_eq!(answer.status_code, 401);
    assert!(text(&answer).contains(&Rejection::NoSecret.to_string()));
    assert_eq!(entrance.keys.take_fetched(), ["k1"]);
}

#[tokio::test]
async fn what_is_refused_or_ignored_is_counted_but_not_write_by_write() {
    let entrance = Entrance::open().await;
    let writes = entrance.count("UpdateItem");
    assert_eq!(entrance.token("wrong").await, 401);
    assert_eq!(entrance.health().await.rejected, BTreeMap::from([("signature mismatch".to_owned(), 1)]));
    for _ in 0..7 {
        assert_eq!(entrance.token("wrong").await, 401);
        assert_eq!(entrance.send(request(SHOP, &[("x-token", "t1"), ("x-topic", "ping")], "")).await.0, 200);
    }
    let unknown = [("x-token", "t1"), ("x-topic", "unknown/1")];
    assert_eq!(entrance.send(request(SHOP, &unknown, "")).await, (200, "ignored".to_owned()));
    assert_eq!(writes.load(Ordering::SeqCst), 1);

    entrance.world.pass(10_000);
    assert_eq!(entrance.send(request(SHOP, &[], "")).await.0, 401);
    assert_eq!(writes.load(Ordering::SeqCst), 4, "the refusals together, and each topic");
    let health = entrance.health().await;
    let counts = |counts: &[(&str, u64)]| -> BTreeMap<String, u64> {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    assert_eq!(health.rejected, counts(&[("signature mismatch", 8), ("signature missing", 1)]));
    assert_eq!(health.ignored, counts(&[("ping", 7), ("unknown/1", 1)]));
    assert_eq!(entrance.token("t1").await, 200, "what is accepted is counted by the mapper");
    assert_eq!(writes.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn notes_of_many_connections_are_spread_over_answers() {
    let entrance = Entrance::open().await;
    assert_eq!(entrance.token("wrong").await, 401);
    let ids: Vec<String> = (0..12).map(|number| format!("M{number}")).collect();
    for id in &ids {
        entrance.connect(id, "door", ConnectionStatus::Active).await;
        entrance.send(request(id, &[], "")).await;
    }
    let writes = entrance.count("UpdateItem");
    // Which connections' turn it is first is not said; after three times all had one.
    for _ in 0..3 {
        let before = writes.load(Ordering::SeqCst);
        entrance.world.pass(10_000);
        assert_eq!(entrance.token("wrong").await, 401);
        assert!((1..=5).contains(&(writes.load(Ordering::SeqCst) - before)));
    }
    for id in &ids {
        let health = entrance.world.store.health(id).await.unwrap();
        assert_eq!(health.rejected.len(), 1, "{id}");
    }
}

#[tokio::test]
async fn an_answer_does_not_wait_for_a_note_that_cannot_be_written() {
    let entrance = Entrance::open().await;
    entrance.world.intercept_once(Answer::Throttle, |call| call.operation == "UpdateItem");
    assert_eq!(entrance.token("wrong").await, 401);
    assert_eq!(entrance.health().await, Health::default());
}

#[tokio::test]
async fn a_large_body_is_stored_whole_before_it_is_named_in_the_queue() {
    let entrance = Entrance::open().await;
    let body = noise(950 * 1024);
    let event = || request(SHOP, &[("x-token", "t1")], &body);
    for (operation, answer) in
        [("PutItem", Answer::Throttle), ("SendMessage", Answer::Throttle), ("PutItem", Answer::Lose)]
    {
        entrance.world.intercept_once(answer, move |call| call.operation == operation);
        assert_eq!(entrance.send(event()).await.0, 503, "{operation}");
        assert_eq!(entrance.queued(), [] as [String; 0]);
    }
    entrance.world.let_pass();
    assert_eq!(entrance.send(event()).await.0, 200);
    let [message] = &entrance.queued()[..] else { panic!("not one message") };
    assert!(message.len() < 1_000);
    let Err(MessageError::Claimed(claim)) = Delivery::from_message(message) else { panic!("not stored") };
    let stored = entrance.world.items("orders");
    assert_eq!(stored.len(), claim.parts, "each try wrote the same items");
    assert!(stored.values().all(|item| item["expires"]["N"].is_string()));
    let packed = entrance.world.store.claim(&claim.id, claim.parts).await.unwrap().unwrap();
    assert_eq!(Delivery::from_claimed(message, &packed).unwrap().body, body.into_bytes());
}
