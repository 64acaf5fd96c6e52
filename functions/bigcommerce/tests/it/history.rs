//! What a store is asked for its history, and what its orders are joined with.

use std::collections::{BTreeMap, BTreeSet};

use bigcommerce::Bigcommerce;
use canonical::Fact;
use platform::{ApiRequest, Connection, Feed, Fetched, Mapping, Period, Platform};
use serde_json::{Value, json};

const API: &str = "https://api.bigcommerce.com/stores/abc123def4/";

fn connection(settings: Value) -> Connection {
    let settings = serde_json::from_value(settings).unwrap();
    Connection { id: "conn-1".to_owned(), platform: "bigcommerce".to_owned(), settings }
}

fn store() -> Connection {
    connection(json!({ "store_hash": "abc123def4" }))
}

fn history(connection: &Connection) -> Vec<Feed> {
    let period =
        Period::history("2024-01-01T00:00:00Z".parse().unwrap(), "2026-03-14T09:00:00Z".parse().unwrap());
    Bigcommerce.feeds(connection, &period)
}

fn feed(name: &str) -> Feed {
    history(&store()).into_iter().find(|feed| feed.name == name).unwrap()
}

fn answer(body: &Value) -> Fetched {
    Fetched { status: 200, body: body.to_string().into_bytes(), ..Fetched::default() }
}

#[test]
fn it_is_asked_for_by_creation_whether_the_store_is_polled_or_not() {
    let urls: Vec<_> = history(&store()).into_iter().map(|feed| (feed.name, feed.request.url)).collect();
    let (since, until) = ("2024-01-01T00:00:00Z", "2026-03-14T09:00:00Z");
    assert_eq!(
        urls,
        [
            (
                "customers",
                format!(
                    "{API}v3/customers?date_created:min={since}&date_created:max={until}&sort=date_created:asc\
                         &include=addresses&limit=250&page=1"
                )
            ),
            (
                "subscribers",
                format!("{API}v3/customers/subscribers?limit=250&page=1#since={since}&until={until}")
            ),
            (
                "orders",
                format!(
                    "{API}v2/orders?min_date_created={since}&max_date_created={until}&sort=id:asc\
                         &include=consignments.line_items&limit=100&min_id=1"
                )
            ),
        ]
    );
    assert_eq!(history(&connection(json!({}))), []);
}

/// Half of them were sent, every tenth was paid back in part, every fifth had a code, every fourth buyer is known by
/// their account alone.
fn order(id: u64) -> Value {
    let yes = |every: u64| id.is_multiple_of(every);
    json!({
        "id": id, "status_id": if yes(10) { 14 } else { 11 }, "customer_id": if yes(4) { id } else { 0 },
        "date_created": "Wed, 01 Jan 2025 00:00:00 +0000", "date_modified": "Thu, 02 Jan 2025 00:00:00 +0000",
        "total_inc_tax": "10.0000", "default_currency_code": "EUR", "currency_code": "EUR",
        "items_shipped": u8::from(yes(2)), "coupon_discount": if yes(5) { "1.0000" } else { "0.0000" },
        "refunded_amount": if yes(10) { "2.5000" } else { "0.0000" }, "ip_address": "192.0.2.1",
        "billing_address": { "first_name": "Ann", "email": if yes(4) { "" } else { "ann@example.com" } },
        "consignments": [{
            "shipping": [{ "id": id, "first_name": "Ann", "last_name": "Ode", "city": "Lund", "line_items": [
                { "id": id * 10 + 1, "name": "Mug", "quantity": 1, "price_inc_tax": "6.0000", "total_inc_tax": "6.0000" }
            ] }],
            "pickups": [],
            "downloads": [{ "line_items": [
                { "id": id * 10, "name": "Song", "quantity": 1, "price_inc_tax": "4.0000", "total_inc_tax": "4.0000" }
            ] }],
            "email": { "gift_certificates": [] }
        }]
    })
}

fn refund(id: u64) -> Value {
    json!({ "id": id + 1_000_000, "order_id": id, "created": "2025-02-01T00:00:00Z", "total_amount": 2.5, "payments": [] })
}

fn parcel(id: u64) -> Value {
    json!({ "id": id + 2_000_000, "order_id": id, "date_created": "Fri, 03 Jan 2025 00:00:00 +0000",
            "tracking_number": "T1", "items": [{ "order_product_id": id * 10 + 1, "quantity": 1 }] })
}

fn customer(id: u64) -> Value {
    json!({ "id": id, "email": format!("c{id}@example.com"), "first_name": "Ann", "registration_ip_address": "192.0.2.1",
            "date_created": "2025-01-01T00:00:00Z", "date_modified": "2025-01-01T00:00:00Z", "addresses": [] })
}

