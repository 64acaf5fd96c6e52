//! The poller over a real (embedded) DynamoDB, a queue that records, and a shop that answers.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use platform::{
    ApiRequest, Connection, Delivery, Description, Feed, Fetched, Mapping, Page, Platform, Record, Request,
    Secrets, Unverified, Verdict,
};
use poller::{Poller, Report};
use serde_json::{Map, Value, json};
use store::{ConnectionRecord, ConnectionStatus};
use testing::{NOW_MS, RAW_QUEUE, World};
use tokio::net::TcpListener;

const PLATFORMS: &[&dyn Platform] = &[&AskShop];
const SHOP: &str = "C1";
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A platform that is asked for its orders, page by page.
struct AskShop;

impl Platform for AskShop {
    fn name(&self) -> &'static str {
        "askshop"
    }

    fn description(&self) -> Description {
        Description { title: "Ask shop", settings: json!({}), secrets: json!({}) }
    }

    fn verify(&self, _: &Request, _: Unverified, _: &Connection, _: &Secrets, _: Timestamp) -> Verdict {
        Verdict::ignore("polled", None)
    }

    fn facts(&self, _: &Delivery, _: &Connection, _: &[Fetched]) -> Mapping {
        Mapping::Ignore("polled")
    }

    fn feeds(&self, connection: &Connection, period: &platform::Period) -> Vec<Feed> {
        let Some(url) = connection.text("url") else { return Vec::new() };
        let (since, until) = (period.since.as_millisecond(), period.until.as_millisecond());
        let request = ApiRequest::get(format!("{url}/orders?since={since}&until={until}&page=1"));
        vec![Feed { name: "orders", request: request.header("x-token", "{secret:token}") }]
    }

    fn page(&self, _: &Connection, feed: &Feed, answer: &Fetched, _: &[Fetched]) -> Result<Page, String> {
        if answer.status != 200 {
            return Err(format!("answered {}", answer.status));
        }
        let answer: Value = serde_json::from_slice(&answer.body).map_err(|_| "not JSON")?;
        let records = answer["ids"].as_array().unwrap().iter().map(|id| Record {
            topic: "order".to_owned(),
            delivery_id: id.to_string(),
            body: id.to_string().into_bytes(),
            ..Record::default()
        });
        let next = answer["next"].as_str().map(|page| {
            let (url, _) = feed.request.url.rsplit_once('=').unwrap();
            ApiRequest { url: format!("{url}={page}"), ..feed.request.clone() }
        });
        Ok(Page { records: records.collect(), next, ..Page::default() })
    }
}

/// What the shop is asked, and what goes wrong.
#[derive(Default)]
struct Shop {
    asked: Mutex<Vec<(i64, i64, u32)>>,
    broken_page: Mutex<Option<(u32, u16)>>,
    /// How long an answer takes, as far as the poller's clock says.
    on_answer: Mutex<Option<Box<dyn Fn() + Send>>>,
}

#[derive(serde::Deserialize)]
struct Asked {
    since: i64,
    until: i64,
    page: u32,
}

/// Two pages of two orders each.
async fn orders(
    State(shop): State<Arc<Shop>>,
    Query(asked): Query<Asked>,
    headers: axum::http::HeaderMap,
) -> Response {
    shop.asked.lock().unwrap().push((asked.since, asked.until, asked.page));
    if headers.get("x-token").is_none_or(|token| token != "secret") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if let Some(pass) = &*shop.on_answer.lock().unwrap() {
        pass();
    }
    match *shop.broken_page.lock().unwrap() {
        Some((page, status)) if page == asked.page => StatusCode::from_u16(status).unwrap().into_response(),
        _ if asked.page == 1 => axum::Json(json!({"ids": [1, 2], "next": "2"})).into_response(),
        _ => axum::Json(json!({"ids": [3, 4]})).into_response(),
    }
}

struct Stage {
    world: World,
    shop: Arc<Shop>,
    poller: Poller,
}

impl Stage {
    async fn set(status: ConnectionStatus) -> Self {
        let world = World::start().await;
        let shop = Arc::new(Shop::default());
        let routes = axum::Router::new().route("/orders", get(orders)).with_state(Arc::clone(&shop));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        world.put_secrets(SHOP, &json!({"token": {"current": "secret"}}));
        let stage = Self { poller: poller(&world), world, shop };
        stage.connect(SHOP, status, json!({ "url": url })).await;
        stage
    }

    async fn connect(&self, id: &str, status: ConnectionStatus, settings: Value) {
        let record = ConnectionRecord {
            id: id.to_owned(),
            platform: "askshop".to_owned(),
            name: "Ask & Answer".to_owned(),
            settings: settings.as_object().cloned().unwrap_or_else(Map::new),
            secret_names: Vec::new(),
            status,
            created_at: self.world.now(),
            updated_at: self.world.now(),
        };
        self.world.store.create_connection(&record).await.unwrap();
    }

    async fn poll(&self) -> Report {
        self.poller.handle(Value::Null).await.unwrap()
    }

