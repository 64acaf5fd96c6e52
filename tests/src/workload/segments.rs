//! Fifty segments as shops keep them, in the form Klaviyo's API takes them. What each means is written a second time, in
//! `segments.sql`.

use serde_json::{Value, json};

/// A segment.
pub struct Named {
    /// Six letters and digits, as the account's ids are.
    pub id: String,
    /// For people.
    pub name: &'static str,
    /// Klaviyo's `definition`.
    pub definition: Value,
}

/// The fifty, by their ids.
pub fn segments() -> Vec<Named> {
    let definitions =
        engagement().into_iter().chain(buyers()).chain(intent()).chain(orders()).chain(people());
    (1..)
        .zip(definitions)
        .map(|(number, (name, definition))| Named { id: format!("S{number:05}"), name, definition })
        .collect()
}

/// As many segments as wanted: the fifty, and again and again the fifty with other windows, thresholds and values.
pub fn varied(count: usize) -> Vec<Named> {
    let mut all = Vec::with_capacity(count);
    for round in 0.. {
        for (number, mut segment) in segments().into_iter().enumerate() {
            if all.len() == count {
                return all;
            }
            segment.id = format!("S{:05}", 1 + round * 50 + number);
            vary(&mut segment.definition, round);
            all.push(segment);
        }
    }
    all
}

fn vary(value: &mut Value, round: usize) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| vary(item, round)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), &*value) {
                    ("quantity", Value::Number(days)) => {
                        *value = json!((days.as_u64().unwrap() + round as u64) % 366);
                    }
                    ("value", Value::Number(number)) if round > 0 => {
                        *value = json!(number.as_u64().unwrap() + round as u64 % 20);
                    }
                    ("value", Value::String(text)) if round > 0 && round.is_multiple_of(4) => {
                        *value = json!(format!("{text} {round}"));
                    }
                    _ => vary(value, round),
                }
            }
        }
        _ => {}
    }
}

