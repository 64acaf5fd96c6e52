//! The poller over a real (embedded) DynamoDB, a queue that records, and a shop that answers.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

use std::sync::atomic::{AtomicI64, Ordering};
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
use poller::Poller;
use serde_json::{Map, Value, json};
use store::{ConnectionRecord, ConnectionStatus, Import, ImportStatus, PollRun, Tally};
use testing::{NOW_MS, POLLS_QUEUE, RAW_QUEUE, World, at};
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

type Pass = Box<dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What the shop is asked, and what goes wrong.
#[derive(Default)]
struct Shop {
    asked: Mutex<Vec<(i64, i64, u32)>>,
    broken_page: Mutex<Option<(u32, u16)>>,
    /// How long an answer takes, as far as the poller's clock says.
    on_answer: Mutex<Option<Pass>>,
    /// The statuses of the next answers.
    bad_answers: Mutex<Vec<u16>>,
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
    let pass = shop.on_answer.lock().unwrap().as_ref().map(|pass| pass());
    if let Some(pass) = pass {
        pass.await;
    }
    let bad = {
        let mut statuses = shop.bad_answers.lock().unwrap();
        if statuses.is_empty() { 200 } else { statuses.remove(0) }
    };
    if bad != 200 {
        return StatusCode::from_u16(bad).unwrap().into_response();
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

    /// Everybody's turn, as the schedule and the queue would have it; how many there were.
    async fn poll(&self) -> usize {
        take_turns(&self.world, &self.poller).await
    }

    async fn last_run(&self) -> PollRun {
        self.world.store.poll(SHOP).await.unwrap().runs[0].clone()
    }

    async fn import(&self, since_ms: i64, until_ms: i64) {
        let now = self.world.now();
        let import = Import::new("I1".to_owned(), SHOP.to_owned(), [at(since_ms), at(until_ms)], now);
        self.world.store.create_import(&import).await.unwrap();
    }

    async fn imported(&self) -> Import {
        self.world.store.import("I1").await.unwrap().unwrap()
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
        self.last_run().await.error
    }
}

fn poller(world: &World) -> Poller {
    Poller::new(&world.config(), &world.clients, world.clock(), PLATFORMS).unwrap()
}

/// A clock that a test moves while a run goes on.
fn moving_clock(world: &World) -> (runtime::Clock, Arc<AtomicI64>) {
    let now_ms = Arc::new(AtomicI64::new(world.now().as_millis()));
    let moved = Arc::clone(&now_ms);
    let clock =
        runtime::Clock::from_fn(move || Timestamp::from_millisecond(moved.load(Ordering::SeqCst)).unwrap());
    (clock, now_ms)
}

/// Calls whoever is due, and lets all turns be taken, those that follow from them included.
async fn take_turns(world: &World, poller: &Poller) -> usize {
    poller.handle(Value::Null).await.unwrap();
    let mut turns = 0;
    loop {
        let messages = world.take_sent(POLLS_QUEUE);
        if messages.is_empty() {
            return turns;
        }
        for message in messages {
            let event = json!({"Records": [{"messageId": "m", "body": message.body, "messageAttributes": {}, "attributes": {}}]});
            assert_eq!(poller.handle(event).await.unwrap()["batchItemFailures"], json!([]));
            turns += 1;
        }
    }
}

#[tokio::test]
async fn everything_since_the_last_run_goes_into_the_queue() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.pass(MINUTE);
    assert_eq!(stage.poll().await, 1);
    assert_eq!(stage.queued(), ["1", "2", "3", "4"]);
    let until = NOW_MS + MINUTE;
    assert_eq!(stage.asked(), [(NOW_MS - 10 * MINUTE, until, 1), (NOW_MS - 10 * MINUTE, until, 2)]);
    let poll = stage.world.store.poll(SHOP).await.unwrap();
    let run = &poll.runs[0];
    assert_eq!((run.tally, run.error.clone()), (Tally { pages: 2, records: 4, requests: 2 }, None));
    assert_eq!((run.since, run.until), (at(NOW_MS - 10 * MINUTE), at(until)));
    assert!((until + 15 * MINUTE..until + 16 * MINUTE).contains(&poll.next_ms));

