//! Lists of more than one page.

use bigcommerce::Bigcommerce;
use canonical::Fact;
use platform::{Connection, Delivery, Fetched, Headers, Mapping, Platform};
use serde_json::{Value, json};

fn connection() -> Connection {
    let settings = serde_json::from_value(json!({ "store_hash": "abc123def4" })).unwrap();
    Connection { id: "conn-1".to_owned(), platform: "bigcommerce".to_owned(), settings }
}

fn delivery() -> Delivery {
    Delivery {
        platform: "bigcommerce".to_owned(),
        connection: "conn-1".to_owned(),
        topic: "store/order/updated".to_owned(),
        delivery_id: "msg_1".to_owned(),
        received_at: conformance::NOW.parse().unwrap(),
        headers: Headers::default(),
        backfill: false,
        body: br#"{"scope": "store/order/updated", "data": {"type": "order", "id": 1}}"#.to_vec(),
    }
}

/// What a store with so many lines answers; other lists are empty.
fn answer(url: &str, lines: usize) -> Fetched {
    let path = url.strip_prefix("https://api.bigcommerce.com/stores/abc123def4/v2/orders/1").unwrap();
    let body: Value = if path.is_empty() {
        json!({ "id": 1, "status_id": 11, "date_created": "Sat, 14 Mar 2026 09:20:11 +0000",
                "items_shipped": 0, "refunded_amount": "0.0000",
                "billing_address": { "email": "noor@example.com" } })
    } else if let Some(page) = path.strip_prefix("/products?limit=250&page=") {
        let page: usize = page.parse().unwrap();
        let ids = (page - 1) * 250..lines.min(page * 250);
        ids.map(|id| json!({ "id": id + 1, "name": "Soap", "quantity": 1 })).collect()
    } else {
        json!([])
    };
    if body.as_array().is_some_and(Vec::is_empty) {
        return Fetched { status: 204, ..Fetched::default() };
    }
    Fetched { status: 200, body: serde_json::to_vec(&body).unwrap(), ..Fetched::default() }
}

/// The number of lines that are read, the requests that were made, and what was dropped.
fn read(lines: usize) -> (usize, usize, Vec<&'static str>) {
    let mut fetched = Vec::new();
    loop {
        match Bigcommerce.facts(&delivery(), &connection(), &fetched) {
            Mapping::Fetch(requests) => {
                fetched.extend(requests.iter().map(|request| answer(&request.url, lines)));
            }
            Mapping::Facts { facts, dropped } => {
                let Some(Fact::Order(order)) = facts.first() else { panic!("{facts:?}") };
                return (order.detail.as_ref().unwrap().lines.len(), fetched.len(), dropped);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_list_is_read_to_its_end() {
    assert_eq!(read(0), (0, 4, vec![]));
    assert_eq!(read(249), (249, 4, vec![]));
    // A full page may be the last one: only the next tells.
    assert_eq!(read(250), (250, 5, vec![]));
    assert_eq!(read(251), (251, 5, vec![]));
    assert_eq!(read(999), (999, 7, vec![]));
}

#[test]
fn a_list_without_end_is_cut_and_that_is_said() {
    assert_eq!(read(5_000), (1_000, 7, vec!["pages"]));
}
