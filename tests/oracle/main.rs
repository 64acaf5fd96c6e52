//! The engine against DuckDB: a shop's customers, a million events, fifty segments, and every membership compared, three times.
//! `WORKLOAD_EVENTS=100000 cargo test -p tests --test oracle -- --nocapture` has fewer.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that prints what it measured")]
#![allow(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "ratios for people")]

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::path::Path;

use segments::{Cause, Program, Transition};
use tests::workload::{
    DAY, DuckDb, Event, HOUR, NOW, Named, Record, States, Tally, Workload, program, segments, size,
};

/// So much happens after the day on which nothing does.
const FURTHER: usize = 10_000;
/// Arrive together.
const BATCH: usize = 500;

struct Account<'a> {
    segments: &'a [Named],
    program: &'a Program,
    workload: Workload,
    states: States<'a>,
    /// The memberships that the transitions add up to.
    told: Vec<u64>,
    duckdb: DuckDb,
}

#[test]
fn the_engine_and_duckdb_agree_on_every_membership() {
    let segments = segments();
    let program = program(&segments);
    let events = size();
    let workload = Workload::new(events / 10, events);
    let people = workload.people.len();
    let mut account = Account {
        segments: &segments,
        program: &program,
        states: States::new(&program, people),
        told: vec![0; people],
        duckdb: DuckDb::start(Path::new(env!("CARGO_TARGET_TMPDIR"))),
        workload,
    };
    println!("{} events of {people} profiles, {} segments", account.workload.events.len(), segments.len());

    account.live_through_the_history();
    account.duckdb.load(&account.workload.people, &account.workload.events);
    let at_first = account.compare("now", NOW);
    for (bit, segment) in segments.iter().enumerate() {
        let members = at_first.iter().filter(|bits| *bits >> bit & 1 == 1).count();
        assert!(members > 0 && members < people, "{}: {members} of {people} say little", segment.name);
    }

    let tomorrow = NOW + DAY;
    let due: HashSet<usize> = account.tick(tomorrow).into_iter().collect();
    let a_day_later = account.compare("a day later", tomorrow);
    let changed: Vec<usize> = (0..people).filter(|place| at_first[*place] != a_day_later[*place]).collect();
    println!("a day later: {} were due, {} changed", due.len(), changed.len());
    assert!(!changed.is_empty());
    assert!(changed.iter().all(|place| due.contains(place)), "nobody changes who is not due");

    let later = tomorrow + 2 * HOUR;
    account.go_on(tomorrow, later);
    account.tick(later);
    account.duckdb.load(&account.workload.people, &account.workload.events);
    account.compare("after further events", later);
}

