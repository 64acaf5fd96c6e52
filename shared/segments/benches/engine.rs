//! How fast the engine is: run with `cargo bench -p segments`. Throughput is in events per second on
//! one core.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be prepared may panic")]

#[path = "../tests/engine/typical.rs"]
mod typical;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use segments::{Cause, Event, Program, State};
use typical::{DAY, NOW, Stored};

fn main() {
    divan::main();
}

/// A state that has seen a history, and a day of further events.
fn carried_on(program: &Program, history: usize) -> State {
    let stored = typical::events(history, 1_000);
    let events: Vec<Event<'_>> = stored.iter().map(Stored::event).collect();
    let mut state = State::new();
    program.rebuild(&mut state, &typical::profile(), Some(&events), Cause::Definition, NOW);
    state
}

const BATCH: usize = 1_000;

/// A thousand events of a hundred days after `NOW`, each applied at its own time.
fn apply(bencher: Bencher<'_, '_>, program: &Program, history: usize, batch: &[Stored]) {
    let state = carried_on(program, history);
    bencher.counter(ItemsCount::new(batch.len())).with_inputs(|| state.clone()).bench_refs(|state| {
        for stored in batch {
            let mut event = stored.event();
            event.occurred_ms += 100 * DAY;
            black_box(program.apply_event(state, &event, event.occurred_ms));
        }
    });
}

#[divan::bench(args = [10, 50, 100, 1_000])]
fn events_by_number_of_segments(bencher: Bencher<'_, '_>, segments: usize) {
    let program = typical::program(segments, "Europe/Paris");
    apply(bencher, &program, 100, &typical::events(BATCH, 100));
}

#[divan::bench(args = [10, 100, 1_000, 10_000, 100_000])]
fn events_by_length_of_history(bencher: Bencher<'_, '_>, history: usize) {
    let program = typical::program(50, "Europe/Paris");
    apply(bencher, &program, history, &typical::events(BATCH, 100));
}

#[divan::bench]
fn events_that_touch_no_segment(bencher: Bencher<'_, '_>) {
    let program = typical::program(1_000, "Europe/Paris");
    let batch: Vec<Stored> =
        typical::events(BATCH, 100).into_iter().map(|stored| stored.of_metric("Active on Site")).collect();
    apply(bencher, &program, 100, &batch);
}

/// As the stream's consumer does it: the state is read from bytes before each event and written after it.
#[divan::bench(args = [50, 1_000])]
fn events_with_decode_and_encode(bencher: Bencher<'_, '_>, segments: usize) {
    let program = typical::program(segments, "Europe/Paris");
    let bytes = carried_on(&program, 100).encode();
    let batch = typical::events(BATCH, 100);
    bencher.counter(ItemsCount::new(BATCH)).with_inputs(|| bytes.clone()).bench_refs(|bytes| {
        for stored in &batch {
            let mut event = stored.event();
            event.occurred_ms += 100 * DAY;
            if let Ok(mut state) = State::decode(bytes) {
                program.apply_event(&mut state, &event, event.occurred_ms);
                *bytes = state.encode();
            }
        }
    });
}

#[divan::bench(args = [100, 10_000])]
fn rebuilds_by_length_of_history(bencher: Bencher<'_, '_>, history: usize) {
    let program = typical::program(50, "Europe/Paris");
    let (stored, profile) = (typical::events(history, 1_000), typical::profile());
    let events: Vec<Event<'_>> = stored.iter().map(Stored::event).collect();
    bencher.counter(ItemsCount::new(history)).bench(|| {
        let mut state = State::new();
        program.rebuild(&mut state, &profile, Some(&events), Cause::Definition, NOW);
        state
    });
}

#[divan::bench(args = [50, 1_000])]
fn compilations_by_number_of_segments(segments: usize) -> Program {
    typical::program(segments, "Europe/Paris")
}
