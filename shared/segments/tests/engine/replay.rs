//! Nothing counts twice, and nothing is lost between programs.

use canonical::{Instant, Profile};
use jiff::tz::TimeZone;
use segments::{Cause, Definition, Event, Needs, Program, Segment, State, Transition};
use serde_json::{Map, Value, json};

const HOUR: i64 = 3_600_000;
const NOW: i64 = 1_781_697_600_000;

fn orders(operator: &str, value: i64, days: Option<i64>) -> Value {
    let timeframe = match days {
        Some(days) => json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": days}),
        None => json!({"type": "date", "operator": "alltime"}),
    };
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-metric", "metric_id": "Orders", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": operator, "value": value},
        "timeframe_filter": timeframe,
    }]}]})
}

fn gold() -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-property", "property": "properties['Tier']",
        "filter": {"type": "string", "operator": "equals", "value": "Gold"},
    }]}]})
}

fn program(version: u64, segments: &[(&str, u64, Value)], zone: &str) -> Program {
    let segments = segments
        .iter()
        .map(|(id, version, json)| Segment {
            id: (*id).to_owned(),
            version: *version,
            definition: Definition::parse(json).unwrap(),
        })
        .collect();
    Program::compile(version, segments, TimeZone::get(zone).unwrap()).unwrap()
}

fn person(tier: &str) -> Profile {
    let at = Instant::from_millis(NOW - 10 * HOUR).unwrap();
    let mut profile = Profile::new("01J00000000000000000000000".to_owned(), at);
    profile.attributes.insert("properties".to_owned(), json!({"Tier": tier}));
    profile
}

fn order<'a>(id: &'a str, at: i64, properties: &'a Map<String, Value>) -> Event<'a> {
    Event {
        id,
        metric_id: "Orders",
        metric: "Placed Order",
        occurred_ms: at,
        ingested_ms: at,
        value: None,
        properties,
    }
}

fn change(segment_id: &str, entered: bool, at_ms: i64, cause: Cause) -> Transition {
    Transition { segment_id: segment_id.to_owned(), entered, at_ms, cause }
}

#[test]
fn an_event_of_the_rebuilt_history_is_ignored_when_the_stream_delivers_it() {
    let none = Map::new();
    let program = program(1, &[("TWICE1", 1, orders("greater-than-or-equal", 2, None))], "UTC");
    let history = [
        order("old", NOW - 26 * HOUR, &none),
        order("recent", NOW - 24 * HOUR, &none),
        order("new", NOW, &none),
    ];
    let three = [("THRICE", 1, orders("greater-than-or-equal", 4, None))];
    let strict = self::program(1, &three, "UTC");
    let mut state = State::new();
    assert_eq!(program.needs(&state), Needs::History);
    let entered = program.rebuild(&mut state, &person("Gold"), Some(&history), Cause::Definition, NOW);
    assert_eq!(entered, [change("TWICE1", true, NOW, Cause::Definition)]);

    let mut state = State::new();
    strict.rebuild(&mut state, &person("Gold"), Some(&history), Cause::Definition, NOW);
    let before = state.clone();
    for event in &history[1..] {
        // Across a restart, too.
        state = State::decode(&state.encode()).unwrap();
        assert_eq!(strict.apply_event(&mut state, event, NOW + HOUR / 2), []);
    }
    assert_eq!(state, before);
    // One that the history did not have counts.
    let late = order("late", NOW - 30 * HOUR, &none);
    let at = late.ingested_ms;
    assert_eq!(
        strict.apply_event(&mut state, &late, NOW + HOUR),
        [change("THRICE", true, at, Cause::Event("late".to_owned()))]
    );
    // What was remembered is forgotten once no stream can bring it any more.
    let size = state.encode().len();
    strict.tick(&mut state, &person("Gold"), NOW + 26 * HOUR);
    assert!(state.encode().len() <= size - 2 * 8);
}