/// A store that answers lists as well as what belongs to one order.
fn answered(orders: &BTreeMap<u64, Value>, request: &ApiRequest) -> Fetched {
    let path = request.url.strip_prefix(API).unwrap();
    let path = path.split('#').next().unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let ids =
        |name: &str| -> Vec<u64> { value(name).unwrap().split(',').map(|id| id.parse().unwrap()).collect() };
    let single = path.strip_prefix("v2/orders/").and_then(|rest| rest.split('/').next()?.parse::<u64>().ok());
    let body = match path {
        "v2/orders" => {
            let from: u64 = value("min_id").unwrap().parse().unwrap();
            orders.range(from..).take(100).map(|(_, order)| order.clone()).collect()
        }
        "v3/orders/payment_actions/refunds" => {
            json!({ "data": ids("order_id:in").into_iter().map(refund).collect::<Vec<_>>() })
        }
        "v3/customers" => json!({ "data": ids("id:in").into_iter().map(customer).collect::<Vec<_>>() }),
        _ if path.ends_with("/shipments") => json!([parcel(single.unwrap())]),
        _ if path.ends_with("/coupons") && single.unwrap().is_multiple_of(5) => json!([{ "code": "SPRING" }]),
        _ if path.ends_with("/coupons") => json!([]),
        _ => {
            let mut order = orders[&single.or_else(|| path.split('/').nth(2)?.parse().ok()).unwrap()].clone();
            let consignment = order.as_object_mut().unwrap().remove("consignments").unwrap()[0].clone();
            let (shipping, download) = (&consignment["shipping"][0], &consignment["downloads"][0]);
            match path.rsplit('/').next().unwrap() {
                "products" => json!([download["line_items"][0], shipping["line_items"][0]]),
                "shipping_addresses" => json!([shipping]),
                "refunds" => json!({ "data": [refund(order["id"].as_u64().unwrap())] }),
                _ => order,
            }
        }
    };
    answer(&body)
}

fn facts(mapping: Mapping) -> Vec<Fact> {
    let Mapping::Facts { facts, dropped } = mapping else { panic!("{mapping:?}") };
    assert_eq!(dropped, Vec::<&str>::new());
    facts
}

#[test]
fn every_order_comes_once_with_all_that_belongs_to_it() {
    let mut orders: BTreeMap<u64, Value> = (1..=400).map(|id| (id, order(id))).collect();
    let walk = conformance::walk(&Bigcommerce, &store(), &feed("orders"), |request| {
        let answer = answered(&orders, request);
        // Those that were read are deleted, and one changes.
        if request.url.contains("v2/orders?") && orders.len() > 380 {
            orders.pop_first();
        }
        orders.get_mut(&300).unwrap()["date_modified"] = "Fri, 13 Mar 2026 00:00:00 +0000".into();
        answer
    });
    assert_eq!(walk.records.len(), 400);
    let count = |part: &str| walk.requests.iter().filter(|request| request.url.contains(part)).count();
    assert_eq!((count("v2/orders?"), count("/payment_actions/refunds"), count("v3/customers?")), (5, 4, 4));
    assert_eq!((count("/shipments?"), count("/coupons?")), (200, 80));
    // Per 100 orders: 3 requests for lists, and one for each order that was sent or had a code.
    assert_eq!(walk.requests.len(), 293);

    let orders: BTreeMap<u64, Value> = (1..=400).map(|id| (id, order(id))).collect();
    let (mut ids, mut singly) = (BTreeSet::new(), 0);
    for record in &walk.records {
        assert!(!String::from_utf8(record.body.clone()).unwrap().contains("192.0.2.1"));
        let joined = conformance::read(&Bigcommerce, &store(), record, |_| panic!("nothing more is asked"));
        let joined = facts(joined.0);
        let Fact::Order(order) = &joined[0] else { panic!("{joined:?}") };
        ids.insert(order.order_id.clone());
        // Exactly what the delivery of the same order says.
        let mut thin = record.clone();
        thin.headers = platform::Headers::default();
        let (mapping, requests) =
            conformance::read(&Bigcommerce, &store(), &thin, |request| answered(&orders, request));
        singly += requests;
        if order.order_id != "300" {
            assert_eq!(facts(mapping), joined, "{}", order.order_id);
        }
    }
    assert_eq!(ids.len(), 400);
    // As deliveries: 485 requests per 100 orders.
    assert_eq!(singly, 1_940);
}

#[test]
fn a_store_that_gives_no_more_than_is_usual_is_read_to_its_end() {
    for (count, is_last) in [(49, true), (50, false), (99, false), (100, false)] {
        let orders: Vec<Value> =
            (1..=count).map(|id| json!({ "id": id, "status_id": 0, "items_shipped": 0 })).collect();
        let page = Bigcommerce.page(&store(), &feed("orders"), &answer(&json!(orders)), &[]).unwrap();
        assert_eq!(page.next.is_none(), is_last, "{count}");
    }
}

