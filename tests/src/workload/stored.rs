//! States as they are stored: as bytes, beside an index of when each is due.

use std::collections::BTreeSet;

use canonical::Profile;
use jiff::tz::TimeZone;
use segments::{Cause, Definition, Program, Segment, State, Transition};

use super::{Named, Record};

/// The bytes of a state's item that are not the state: its keys, its version, its place in the index.
const ITEM: usize = 128;

/// The segments as one program, with days that begin at midnight UTC.
pub fn program(segments: &[Named]) -> Program {
    let segments = segments.iter().map(|segment| Segment {
        id: segment.id.clone(),
        version: 1,
        definition: Definition::parse(&segment.definition).unwrap(),
    });
    Program::compile(1, segments.collect(), TimeZone::UTC).unwrap()
}

/// Everybody's state. Between two changes there is nothing but bytes, as in production.
#[derive(Clone)]
pub struct States<'a> {
    program: &'a Program,
    stored: Vec<Option<Vec<u8>>>,
    due: BTreeSet<(i64, usize)>,
    /// What it would have cost so far.
    pub tally: Tally,
}

/// What a series of changes costs in DynamoDB: a unit writes 1 KB or reads 4 KB, and what is written in a transaction
/// counts twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Changes that were looked at.
    pub changes: u64,
    /// Those after which the state was another, and had to be written.
    pub writes: u64,
    /// Reads of states: one for each change.
    pub state_reads: u64,
    /// Writes of states: twice as many units where a membership changed, which makes it a transaction.
    pub state_writes: u64,
    /// Writes of the index of what is due: one to appear or disappear, two to move.
    pub index_writes: u64,
    /// Writes of memberships and of their history: two for each item, in the transaction, and one for the index of
    /// members.
    pub membership_writes: u64,
}

impl<'a> States<'a> {
    /// Nothing is known of so many profiles.
    pub fn new(program: &'a Program, profiles: usize) -> Self {
        Self { program, stored: vec![None; profiles], due: BTreeSet::new(), tally: Tally::default() }
    }

    /// A profile was made. Nothing has happened to it yet.
    pub fn create(&mut self, place: usize, profile: &Profile, now_ms: i64) -> Vec<Transition> {
        let program = self.program;
        self.change(place, |state| program.rebuild(state, profile, Some(&[]), Cause::Profile, now_ms))
    }

    /// Whether the profile was made.
    pub fn exists(&self, place: usize) -> bool {
        self.stored[place].is_some()
    }

    /// An event comes from the stream. It is not applied if its place there says that it was before.
    pub fn apply(
        &mut self,
        place: usize,
        event: &Record<'_>,
        position: u128,
        now_ms: i64,
    ) -> Vec<Transition> {
        let program = self.program;
        self.change(place, |state| {
            if position <= state.position() {
                return Vec::new();
            }
            let transitions = program.apply_event(state, &event.event(), now_ms);
            state.set_position(position);
            transitions
        })
    }

    /// Changes a state, and stores it if it is another then.
    pub fn change(
        &mut self,
        place: usize,
        change: impl FnOnce(&mut State) -> Vec<Transition>,
    ) -> Vec<Transition> {
        let stored = self.stored[place].as_deref();
        self.tally.changes += 1;
        self.tally.state_reads += units(stored.map_or(0, <[u8]>::len), 4096);
        let mut state = stored.map_or_else(State::new, |bytes| State::decode(bytes).unwrap());
        let before = state.next_due_ms();
        let transitions = change(&mut state);
        if transitions.is_empty() && !state.is_changed() {
            return transitions;
        }
        let bytes = state.encode();
        let factor = if transitions.is_empty() { 1 } else { 2 };
        self.tally.writes += 1;
        self.tally.state_writes += factor * units(bytes.len(), 1024);
        let segments: BTreeSet<&str> = transitions.iter().map(|one| one.segment_id.as_str()).collect();
        self.tally.membership_writes += 3 * (segments.len() + transitions.len()) as u64;
        let after = state.next_due_ms();
        if before != after {
            if let Some(due) = before {
                self.due.remove(&(due, place));
                self.tally.index_writes += 1;
            }
            if let Some(due) = after {
                self.due.insert((due, place));
                self.tally.index_writes += 1;
            }
        }
        self.stored[place] = Some(bytes);
        transitions
    }

    /// Who is due at an instant, or was before: those that wait longest first.
    pub fn due(&self, now_ms: i64) -> Vec<usize> {
        self.due.range(..=(now_ms, usize::MAX)).map(|(_, place)| *place).collect()
    }

    /// A state, read.
    pub fn state(&self, place: usize) -> State {
        self.stored[place].as_deref().map(|bytes| State::decode(bytes).unwrap()).unwrap_or_default()
    }

    /// How many bytes the states take, in order.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.stored.iter().flatten().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    }
}

fn units(bytes: usize, unit: usize) -> u64 {
    (ITEM + bytes).div_ceil(unit) as u64
}