#[test]
fn a_new_state_takes_changes_before_there_is_any_segment() {
    let none = Map::new();
    // UTC, whose states a new one resembles most, and a zone west and one east of it.
    for zone in ["UTC", "America/New_York", "Pacific/Kiritimati"] {
        let program = program(0, &[], zone);
        let mut state = State::new();
        assert_eq!(program.apply_event(&mut state, &order("e1", NOW, &none), NOW), []);
        assert_eq!(program.apply_profile(&mut state, &person("Gold"), NOW), []);
        assert_eq!(program.tick(&mut State::new(), &person("Gold"), NOW), []);
    }
}

#[test]
fn clocks_at_the_ends_of_time_end_no_evaluation() {
    let none = Map::new();
    let program = program(1, &[("RECENT", 1, orders("greater-than-or-equal", 1, Some(30)))], "Europe/Paris");
    for now in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
        let mut state = State::new();
        program.rebuild(&mut state, &person("Gold"), Some(&[]), Cause::Profile, now);
        program.apply_event(&mut state, &order("e1", NOW, &none), now);
        program.tick(&mut state, &person("Gold"), now);
    }
}

#[test]
fn a_state_equals_another_that_only_saw_more_time_and_more_of_the_stream() {
    let program = program(1, &[("ORDERS", 1, orders("greater-than", 0, None))], "UTC");
    let none = Map::new();
    let mut state = State::new();
    program.rebuild(&mut state, &person("Gold"), Some(&[]), Cause::Profile, NOW);
    assert!(state.is_changed(), "it was never stored");
    let mut state = State::decode(&state.encode()).unwrap();
    let before = state.clone();
    let mut other = order("view", NOW, &none);
    other.metric_id = "Views";
    assert_eq!(program.apply_event(&mut state, &other, NOW + HOUR), []);
    assert_eq!(program.apply_profile(&mut state, &person("Gold"), NOW + HOUR), []);
    state.set_position(49_639_171_340_000_000_000_000);
    assert_eq!(state, before);
    assert!(!state.is_changed());
    assert_eq!(State::decode(&state.encode()).unwrap().position(), 49_639_171_340_000_000_000_000);
    program.apply_event(&mut state, &order("order", NOW, &none), NOW + HOUR);
    assert_ne!(state, before);
    assert!(state.is_changed());
    let history = [order("order", NOW, &none)];
    program.rebuild(&mut state, &person("Gold"), Some(&history), Cause::Definition, NOW + HOUR);
    let mut anew = State::decode(&state.encode()).unwrap();
    program.rebuild(&mut anew, &person("Gold"), Some(&history), Cause::Definition, NOW + HOUR);
    assert!(!anew.is_changed(), "counted anew, it is the same");
}

#[test]
fn a_new_profile_needs_no_history_and_its_transitions_carry_their_cause() {
    let program = program(1, &[("GOLD00", 1, gold()), ("ORDERS", 1, orders("equals", 1, Some(1)))], "UTC");
    let profile = person("Gold");
    let none = Map::new();
    let mut state = State::new();
    let created = profile.updated_at.as_millis();
    assert_eq!(
        program.rebuild(&mut state, &profile, Some(&[]), Cause::Profile, NOW),
        [change("GOLD00", true, created, Cause::Profile)]
    );
    let event = order("one", NOW - HOUR, &none);
    assert_eq!(
        program.apply_event(&mut state, &event, NOW),
        [change("ORDERS", true, NOW - HOUR, Cause::Event("one".to_owned()))]
    );
    // Noon of the 17th: the order of the 17th leaves the window with the 19th.
    let midnight = NOW - 12 * HOUR + 48 * HOUR;
    assert_eq!(state.next_due_ms(), Some(midnight));
    let late = midnight + 5 * HOUR;
    assert_eq!(program.tick(&mut state, &profile, midnight - 1), []);
    assert_eq!(program.tick(&mut state, &profile, late), [change("ORDERS", false, midnight, Cause::Time)]);
    assert_eq!(state.next_due_ms(), None);
    let mut silver = person("Silver");
    silver.updated_at = Instant::from_millis(late + 5).unwrap();
    assert_eq!(
        program.apply_profile(&mut state, &silver, late + 9),
        [change("GOLD00", false, late + 5, Cause::Profile)]
    );
}

