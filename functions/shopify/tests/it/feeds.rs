//! Asking the Admin API, and being authorised for it.

use conformance::{read, walk};
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Mapping, Period, Platform};
use serde_json::{Value, json};
use shopify::Shopify;

const API: &str = "https://larch-and-linen.myshopify.com/admin/api/2025-10";

fn connection(settings: &Value) -> Connection {
    let settings = settings.as_object().unwrap().clone();
    Connection { id: "conn-1".to_owned(), platform: "shopify".to_owned(), settings }
}

fn shop() -> Connection {
    connection(&json!({ "shop_domain": "larch-and-linen.myshopify.com" }))
}

fn history(connection: &Connection) -> Vec<Feed> {
    let period =
        Period::history("2024-01-01T00:00:00Z".parse().unwrap(), "2026-03-14T09:00:00.5Z".parse().unwrap());
    Shopify.feeds(connection, &period)
}

fn changes(connection: &Connection) -> Vec<Feed> {
    let period =
        Period::changes("2026-03-14T08:00:00.9Z".parse().unwrap(), "2026-03-14T09:00:00.5Z".parse().unwrap());
    Shopify.feeds(connection, &period)
}

fn feed(name: &str) -> Feed {
    history(&shop()).into_iter().find(|feed| feed.name == name).unwrap()
}

fn answer(body: &Value, link: Option<&str>) -> Fetched {
    let headers = link.map(|link| ("Link", link.to_owned()));
    Fetched { status: 200, headers: Headers::from_iter(headers), body: body.to_string().into_bytes() }
}

fn bodies(name: &str, record: &Value) -> Vec<(String, Value)> {
    let page = Shopify.page(&shop(), &feed(name), &answer(&json!({ name: [record] }), None), &[]).unwrap();
    let read = |record: platform::Record| (record.topic, serde_json::from_slice(&record.body).unwrap());
    page.records.into_iter().map(read).collect()
}

#[test]
fn the_history_is_asked_for_by_creation_whether_the_shop_is_polled_or_not() {
    let feeds = history(&shop());
    let urls: Vec<_> = feeds.iter().map(|feed| (feed.name, feed.request.url.clone())).collect();
    let window = "limit=250&created_at_min=2024-01-01T00:00:00Z&created_at_max=2026-03-14T09:00:00Z";
    assert_eq!(
        urls,
        [
            ("customers", format!("{API}/customers.json?{window}")),
            ("products", format!("{API}/products.json?{window}")),
            ("orders", format!("{API}/orders.json?status=any&{window}")),
        ]
    );
    let token = ("x-shopify-access-token".to_owned(), "{secret:access_token}".to_owned());
    assert!(feeds.iter().all(|feed| feed.request.headers.contains(&token)));
}

#[test]
fn changes_are_asked_for_only_if_that_is_wanted() {
    assert_eq!(changes(&shop()), []);
    let mut shop = shop();
    shop.settings.insert("poll".to_owned(), true.into());
    let feeds = changes(&shop);
    let window = "updated_at_min=2026-03-14T08:00:00Z&updated_at_max=2026-03-14T09:00:00Z";
    assert_eq!(feeds[2].request.url, format!("{API}/orders.json?status=any&limit=250&{window}"));
    assert_eq!(feeds.len(), 3);
}

#[test]
fn only_a_shop_s_own_host_is_asked_or_what_stands_in_for_it() {
    for domain in [
        "",
        "larch.example.com",
        ".myshopify.com",
        "evil.example/.myshopify.com",
        "evil.example#.myshopify.com",
        "user@evil.myshopify.com",
        "a.b.myshopify.com",
        "larch-and-linen.myshopify.com.evil.example",
    ] {
        let connection = connection(&json!({ "shop_domain": domain, "poll": true }));
        assert_eq!((history(&connection), changes(&connection)), (vec![], vec![]), "{domain}");
        assert!(Shopify.oauth(&connection).is_none(), "{domain}");
    }
    let with = |url: &str| {
        let connection = connection(&json!({ "shop_domain": "Larch.MyShopify.com", "api_url": url }));
        history(&connection).first().map(|feed| feed.request.url.clone()).unwrap_or_default()
    };
    assert!(with("http://127.0.0.1:8099/").starts_with("http://127.0.0.1:8099/admin/api/"));
    assert_eq!(with("ftp://127.0.0.1"), "");
    assert_eq!(history(&connection(&json!({ "api_url": "http://127.0.0.1" }))), []);
}