    // Not due again before.
    stage.world.pass(14 * MINUTE);
    assert_eq!(stage.poll().await, 0);
    stage.world.pass(2 * MINUTE);
    assert_eq!(stage.poll().await, 1);
    assert_eq!(stage.asked()[0].0, until - 10 * MINUTE);
    assert_eq!(stage.world.store.poll(SHOP).await.unwrap().runs.len(), 2);
}

#[tokio::test]
async fn the_cursor_stays_where_it_was_until_the_last_page_is_in_the_queue() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    *stage.shop.broken_page.lock().unwrap() = Some((2, 404));
    assert_eq!(stage.poll().await, 1);
    assert_eq!(stage.error().await.unwrap(), "orders: answered 404");
    let health = stage.world.store.health(SHOP).await.unwrap();
    assert!(health.last_error.unwrap().1.contains("404"));
    assert_eq!(stage.queued(), ["1", "2"]);
    let since = stage.asked()[0].0;

    *stage.shop.broken_page.lock().unwrap() = None;
    assert_eq!(stage.poll().await, 0, "not at once");
    stage.world.pass(6 * MINUTE);
    assert_eq!(stage.poll().await, 1);
    assert_eq!(stage.asked().last().unwrap().0, since);
    assert_eq!(stage.error().await, None);
}

#[tokio::test]
async fn a_request_that_fails_now_and_then_is_made_again() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    *stage.shop.bad_answers.lock().unwrap() = vec![500, 502, 200, 503];
    assert_eq!(stage.poll().await, 1);
    assert_eq!(stage.queued(), ["1", "2", "3", "4"]);
    let run = stage.last_run().await;
    assert_eq!((run.tally, run.error), (Tally { pages: 2, records: 4, requests: 5 }, None));
}

#[tokio::test]
async fn two_pollers_never_run_one_cursor_and_a_dead_one_holds_it_up_for_minutes_only() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let other = poller(&stage.world);
    let both = futures::future::try_join(stage.poller.turn(SHOP), other.turn(SHOP));
    Box::pin(both).await.unwrap();
    assert_eq!(stage.queued().len(), 4);
    assert_eq!(stage.world.store.poll(SHOP).await.unwrap().runs.len(), 1);

    // It takes the lease, and is never heard of again.
    stage.world.pass(20 * MINUTE);
    let now_ms = stage.world.now().as_millis();
    assert!(stage.world.store.claim_poll(SHOP, now_ms, 120_000).await.unwrap().is_some());
    assert_eq!(stage.poll().await, 0);
    stage.world.pass(2 * MINUTE);
    assert_eq!(stage.poll().await, 1);
    assert_eq!(stage.queued().len(), 4);
}

#[tokio::test]
async fn a_lease_that_ended_writes_nothing() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let store = &stage.world.store;
    let mut late = store.claim_poll(SHOP, NOW_MS, 1_000).await.unwrap().unwrap();
    let mut current = store.claim_poll(SHOP, NOW_MS + 2_000, 1_000).await.unwrap().unwrap();
    assert!(matches!(store.put_poll(SHOP, &late).await, Err(store::Error::Conflict)));
    assert!(matches!(store.finish_poll(SHOP, &late).await, Err(store::Error::Conflict)));
    assert!(matches!(store.renew_poll(SHOP, &mut late, NOW_MS).await, Err(store::Error::Conflict)));
    store.renew_poll(SHOP, &mut current, NOW_MS + 9_000).await.unwrap();
    assert!(store.claim_poll(SHOP, NOW_MS + 8_000, 1_000).await.unwrap().is_none());
    store.finish_poll(SHOP, &current).await.unwrap();
    assert!(store.claim_poll(SHOP, NOW_MS + 8_000, 1_000).await.unwrap().is_some());
}

