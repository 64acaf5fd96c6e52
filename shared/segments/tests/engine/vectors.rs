//! Klaviyo's own examples of dates, with 2023-06-17 as today
//! (<https://help.klaviyo.com/hc/en-us/articles/4403222359451>), and edges of our own.

use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::{Consent, Suppression};
use canonical::{Instant, Profile};
use jiff::tz::TimeZone;
use segments::{Account, Cause, Definition, Event, Program, Segment, State, naive};
use serde_json::{Map, Value, json};

use crate::story::{millis, window};

mod events;
mod profiles;

fn instant(text: &str) -> Instant {
    text.parse().unwrap()
}

fn person() -> Profile {
    let mut profile = Profile::new("01J00000000000000000000000".to_owned(), instant("2023-01-01T00:00:00Z"));
    profile.email = Some("ada@example.com".to_owned());
    profile
}

/// Whether the profile belongs to a segment of this one condition; asked of both evaluators.
fn holds(condition: &Value, zone: &str, profile: &Profile, events: &[Event<'_>], now: &str) -> bool {
    holds_for(TimeZone::get(zone).unwrap().into(), condition, profile, events, now)
}

fn holds_for(
    account: Account,
    condition: &Value,
    profile: &Profile,
    events: &[Event<'_>],
    now: &str,
) -> bool {
    let json = json!({"condition_groups": [{"conditions": [condition]}]});
    let definition = Definition::parse(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let segments = vec![Segment { id: "SEG001".to_owned(), version: 1, definition }];
    let expected = !naive::members(&segments, &account, profile, events, millis(now)).is_empty();
    let program = Program::compile(1, segments, account).unwrap();
    let mut state = State::new();
    program.rebuild(&mut state, profile, Some(events), Cause::Definition, millis(now));
    assert_eq!(state.is_member("SEG001"), expected, "both evaluators: {condition} at {now}");
    expected
}

/// Whether an event and a property of this instant lie in the window of a date filter.
fn dated(filter: &Value, zone: &str, at: &str, now: &str) -> (bool, bool) {
    let mut profile = person();
    profile.attributes.insert("properties".to_owned(), json!({"When": at}));
    let property = json!({"type": "profile-property", "property": "properties['When']", "filter": filter});
    let properties = Map::new();
    let at = if at.len() == 10 { format!("{at}T00:00:00Z") } else { at.to_owned() };
    let event = Event {
        id: "one",
        metric_id: "Orders",
        metric: "Placed Order",
        occurred_ms: millis(&at),
        ingested_ms: millis(now),
        value: None,
        properties: &properties,
    };
    let metric = json!({
        "type": "profile-metric", "metric_id": "Orders", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "equals", "value": 1},
        "timeframe_filter": filter,
    });
    (holds(&property, zone, &profile, &[], now), holds(&metric, zone, &profile, &[event], now))
}

#[test]
fn windows_begin_and_end_where_klaviyo_says() {
    let now = "2023-06-17T15:00:00Z";
    let between = |start, end, unit| json!({"type": "date", "operator": "between", "start": start, "end": end, "unit": unit});
    let on = |operator, date| json!({"type": "date", "operator": operator, "date": date});
    let range = json!({"type": "date", "operator": "between-static", "start": "2023-06-10", "end": "2023-06-15T00:00:00Z"});
    for (filter, inside, outside) in [
        (
            window("in-the-last", "day", 3),
            vec!["2023-06-14", "2023-06-14T00:00:00Z", "2023-06-17T15:00:00Z"],
            vec!["2023-06-13T23:59:59.999Z", "2023-06-17T15:00:00.001Z"],
        ),
        (window("at-least", "day", 3), vec!["2023-06-13T23:59:59.999Z", "2001-01-01"], vec!["2023-06-14"]),
        (
            between(3, 5, "day"),
            vec!["2023-06-12", "2023-06-14T23:59:59.999Z"],
            vec!["2023-06-11T23:59:59.999Z", "2023-06-15"],
        ),
        // The same window, written the other way round.
        (between(5, 3, "day"), vec!["2023-06-12", "2023-06-14"], vec!["2023-06-15"]),
        (
            window("in-the-next", "day", 3),
            vec!["2023-06-17T15:00:00Z", "2023-06-18", "2023-06-20T23:59:59.999Z"],
            vec!["2023-06-17", "2023-06-17T14:59:59.999Z", "2023-06-21"],
        ),
        (on("before", "2023-06-10"), vec!["2023-06-09T23:59:59.999Z"], vec!["2023-06-10", "2023-06-11"]),
        (on("after", "2023-06-10"), vec!["2023-06-11"], vec!["2023-06-10", "2023-06-10T23:59:59.999Z"]),
        (
            range,
            vec!["2023-06-10", "2023-06-15T23:59:59.999Z"],
            vec!["2023-06-09T23:59:59.999Z", "2023-06-16"],
        ),
        // Months are those of the calendar.
        (
            window("in-the-last", "month", 1),
            vec!["2023-05-17", "2023-06-17T15:00:00Z"],
            vec!["2023-05-16T23:59:59.999Z"],
        ),
        (window("at-least", "month", 4), vec!["2023-02-16T23:59:59.999Z"], vec!["2023-02-17"]),
        (
            between(1, 2, "month"),
            vec!["2023-04-17", "2023-05-17T23:59:59.999Z"],
            vec!["2023-04-16T23:59:59.999Z", "2023-05-18"],
        ),
        (
            window("in-the-next", "month", 1),
            vec!["2023-06-17T15:00:00Z", "2023-07-17T23:59:59.999Z"],
            vec!["2023-06-17T14:59:59.999Z", "2023-07-18"],
        ),
        (window("in-the-last", "week", 1), vec!["2023-06-10"], vec!["2023-06-09T23:59:59.999Z"]),
        // Hours roll.
        (
            window("in-the-last", "hour", 2),
            vec!["2023-06-17T13:00:00Z", "2023-06-17T15:00:00Z"],
            vec!["2023-06-17T12:59:59.999Z"],
        ),
        (window("at-least", "hour", 2), vec!["2023-06-17T12:59:59.999Z"], vec!["2023-06-17T13:00:00Z"]),
        (window("in-the-next", "hour", 2), vec!["2023-06-17T17:00:00Z"], vec!["2023-06-17T17:00:00.001Z"]),
        (
            between(1, 2, "hour"),
            vec!["2023-06-17T13:00:00Z", "2023-06-17T14:00:00Z"],
            vec!["2023-06-17T12:59:59.999Z", "2023-06-17T14:00:00.001Z"],
        ),
        // A date with a time is an instant.
        (
            on("after", "2023-06-10T12:00:00+02:00"),
            vec!["2023-06-10T10:00:00.001Z"],
            vec!["2023-06-10T10:00:00Z", "2023-06-10"],
        ),
        (on("before", "2023-06-10T12:00"), vec!["2023-06-10T11:59:59.999Z"], vec!["2023-06-10T12:00:00Z"]),
        // Anniversaries: any year, with the time of day.
        (
            window("anniversary-next", "day", 3),
            vec!["1990-06-17T15:00:00Z", "2001-06-20T23:59:59.999Z"],
            vec!["1990-06-17T14:59:59.999Z", "2001-06-21"],
        ),
        (
            window("anniversary-last", "day", 3),
            vec!["1990-06-14", "2022-06-17T15:00:00Z", "2023-06-15"],
            vec!["1990-06-13T23:59:59.999Z", "1990-06-17T15:00:00.001Z"],
        ),
    ] {
        for (instants, expected) in [(inside, true), (outside, false)] {
            for at in instants {
                let (property, _) = dated(&filter, "UTC", at, now);
                assert_eq!(property, expected, "{filter} on {at}");
                // An event after the present has not happened yet, whatever the window.
                let has_happened = at <= now || filter["operator"] == "in-the-next";
                let (_, metric) = dated(&filter, "UTC", at, now);
                assert_eq!(metric, expected && has_happened, "event: {filter} on {at}");
            }
        }
    }
}

#[test]
fn profiles_have_dates_that_come_again() {
    let holds_at = |filter: Value, at: &str, now: &str| {
        let mut profile = person();
        profile.attributes.insert("properties".to_owned(), json!({"When": at}));
        let condition =
            json!({"type": "profile-property", "property": "properties['When']", "filter": filter});
        holds(&condition, "UTC", &profile, &[], now)
    };
    let today = json!({"type": "date", "operator": "anniversary"});
    let month = json!({"type": "date", "operator": "anniversary-month"});
    let june = json!({"type": "date", "operator": "calendar-month", "value": 6});
    for (filter, at, now, expected) in [
        (&today, "1990-06-17", "2023-06-17T00:00:00Z", true),
        (&today, "1990-06-17T23:59:00Z", "2023-06-17T23:59:59.999Z", true),
        (&today, "1990-06-17", "2023-06-18T00:00:00Z", false),
        (&today, "2000-02-29", "2023-02-28T12:00:00Z", false),
        (&today, "2000-02-29", "2023-03-01T12:00:00Z", false),
        (&today, "2000-02-29", "2024-02-29T12:00:00Z", true),
        (&month, "1990-06-30", "2023-06-01T00:00:00Z", true),
        (&month, "1990-06-30", "2023-07-01T00:00:00Z", false),
        (&june, "06/30/90", "2023-12-01T00:00:00Z", true),
        (&june, "1990-07-01", "2023-06-01T00:00:00Z", false),
        (&window("anniversary-next", "day", 3), "2000-02-29", "2023-02-27T00:00:00Z", false),
        (&window("anniversary-next", "day", 3), "2000-02-29", "2024-02-27T00:00:00Z", true),
        (&window("anniversary-last", "day", 3), "1999-12-31", "2023-01-02T00:00:00Z", true),
        (&window("anniversary-next", "day", 3), "1999-01-02", "2023-12-31T00:00:00Z", true),
    ] {
        assert_eq!(holds_at(filter.clone(), at, now), expected, "{filter} on {at} at {now}");
    }
}

#[test]
fn days_are_those_of_the_accounts_zone() {
    let filter = window("in-the-last", "day", 1);
    // In Paris it is 18 June from 22:00Z on.
    for (zone, at, expected) in [
        ("UTC", "2023-06-16T22:30:00Z", true),
        ("UTC", "2023-06-15T23:59:00Z", false),
        ("Europe/Paris", "2023-06-16T21:59:00Z", false),
        ("Europe/Paris", "2023-06-16T22:00:00Z", true),
    ] {
        let (property, metric) = dated(&filter, zone, at, "2023-06-17T22:30:00Z");
        assert_eq!((property, metric), (expected, expected), "{zone} {at}");
    }
    // The day on which the clock is put forward has 23 hours, the other 25.
    for (now, at, expected) in [
        ("2024-03-31T22:00:00Z", "2024-03-30T23:00:00Z", true),
        ("2024-03-31T22:00:00Z", "2024-03-30T22:59:59Z", false),
        ("2024-10-27T23:00:00Z", "2024-10-26T22:00:00Z", true),
        ("2024-10-27T23:00:00Z", "2024-10-26T21:59:59Z", false),
    ] {
        let (property, metric) = dated(&filter, "Europe/Paris", at, now);
        assert_eq!((property, metric), (expected, expected), "{at} at {now}");
    }
}

#[test]
fn zero_times_matches_who_never_did_and_sums_are_exact() {
    let condition = |measurement: &str, operator: &str, value: Value| {
        json!({
            "type": "profile-metric", "metric_id": "Orders", "measurement": measurement,
            "measurement_filter": {"type": "numeric", "operator": operator, "value": value},
            "timeframe_filter": {"type": "date", "operator": "alltime"},
        })
    };
    let now = "2023-06-17T15:00:00Z";
    assert!(holds(&condition("count", "equals", json!(0)), "UTC", &person(), &[], now));
    let properties = Map::new();
    let event = |id, value: &str| Event {
        id,
        metric_id: "Orders",
        metric: "Placed Order",
        occurred_ms: millis("2023-06-01T00:00:00Z"),
        ingested_ms: millis(now),
        value: Some(value.parse().unwrap()),
        properties: &properties,
    };
    // In binary, 0.1 + 0.2 is not 0.3.
    let events = [event("a", "0.1"), event("b", "0.2"), event("b", "0.2"), event("c", "-0.00")];
    assert!(holds(&condition("sum", "equals", json!(0.3)), "UTC", &person(), &events, now));
    assert!(!holds(&condition("sum", "greater-than", json!(0.3)), "UTC", &person(), &events, now));
    assert!(holds(&condition("count", "equals", json!(3)), "UTC", &person(), &events, now));
    assert!(!holds(&condition("count", "equals", json!(0)), "UTC", &person(), &events, now));
}

#[test]
fn well_known_properties_are_found() {
    let mut profile = person();
    profile.phone_number = Some("+33612345678".to_owned());
    profile.external_id = Some("customer-7".to_owned());
    profile.attributes = json!({
        "first_name": "Ada", "location": {"city": "Lyon"},
        "properties": {"Tier": "Gold", "it's": 5, "Tags": ["vip", 7]},
    })
    .as_object()
    .unwrap()
    .clone();
    let text = |operator: &str, value: &str| json!({"type": "string", "operator": operator, "value": value});
    for (property, filter) in [
        ("email", text("ends-with", "@example.com")),
        ("first_name", text("equals", "Ada")),
        ("last_name", json!({"type": "existence", "operator": "not-set"})),
        ("external_id", text("starts-with", "customer-")),
        ("phone_number", json!({"type": "string", "operator": "phone-country-code-in", "value": ["FR"]})),
        ("location['city']", text("equals", "Lyon")),
        ("location.city", text("equals", "Lyon")),
        ("properties['Tier']", text("equals", "Gold")),
        ("properties[\"Tier\"]", text("regex", "^G")),
        (r"properties['it\'s']", json!({"type": "numeric", "operator": "equals", "value": 5.0})),
        ("properties['Tags']", json!({"type": "list", "operator": "contains", "value": 7})),
        ("created", json!({"type": "date", "operator": "before", "date": "2023-01-02"})),
    ] {
        let condition = json!({"type": "profile-property", "property": property, "filter": filter});
        assert!(holds(&condition, "UTC", &profile, &[], "2023-06-17T15:00:00Z"), "{condition}");
    }
}

#[test]
fn consent_is_what_the_profile_says() {
    let mut profile = person();
    let consent = |channel: &str, can: bool, subscription: &str, filters: Value| {
        json!({"type": "profile-marketing-consent", "consent": {
            "channel": channel, "can_receive_marketing": can,
            "consent_status": {"subscription": subscription, "filters": filters},
        }})
    };
    let now = "2023-06-17T15:00:00Z";
    let says = |profile: &Profile, condition: &Value| holds(condition, "UTC", profile, &[], now);
    // Never asked: e-mail may be sent, a text message may not.
    assert!(says(&profile, &consent("email", true, "any", json!(null))));
    assert!(says(&profile, &consent("email", true, "never_subscribed", json!(null))));
    assert!(!says(&profile, &consent("email", true, "subscribed", json!(null))));
    assert!(says(&profile, &consent("sms", false, "any", json!(null))));
    assert!(says(&profile, &consent("push", false, "any", json!(null))));
    profile
        .consent
        .insert(Channel::Push, Consent { status: ConsentStatus::Subscribed, ..Consent::default() });
    assert!(says(&profile, &consent("push", true, "subscribed", json!(null))));

    profile.consent.insert(
        Channel::Email,
        Consent {
            status: ConsentStatus::Subscribed,
            at: Some(instant("2023-06-15T10:00:00Z")),
            method: Some("form".to_owned()),
            source: Some("Footer".to_owned()),
            double_opt_in: true,
            ..Consent::default()
        },
    );
    let recent = json!({"field": "status_date", "filter": window("in-the-last", "day", 3)});
    let old = json!({"field": "status_date", "filter": window("at-least", "day", 3)});
    let form = json!({"field": "method", "method": "form", "filter": {"type": "string", "operator": "in", "value": ["Footer"]}});
    let other = json!({"field": "method", "method": "form", "filter": {"type": "string", "operator": "in", "value": ["Popup"]}});
    let double = json!({"field": "is_double_opt_in", "filter": {"type": "boolean", "operator": "equals", "value": true}});
    let source = json!({"field": "custom_source", "filter": {"type": "string", "operator": "equals", "value": "Footer"}});
    assert!(says(&profile, &consent("email", true, "subscribed", json!([recent, form, double, source]))));
    assert!(!says(&profile, &consent("email", true, "subscribed", json!([old]))));
    assert!(!says(&profile, &consent("email", true, "subscribed", json!([other]))));

    let suppression = Suppression { reason: "HARD_BOUNCE".to_owned(), at: instant("2023-06-16T10:00:00Z") };
    profile.consent.get_mut(&Channel::Email).unwrap().suppressions.push(suppression);
    let bounced = json!({"field": "bounce_date", "filter": {"type": "existence", "operator": "is-set"}});
    let bounced_lately = json!({"field": "bounce_date", "filter": window("in-the-last", "day", 1)});
    let invalid =
        json!({"field": "invalid_email_date", "filter": {"type": "existence", "operator": "is-set"}});
    assert!(!says(&profile, &consent("email", true, "any", json!(null))));
    assert!(says(&profile, &consent("email", false, "subscribed", json!([bounced, bounced_lately]))));
    assert!(!says(&profile, &consent("email", false, "any", json!([invalid]))));
}
