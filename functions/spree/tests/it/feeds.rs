//! Orders that are asked for regularly.

use jiff::Timestamp;
use platform::{Connection, Delivery, Fetched, Headers, Mapping, Platform};
use serde_json::{Value, json};
use spree::Spree;

const FIRST: &str = "https://shop.larch-and-linen.example/api/v3/admin/orders?q%5Bcompleted_at_not_null%5D=1\
    &q%5Bupdated_at_gteq%5D=2026-03-14T08:00:00Z&q%5Bupdated_at_lt%5D=2026-03-14T09:00:00Z&sort=updated_at&limit=100\
    &expand=items.variant,fulfillments,payments,discounts,billing_address,shipping_address,customer&page=1";

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings") };
    Connection { id: "conn-1".to_owned(), platform: "spree".to_owned(), settings }
}

fn polling() -> Connection {
    connection(json!({
        "store_url": "https://shop.larch-and-linen.example/", "api": "admin", "poll": true
    }))
}

fn feeds(connection: &Connection) -> Vec<platform::Feed> {
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    Spree.feeds(
        connection,
        &platform::Period::changes(time("2026-03-14T08:00:00Z"), time("2026-03-14T09:00:00Z")),
    )
}

fn answer(status: u16, body: &Value) -> Fetched {
    Fetched { status, headers: Headers::default(), body: body.to_string().into_bytes() }
}

#[test]
fn orders_are_asked_for_by_the_time_of_their_last_change() {
    let feeds = feeds(&polling());
    assert_eq!(feeds.len(), 1);
    assert_eq!((feeds[0].name, feeds[0].request.method.as_str()), ("orders", "GET"));
    assert_eq!(feeds[0].request.url, FIRST);
    let key = ("x-spree-api-key".to_owned(), "{secret:api_key}".to_owned());
    assert!(feeds[0].request.headers.contains(&key));
}

#[test]
fn nothing_is_asked_for_unless_everything_is_set() {
    let url = "https://shop.larch-and-linen.example";
    for settings in [
        json!({}),
        json!({"store_url": url, "api": "admin"}),
        json!({"store_url": url, "api": "admin", "poll": false}),
        json!({"store_url": url, "poll": true}),
        json!({"store_url": url, "api": "none", "poll": true}),
        json!({"store_url": url, "api": "platform", "poll": true}),
        json!({"api": "admin", "poll": true}),
        json!({"store_url": "shop.larch-and-linen.example", "api": "admin", "poll": true}),
        json!({"store_url": "https://", "api": "admin", "poll": true}),
        json!({"store_url": "https://shop.example/?a=b", "api": "admin", "poll": true}),
        json!({"store_url": "https://somebody@shop.example", "api": "admin", "poll": true}),
    ] {
        assert!(feeds(&connection(settings.clone())).is_empty(), "{settings}");
    }
}

#[test]
fn a_page_gives_its_orders_and_the_request_of_the_next() {
    let connection = polling();
    let feed = feeds(&connection).remove(0);
    let body = json!({
        "data": [
            {"id": "or_a", "number": "R100000001", "updated_at": "2026-03-14T08:10:00.250Z",
             "completed_at": "2026-03-14T08:09:00.000Z", "currency": "EUR", "total": "49.0", "items": []},
            {"id": "or_b", "number": "R100000002"},
            {"number": "without an id"},
            "not an order"
        ],
        "meta": {"page": 1, "limit": 100, "pages": 2, "next": 2}
    });
    let page = Spree.page(&connection, &feed, &answer(200, &body), &[]).unwrap();
    let ids: Vec<_> = page.records.iter().map(|record| record.delivery_id.as_str()).collect();
    assert_eq!(ids, ["or_a@2026-03-14T08:10:00.250Z", "or_b"]);
    let next = page.next.unwrap();
    // From where this page ends: an order that leaves the list meanwhile pulls no other one over the edge.
    assert_eq!(next.url, FIRST.replace("T08:00:00Z", "T08:10:00Z"));
    assert_eq!(next.headers, feed.request.headers);

    let record = &page.records[0];
    let delivery = Delivery {
        platform: "spree".to_owned(),
        connection: connection.id.clone(),
        topic: record.topic.clone(),
        delivery_id: record.delivery_id.clone(),
        received_at: "2026-03-14T09:27:00Z".parse().unwrap(),
        headers: record.headers.clone(),
        backfill: false,
        body: record.body.clone(),
    };
    let Mapping::Facts { facts, dropped } = Spree.facts(&delivery, &connection, &[]) else { panic!("facts") };
    assert_eq!(serde_json::to_value(&facts).unwrap()[0]["order_id"], "R100000001");
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn pages_are_numbered_where_a_whole_page_has_one_time() {
    let connection = polling();
    let feed = feeds(&connection).remove(0);
    for data in [json!([{"id": "or_a", "updated_at": "2026-03-14T08:00:00.900Z"}]), json!([{"id": "or_a"}])] {
        let body = json!({"data": data, "meta": {"page": 1, "next": 2}});
        let page = Spree.page(&connection, &feed, &answer(200, &body), &[]).unwrap();
        assert_eq!(page.next.unwrap().url, FIRST.replace("&page=1", "&page=2"), "{data}");
    }
}

#[test]
fn the_last_page_has_no_next() {
    let connection = polling();
    let feed = feeds(&connection).remove(0);
    for meta in [
        json!({"page": 1, "next": null}),
        json!({}),
        // It would be asked for without end.
        json!({"page": 1, "next": 1}),
        json!({"page": 1, "next": 0}),
    ] {
        let page =
            Spree.page(&connection, &feed, &answer(200, &json!({"data": [], "meta": meta})), &[]).unwrap();
        assert_eq!(page.next, None, "{meta}");
    }
}

#[test]
fn what_is_no_page_is_an_error_without_content() {
    let connection = polling();
    let feed = feeds(&connection).remove(0);
    for (status, body, error) in [
        (404, json!({"error": {"code": "ann@example.com"}}), "status 404"),
        (200, json!({"error": "ann@example.com"}), "not a page of orders"),
        (200, json!([1, 2]), "not a page of orders"),
        (200, json!({"data": "ann@example.com"}), "not a page of orders"),
    ] {
        assert_eq!(Spree.page(&connection, &feed, &answer(status, &body), &[]), Err(error.to_owned()));
    }
}
