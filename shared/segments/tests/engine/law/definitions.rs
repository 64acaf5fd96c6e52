//! Definitions of all kinds, with numbers and dates at which something happens.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

pub(super) fn comparison() -> impl Strategy<Value = &'static str> {
    select(vec![
        "equals",
        "not-equals",
        "greater-than",
        "greater-than-or-equal",
        "less-than",
        "less-than-or-equal",
    ])
}

fn static_date() -> impl Strategy<Value = String> {
    select(vec![
        "2024-02-28",
        "2024-02-29T00:00:00Z",
        "2024-03-10",
        "2024-03-31T00:00:00",
        "2023-10-29",
        "2024-03-01T12:30:00Z",
        "2024-03-10T02:30:00",
        "2024-11-03",
        "2024-03-30T23:00:00Z",
        "2023-03-01",
    ])
    .prop_map(ToOwned::to_owned)
}

fn amount_of_time() -> impl Strategy<Value = (&'static str, i64)> {
    prop_oneof![
        4 => (Just("day"), 0..5_i64),
        2 => (Just("hour"), 0..50_i64),
        1 => (Just("week"), 0..3_i64),
        1 => (Just("day"), 360..366_i64),
        1 => (Just("month"), 0..4_i64),
    ]
}

/// The date filters that both events and profiles have.
pub(super) fn date_filter() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => (select(vec!["before", "after"]), static_date())
            .prop_map(|(operator, date)| json!({"type": "date", "operator": operator, "date": date})),
        1 => (static_date(), static_date())
            .prop_map(|(start, end)| json!({"type": "date", "operator": "between-static", "start": start, "end": end})),
        10 => (select(vec!["in-the-last", "at-least", "in-the-next"]), amount_of_time()).prop_map(
            |(operator, (unit, quantity))| json!({"type": "date", "operator": operator, "unit": unit, "quantity": quantity})),
        4 => (amount_of_time(), 0..5_i64).prop_map(|((unit, start), more)| {
            json!({"type": "date", "operator": "between", "unit": unit, "start": start, "end": start + more})
        }),
        2 => (select(vec!["anniversary-last", "anniversary-next"]), amount_of_time()).prop_map(
            |(operator, (unit, quantity))| json!({"type": "date", "operator": operator, "unit": unit, "quantity": quantity})),
    ]
}

fn profile_date_filter() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => date_filter(),
        1 => select(vec!["anniversary", "anniversary-month"])
            .prop_map(|operator| json!({"type": "date", "operator": operator})),
        1 => (1..=12).prop_map(|month| json!({"type": "date", "operator": "calendar-month", "value": month})),
    ]
}

fn metric_filters() -> impl Strategy<Value = Value> {
    let some = select(vec![
        json!([]),
        json!([{"property": "Color", "filter": {"type": "string", "operator": "equals", "value": "red"}}]),
        json!([{"property": "Color", "filter": {"type": "string", "operator": "not-equals", "value": "red"}}]),
        json!([{"property": "$value", "filter": {"type": "numeric", "operator": "greater-than", "value": 1.5}}]),
        json!([
            {"property": "Color", "filter": {"type": "existence", "operator": "is-set"}},
            {"property": "$value", "filter": {"type": "existence", "operator": "is-set"}},
        ]),
        json!([{"property": "Items[].Color", "filter": {"type": "string", "operator": "equals", "value": "red"}}]),
        json!([{"property": "Items[].Color", "filter": {"type": "existence", "operator": "not-set"}}]),
        json!([{"property": "Trip.Begins", "filter": {"type": "date", "operator": "after", "date": "2024-02-29"}}]),
    ]);
    prop_oneof![2 => Just(json!(null)), 1 => some]
}

/// One metric, several, or those of all platforms.
fn metric() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        6 => select(vec!["Orders", "Orders", "Views"]).prop_map(|id| ("metric_id", json!(id))),
        1 => Just(("metric_ids", json!(["Views", "Orders"]))),
        1 => select(vec!["Placed Order", "Viewed Product"]).prop_map(|name| ("metric_name", json!(name))),
    ]
}

fn metric_condition() -> impl Strategy<Value = Value> {
    let timeframe = prop_oneof![
        1 => Just(json!({"type": "date", "operator": "alltime"})),
        9 => date_filter(),
    ];
    (
        metric(),
        select(vec!["count", "count", "sum"]),
        comparison(),
        select(vec![json!(0), json!(1), json!(2), json!(3), json!(1.5), json!(-1)]),
        prop_oneof![
            9 => (timeframe, metric_filters()),
            // A date of the event that moves with the present.
            2 => profile_date_filter().prop_map(|filter| {
                (json!({"type": "date", "operator": "alltime"}), json!([{"property": "Trip.Begins", "filter": filter}]))
            }),
        ],
    )
        .prop_map(|((key, metric), measurement, operator, value, (timeframe, filters))| {
            json!({
                "type": "profile-metric", key: metric, "measurement": measurement,
                "measurement_filter": {"type": "numeric", "operator": operator, "value": value},
                "timeframe_filter": timeframe, "metric_filters": filters,
            })
        })
}

