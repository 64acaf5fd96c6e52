//! What the shop is asked for, and what its answers become.

use jiff::Timestamp;
use platform::{Authorization, Connection, Feed, Fetched, Headers, Page, Platform};
use serde_json::{Value, json};
use woocommerce::Woocommerce;

const API: &str = "https://thistle-and-thread.example/wp-json/wc/v3/";

fn connection(settings: Value) -> Connection {
    let settings = serde_json::from_value(settings).unwrap();
    Connection { id: "conn-1".to_owned(), platform: "woocommerce".to_owned(), settings }
}

fn shop() -> Connection {
    connection(json!({"shop_url": "https://thistle-and-thread.example", "poll": true}))
}

fn feeds(connection: &Connection) -> Vec<Feed> {
    let instant = |text: &str| text.parse::<Timestamp>().unwrap();
    Woocommerce.feeds(
        connection,
        &platform::Period::changes(instant("2026-03-14T09:00:00.7Z"), instant("2026-03-14T09:30:00.2Z")),
    )
}

fn feed(name: &str) -> Feed {
    feeds(&shop()).into_iter().find(|feed| feed.name == name).unwrap()
}

fn answer(pages: Option<u32>, records: &[Value]) -> Fetched {
    let pages = pages.map(|pages| ("X-WP-TotalPages", pages.to_string()));
    Fetched { status: 200, headers: Headers::from_iter(pages), body: serde_json::to_vec(records).unwrap() }
}

fn page(feed: &Feed, answer: &Fetched) -> Page {
    Woocommerce.page(&shop(), feed, answer, &[]).unwrap()
}

/// The query of the next page.
fn next(page: &Page) -> Option<&str> {
    let request = page.next.as_ref()?;
    assert!(request.url.starts_with(API));
    Some(request.url.split_once('?').unwrap().1)
}

fn order(id: u64, modified: &str) -> Value {
    json!({"id": id, "status": "processing", "date_modified_gmt": modified})
}

fn customer(id: u64, created: &str) -> Value {
    json!({"id": id, "date_created_gmt": created, "date_modified_gmt": null})
}

#[test]
fn orders_are_asked_for_by_their_last_change_and_customers_by_their_registration() {
    let urls: Vec<String> = feeds(&shop()).into_iter().map(|feed| feed.request.url).collect();
    assert_eq!(
        urls,
        [
            format!(
                "{API}orders?modified_after=2026-03-14T08:59:59&modified_before=2026-03-14T09:30:01\
                 &dates_are_gmt=true&orderby=modified&order=asc&per_page=100&page=1"
            ),
            format!(
                "{API}customers?registered_after=2026-03-14T08:59:59&registered_before=2026-03-14T09:30:01\
                 &orderby=registered_date&order=desc&per_page=100&page=1"
            ),
        ]
    );
}

#[test]
fn requests_carry_the_key_by_name_alone() {
    for feed in feeds(&shop()) {
        let user = "{secret:consumer_key}".to_owned();
        let password = "{secret:consumer_secret}".to_owned();
        assert_eq!(feed.request.authorization, Authorization::Basic { user, password });
        assert_eq!(feed.request.method, "GET");
    }
}

#[test]
fn only_a_connection_that_wants_it_and_has_a_safe_address_is_asked() {
    for settings in [
        json!({}),
        json!({"poll": true}),
        json!({"shop_url": "https://thistle-and-thread.example"}),
        json!({"shop_url": "https://thistle-and-thread.example", "poll": false}),
        json!({"shop_url": "http://thistle-and-thread.example", "poll": true}),
        json!({"shop_url": "thistle-and-thread.example", "poll": true}),
        json!({"shop_url": "https://", "poll": true}),
        json!({"shop_url": "https:///folder", "poll": true}),
        json!({"shop_url": "https://user@thistle-and-thread.example", "poll": true}),
        json!({"shop_url": "https://thistle-and-thread.example?x=1", "poll": true}),
        json!({"shop_url": "https://thistle-and-thread.example#x", "poll": true}),
        json!({"shop_url": "https://thistle-and-thread.example\\x", "poll": true}),
        json!({"shop_url": "https://thistle-and-thread.example/../x", "poll": true}),
        json!({"shop_url": "https://{secret:webhook_secret}.example", "poll": true}),
        json!({"shop_url": "ä", "poll": true}),
        json!({"shop_url": "httpsää", "poll": true}),
    ] {
        assert!(feeds(&connection(settings.clone())).is_empty(), "{settings}");
    }
    for (shop_url, api) in [
        ("https://market.example/yarn/", "https://market.example/yarn/wp-json/wc/v3/"),
        ("HTTPS://market.example", "https://market.example/wp-json/wc/v3/"),
        (" https://market.example:8443/ ", "https://market.example:8443/wp-json/wc/v3/"),
    ] {
        let feeds = feeds(&connection(json!({"shop_url": shop_url, "poll": true})));
        assert!(feeds.iter().all(|feed| feed.request.url.starts_with(api)), "{shop_url}");
    }
}

