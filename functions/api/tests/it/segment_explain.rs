//! What is explained besides counted events.

use http::StatusCode;
use serde_json::{Value, json};

use crate::segments::{at_least, create};
use crate::{NOW_MS, World};

const DAY_S: i64 = 86_400;

async fn conditions(world: &World, segment: &str, profile: &str) -> (Value, Vec<Value>) {
    let reply = world.get(&format!("/api/segments/{segment}/explain?profile={profile}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let attributes = &reply.body["data"]["attributes"];
    let groups = attributes["condition_groups"].as_array().unwrap();
    let conditions = groups.iter().map(|group| group["conditions"][0].clone());
    (attributes["is_member"].clone(), conditions.collect())
}

#[tokio::test]
async fn explain_tells_of_groups_funnels_and_predictions() {
    let world = World::new().await;
    let list = json!({"data": {"type": "list", "attributes": {"name": "Newsletter"}}});
    let list = world.post("/api/lists", list).await.id();
    let ann = world.profile("ann@example.com").await;
    let named = json!({"data": [{"type": "profile", "id": ann}]});
    world.post(&format!("/api/lists/{list}/relationships/profiles"), named).await;
    let now_s = NOW_MS / 1000;
    world.record(&ann, "Viewed Product", "v1", now_s - 3 * DAY_S, None).await;
    world.record(&ann, "Placed Order", "o1", now_s - 2 * DAY_S, Some("20")).await;
    world.record(&ann, "Placed Order", "o2", now_s - DAY_S, Some("30")).await;

    let buyers = create(&world, "Buyers", at_least(2)).await.id();
    let inner = json!({"condition_groups": [{"conditions": [
        {"type": "profile-group-membership", "is_member": true, "group_ids": [buyers]},
    ]}]});
    let inner = create(&world, "Inner", inner).await.id();
    let step = |metric: &str| json!({"metric_id": store::metric_id("api", metric), "metric_exists": true});
    let days = |quantity: u32| json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": quantity});
    let definition = json!({"condition_groups": [
        {"conditions": [{"type": "profile-group-membership", "is_member": true, "group_ids": [inner, list]}]},
        {"conditions": [{"type": "profile-group-membership", "is_member": true, "group_ids": [list],
            "timeframe_filter": days(7)}]},
        {"conditions": [{"type": "profile-metric-funnel", "timeframe_filter": days(10),
            "completion_window_seconds": "DAYS_5", "steps": [step("Viewed Product"), step("Placed Order")]}]},
        {"conditions": [{"type": "profile-predictive-analytics", "dimension": "historic_number_of_orders",
            "filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": 2}}]},
        {"conditions": [{"type": "profile-predictive-analytics", "dimension": "historic_clv",
            "filter": {"type": "numeric", "operator": "greater-than", "value": 50}}]},
    ]});
    let segment = create(&world, "All of it", definition.clone()).await;
    assert_eq!(segment.status, StatusCode::CREATED, "{}", segment.body);
    let segment = segment.id();
    let (is_member, told) = conditions(&world, &segment, &ann).await;
    assert_eq!(is_member, false);
    for (place, condition) in told.iter().enumerate() {
        let pointer = format!("/condition_groups/{place}/conditions/0");
        assert_eq!(condition["pointer"], pointer);
        assert_eq!(condition["condition"], *definition.pointer(&pointer).unwrap());
    }
    let holds: Vec<&Value> = told.iter().map(|condition| &condition["holds"]).collect();
    assert_eq!(holds, [true, true, true, true, false]);
    let measures: Vec<&Value> = told.iter().map(|condition| &condition["measure"]).collect();
    assert_eq!(measures, [&Value::Null, &Value::Null, &Value::Null, &json!(2), &json!(50)]);
    // The segment two steps below loses the older order of 15 June at the beginning of 16 July.
    assert_eq!(told[0]["next_change"], "2026-07-16T00:00:00+00:00");
    let groups = told[0]["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    for group in [
        json!({"type": "segment", "id": inner, "is_member": true}),
        json!({"type": "list", "id": list, "is_member": true, "joined_group_at": "2026-06-17T12:00:00+00:00"}),
    ] {
        assert!(groups.contains(&group), "{group} in {groups:?}");
    }
    assert_eq!(told[1]["next_change"], "2026-06-25T00:00:00+00:00");
    // The first step, of 14 June, is out of the window then.
    assert_eq!(told[2]["next_change"], "2026-06-25T00:00:00+00:00");
    assert_eq!(told[2]["groups"], Value::Null);

    // Somebody of whom nothing is known.
    let ben = world.profile("ben@example.com").await;
    let (_, told) = conditions(&world, &segment, &ben).await;
    assert!(told.iter().all(|condition| condition["holds"] == false));
    let absent = json!({"type": "list", "id": list, "is_member": false, "joined_group_at": null});
    assert!(told[0]["groups"].as_array().unwrap().contains(&absent));
    assert_eq!(told[3]["measure"], Value::Null, "who has never ordered has no number of orders");
}
