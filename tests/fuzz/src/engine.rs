//! The segment engine: definitions, states, samples.

use std::sync::LazyLock;

use canonical::Profile;
use jiff::tz::TimeZone;
use predictions::Sample;
use segments::{Cause, Definition, Event, Program, Segment, State};
use serde_json::{Map, Value, json};

const NOW_MS: i64 = 1_781_697_600_000;
const DAY_MS: i64 = 86_400_000;

/// The typical segments.
static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    let definitions: Vec<Value> =
        serde_json::from_str(include_str!("../../src/workload/segments.json")).unwrap();
    let read = |(place, segment): (usize, &Value)| Segment {
        id: format!("S{place}"),
        version: 1,
        definition: Definition::parse(&segment["definition"]).unwrap(),
    };
    program(definitions.iter().enumerate().map(read).collect()).unwrap()
});

fn program(segments: Vec<Segment>) -> Option<Program> {
    Program::compile(1, segments, TimeZone::get("America/New_York").unwrap()).ok()
}

/// A definition is compiled, and asked about somebody, or it says where it cannot be read.
pub(crate) fn definition(input: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Value>(input) else { return };
    match Definition::parse(&json) {
        Ok(definition) => {
            let segment = Segment { id: "S".to_owned(), version: 1, definition };
            let Some(program) = program(vec![segment]) else { return };
            let mut state = State::new();
            live(&program, &mut state);
            same_bytes(&state);
        }
        Err(error) => {
            // The place of something that is missing is that of where it should be.
            let parent = error.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            assert!(json.pointer(parent).is_some(), "{error}");
        }
    }
}

/// Any bytes are a state or are none; what is one can be carried on, and is read as it is written.
pub(crate) fn state(input: &[u8]) {
    let Ok(mut state) = State::decode(input) else { return };
    same_bytes(&state);
    live(&PROGRAM, &mut state);
    same_bytes(&state);
}

/// Somebody's life: an event, a change, time.
fn live(program: &Program, state: &mut State) {
    let mut profile = Profile::new("P1".to_owned(), "2026-01-01T00:00:00Z".parse().unwrap());
    profile.attributes.insert("email".to_owned(), json!("ann@example.com"));
    let properties = json!({"OrderId": "1001", "Items": ["Mug"], "value": 3});
    let properties: &Map<String, Value> = properties.as_object().unwrap();
    let event = |id: &'static str, occurred_ms: i64| Event {
        id,
        metric_id: "Placed Order",
        metric: "Placed Order",
        occurred_ms,
        ingested_ms: NOW_MS,
        value: Some(160.into()),
        properties,
    };
    program.rebuild(state, &profile, Some(&[event("E1", NOW_MS - DAY_MS)]), Cause::Definition, NOW_MS);
    program.apply_event(state, &event("E2", NOW_MS), NOW_MS);
    program.apply_profile(state, &profile, NOW_MS);
    program.tick(state, &profile, NOW_MS + 40 * DAY_MS);
}

fn same_bytes(state: &State) {
    let bytes = state.encode();
    let read = State::decode(&bytes).expect("a written state is read");
    assert_eq!(read.encode(), bytes);
}

/// Any bytes are a sample or are none; what is one is read as it is written.
pub(crate) fn sample(input: &[u8]) {
    let Ok(sample) = Sample::decode(input) else { return };
    assert_eq!(Sample::decode(&sample.encode()).as_ref(), Ok(&sample));
}