#[test]
fn orders_become_deliveries_whose_ids_name_their_states() {
    let records = [order(1, "2026-03-14T09:10:00"), order(2, "2026-03-14T09:11:00")];
    let answered = page(&feed("orders"), &answer(Some(1), &records));
    assert_eq!(next(&answered), None);
    assert!(answered.records.iter().all(|record| record.topic == "order.updated"));
    let bodies: Vec<Value> =
        answered.records.iter().map(|record| serde_json::from_slice(&record.body).unwrap()).collect();
    assert_eq!(bodies, records);

    let id =
        |record: Value| page(&feed("orders"), &answer(Some(1), &[record])).records[0].delivery_id.clone();
    let same = order(1, "2026-03-14T09:10:00");
    assert_eq!(id(same.clone()), answered.records[0].delivery_id);
    let later = order(1, "2026-03-14T09:10:01");
    // Two changes of one second.
    let same_second = json!({"id": 1, "status": "completed", "date_modified_gmt": "2026-03-14T09:10:00"});
    for other in [later, same_second, order(2, "2026-03-14T09:10:00")] {
        assert_ne!(id(other), id(same.clone()));
    }
}

#[test]
fn the_next_page_of_orders_begins_at_the_last_ones_time() {
    let records = [order(1, "2026-03-14T09:05:00"), order(2, "2026-03-14T09:10:00")];
    let first = page(&feed("orders"), &answer(Some(3), &records));
    assert_eq!(
        next(&first),
        Some(
            "modified_after=2026-03-14T09:09:59&modified_before=2026-03-14T09:30:01&dates_are_gmt=true\
             &orderby=modified&order=asc&per_page=100&page=1"
        )
    );
    // All of the next page is of one second: only now are pages counted.
    let second = Feed { name: "orders", request: first.next.unwrap() };
    let counted = page(&second, &answer(Some(3), &[order(2, "2026-03-14T09:10:00")]));
    assert!(next(&counted).unwrap().contains("modified_after=2026-03-14T09:09:59&"));
    assert!(next(&counted).unwrap().ends_with("&page=2"));
    let third = Feed { name: "orders", request: counted.next.unwrap() };
    let last = page(&third, &answer(Some(2), &[order(3, "2026-03-14T09:10:00")]));
    assert_eq!((last.records.len(), next(&last)), (1, None));
}

#[test]
fn pages_are_counted_where_orders_have_no_time() {
    let records = [json!({"id": 1, "date_modified_gmt": null}), json!({"id": 2}), json!("x")];
    let answered = page(&feed("orders"), &answer(Some(2), &records));
    assert_eq!(answered.records.len(), 3);
    assert!(next(&answered).unwrap().ends_with("&page=2"));
}

#[test]
fn without_a_number_of_pages_a_full_one_means_more() {
    let full: Vec<Value> = (0..100).map(|id| order(id, "2026-03-14T09:10:00")).collect();
    assert!(next(&page(&feed("orders"), &answer(None, &full))).is_some());
    assert_eq!(next(&page(&feed("orders"), &answer(None, &full[..99]))), None);
    assert_eq!(next(&page(&feed("orders"), &answer(None, &[]))), None);
    // A shop that promises pages and sends nothing.
    assert_eq!(next(&page(&feed("orders"), &answer(Some(9), &[]))), None);
}

#[test]
fn a_shop_that_repeats_a_page_for_ever_is_left() {
    let mut feed = feed("orders");
    feed.request.url = feed.request.url.replace("&page=1", "&page=10000");
    let answered = page(&feed, &answer(Some(20_000), &[order(1, "2026-03-14T08:00:00")]));
    assert_eq!(next(&answered), None);
}

#[test]
fn customers_end_with_the_first_that_is_older_than_the_window() {
    let young = customer(9, "2026-03-14T09:20:00");
    let first =
        page(&feed("customers"), &answer(Some(7), &[young.clone(), customer(8, "2026-03-14T09:00:00")]));
    assert_eq!(first.records.len(), 2);
    assert!(first.records.iter().all(|record| record.topic == "customer.updated"));
    assert!(next(&first).unwrap().ends_with("&order=desc&per_page=100&page=2"));

    let old = customer(7, "2026-03-14T08:00:00");
    let second =
        page(&Feed { name: "customers", request: first.next.unwrap() }, &answer(Some(7), &[young, old]));
    assert_eq!((second.records.len(), next(&second)), (1, None));
}

