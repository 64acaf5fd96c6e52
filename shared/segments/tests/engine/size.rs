//! How many bytes a state takes: one DynamoDB write unit is 1 KB.

use segments::{Cause, Event, State};

use crate::typical;

#[test]
fn a_customer_with_a_hundred_events_under_a_hundred_segments_takes_less_than_a_kilobyte() {
    let program = typical::program(100, "Europe/Paris");
    for days in [30, 365, 1000] {
        let stored = typical::events(100, days);
        let events: Vec<Event<'_>> = stored.iter().map(typical::Stored::event).collect();
        let mut state = State::new();
        program.rebuild(&mut state, &typical::profile(), Some(&events), Cause::Definition, typical::NOW);
        let size = state.encode().len();
        let members = state.members().count();
        println!("{days} days: {size} bytes, member of {members}");
        assert!(members > 20);
        assert!(size < 1024, "{size} bytes for 100 events in {days} days");
    }
}

#[test]
fn a_state_does_not_grow_with_the_length_of_the_history() {
    let program = typical::program(100, "UTC");
    let sizes: Vec<usize> = [1_000, 10_000]
        .into_iter()
        .map(|count| {
            let stored = typical::events(count, 5_000);
            let mut state = State::new();
            let start = stored[0].occurred();
            program.rebuild(&mut state, &typical::profile(), Some(&[]), Cause::Profile, start);
            for event in &stored {
                program.apply_event(&mut state, &event.event(), event.occurred());
            }
            state.encode().len()
        })
        .collect();
    println!("{sizes:?} bytes");
    // Ten times the events, on more days, but never on more than there are in a window.
    assert!(sizes[1] < 5_000, "{sizes:?}");
}
