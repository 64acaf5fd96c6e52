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
fn orders_of_all_states_that_changed_since_are_asked_for() {
    let feeds = feeds(&polled());
    assert_eq!(feeds.len(), 1);
    assert_eq!(
        feeds[0].request.url,
        "https://larch-and-linen.onshopbase.com/admin/orders.json?status=any&limit=250\
         &updated_at_min=2026-03-14T08:00:00Z&page=1"
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
    assert!(next.url.ends_with("&updated_at_min=2026-03-14T08:00:00Z&page=2"), "{}", next.url);
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

fn history(connection: &Connection) -> Vec<Feed> {
    let period = platform::Period::history(
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "2026-03-14T09:00:00.5Z".parse().unwrap(),
    );
    Shopbase.feeds(connection, &period)
}

fn unpolled() -> Connection {
    connection(&json!({"shop_domain": "larch-and-linen.onshopbase.com"}))
}

#[test]
fn the_history_is_asked_for_by_creation_whether_the_shop_is_polled_or_not() {
    let urls: Vec<_> = history(&unpolled()).into_iter().map(|feed| (feed.name, feed.request.url)).collect();
    let of = |path: &str| format!("https://larch-and-linen.onshopbase.com/admin/{path}");
    let window = "limit=250&created_at_min=2026-01-01T00:00:00Z&created_at_max=2026-03-14T09:00:00Z&page=1";
    assert_eq!(
        urls,
        [
            ("customers", of(&format!("customers.json?{window}"))),
            ("products", of(&format!("products.json?{window}"))),
            ("orders", of(&format!("orders.json?status=any&{window}"))),
        ]
    );
    assert_eq!(history(&connection(&json!({"shop_domain": "shop.example.com"}))), []);
}

#[test]
fn another_address_may_stand_in_for_the_shop_s() {
    let with = |url: &str| {
        let mut connection = unpolled();
        connection.settings.insert("api_url".to_owned(), url.into());
        history(&connection).first().map(|feed| feed.request.url.clone()).unwrap_or_default()
    };
    assert!(with("http://127.0.0.1:8099/").starts_with("http://127.0.0.1:8099/admin/customers.json?"));
    assert_eq!(with("ftp://127.0.0.1"), "");
}

#[test]
fn the_whole_history_comes_page_by_page() {
    let made = |id: i64| Timestamp::from_second(1_767_225_600 + id * 3600).unwrap();
    let mut orders: Vec<Value> = (0..1200)
        .map(|id| json!({"id": id + 1, "created_at": made(id).to_string(), "updated_at": made(id).to_string()}))
        .collect();
    let feed = history(&unpolled()).remove(2);
    let walk = conformance::walk(&Shopbase, &unpolled(), &feed, |request| {
        let query = request.url.split_once('?').unwrap().1.to_owned();
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap().to_owned()
        };
        let time = |name: &str| value(name).parse::<Timestamp>().unwrap();
        let (from, to) = (time("created_at_min"), time("created_at_max"));
        let at = |order: &&Value| order["created_at"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let all: Vec<Value> =
            orders.iter().filter(|order| at(order) >= from && at(order) <= to).cloned().collect();
        let page: usize = value("page").parse().unwrap();
        let body = json!({"orders": all.chunks(250).nth(page - 1).unwrap_or_default()});
        orders[700]["updated_at"] = "2026-03-14T09:00:00Z".into();
        answer(200, &body.to_string())
    });
    let ids: std::collections::BTreeSet<i64> = walk
        .records
        .iter()
        .map(|record| serde_json::from_slice::<Value>(&record.body).unwrap()["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids.len(), 1200);
    // Per 100 orders: 0.4 requests, whatever the time between them.
    assert_eq!(walk.requests.len(), 5);
}
