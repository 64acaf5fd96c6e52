use std::collections::BTreeMap;

use canonical::fact::{Cancellation, Line, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::order::{Ledger, advance};
use canonical::{Event, Source};
use serde_json::{Value, json};

use crate::{ada, at, decimal, euros, line, metrics, minute, source};

fn object(value: Value) -> serde_json::Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn placed() -> OrderSnapshot {
    let scarf = Line {
        variant_id: Some("v-1".into()),
        variant_name: Some("Red".into()),
        sku: Some("SC-1".into()),
        total: Some(decimal("36.00")),
        categories: vec!["Scarves".into(), "Winter".into()],
        brand: Some("Wool & Co".into()),
        image_url: Some("https://shop.example.com/scarf.png".into()),
        product_url: Some("https://shop.example.com/scarf".into()),
        extra: BTreeMap::from([("batch".to_owned(), json!("B7")), ("SKU".to_owned(), json!("not this one"))]),
        ..line("l1", "2", "20.00")
    };
    let voucher = Line { gift_card: true, ..line("l2", "1", "5.94") };
    OrderSnapshot {
        order_id: "o-1".into(),
        person: ada(),
        placed_at: Some(at("2026-01-02T03:04:05-05:00")),
        detail: Some(OrderDetail {
            number: Some("#1001".into()),
            total: Some(euros("41.94")),
            total_discounts: Some(decimal("4.00")),
            discount_codes: vec!["HELLO".into()],
            lines: vec![scarf, voucher],
            billing_address: Some(object(json!({"city": "Lyon"}))),
            shipping_address: Some(object(json!({"city": "Nice"}))),
            source_name: Some("web".into()),
            shop: Some("Shop".into()),
            shop_id: Some("s-1".into()),
            location: Some("Old Town".into()),
            extra: BTreeMap::from([
                ("Presentment Total".to_owned(), json!("45.00")),
                ("OrderId".to_owned(), json!("not this one")),
            ]),
        }),
        ..OrderSnapshot::default()
    }
}

fn tell(snapshot: &OrderSnapshot) -> Vec<Event> {
    advance(&Ledger::default(), snapshot, &source()).1
}

fn refund(refund_id: &str, amount: Option<&str>, minutes: i64) -> Refund {
    Refund {
        refund_id: refund_id.into(),
        at: minute(minutes),
        amount: amount.map(euros),
        reason: Some(format!("why {refund_id}")),
    }
}

#[test]
fn a_placed_order_has_klaviyos_properties() {
    let events = tell(&placed());
    assert_eq!(metrics(&events), ["Placed Order", "Ordered Product", "Ordered Product"]);
    let order = &events[0];
    assert_eq!(order.value, Some(euros("41.94")));
    assert_eq!(order.occurred_at.to_string(), "2026-01-02T03:04:05-05:00");
    assert_eq!(
        Value::Object(order.properties.clone()),
        json!({
            "OrderId": "o-1",
            "OrderNumber": "#1001",
            "ItemNames": ["Thing l1", "Thing l2"],
            "Items": [
                {
                    "LineId": "l1", "ProductID": "p-l1", "VariantID": "v-1", "SKU": "SC-1", "ProductName": "Thing l1",
                    "Quantity": 2, "ItemPrice": 20, "RowTotal": 36,
                    "ProductURL": "https://shop.example.com/scarf", "ImageURL": "https://shop.example.com/scarf.png",
                    "Categories": ["Scarves", "Winter"], "Brand": "Wool & Co",
                },
                {
                    "LineId": "l2", "ProductID": "p-l2", "ProductName": "Thing l2", "Quantity": 1,
                    "ItemPrice": 5.94, "RowTotal": 5.94, "Categories": [],
                },
            ],
            "Item Count": 3,
            "Categories": ["Scarves", "Winter"],
            "Brands": ["Wool & Co"],
            "Discount Codes": ["HELLO"],
            "Total Discounts": 4,
            "Is Discounted": true,
            "BillingAddress": {"city": "Lyon"},
            "ShippingAddress": {"city": "Nice"},
            "Shop": "Shop",
            "ShopID": "s-1",
            "locationName": "Old Town",
            "Source Name": "web",
            "Presentment Total": "45.00",
            "Email Domain": "example.com",
        })
    );
}

#[test]
fn an_ordered_product_is_worth_its_line() {
    let events = tell(&placed());
    assert_eq!(events[1].value, Some(euros("36.00")));
    assert_eq!(
        Value::Object(events[1].properties.clone()),
        json!({
            "OrderId": "o-1", "LineId": "l1", "ProductID": "p-l1", "VariantID": "v-1", "SKU": "SC-1",
            "Name": "Thing l1", "Variant Name": "Red", "Quantity": 2, "Price": 20,
            "Categories": ["Scarves", "Winter"], "Brand": "Wool & Co",
            "ImageURL": "https://shop.example.com/scarf.png", "ProductURL": "https://shop.example.com/scarf",
            "Email Domain": "example.com", "batch": "B7",
        })
    );
    assert_eq!(events[2].value, Some(euros("5.94")));
    assert_eq!(events[2].properties["Gift Card"], json!(true));
}

#[test]
fn a_line_without_a_total_costs_price_times_quantity() {
    let mut snapshot = placed();
    snapshot.detail.as_mut().unwrap().lines = vec![line("cloth", "1.5", "9.90")];
    let events = tell(&snapshot);
    assert_eq!(events[1].value.unwrap().amount, decimal("14.85"));
    assert_eq!(events[1].properties["Quantity"], json!(1.5));
}

#[test]
fn absurd_amounts_leave_the_value_out_and_do_not_panic() {
    let mut snapshot = placed();
    let huge = "79228162514264337593543950335";
    snapshot.detail.as_mut().unwrap().lines = vec![line("l1", huge, huge), line("l2", huge, huge)];
    let events = tell(&snapshot);
    assert_eq!(events[1].value, None);
    assert!(!events[0].properties.contains_key("Item Count"));
}

#[test]
fn nothing_is_placed_before_the_order_counts_as_placed_or_before_its_detail_is_known() {
    assert!(tell(&OrderSnapshot { placed_at: None, ..placed() }).is_empty());
    assert!(tell(&OrderSnapshot { detail: None, ..placed() }).is_empty());
}

#[test]
fn a_line_of_a_later_edit_is_told_then_at_the_time_of_the_order() {
    let (ledger, _) = advance(&Ledger::default(), &placed(), &source());
    let mut edited = placed();
    edited.detail.as_mut().unwrap().lines.push(line("l3", "1", "1.00"));
    let (_, events) = advance(&ledger, &edited, &source());
    assert_eq!(metrics(&events), ["Ordered Product"]);
    assert_eq!(events[0].properties["LineId"], "l3");
    assert_eq!(events[0].occurred_at, placed().placed_at.unwrap());
}

#[test]
fn two_lines_of_the_same_product_do_not_collapse() {
    let mut snapshot = placed();
    let twin = |line_id| Line { product_id: Some("p".into()), ..line(line_id, "1", "2.00") };
    snapshot.detail.as_mut().unwrap().lines = vec![twin("a"), twin("b")];
    let events = tell(&snapshot);
    assert_eq!(metrics(&events), ["Placed Order", "Ordered Product", "Ordered Product"]);
    assert_ne!(events[1].id, events[2].id);
}

#[test]
fn a_cancellation_that_arrives_first_is_told_with_what_it_knows() {
    let cancelled = OrderSnapshot {
        order_id: "o-1".into(),
        cancelled: Some(Cancellation { at: minute(90), reason: Some("customer".into()) }),
        ..OrderSnapshot::default()
    };
    let (ledger, events) = advance(&Ledger::default(), &cancelled, &source());
    assert_eq!(metrics(&events), ["Cancelled Order"]);
    assert_eq!(events[0].occurred_at, minute(90));
    assert_eq!(Value::Object(events[0].properties.clone()), json!({"OrderId": "o-1", "Reason": "customer"}));

    let (_, events) =
        advance(&ledger, &OrderSnapshot { cancelled: cancelled.cancelled, ..placed() }, &source());
    assert_eq!(metrics(&events), ["Placed Order", "Ordered Product", "Ordered Product"]);
}

#[test]
fn an_order_that_ends_is_worth_its_total_at_sale() {
    let snapshot = OrderSnapshot {
        cancelled: Some(Cancellation { at: minute(2), reason: None }),
        fulfilled_at: Some(minute(1)),
        ..placed()
    };
    for event in &tell(&snapshot)[3..] {
        assert_eq!(event.value, Some(euros("41.94")), "{}", event.metric);
        assert_eq!(event.properties["OrderNumber"], "#1001");
    }
}

#[test]
fn a_status_that_bounces_is_told_once() {
    let fulfilled = OrderSnapshot { fulfilled_at: Some(minute(5)), ..placed() };
    let again = OrderSnapshot { fulfilled_at: Some(minute(50)), ..placed() };
    let (ledger, _) = advance(&Ledger::default(), &fulfilled, &source());
    let (ledger, events) = advance(&ledger, &placed(), &source());
    assert!(events.is_empty());
    let (_, events) = advance(&ledger, &again, &source());
    assert!(events.is_empty());
}

#[test]
fn each_parcel_is_told_with_what_is_in_it() {
    let parcel = |shipment_id: &str, lines| Shipment {
        shipment_id: shipment_id.into(),
        at: minute(3),
        company: Some("Pigeon Post".into()),
        tracking_numbers: vec!["T1".into(), "T2".into()],
        lines,
    };
    let snapshot = OrderSnapshot {
        shipments: vec![parcel("f1", vec![line("l1", "1", "20.00")]), parcel("f2", Vec::new())],
        ..placed()
    };
    let events = tell(&snapshot);
    let [first, second] = &events[3..] else { panic!("{:?}", metrics(&events)) };
    assert_eq!((first.value, second.value), (Some(euros("20")), Some(euros("41.94"))));
    assert_eq!(first.properties["Item Count"], json!(1));
    assert_eq!(second.properties["Item Count"], json!(3));
    for event in [first, second] {
        assert_eq!(event.metric, "Shipped Order");
        assert_eq!(event.properties["TrackingNumbers"], json!(["T1", "T2"]));
        assert_eq!(event.properties["TrackingCompany"], "Pigeon Post");
        assert_eq!(event.properties["ShippingAddress"], json!({"city": "Nice"}));
    }
    assert_ne!(first.id, second.id);
}

#[test]
fn two_partial_refunds_are_two_events_with_their_own_amounts() {
    let snapshot =
        OrderSnapshot { refunds: vec![refund("r1", Some("10"), 1), refund("r2", Some("10"), 1)], ..placed() };
    let events = tell(&snapshot);
    let [first, second] = &events[3..] else { panic!("{:?}", metrics(&events)) };
    assert_ne!(first.id, second.id);
    for (event, id) in [(first, "r1"), (second, "r2")] {
        assert_eq!(event.value, Some(euros("10")));
        assert_eq!(event.properties["RefundId"], id);
        assert_eq!(event.properties["Reason"], format!("why {id}"));
        assert_eq!(event.properties["Is Full Refund"], json!(false));
    }
}

#[test]
fn a_refund_of_all_at_once_is_full() {
    let events = tell(&OrderSnapshot { refunds: vec![refund("r1", Some("41.94"), 1)], ..placed() });
    assert_eq!(events[3].properties["Is Full Refund"], json!(true));
}

#[test]
fn a_refund_without_money_is_told_once_the_money_is_there() {
    for nothing in [None, Some("0.00")] {
        let pending = OrderSnapshot { refunds: vec![refund("r1", nothing, 1)], ..placed() };
        let (ledger, events) = advance(&Ledger::default(), &pending, &source());
        assert_eq!(events.len(), 3);
        let paid = OrderSnapshot { refunds: vec![refund("r1", Some("3"), 1)], ..placed() };
        assert_eq!(metrics(&advance(&ledger, &paid, &source()).1), ["Refunded Order"]);
    }
}

#[test]
fn under_full_only_a_thin_or_partial_refund_is_not_told() {
    let thin = OrderSnapshot {
        order_id: "o-1".into(),
        refunds: vec![refund("r1", Some("41.94"), 1)],
        refund_policy: RefundPolicy::FullOnly,
        ..OrderSnapshot::default()
    };
    assert_eq!(advance(&Ledger::default(), &thin, &source()), (Ledger::default(), Vec::new()));
    let partial = OrderSnapshot { refunds: thin.refunds, refund_policy: RefundPolicy::FullOnly, ..placed() };
    assert_eq!(tell(&partial).len(), 3);
}

#[test]
fn under_full_only_all_refunds_are_one_event_at_the_time_of_the_last_with_money() {
    let snapshot = OrderSnapshot {
        refunds: vec![refund("r2", Some("31.94"), 9), refund("r1", Some("10"), 1), refund("r3", None, 99)],
        refund_policy: RefundPolicy::FullOnly,
        fully_refunded: true,
        ..placed()
    };
    let (ledger, events) = advance(&Ledger::default(), &snapshot, &source());
    let event = &events[3];
    assert_eq!(event.value, Some(euros("41.94")));
    assert_eq!(event.occurred_at, minute(9));
    assert_eq!(event.properties["Is Full Refund"], json!(true));
    assert_eq!(event.properties["RefundId"], "r2");
    assert_eq!(event.id, Event::id_of("conn1", "Refunded Order", &["o-1"]));
    assert!(advance(&ledger, &snapshot, &source()).1.is_empty());
}

#[test]
fn a_full_refund_whose_money_is_not_known_yet_waits_for_it() {
    let flagged = OrderSnapshot { fully_refunded: true, refund_policy: RefundPolicy::FullOnly, ..placed() };
    let (ledger, events) = advance(&Ledger::default(), &flagged, &source());
    assert_eq!(events.len(), 3);
    let paid = OrderSnapshot { refunds: vec![refund("r1", Some("41.94"), 1)], ..flagged };
    assert_eq!(metrics(&advance(&ledger, &paid, &source()).1), ["Refunded Order"]);
}

#[test]
fn a_mixture_of_currencies_has_no_sum() {
    let mut dollars = refund("r2", Some("5"), 2);
    dollars.amount.as_mut().unwrap().currency = Some("USD".parse().unwrap());
    let snapshot = OrderSnapshot {
        refunds: vec![refund("r1", Some("5"), 1), dollars],
        refund_policy: RefundPolicy::FullOnly,
        fully_refunded: true,
        ..placed()
    };
    assert_eq!(tell(&snapshot)[3].value, None);
}

#[test]
fn ids_depend_on_the_connection_and_not_on_the_delivery() {
    let ids = |source: &Source| {
        let (_, events) = advance(&Ledger::default(), &placed(), source);
        events.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let polled = Source { topic: "poll".into(), delivery_id: "other".into(), ..source() };
    let other_shop = Source { connection: "conn2".into(), ..source() };
    assert_eq!(ids(&source()), ids(&polled));
    assert!(ids(&source()).iter().zip(ids(&other_shop)).all(|(one, other)| *one != other));
}

#[test]
fn a_historical_import_marks_its_events() {
    assert!(tell(&OrderSnapshot { backfill: true, ..placed() }).iter().all(|event| event.backfill));
    assert!(tell(&placed()).iter().all(|event| !event.backfill));
}

#[test]
fn an_order_of_500_lines_is_told_completely_and_once() {
    let mut snapshot = placed();
    snapshot.detail.as_mut().unwrap().lines =
        (0..500).map(|number| line(&format!("l{number}"), "1", "1.00")).collect();
    let (ledger, events) = advance(&Ledger::default(), &snapshot, &source());
    assert_eq!(events.len(), 501);
    let ids: std::collections::HashSet<_> = events.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), 501);
    assert!(advance(&ledger, &snapshot, &source()).1.is_empty());
}

#[test]
fn the_ledger_is_stored_compactly() {
    assert_eq!(serde_json::to_value(Ledger::default()).unwrap(), json!({}));
    let snapshot = OrderSnapshot { refunds: vec![refund("r1", Some("1"), 1)], ..placed() };
    let (ledger, _) = advance(&Ledger::default(), &snapshot, &source());
    let stored = serde_json::to_value(&ledger).unwrap();
    assert_eq!(stored, json!({"p": true, "l": ["l1", "l2"], "m": ["r1"]}));
    assert_eq!(serde_json::from_value::<Ledger>(stored).unwrap(), ledger);
}
