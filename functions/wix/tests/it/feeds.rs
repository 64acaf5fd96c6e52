//! Asking for orders by time.

use std::time::Duration;

use jiff::Timestamp;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Platform as _};
use serde_json::{Map, Value, json};
use wix::Wix;

const SEARCH: &str = "https://www.wixapis.com/ecom/v1/orders/search";

fn connection(settings: &Value) -> Connection {
    let settings: Map<String, Value> = settings.as_object().unwrap().clone();
    Connection { id: "conn-1".to_owned(), platform: "wix".to_owned(), settings }
}

fn feeds(connection: &Connection) -> Vec<Feed> {
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    Wix.feeds(
        connection,
        &platform::Period::changes(time("2026-03-14T08:00:00Z"), time("2026-03-14T09:00:00Z")),
    )
}

fn answer(status: u16, body: &Value) -> Fetched {
    Fetched { status, headers: Headers::default(), body: body.to_string().into_bytes() }
}

fn header<'a>(request: &'a ApiRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
}

fn body(request: &ApiRequest) -> Value {
    serde_json::from_str(request.body.as_deref().unwrap()).unwrap()
}

fn with_key() -> Connection {
    connection(&json!({ "poll": true, "site_id": "0c9d7b1e-5a34-4f26-8e7d-6b2a1f3c4d5e" }))
}

#[test]
fn nothing_is_asked_for_unless_it_is_wanted_and_there_are_credentials() {
    for settings in [
        json!({}),
        json!({ "poll": true }),
        json!({ "site_id": "site" }),
        json!({ "poll": false, "site_id": "site" }),
        json!({ "poll": true, "app_id": "app" }),
        json!({ "poll": true, "instance_id": "instance" }),
    ] {
        assert_eq!(feeds(&connection(&settings)), [], "{settings}");
    }
}

#[test]
fn the_window_is_asked_for_with_the_key_of_the_site() {
    let feeds = feeds(&with_key());
    let [Feed { name: "orders", request }] = feeds.as_slice() else { panic!("{feeds:?}") };
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", SEARCH));
    assert_eq!(header(request, "authorization"), Some("{secret:api_key}"));
    assert_eq!(header(request, "wix-site-id"), Some("0c9d7b1e-5a34-4f26-8e7d-6b2a1f3c4d5e"));
    let window = json!({ "$gte": "2026-03-14T08:00:00Z", "$lt": "2026-03-14T09:00:00Z" });
    let search = &body(request)["search"];
    assert_eq!(search["filter"], json!({ "updatedDate": window }));
    assert_eq!(search["sort"], json!([{ "fieldName": "updatedDate", "order": "ASC" }]));
    assert_eq!(search["cursorPaging"], json!({ "limit": 100 }));
}

#[test]
fn every_order_becomes_a_delivery_and_the_cursor_leads_on() {
    let connection = with_key();
    let feed = feeds(&connection).remove(0);
    let orders = json!([{ "id": "o-1", "updatedDate": "2026-03-14T08:10:00Z" }, { "id": "o-2" }, "no order"]);
    let paging = json!({ "count": 2, "hasNext": true, "cursors": { "next": "c-2", "prev": "" } });
    let page = Wix
        .page(&connection, &feed, &answer(200, &json!({ "orders": orders, "metadata": paging })), &[])
        .unwrap();
    let bodies: Vec<Value> =
        page.records.iter().take(2).map(|record| serde_json::from_slice(&record.body).unwrap()).collect();
    assert_eq!(bodies, orders.as_array().unwrap()[..2]);
    assert_eq!(page.records[0].topic, "orders/search");
    assert_ne!(page.records[0].delivery_id, page.records[1].delivery_id);

    let next = page.next.unwrap();
    assert_eq!(next.url, SEARCH);
    assert_eq!(header(&next, "authorization"), Some("{secret:api_key}"));
    assert_eq!(body(&next), json!({ "search": { "cursorPaging": { "limit": 100, "cursor": "c-2" } } }));

    let feed = Feed { request: next, ..feed };
    let last = json!({ "orders": [{ "id": "o-3" }], "pagingMetadata": { "hasNext": false, "cursors": { "next": "c-3" } } });
    let page = Wix.page(&connection, &feed, &answer(200, &last), &[]).unwrap();
    assert_eq!((page.records.len(), page.next), (1, None));
}

