//! What segments cost, in one table, with DuckDB in the same run: `cargo bench -p tests --bench segments`.
//! All times are CPU time of one thread, and the least of several: what else the machine does only adds. `WORKLOAD_EVENTS=100000` has a tenth of the workload.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command whose output is its result")]
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "measurements for people")]

use std::collections::HashMap;
use std::hint::black_box;
use std::iter::repeat_with;
use std::path::Path;

use canonical::Profile;
use rustix::time::{ClockId, clock_gettime};
use segments::{Cause, Program, State};
use tests::workload::{
    DAY, DuckDb, Event, HOUR, NOW, Record, States, Workload, program, segments, size, varied,
};

/// What is short is repeated for so many seconds.
const LONG: f64 = 1.0;
const REPETITIONS: usize = 5;
const MINUTE: i64 = 60_000;

fn main() {
    let events = size();
    let mut workload = Workload::new(events / 10, events);
    println!(
        "{events} events of {} profiles; CPU time of one thread, the least of several",
        workload.people.len()
    );
    by_segments(&mut workload);
    by_history();
    let fifty = program(&segments());
    let ingest = whole(&workload, &fifty);
    against_duckdb(&workload, &ingest);
}

fn head(title: &str) {
    println!("\n{title}");
}

fn row(what: &str, value: f64, unit: &str) {
    let digits = match value {
        1000.0.. => 0,
        _ if unit.is_empty() && value.fract() == 0.0 => 0,
        10.0.. => 1,
        _ => 3,
    };
    println!("  {what:<74}{value:>12.digits$} {unit}");
}

/// The CPU time of this thread so far, in seconds.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The least of the seconds that each of several repetitions measures.
fn least(measure: impl FnMut() -> f64) -> f64 {
    repeat_with(measure).take(REPETITIONS).fold(f64::INFINITY, f64::min)
}

/// How long one run takes, the least of as many as make a measurement. Preparation does not count.
fn seconds<T>(mut prepare: impl FnMut() -> T, mut run: impl FnMut(&mut T)) -> f64 {
    let (mut total, mut least) = (0.0, f64::INFINITY);
    while total < LONG {
        let mut prepared = prepare();
        let start = cpu();
        run(&mut prepared);
        let spent = cpu() - start;
        total += spent;
        least = least.min(spent);
        black_box(prepared);
    }
    least
}

/// What the evaluator does with an event: the state is read from bytes, and written if it is another then.
fn apply(program: &Program, bytes: &mut Vec<u8>, record: &Record<'_>) {
    let mut state = State::decode(bytes).unwrap();
    let event = record.event();
    let transitions = program.apply_event(&mut state, &event, event.ingested_ms);
    if !transitions.is_empty() || state.is_changed() {
        *bytes = state.encode();
    }
}

fn rebuilt(program: &Program, profile: &Profile, history: &[&Event]) -> Vec<u8> {
    let records: Vec<Record<'_>> = history.iter().map(|event| event.record()).collect();
    let history: Vec<segments::Event<'_>> = records.iter().map(Record::event).collect();
    let mut state = State::new();
    program.rebuild(&mut state, profile, Some(&history), Cause::Definition, NOW);
    state.encode()
}

fn middle(mut sizes: Vec<usize>, percent: usize) -> f64 {
    sizes.sort_unstable();
    sizes[(sizes.len() - 1) * percent / 100] as f64
}