#[test]
fn what_is_no_list_is_asked_for_again() {
    let orders = feed("orders");
    let refused = |answer: &Fetched| Woocommerce.page(&shop(), &orders, answer, &[]).unwrap_err();
    let of =
        |status: u16, body: &str| Fetched { status, body: body.as_bytes().to_vec(), ..Fetched::default() };
    assert_eq!(refused(&of(404, "{}")), "the shop answered with 404");
    for body in ["<html>maintenance</html>", "{\"code\": \"rest_no_route\"}", ""] {
        assert_eq!(refused(&of(200, body)), "the answer is not a list of records");
    }
}

#[test]
fn a_page_is_asked_for_by_the_settings_alone() {
    let mut moved = feed("orders");
    moved.request.url = moved.request.url.replace("thistle-and-thread.example", "elsewhere.example");
    let answered = page(&moved, &answer(Some(2), &[order(1, "2026-03-14T09:10:00")]));
    assert!(next(&answered).is_some(), "the host is the settings', as `next` has checked");
    let stopped = connection(json!({"shop_url": "https://thistle-and-thread.example", "poll": false}));
    assert!(Woocommerce.page(&stopped, &moved, &answer(Some(1), &[]), &[]).is_err());
}

fn history(connection: &Connection) -> Vec<Feed> {
    let instant = |text: &str| text.parse::<Timestamp>().unwrap();
    let period =
        platform::Period::history(instant("2024-01-01T00:00:00Z"), instant("2026-03-14T09:30:00.2Z"));
    Woocommerce.feeds(connection, &period)
}

#[test]
fn the_history_is_asked_for_by_creation_whether_the_shop_is_polled_or_not() {
    let unpolled = connection(json!({"shop_url": "https://thistle-and-thread.example"}));
    let urls: Vec<String> = history(&unpolled).into_iter().map(|feed| feed.request.url).collect();
    let by_date = "?after=2023-12-31T23:59:59&before=2026-03-14T09:30:01&dates_are_gmt=true&orderby=date&order=asc\
                   &per_page=100&page=1#history";
    assert_eq!(
        urls,
        [
            format!(
                "{API}customers?registered_after=2023-12-31T23:59:59&registered_before=2026-03-14T09:30:01\
                 &orderby=registered_date&order=desc&per_page=100&page=1#history"
            ),
            format!("{API}products{by_date}"),
            format!("{API}orders{by_date}"),
        ]
    );
    assert!(history(&connection(json!({"shop_url": "http://thistle-and-thread.example"}))).is_empty());
}

#[test]
fn another_address_may_stand_in_for_the_shop_s() {
    let url = |api_url: &str| {
        let connection =
            connection(json!({"shop_url": "https://thistle-and-thread.example", "api_url": api_url}));
        history(&connection).first().map(|feed| feed.request.url.clone()).unwrap_or_default()
    };
    assert!(url("http://127.0.0.1:8099/").starts_with("http://127.0.0.1:8099/wp-json/wc/v3/customers?"));
    assert_eq!(url("ftp://127.0.0.1"), "");
}

#[test]
fn the_whole_history_comes_although_orders_change_and_are_deleted_meanwhile() {
    let unpolled = connection(json!({"shop_url": "https://thistle-and-thread.example"}));
    let feed = history(&unpolled).remove(2);
    let made = |id: i64| date(1_767_225_600 + id / 3 * 60);
    let mut orders: Vec<Value> = (1..=520)
        .map(|id| json!({"id": id, "status": "processing", "date_created_gmt": made(id), "date_modified_gmt": made(id)}))
        .collect();
    let walked = conformance::walk(&Woocommerce, &unpolled, &feed, |request| {
        let after = parameter(&request.url, "after");
        let page: usize = parameter(&request.url, "page").parse().unwrap();
        let left: Vec<Value> =
            orders.iter().filter(|order| order["date_created_gmt"].as_str() > Some(after)).cloned().collect();
        let pages = u32::try_from(left.len().div_ceil(100)).unwrap();
        let answered = answer(Some(pages), left.chunks(100).nth(page - 1).unwrap_or_default());
        // One that was read is deleted, and one changes.
        orders.remove(0);
        orders[7]["date_modified_gmt"] = "2026-03-14T09:00:00".into();
        answered
    });
    let ids: std::collections::BTreeSet<u64> = walked
        .records
        .iter()
        .map(|record| serde_json::from_slice::<Value>(&record.body).unwrap()["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), 520);
    // Per 100 orders: 1.2 requests. The edges of the pages come twice.
    assert_eq!(walked.requests.len(), 6);
    assert!(walked.records.len() < 540, "{}", walked.records.len());
}

fn date(second: i64) -> String {
    Timestamp::from_second(second).unwrap().strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn parameter<'a>(url: &'a str, name: &str) -> &'a str {
    let query = url.split_once('?').unwrap().1;
    let query = query.split('#').next().unwrap();
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}
