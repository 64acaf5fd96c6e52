//! Cases that were wrong once, or would be easily, each with the instants at which it matters.
//!
//! A sequence that broke the law becomes a case here, once it is shrunk: its definitions and its steps with their
//! instants, and who belongs to what when.

use segments::{Account, CompileError, Definition, Program, Segment};
use serde_json::{Value, json};

use crate::story::{Story, ordered, property, window};

/// Cuba's clocks jump from 00:00 to 01:00 on 10 March 2024: that day begins at 05:00Z, those after it at 04:00Z.
#[test]
fn a_midnight_that_does_not_exist() {
    let segments = [
        ("TODAY", ordered(window("in-the-last", "day", 0))),
        (
            "YESTERDAY",
            ordered(json!({"type": "date", "operator": "between", "unit": "day", "start": 1, "end": 1})),
        ),
    ];
    let mut story = Story::in_zone("America/Havana", "2024-03-09T12:00:00Z", &segments);
    story.late_event("2024-03-10T04:59:59.999Z", "2024-03-10T04:59:59.999Z", "Orders", json!({}));
    story.expect("2024-03-10T04:59:59.999Z", &["TODAY"]);
    story.expect("2024-03-10T05:00:00Z", &["YESTERDAY"]);
    story.expect("2024-03-11T03:59:59.999Z", &["YESTERDAY"]);
    story.expect("2024-03-11T04:00:00Z", &[]);
    story.late_event("2024-03-11T04:00:00Z", "2024-03-10T05:00:00Z", "Orders", json!({}));
    story.expect("2024-03-11T04:00:00Z", &["YESTERDAY"]);
    story.expect("2024-03-12T04:00:00Z", &[]);
}

/// And from 01:00 back to 00:00 on 3 November: the day has 25 hours, and begins with its first midnight.
#[test]
fn a_midnight_that_comes_twice() {
    let segments = [("TODAY", ordered(window("in-the-last", "day", 0)))];
    let mut story = Story::in_zone("America/Havana", "2024-11-01T12:00:00Z", &segments);
    story.event("2024-11-03T03:59:59.999Z", "Orders");
    story.expect("2024-11-03T03:59:59.999Z", &["TODAY"]);
    story.expect("2024-11-03T04:00:00Z", &[]);
    story.event("2024-11-03T04:00:00Z", "Orders");
    story.expect("2024-11-03T05:00:00Z", &["TODAY"]);
    story.expect("2024-11-04T04:59:59.999Z", &["TODAY"]);
    story.expect("2024-11-04T05:00:00Z", &[]);
}

#[test]
fn who_was_born_on_29_february_has_a_birthday_in_leap_years() {
    let segments = [
        ("DAY", property("Birthday", json!({"type": "date", "operator": "anniversary"}))),
        ("MONTH", property("Birthday", json!({"type": "date", "operator": "anniversary-month"}))),
        ("SOON", property("Birthday", window("anniversary-next", "day", 3))),
    ];
    let mut story = Story::in_zone("UTC", "2023-01-01T00:00:00Z", &segments);
    story.set("2023-01-01T00:00:00Z", "Birthday", json!("2000-02-29"));
    story.expect("2023-02-28T12:00:00Z", &["MONTH"]);
    story.expect("2023-03-01T00:00:00Z", &[]);
    story.expect("2024-02-25T23:59:59.999Z", &["MONTH"]);
    story.expect("2024-02-26T00:00:00Z", &["MONTH", "SOON"]);
    story.expect("2024-02-29T00:00:00Z", &["DAY", "MONTH", "SOON"]);
    story.expect("2024-02-29T00:00:00.001Z", &["DAY", "MONTH"]);
    story.expect("2024-03-01T00:00:00Z", &[]);
    // 2100 is no leap year: eight years without.
    story.expect("2096-02-29T12:00:00Z", &["DAY", "MONTH"]);
    story.expect("2100-02-28T12:00:00Z", &["MONTH"]);
    story.expect("2100-03-01T00:00:00Z", &[]);
    story.expect("2104-02-29T00:00:00Z", &["DAY", "MONTH", "SOON"]);
}