fn by_segments(workload: &mut Workload) {
    let further = workload.further(1_000, NOW, NOW + HOUR);
    let mut histories: HashMap<usize, Vec<&Event>> =
        further.iter().map(|event| (event.person, Vec::new())).collect();
    for event in &workload.events {
        if let Some(history) = histories.get_mut(&event.person) {
            history.push(event);
        }
    }
    head("A thousand further events, the state decoded before and encoded after each");
    for count in [10, 50, 100, 1_000, 10_000] {
        let definitions = varied(count);
        let program = program(&definitions);
        let before: HashMap<usize, Vec<u8>> = histories
            .iter()
            .map(|(person, history)| {
                (*person, rebuilt(&program, &workload.people[*person].profile(*person), history))
            })
            .collect();
        let measure = |events: &[Event]| {
            let records: Vec<(usize, Record<'_>)> =
                events.iter().map(|event| (event.person, event.record())).collect();
            let run = |states: &mut HashMap<usize, Vec<u8>>| {
                for (person, record) in &records {
                    apply(&program, states.get_mut(person).unwrap(), record);
                }
            };
            records.len() as f64 / seconds(|| before.clone(), run)
        };
        row(&format!("{count} segments"), measure(&further), "events/s");
        let mut elsewhere = further.clone();
        for event in &mut elsewhere {
            // No segment asks for it.
            event.metric = "Received SMS";
        }
        row(&format!("{count} segments, events that touch none"), measure(&elsewhere), "events/s");
        row(
            &format!("{count} segments, bytes of a state, median of those to whom something happens"),
            middle(before.values().map(Vec::len).collect(), 50),
            "bytes",
        );
        let compile = seconds(|| (), |()| drop(black_box(self::program(&definitions))));
        row(&format!("{count} segments, parsed and compiled"), compile * 1e3, "ms");
    }
}

fn by_history() {
    let program = program(&segments());
    head("One profile by the length of its history, 50 segments");
    for length in [10, 100, 1_000, 10_000, 100_000] {
        let mut workload = Workload::new(1, length);
        let profile = workload.people[0].profile(0);
        let history: Vec<&Event> = workload.events.iter().collect();
        let records: Vec<Record<'_>> = history.iter().map(|event| event.record()).collect();
        let events: Vec<segments::Event<'_>> = records.iter().map(Record::event).collect();
        let rebuild = seconds(State::new, |state| {
            program.rebuild(state, &profile, Some(&events), Cause::Definition, NOW);
        });
        // For a day and an hour a state remembers what a count anew may see again in the stream.
        let later = NOW + 26 * HOUR;
        let mut state = State::decode(&rebuilt(&program, &profile, &history)).unwrap();
        program.tick(&mut state, &profile, later);
        let before = state.encode();
        row(&format!("{length} events, bytes of the state, a day after"), before.len() as f64, "bytes");
        row(&format!("{length} events, counted anew"), rebuild * 1e3, "ms");
        let further = workload.further(1_000, later, later + DAY);
        let records: Vec<Record<'_>> = further.iter().map(Event::record).collect();
        let run = |bytes: &mut Vec<u8>| records.iter().for_each(|record| apply(&program, bytes, record));
        let rate = records.len() as f64 / seconds(|| before.clone(), run);
        row(&format!("{length} events, a thousand further"), rate, "events/s");
    }
}

/// Seconds of the whole workload.
struct Whole {
    ingest: f64,
    rebuild: f64,
    idle_hour: f64,
    idle_day: f64,
}

fn whole(workload: &Workload, program: &Program) -> Whole {
    let events = workload.events.len() as f64;
    head("The whole workload, 50 segments");
    let mut states = States::new(program, 0);
    let ingest = least(|| {
        let seconds;
        (states, seconds) = ingested(workload, program);
        seconds
    });
    row("every event applied, in the order of arrival", ingest, "s");
    row("the same", events / ingest, "events/s");
    let rebuild = least(|| counted_anew(workload, program));
    row("every profile counted anew from its history", rebuild, "s");
    let sizes = states.sizes();
    row("bytes of a state, median", middle(sizes.clone(), 50), "bytes");
    row("bytes of a state, 99th percentile", middle(sizes.clone(), 99), "bytes");
    row("bytes of a state, largest", middle(sizes, 100), "bytes");

    head("Time alone: each minute whoever is due is looked up and ticked");
    let idle_hour = passing(&states, workload, program, "an hour", HOUR);
    let idle_day = passing(&states, workload, program, "a day", DAY);
    Whole { ingest, rebuild, idle_hour, idle_day }
}

/// Everybody's state after everything, ticked until now; and the seconds that the events took.
fn ingested<'a>(workload: &Workload, program: &'a Program) -> (States<'a>, f64) {
    let mut states = States::new(program, workload.people.len());
    for (place, person) in workload.people.iter().enumerate() {
        states.create(place, &person.profile(place), person.created_ms);
    }
    let mut spent = 0.0;
    for chunk in workload.events.chunks(10_000) {
        let records: Vec<(&Event, Record<'_>)> = chunk.iter().map(|event| (event, event.record())).collect();
        let start = cpu();
        for (event, record) in &records {
            states.apply(event.person, record, u128::from(event.id) + 1, event.ingested_ms);
        }
        spent += cpu() - start;
    }
    for place in states.due(NOW) {
        let profile = workload.people[place].profile(place);
        states.change(place, |state| program.tick(state, &profile, NOW));
    }
    (states, spent)
}

fn counted_anew(workload: &Workload, program: &Program) -> f64 {
    let mut events: Vec<&Event> = workload.events.iter().collect();
    events.sort_by_key(|event| event.person);
    let mut spent = 0.0;
    let histories: Vec<&[&Event]> = events.chunk_by(|one, next| one.person == next.person).collect();
    for chunk in histories.chunks(1_000) {
        let mut prepared: Vec<(Profile, Vec<Record<'_>>)> = Vec::new();
        for history in chunk {
            let place = history[0].person;
            let records = history.iter().map(|event| event.record()).collect();
            prepared.push((workload.people[place].profile(place), records));
        }
        let start = cpu();
        for (profile, records) in &prepared {
            let history: Vec<segments::Event<'_>> = records.iter().map(Record::event).collect();
            let mut state = State::new();
            program.rebuild(&mut state, profile, Some(&history), Cause::Definition, NOW);
            black_box(state.encode());
        }
        spent += cpu() - start;
    }
    spent
}

/// Nothing happens for so long from now on. The seconds that takes.
fn passing(states: &States<'_>, workload: &Workload, program: &Program, what: &str, millis: i64) -> f64 {
    let due = states.due(NOW + millis);
    let profiles: HashMap<usize, Profile> =
        due.iter().map(|place| (*place, workload.people[*place].profile(*place))).collect();
    let (mut ticks, mut transitions) = (0_u32, 0_u64);
    let seconds = least(|| {
        let mut states = states.clone();
        (ticks, transitions) = (0, 0);
        let start = cpu();
        for now in (NOW + MINUTE..=NOW + millis).step_by(usize::try_from(MINUTE).unwrap()) {
            for place in states.due(now) {
                let told = states.change(place, |state| program.tick(state, &profiles[&place], now));
                ticks += 1;
                transitions += told.len() as u64;
            }
        }
        cpu() - start
    });
    row(&format!("{what}: profiles that are due"), due.len() as f64, "");
    row(&format!("{what}: ticks"), f64::from(ticks), "");
    row(&format!("{what}: memberships that change"), transitions as f64, "");
    row(&format!("{what}: all of it"), seconds * 1e3, "ms");
    row(&format!("{what}: one tick"), seconds * 1e6 / f64::from(ticks.max(1)), "µs");
    seconds
}

fn against_duckdb(workload: &Workload, ours: &Whole) {
    let mut duckdb = DuckDb::start(Path::new(env!("CARGO_TARGET_TMPDIR")));
    duckdb.load(&workload.people, &workload.events);
    let once = least(|| duckdb.recompute(NOW));
    let event = ours.ingest / workload.events.len() as f64;
    head("DuckDB: all memberships from all events in one pass (loaded, ordered and encoded before)");
    row("one pass", once, "s");
    row("in that time the engine applies", once / event, "events");
    row("one pass / the engine's counting anew of everybody", once / ours.rebuild, "");
    row("60 passes, one a minute / the engine's hour of time alone", 60.0 * once / ours.idle_hour, "");
    row("1440 passes, one a minute / the engine's day of time alone", 1440.0 * once / ours.idle_day, "");
    row("one pass, after midnight / the engine's day of time alone", once / ours.idle_day, "");
}
