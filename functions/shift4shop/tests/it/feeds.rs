//! What is asked for regularly, and how the pages are read.

use jiff::Timestamp;
use platform::{ApiRequest, Connection, Feed, Fetched, Platform};
use serde_json::{Value, json};
use shift4shop::Shift4shop;

const URL: &str = "https://apirest.3dcart.com/3dCartWebAPI/v2/Orders\
                   ?lastupdatestart=03%2F13%2F2026&lastupdateend=03%2F15%2F2026&limit=300";

fn connection(settings: &Value) -> Connection {
    let mut all = json!({
        "secure_url": "https://larch-and-linen.3dcartstores.com/",
        "time_zone": "America/New_York",
        "currency": "USD",
    });
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    Connection { settings: all.as_object().unwrap().clone(), ..Connection::default() }
}

fn feeds(settings: &Value) -> Vec<Feed> {
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    // In New York it is still the evening of the 13th.
    Shift4shop.feeds(
        &connection(settings),
        &platform::Period::changes(time("2026-03-14T03:30:00Z"), time("2026-03-14T09:30:00Z")),
    )
}

fn answer(status: u16, body: &Value) -> Fetched {
    Fetched { status, body: serde_json::to_vec(body).unwrap(), ..Fetched::default() }
}

fn feed(url: &str) -> Feed {
    Feed { name: "orders", request: ApiRequest::get(url) }
}

fn orders(ids: std::ops::Range<u32>) -> Value {
    ids.map(|id| json!({ "OrderID": id, "CardNumber": "XXXX-1111", "CardVerification": "123" })).collect()
}

#[test]
fn nothing_is_asked_for_unless_it_is_wished_and_possible() {
    assert!(feeds(&json!({})).is_empty());
    assert!(feeds(&json!({ "poll": false })).is_empty());
    assert!(feeds(&json!({ "poll": true, "time_zone": "Nowhere" })).is_empty());
}

#[test]
fn days_are_those_of_the_store_and_the_day_after_is_included() {
    let feeds = feeds(&json!({ "poll": true }));
    let [feed] = feeds.as_slice() else { panic!("one feed") };
    assert_eq!(feed.name, "orders");
    assert_eq!(feed.request.url, URL);
    let headers: Vec<_> = feed.request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(
        headers,
        [
            ("accept", "application/json"),
            ("SecureURL", "https://larch-and-linen.3dcartstores.com"),
            ("PrivateKey", "{secret:private_key}"),
            ("Token", "{secret:api_token}"),
        ]
    );
}