#[tokio::test]
async fn who_lost_the_lease_in_the_middle_stops_and_notes_nothing() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let (clock, now_ms) = moving_clock(&stage.world);
    let slow = Poller::new(&stage.world.config(), &stage.world.clients, clock, PLATFORMS).unwrap();
    let store = stage.world.store.clone();
    *stage.shop.on_answer.lock().unwrap() = Some(Box::new(move || {
        // It slept for three minutes, and another took over.
        let asleep_until = now_ms.fetch_add(3 * MINUTE, Ordering::SeqCst) + 3 * MINUTE;
        let store = store.clone();
        let claim = async move { store.claim_poll(SHOP, asleep_until, 120_000).await.unwrap().unwrap() };
        Box::pin(async move { drop(claim.await) })
    }));
    slow.turn(SHOP).await.unwrap();
    assert_eq!(stage.asked().len(), 1, "the second page was not asked for");
    assert_eq!(stage.world.store.poll(SHOP).await.unwrap().runs, []);
}

#[tokio::test]
async fn only_active_connections_with_the_settings_for_it_are_polled() {
    let stage = Stage::set(ConnectionStatus::Disabled).await;
    stage.connect("C2", ConnectionStatus::Active, json!({})).await;
    assert_eq!(stage.poll().await, 0);
    for id in [SHOP, "C2", "nobody"] {
        stage.poller.turn(id).await.unwrap();
    }
    assert_eq!(stage.asked(), []);
}

#[tokio::test]
async fn a_message_that_is_no_turn_fails_alone() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let record = |id: &str, body: &str| json!({"messageId": id, "body": body, "messageAttributes": {}, "attributes": {}});
    let turn = json!({"connection": SHOP}).to_string();
    let event = json!({"Records": [record("m1", "?"), record("m2", &turn)]});
    let response = stage.poller.handle(event).await.unwrap();
    assert_eq!(response["batchItemFailures"], json!([{"itemIdentifier": "m1"}]));
    assert_eq!(stage.queued().len(), 4);
}

#[tokio::test]
async fn a_backlog_is_worked_off_in_windows_of_a_day() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.pass(5 * DAY / 2);
    assert_eq!(stage.poll().await, 1);
    let untils: Vec<i64> = stage.asked().iter().filter(|asked| asked.2 == 1).map(|asked| asked.1).collect();
    assert_eq!(untils, [NOW_MS + DAY, NOW_MS + 2 * DAY, NOW_MS + 5 * DAY / 2]);
    assert_eq!(stage.poll().await, 0);
}

#[tokio::test]
async fn a_window_that_takes_too_long_is_halved_until_it_does_not() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.pass(DAY);
    let (clock, now_ms) = moving_clock(&stage.world);
    let poller = Poller::new(&stage.world.config(), &stage.world.clients, clock, PLATFORMS).unwrap();
    let answers = AtomicI64::new(0);
    *stage.shop.on_answer.lock().unwrap() = Some(Box::new(move || {
        // The first answer takes longer than a call goes on.
        let pause_ms = if answers.fetch_add(1, Ordering::SeqCst) == 0 { 14 * MINUTE } else { 0 };
        now_ms.fetch_add(pause_ms, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }));
    poller.turn(SHOP).await.unwrap();
    assert!(stage.error().await.unwrap().contains("more than can be read"));
    assert_eq!(stage.asked()[0].1, NOW_MS + DAY);
    assert_eq!(stage.world.take_sent(POLLS_QUEUE).len(), 1, "the next turn is at once");
    poller.turn(SHOP).await.unwrap();
    let untils: Vec<i64> = stage.asked().iter().filter(|asked| asked.2 == 1).map(|asked| asked.1).collect();
    assert_eq!(untils, [NOW_MS + DAY / 2, NOW_MS + DAY + 14 * MINUTE], "then wider again");
}

#[tokio::test]
async fn credentials_that_are_refused_show_on_the_connection() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.world.put_secrets(SHOP, &json!({"token": {"current": "expired"}}));
    assert_eq!(stage.poll().await, 1);
    let error = stage.error().await.unwrap();
    assert!(error.contains("refused") && !error.contains("expired"), "{error}");
}

