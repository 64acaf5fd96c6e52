//! A story of one person, told to the engine step by step and to the naive evaluator as a whole.

use std::collections::BTreeSet;

use canonical::{Instant, Profile};
use jiff::tz::TimeZone;
use segments::{Account, Cause, Definition, Event, Needs, Program, Segment, State, naive};
use serde_json::{Map, Value, json};

pub(crate) fn millis(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{error}: {text}")).as_millisecond()
}

/// A window of a date filter.
pub(crate) fn window(operator: &str, unit: &str, quantity: i64) -> Value {
    json!({"type": "date", "operator": operator, "unit": unit, "quantity": quantity})
}

/// At least one order within a timeframe.
pub(crate) fn ordered(timeframe: Value) -> Value {
    json!({
        "type": "profile-metric", "metric_id": "Orders", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": 1},
        "timeframe_filter": timeframe,
    })
}

/// A custom property of the profile.
pub(crate) fn property(name: &str, filter: Value) -> Value {
    json!({"type": "profile-property", "property": format!("properties['{name}']"), "filter": filter})
}

struct Told {
    id: String,
    metric: String,
    occurred_ms: i64,
    ingested_ms: i64,
    properties: Map<String, Value>,
}

impl Told {
    fn event(&self) -> Event<'_> {
        Event {
            id: &self.id,
            metric_id: &self.metric,
            metric: if self.metric == "Orders" { "Placed Order" } else { "Viewed Product" },
            occurred_ms: self.occurred_ms,
            ingested_ms: self.ingested_ms,
            value: None,
            properties: &self.properties,
        }
    }
}

/// What happened so far; segments have one condition each.
pub(crate) struct Story {
    account: Account,
    segments: Vec<Segment>,
    program: Program,
    state: State,
    profile: Profile,
    told: Vec<Told>,
}

impl Story {
    pub(crate) fn begin(account: impl Into<Account>, at: &str, segments: &[(&str, Value)]) -> Self {
        let (account, created): (Account, Instant) = (account.into(), at.parse().unwrap());
        let mut story = Self {
            program: Program::compile(0, Vec::new(), account.clone()).unwrap(),
            account,
            segments: Vec::new(),
            state: State::new(),
            profile: Profile::new("01J00000000000000000000000".to_owned(), created),
            told: Vec::new(),
        };
        for (id, condition) in segments {
            story.define(at, id, Some(condition.clone()));
        }
        story
    }

    pub(crate) fn in_zone(zone: &str, at: &str, segments: &[(&str, Value)]) -> Self {
        Self::begin(TimeZone::get(zone).unwrap(), at, segments)
    }

    /// A segment is made, changed or deleted.
    pub(crate) fn define(&mut self, at: &str, id: &str, condition: Option<Value>) {
        self.segments.retain(|segment| segment.id != id);
        let version = self.program.version() + 1;
        if let Some(condition) = condition {
            let definition = json!({"condition_groups": [{"conditions": [condition]}]});
            let definition = Definition::parse(&definition).unwrap();
            self.segments.push(Segment { id: id.to_owned(), version, definition });
        }
        self.program = Program::compile(version, self.segments.clone(), self.account.clone()).unwrap();
        let events: Vec<Event<'_>> = self.told.iter().map(Told::event).collect();
        let history = (self.program.needs(&self.state) == Needs::History).then_some(events.as_slice());
        self.program.rebuild(&mut self.state, &self.profile, history, Cause::Definition, millis(at));
    }

    /// Something happens, and is known at once.
    pub(crate) fn event(&mut self, at: &str, metric: &str) {
        self.late_event(at, at, metric, json!({}));
    }

    /// Something is told that has happened, or will happen.
    pub(crate) fn late_event(&mut self, at: &str, occurred: &str, metric: &str, properties: Value) {
        let told = Told {
            id: format!("event-{}", self.told.len()),
            metric: metric.to_owned(),
            occurred_ms: millis(occurred),
            ingested_ms: millis(at),
            properties: properties.as_object().unwrap().clone(),
        };
        self.program.apply_event(&mut self.state, &told.event(), millis(at));
        self.told.push(told);
    }

    /// The profile changes.
    pub(crate) fn profile(&mut self, at: &str, change: impl FnOnce(&mut Profile)) {
        change(&mut self.profile);
        self.profile.updated_at = at.parse().unwrap();
        self.program.apply_profile(&mut self.state, &self.profile, millis(at));
    }

    /// A custom property of the profile changes.
    pub(crate) fn set(&mut self, at: &str, name: &str, value: Value) {
        self.profile(at, |profile| {
            profile.attributes.insert("properties".to_owned(), json!({name: value}));
        });
    }

    /// These are the segments the person belongs to at an instant: carried on, counted anew, and read naively.
    #[track_caller]
    pub(crate) fn expect(&mut self, at: &str, members: &[&str]) {
        let now = millis(at);
        let events: Vec<Event<'_>> = self.told.iter().map(Told::event).collect();
        let naive = naive::members(&self.segments, &self.account, &self.profile, &events, now);
        assert_eq!(naive, members.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>(), "at {at}");
        let mut anew = State::new();
        self.program.rebuild(&mut anew, &self.profile, Some(&events), Cause::Definition, now);
        assert!(anew.members().eq(members.iter().copied()), "counted anew at {at}");
        self.state = State::decode(&self.state.encode()).unwrap();
        if self.state.next_due_ms().is_some_and(|due| due <= now) {
            self.program.tick(&mut self.state, &self.profile, now);
        }
        assert!(self.state.members().eq(members.iter().copied()), "carried on until {at}");
    }
}