#[test]
fn a_page_gives_its_orders_without_card_data() {
    let page =
        Shift4shop.page(&connection(&json!({})), &feed(URL), &answer(200, &orders(1..3)), &[]).unwrap();
    assert_eq!(page.next, None);
    let bodies: Vec<_> =
        page.records.iter().map(|record| String::from_utf8(record.body.clone()).unwrap()).collect();
    assert_eq!(bodies, [r#"{"OrderID":1}"#, r#"{"OrderID":2}"#]);
    assert!(page.records.iter().all(|record| record.topic == "order"));
    assert_ne!(page.records[0].delivery_id, page.records[1].delivery_id);
}

#[test]
fn full_pages_are_followed_until_one_is_not() {
    let connection = connection(&json!({}));
    let first = Shift4shop.page(&connection, &feed(URL), &answer(200, &orders(1..301)), &[]).unwrap();
    let second = first.next.unwrap();
    assert_eq!(second.url, format!("{URL}&offset=300"));
    let second = Feed { name: "orders", request: second };
    let third =
        Shift4shop.page(&connection, &second, &answer(200, &orders(301..601)), &[]).unwrap().next.unwrap();
    assert_eq!(third.url, format!("{URL}&offset=600"));
    let third = Feed { name: "orders", request: third };
    for status in [404, 400] {
        let last = Shift4shop.page(&connection, &third, &answer(status, &json!([])), &[]).unwrap();
        assert_eq!((last.records.len(), last.next), (0, None), "{status}");
    }
}

#[test]
fn no_rows_is_an_answer_and_a_refusal_is_not() {
    let connection = connection(&json!({}));
    assert_eq!(
        Shift4shop.page(&connection, &feed(URL), &answer(404, &json!([])), &[]).unwrap().records.len(),
        0
    );
    assert_eq!(
        Shift4shop.page(&connection, &feed(URL), &answer(200, &json!([])), &[]).unwrap().records.len(),
        0
    );
    Shift4shop.page(&connection, &feed(URL), &answer(400, &json!([])), &[]).unwrap_err();
    Shift4shop.page(&connection, &feed(URL), &answer(200, &json!("busy")), &[]).unwrap_err();
}

fn history(settings: &Value) -> Vec<Feed> {
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let period = platform::Period::history(time("2024-01-01T03:30:00Z"), time("2026-03-14T09:30:00Z"));
    Shift4shop.feeds(&connection(settings), &period)
}

#[test]
fn the_history_is_asked_for_whether_the_store_is_polled_or_not() {
    let api = "https://apirest.3dcart.com/3dCartWebAPI/v2";
    let urls: Vec<_> = history(&json!({})).into_iter().map(|feed| (feed.name, feed.request.url)).collect();
    assert_eq!(
        urls,
        [
            ("customers", format!("{api}/Customers?limit=300")),
            ("products", format!("{api}/Products?limit=200")),
            ("orders", format!("{api}/Orders?datestart=12%2F31%2F2023&dateend=03%2F15%2F2026&limit=300")),
        ]
    );
    let pace = history(&json!({}))[2].request.pace.unwrap();
    assert_eq!((pace.requests, pace.per.as_secs()), (2, 1));
    let local = history(&json!({ "api_url": "http://127.0.0.1:8099/" }));
    assert!(local[0].request.url.starts_with("http://127.0.0.1:8099/Customers?"));
    assert_eq!(history(&json!({ "time_zone": "Nowhere" })), []);
}

#[test]
fn customers_and_products_are_read_and_no_old_tick_is_a_decision() {
    let connection = connection(&json!({}));
    let of = |name, body: Value| {
        let feed = history(&json!({})).into_iter().find(|feed| feed.name == name).unwrap();
        Shift4shop.page(&connection, &feed, &answer(200, &json!([body])), &[]).unwrap().records.remove(0)
    };
    let customer = json!({ "CustomerID": 7, "Email": "ann@example.com", "BillingFirstName": "Ann",
                           "MailList": true, "Password": "secret", "UserID": "ann" });
    let record = of("customers", customer);
    assert!(!String::from_utf8(record.body.clone()).unwrap().contains("secret"));
    let (mapping, _) = conformance::read(&Shift4shop, &connection, &record, |_| panic!("nothing is asked"));
    let platform::Mapping::Facts { facts, .. } = mapping else { panic!("{mapping:?}") };
    let [canonical::Fact::Customer(snapshot)] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(snapshot.person.customer_id.as_deref(), Some("7"));

    let record = of("products", json!({ "SKUInfo": { "CatalogID": 5, "SKU": "MUG", "Name": "Mug" } }));
    let (mapping, _) = conformance::read(&Shift4shop, &connection, &record, |_| panic!("nothing is asked"));
    let platform::Mapping::Facts { facts, .. } = mapping else { panic!("{mapping:?}") };
    let [canonical::Fact::Catalog(item)] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(item.product_id, "5");
}

#[test]
fn every_order_of_the_history_comes_once_although_some_change_meanwhile() {
    let mut all: Vec<Value> = (1..=700).map(|id| json!({ "OrderID": id, "OrderStatusID": 1 })).collect();
    let feed = history(&json!({})).remove(2);
    let walk = conformance::walk(&Shift4shop, &connection(&json!({})), &feed, |request| {
        let offset = request.url.split_once("&offset=").map_or(0, |(_, offset)| offset.parse().unwrap());
        let rows: Vec<Value> = all.iter().skip(offset).take(300).cloned().collect();
        all[500]["OrderStatusID"] = 4.into();
        answer(200, &rows.into())
    });
    // Per 100 orders: 0.4 requests.
    assert_eq!((walk.records.len(), walk.requests.len()), (700, 3));
}
