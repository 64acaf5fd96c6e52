//! Segments as shops have them, and the customers they are asked about.

use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::Consent;
use canonical::{Instant, Profile};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use segments::{Definition, Event, Program, Segment};
use serde_json::{Map, Value, json};

pub(crate) const DAY: i64 = 86_400_000;
/// 17 June 2026, noon.
pub(crate) const NOW: i64 = 1_781_697_600_000;
const METRICS: [&str; 6] =
    ["Placed Order", "Viewed Product", "Started Checkout", "Added to Cart", "Opened Email", "Clicked Email"];

fn count(metric: &str, operator: &str, value: i64, days: Option<i64>, filters: &Value) -> Value {
    let timeframe = match days {
        Some(days) => json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": days}),
        None => json!({"type": "date", "operator": "alltime"}),
    };
    json!({
        "type": "profile-metric", "metric_id": metric, "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": operator, "value": value},
        "timeframe_filter": timeframe, "metric_filters": filters,
    })
}

/// Engaged, lapsed, loyal, big spenders, abandoned carts, browsers of a collection, birthdays, cities.
fn definition(number: usize) -> Value {
    let days = [7, 14, 30, 60, 90, 180, 365][number / 10 % 7];
    let metric = METRICS[number / 3 % METRICS.len()];
    let collection = ["Shoes", "Shirts", "Hats", "Bags", "Coats"][number / 10 % 5];
    let tag = json!([{"property": "Collections",
        "filter": {"type": "list", "operator": "contains-any", "value": [collection]}}]);
    let subscribed = json!({"type": "profile-marketing-consent", "consent": {
        "channel": "email", "can_receive_marketing": true,
        "consent_status": {"subscription": "subscribed", "filters": null}}});
    let groups = match number % 10 {
        0 => vec![
            vec![
                count("Opened Email", "greater-than-or-equal", 1, Some(days), &json!(null)),
                count("Clicked Email", "greater-than-or-equal", 1, Some(days), &json!(null)),
            ],
            vec![subscribed],
        ],
        1 => vec![
            vec![count("Placed Order", "greater-than-or-equal", 1, None, &json!(null))],
            vec![count("Placed Order", "equals", 0, Some(days), &json!(null))],
        ],
        2 => vec![vec![count(metric, "greater-than-or-equal", 3, Some(days), &json!(null))]],
        3 => vec![vec![json!({
            "type": "profile-metric", "metric_id": "Placed Order", "measurement": "sum",
            "measurement_filter": {"type": "numeric", "operator": "greater-than", "value": days * 5},
            "timeframe_filter": {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 365},
        })]],
        4 => vec![
            vec![count("Started Checkout", "greater-than", 0, Some(days), &json!(null))],
            vec![count("Placed Order", "equals", 0, Some(days), &json!(null))],
        ],
        5 => vec![vec![count("Viewed Product", "greater-than-or-equal", 2, Some(days), &tag)]],
        6 => vec![vec![json!({"type": "profile-property", "property": "properties['Birthday']",
            "filter": {"type": "date", "operator": "anniversary-next", "unit": "day", "quantity": days.min(30)}})]],
        7 => vec![vec![json!({"type": "profile-property", "property": "location['city']",
            "filter": {"type": "string", "operator": "in", "value": [collection, "Lyon"]}})]],
        8 => vec![
            vec![count(metric, "equals", 0, None, &json!(null))],
            vec![json!({"type": "profile-property", "property": "created",
                "filter": {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": days}})],
        ],
        _ => vec![
            vec![count("Placed Order", "greater-than-or-equal", 1, None, &tag)],
            vec![count("Viewed Product", "greater-than-or-equal", 1, Some(days), &json!(null)), subscribed],
        ],
    };
    let groups: Vec<Value> = groups.into_iter().map(|conditions| json!({"conditions": conditions})).collect();
    json!({"condition_groups": groups})
}

pub(crate) fn program(segments: usize, zone: &str) -> Program {
    let segments = (0..segments)
        .map(|number| {
            let mut json = definition(number);
            if number >= 100 {
                // Beyond a hundred, no two ask the same.
                json["condition_groups"][0]["conditions"].as_array_mut().unwrap().push(count(
                    METRICS[number % METRICS.len()],
                    "greater-than",
                    i64::try_from(number).unwrap(),
                    Some(1 + i64::try_from(number % 365).unwrap()),
                    &json!(null),
                ));
            }
            Segment { id: format!("S{number:05}"), version: 1, definition: Definition::parse(&json).unwrap() }
        })
        .collect();
    Program::compile(1, segments, TimeZone::get(zone).unwrap()).unwrap()
}

fn object(json: Value) -> Map<String, Value> {
    match json {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(crate) fn profile() -> Profile {
    let created = Instant::from_millis(NOW - 400 * DAY).unwrap();
    let mut profile = Profile::new("01J00000000000000000000000".to_owned(), created);
    profile.email = Some("ada@example.com".to_owned());
    profile.attributes = object(json!({
        "first_name": "Ada",
        "location": {"city": "Lyon"},
        "properties": {"Birthday": "1990-07-01", "Tier": "Gold"},
    }));
    let consent = Consent { status: ConsentStatus::Subscribed, at: Some(created), ..Consent::default() };
    profile.consent.insert(Channel::Email, consent);
    profile
}

/// An event that owns its parts.
pub(crate) struct Stored {
    id: String,
    metric: &'static str,
    occurred: i64,
    properties: Map<String, Value>,
}

impl Stored {
    pub(crate) fn event(&self) -> Event<'_> {
        Event {
            id: &self.id,
            metric_id: self.metric,
            metric: self.metric,
            occurred_ms: self.occurred,
            ingested_ms: self.occurred,
            value: Some(Decimal::new(4195, 2)),
            properties: &self.properties,
        }
    }

    pub(crate) fn occurred(&self) -> i64 {
        self.occurred
    }
}

/// So many events spread evenly over the days before `NOW`, oldest first.
pub(crate) fn events(count: usize, days: i64) -> Vec<Stored> {
    let number_of = |count: usize| i64::try_from(count).unwrap();
    (0..count)
        .map(|number| Stored {
            id: format!("01J{number:023}"),
            metric: METRICS[number % METRICS.len()],
            occurred: NOW - days * DAY + days * DAY / number_of(count) * number_of(number),
            properties: object(json!({"Collections": ["Shoes", "Sale"], "ProductName": "Boot"})),
        })
        .collect()
}