    /// The ids of the deliveries in the queue since the last look.
    fn queued(&self) -> Vec<String> {
        let sent = self.world.take_sent(RAW_QUEUE);
        sent.iter()
            .map(|message| {
                let delivery = Delivery::from_message(&message.body).unwrap();
                assert_eq!((delivery.platform.as_str(), delivery.connection.as_str()), ("askshop", SHOP));
                assert_eq!(message.group.as_deref(), Some(SHOP));
                delivery.delivery_id
            })
            .collect()
    }

    fn asked(&self) -> Vec<(i64, i64, u32)> {
        std::mem::take(&mut *self.shop.asked.lock().unwrap())
    }

    async fn error(&self) -> Option<String> {
        self.world.store.last_poll(SHOP).await.unwrap().unwrap().0.error
    }
}

fn poller(world: &World) -> Poller {
    Poller::new(&world.config(), &world.clients, world.clock(), PLATFORMS).unwrap()
}

/// A clock that a test moves while a run goes on.
fn moving_clock(world: &World) -> (runtime::Clock, Arc<std::sync::atomic::AtomicI64>) {
    let now_ms = Arc::new(std::sync::atomic::AtomicI64::new(world.now().as_millis()));
    let moved = Arc::clone(&now_ms);
    let clock = runtime::Clock::from_fn(move || {
        Timestamp::from_millisecond(moved.load(std::sync::atomic::Ordering::SeqCst)).unwrap()
    });
    (clock, now_ms)
}

fn polled(records: u64, failed: u64) -> Report {
    Report { polled: 1, failed, records }
}

#[tokio::test]
async fn everything_since_the_last_run_goes_into_the_queue() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.pass(MINUTE);
    assert_eq!(stage.poll().await, polled(4, 0));
    assert_eq!(stage.queued(), ["1", "2", "3", "4"]);
    let until = NOW_MS + MINUTE;
    assert_eq!(stage.asked(), [(NOW_MS - 10 * MINUTE, until, 1), (NOW_MS - 10 * MINUTE, until, 2)]);
    let (run, next_ms) = stage.world.store.last_poll(SHOP).await.unwrap().unwrap();
    assert_eq!((run.pages, run.records, run.error), (2, 4, None));
    assert!((until + 15 * MINUTE..until + 16 * MINUTE).contains(&next_ms));

    // Not due again before.
    stage.world.pass(14 * MINUTE);
    assert_eq!(stage.poll().await, Report::default());
    stage.world.pass(2 * MINUTE);
    assert_eq!(stage.poll().await, polled(4, 0));
    assert_eq!(stage.asked()[0].0, until - 10 * MINUTE);
}

#[tokio::test]
async fn the_cursor_stays_where_it_was_until_the_last_page_is_in_the_queue() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    *stage.shop.broken_page.lock().unwrap() = Some((2, 500));
    assert_eq!(stage.poll().await, polled(2, 1));
    assert!(stage.error().await.unwrap().contains("500"));
    let health = stage.world.store.health(SHOP).await.unwrap();
    assert!(health.last_error.unwrap().1.contains("500"));
    let since = stage.asked()[0].0;
    stage.queued();

    *stage.shop.broken_page.lock().unwrap() = Some((2, 404));
    stage.world.pass(6 * MINUTE);
    assert_eq!(stage.poll().await, polled(2, 1));
    assert_eq!(stage.error().await.unwrap(), "orders: answered 404");

    *stage.shop.broken_page.lock().unwrap() = None;
    stage.world.pass(6 * MINUTE);
    assert_eq!(stage.poll().await, polled(4, 0));
    assert_eq!(stage.asked().last().unwrap().0, since);
    assert_eq!(stage.error().await, None);
}

#[tokio::test]
async fn two_pollers_never_run_one_cursor_and_a_dead_one_holds_it_up_for_minutes_only() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let other = poller(&stage.world);
    let (one, two) = futures::future::join(stage.poll(), other.handle(Value::Null)).await;
    assert_eq!(one.polled + two.unwrap().polled, 1);
    assert_eq!(stage.queued().len(), 4);

    // It takes the lease, and is never heard of again.
    stage.world.pass(20 * MINUTE);
    let now_ms = stage.world.now().as_millis();
    assert!(stage.world.store.claim_poll(SHOP, now_ms, 330_000).await.unwrap().is_some());
    assert_eq!(stage.poll().await, Report::default());
    stage.world.pass(6 * MINUTE);
    assert_eq!(stage.poll().await, polled(4, 0));
}

#[tokio::test]
async fn a_lease_that_ended_writes_nothing() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let store = &stage.world.store;
    let late = store.claim_poll(SHOP, NOW_MS, 1_000).await.unwrap().unwrap();
    let current = store.claim_poll(SHOP, NOW_MS + 2_000, 1_000).await.unwrap().unwrap();
    let run = store::PollRun::default();
    assert!(matches!(store.finish_poll(SHOP, &late, &run).await, Err(store::Error::Conflict)));
    store.finish_poll(SHOP, &current, &run).await.unwrap();
}

