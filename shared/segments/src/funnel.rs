//! What is kept for a funnel: when the events happened that match its steps.

use crate::calendar::Present;
use crate::definition::Window;
use crate::window::{Frame, Moment, NEVER};

/// So many of the newest events are looked at.
pub(crate) const MAX_EVENTS: usize = 1000;

/// When an event was, and which steps it matches: one bit each.
pub(crate) type Entry = (i64, u16);

/// The events that match a funnel's steps, as a state keeps them: by time, of one instant in the order of the steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// What identifies the funnel, across versions of the program: 48 bits.
    pub(crate) fingerprint: u64,
    pub(crate) entries: Vec<Entry>,
    /// Not later than the next instant at which time alone changes what the funnel says. Derived.
    pub(crate) due: i64,
}

/// A funnel, as a program asks for it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) fingerprint: u64,
    /// The program version since which every program has had it.
    pub(crate) since: u64,
    pub(crate) condition: u32,
    pub(crate) timeframe: Frame,
    pub(crate) within: Option<i64>,
    /// Of each step, whether it must have happened.
    pub(crate) exists: Vec<bool>,
}

impl Log {
    pub(crate) fn new(fingerprint: u64) -> Self {
        Self { fingerprint, entries: Vec::new(), due: NEVER }
    }

    pub(crate) fn add(&mut self, entry: Entry) {
        let place = self.entries.partition_point(|other| *other <= entry);
        self.entries.insert(place, entry);
        if self.entries.len() > MAX_EVENTS {
            self.entries.remove(0);
        }
    }

    /// Forgets what is older than anything the funnel asks about.
    pub(crate) fn settle(&mut self, plan: &Plan, present: Present<'_>) {
        let oldest = match plan.timeframe {
            Frame::Range(from, _) => from,
            Frame::Window(window @ (Window::InTheLast(_) | Window::Between { .. })) => {
                // Windows only move on: what one has left it does not hold again.
                let gone = |entry: &Entry| {
                    window.holds_during(Moment::At(entry.0), present.calendar).1 <= present.now
                };
                let place = self.entries.partition_point(gone);
                self.entries.drain(..place);
                return;
            }
            _ => return,
        };
        let place = self.entries.partition_point(|(at, _)| *at < oldest);
        self.entries.drain(..place);
    }

    /// Whether the steps happened one after the other.
    pub(crate) fn holds(&self, plan: &Plan, present: Present<'_>) -> bool {
        let happened = self.entries.partition_point(|(at, _)| *at <= present.now);
        let entries = &self.entries[..happened];
        let starts = (0..entries.len()).filter(|place| {
            let (at, steps) = entries[*place];
            steps & 1 != 0 && plan.timeframe.holds(at, present.now, present.calendar)
        });
        starts.into_iter().any(|start| completes(plan, &entries[start..]))
    }

    /// Not later than the next instant at which time alone changes what it says.
    pub(crate) fn next_change(&self, plan: &Plan, present: Present<'_>) -> i64 {
        let next = |(at, steps): &Entry| {
            if *at > present.now {
                return *at;
            }
            if steps & 1 == 0 {
                return NEVER;
            }
            plan.timeframe.next_change(*at, present.now, present.calendar)
        };
        self.entries.iter().map(next).min().unwrap_or(NEVER)
    }
}

/// Whether the steps can be gone from the first of the entries on.
fn completes(plan: &Plan, entries: &[Entry]) -> bool {
    let latest = plan.within.map_or(NEVER, |within| entries[0].0.saturating_add(within));
    let entries = &entries[..entries.partition_point(|(at, _)| *at <= latest)];
    // Where the last step that happened may have been.
    let mut reached = vec![0];
    let mut without: u16 = 0;
    for (step, exists) in plan.exists.iter().enumerate().skip(1) {
        let bit = 1 << step;
        if !exists {
            without |= bit;
            continue;
        }
        reached = step_from(entries, &reached, without, bit);
        without = 0;
        if reached.is_empty() {
            return false;
        }
    }
    // Nothing of what must not have happened came after the end.
    reached.iter().any(|from| is_free(entries, *from, NEVER, without))
}

/// The places of events with a bit that come after one of the places with nothing forbidden between them.
fn step_from(entries: &[Entry], reached: &[usize], without: u16, bit: u16) -> Vec<usize> {
    let mut next = Vec::new();
    for (place, (at, steps)) in entries.iter().enumerate() {
        // From the latest place before it there is the least between.
        let from = reached[..reached.partition_point(|from| *from < place)].last();
        if steps & bit != 0 && from.is_some_and(|from| is_free(entries, *from, *at, without)) {
            next.push(place);
        }
    }
    next
}

/// Whether nothing forbidden was after an event and before an instant.
fn is_free(entries: &[Entry], from: usize, until: i64, without: u16) -> bool {
    let begin = entries[from].0;
    let later = &entries[from..];
    !later.iter().take_while(|(at, _)| *at < until).any(|(at, steps)| *at > begin && steps & without != 0)
}
