//! Thin deliveries: a platform that must be asked, and shops that do not always answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::mapper::Mapper;
use aws_lambda_events::sqs::{SqsEvent, SqsMessage, SqsMessageAttribute};
use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::Response;
use canonical::fact::CustomerSnapshot;
use canonical::identity::Identifiers;
use canonical::{Fact, Person};
use fetch::{Fetcher, Hosts, Limits};
use jiff::Timestamp;
use platform::{
    ApiRequest, Connection, Delivery, Description, Fetched, Mapping, Platform, Rejection, Secrets,
    Unverified, Verdict,
};
use serde_json::{Map, Value, json};
use store::{ConnectionRecord, ConnectionStatus};
use testing::{Answer, DEAD_LETTER_QUEUE, RAW_QUEUE, Sent, World};
use tokio::net::TcpListener;

use crate::delivery;

/// A platform whose deliveries name customers, who must be asked for; some name another one.
struct Thin;

const PLATFORMS: &[&dyn Platform] = &[&Thin];

impl Platform for Thin {
    fn name(&self) -> &'static str {
        "thin"
    }

    fn description(&self) -> Description {
        Description { title: "Thin", settings: json!({}), secrets: json!({}) }
    }

    fn verify(
        &self,
        _: &platform::Request,
        _: Unverified,
        _: &Connection,
        _: &Secrets,
        _: Timestamp,
    ) -> Verdict {
        Verdict::Reject(Rejection::Missing)
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping {
        let first: Vec<u64> = serde_json::from_slice(&delivery.body).unwrap();
        let answers: Vec<Value> =
            fetched.iter().map(|answer| serde_json::from_slice(&answer.body).unwrap_or_default()).collect();
        let next = answers.iter().filter_map(|answer| answer["next"].as_u64());
        let asked: Vec<u64> = first.into_iter().chain(next).collect();
        if answers.len() < asked.len() {
            let api = connection.text("api").unwrap();
            let request = |id| ApiRequest::get(format!("{api}/{id}")).header("x-token", "{secret:token}");
            return Mapping::Fetch(asked[answers.len()..].iter().map(request).collect());
        }
        let customers =
            asked.into_iter().zip(fetched).zip(answers).filter(|((_, answer), _)| answer.status == 200);
        let facts = customers.map(|((id, _), answer)| {
            assert_eq!(answer["id"], id, "answers are in the order of the requests");
            let person = Person { email: Some(email(id)), ..Person::default() };
            Fact::Customer(CustomerSnapshot { person, ..CustomerSnapshot::default() })
        });
        Mapping::facts(facts.collect())
    }
}

fn email(customer: u64) -> String {
    format!("customer-{customer}@example.com")
}

