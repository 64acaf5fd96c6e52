//! Polling: what is asked for, and what is made of the answers.

use jiff::Timestamp;
use platform::{Connection, Feed, Fetched, Headers, Platform};
use serde_json::{Value, json};
use shopbase::Shopbase;

fn connection(settings: &Value) -> Connection {
    let settings = settings.as_object().unwrap().clone();
    Connection { id: "conn-1".to_owned(), platform: "shopbase".to_owned(), settings }
}

fn polled() -> Connection {
    connection(&json!({"poll": true, "shop_domain": "larch-and-linen.onshopbase.com"}))
}

fn feeds(connection: &Connection) -> Vec<Feed> {
    let since: Timestamp = "2026-03-14T08:00:00.987654321Z".parse().unwrap();
    Shopbase.feeds(connection, &platform::Period::changes(since, "2026-03-14T09:00:00.5Z".parse().unwrap()))
}

fn answer(status: u16, body: &str) -> Fetched {
    Fetched { status, headers: Headers::default(), body: body.as_bytes().to_vec() }
}

fn orders(count: usize) -> Fetched {
    let orders: Vec<Value> = (0..count).map(|id| json!({"id": id + 1, "total_price": 41.94})).collect();
    answer(200, &json!({"orders": orders}).to_string())
}

#[test]
fn changed_orders_of_all_states_are_asked_for_in_a_closed_window() {
    let feeds = feeds(&polled());
    assert_eq!(feeds.len(), 1);
    assert_eq!(
        feeds[0].request.url,
        "https://larch-and-linen.onshopbase.com/admin/orders.json?status=any&limit=250\
         &updated_at_min=2026-03-14T08:00:00Z&updated_at_max=2026-03-14T09:00:00Z&page=1"
    );
    let token = ("x-shopbase-access-token".to_owned(), "{secret:access_token}".to_owned());
    assert!(feeds[0].request.headers.contains(&token));
    assert!(!feeds[0].request.headers.iter().any(|(name, _)| name == "x-shopbase-token-secret"));
}

#[test]
fn a_domain_in_capitals_is_the_same_one() {
    let settings = json!({"poll": true, "shop_domain": "Larch-and-Linen.OnShopBase.com"});
    assert_eq!(feeds(&connection(&settings)), feeds(&polled()));
}

#[test]
fn a_public_app_sends_its_token_secret_too() {
    let mut connection = polled();
    connection.settings.insert("public_app".to_owned(), true.into());
    let secret = ("x-shopbase-token-secret".to_owned(), "{secret:token_secret}".to_owned());
    assert!(feeds(&connection)[0].request.headers.contains(&secret));
}

#[test]
fn nothing_is_asked_without_the_setting_or_of_any_other_host() {
    let domain = "larch-and-linen.onshopbase.com";
    for settings in [
        json!({}),
        json!({"shop_domain": domain}),
        json!({"shop_domain": domain, "poll": "yes"}),
        json!({"poll": true}),
        json!({"poll": true, "shop_domain": "shop.example.com"}),
        json!({"poll": true, "shop_domain": ".onshopbase.com"}),
        json!({"poll": true, "shop_domain": "evil.example/.onshopbase.com"}),
        json!({"poll": true, "shop_domain": "evil.example#.onshopbase.com"}),
        json!({"poll": true, "shop_domain": "user@shop.onshopbase.com"}),
        json!({"poll": true, "shop_domain": "https://shop.onshopbase.com"}),
    ] {
        assert_eq!(feeds(&connection(&settings)), [], "{settings}");
    }
}

#[test]
fn each_order_becomes_a_record_that_its_bytes_name() {
    let connection = polled();
    let feed = feeds(&connection).remove(0);
    let body = r#"{"orders":[{"id":6210049876543210987,"total_price":41.94},null,{"id":2}]}"#;
    let page = Shopbase.page(&connection, &feed, &answer(200, body), &[]).unwrap();
    assert_eq!(page.next, None);
    assert_eq!(page.records.len(), 2, "what is no order is left out");
    assert_eq!(page.records[0].topic, "orders/updated");
    assert_eq!(page.records[0].body, br#"{"id":6210049876543210987,"total_price":41.94}"#);
    assert_ne!(page.records[0].delivery_id, page.records[1].delivery_id);
    let again = Shopbase.page(&connection, &feed, &answer(200, body), &[]).unwrap();
    assert_eq!(again, page);
}

#[test]
fn a_full_page_has_a_next_one() {
    let connection = polled();
    let feed = feeds(&connection).remove(0);
    let page = Shopbase.page(&connection, &feed, &orders(250), &[]).unwrap();
    assert_eq!(page.records.len(), 250);
    let next = page.next.unwrap();
    assert!(next.url.ends_with("&updated_at_max=2026-03-14T09:00:00Z&page=2"), "{}", next.url);
    assert_eq!(next.headers, feed.request.headers);
    let second = Feed { request: next, ..feed };
    let page = Shopbase.page(&connection, &second, &orders(250), &[]).unwrap();
    assert!(page.next.unwrap().url.ends_with("&page=3"));
    assert_eq!(Shopbase.page(&connection, &second, &orders(249), &[]).unwrap().next, None);
}

#[test]
fn a_window_with_more_orders_than_can_be_asked_for_is_an_error() {
    let connection = polled();
    let mut feed = feeds(&connection).remove(0);
    feed.request.url = feed.request.url.replace("&page=1", "&page=400");
    assert!(Shopbase.page(&connection, &feed, &orders(250), &[]).is_err());
    assert!(Shopbase.page(&connection, &feed, &orders(3), &[]).is_ok());
}

#[test]
fn answers_that_cannot_be_read_are_errors_without_content() {
    let connection = polled();
    let feed = feeds(&connection).remove(0);
    for (answer, error) in [
        (answer(404, "ann@example.com"), "status 404"),
        (answer(200, "ann@example.com"), "the answer is not JSON"),
        (answer(200, "[]"), "the answer has no orders"),
        (answer(200, r#"{"orders":{}}"#), "the answer has no orders"),
    ] {
        assert_eq!(Shopbase.page(&connection, &feed, &answer, &[]), Err(error.to_owned()));
    }
    let none = Shopbase.page(&connection, &feed, &answer(200, r#"{"orders":null}"#), &[]).unwrap();
    assert_eq!(none.records, []);
}