#[test]
fn a_membership_that_flips_twice_in_one_late_tick_gives_two_transitions() {
    let between = json!({"condition_groups": [{"conditions": [{
        "type": "profile-metric", "metric_id": "Orders", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than", "value": 0},
        "timeframe_filter": {"type": "date", "operator": "between", "start": 2, "end": 3, "unit": "day"},
    }]}]});
    let program = program(1, &[("WINDOW", 1, between)], "UTC");
    let none = Map::new();
    let mut state = State::new();
    program.rebuild(&mut state, &person("Gold"), Some(&[]), Cause::Profile, NOW);
    assert_eq!(program.apply_event(&mut state, &order("one", NOW, &none), NOW), []);
    let midnight = NOW - 12 * HOUR;
    assert_eq!(
        program.tick(&mut state, &person("Gold"), NOW + 300 * HOUR),
        [
            change("WINDOW", true, midnight + 48 * HOUR, Cause::Time),
            change("WINDOW", false, midnight + 96 * HOUR, Cause::Time)
        ]
    );
}

#[test]
fn a_program_asks_for_no_more_than_it_needs() {
    let none = Map::new();
    let history = [order("one", NOW - HOUR, &none)];
    let first = ("FIRST0", 1, orders("greater-than", 0, None));
    let mut state = State::new();
    let one = program(1, std::slice::from_ref(&first), "UTC");
    one.rebuild(&mut state, &person("Gold"), Some(&history), Cause::Definition, NOW);
    // Another threshold on what is counted already: nothing.
    let second = ("SECOND", 2, orders("equals", 1, None));
    let two = program(2, &[first.clone(), second.clone()], "UTC");
    assert_eq!(two.needs(&state), Needs::Nothing);
    // A question about the profile: the profile.
    let third = ("THIRD0", 3, gold());
    let three = program(3, &[first.clone(), second.clone(), third.clone()], "UTC");
    assert_eq!(three.needs(&state), Needs::Profile);
    // A window that was not kept: the history.
    let fourth = ("FOURTH", 4, orders("equals", 1, Some(30)));
    let four = program(4, &[first.clone(), second.clone(), third.clone(), fourth.clone()], "UTC");
    assert_eq!(four.needs(&state), Needs::History);
    // Without it, nothing happens.
    let before = state.clone();
    assert_eq!(four.rebuild(&mut state, &person("Gold"), None, Cause::Definition, NOW), []);
    assert_eq!(four.tick(&mut state, &person("Gold"), NOW), []);
    assert_eq!(state, before);
    // The next change brings the state along where it can.
    assert_eq!(
        two.apply_event(&mut state.clone(), &order("two", NOW, &none), NOW),
        // "Exactly once" was true before the second order came.
        [
            change("SECOND", true, NOW, Cause::Definition),
            change("SECOND", false, NOW, Cause::Event("two".to_owned()))
        ]
    );
    assert_eq!(
        three.apply_profile(&mut state.clone(), &person("Gold"), NOW),
        [change("SECOND", true, NOW, Cause::Definition), change("THIRD0", true, NOW, Cause::Definition)]
    );
    // Another zone has other days; a state of a younger program is not for this one.
    let paris = program(1, std::slice::from_ref(&first), "Europe/Paris");
    assert_eq!(paris.needs(&state), Needs::History);
    four.rebuild(&mut state, &person("Gold"), Some(&history), Cause::Definition, NOW);
    assert_eq!(two.needs(&state), Needs::NewerProgram);
    // A segment that is gone has no members.
    let five = program(5, &[second, third, fourth], "UTC");
    assert_eq!(
        five.rebuild(&mut state, &person("Gold"), None, Cause::Definition, NOW + 1),
        [change("FIRST0", false, NOW + 1, Cause::Definition)]
    );
}

