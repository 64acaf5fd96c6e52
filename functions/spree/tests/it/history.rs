//! What Spree is asked for its history.

use std::collections::BTreeSet;

use jiff::Timestamp;
use platform::{ApiRequest, Connection, Feed, Fetched, Mapping, Period, Platform};
use serde_json::{Value, json};
use spree::Spree;

const API: &str = "https://shop.larch-and-linen.example/api/v3/admin/";

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings") };
    Connection { id: "conn-1".to_owned(), platform: "spree".to_owned(), settings }
}

fn shop() -> Connection {
    connection(json!({ "store_url": "https://shop.larch-and-linen.example", "api": "admin" }))
}

fn history(connection: &Connection) -> Vec<Feed> {
    let period =
        Period::history("2026-01-01T00:00:00Z".parse().unwrap(), "2026-03-14T09:00:00Z".parse().unwrap());
    Spree.feeds(connection, &period)
}

fn answer(body: &Value) -> Fetched {
    Fetched { status: 200, body: body.to_string().into_bytes(), ..Fetched::default() }
}

fn parameter<'a>(request: &'a ApiRequest, name: &str) -> &'a str {
    let query = request.url.split_once('?').unwrap().1;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

#[test]
fn it_is_asked_for_by_creation_whether_the_shop_is_polled_or_not() {
    let urls: Vec<_> = history(&shop()).into_iter().map(|feed| (feed.name, feed.request.url)).collect();
    let of = |by: &str| {
        format!(
            "q%5B{by}_gteq%5D=2026-01-01T00:00:00Z&q%5B{by}_lt%5D=2026-03-14T09:00:00Z&sort={by}&limit=100"
        )
    };
    let expand = "items.variant,fulfillments,payments,discounts,billing_address,shipping_address,customer";
    assert_eq!(
        urls,
        [
            ("customers", format!("{API}customers?{}&page=1", of("created_at"))),
            (
                "orders",
                format!(
                    "{API}orders?q%5Bcompleted_at_not_null%5D=1&{}&expand={expand}&page=1",
                    of("completed_at")
                )
            ),
        ]
    );
    for settings in [
        json!({ "store_url": "https://shop.example" }),
        json!({ "store_url": "https://shop.example", "api": "platform" }),
        json!({ "api": "admin" }),
    ] {
        assert_eq!(history(&connection(settings)), []);
    }
    let local = history(&connection(json!({ "store_url": "http://127.0.0.1:8099", "api": "admin" })));
    assert!(local[0].request.url.starts_with("http://127.0.0.1:8099/api/v3/admin/customers?"));
}

#[test]
fn customers_are_read() {
    let customer = json!({ "id": "cus_1", "email": "ann@example.com", "first_name": "Ann", "last_sign_in_ip": "192.0.2.1",
        "created_at": "2026-02-01T00:00:00Z", "updated_at": "2026-02-02T00:00:00Z", "internal_note_html": "x" });
    let body = json!({ "data": [customer], "meta": { "next": null } });
    let feed = &history(&shop())[0];
    let record = Spree.page(&shop(), feed, &answer(&body), &[]).unwrap().records.remove(0);
    assert_eq!(record.delivery_id, "cus_1@2026-02-02T00:00:00Z");
    assert!(!String::from_utf8(record.body.clone()).unwrap().contains("192.0.2.1"));
    let (mapping, _) = conformance::read(&Spree, &shop(), &record, |_| panic!("nothing is asked"));
    let Mapping::Facts { facts, .. } = mapping else { panic!("{mapping:?}") };
    let [canonical::Fact::Customer(snapshot)] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!(snapshot.person.customer_id.as_deref(), Some("cus_1"));
    assert_eq!(snapshot.person.email.as_deref(), Some("ann@example.com"));
}

/// Every tenth was paid back in part.
fn order(id: i64) -> Value {
    let at = Timestamp::from_second(1_767_225_600 + id / 4 * 60).unwrap().to_string();
    let left = if id % 10 == 0 { "7.5" } else { "10.0" };
    json!({
        "id": format!("or_{id}"), "number": format!("R{id:09}"), "email": "ann@example.com", "currency": "EUR",
        "total": "10.0", "completed_at": at, "updated_at": at, "payment_total": left, "last_ip_address": "192.0.2.1",
        "items": [{ "id": format!("li_{id}"), "name": "Mug", "quantity": 1, "price": "10.0", "total": "10.0" }],
        "payments": [{ "id": format!("py_{id}"), "status": "completed", "amount": "10.0", "source": { "last4": "1111" } },
                     { "id": format!("px_{id}"), "status": "failed", "amount": "10.0" }],
    })
}

#[test]
fn every_order_comes_with_its_refunds_although_some_change_meanwhile() {
    let mut orders: Vec<Value> = (1..=450).map(order).collect();
    let walk = conformance::walk(&Spree, &shop(), &history(&shop())[1], |request| {
        if let Some(id) =
            request.url.strip_prefix(&format!("{API}orders/")).and_then(|rest| rest.split('/').next())
        {
            let refund =
                json!({ "id": format!("re_{id}"), "amount": "2.5", "created_at": "2026-03-01T00:00:00Z" });
            return answer(&json!({ "data": [refund], "meta": {} }));
        }
        let since: Timestamp = parameter(request, "q%5Bcompleted_at_gteq%5D").parse().unwrap();
        let page: usize = parameter(request, "page").parse().unwrap();
        let at = |order: &&Value| order["completed_at"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let left: Vec<Value> = orders.iter().filter(|order| at(order) >= since).cloned().collect();
        let next = (left.len() > page * 100).then_some(page + 1);
        let data = left.chunks(100).nth(page - 1).unwrap_or_default();
        let body = json!({ "data": data, "meta": { "next": next } });
        orders.remove(0);
        orders[5]["updated_at"] = "2026-03-14T08:00:00Z".into();
        answer(&body)
    });
    let (mut ids, mut refunds) = (BTreeSet::new(), BTreeSet::new());
    for record in &walk.records {
        let text = String::from_utf8(record.body.clone()).unwrap();
        assert!(!text.contains("1111") && !text.contains("192.0.2.1"));
        let (mapping, _) = conformance::read(&Spree, &shop(), record, |_| panic!("nothing more is asked"));
        let Mapping::Facts { facts, .. } = mapping else { panic!("{mapping:?}") };
        let canonical::Fact::Order(order) = &facts[0] else { panic!("{facts:?}") };
        ids.insert(order.order_id.clone());
        refunds.extend(order.refunds.iter().map(|refund| refund.refund_id.clone()));
    }
    assert_eq!((ids.len(), refunds.len()), (450, 45));
    let lists = walk.requests.iter().filter(|request| request.url.contains("orders?")).count();
    // Per 100 orders: 1.1 lists, and one request for each order that was paid back.
    assert_eq!((lists, walk.records.len() < 470), (5, true), "{}", walk.records.len());
    assert!(walk.requests.len() - lists < 50, "{}", walk.requests.len());
}
