use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::json;
use tests::{api::at_least, eventually, eventually_eq, now};

use crate::{start, whole_segment};

/// How much of the hour is left when the event arrives.
const LEFT: SignedDuration = SignedDuration::from_secs(10);

#[tokio::test]
async fn a_member_leaves_by_time_alone() {
    let stack = start().await;
    let api = stack.api();
    let metric = store::metric_id("api", "Viewed Product");
    let recent = whole_segment(api, "Looked around", &at_least(1, &metric, 1, "hour")).await;

    let hour = SignedDuration::from_hours(1);
    let occurred_at = Timestamp::from_second((now() - hour + LEFT).as_second()).unwrap();
    let leaves_at = occurred_at + 1.hour();
    let event = json!({"data": {"type": "event", "attributes": {
        "properties": {}, "time": occurred_at,
        "metric": {"data": {"type": "metric", "attributes": {"name": "Viewed Product"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": "ida@example.com"}}},
    }}});
    assert_eq!(api.post("/api/events", &event).await.status, 202);
    eventually_eq("a member first", &1, async || api.members(&recent).await.len()).await;
    let profile = api.profile_id("ida@example.com").await;
    let path = format!("/api/segments/{recent}/explain");
    let before = api.get(&path, &[("profile", &profile)]).await;
    assert_eq!(before.attributes()["is_member"], true);
    let condition = &before.attributes()["condition_groups"][0]["conditions"][0];
    assert_eq!((&condition["holds"], &condition["measure"]), (&json!(true), &json!(1)));
    let next: Timestamp = condition["next_change"].as_str().unwrap().parse().unwrap();
    assert!((leaves_at..=leaves_at + 1.second()).contains(&next), "{next} for {leaves_at}");

    // Nobody asks the profile anything, nothing happens to it: only the clock runs.
    eventually("the membership has ended", async || {
        stack.tick().await;
        let members = api.members(&recent).await;
        assert!(!members.is_empty() || now() >= leaves_at, "gone before its time");
        members.is_empty().then_some(())
    })
    .await;
    let membership = stack.store().membership(&profile, &recent).await.unwrap().unwrap();
    assert!(!membership.current);
    assert_eq!(membership.left_cause.as_deref(), Some("time"));
    let left_at = membership.left_at.unwrap().timestamp();
    assert!((leaves_at..=leaves_at + 1.second()).contains(&left_at), "{left_at} for {leaves_at}");
    let after = api.get(&path, &[("profile", &profile)]).await;
    assert_eq!(after.attributes()["is_member"], false);
    // The event is still there.
    assert_eq!(api.metrics_of("ida@example.com").await, ["Viewed Product"]);
}
