//! What a shop is asked for its history.

use std::collections::BTreeSet;

use magento2::Magento2;
use platform::{Connection, Feed, Fetched, Mapping, Period, Platform};
use serde_json::{Value, json};

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    Connection { id: "conn-1".to_owned(), platform: "magento2".to_owned(), settings }
}

fn shop() -> Connection {
    connection(json!({ "base_url": "https://larch.example" }))
}

fn history(connection: &Connection) -> Vec<Feed> {
    let period =
        Period::history("2024-01-01T00:00:00Z".parse().unwrap(), "2026-03-14T09:15:00Z".parse().unwrap());
    Magento2.feeds(connection, &period)
}

#[test]
fn it_is_asked_for_by_creation_whether_the_shop_is_polled_or_not() {
    let feeds = history(&shop());
    let names: Vec<_> = feeds.iter().map(|feed| feed.name).collect();
    assert_eq!(names, ["customers", "products", "orders", "creditmemos", "shipments"]);
    for feed in feeds {
        assert!(feed.request.url.contains("[0][filters][0][field]=created_at"), "{}", feed.request.url);
        assert!(feed.request.url.contains("[1][filters][0][value]=2026-03-14%2009:15:00"));
        assert!(!feed.request.url.contains("updated_at"));
    }
    assert_eq!(history(&connection(json!({}))), []);
    assert_eq!(history(&connection(json!({ "base_url": "http://larch.example" }))), []);
}

#[test]
fn another_address_may_stand_in_for_the_shop_s() {
    for (url, start) in [
        ("http://127.0.0.1:8099/", "http://127.0.0.1:8099/rest/all/V1/"),
        ("https://proxy.example/a", "https://proxy.example/a/rest/all/V1/"),
    ] {
        let feeds = history(&connection(json!({ "api_url": url })));
        assert!(feeds[0].request.url.starts_with(start), "{}", feeds[0].request.url);
    }
    for bad in
        ["127.0.0.1", "ftp://127.0.0.1", "http://user@127.0.0.1", "http://127.0.0.1?a=b", "http://a/../b"]
    {
        assert_eq!(history(&connection(json!({ "base_url": "https://larch.example", "api_url": bad }))), []);
    }
}

#[test]
fn every_order_comes_once_although_one_changes_and_one_is_deleted_meanwhile() {
    let mut orders: Vec<Value> = (1..=430)
        .map(|id| {
            json!({ "entity_id": id, "increment_id": format!("{id:09}"), "state": "processing", "status": "processing",
                    "created_at": "2025-05-05 05:05:05", "updated_at": "2025-05-05 05:05:05",
                    "customer_email": "ann@example.com", "order_currency_code": "EUR", "grand_total": 12.5,
                    "items": [{ "item_id": id, "product_id": 1, "sku": "MUG", "name": "Mug", "qty_ordered": 1,
                                "price": 12.5, "row_total": 12.5, "product_type": "simple" }] })
        })
        .collect();
    let walk = conformance::walk(&Magento2, &shop(), &history(&shop())[2], |request| {
        let after: u64 = request.url.rsplit_once('=').unwrap().1.parse().unwrap();
        let left = || orders.iter().filter(|order| order["entity_id"].as_u64().unwrap() > after);
        let items: Vec<Value> = left().take(100).cloned().collect();
        let body = json!({ "items": items, "total_count": left().count() });
        orders.remove(0);
        orders[20]["updated_at"] = "2026-03-14 09:00:00".into();
        Fetched { status: 200, body: body.to_string().into_bytes(), ..Fetched::default() }
    });
    // Per 100 orders: 1.2 requests, and as many for their credit memos and parcels.
    assert_eq!((walk.records.len(), walk.requests.len()), (430, 5));
    let mut ids = BTreeSet::new();
    for record in &walk.records {
        let (mapping, more) = conformance::read(&Magento2, &shop(), record, |_| panic!("an order is whole"));
        let Mapping::Facts { facts, .. } = mapping else { panic!("{mapping:?}") };
        let canonical::Fact::Order(order) = &facts[0] else { panic!("{facts:?}") };
        assert!(ids.insert(order.order_id.clone()) && more == 0);
    }
}