/// A month before 31 March is the last of February, and so it is two days later.
#[test]
fn windows_of_months_at_the_ends_of_months() {
    let segments = [
        ("LAST", ordered(window("in-the-last", "month", 1))),
        ("OLDER", ordered(window("at-least", "month", 1))),
    ];
    for (occurred, leaves) in [
        ("2024-02-28T23:59:59.999Z", "2024-03-29T00:00:00Z"),
        ("2024-02-29T00:00:00Z", "2024-04-01T00:00:00Z"),
        ("2024-01-31T12:00:00Z", "2024-03-01T00:00:00Z"),
        ("2024-01-29T12:00:00Z", "2024-03-01T00:00:00Z"),
        ("2024-01-28T12:00:00Z", "2024-02-29T00:00:00Z"),
        ("2023-12-31T12:00:00Z", "2024-02-01T00:00:00Z"),
    ] {
        let mut story = Story::in_zone("UTC", "2023-12-01T00:00:00Z", &segments);
        story.event(occurred, "Orders");
        let before = canonical::Instant::from_millis(crate::story::millis(leaves) - 1).unwrap().to_string();
        story.expect(&before, &["LAST"]);
        story.expect(leaves, &["OLDER"]);
    }
    // Ahead: a month after 29 February is 29 March, and a month after 1 March is 1 April.
    let next = [("NEXT", property("Renewal", window("in-the-next", "month", 1)))];
    for (date, enters) in [
        ("2024-03-29", "2024-02-29T00:00:00Z"),
        ("2024-03-31", "2024-03-01T00:00:00Z"),
        ("2024-02-29", "2024-01-29T00:00:00Z"),
    ] {
        let mut story = Story::in_zone("UTC", "2024-01-01T00:00:00Z", &next);
        story.set("2024-01-01T00:00:00Z", "Renewal", json!(date));
        let before = canonical::Instant::from_millis(crate::story::millis(enters) - 1).unwrap().to_string();
        story.expect(&before, &[]);
        story.expect(enters, &["NEXT"]);
        story.expect(&format!("{date}T00:00:00Z"), &["NEXT"]);
        story.expect(&format!("{date}T00:00:00.001Z"), &[]);
    }
}

#[test]
fn an_event_a_millisecond_beside_the_edge_of_its_window() {
    let segments = [
        ("DAYS", ordered(window("in-the-last", "day", 3))),
        ("HOURS", ordered(window("in-the-last", "hour", 2))),
        ("OLD", ordered(window("at-least", "day", 3))),
    ];
    let now = "2023-06-17T15:00:00Z";
    for (occurred, members) in [
        ("2023-06-13T23:59:59.999Z", &["OLD"][..]),
        ("2023-06-14T00:00:00Z", &["DAYS"]),
        ("2023-06-14T00:00:00.001Z", &["DAYS"]),
        ("2023-06-17T12:59:59.999Z", &["DAYS"]),
        ("2023-06-17T13:00:00Z", &["DAYS", "HOURS"]),
        ("2023-06-17T15:00:00Z", &["DAYS", "HOURS"]),
        ("2023-06-17T15:00:00.001Z", &[]),
    ] {
        let mut story = Story::in_zone("UTC", "2023-06-17T12:00:00Z", &segments);
        story.late_event(now, occurred, "Orders", json!({}));
        story.expect(now, members);
    }
    let mut story = Story::in_zone("UTC", "2023-06-17T12:00:00Z", &segments);
    story.late_event(now, "2023-06-17T15:00:00.001Z", "Orders", json!({}));
    story.expect("2023-06-17T15:00:00.001Z", &["DAYS", "HOURS"]);
    story.expect("2023-06-17T17:00:00.001Z", &["DAYS", "HOURS"]);
    story.expect("2023-06-17T17:00:00.002Z", &["DAYS"]);
    story.expect("2023-06-20T23:59:59.999Z", &["DAYS"]);
    story.expect("2023-06-21T00:00:00Z", &["OLD"]);
}

fn group(is_member: bool, ids: &[&str]) -> Value {
    json!({"type": "profile-group-membership", "is_member": is_member, "group_ids": ids})
}

/// Nobody is in a segment that is no more.
#[test]
fn a_segment_that_others_ask_about_is_deleted() {
    let segments = [
        ("BUYERS", ordered(window("in-the-last", "day", 3))),
        ("INSIDE", group(true, &["BUYERS"])),
        ("NESTED", group(true, &["INSIDE"])),
        ("OUTSIDE", group(false, &["BUYERS", "NEWS"])),
    ];
    let mut story = Story::in_zone("UTC", "2024-05-01T12:00:00Z", &segments);
    story.expect("2024-05-01T12:00:00Z", &["OUTSIDE"]);
    story.event("2024-05-01T12:00:00Z", "Orders");
    story.expect("2024-05-04T23:59:59.999Z", &["BUYERS", "INSIDE", "NESTED"]);
    story.define("2024-05-04T23:59:59.999Z", "BUYERS", None);
    story.expect("2024-05-04T23:59:59.999Z", &["OUTSIDE"]);
    story.define("2024-05-04T23:59:59.999Z", "BUYERS", Some(ordered(window("in-the-last", "day", 4))));
    story.expect("2024-05-05T23:59:59.999Z", &["BUYERS", "INSIDE", "NESTED"]);
    story.expect("2024-05-06T00:00:00Z", &["OUTSIDE"]);
    story.profile("2024-05-06T00:00:00Z", |profile| {
        profile.lists.insert("NEWS".to_owned(), "2024-05-06T00:00:00Z".parse().unwrap());
    });
    story.expect("2024-05-06T00:00:00Z", &[]);
}

fn funnel(steps: &[(bool, &str)]) -> Value {
    let step = |(exists, metric): &(bool, &str)| json!({"metric_exists": exists, "metric_id": metric});
    json!({
        "type": "profile-metric-funnel", "timeframe_filter": window("in-the-last", "day", 30),
        "completion_window_seconds": "DAYS_1", "steps": steps.iter().map(step).collect::<Vec<_>>(),
    })
}