#[tokio::test]
async fn only_active_connections_with_the_settings_for_it_are_polled() {
    let stage = Stage::set(ConnectionStatus::Disabled).await;
    stage.connect("C2", ConnectionStatus::Active, json!({})).await;
    assert_eq!(stage.poll().await, Report::default());
    assert_eq!(stage.asked(), []);
}

#[tokio::test]
async fn a_backlog_is_worked_off_in_windows_of_a_day() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.pass(5 * DAY / 2);
    let mut untils = Vec::new();
    for _ in 0..3 {
        assert_eq!(stage.poll().await, polled(4, 0));
        untils.push(stage.asked()[0].1);
    }
    assert_eq!(untils, [NOW_MS + DAY, NOW_MS + 2 * DAY, NOW_MS + 5 * DAY / 2]);
    assert_eq!(stage.poll().await, Report::default());
}

#[tokio::test]
async fn a_window_that_takes_too_long_is_halved_until_it_does_not() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.pass(DAY);
    let (clock, now_ms) = moving_clock(&stage.world);
    let poller = Poller::new(&stage.world.config(), &stage.world.clients, clock, PLATFORMS).unwrap();
    let slow = Arc::clone(&now_ms);
    *stage.shop.on_answer.lock().unwrap() = Some(Box::new(move || {
        slow.fetch_add(5 * MINUTE, std::sync::atomic::Ordering::SeqCst);
    }));
    assert_eq!(poller.handle(Value::Null).await.unwrap(), polled(2, 1));
    assert!(stage.error().await.unwrap().contains("half"));
    *stage.shop.on_answer.lock().unwrap() = None;
    stage.asked();
    assert_eq!(poller.handle(Value::Null).await.unwrap(), polled(4, 0));
    assert_eq!(stage.asked()[0].1, NOW_MS + DAY / 2);
}

#[tokio::test]
async fn a_run_that_breaks_off_is_tried_again_with_half_the_window() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.pass(DAY);
    *stage.shop.broken_page.lock().unwrap() = Some((2, 404));
    assert_eq!(stage.poll().await, polled(2, 1));
    stage.asked();
    *stage.shop.broken_page.lock().unwrap() = None;
    assert_eq!(stage.poll().await, Report::default(), "not at once");
    stage.world.pass(6 * MINUTE);
    for until in [NOW_MS + DAY / 2, NOW_MS + DAY + 6 * MINUTE] {
        assert_eq!(stage.poll().await, polled(4, 0));
        assert_eq!(stage.asked()[0].1, until, "then wider again");
    }
}

#[tokio::test]
async fn whose_turn_comes_late_waits_for_the_next_call() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let settings = stage.world.store.connection(SHOP).await.unwrap().unwrap().settings;
    for number in 2..=6 {
        let id = format!("C{number}");
        stage.world.put_secrets(&id, &json!({"token": {"current": "secret"}}));
        stage.connect(&id, ConnectionStatus::Active, Value::Object(settings.clone())).await;
    }
    let (clock, now_ms) = moving_clock(&stage.world);
    let poller = Poller::new(&stage.world.config(), &stage.world.clients, clock, PLATFORMS).unwrap();
    let slow = Arc::clone(&now_ms);
    *stage.shop.on_answer.lock().unwrap() = Some(Box::new(move || {
        slow.fetch_add(26_000, std::sync::atomic::Ordering::SeqCst);
    }));
    // Four connections have their first pages after 104 seconds, and their second ones after 208.
    let first = poller.handle(Value::Null).await.unwrap();
    assert!(first.polled < 6 && first.failed == 0, "{first:?}");
    let second = poller.handle(Value::Null).await.unwrap();
    assert_eq!((first.polled + second.polled, second.failed), (6, 0), "and none was cut short");
    stage.world.take_sent(RAW_QUEUE);
}

#[tokio::test]
async fn each_call_begins_with_another_connection() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let settings = stage.world.store.connection(SHOP).await.unwrap().unwrap().settings;
    stage.connect("C2", ConnectionStatus::Active, Value::Object(settings)).await;
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let leased = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&leased);
        stage.world.intercept(move |call| {
            if call.body["Key"]["pk"]["S"] == "poll" {
                seen.lock().unwrap().push(call.body["Key"]["sk"]["S"].to_string());
            }
            std::future::ready(testing::Answer::Pass)
        });
        stage.poll().await;
        firsts.insert(leased.lock().unwrap()[0].clone());
        stage.world.pass(25 * MINUTE);
    }
    assert_eq!(firsts.len(), 2);
}

#[tokio::test]
async fn credentials_that_are_refused_show_on_the_connection() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.put_secrets(SHOP, &json!({"token": {"current": "expired"}}));
    assert_eq!(stage.poll().await, polled(0, 1));
    let error = stage.error().await.unwrap();
    assert!(error.contains("401") && !error.contains("expired"), "{error}");
}
