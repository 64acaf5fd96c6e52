//! Looking for orders whose deliveries were lost.

use bigcommerce::Bigcommerce;
use platform::{Connection, Feed, Fetched, Platform};
use serde_json::{Value, json};

const SINCE: &str = "2026-03-14T09:00:00.75Z";
const UNTIL: &str = "2026-03-14T10:00:00Z";

fn connection(settings: Value) -> Connection {
    Connection {
        id: "conn-1".to_owned(),
        platform: "bigcommerce".to_owned(),
        settings: serde_json::from_value(settings).unwrap(),
    }
}

fn polled() -> Connection {
    connection(json!({ "store_hash": "abc123def4", "poll": true }))
}

fn feed() -> Feed {
    Bigcommerce
        .feeds(&polled(), &platform::Period::changes(SINCE.parse().unwrap(), UNTIL.parse().unwrap()))
        .remove(0)
}

fn answer(body: &Value) -> Fetched {
    Fetched { status: 200, body: serde_json::to_vec(body).unwrap(), ..Fetched::default() }
}

fn entry(id: usize, minute: usize) -> Value {
    let modified = format!("Sat, 14 Mar 2026 09:{minute:02}:00 +0000");
    json!({ "id": id, "status_id": 11, "date_modified": modified })
}

#[test]
fn only_a_connection_that_wants_it_is_polled() {
    let feeds = |settings| {
        let connection = connection(settings);
        Bigcommerce
            .feeds(&connection, &platform::Period::changes(SINCE.parse().unwrap(), UNTIL.parse().unwrap()))
            .len()
    };
    assert_eq!(feeds(json!({ "store_hash": "abc123def4", "poll": true })), 1);
    assert_eq!(feeds(json!({ "store_hash": "abc123def4" })), 0);
    assert_eq!(feeds(json!({ "poll": true })), 0);
}

#[test]
fn orders_are_asked_for_by_the_time_of_their_last_change() {
    let feed = feed();
    assert_eq!(feed.name, "orders");
    assert_eq!(
        feed.request.url,
        "https://api.bigcommerce.com/stores/abc123def4/v2/orders?min_date_modified=2026-03-14T09:00:00Z\
         &max_date_modified=2026-03-14T10:00:00Z&sort=date_modified:asc&include=consignments.line_items\
         &limit=100&page=1"
    );
    assert!(feed.request.headers.contains(&("x-auth-token".to_owned(), "{secret:access_token}".to_owned())));
}

#[test]
fn each_order_becomes_a_record_that_is_read_like_a_delivery() {
    let page = Bigcommerce.page(&polled(), &feed(), &answer(&json!([entry(218, 26)])), &[]).unwrap();
    assert_eq!(page.next, None);
    let [record] = page.records.as_slice() else { panic!("{:?}", page.records) };
    assert_eq!(record.topic, "store/order/updated");
    assert_eq!(record.delivery_id, "order-218-2026-03-14T09:26:00Z");
    let body: Value = serde_json::from_slice(&record.body).unwrap();
    assert_eq!(
        body,
        json!({ "scope": "store/order/updated", "producer": "stores/abc123def4",
                "data": { "type": "order", "id": "218" } })
    );
}

#[test]
fn attempts_to_pay_and_what_has_no_id_are_left_out() {
    let mut incomplete = entry(1, 1);
    incomplete["status_id"] = 0.into();
    let mut declined = entry(4, 1);
    declined["status_id"] = 6.into();
    let body = json!([incomplete, declined, { "status_id": 11 }, 7, null, entry(2, 2), { "id": 3 }]);
    let page = Bigcommerce.page(&polled(), &feed(), &answer(&body), &[]).unwrap();
    let ids: Vec<&str> = page.records.iter().map(|record| record.delivery_id.as_str()).collect();
    assert_eq!(ids, ["order-2-2026-03-14T09:02:00Z", "order-3-unknown"]);
}

#[test]
fn nothing_changed_is_an_empty_page() {
    for status in [204, 404] {
        let answer = Fetched { status, ..Fetched::default() };
        assert_eq!(Bigcommerce.page(&polled(), &feed(), &answer, &[]).unwrap(), platform::Page::default());
    }
}

#[test]
fn a_full_page_is_followed_from_just_before_the_time_that_it_ends_with() {
    let entries: Vec<Value> = (0..250).map(|index| entry(index + 1, index / 10)).collect();
    let page = Bigcommerce.page(&polled(), &feed(), &answer(&entries.into()), &[]).unwrap();
    assert_eq!(page.records.len(), 250);
    let url = page.next.unwrap().url;
    assert!(
        url.contains("min_date_modified=2026-03-14T09:23:59Z&max_date_modified=2026-03-14T10:00:00Z"),
        "{url}"
    );
    assert!(url.ends_with("&page=1"), "{url}");
}

#[test]
fn a_full_page_of_one_time_is_followed_by_number() {
    let entries: Vec<Value> = (0..250).map(|index| entry(index + 1, 0)).collect();
    let mut feed = feed();
    for number in 2..4 {
        let page = Bigcommerce.page(&polled(), &feed, &answer(&entries.clone().into()), &[]).unwrap();
        feed.request = page.next.unwrap();
        assert!(feed.request.url.ends_with(&format!("&page={number}")), "{}", feed.request.url);
    }
}

#[test]
fn a_page_that_cannot_be_read_is_asked_for_again() {
    let page = |status, body: &[u8]| {
        let answer = Fetched { status, body: body.to_vec(), ..Fetched::default() };
        Bigcommerce.page(&polled(), &feed(), &answer, &[]).unwrap_err()
    };
    assert_eq!(page(400, b"[]"), "the API answered 400");
    assert_eq!(page(200, b"<xml/>"), "the answer is not a list of orders");
    assert_eq!(page(200, b"{}"), "the answer is not a list of orders");
}
