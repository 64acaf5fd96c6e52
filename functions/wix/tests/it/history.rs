//! What Wix is asked for a site's history, and what its orders are joined with.

use std::collections::BTreeSet;

use canonical::Fact;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Mapping, Period, Platform};
use serde_json::{Value, json};
use wix::Wix;

const API: &str = "https://www.wixapis.com";

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings") };
    Connection { id: "conn-1".to_owned(), platform: "wix".to_owned(), settings }
}

fn with_key() -> Connection {
    connection(json!({ "site_id": "site" }))
}

fn with_app() -> Connection {
    connection(json!({ "app_id": "app", "instance_id": "instance" }))
}

fn history(connection: &Connection) -> Vec<Feed> {
    let period =
        Period::history("2024-01-01T00:00:00Z".parse().unwrap(), "2026-03-14T09:00:00Z".parse().unwrap());
    Wix.feeds(connection, &period)
}

fn answer(body: &Value) -> Fetched {
    Fetched { status: 200, headers: Headers::default(), body: body.to_string().into_bytes() }
}

fn body(request: &ApiRequest) -> Value {
    serde_json::from_str(request.body.as_deref().unwrap()).unwrap()
}

#[test]
fn it_is_asked_for_by_creation_whether_the_site_is_polled_or_not() {
    let feeds = history(&with_key());
    let [contacts, orders] = feeds.as_slice() else { panic!("{feeds:?}") };
    let window = json!({ "createdDate": { "$gte": "2024-01-01T00:00:00Z", "$lt": "2026-03-14T09:00:00Z" } });
    let sort = json!([{ "fieldName": "createdDate", "order": "ASC" }]);
    assert_eq!(
        (contacts.name, contacts.request.url.as_str()),
        ("contacts", "https://www.wixapis.com/contacts/v4/contacts/query")
    );
    assert_eq!(
        body(&contacts.request)["query"],
        json!({ "filter": window, "sort": sort, "fieldsets": ["FULL"], "paging": { "limit": 100, "offset": 0 } })
    );
    assert_eq!(
        (orders.name, orders.request.url.as_str()),
        ("orders", "https://www.wixapis.com/ecom/v1/orders/search")
    );
    assert_eq!(
        body(&orders.request)["search"],
        json!({ "filter": window, "sort": sort, "cursorPaging": { "limit": 100 } })
    );
    let pace = orders.request.pace.unwrap();
    assert_eq!((pace.requests, pace.per.as_secs()), (200, 60));
    assert_eq!(history(&connection(json!({}))), []);
    let local = history(&connection(json!({ "site_id": "site", "api_url": "http://127.0.0.1:8099/" })));
    assert!(local[0].request.url.starts_with("http://127.0.0.1:8099/contacts/"));
}

fn id(number: usize) -> String {
    format!("0c9d7b1e-5a34-4f26-8e7d-{number:012}")
}

/// Half of them were sent, every tenth was paid back in part.
fn order(number: usize) -> Value {
    json!({
        "id": id(number), "number": number.to_string(), "status": "APPROVED", "currency": "EUR",
        "createdDate": "2025-01-01T00:00:00Z", "updatedDate": "2025-01-02T00:00:00Z",
        "buyerInfo": { "contactId": "c-1", "email": "ann@example.com" },
        "priceSummary": { "total": { "amount": "10.00" } },
        "paymentStatus": if number.is_multiple_of(10) { "PARTIALLY_REFUNDED" } else { "PAID" },
        "fulfillmentStatus": if number.is_multiple_of(2) { "FULFILLED" } else { "NOT_FULFILLED" },
        "lineItems": [{ "id": "l-1", "quantity": 2, "productName": { "original": "Mug" }, "price": { "amount": "5.00" } }],
    })
}

