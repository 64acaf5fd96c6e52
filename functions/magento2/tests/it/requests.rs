//! What is fetched for a delivery, and with which credentials.

use std::collections::BTreeMap;

use magento2::Magento2;
use platform::{Authorization, Connection, Delivery, Headers, Mapping, Platform};
use serde_json::{Value, json};

fn requests(settings: Value, topic: &str, body: &Value) -> Mapping {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    let connection = Connection { id: "conn-1".to_owned(), platform: "magento2".to_owned(), settings };
    let delivery = Delivery {
        platform: "magento2".to_owned(),
        connection: "conn-1".to_owned(),
        topic: topic.to_owned(),
        delivery_id: "d-1".to_owned(),
        received_at: conformance::NOW.parse().unwrap(),
        headers: Headers::from_iter(BTreeMap::<String, String>::new()),
        backfill: false,
        body: body.to_string().into_bytes(),
    };
    Magento2.facts(&delivery, &connection, &[])
}

#[test]
fn a_row_is_completed_with_the_credentials_of_the_connection() {
    for (bearer, signed) in [(false, true), (true, false)] {
        let settings = json!({ "base_url": "https://larch.example", "bearer": bearer });
        let Mapping::Fetch(requests) = requests(settings, "order", &json!({ "entity_id": "42" })) else {
            panic!("nothing is fetched")
        };
        assert_eq!(requests[0].url, "https://larch.example/rest/all/V1/orders/42");
        assert_eq!(matches!(requests[0].authorization, Authorization::OAuth1 { .. }), signed);
        assert_eq!(
            requests[0].headers.iter().any(|(_, value)| value == "Bearer {secret:access_token}"),
            bearer
        );
    }
}

#[test]
fn an_id_that_is_no_number_gets_into_no_address() {
    for id in [
        json!("42/../../x"),
        json!("4 2"),
        json!("-1"),
        json!(4.5),
        json!(""),
        json!(["42"]),
        json!("1".repeat(21)),
    ] {
        let settings = json!({ "base_url": "https://larch.example" });
        for topic in ["order", "shipment"] {
            let body = json!({ "entity_id": id, "order_id": 1 });
            let mapping = requests(settings.clone(), topic, &body);
            assert!(!matches!(mapping, Mapping::Fetch(_)), "{id}: {mapping:?}");
        }
    }
}

#[test]
fn one_order_is_fetched_once_for_all_events_of_a_batch() {
    let event = json!({
        "id": "e-1", "type": "com.adobe.commerce.observer.sales_order_save_after",
        "data": { "value": { "entity_id": "42" } }
    });
    let body = json!([event, event]);
    let settings = json!({ "base_url": "https://larch.example" });
    let Mapping::Fetch(requests) = requests(settings, "com.adobe.commerce.batch", &body) else {
        panic!("nothing is fetched")
    };
    assert_eq!(requests.len(), 1);
}