#[test]
fn one_state_of_an_order_has_one_delivery_id_and_another_state_another() {
    let connection = with_key();
    let feed = feeds(&connection).remove(0);
    let id = |order: Value| {
        let answer = answer(200, &json!({ "orders": [order] }));
        Wix.page(&connection, &feed, &answer, &[]).unwrap().records.remove(0).delivery_id
    };
    let before = json!({ "id": "o-1", "updatedDate": "2026-03-14T08:10:00Z" });
    let after = json!({ "id": "o-1", "updatedDate": "2026-03-14T08:20:00Z" });
    assert_eq!(id(before.clone()), id(before.clone()));
    assert_ne!(id(before), id(after));
}

#[test]
fn an_empty_page_ends_the_feed() {
    let connection = with_key();
    let feed = feeds(&connection).remove(0);
    let empty = json!({ "orders": [], "metadata": { "cursors": { "next": "c-9" } } });
    let page = Wix.page(&connection, &feed, &answer(200, &empty), &[]).unwrap();
    assert_eq!((page.records.len(), page.next), (0, None));
}

#[test]
fn the_app_s_credentials_are_exchanged_for_a_token_first() {
    let settings = json!({ "poll": true, "app_id": "app", "instance_id": "instance", "api_url": "https://proxy.example/" });
    let connection = connection(&settings);
    let feed = feeds(&connection).remove(0);
    assert!(feed.request.url.starts_with("https://proxy.example/oauth2/token#"), "{}", feed.request.url);
    let exchange = json!({ "grant_type": "client_credentials", "client_id": "app",
        "client_secret": "{secret:app_secret}", "instance_id": "instance" });
    assert_eq!(body(&feed.request), exchange);

    let token = json!({ "access_token": "OauthNG.JWS.abc", "token_type": "Bearer", "expires_in": 14400 });
    let token = answer(200, &token);
    assert!(feed.request.keep.is_some_and(|keep| keep < Duration::from_hours(4)));
    let page = Wix.page(&connection, &feed, &token, &[]).unwrap();
    assert_eq!((page.joins.len(), page.records.len(), page.next), (1, 0, None));
    let request = &page.joins[0];
    assert_eq!(request.url, "https://proxy.example/ecom/v1/orders/search");
    assert_eq!((header(request, "authorization"), request.keep), (Some("OauthNG.JWS.abc"), None));
    let window = json!({ "$gte": "2026-03-14T08:00:00Z", "$lt": "2026-03-14T09:00:00Z" });
    assert_eq!(body(request)["search"]["filter"]["updatedDate"], window);

    let first =
        json!({ "orders": [{ "id": "o-1" }], "metadata": { "hasNext": true, "cursors": { "next": "c-2" } } });
    let page = Wix.page(&connection, &feed, &token, &[answer(200, &first)]).unwrap();
    assert_eq!(page.records.len(), 1);
    // The next page begins with a token again, the same one while it is kept: none lies about.
    let request = page.next.unwrap();
    assert_eq!((body(&request), header(&request, "authorization")), (exchange, None));
    let page = Wix.page(&connection, &Feed { name: "orders", request }, &token, &[]).unwrap();
    let cursor = json!({ "search": { "cursorPaging": { "limit": 100, "cursor": "c-2" } } });
    assert_eq!(body(&page.joins[0]), cursor);
    let refused = Wix.page(&connection, &feed, &token, &[answer(403, &json!({}))]);
    assert_eq!(refused, Err("answered with status 403".to_owned()));
}

#[test]
fn what_is_no_answer_is_an_error_without_its_content() {
    let connection = with_key();
    let feed = feeds(&connection).remove(0);
    for (status, body, error) in [
        (400, json!({ "message": "ann@example.com" }), "answered with status 400"),
        (200, json!({ "message": "ann@example.com" }), "the answer has no orders"),
        (200, json!([]), "the body is not a JSON object"),
    ] {
        assert_eq!(Wix.page(&connection, &feed, &answer(status, &body), &[]), Err(error.to_owned()));
    }
    let settings = json!({ "poll": true, "app_id": "app", "instance_id": "instance" });
    let connection = self::connection(&settings);
    let feed = feeds(&connection).remove(0);
    for body in [json!({}), json!({ "access_token": "two\r\nlines" })] {
        assert_eq!(
            Wix.page(&connection, &feed, &answer(200, &body), &[]),
            Err("the API gave no token".to_owned())
        );
    }
}