/// Of one instant, events come in the order of the steps, whichever was told first; one event is one step.
#[test]
fn a_funnel_with_two_events_of_one_instant() {
    let segments = [
        ("BUYVIEW", funnel(&[(true, "Orders"), (true, "Views")])),
        ("VIEWBUY", funnel(&[(true, "Views"), (true, "Orders")])),
        ("VIEWNOBUY", funnel(&[(true, "Views"), (false, "Orders")])),
        ("VIEWTWICE", funnel(&[(true, "Views"), (true, "Views")])),
    ];
    let at = "2024-05-01T12:00:00Z";
    for (first, second) in [("Orders", "Views"), ("Views", "Orders")] {
        let mut story = Story::in_zone("UTC", at, &segments);
        story.event(at, first);
        story.event(at, second);
        // What must not come after a step came with it, not after it.
        story.expect(at, &["BUYVIEW", "VIEWBUY", "VIEWNOBUY"]);
        story.late_event("2024-05-01T13:00:00Z", at, "Views", json!({}));
        story.expect("2024-05-01T13:00:00Z", &["BUYVIEW", "VIEWBUY", "VIEWNOBUY", "VIEWTWICE"]);
    }
}

#[test]
fn a_date_of_the_profile_is_moved_into_the_past() {
    let segments = [
        ("AHEAD", property("Renewal", window("in-the-next", "day", 3))),
        ("PAST", property("Renewal", window("in-the-last", "day", 3))),
    ];
    let mut story = Story::in_zone("Europe/Paris", "2024-05-01T12:00:00Z", &segments);
    story.set("2024-05-01T12:00:00Z", "Renewal", json!("2024-05-10"));
    story.expect("2024-05-06T21:59:59.999Z", &[]);
    story.expect("2024-05-06T22:00:00Z", &["AHEAD"]);
    story.set("2024-05-07T12:00:00Z", "Renewal", json!("2024-05-05"));
    story.expect("2024-05-07T12:00:00Z", &["PAST"]);
    story.expect("2024-05-08T21:59:59.999Z", &["PAST"]);
    // What was due for the old date is due no longer.
    story.expect("2024-05-08T22:00:00Z", &[]);
    story.expect("2024-05-10T12:00:00Z", &[]);
    story.set("2024-05-10T12:00:00Z", "Renewal", json!("not a date"));
    story.expect("2024-05-10T12:00:00Z", &[]);
}

/// By the formula of the method (MBG/NBD), with orders on the days 0 and 10, churn is 0.49985 on day 102 and 0.50218 on
/// day 103.
#[test]
fn a_prediction_flips_at_midnight() {
    let model = serde_json::from_value(json!({
        "version": predictions::VERSION, "fitted_day": 19_000, "customers": 1000,
        "purchases": {"r": 0.243, "alpha": 31.0, "a": 0.793, "b": 2.426},
        "value": {"orders": "1.5", "sum": "4"},
    }))
    .unwrap();
    let zone = jiff::tz::TimeZone::get("America/New_York").unwrap();
    let churn = json!({
        "type": "profile-predictive-analytics", "dimension": "churn_probability",
        "filter": {"type": "numeric", "operator": "greater-than", "value": 0.5},
    });
    let account = Account { zone, model: Some(model) };
    let mut story = Story::begin(account, "2024-01-01T12:00:00Z", &[("CHURNING", churn)]);
    story.event("2024-01-01T12:00:00Z", "Orders");
    // 10 January in New York, and 11 January for UTC.
    story.event("2024-01-12T04:30:00Z", "Orders");
    story.expect("2024-04-13T03:59:59.999Z", &[]);
    story.expect("2024-04-13T04:00:00Z", &["CHURNING"]);
    story.event("2024-04-13T12:00:00Z", "Orders");
    story.expect("2024-04-13T12:00:00Z", &[]);
}

#[test]
fn a_cycle_is_refused() {
    let compile = |segments: &[(&str, Value)]| {
        let segments = segments.iter().map(|(id, condition)| {
            let definition = json!({"condition_groups": [{"conditions": [condition]}]});
            let definition = Definition::parse(&definition).unwrap();
            Segment { id: (*id).to_owned(), version: 1, definition }
        });
        Program::compile(1, segments.collect(), jiff::tz::TimeZone::UTC).map(|_| ())
    };
    let cycle = |ids: &[&str]| Err(CompileError::Cycle(ids.iter().map(|id| (*id).to_owned()).collect()));
    assert_eq!(compile(&[("A", group(true, &["A"]))]), cycle(&["A", "A"]));
    let three = [("A", group(true, &["NEWS", "B"])), ("B", group(false, &["C"])), ("C", group(true, &["A"]))];
    assert_eq!(compile(&three), cycle(&["A", "B", "C", "A"]));
    // Two ways to the same segment are no cycle.
    let diamond = [("A", group(true, &["B", "C"])), ("B", group(true, &["D"])), ("C", group(true, &["D"]))];
    assert_eq!(compile(&diamond), Ok(()));
}
