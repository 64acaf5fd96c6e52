//! Feeds read from a server on this machine.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use extract::{Extractor, Sink, Stopped, Task};
use fetch::{Client, Fetcher};
use jiff::Timestamp;
use oauth::Grants;
use platform::{
    ApiRequest, Connection, Delivery, Description, Feed, Fetched, Mapping, Page, Period, Platform, Record,
    Request, SecretStore, Secrets, Unverified, Verdict,
};
use serde_json::json;
use store::Tally;
use testing::{SECRETS_PATH, World};
use tokio::net::TcpListener;

/// Its pages are numbers. The page `4` has joins in two rounds, `7` asks for joins without end, `20` leads
/// to `21` and on to `25`, which leads back to `23`, and from `30` on they go on for ever.
struct Numbers;

impl Platform for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }

    fn description(&self) -> Description {
        Description { title: "Numbers", settings: json!({}), secrets: json!({}) }
    }

    fn verify(&self, _: &Request, _: Unverified, _: &Connection, _: &Secrets, _: Timestamp) -> Verdict {
        Verdict::ignore("asked", None)
    }

    fn facts(&self, _: &Delivery, _: &Connection, _: &[Fetched]) -> Mapping {
        Mapping::Ignore("asked")
    }

    fn feeds(&self, connection: &Connection, _: &Period) -> Vec<Feed> {
        let pages = connection.text("pages").unwrap_or_default().split(' ').filter(|page| !page.is_empty());
        pages.map(|page| Feed { name: "numbers", request: request(connection, page) }).collect()
    }

    fn page(
        &self,
        connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        joined: &[Fetched],
    ) -> Result<Page, String> {
        if answer.status != 200 {
            return Err(format!("answered {}", answer.status));
        }
        let number = feed.request.url.rsplit('/').next().unwrap();
        let join = |names: &[&str]| names.iter().map(|name| request(connection, name)).collect();
        let joins = match (number, joined.len()) {
            ("4", 0) => join(&["a", "b"]),
            ("4", 2) => join(&["c"]),
            ("7", _) => join(&["a"]),
            _ => Vec::new(),
        };
        if !joins.is_empty() {
            return Ok(Page { joins, ..Page::default() });
        }
        let bodies = std::iter::once(answer).chain(joined).map(|answer| answer.body.clone());
        let record = Record { body: bodies.collect::<Vec<_>>().concat(), ..Record::default() };
        let next = match number {
            "1" => Some(request(connection, "2")),
            "25" => Some(request(connection, "23")),
            _ => number
                .parse()
                .ok()
                .filter(|number| *number >= 20)
                .map(|number: u32| request(connection, &(number + 1).to_string())),
        };
        Ok(Page { records: vec![record], next, mark: Some(number.to_owned()), ..Page::default() })
    }
}

fn request(connection: &Connection, page: &str) -> ApiRequest {
    let url = format!("{}/{page}", connection.text("url").unwrap());
    ApiRequest::get(url).header("x-token", "{secret:token}")
}

/// The statuses of the next answers, and what was asked.
#[derive(Default)]
struct Server {
    bad: Mutex<Vec<u16>>,
    asked: Mutex<Vec<String>>,
    /// When it is to be asked again after one that is bad: in a second, if it does not say.
    again: Mutex<Option<&'static str>>,
}

async fn answer(State(server): State<Arc<Server>>, Path(page): Path<String>, headers: HeaderMap) -> Response {
    server.asked.lock().unwrap().push(page.clone());
    if headers.get("x-token").is_none_or(|token| token != "secret") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut bad = server.bad.lock().unwrap();
    match if bad.is_empty() { 200 } else { bad.remove(0) } {
        200 => format!("<{page}>").into_response(),
        status => {
            let again = server.again.lock().unwrap().unwrap_or("1");
            (StatusCode::from_u16(status).unwrap(), [(header::RETRY_AFTER, again)]).into_response()
        }
    }
}

/// Keeps what it is given, and says after so many signs of life that it may not go on.
struct Kept {
    bodies: Vec<String>,
    patience: usize,
}

impl Sink for Kept {
    async fn take(&mut self, records: Vec<Record>) -> anyhow::Result<()> {
        self.bodies.extend(records.into_iter().map(|record| String::from_utf8(record.body).unwrap()));
        Ok(())
    }

    async fn still(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.patience > 0, "somebody else goes on");
        self.patience -= 1;
        Ok(())
    }
}

struct Stage {
    world: World,
    server: Arc<Server>,
    extractor: Extractor,
    url: String,
}

