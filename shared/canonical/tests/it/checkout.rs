use canonical::checkout::{Ledger, advance};
use canonical::fact::CheckoutSnapshot;
use serde_json::{Value, json};

use crate::{ada, euros, line, metrics, minute, source};

fn begun() -> CheckoutSnapshot {
    CheckoutSnapshot {
        checkout_id: "ch-1".into(),
        person: ada(),
        started_at: Some(minute(1)),
        updated_at: Some(minute(2)),
        checkout_url: Some("https://shop.example.com/recover/1".into()),
        total: Some(euros("4.00")),
        discount_codes: vec!["HELLO".into()],
        lines: vec![line("l1", "2", "2.00")],
        ..CheckoutSnapshot::default()
    }
}

#[test]
fn a_checkout_is_started_once_however_often_it_changes() {
    let (ledger, events) = advance(&Ledger::default(), &begun(), &source());
    assert_eq!(metrics(&events), ["Started Checkout"]);
    assert_eq!(events[0].occurred_at, minute(1));
    assert_eq!(events[0].value, Some(euros("4")));
    let changed = CheckoutSnapshot { updated_at: Some(minute(9)), lines: Vec::new(), ..begun() };
    assert_eq!(advance(&ledger, &changed, &source()), (ledger, Vec::new()));
}

#[test]
fn a_started_checkout_says_what_is_in_it_and_where_it_goes_on() {
    let (_, events) = advance(&Ledger::default(), &begun(), &source());
    assert_eq!(
        Value::Object(events[0].properties.clone()),
        json!({
            "ItemNames": ["Thing l1"],
            "Items": [{
                "LineId": "l1", "ProductID": "p-l1", "ProductName": "Thing l1", "Quantity": 2, "ItemPrice": 2,
                "RowTotal": 4, "Categories": [],
            }],
            "Item Count": 2, "Categories": [], "Brands": [],
            "CheckoutURL": "https://shop.example.com/recover/1",
            "Discount Codes": ["HELLO"],
            "Email Domain": "example.com",
        })
    );
}

#[test]
fn a_completed_checkout_and_one_without_a_time_tell_nothing() {
    for snapshot in [
        CheckoutSnapshot { completed: true, ..begun() },
        CheckoutSnapshot { started_at: None, updated_at: None, ..begun() },
    ] {
        assert_eq!(advance(&Ledger::default(), &snapshot, &source()), (Ledger::default(), Vec::new()));
    }
}

#[test]
fn the_order_of_arrival_of_begun_and_completed_does_not_matter() {
    let completed = CheckoutSnapshot { completed: true, ..begun() };
    let tell = |snapshots: [&CheckoutSnapshot; 2]| {
        snapshots.into_iter().fold((Ledger::default(), 0), |(ledger, count), snapshot| {
            let (ledger, events) = advance(&ledger, snapshot, &source());
            (ledger, count + events.len())
        })
    };
    assert_eq!(tell([&begun(), &completed]), tell([&completed, &begun()]));
}

#[test]
fn the_last_change_stands_in_for_the_beginning() {
    let snapshot = CheckoutSnapshot { started_at: None, ..begun() };
    assert_eq!(advance(&Ledger::default(), &snapshot, &source()).1[0].occurred_at, minute(2));
}
