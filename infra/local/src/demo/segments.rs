//! The demo's segments: each as the API takes it, as people say it, and as a plain rule over the shop's records.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::shop::{Customer, Order};

/// Who belongs to a segment by the records of the shop alone.
pub(super) type Rule = fn(&Customer, &[&Order], Timestamp) -> bool;

pub(super) struct DemoSegment {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) definition: Value,
    pub(super) rule: Rule,
}

/// The segments, given the id of the metric Placed Order.
pub(super) fn segments(placed_order: &str) -> [DemoSegment; 3] {
    let orders = |measurement: &str, operator: &str, value: i64, timeframe: Value| {
        json!({
            "type": "profile-metric", "metric_id": placed_order, "measurement": measurement,
            "measurement_filter": {"type": "numeric", "operator": operator, "value": value},
            "timeframe_filter": timeframe,
        })
    };
    let alltime = || json!({"type": "date", "operator": "alltime"});
    let in_30_days = json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 30});
    let subscribed = json!({
        "type": "profile-marketing-consent",
        "consent": {
            "channel": "email", "can_receive_marketing": true,
            "consent_status": {"subscription": "subscribed"},
        },
    });
    [
        DemoSegment {
            name: "Repeat buyers",
            meaning: "Placed Order at least twice, over all time",
            definition: groups([orders("count", "greater-than-or-equal", 2, alltime())]),
            rule: |_, orders, _| orders.len() >= 2,
        },
        DemoSegment {
            name: "Big spenders",
            meaning: "Placed Order worth 150 or more in the last 30 days",
            definition: groups([orders("sum", "greater-than-or-equal", 150, in_30_days)]),
            rule: |_, orders, now| {
                let recent = |order: &&&Order| {
                    now.duration_since(order.placed_at) < SignedDuration::from_hours(30 * 24)
                };
                orders.iter().filter(recent).map(|order| order.total_cents()).sum::<i64>() >= 15_000
            },
        },
        DemoSegment {
            name: "Subscribed, never bought",
            meaning: "may get e-mail and said yes to it, and never Placed Order",
            definition: groups([subscribed, orders("count", "equals", 0, alltime())]),
            rule: |customer, orders, _| {
                let latest = customer.consents.iter().max_by_key(|(at, _)| *at);
                orders.is_empty() && latest.is_some_and(|(_, yes)| *yes)
            },
        },
    ]
}

/// All of the conditions must hold.
fn groups<const N: usize>(conditions: [Value; N]) -> Value {
    let groups: Vec<_> = conditions.into_iter().map(|condition| json!({"conditions": [condition]})).collect();
    json!({"condition_groups": groups})
}