impl Stage {
    async fn set() -> Self {
        let world = World::start().await;
        let server = Arc::new(Server::default());
        let routes = axum::Router::new().route("/{page}", get(answer)).with_state(Arc::clone(&server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        world.put_secrets("C1", &json!({"token": {"current": "secret"}}));
        // Pauses are real.
        let (config, clock) = (world.config(), runtime::Clock::system());
        let secrets = SecretStore::new(world.clients.ssm.clone(), SECRETS_PATH);
        let client = Client::new(&config);
        let grants = Grants::new(secrets, world.function_store(), client, clock.clone());
        let extractor = Extractor::new(Fetcher::new(&config, clock.clone()), grants, clock);
        Self { world, server, extractor, url }
    }

    /// Reads pages; what came of it, what the sink has, the marks, and the counts.
    async fn read(&self, pages: &str, patience: usize) -> (Result<(), Stopped>, Kept, String, Tally) {
        let settings = json!({"url": self.url, "pages": pages});
        let settings = settings.as_object().unwrap().clone();
        let connection = Connection { id: "C1".to_owned(), platform: "numbers".to_owned(), settings };
        let now = runtime::Clock::system().now();
        let period = Period::changes(now, now);
        let deadline_ms = now.as_millisecond() + 60_000;
        let task = Task { platform: &Numbers, connection: &connection, period: &period, deadline_ms };
        let (mut marks, mut tally) = (BTreeMap::new(), Tally::default());
        let mut sink = Kept { bodies: Vec::new(), patience };
        let outcome = self.extractor.read(&task, &mut marks, &mut tally, &mut sink).await;
        (outcome, sink, marks.remove("numbers").unwrap_or_default(), tally)
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_wait_for_their_joins() {
    let stage = Stage::set().await;
    let (outcome, sink, mark, tally) = stage.read("1 4", 100).await;
    outcome.unwrap();
    assert_eq!(sink.bodies, ["<1>", "<2>", "<4><a><b><c>"]);
    assert_eq!((mark.as_str(), tally), ("4", Tally { pages: 3, records: 3, requests: 6 }));
    assert_eq!(*stage.server.asked.lock().unwrap(), ["1", "2", "4", "a", "b", "c"]);
}

#[tokio::test]
async fn a_page_that_asks_without_end_is_an_error() {
    let stage = Stage::set().await;
    let (outcome, sink, ..) = stage.read("7", 100).await;
    assert_eq!(outcome.unwrap_err().to_string(), "numbers: a page asks for too many requests");
    assert_eq!(sink.bodies, [""; 0]);
}

#[tokio::test]
async fn pages_that_turn_in_a_circle_are_an_error() {
    let stage = Stage::set().await;
    let (outcome, sink, ..) = stage.read("20", 1_000).await;
    assert_eq!(outcome.unwrap_err().to_string(), "numbers does not end");
    assert!((6..20).contains(&sink.bodies.len()), "{}", sink.bodies.len());
}

#[tokio::test]
async fn a_platform_that_wants_to_be_asked_again_at_once_is_not_asked_for_ever() {
    let stage = Stage::set().await;
    *stage.server.bad.lock().unwrap() = vec![429; 3];
    *stage.server.again.lock().unwrap() = Some("0");
    let begun = std::time::Instant::now();
    let (outcome, ..) = stage.read("3", 100).await;
    outcome.unwrap();
    let pauses = std::time::Duration::from_millis(400 + 800 + 1_600);
    assert!(begun.elapsed() >= pauses, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_request_that_fails_is_made_again_and_one_that_must_wait_waits() {
    let stage = Stage::set().await;
    *stage.server.bad.lock().unwrap() = vec![503, 429];
    let (outcome, sink, _, tally) = stage.read("1", 100).await;
    outcome.unwrap();
    assert_eq!(sink.bodies, ["<1>", "<2>"]);
    assert_eq!(tally.requests, 4, "what is held back is no request");
}

#[tokio::test]
async fn what_was_read_before_it_broke_off_stays_and_its_mark() {
    let stage = Stage::set().await;
    *stage.server.bad.lock().unwrap() = vec![200, 404];
    let (outcome, sink, mark, tally) = stage.read("1", 100).await;
    assert_eq!(outcome.unwrap_err().to_string(), "numbers: answered 404");
    assert_eq!((sink.bodies.as_slice(), mark.as_str()), (["<1>".to_owned()].as_slice(), "1"));
    assert_eq!(tally, Tally { pages: 1, records: 1, requests: 2 });
}

#[tokio::test]
async fn refused_credentials_are_asked_for_again_once() {
    let stage = Stage::set().await;
    stage.world.put_secrets("C1", &json!({"token": {"current": "old"}}));
    let (outcome, ..) = stage.read("1", 100).await;
    assert!(matches!(outcome, Err(Stopped::Denied(_))), "{outcome:?}");
    assert_eq!(stage.server.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_sink_that_may_not_go_on_ends_it_before_the_next_request() {
    let stage = Stage::set().await;
    let (outcome, sink, ..) = stage.read("30", 3).await;
    assert!(matches!(outcome, Err(Stopped::Sink(_))), "{outcome:?}");
    assert_eq!(sink.bodies.len(), 3);
    assert_eq!(stage.server.asked.lock().unwrap().len(), 3);
}