fn funnel_condition() -> impl Strategy<Value = Value> {
    let step = (prop::bool::weighted(0.7), metric(), metric_filters()).prop_map(|(exists, (key, metric), filters)| {
        json!({"metric_exists": exists, key: metric, "metric_filters": filters})
    });
    let window =
        select(vec![json!(null), json!("HOURS_1"), json!("DAYS_1"), json!("DAYS_3"), json!("YEARS_1")]);
    (date_filter(), window, prop::collection::vec(step, 1..4)).prop_map(|(timeframe, window, mut steps)| {
        steps[0]["metric_exists"] = json!(true);
        json!({
            "type": "profile-metric-funnel", "timeframe_filter": timeframe,
            "completion_window_seconds": window, "steps": steps,
        })
    })
}

fn prediction_condition() -> impl Strategy<Value = Value> {
    let number = (
        select(vec![
            ("churn_probability", json!(0.3)),
            ("churn_probability", json!(0.9)),
            ("predicted_number_of_orders", json!(0.5)),
            ("predicted_clv", json!(2)),
            ("total_clv", json!(5)),
            ("historic_clv", json!(3)),
            ("historic_number_of_orders", json!(2)),
            ("average_order_value", json!(1.5)),
            ("average_days_between_orders", json!(1)),
        ]),
        comparison(),
    )
        .prop_map(|((dimension, value), operator)| {
            json!({
                "type": "profile-predictive-analytics", "dimension": dimension,
                "filter": {"type": "numeric", "operator": operator, "value": value},
            })
        });
    let date = profile_date_filter().prop_map(|filter| {
        json!({
            "type": "profile-predictive-analytics", "dimension": "expected_date_of_next_purchase", "filter": filter,
        })
    });
    prop_oneof![3 => number, 1 => date]
}

/// Lists, and segments, which may ask about others in turn.
fn group_condition() -> impl Strategy<Value = Value> {
    let groups = select(vec![
        json!(["NEWS"]),
        json!(["NEWS", "SEG000"]),
        json!(["SEG000"]),
        json!(["SEG001"]),
        json!(["SEG000", "SEG002"]),
    ]);
    let joined = prop_oneof![
        (select(vec!["in-the-last", "at-least", "in-the-next"]), amount_of_time()).prop_map(
            |(operator, (unit, quantity))| json!({"type": "date", "operator": operator, "unit": unit, "quantity": quantity})),
        static_date().prop_map(|date| json!({"type": "date", "operator": "before", "date": date})),
    ];
    prop_oneof![
        3 => (groups, any::<bool>()).prop_map(
            |(ids, is_member)| json!({"type": "profile-group-membership", "is_member": is_member, "group_ids": ids})),
        1 => joined.prop_map(|joined| json!({
            "type": "profile-group-membership", "is_member": true, "group_ids": ["NEWS", "VIP"],
            "timeframe_filter": joined,
        })),
    ]
}

fn permission_condition() -> impl Strategy<Value = Value> {
    let channel = select(vec!["whatsapp_marketing", "whatsapp_transactional"]);
    let filter = prop_oneof![
        (select(vec!["effective_date", "recorded_date"]), profile_date_filter())
            .prop_map(|(field, filter)| json!({"field": field, "filter": filter})),
        Just(json!({"field": "subscribe_method", "method": "checkout"})),
    ];
    let filtered =
        (select(vec!["explicitly_reachable", "explicitly_unreachable"]), prop::collection::vec(filter, 0..3))
            .prop_map(|(status, filters)| json!({"reachable_status": status, "filters": filters}));
    let plain = select(vec![
        "implicitly_reachable",
        "implicitly_or_explicitly_reachable",
        "implicitly_unreachable",
        "implicitly_or_explicitly_unreachable",
    ])
    .prop_map(|status| json!({"reachable_status": status}));
    (channel, prop_oneof![3 => filtered, 1 => plain]).prop_map(|(channel, permission)| {
        json!({"type": "profile-permissions", "channel": channel, "permission": permission})
    })
}

fn place_condition() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"type": "profile-region", "in_region": true, "region": "united_states"}),
        json!({"type": "profile-region", "in_region": false, "region": "european_union"}),
        json!({"type": "profile-postal-code-distance", "country_code": "US", "postal_code": "10001",
               "unit": "miles", "filter": {"type": "numeric", "operator": "less-than", "value": 100}}),
        json!({"type": "profile-postal-code-distance", "country_code": "US", "postal_code": "94103",
               "unit": "kilometers", "filter": {"type": "numeric", "operator": "greater-than", "value": 20.5}}),
        json!({"type": "profile-sample", "percentage": 50}),
        json!({"type": "profile-sample", "percentage": 99.99, "seed": "winter"}),
    ])
}