/// What a shop answers.
enum Reply {
    /// This customer.
    Customer,
    /// This customer, who names the next.
    Naming(u64),
    /// This status, perhaps with `Retry-After`.
    Status(u16, Option<&'static str>),
    /// Nothing, for ever.
    Nothing,
}

/// A shop's API.
#[derive(Clone, Default)]
struct Api {
    requests: Arc<AtomicUsize>,
    /// Requests that are under way at the moment, and the most there ever were.
    load: Arc<Mutex<(usize, usize)>>,
    /// The token that it accepts, if it asks for one.
    token: Arc<Mutex<Option<&'static str>>>,
}

impl Api {
    async fn open(self, answer: impl Fn(u64) -> Reply + Clone + Send + Sync + 'static) -> String {
        let router = Router::new().fallback(move |request: Request| {
            let (api, answer) = (self.clone(), answer.clone());
            let (head, _) = request.into_parts();
            async move { api.answer(&head, answer).await }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }

    async fn answer(&self, request: &Parts, answer: impl Fn(u64) -> Reply) -> Response {
        self.requests.fetch_add(1, Ordering::SeqCst);
        {
            let mut load = self.load.lock().unwrap();
            load.0 += 1;
            load.1 = load.1.max(load.0);
        }
        // Whoever is sent at the same time arrives meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.load.lock().unwrap().0 -= 1;
        let is_denied = self.token.lock().unwrap().is_some_and(|token| request.headers["x-token"] != token);
        let id = request.uri.path().trim_start_matches('/').parse().unwrap();
        match if is_denied { Reply::Status(401, None) } else { answer(id) } {
            Reply::Customer => response(200, None, &json!({"id": id})),
            Reply::Naming(next) => response(200, None, &json!({"id": id, "next": next})),
            Reply::Status(status, retry_after) => response(status, retry_after, &Value::Null),
            Reply::Nothing => std::future::pending().await,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn response(status: u16, retry_after: Option<&str>, body: &Value) -> Response {
    let response = Response::builder().status(status);
    let response = match retry_after {
        Some(retry_after) => response.header("retry-after", retry_after),
        None => response,
    };
    response.body(body.to_string().into()).unwrap()
}

/// A function with its surroundings.
struct Market {
    world: World,
    mapper: Mapper,
}

impl Market {
    async fn open() -> Self {
        let world = World::start().await;
        let limits = Limits { total: Duration::from_millis(400), ..Limits::default() };
        let fetcher = Fetcher::with_limits(Hosts::Any, limits, world.clock());
        let mapper = Mapper::new(&world.config(), &world.clients, world.clock())
            .unwrap()
            .with_platforms(PLATFORMS)
            .with_fetcher(fetcher);
        Self { world, mapper }
    }

    /// Connects a shop, with the token `t1`.
    async fn connect(&self, id: &str, api: &str) {
        let connection = ConnectionRecord {
            id: id.to_owned(),
            platform: "thin".to_owned(),
            name: id.to_owned(),
            settings: Map::from_iter([("api".to_owned(), json!(api))]),
            secret_names: vec!["token".to_owned()],
            status: ConnectionStatus::Active,
            created_at: self.world.now(),
            updated_at: self.world.now(),
        };
        self.world.store.create_connection(&connection).await.unwrap();
        self.enter(id, "t1");
    }

    fn enter(&self, connection: &str, token: &str) {
        self.world.put_secrets(connection, &json!({"token": {"current": token}}));
    }

    /// Delivers a batch; the numbers of the messages that SQS must hand out again.
    async fn deliver(&self, messages: &[String]) -> Vec<usize> {
        self.deliver_deferred(messages, None).await
    }

    /// Delivers messages that have waited so often.
    async fn deliver_deferred(&self, messages: &[String], deferrals: Option<&str>) -> Vec<usize> {
        let mut event = SqsEvent::default();
        for (number, body) in messages.iter().enumerate() {
            let mut message = SqsMessage::default();
            message.message_id = Some(number.to_string());
            message.body = Some(body.clone());
            if let Some(deferrals) = deferrals {
                let mut attribute = SqsMessageAttribute::default();
                attribute.data_type = Some("Number".to_owned());
                attribute.string_value = Some(deferrals.to_owned());
                message.message_attributes.insert("deferrals".to_owned(), attribute);
            }
            event.records.push(message);
        }
        let response = self.mapper.handle(event).await.unwrap();
        let failed = response.batch_item_failures.iter();
        failed.map(|failure| failure.item_identifier.parse().unwrap()).collect()
    }

    /// What waits, and nothing else has become of the batch.
    fn waiting(&self) -> Vec<Sent> {
        assert_eq!(self.world.take_sent(DEAD_LETTER_QUEUE), []);
        self.world.take_sent(RAW_QUEUE)
    }

    /// The reason for which the only message was set aside.
    fn reason(&self) -> String {
        assert_eq!(self.world.take_sent(RAW_QUEUE), []);
        let [dead] = &self.world.take_sent(DEAD_LETTER_QUEUE)[..] else { panic!("not one dead letter") };
        dead.reason.clone().unwrap()
    }

    async fn knows(&self, customer: u64) -> bool {
        let identifiers = Identifiers { email: Some(email(customer)), ..Identifiers::default() };
        self.world.store.find_person(&identifiers).await.unwrap().is_some()
    }
}

fn thin(connection: &str, customers: &[u64]) -> String {
    delivery("thin", connection, "customers", json!(customers).to_string())
}

const NONE: [usize; 0] = [];

#[tokio::test]
async fn a_thin_delivery_is_completed_round_by_round() {
    let market = Market::open().await;
    let api = Api::default();
    let address = api
        .clone()
        .open(|id| match id {
            9 => Reply::Status(404, None),
            10 | 20 => Reply::Naming(id + 10),
            _ => Reply::Customer,
        })
        .await;
    market.connect("A", &address).await;
    assert_eq!(market.deliver(&[thin("A", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10])]).await, NONE);
    assert_eq!(market.waiting(), []);
    for customer in [1, 8, 10, 20, 30] {
        assert!(market.knows(customer).await, "{customer}");
    }
    assert!(!market.knows(9).await);
    assert_eq!(api.requests(), 12);
    assert_eq!(api.load.lock().unwrap().1, 4, "requests at the same time");
}

#[tokio::test]
async fn a_delivery_that_asks_without_end_is_set_aside() {
    let market = Market::open().await;
    let api = Api::default();
    let address = api.clone().open(|id| Reply::Naming(id + 1)).await;
    market.connect("A", &address).await;
    assert_eq!(market.deliver(&[thin("A", &[1])]).await, NONE);
    assert_eq!(market.reason(), "the delivery asks for too many requests");
    assert_eq!(api.requests(), 6);

    let many: Vec<u64> = (1..=61).collect();
    assert_eq!(market.deliver(&[thin("A", &many)]).await, NONE);
    assert_eq!(market.reason(), "the delivery asks for too many requests");
    assert_eq!(api.requests(), 6);
}

#[tokio::test]
async fn what_cannot_be_asked_now_waits_in_the_queue_and_for_longer_each_time() {
    let market = Market::open().await;
    let turn = Arc::new(AtomicUsize::new(0));
    let address = Api::default()
        .open(move |_| match turn.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::Status(503, None),
            1 => Reply::Status(429, Some("100")),
            _ => Reply::Customer,
        })
        .await;
    market.connect("A", &address).await;
    let message = thin("A", &[1]);
    assert_eq!(market.deliver(std::slice::from_ref(&message)).await, NONE);
    let [first] = &market.waiting()[..] else { panic!("not one message") };
    assert_eq!(first.body, message);
    assert_eq!(first.group.as_deref(), Some("A"));
    assert_eq!(first.deferrals.as_deref(), Some("1"));
    assert!((15..=18).contains(&first.delay_s.unwrap()), "{first:?}");

    assert_eq!(market.deliver_deferred(std::slice::from_ref(&message), Some("1")).await, NONE);
    let [second] = &market.waiting()[..] else { panic!("not one message") };
    assert_eq!(second.deferrals.as_deref(), Some("2"));
    assert!((101..=121).contains(&second.delay_s.unwrap()), "{second:?}");

    // Early: the shop is not asked, and the message waits for what is left, or its own double.
    market.world.pass(90_000);
    assert_eq!(market.deliver_deferred(std::slice::from_ref(&message), Some("2")).await, NONE);
    let [third] = &market.waiting()[..] else { panic!("not one message") };
    assert!((60..=72).contains(&third.delay_s.unwrap()), "{third:?}");

    market.world.pass(10_000);
    assert_eq!(market.deliver_deferred(&[message], Some("3")).await, NONE);
    assert_eq!(market.waiting(), []);
    assert!(market.knows(1).await);
}

#[tokio::test]
async fn a_broken_shop_does_not_hold_up_the_others() {
    let market = Market::open().await;
    let (silent, failing) = (Api::default(), Api::default());
    let silent_address = silent.clone().open(|_| Reply::Nothing).await;
    let failing_address = failing.clone().open(|_| Reply::Status(500, None)).await;
    let healthy_address = Api::default().open(|_| Reply::Customer).await;
    market.connect("silent", &silent_address).await;
    market.connect("failing", &failing_address).await;
    market.connect("healthy", &healthy_address).await;
    let batch = |from: u64| -> Vec<String> {
        (from..from + 3)
            .flat_map(|id| ["silent", "failing", "healthy"].map(|connection| thin(connection, &[id])))
            .collect()
    };
    for round in 0..3 {
        assert_eq!(market.deliver(&batch(round * 10)).await, NONE);
        let mut groups: Vec<String> =
            market.waiting().into_iter().map(|message| message.group.unwrap()).collect();
        groups.sort();
        assert_eq!(groups, ["failing", "failing", "failing", "silent", "silent", "silent"]);
        for id in round * 10..round * 10 + 3 {
            assert!(market.knows(id).await, "{id}");
        }
    }
    // The circuits opened: in the third batch nobody asked them.
    assert_eq!(silent.requests(), 6);
    assert_eq!(failing.requests(), 6);
}

#[tokio::test]
async fn an_exchanged_token_works_at_once_and_a_refused_one_is_told() {
    let market = Market::open().await;
    let api = Api::default();
    let address = api.clone().open(|_| Reply::Customer).await;
    market.connect("A", &address).await;
    assert_eq!(market.deliver(&[thin("A", &[1])]).await, NONE);

    // The shop's owner makes another, and enters it later.
    *api.token.lock().unwrap() = Some("t2");
    market.world.pass(6_000);
    assert_eq!(market.deliver(&[thin("A", &[2])]).await, NONE);
    assert_eq!(market.waiting().len(), 1);
    assert_eq!(api.requests(), 2, "the same token is not tried twice");
    let health = market.world.store.health("A").await.unwrap();
    assert_eq!(health.last_error.unwrap().1, "credentials refused: 127.0.0.1 answered 401");

    market.enter("A", "t2");
    market.world.pass(6_000);
    assert_eq!(market.deliver(&[thin("A", &[2])]).await, NONE);
    assert_eq!(market.waiting(), []);
    assert!(market.knows(2).await);
}

#[tokio::test]
async fn after_a_day_a_delivery_is_given_up() {
    let market = Market::open().await;
    let address = Api::default().open(|_| Reply::Status(500, None)).await;
    market.connect("A", &address).await;
    market.world.pass(24 * 3_600_000);
    assert_eq!(market.deliver_deferred(&[thin("A", &[1])], Some("99")).await, NONE);
    assert_eq!(market.waiting().len(), 1);
    market.world.pass(1);
    assert_eq!(market.deliver_deferred(&[thin("A", &[1])], Some("100")).await, NONE);
    assert_eq!(market.reason(), "given up after a day: 127.0.0.1 answered 500");
}

#[tokio::test]
async fn what_cannot_be_sent_again_or_lacks_its_secrets_is_left_to_the_queue() {
    let market = Market::open().await;
    let address = Api::default().open(|_| Reply::Status(500, None)).await;
    market.connect("A", &address).await;
    market.world.intercept_once(Answer::Throttle, |call| call.operation == "GetParameter");
    assert_eq!(market.deliver(&[thin("A", &[1])]).await, [0]);
    market.world.intercept_once(Answer::Throttle, |call| call.operation == "SendMessage");
    assert_eq!(market.deliver(&[thin("A", &[1])]).await, [0]);
    assert_eq!(market.waiting(), []);
}

#[tokio::test]
async fn a_request_that_can_never_be_made_sets_its_delivery_aside() {
    let market = Market::open().await;
    market.connect("A", "ftp://files.example").await;
    assert_eq!(market.deliver(&[thin("A", &[1])]).await, NONE);
    assert_eq!(market.reason(), "the request's address is not one of HTTPS");
    market.connect("B", "https://shop.example").await;
    market.world.put_secrets("B", &json!({}));
    assert_eq!(market.deliver(&[thin("B", &[1])]).await, NONE);
    assert_eq!(market.reason(), "the connection has no secret \"token\"");
}
