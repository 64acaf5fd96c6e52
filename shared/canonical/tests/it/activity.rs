use canonical::activity::{loyalty, viewed_product};
use canonical::fact::{LoyaltyActivity, ProductView};
use canonical::{Event, Metric};
use serde_json::{Value, json};

use crate::{ada, decimal, line, minute, source};

#[test]
fn a_viewed_product_is_named_by_its_view() {
    let view = ProductView {
        view_id: "view-1".into(),
        person: ada(),
        at: minute(1),
        product: line("", "0", "9.90"),
        compare_at_price: Some(decimal("12")),
    };
    let event = viewed_product(&view, &source());
    assert_eq!(event.id, Event::id_of("conn1", "Viewed Product", &["view-1"]));
    assert_eq!(event.occurred_at, minute(1));
    assert_eq!(
        Value::Object(event.properties),
        json!({
            "ProductID": "p-", "ProductName": "Thing ", "Categories": [], "Price": 9.9, "CompareAtPrice": 12,
            "Email Domain": "example.com",
        })
    );
}

#[test]
fn a_loyalty_activity_keeps_all_its_attributes() {
    let activity = LoyaltyActivity {
        activity_id: "a-1".into(),
        person: ada(),
        metric: Metric::PointsRedeemed,
        at: minute(1),
        properties: serde_json::from_value(json!({"points": 500, "reward": {"name": "Mug"}})).unwrap(),
        changes: None,
    };
    let event = loyalty(&activity, &source());
    assert_eq!(event.metric, "Points Redeemed");
    assert_eq!(event.id, Event::id_of("conn1", "Points Redeemed", &["a-1"]));
    assert_eq!(event.properties, activity.properties);
}