impl Account<'_> {
    /// Everything comes in the order in which it was heard of, each at its time; the clock is late, and ticks only at the end.
    fn live_through_the_history(&mut self) {
        for place in 0..self.workload.people.len() {
            let person = &self.workload.people[place];
            let transitions = self.states.create(place, &person.profile(place), person.created_ms);
            self.tell(place, &transitions);
        }
        self.states.tally = Tally::default();
        let events = std::mem::take(&mut self.workload.events);
        for event in &events {
            self.apply(event, event.ingested_ms);
        }
        self.workload.events = events;
        self.check_costs();
        self.tick(NOW);
    }

    /// The stream's places are the events' numbers, from 1.
    fn apply(&mut self, event: &Event, now_ms: i64) {
        let transitions = self.states.apply(event.person, &event.record(), u128::from(event.id) + 1, now_ms);
        self.tell(event.person, &transitions);
    }

    /// Whoever is due is touched, nobody else. Returns who.
    fn tick(&mut self, now_ms: i64) -> Vec<usize> {
        let due = self.states.due(now_ms);
        for place in &due {
            let profile = self.workload.people[*place].profile(*place);
            let program = self.program;
            let transitions = self.states.change(*place, |state| program.tick(state, &profile, now_ms));
            self.tell(*place, &transitions);
        }
        assert!(self.states.due(now_ms).is_empty(), "after the tick nobody is due");
        due
    }

    /// Further events arrive in batches, each of them twice now and then. Some profiles are counted anew from a history that
    /// has what the stream has yet to deliver, some people change.
    fn go_on(&mut self, from_ms: i64, until_ms: i64) {
        let further = self.workload.further(FURTHER, from_ms, until_ms);
        let (mut late, mut early, mut twice, mut anew) = (0, 0, 0, 0);
        for batch in further.chunks(BATCH) {
            let now_ms = batch.last().unwrap().ingested_ms;
            self.workload.events.extend_from_slice(batch);
            for event in batch.iter().step_by(50) {
                self.count_anew(event.person, now_ms);
                anew += 1;
            }
            for event in batch {
                late += u32::from(event.occurred_ms < event.ingested_ms - HOUR);
                early += u32::from(event.occurred_ms > until_ms);
                self.apply(event, now_ms);
            }
            // The stream was cut in between and delivers the end of the batch again.
            for event in &batch[BATCH / 2..] {
                self.apply(event, now_ms);
                twice += 1;
            }
            for _ in 0..50 {
                let place = self.workload.change_somebody();
                let profile = self.workload.people[place].profile(place);
                let program = self.program;
                let transitions =
                    self.states.change(place, |state| program.apply_profile(state, &profile, now_ms));
                self.tell(place, &transitions);
            }
            // The shop sends some again: the same events, which are stored once and come to the engine no more.
            self.workload.events.extend_from_slice(&batch[..20]);
        }
        println!(
            "{FURTHER} further events: {late} late, {early} yet to happen, {twice} delivered twice; {anew} profiles counted anew"
        );
    }

    fn count_anew(&mut self, place: usize, now_ms: i64) {
        let mut known = HashSet::new();
        let history =
            self.workload.events.iter().filter(|event| event.person == place && known.insert(event.id));
        let records: Vec<Record<'_>> = history.map(Event::record).collect();
        let history: Vec<segments::Event<'_>> = records.iter().map(Record::event).collect();
        let profile = self.workload.people[place].profile(place);
        let program = self.program;
        let transitions = self.states.change(place, |state| {
            program.rebuild(state, &profile, Some(&history), Cause::Definition, now_ms)
        });
        self.tell(place, &transitions);
    }

    fn tell(&mut self, place: usize, transitions: &[Transition]) {
        for transition in transitions {
            let bit = 1 << bit_of(&transition.segment_id);
            assert_ne!(
                self.told[place] & bit != 0,
                transition.entered,
                "{place}: {transition:?} is no change"
            );
            self.told[place] ^= bit;
        }
    }

    /// Every membership as DuckDB computes it from all events, and as the states have it. Returns them.
    fn compare(&mut self, when: &str, now_ms: i64) -> Vec<u64> {
        self.duckdb.recompute(now_ms);
        let expected = self.duckdb.memberships();
        assert_eq!(expected.len(), self.told.len());
        let mut differences: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, expected) in expected.iter().enumerate() {
            let bits = self.states.state(place).members().fold(0, |bits, id| bits | 1 << bit_of(&id));
            assert_eq!(bits, self.told[place], "{place}: the transitions add up to the memberships");
            for bit in (0..self.segments.len()).filter(|bit| (bits ^ expected) >> bit & 1 == 1) {
                differences.entry(bit).or_default().push(place);
            }
        }
        assert!(differences.is_empty(), "{when}:\n{}", self.describe(&differences, now_ms));
        let memberships: u32 = expected.iter().map(|bits| bits.count_ones()).sum();
        println!("{when}: {memberships} memberships are the same");
        expected
    }

    /// For every segment some profiles on which the two do not agree, and what each of the two knows of them.
    fn describe(&mut self, differences: &BTreeMap<usize, Vec<usize>>, now_ms: i64) -> String {
        let mut text = String::new();
        for (bit, places) in differences {
            let segment = &self.segments[*bit];
            writeln!(text, "{} {}: {} profiles differ", segment.id, segment.name, places.len()).unwrap();
            for place in places.iter().take(3) {
                let profile = self.workload.people[*place].profile(*place);
                let state = self.states.state(*place);
                let engine = self.program.explain(&state, &segment.id, &profile, now_ms).unwrap();
                writeln!(text, "  profile {place}\n    engine {}", serde_json::json!(engine)).unwrap();
                writeln!(text, "    DuckDB {}", self.duckdb.numbers(*place)).unwrap();
            }
        }
        text
    }

    fn check_costs(&self) {
        let sizes = self.states.sizes();
        let at = |percent: usize| sizes[(sizes.len() - 1) * percent / 100];
        println!("bytes of a state: median {}, p99 {}, largest {}", at(50), at(99), at(100));
        assert!(at(50) <= 1024 && at(99) <= 4096);
        let tally = self.states.tally;
        let per_change = |count: u64| count as f64 / tally.changes as f64;
        println!(
            "of {} events {:.1} % changed a state; units for each event: {:.3} to read states; {:.3} to write states, {:.3} for the \
             index of what is due, {:.3} for memberships",
            tally.changes,
            100.0 * per_change(tally.writes),
            per_change(tally.state_reads),
            per_change(tally.state_writes),
            per_change(tally.index_writes),
            per_change(tally.membership_writes),
        );
    }
}

/// A segment's place among the fifty.
fn bit_of(id: &str) -> usize {
    id[1..].parse::<usize>().unwrap() - 1
}