/// A site that remembers in its cursors which orders are left.
fn site(orders: &mut [Value]) -> impl FnMut(&ApiRequest) -> Fetched {
    |request: &ApiRequest| {
        let url = request.url.split('#').next().unwrap();
        if url.ends_with("/oauth2/token") {
            return answer(&json!({ "access_token": "OauthNG.JWS.abc" }));
        }
        let asked = body(request);
        let ids = || asked["orderIds"].as_array().unwrap().iter().map(|id| id.as_str().unwrap());
        match url.strip_prefix(API).unwrap() {
            "/ecom/v1/payments/list-by-ids" => {
                let refund = |id: &str| {
                    json!([{ "id": format!("r-{id}"), "createdDate": "2025-02-01T00:00:00Z",
                    "summary": { "refunded": { "amount": "2.50" } }, "transactions": [] }])
                };
                let list: Vec<Value> = ids()
                    .map(|id| json!({ "orderId": id, "refunds": refund(id), "payments": [{ "last4": "1111" }] }))
                    .collect();
                answer(&json!({ "orderTransactions": list }))
            }
            "/ecom/v1/fulfillments/list-by-ids" => {
                let parcel = json!([{ "id": "f-1", "createdDate": "2025-01-03T00:00:00Z",
                    "lineItems": [{ "id": "l-1", "quantity": 2 }], "trackingInfo": { "trackingNumber": "T1" } }]);
                let list: Vec<Value> =
                    ids().map(|id| json!({ "orderId": id, "fulfillments": parcel })).collect();
                answer(&json!({ "ordersWithFulfillments": list }))
            }
            "/ecom/v1/orders/search" => {
                let from =
                    asked["search"]["cursorPaging"]["cursor"].as_str().map_or(0, |at| at.parse().unwrap());
                let page: Vec<Value> = orders.iter().skip(from).take(100).cloned().collect();
                let (to, more) = (from + page.len(), from + page.len() < orders.len());
                orders[4]["updatedDate"] = "2026-03-14T08:00:00Z".into();
                answer(&json!({ "orders": page,
                                "metadata": { "hasNext": more, "cursors": { "next": to.to_string() } } }))
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn every_order_comes_once_with_its_refunds_and_parcels() {
    // Per 100 orders: a page, its refunds and its parcels; with the app's credentials a token too, were it not kept.
    for (connection, requests) in [(with_key(), 12), (with_app(), 16)] {
        let mut orders: Vec<Value> = (1..=400).map(order).collect();
        let feed = history(&connection).remove(1);
        let walk = conformance::walk(&Wix, &connection, &feed, site(&mut orders));
        assert_eq!((walk.records.len(), walk.requests.len()), (400, requests));
        let (mut ids, mut refunds, mut parcels) = (BTreeSet::new(), 0, 0);
        for record in &walk.records {
            assert!(!String::from_utf8(record.body.clone()).unwrap().contains("1111"));
            let (mapping, _) =
                conformance::read(&Wix, &connection, record, |_| panic!("nothing more is asked"));
            let Mapping::Facts { facts, dropped } = mapping else { panic!("{mapping:?}") };
            let [Fact::Order(order)] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!(dropped, Vec::<&str>::new());
            assert!(ids.insert(order.order_id.clone()));
            refunds += order.refunds.len();
            parcels += order.shipments.len();
        }
        assert_eq!((ids.len(), refunds, parcels), (400, 40, 200));
    }
}

#[test]
fn an_order_that_the_lists_leave_out_asks_for_its_refunds_itself() {
    let connection = with_key();
    let feed = history(&connection).remove(1);
    let page = answer(&json!({ "orders": [order(10)] }));
    let empty =
        [answer(&json!({ "orderTransactions": [] })), answer(&json!({ "ordersWithFulfillments": [] }))];
    assert_eq!(Wix.page(&connection, &feed, &page, &[]).unwrap().joins.len(), 2);
    let record = Wix.page(&connection, &feed, &page, &empty).unwrap().records.remove(0);
    let mut asked = Vec::new();
    conformance::read(&Wix, &connection, &record, |request| {
        asked.push(request.url.clone());
        answer(&json!({ "orderTransactions": { "refunds": [] } }))
    });
    assert_eq!(asked, [format!("{API}/ecom/v1/payments/orders/{}", id(10))]);
    for bad in [json!({}), json!([])] {
        Wix.page(&connection, &feed, &page, &[answer(&bad), answer(&bad)]).unwrap_err();
    }
    let refused = Fetched { status: 403, ..Fetched::default() };
    Wix.page(&connection, &feed, &page, &[refused.clone(), refused]).unwrap_err();
}

#[test]
fn each_page_of_contacts_begins_where_the_last_one_ended() {
    let mut contacts: Vec<Value> = (0..330)
        .map(|number| {
            json!({ "id": format!("c-{number}"), "revision": 1,
                    "createdDate": format!("2025-01-01T{:02}:{:02}:00.000Z", number / 150, number % 150 / 3),
                    "primaryInfo": { "email": format!("c{number}@example.com") } })
        })
        .collect();
    // More than one page of one instant.
    for contact in &mut contacts[40..240] {
        contact["createdDate"] = "2025-01-01T00:13:00.000Z".into();
    }
    contacts.sort_by_key(|contact| contact["createdDate"].as_str().unwrap().to_owned());
    let connection = with_app();
    let walk = conformance::walk(&Wix, &connection, &history(&connection)[0], |request| {
        if request.url.contains("/oauth2/token") {
            return answer(&json!({ "access_token": "OauthNG.JWS.abc" }));
        }
        let query = &body(request)["query"];
        let since = query["filter"]["createdDate"]["$gte"].as_str().unwrap();
        let offset = usize::try_from(query["paging"]["offset"].as_u64().unwrap()).unwrap();
        let left = contacts.iter().filter(|contact| contact["createdDate"].as_str().unwrap() >= since);
        let page: Vec<Value> = left.skip(offset).take(100).cloned().collect();
        answer(&json!({ "contacts": page }))
    });
    let mut ids = BTreeSet::new();
    for record in &walk.records {
        let (mapping, _) = conformance::read(&Wix, &connection, record, |_| panic!("nothing is asked"));
        let Mapping::Facts { facts, .. } = mapping else { panic!("{mapping:?}") };
        let [Fact::Customer(snapshot)] = facts.as_slice() else { panic!("{facts:?}") };
        ids.insert(snapshot.person.customer_id.clone().unwrap());
    }
    assert_eq!(ids.len(), 330);
    assert!(walk.requests.len() <= 12, "{}", walk.requests.len());
}