#[tokio::test]
async fn an_import_reads_its_period_in_windows_that_grow_and_marks_what_it_finds() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.poll().await;
    stage.queued();
    stage.asked();
    stage.import(NOW_MS - 40 * DAY, NOW_MS).await;
    assert_eq!(stage.poll().await, 1);
    let windows: Vec<(i64, i64)> =
        stage.asked().iter().filter(|asked| asked.2 == 1).map(|asked| (asked.0, asked.1)).collect();
    let day = |day: i64| NOW_MS - 40 * DAY + day * DAY;
    assert_eq!(windows, [(day(0), day(7)), (day(7), day(21)), (day(21), day(40))]);
    let sent = stage.world.take_sent(RAW_QUEUE);
    assert_eq!(sent.len(), 12);
    assert!(sent.iter().all(|message| Delivery::from_message(&message.body).unwrap().backfill));
    let import = stage.imported().await;
    assert_eq!((import.status, import.percent()), (ImportStatus::Complete, 100));
    assert_eq!(import.tally, Tally { pages: 6, records: 12, requests: 6 });
    assert!(import.finished_at.is_some());
    assert_eq!(stage.poll().await, 0);
}

#[tokio::test]
async fn an_import_that_is_cut_off_goes_on_where_it_was() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.poll().await;
    stage.asked();
    stage.import(NOW_MS - 21 * DAY, NOW_MS).await;
    // Its second window breaks off, as if the process had been killed while the lease was held.
    *stage.shop.bad_answers.lock().unwrap() = vec![200, 200, 200, 404];
    assert_eq!(stage.poll().await, 1);
    let import = stage.imported().await;
    assert_eq!((import.status, import.percent()), (ImportStatus::Running, 33));
    assert_eq!(import.failing.unwrap().1, "orders: answered 404");
    stage.asked();
    assert_eq!(stage.poll().await, 0, "not at once");
    stage.world.pass(MINUTE);
    assert_eq!(stage.poll().await, 1);
    assert_eq!(stage.asked()[0], (NOW_MS - 14 * DAY, NOW_MS - 7 * DAY, 1), "with half the window");
    assert_eq!(stage.imported().await.status, ImportStatus::Complete);
}

#[tokio::test]
async fn an_import_is_given_up_after_a_day_without_progress() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.import(NOW_MS - DAY, NOW_MS).await;
    *stage.shop.broken_page.lock().unwrap() = Some((1, 410));
    let mut turns = 0;
    while stage.imported().await.is_unfinished() {
        stage.poll().await;
        stage.world.pass(15 * MINUTE);
        turns += 1;
        assert!(turns < 200);
    }
    let import = stage.imported().await;
    assert_eq!((import.status, import.percent()), (ImportStatus::Failed, 0));
    assert!((90..110).contains(&turns), "{turns}");
}

#[tokio::test]
async fn an_import_that_somebody_cancels_stops() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.poll().await;
    stage.asked();
    stage.import(NOW_MS - 40 * DAY, NOW_MS).await;
    let store = stage.world.store.clone();
    *stage.shop.on_answer.lock().unwrap() = Some(Box::new(move || {
        let store = store.clone();
        Box::pin(async move {
            let mut import = store.import("I1").await.unwrap().unwrap();
            import.status = ImportStatus::Cancelled;
            store.update_import(&mut import).await.unwrap();
        })
    }));
    stage.poll().await;
    assert_eq!(stage.asked().len(), 2, "the window in hand, and no other");
    assert_eq!(stage.imported().await.status, ImportStatus::Cancelled);
}