#[test]
fn of_a_link_only_the_cursor_is_taken() {
    let next = |link: &str| {
        let answer = answer(&json!({ "orders": [] }), Some(link));
        Shopify.page(&shop(), &feed("orders"), &answer, &[]).unwrap().next.map(|request| request.url)
    };
    let both = "<https://larch-and-linen.myshopify.com/a?limit=250&page_info=before>; rel=\"previous\", \
                <https://evil.example/b?page_info=eyJsYXN0_aWQ-9=&limit=250>; rel=\"next\"";
    assert_eq!(next(both), Some(format!("{API}/orders.json?limit=250&page_info=eyJsYXN0_aWQ-9=")));
    for none in [
        "",
        "<https://larch-and-linen.myshopify.com/a?page_info=before>; rel=\"previous\"",
        "<https://larch-and-linen.myshopify.com/a?limit=250>; rel=\"next\"",
        "<https://larch-and-linen.myshopify.com/a?page_info=a/../b>; rel=\"next\"",
        "<https://larch-and-linen.myshopify.com/a?page_info=>; rel=\"next\"",
        "rel=\"next\"",
    ] {
        assert_eq!(next(none), None, "{none}");
    }
}

#[test]
fn an_order_travels_as_its_webhook_s_body_without_what_nobody_needs() {
    let order = json!({
        "id": 820_982_911_946_154_508_u64, "email": "ann@example.com", "browser_ip": "192.0.2.1", "token": "abc",
        "client_details": { "user_agent": "x" }, "customer": { "id": 1, "tags": "vip", "note": "x" }
    });
    let expected = json!({
        "id": 820_982_911_946_154_508_u64, "email": "ann@example.com", "customer": { "id": 1 }
    });
    assert_eq!(bodies("orders", &order), [("orders/updated".to_owned(), expected)]);
}

#[test]
fn a_customer_s_tags_and_decisions_travel_as_their_own_webhooks() {
    let customer = json!({
        "id": 7, "email": "ann@example.com", "phone": "+4930123456", "first_name": "Ann", "tags": "vip, Berlin,",
        "updated_at": "2026-03-01T10:00:00+01:00",
        "email_marketing_consent":
            { "state": "subscribed", "opt_in_level": "confirmed_opt_in", "consent_updated_at": "2025-02-03T04:05:06Z" },
        "sms_marketing_consent": { "state": "unsubscribed", "consent_updated_at": "2025-02-04T04:05:06Z" }
    });
    let consent = |name: &str| customer[name].clone();
    assert_eq!(
        bodies("customers", &customer),
        [
            (
                "customers/update".to_owned(),
                json!({ "id": 7, "email": "ann@example.com", "phone": "+4930123456", "first_name": "Ann",
                        "updated_at": "2026-03-01T10:00:00+01:00" })
            ),
            (
                "customer.tags_added".to_owned(),
                json!({ "customerId": 7, "tags": ["vip", "Berlin"], "occurredAt": "2026-03-01T10:00:00+01:00" })
            ),
            (
                "customers_email_marketing_consent/update".to_owned(),
                json!({ "customer_id": 7, "email_address": "ann@example.com",
                        "email_marketing_consent": consent("email_marketing_consent") })
            ),
            (
                "customers_marketing_consent/update".to_owned(),
                json!({ "customer_id": 7, "phone": "+4930123456",
                        "sms_marketing_consent": consent("sms_marketing_consent") })
            ),
        ]
    );
}