#[test]
fn an_event_that_meets_a_state_that_knows_too_little_is_not_lost() {
    let none = Map::new();
    let one = program(1, &[("FIRST0", 1, orders("equals", 1, None))], "UTC");
    let mut state = State::new();
    one.rebuild(&mut state, &person("Gold"), Some(&[]), Cause::Profile, NOW);
    let two = program(2, &[("FIRST0", 1, orders("equals", 1, None)), ("SECOND", 2, gold())], "UTC");
    let event = order("one", NOW, &none);
    assert_eq!(two.apply_event(&mut state, &event, NOW), []);
    assert_eq!(two.needs(&state), Needs::History);
    assert_eq!(
        two.rebuild(&mut state, &person("Gold"), Some(&[event]), Cause::Definition, NOW),
        [change("FIRST0", true, NOW, Cause::Definition), change("SECOND", true, NOW, Cause::Definition)]
    );
}

#[test]
fn an_explanation_says_what_is_measured_and_when_it_will_change() {
    let definition = json!({"condition_groups": [
        orders("greater-than-or-equal", 2, Some(1))["condition_groups"][0],
        {"conditions": [orders("equals", 0, None)["condition_groups"][0]["conditions"][0],
                        gold()["condition_groups"][0]["conditions"][0]]},
    ]});
    let program = program(1, &[("ORDERS", 1, definition)], "UTC");
    let none = Map::new();
    let history = [order("one", NOW - 24 * HOUR, &none), order("two", NOW, &none)];
    let mut state = State::new();
    assert!(!program.explain(&state, "ORDERS", &person("Gold"), NOW).unwrap().is_complete);
    program.rebuild(&mut state, &person("Gold"), Some(&history), Cause::Definition, NOW);
    let explanation = program.explain(&state, "ORDERS", &person("Gold"), NOW).unwrap();
    assert_eq!(
        serde_json::to_value(&explanation).unwrap(),
        json!({
            "segment_id": "ORDERS", "is_member": true, "at_ms": NOW, "is_complete": true,
            "groups": [
                [{"pointer": "/condition_groups/0/conditions/0", "holds": true, "measure": "2",
                  "next_change_ms": NOW + 12 * HOUR}],
                [{"pointer": "/condition_groups/1/conditions/0", "holds": false, "measure": "2"},
                 {"pointer": "/condition_groups/1/conditions/1", "holds": true}],
            ],
        })
    );
    let later = program.explain(&state, "ORDERS", &person("Gold"), NOW + 12 * HOUR).unwrap();
    assert!(!later.is_member);
    assert!(state.is_member("ORDERS"), "an explanation changes nothing");
    assert_eq!(program.explain(&state, "OTHERS", &person("Gold"), NOW), None);
}

#[test]
fn what_has_left_every_window_is_written_as_it_was_until_something_else_changes() {
    let condition = |measurement: &str, value: i64, timeframe: Value| {
        json!({"conditions": [{
            "type": "profile-metric", "metric_id": "Orders", "measurement": measurement,
            "measurement_filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": value},
            "timeframe_filter": timeframe,
        }]})
    };
    let hour = json!({"type": "date", "operator": "in-the-last", "unit": "hour", "quantity": 1});
    let groups =
        [condition("count", 2, json!({"type": "date", "operator": "alltime"})), condition("sum", 300, hour)];
    let program = program(1, &[("SPENT1", 1, json!({"condition_groups": groups}))], "UTC");
    let none = Map::new();
    let mut state = State::new();
    program.rebuild(&mut state, &person("Gold"), Some(&[]), Cause::Profile, NOW);
    let paid = Event { value: Some(100.into()), ..order("paid", NOW, &none) };
    program.apply_event(&mut state, &paid, NOW);
    let mut state = State::decode(&state.encode()).unwrap();
    // The second order has the sum of the last hour looked at, which is none any more; neither adds to it.
    for (id, at) in [("second", NOW + 2 * HOUR), ("third", NOW + 3 * HOUR)] {
        assert_eq!(program.apply_event(&mut state, &order(id, at, &none), at), []);
    }
    assert!(state.is_changed());
    assert_eq!(State::decode(&state.encode()).unwrap(), state);
}