#[tokio::test]
async fn who_cancels_an_import_does_not_wait_for_the_end_of_its_window() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.poll().await;
    stage.asked();
    stage.import(NOW_MS - 40 * DAY, NOW_MS).await;
    let (clock, now_ms) = moving_clock(&stage.world);
    let poller = Poller::new(&stage.world.config(), &stage.world.clients, clock, PLATFORMS).unwrap();
    let store = stage.world.store.clone();
    *stage.shop.on_answer.lock().unwrap() = Some(Box::new(move || {
        let store = store.clone();
        now_ms.fetch_add(11_000, Ordering::SeqCst);
        Box::pin(async move {
            let mut import = store.import("I1").await.unwrap().unwrap();
            import.status = ImportStatus::Cancelled;
            store.update_import(&mut import).await.unwrap();
        })
    }));
    poller.turn(SHOP).await.unwrap();
    assert_eq!(stage.asked().len(), 1, "the second page was not asked for");
    assert_eq!(stage.imported().await.status, ImportStatus::Cancelled);
}

#[tokio::test]
async fn a_connection_that_is_switched_off_or_deleted_is_left_alone_at_once() {
    for is_deleted in [false, true] {
        let stage = Stage::set(ConnectionStatus::Active).await;
        let (clock, now_ms) = moving_clock(&stage.world);
        let poller = Poller::new(&stage.world.config(), &stage.world.clients, clock, PLATFORMS).unwrap();
        let store = stage.world.store.clone();
        *stage.shop.on_answer.lock().unwrap() = Some(Box::new(move || {
            let store = store.clone();
            now_ms.fetch_add(11_000, Ordering::SeqCst);
            Box::pin(async move {
                if is_deleted {
                    store.delete_connection(SHOP).await.unwrap();
                } else {
                    let mut record = store.connection(SHOP).await.unwrap().unwrap();
                    record.status = ConnectionStatus::Disabled;
                    store.update_connection(&record).await.unwrap();
                }
            })
        }));
        poller.turn(SHOP).await.unwrap();
        assert_eq!(stage.asked().len(), 1, "the second page was not asked for");
        let poll = stage.world.store.poll(SHOP).await.unwrap();
        assert_eq!((poll.runs, poll.lease_ms), (Vec::new(), 0), "deleted: {is_deleted}");
    }
}

/// A poller, every answer of whose shop takes longer than a call goes on.
fn endless(stage: &Stage) -> (Poller, Arc<AtomicI64>) {
    let (clock, now_ms) = moving_clock(&stage.world);
    let moved = Arc::clone(&now_ms);
    *stage.shop.on_answer.lock().unwrap() = Some(Box::new(move || {
        moved.fetch_add(14 * MINUTE, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }));
    (Poller::new(&stage.world.config(), &stage.world.clients, clock, PLATFORMS).unwrap(), now_ms)
}

#[tokio::test]
async fn a_shop_that_never_ends_is_not_asked_without_a_pause() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    let (poller, now_ms) = endless(&stage);
    // From a day to a minute takes eleven halvings.
    for turn in 0..12 {
        poller.turn(SHOP).await.unwrap();
        let is_more = !stage.world.take_sent(POLLS_QUEUE).is_empty();
        assert_eq!(is_more, turn < 11, "{turn}");
    }
    let poll = stage.world.store.poll(SHOP).await.unwrap();
    assert_eq!(poll.next_ms, now_ms.load(Ordering::SeqCst) + 5 * MINUTE);
    assert!(stage.error().await.unwrap().contains("more than can be read"));
}

#[tokio::test]
async fn an_import_of_a_shop_that_never_ends_is_given_up() {
    let stage = Stage::set(ConnectionStatus::Active).await;
    stage.poll().await;
    stage.import(NOW_MS - DAY, NOW_MS).await;
    let (poller, now_ms) = endless(&stage);
    let mut turns = 0;
    while stage.imported().await.is_unfinished() {
        poller.turn(SHOP).await.unwrap();
        now_ms.fetch_add(MINUTE, Ordering::SeqCst);
        turns += 1;
        assert!(turns < 300);
    }
    let import = stage.imported().await;
    assert_eq!((import.status, import.percent()), (ImportStatus::Failed, 0));
    assert!(import.failing.unwrap().1.contains("more than can be read"));
}