#[test]
fn a_state_that_nobody_decided_or_that_has_no_time_is_no_decision() {
    for consent in [
        json!(null),
        json!("subscribed"),
        json!({ "state": "subscribed", "consent_updated_at": null }),
        json!({ "state": "subscribed" }),
        json!({ "state": "not_subscribed", "consent_updated_at": "2025-02-03T04:05:06Z" }),
        json!({ "state": "pending", "consent_updated_at": "2025-02-03T04:05:06Z" }),
        json!({ "consent_updated_at": "2025-02-03T04:05:06Z" }),
    ] {
        let customer = json!({ "id": 7, "email": "ann@example.com", "email_marketing_consent": consent });
        assert_eq!(bodies("customers", &customer).len(), 1, "{consent}");
    }
}

#[test]
fn a_page_that_cannot_be_read_is_asked_for_again() {
    let refused = |status, body: &str| {
        let answer = Fetched { status, headers: Headers::default(), body: body.as_bytes().to_vec() };
        Shopify.page(&shop(), &feed("orders"), &answer, &[]).unwrap_err()
    };
    assert_eq!(refused(404, "{}"), "status 404");
    assert_eq!(refused(200, "<html>"), "the answer is not JSON");
    assert_eq!(refused(200, "{\"errors\": \"ann@example.com\"}"), "the answer has no orders");
}

/// A shop that gives its orders in the order of their ids, and names the last one in its cursor.
fn source(orders: &mut [Value]) -> impl FnMut(&ApiRequest) -> Fetched {
    |request: &ApiRequest| {
        let query = request.url.split_once('?').unwrap().1;
        let cursor = query.split('&').find_map(|pair| pair.strip_prefix("page_info=L"));
        let after = cursor.map_or(0, |id| id.parse::<u64>().unwrap());
        let left: Vec<_> = orders.iter().filter(|order| order["id"].as_u64().unwrap() > after).collect();
        let page: Vec<Value> = left.iter().take(250).map(|order| (*order).clone()).collect();
        let link = (left.len() > 250).then(|| {
            let last = &page[249]["id"];
            format!("<https://x.example/orders.json?limit=250&page_info=L{last}>; rel=\"next\"")
        });
        let answer = answer(&json!({ "orders": page }), link.as_deref());
        // One that was read and one that was not are changed meanwhile.
        orders[3]["note_attributes"] = json!([1]);
        orders[400]["updated_at"] = "2026-03-14T09:00:00Z".into();
        answer
    }
}

#[test]
fn every_order_comes_once_although_some_change_and_needs_nothing_more() {
    let mut orders: Vec<Value> = (1..=620)
        .map(|id| {
            json!({ "id": id, "email": "ann@example.com", "created_at": "2025-01-01T00:00:00Z", "currency": "EUR",
                    "total_price": "10.00", "line_items": [{ "id": id, "title": "Mug", "quantity": 1, "price": "10.00" }] })
        })
        .collect();
    let walk = walk(&Shopify, &shop(), &feed("orders"), source(&mut orders));
    // Per 100 orders: 0.5 requests.
    assert_eq!((walk.records.len(), walk.requests.len()), (620, 3));
    let mut seen = std::collections::BTreeSet::new();
    for record in &walk.records {
        let (mapping, more) = read(&Shopify, &shop(), record, |_| panic!("nothing more is asked"));
        let Mapping::Facts { facts, .. } = mapping else { panic!("{mapping:?}") };
        let canonical::Fact::Order(order) = &facts[0] else { panic!("{facts:?}") };
        assert!(seen.insert(order.order_id.clone()) && more == 0);
    }
}

#[test]
fn an_app_is_authorised_at_the_shop_itself() {
    let oauth = Shopify.oauth(&shop()).unwrap();
    assert_eq!(oauth.authorize_url, "https://larch-and-linen.myshopify.com/admin/oauth/authorize");
    assert_eq!(oauth.token_url, "https://larch-and-linen.myshopify.com/admin/oauth/access_token");
    assert_eq!(oauth.scopes, ["read_orders", "read_all_orders", "read_customers", "read_products"]);
    assert_eq!(oauth.scope_separator, ",");
}