fn property_condition() -> impl Strategy<Value = Value> {
    let plain = select(vec![
        json!({"type": "profile-property", "property": "properties['Tier']",
               "filter": {"type": "string", "operator": "not-equals", "value": "Gold"}}),
        json!({"type": "profile-property", "property": "properties['Tier']",
               "filter": {"type": "existence", "operator": "not-set"}}),
        json!({"type": "profile-property", "property": "properties['Tier']",
               "filter": {"type": "string", "operator": "in", "value": ["Silver", "Gold"]}}),
    ]);
    let dated = (
        select(vec!["properties['Birthday']", "created", "updated", "properties['Tier']"]),
        profile_date_filter(),
    )
        .prop_map(
            |(property, filter)| json!({"type": "profile-property", "property": property, "filter": filter}),
        );
    prop_oneof![1 => plain, 3 => dated]
}

fn consent_condition() -> impl Strategy<Value = Value> {
    let filter = prop_oneof![
        3 => profile_date_filter().prop_map(|filter| json!({"field": "status_date", "filter": filter})),
        2 => profile_date_filter().prop_map(|filter| json!({"field": "bounce_date", "filter": filter})),
        1 => Just(json!({"field": "method", "method": "checkout"})),
        1 => Just(json!({"field": "bounce_date", "filter": {"type": "existence", "operator": "is-set"}})),
        1 => Just(json!({"field": "is_double_opt_in",
                         "filter": {"type": "boolean", "operator": "equals", "value": true}})),
    ];
    (
        select(vec!["email", "sms"]),
        any::<bool>(),
        select(vec!["any", "any", "subscribed", "unsubscribed", "never_subscribed"]),
        prop::collection::vec(filter, 0..3),
    )
        .prop_map(|(channel, can_receive, subscription, filters)| {
            json!({
                "type": "profile-marketing-consent",
                "consent": {
                    "channel": channel, "can_receive_marketing": can_receive,
                    "consent_status": {"subscription": subscription, "filters": filters},
                },
            })
        })
}

/// What the segments of one law test ask about: the narrower, the more often its edges are met.
#[derive(Clone, Copy, Debug)]
pub(super) enum Family {
    Windows,
    Profiles,
    Groups,
    Funnels,
    Predictions,
    All,
}

impl Family {
    fn condition(self) -> BoxedStrategy<Value> {
        match self {
            Self::Windows => metric_condition().boxed(),
            Self::Profiles => prop_oneof![
                6 => property_condition(),
                4 => consent_condition(),
                2 => permission_condition(),
                1 => place_condition(),
            ]
            .boxed(),
            Self::Groups => prop_oneof![
                5 => group_condition(),
                2 => metric_condition(),
                2 => property_condition(),
            ]
            .boxed(),
            Self::Funnels => prop_oneof![5 => funnel_condition(), 1 => metric_condition()].boxed(),
            Self::Predictions => prop_oneof![5 => prediction_condition(), 1 => metric_condition()].boxed(),
            Self::All => prop_oneof![
                12 => metric_condition(),
                6 => property_condition(),
                3 => consent_condition(),
                4 => group_condition(),
                3 => funnel_condition(),
                3 => prediction_condition(),
                1 => permission_condition(),
                1 => place_condition(),
            ]
            .boxed(),
        }
    }

    pub(super) fn definition(self) -> BoxedStrategy<Value> {
        // Mostly one condition, so that what changes it changes a membership.
        // But what is asked of a segment matters most beside something else.
        let one = if matches!(self, Self::Groups) { 1 } else { 4 };
        let few = move || prop_oneof![one => Just(1_usize), 1 => Just(2)];
        let condition = self.condition();
        let group = few().prop_flat_map(move |count| prop::collection::vec(condition.clone(), count));
        let group = group.prop_map(|conditions| json!({"conditions": conditions})).boxed();
        few()
            .prop_flat_map(move |count| prop::collection::vec(group.clone(), count))
            .prop_map(|groups| json!({"condition_groups": groups}))
            .boxed()
    }
}

/// A segment asks only about those before it.
pub(super) fn acyclic(place: usize, mut definition: Value) -> Value {
    for group in definition["condition_groups"].as_array_mut().unwrap() {
        for condition in group["conditions"].as_array_mut().unwrap() {
            for id in condition.get_mut("group_ids").and_then(Value::as_array_mut).into_iter().flatten() {
                let asked = id.as_str().and_then(|id| id.strip_prefix("SEG")?.parse::<usize>().ok());
                if asked.is_some_and(|asked| asked >= place) {
                    *id = json!("NEWS");
                }
            }
        }
    }
    definition
}