#[test]
fn an_order_whose_lines_did_not_come_goes_the_way_of_its_delivery() {
    let mut bare = order(2);
    bare["consignments"] = json!({ "url": "https://api.bigcommerce.com/x", "resource": "/x" });
    let mut linked = order(4);
    linked["consignments"][0]["shipping"][0]["line_items"] =
        json!({ "url": "https://api.bigcommerce.com/x" });
    let page = Bigcommerce.page(&store(), &feed("orders"), &answer(&json!([bare, linked])), &[]).unwrap();
    assert_eq!((page.joins.len(), page.records.len()), (0, 2));
    for record in page.records {
        let body: Value = serde_json::from_slice(&record.body).unwrap();
        assert_eq!((body.get("joined"), record.headers), (None, platform::Headers::default()));
    }
}

#[test]
fn what_is_refused_is_left_to_the_reading() {
    let page = |answers: &[Fetched]| {
        Bigcommerce.page(&store(), &feed("orders"), &answer(&json!([order(20)])), answers).unwrap()
    };
    let joins = page(&[]).joins;
    assert_eq!(joins.len(), 4);
    let refused = Fetched { status: 403, ..Fetched::default() };
    // Lists that are refused are asked for order by order, and what is refused then is the delivery's own matter.
    let mut answers = vec![refused.clone(); 4];
    let second: Vec<String> = page(&answers).joins.into_iter().map(|request| request.url).collect();
    assert_eq!(
        second,
        [
            format!("{API}v3/orders/20/payment_actions/refunds"),
            format!("{API}v3/customers?id:in=20&include=addresses"),
        ]
    );
    answers.extend([refused.clone(), refused]);
    let page = page(&answers);
    assert_eq!((page.joins.len(), page.records.len()), (0, 1));
    assert_eq!(page.records[0].headers, platform::Headers::default());
}

#[test]
fn a_delivery_s_body_brings_no_answers() {
    let record = platform::Record {
        topic: "store/order/updated".to_owned(),
        body: json!({ "scope": "store/order/updated", "data": { "type": "order", "id": 2 },
                      "joined": [{ "status": 200, "body": order(2) }] })
        .to_string()
        .into_bytes(),
        ..platform::Record::default()
    };
    let orders = BTreeMap::from([(2, order(2))]);
    let (_, asked) = conformance::read(&Bigcommerce, &store(), &record, |request| answered(&orders, request));
    assert_eq!(asked, 5);
}

#[test]
fn customers_and_subscribers_are_read_without_being_asked_for() {
    let customers: Vec<Value> = (1..=250).map(customer).collect();
    let page =
        Bigcommerce.page(&store(), &feed("customers"), &answer(&json!({ "data": customers })), &[]).unwrap();
    assert!(page.next.unwrap().url.contains("date_created:min=2024-12-31T23:59:59Z&"));
    let (mapping, _) =
        conformance::read(&Bigcommerce, &store(), &page.records[6], |_| panic!("nothing is asked"));
    let facts_of = facts(mapping);
    let [Fact::Customer(snapshot)] = facts_of.as_slice() else { panic!("{facts_of:?}") };
    assert_eq!(snapshot.person.customer_id.as_deref(), Some("7"));
    assert!(!String::from_utf8(page.records[6].body.clone()).unwrap().contains("192.0.2.1"));

    let subscriber = |id: u64, made: &str| {
        json!({ "id": id, "email": "ann@example.com", "source": "order", "consents": ["marketing_newsletter"],
                "date_created": made, "date_modified": made })
    };
    let list = [subscriber(1, "2025-01-01T00:00:00Z"), subscriber(2, "2023-01-01T00:00:00Z")];
    let page =
        Bigcommerce.page(&store(), &feed("subscribers"), &answer(&json!({ "data": list })), &[]).unwrap();
    assert_eq!((page.records.len(), page.next), (1, None));
    let (mapping, _) =
        conformance::read(&Bigcommerce, &store(), &page.records[0], |_| panic!("nothing is asked"));
    let facts_of = facts(mapping);
    let [Fact::Consent(consent)] = facts_of.as_slice() else { panic!("{facts_of:?}") };
    assert_eq!(consent.at.to_string(), "2025-01-01T00:00:00Z");
    for bad in [json!([]), json!({}), json!("busy")] {
        Bigcommerce.page(&store(), &feed("customers"), &answer(&bad), &[]).unwrap_err();
    }
}

#[test]
fn an_app_learns_its_store_from_the_grant() {
    let oauth = Bigcommerce.oauth(&store()).unwrap();
    assert_eq!(oauth.handed_back, ["scope", "context"]);
    let learned =
        (oauth.learn)(&json!({ "access_token": "x", "context": "stores/abc123def4" }), None).unwrap();
    assert_eq!(Value::Object(learned), json!({ "store_hash": "abc123def4" }));
    for bad in [
        json!({}),
        json!({ "context": "stores/" }),
        json!({ "context": "stores/a/b" }),
        json!({ "context": 1 }),
    ] {
        (oauth.learn)(&bad, None).unwrap_err();
    }
}
