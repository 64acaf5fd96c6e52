//! What happened: several metrics, properties of events, funnels, and what orders let expect.

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use segments::{Account, Event};
use serde_json::{Map, Value, json};

use super::{holds, holds_for, person};
use crate::story::{millis, window};

const NOW: &str = "2023-06-17T15:00:00Z";

/// An event that owns its parts.
#[derive(Debug)]
struct Happened {
    id: String,
    metric: &'static str,
    at: i64,
    value: Option<Decimal>,
    properties: Map<String, Value>,
}

fn events_of(happened: &[Happened]) -> Vec<Event<'_>> {
    happened
        .iter()
        .map(|one| Event {
            id: &one.id,
            metric_id: one.metric,
            metric: if one.metric == "Views" { "Viewed Product" } else { "Placed Order" },
            occurred_ms: one.at,
            ingested_ms: millis(NOW),
            value: one.value,
            properties: &one.properties,
        })
        .collect()
}

/// Of a metric, at an instant, with a value and properties.
fn happened(events: &[(&'static str, &str, Option<&str>, Value)]) -> Vec<Happened> {
    let one =
        |(place, (metric, at, value, properties)): (usize, &(&'static str, &str, Option<&str>, Value))| {
            Happened {
                id: format!("event-{place}"),
                metric,
                at: millis(at),
                value: value.map(|value| value.parse().unwrap()),
                properties: properties.as_object().cloned().unwrap_or_default(),
            }
        };
    events.iter().enumerate().map(one).collect()
}

/// Of events without properties.
fn plain(events: &[(&'static str, &str)]) -> Vec<Happened> {
    happened(&events.iter().map(|(metric, at)| (*metric, *at, None, json!(null))).collect::<Vec<_>>())
}

fn counted(which: (&str, Value), count: u32, timeframe: Value, filters: Value) -> Value {
    json!({
        "type": "profile-metric", which.0: which.1, "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "equals", "value": count},
        "timeframe_filter": timeframe, "metric_filters": filters,
    })
}

fn alltime() -> Value {
    json!({"type": "date", "operator": "alltime"})
}

#[test]
fn one_metric_several_or_those_with_a_name() {
    let events = plain(&[("Orders", NOW), ("OldShopOrders", NOW), ("Views", NOW)]);
    for (which, count) in [
        (("metric_id", json!("Orders")), 1),
        (("metric_ids", json!(["Orders"])), 1),
        (("metric_ids", json!(["OldShopOrders", "Orders", "Orders"])), 2),
        (("metric_ids", json!(["Orders", "Views"])), 2),
        (("metric_name", json!("Placed Order")), 2),
        (("metric_name", json!("placed order")), 0),
        (("metric_name", json!("Orders")), 0),
    ] {
        let condition = counted(which, count, alltime(), json!(null));
        assert!(holds(&condition, "UTC", &person(), &events_of(&events), NOW), "{condition}");
    }
}

#[test]
fn properties_of_events_are_found_in_lists_and_objects() {
    let properties = json!({
        "Items": [
            {"SKU": "A-1", "Price": 5, "Tags": ["new", "red"], "Gift": {"Wrap": "blue"}},
            {"SKU": "B-2", "Price": 20, "Tags": [], "Note": null},
        ],
        "Address": {"City": "Lyon", "Zip": null},
        "a.b": "dotted", "a": {"b": "nested"}, "Empty": [], "Codes": ["X", "Y"],
    });
    let events = happened(&[("Orders", NOW, Some("12.50"), properties)]);
    let text = |operator: &str, value: &str| json!({"type": "string", "operator": operator, "value": value});
    let number =
        |operator: &str, value: i64| json!({"type": "numeric", "operator": operator, "value": value});
    let existence = |operator: &str| json!({"type": "existence", "operator": operator});
    for (property, filter, expected) in [
        ("Address.City", text("equals", "Lyon"), true),
        ("Address.City", text("equals", "Paris"), false),
        ("Address.Zip", existence("not-set"), true),
        ("Address.Street", existence("not-set"), true),
        ("Address.City.Name", existence("is-set"), false),
        // One of several is enough, also for what denies.
        ("Items[].SKU", text("equals", "B-2"), true),
        ("Items[].SKU", text("not-equals", "B-2"), true),
        ("Items[].SKU", text("equals", "C-3"), false),
        ("Items[].Price", number("greater-than", 10), true),
        ("Items[].Price", number("greater-than", 20), false),
        ("Items[].Gift.Wrap", text("equals", "blue"), true),
        ("Items[].Tags", json!({"type": "list", "operator": "length-equals", "value": 0}), true),
        ("Items[].Tags[]", text("equals", "red"), true),
        // None at all is an unset value.
        ("Items[].Note", existence("not-set"), true),
        ("Empty[].SKU", existence("not-set"), true),
        ("Empty[].SKU", text("not-equals", "A"), false),
        // Without brackets a list is not gone into, and with them nothing else is.
        ("Items.SKU", existence("is-set"), false),
        ("Address[].City", existence("is-set"), false),
        ("Codes[]", text("equals", "Y"), true),
        // The name as a whole comes first.
        ("a.b", text("equals", "dotted"), true),
        ("$value", json!({"type": "numeric", "operator": "equals", "value": 12.5}), true),
    ] {
        let filters = json!([{"property": property, "filter": filter}]);
        let condition = counted(("metric_id", json!("Orders")), u32::from(expected), alltime(), filters);
        assert!(holds(&condition, "UTC", &person(), &events_of(&events), NOW), "{condition}");
    }
}

#[test]
fn dates_of_events_are_filters_or_clocks() {
    let trip = |at: Value| json!({"Trip": {"Begins": at}});
    // Booked long ago.
    let events = happened(&[
        ("Bookings", "2022-01-01T00:00:00Z", None, trip(json!("2023-06-20"))),
        ("Bookings", "2022-01-01T00:00:00Z", None, trip(json!("2023-06-14T00:00:00Z"))),
        ("Bookings", "2022-01-01T00:00:00Z", None, trip(json!(1_686_960_000))),
        ("Bookings", "2022-01-01T00:00:00Z", None, trip(json!("soon"))),
        ("Bookings", "2022-01-01T00:00:00Z", None, json!({})),
    ]);
    let on = |operator: &str, date: &str| json!({"type": "date", "operator": operator, "date": date});
    for (filter, count) in [
        // What does not move is a filter like any other. 1686960000 is 2023-06-17T00:00Z.
        (on("before", "2023-06-17"), 1),
        (on("after", "2023-06-17"), 1),
        (json!({"type": "date", "operator": "calendar-month", "value": 6}), 3),
        // What moves takes the place of the time at which the event occurred.
        (window("in-the-next", "day", 3), 1),
        (window("in-the-next", "day", 2), 0),
        (window("in-the-last", "day", 3), 2),
        (window("at-least", "day", 1), 1),
        (window("anniversary-next", "day", 3), 0),
    ] {
        let filters = json!([{"property": "Trip.Begins", "filter": filter}]);
        let condition = counted(("metric_id", json!("Bookings")), count, alltime(), filters);
        assert!(holds(&condition, "UTC", &person(), &events_of(&events), NOW), "{condition}");
    }
}

fn funnel(timeframe: &Value, within: Option<&str>, steps: &[(bool, &str)]) -> Value {
    let step = |(exists, metric): &(bool, &str)| json!({"metric_exists": exists, "metric_id": metric});
    json!({
        "type": "profile-metric-funnel", "timeframe_filter": timeframe, "completion_window_seconds": within,
        "steps": steps.iter().map(step).collect::<Vec<_>>(),
    })
}

#[test]
fn funnels_are_gone_in_order_and_in_time() {
    let view_order: &[(bool, &str)] = &[(true, "Views"), (true, "Orders")];
    let abandoned: &[(bool, &str)] = &[(true, "Views"), (false, "Orders")];
    let detour: &[(bool, &str)] = &[(true, "Views"), (false, "Carts"), (true, "Orders")];
    let nine = "2023-06-17T09:00:00Z";
    for (within, steps, events, expected) in [
        (None, view_order, vec![("Views", nine), ("Orders", "2023-06-17T10:00:00Z")], true),
        (None, view_order, vec![("Orders", nine), ("Views", "2023-06-17T10:00:00Z")], false),
        (None, view_order, vec![("Views", nine)], false),
        // Within the window, counted from the first step, both ends included.
        (Some("HOURS_1"), view_order, vec![("Views", nine), ("Orders", "2023-06-17T10:00:00Z")], true),
        (Some("HOURS_1"), view_order, vec![("Views", nine), ("Orders", "2023-06-17T10:00:00.001Z")], false),
        (Some("DAYS_1"), view_order, vec![("Views", "2023-06-16T09:00:00Z"), ("Orders", nine)], true),
        (Some("DAYS_1"), view_order, vec![("Views", "2023-06-16T08:59:59.999Z"), ("Orders", nine)], false),
        // Any first step will do.
        (
            Some("HOURS_1"),
            view_order,
            vec![("Views", "2023-06-16T09:00:00Z"), ("Views", nine), ("Orders", "2023-06-17T09:30:00Z")],
            true,
        ),
        // The first step lies in the timeframe, the last two days; the others need not.
        (None, view_order, vec![("Views", "2023-06-15T00:00:00Z"), ("Orders", nine)], true),
        (None, view_order, vec![("Views", "2023-06-14T23:59:59.999Z"), ("Orders", nine)], false),
        // What must not happen, after the step before: until the window is over, or for ever.
        (None, abandoned, vec![("Views", nine)], true),
        (None, abandoned, vec![("Views", nine), ("Orders", "2023-06-17T12:00:00Z")], false),
        (None, abandoned, vec![("Orders", "2023-06-17T08:00:00Z"), ("Views", nine)], true),
        (Some("HOURS_1"), abandoned, vec![("Views", nine), ("Orders", "2023-06-17T10:00:00Z")], false),
        (Some("HOURS_1"), abandoned, vec![("Views", nine), ("Orders", "2023-06-17T10:00:00.001Z")], true),
        // The window need not be over: nothing was ordered so far.
        (Some("HOURS_1"), abandoned, vec![("Views", "2023-06-17T14:59:00Z")], true),
        // What must not happen on the way.
        (None, detour, vec![("Views", nine), ("Orders", "2023-06-17T10:00:00Z")], true),
        (
            None,
            detour,
            vec![("Views", nine), ("Carts", "2023-06-17T09:30:00Z"), ("Orders", "2023-06-17T10:00:00Z")],
            false,
        ),
        (
            None,
            detour,
            vec![("Views", nine), ("Orders", "2023-06-17T10:00:00Z"), ("Carts", "2023-06-17T10:30:00Z")],
            true,
        ),
        // Around a detour there may be another way.
        (
            None,
            detour,
            vec![
                ("Views", nine),
                ("Carts", "2023-06-17T09:30:00Z"),
                ("Views", "2023-06-17T09:40:00Z"),
                ("Orders", "2023-06-17T10:00:00Z"),
            ],
            true,
        ),
        // One event is one step.
        (None, &[(true, "Views"), (true, "Views")], vec![("Views", nine)], false),
        (None, &[(true, "Views"), (true, "Views")], vec![("Views", nine), ("Views", nine)], true),
        // What is yet to come has not happened.
        (None, view_order, vec![("Views", nine), ("Orders", "2023-06-17T15:00:00.001Z")], false),
    ] {
        let condition = funnel(&window("in-the-last", "day", 2), within, steps);
        let events = plain(&events);
        let found = holds(&condition, "UTC", &person(), &events_of(&events), NOW);
        assert_eq!(found, expected, "{condition} {events:?}");
    }
}

#[test]
fn steps_of_a_funnel_have_filters() {
    let condition = json!({
        "type": "profile-metric-funnel", "timeframe_filter": alltime(),
        "steps": [
            {"metric_exists": true, "metric_ids": ["Views", "Carts"]},
            {"metric_exists": true, "metric_name": "Placed Order", "metric_filters": [
                {"property": "Items[].SKU", "filter": {"type": "string", "operator": "equals", "value": "A-1"}},
            ]},
        ],
    });
    for (sku, expected) in [("A-1", true), ("B-2", false)] {
        let events = happened(&[
            ("Views", "2023-06-01T00:00:00Z", None, json!({})),
            ("Orders", "2023-06-02T00:00:00Z", None, json!({"Items": [{"SKU": sku}]})),
        ]);
        assert_eq!(holds(&condition, "UTC", &person(), &events_of(&events), NOW), expected, "{sku}");
    }
}

#[test]
fn what_orders_say_of_what_was_and_what_will_be() {
    let events = happened(&[
        ("Orders", "2023-05-01T10:00:00Z", Some("10"), json!({})),
        ("OldShopOrders", "2023-05-11T23:00:00Z", Some("20.5"), json!({})),
        ("Orders", "2023-05-21T10:00:00Z", None, json!({})),
        ("Views", "2023-06-01T10:00:00Z", Some("99"), json!({})),
        ("Orders", "2023-07-01T10:00:00Z", Some("99"), json!({})),
    ]);
    let model = serde_json::from_value(json!({
        "version": predictions::VERSION, "fitted_day": 19_000, "customers": 1000,
        "purchases": {"r": 0.243, "alpha": 31.0, "a": 0.793, "b": 2.426},
        "value": {"orders": "1.5", "sum": "4"},
    }))
    .unwrap();
    let known = Account { zone: TimeZone::UTC, model: Some(model) };
    let unknown = Account { zone: TimeZone::UTC, model: None };
    let condition = |dimension: &str, operator: &str, value: Value| {
        json!({
            "type": "profile-predictive-analytics", "dimension": dimension,
            "filter": {"type": "numeric", "operator": operator, "value": value},
        })
    };
    // What was needs no model: the orders of all metrics with the name.
    for (dimension, value) in [
        ("historic_number_of_orders", json!(3)),
        ("historic_clv", json!(30.5)),
        ("average_order_value", json!(10.1667)),
        ("average_days_between_orders", json!(10)),
    ] {
        for account in [&known, &unknown] {
            let condition = condition(dimension, "equals", value.clone());
            assert!(
                holds_for(account.clone(), &condition, &person(), &events_of(&events), NOW),
                "{condition}"
            );
            assert!(!holds_for(account.clone(), &condition, &person(), &[], NOW), "{condition}");
        }
    }
    // Without an order, or with too few, there is no number, and so none that compares.
    let one = happened(&[("Orders", "2023-05-01T10:00:00Z", Some("10"), json!({}))]);
    for operator in ["less-than", "greater-than-or-equal", "not-equals"] {
        let between = condition("average_days_between_orders", operator, json!(10));
        assert!(!holds(&between, "UTC", &person(), &events_of(&one), NOW), "{between}");
        for dimension in ["churn_probability", "predicted_number_of_orders", "predicted_clv", "total_clv"] {
            let condition = condition(dimension, operator, json!(0.001));
            assert!(
                !holds_for(unknown.clone(), &condition, &person(), &events_of(&events), NOW),
                "{condition}"
            );
            assert!(!holds_for(known.clone(), &condition, &person(), &[], NOW), "{condition}");
        }
    }
    let some = condition("predicted_number_of_orders", "greater-than", json!(0.1));
    assert!(holds_for(known.clone(), &some, &person(), &events_of(&events), NOW));
    // Half of those who order again do so within (31 + 20) * (2^(1 / 2.243) - 1) days, 18.5, from 21 May.
    let expected = |filter: Value| {
        json!({
            "type": "profile-predictive-analytics", "dimension": "expected_date_of_next_purchase", "filter": filter,
        })
    };
    for (from, to, holds) in [("2023-06-08", "2023-06-09", true), ("2023-06-10", "2023-12-31", false)] {
        let range = json!({"type": "date", "operator": "between-static", "start": from, "end": to});
        let condition = expected(range);
        assert_eq!(
            holds_for(known.clone(), &condition, &person(), &events_of(&events), NOW),
            holds,
            "{condition}"
        );
        assert!(!holds_for(unknown.clone(), &condition, &person(), &events_of(&events), NOW), "{condition}");
    }
}