type Segment = (&'static str, Value);

fn engagement() -> Vec<Segment> {
    let engaged = |days| {
        all(&[
            &[subscribed("email")],
            &[
                count("Opened Email").last(days, "day"),
                count("Clicked Email").last(days, "day"),
                count("Active on Site").last(days, "day"),
                count("Viewed Product").last(days, "day"),
                count("Placed Order").last(days, "day"),
                profile("created", &last(days, "day")),
            ],
        ])
    };
    let silent = |days| {
        ["Opened Email", "Clicked Email", "Active on Site", "Placed Order"]
            .map(|metric| never(metric).last(days, "day"))
    };
    let [unopened_90, unclicked_90, absent_90, unbought_90] = silent(90);
    let [unopened_180, unclicked_180, absent_180, unbought_180] = silent(180);
    vec![
        ("Engaged in 30 days", engaged(30)),
        ("Engaged in 60 days", engaged(60)),
        ("Engaged in 90 days", engaged(90)),
        ("Engaged in 120 days", engaged(120)),
        ("Engaged in 180 days", engaged(180)),
        (
            "Unengaged for 90 days",
            all(&[
                &[subscribed("email")],
                &[profile(
                    "created",
                    &json!({"type": "date", "operator": "at-least", "unit": "day", "quantity": 90}),
                )],
                &[count("Received Email").at_least(3)],
                &[unopened_90],
                &[unclicked_90],
                &[absent_90],
                &[unbought_90],
            ]),
        ),
        (
            "Sunset: unengaged for 180 days",
            all(&[
                &[subscribed("email")],
                &[count("Received Email").at_least(2).last(180, "day")],
                &[unopened_180],
                &[unclicked_180],
                &[absent_180],
                &[unbought_180],
            ]),
        ),
    ]
}

fn buyers() -> Vec<Segment> {
    let orders = || count("Placed Order");
    let no_order = || never("Placed Order");
    vec![
        ("Never bought", all(&[&[no_order()]])),
        ("Bought once", all(&[&[orders().exactly(1)]])),
        ("Bought again", all(&[&[orders().at_least(2)]])),
        ("Five orders", all(&[&[orders().at_least(5)]])),
        ("Spent 500", all(&[&[sum("Placed Order").at_least(500)]])),
        ("Spent 200 in 90 days", all(&[&[sum("Placed Order").at_least(200).last(90, "day")]])),
        (
            "Good customers who are leaving",
            all(&[&[orders().at_least(3)], &[no_order().last(60, "day")], &[orders().last(180, "day")]]),
        ),
        ("To be won back", all(&[&[orders().between(90, 180)], &[no_order().last(89, "day")]])),
        ("Lapsed for 180 days", all(&[&[orders()], &[no_order().last(180, "day")]])),
        ("Lapsed for a year", all(&[&[orders()], &[no_order().last(365, "day")]])),
        ("Bought in two weeks", all(&[&[orders().last(2, "week")]])),
        (
            "Bought in 30 days and kept it",
            all(&[&[orders().last(30, "day")], &[never("Refunded Order").last(30, "day")]]),
        ),
        ("Bought shoes", all(&[&[count("Ordered Product").where_is("category", &text("Shoes"))]])),
        (
            "Bought shoes, never dresses",
            all(&[
                &[count("Ordered Product").where_is("category", &text("Shoes"))],
                &[never("Ordered Product").where_is("category", &text("Dresses"))],
            ]),
        ),
        (
            "Twice from the sale",
            all(&[&[count("Ordered Product").at_least(2).where_is("category", &text("Sale"))]]),
        ),
    ]
}

fn intent() -> Vec<Segment> {
    let no_order = || never("Placed Order");
    vec![
        (
            "Left a cart in three days",
            all(&[
                &[count("Added to Cart").last(3, "day")],
                &[never("Started Checkout").last(3, "day")],
                &[no_order().last(3, "day")],
            ]),
        ),
        (
            "Left a checkout in 72 hours",
            all(&[&[count("Started Checkout").last(72, "hour")], &[no_order().last(72, "hour")]]),
        ),
        (
            "Looked three times in 30 days, bought nothing",
            all(&[&[count("Viewed Product").at_least(3).last(30, "day")], &[no_order().last(30, "day")]]),
        ),
        (
            "Looked in 24 hours and left",
            all(&[
                &[count("Viewed Product").last(24, "hour")],
                &[never("Added to Cart").last(24, "hour")],
                &[no_order().last(24, "hour")],
            ]),
        ),
        (
            "A checkout of 150 in 30 days, no order",
            all(&[
                &[count("Started Checkout").where_is("$value", &at_least(150)).last(30, "day")],
                &[no_order().last(30, "day")],
            ]),
        ),
        (
            "Looked at denim twice, bought none",
            all(&[
                &[count("Viewed Product").at_least(2).where_is("category", &text("Denim")).last(14, "day")],
                &[never("Ordered Product").where_is("category", &text("Denim")).last(14, "day")],
            ]),
        ),
    ]
}

fn orders() -> Vec<Segment> {
    let orders = || count("Placed Order");
    let online = ["bigcommerce", "shopify", "woocommerce"];
    vec![
        ("Twice with a code", all(&[&[orders().at_least(2).where_is("discount_code", &is_set())]])),
        (
            "Never with a code",
            all(&[&[orders().at_least(2)], &[never("Placed Order").where_is("discount_code", &is_set())]]),
        ),
        (
            "A spring code in a year",
            all(&[&[orders()
                .where_is("discount_code", &json!({"type": "string", "operator": "contains", "value": "SPRING1"}))
                .last(365, "day")]]),
        ),
        ("A basket of five", all(&[&[orders().where_is("items", &at_least(5))]])),
        ("Bought at the till", all(&[&[orders().where_is("source", &text("lightspeed"))]])),
        (
            "Bought at the till and online",
            all(&[
                &[orders().where_is("source", &text("lightspeed"))],
                &[orders().where_is("source", &one_of(&online))],
            ]),
        ),
        (
            "Bought at the till only",
            all(&[
                &[orders().where_is("source", &text("lightspeed"))],
                &[never("Placed Order").where_is(
                    "source",
                    &json!({"type": "string", "operator": "not-equals", "value": "lightspeed"}),
                )],
            ]),
        ),
        ("Returned twice", all(&[&[count("Refunded Order").at_least(2)]])),
        ("Cancelled in 30 days", all(&[&[count("Cancelled Order").last(30, "day")]])),
        (
            "Waits for a parcel",
            all(&[&[orders().last(1, "week")], &[never("Fulfilled Order").last(1, "week")]]),
        ),
        (
            "Bought on the long weekend",
            all(&[
                &[orders().timeframe(
                    &json!({"type": "date", "operator": "between-static", "start": "2026-11-27", "end": "2026-11-30"}),
                )],
                &[profile("properties['VIP']", &boolean(false))],
            ]),
        ),
    ]
}

fn people() -> Vec<Segment> {
    let campaign = || json!({"type": "numeric", "operator": "equals", "value": 42});
    vec![
        ("Clicked campaign 42", all(&[&[count("Clicked Email").where_is("campaign_id", &campaign())]])),
        (
            "Did not open campaign 42",
            all(&[
                &[count("Received Email").where_is("campaign_id", &campaign())],
                &[never("Opened Email").where_is("campaign_id", &campaign())],
            ]),
        ),
        ("Too much mail in a week", all(&[&[count("Received Email").at_least(4).last(7, "day")]])),
        ("Texts, but has not bought", all(&[&[subscribed("sms")], &[never("Placed Order")]])),
        ("Clicks texts", all(&[&[subscribed("sms")], &[count("Clicked SMS").last(60, "day")]])),
        (
            "British, with Gmail, engaged",
            all(&[
                &[profile(
                    "email",
                    &json!({"type": "string", "operator": "ends-with", "value": "@gmail.example"}),
                )],
                &[profile("location['country']", &text("United Kingdom"))],
                &[count("Opened Email").last(30, "day"), count("Clicked Email").last(30, "day")],
            ]),
        ),
        (
            "Subscribed in the Union",
            all(&[
                &[profile("location['country']", &one_of(&["France", "Germany", "Netherlands"]))],
                &[subscribed("email")],
            ]),
        ),
        (
            "Birthday in a week",
            all(&[&[profile(
                "properties['Birthday']",
                &json!({"type": "date", "operator": "anniversary-next", "unit": "day", "quantity": 7}),
            )]]),
        ),
        (
            "New readers of the newsletter",
            all(&[
                &[profile("created", &last(7, "day"))],
                &[profile("properties['Newsletter']", &boolean(true))],
            ]),
        ),
        (
            "Gold, but quiet",
            all(&[&[profile("properties['Tier']", &text("Gold"))], &[never("Placed Order").last(60, "day")]]),
        ),
        (
            "Rich in points",
            all(&[
                &[profile("properties['Points']", &at_least(1000))],
                &[
                    count("Loyalty Points Earned").at_least(2).last(90, "day"),
                    sum("Loyalty Points Earned").at_least(300),
                ],
            ]),
        ),
    ]
}

/// All groups must hold, of each group one condition.
fn all(groups: &[&[Condition]]) -> Value {
    let groups = groups.iter().map(|group| {
        let conditions: Vec<&Value> = group.iter().map(|condition| &condition.0).collect();
        json!({"conditions": conditions})
    });
    json!({"condition_groups": groups.collect::<Vec<_>>()})
}

struct Condition(Value);

/// It happened at least once, ever.
fn count(metric: &str) -> Condition {
    Condition(json!({
        "type": "profile-metric", "metric_id": metric, "measurement": "count",
        "measurement_filter": at_least(1),
        "timeframe_filter": {"type": "date", "operator": "alltime"},
        "metric_filters": null,
    }))
}

fn sum(metric: &str) -> Condition {
    let mut condition = count(metric);
    condition.0["measurement"] = json!("sum");
    condition
}

fn never(metric: &str) -> Condition {
    count(metric).exactly(0)
}

impl Condition {
    fn at_least(mut self, number: u32) -> Self {
        self.0["measurement_filter"] = at_least(number);
        self
    }

    fn exactly(mut self, number: u32) -> Self {
        self.0["measurement_filter"] = json!({"type": "numeric", "operator": "equals", "value": number});
        self
    }

    fn timeframe(mut self, filter: &Value) -> Self {
        self.0["timeframe_filter"] = filter.clone();
        self
    }

    fn last(self, quantity: u32, unit: &str) -> Self {
        self.timeframe(&last(quantity, unit))
    }

    /// So many days ago, both included.
    fn between(self, start: u32, end: u32) -> Self {
        self.timeframe(
            &json!({"type": "date", "operator": "between", "start": start, "end": end, "unit": "day"}),
        )
    }

    fn where_is(mut self, property: &str, filter: &Value) -> Self {
        self.0["metric_filters"] = json!([{"property": property, "filter": filter}]);
        self
    }
}

fn profile(property: &str, filter: &Value) -> Condition {
    Condition(json!({"type": "profile-property", "property": property, "filter": filter}))
}

fn subscribed(channel: &str) -> Condition {
    Condition(json!({"type": "profile-marketing-consent", "consent": {
        "channel": channel, "can_receive_marketing": true,
        "consent_status": {"subscription": "subscribed", "filters": null},
    }}))
}

fn last(quantity: u32, unit: &str) -> Value {
    json!({"type": "date", "operator": "in-the-last", "unit": unit, "quantity": quantity})
}

fn at_least(number: u32) -> Value {
    json!({"type": "numeric", "operator": "greater-than-or-equal", "value": number})
}

fn text(value: &str) -> Value {
    json!({"type": "string", "operator": "equals", "value": value})
}

fn one_of(values: &[&str]) -> Value {
    json!({"type": "string", "operator": "in", "value": values})
}

fn boolean(value: bool) -> Value {
    json!({"type": "boolean", "operator": "equals", "value": value})
}

fn is_set() -> Value {
    json!({"type": "existence", "operator": "is-set"})
}
