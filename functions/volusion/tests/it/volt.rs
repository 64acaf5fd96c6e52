//! Volt, asked for orders.

use conformance::walk;
use platform::{Connection, Feed, Fetched, Period, Platform, Span};
use serde_json::{Value, json};
use volusion::Volusion;

fn connection(settings: Value) -> Connection {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    Connection { id: "conn-1".to_owned(), platform: "volusion".to_owned(), settings }
}

fn feeds(settings: Value, span: Span) -> Vec<Feed> {
    let (since, until) = ("2026-03-14T00:00:00Z".parse().unwrap(), "2026-03-15T00:00:00Z".parse().unwrap());
    Volusion.feeds(&connection(settings), &Period { span, ..Period::changes(since, until) })
}

fn order(number: usize) -> Value {
    json!({
        "id": format!("65f2c1aa0e4b7d00{number:08}"), "revision": 2, "orderNumber": "A", "stripeToken": "tok",
        "createdOn": "2026-03-14T09:00:00Z",
        "updatedOn": if number.is_multiple_of(2) { "2026-03-14T09:00:00Z" } else { "2026-03-13T09:00:00Z" }
    })
}

fn answer(body: &Value) -> Fetched {
    Fetched { status: 200, body: body.to_string().into_bytes(), ..Fetched::default() }
}

/// A store with so many orders.
fn store(count: usize, url: &str) -> Fetched {
    let size: usize = url.split(['=', '#']).nth(1).unwrap().parse().unwrap();
    answer(&json!({ "items": (0..count.min(size)).map(order).collect::<Value>() }))
}

#[test]
fn changes_are_asked_for_on_request_and_the_history_always() {
    assert_eq!(feeds(json!({}), Span::Changes), []);
    let feed = feeds(json!({ "poll": true }), Span::Changes).remove(0);
    assert!(feed.request.url.starts_with("https://volt-api.volusion.com/orders?pageSize=50#"));
    let key = ("authorization".to_owned(), "{secret:api_key}".to_owned());
    assert!(feed.request.headers.contains(&key));
    assert_eq!(feeds(json!({}), Span::History).len(), 1);
}

#[test]
fn a_full_page_is_asked_for_again_and_larger() {
    let connection = connection(json!({ "poll": true }));
    let feed = feeds(json!({ "poll": true }), Span::Changes).remove(0);
    let walked = walk(&Volusion, &connection, &feed, |request| store(150, &request.url));
    assert_eq!(walked.requests.len(), 3, "50, 100, 200");
    assert_eq!(walked.records.len(), 75, "those that changed since");
    let record = &walked.records[0];
    assert_eq!((record.topic.as_str(), record.delivery_id.as_str()), ("order", "65f2c1aa0e4b7d0000000000:2"));
    assert!(!String::from_utf8_lossy(&record.body).contains("tok"), "as at the door");
    let walked = walk(&Volusion, &connection, &feed, |request| store(0, &request.url));
    assert_eq!((walked.requests.len(), walked.records.len()), (1, 0));
}

#[test]
fn what_one_page_cannot_hold_is_told_as_far_as_it_goes_but_no_history() {
    let connection = connection(json!({ "poll": true }));
    let changes = feeds(json!({ "poll": true }), Span::Changes).remove(0);
    let walked = walk(&Volusion, &connection, &changes, |request| store(1_000, &request.url));
    assert_eq!((walked.requests.len(), walked.records.len()), (4, 200));
    let request = walked.requests.last().unwrap().clone();
    let history = feeds(json!({}), Span::History).remove(0);
    let url = request.url.replace("updatedOn", "createdOn");
    let history = Feed { request: platform::ApiRequest { url: url.clone(), ..history.request }, ..history };
    let reason = Volusion.page(&connection, &history, &store(1_000, &url), &[]).unwrap_err();
    assert!(reason.contains("more orders"), "{reason}");
}

#[test]
fn bad_answers_are_errors_without_content() {
    let connection = connection(json!({ "poll": true }));
    let feed = feeds(json!({ "poll": true }), Span::Changes).remove(0);
    for bad in [
        Fetched { status: 404, ..Fetched::default() },
        Fetched { status: 200, body: b"<html>ann@example.com".to_vec(), ..Fetched::default() },
        answer(&json!({ "message": "ann@example.com" })),
        answer(&json!([])),
    ] {
        let reason = Volusion.page(&connection, &feed, &bad, &[]).unwrap_err();
        assert!(!reason.contains("ann"), "{reason}");
    }
}
