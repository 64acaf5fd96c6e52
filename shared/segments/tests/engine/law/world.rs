//! An account with its program, two people, a stream of changes and functions whose clocks disagree.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use canonical::Profile;
use jiff::tz::TimeZone;
use segments::{Account, Cause, Definition, Event, Needs, Program, Segment, State, Transition, naive};
use serde_json::Value;

use super::changes::{Stored, instant};
use super::definitions::acyclic;
use super::steps::{AccountChange, Hand, Step, Told, model};
use super::{DAY, HOUR};

/// What is true, and what the functions know of it.
pub(super) struct World {
    account: Account,
    version: u64,
    segments: Vec<Segment>,
    program: Program,
    /// The program before the last edit.
    outdated: Option<Program>,
    person: Person,
    other: Option<Person>,
    /// The time, by which every function's clock is a little off. It may go back a little.
    clock: i64,
    latest: i64,
    /// By how much, of one call after the other.
    errors: Vec<i64>,
    calls: usize,
}

struct Person {
    profile: Profile,
    history: Vec<Arc<Stored>>,
    /// What the stream has still to tell.
    stream: VecDeque<Record>,
    known: Known,
    kept: Option<Kept>,
}

/// A change, as the stream tells of it.
#[derive(Clone)]
struct Record {
    at: i64,
    change: Change,
}

#[derive(Clone)]
enum Change {
    Event(Arc<Stored>),
    /// Events were deleted.
    Removed,
    Profile,
}

/// A state, and what it was told: the naive evaluator is asked about no more.
#[derive(Clone)]
struct Known {
    state: State,
    /// The state as it was when it was last read from bytes.
    read: State,
    profile: Profile,
    history: Vec<Arc<Stored>>,
    now: i64,
    members: BTreeSet<String>,
}

/// What was known once, as bytes, and what the stream has told since.
struct Kept {
    bytes: Vec<u8>,
    known: Known,
    stream: VecDeque<Record>,
}

impl Person {
    fn new(id: &str, now: i64) -> Self {
        let profile = Profile::new(id.to_owned(), instant(now - 3 * DAY));
        let known = Known {
            state: State::new(),
            read: State::new(),
            profile: profile.clone(),
            history: Vec::new(),
            now: i64::MIN,
            members: BTreeSet::new(),
        };
        Self { profile, history: Vec::new(), stream: VecDeque::new(), known, kept: None }
    }

    fn tell(&mut self, at: i64, change: Change) {
        let record = Record { at, change };
        if let Some(kept) = &mut self.kept {
            kept.stream.push_back(record.clone());
        }
        self.stream.push_back(record);
    }

    fn store(&mut self, event: Arc<Stored>) {
        self.tell(event.ingested, Change::Event(Arc::clone(&event)));
        self.history.push(event);
    }
}

impl Known {
    /// The memberships follow the transitions.
    fn apply(&mut self, transitions: &[Transition]) {
        for one in transitions {
            let changed = if one.entered {
                self.members.insert(one.segment_id.clone())
            } else {
                self.members.remove(&one.segment_id)
            };
            assert!(changed, "{one:?} changes nothing");
        }
    }

    /// The transitions told all changes.
    fn check(&self) {
        assert!(self.state.members().eq(self.members.iter().map(String::as_str)), "{:?}", self.members);
    }
}

impl World {
    pub(super) fn new(zone: &str, start: i64, errors: Vec<i64>, definitions: Vec<Value>) -> Self {
        let account = Account { zone: TimeZone::get(zone).unwrap(), model: Some(model(0.793)) };
        let segments: Vec<Segment> =
            definitions.into_iter().enumerate().map(|(place, json)| segment(place, 1, json)).collect();
        let program = Program::compile(1, segments.clone(), account.clone()).unwrap();
        let mut world = Self {
            account,
            version: 1,
            segments,
            program,
            outdated: None,
            person: Person::new("01J00000000000000000000000", start),
            other: None,
            clock: start,
            latest: start,
            errors,
            calls: 0,
        };
        world.appear();
        world
    }

    /// What a function's clock shows that is called now.
    fn now(&mut self) -> i64 {
        self.calls += 1;
        self.clock + self.errors.get(self.calls % self.errors.len().max(1)).unwrap_or(&0)
    }

    fn naive(&self, now: i64) -> BTreeSet<String> {
        let known = &self.person.known;
        let events: Vec<Event<'_>> = known.history.iter().map(|stored| stored.event()).collect();
        naive::members(&self.segments, &self.account, &known.profile, &events, now)
    }

    fn needs(&self) -> Needs {
        self.program.needs(&self.person.known.state)
    }

    fn is_behind(&self) -> bool {
        self.person.known.state.program_version() != self.version || self.needs() != Needs::Nothing
    }

    /// Applies the transitions of time, which must be exact and, if the state was not behind, complete; returns the
    /// others.
    fn absorb(&mut self, transitions: Vec<Transition>, now: i64, was_behind: bool) -> Vec<Transition> {
        let before = self.person.known.now;
        let now = now.max(before);
        let is_by_time = |one: &Transition| one.cause == Cause::Time;
        let count = transitions.iter().take_while(|one| is_by_time(one)).count();
        let (by_time, others) = transitions.split_at(count);
        assert!(!others.iter().any(is_by_time), "time comes first: {others:?}");
        assert!(by_time.is_sorted_by_key(|one| one.at_ms));
        for one in by_time {
            assert!(one.at_ms > before && one.at_ms <= now, "{one:?} not in {before}..={now}");
            assert_eq!(self.naive(one.at_ms).contains(&one.segment_id), one.entered, "at {one:?}");
            assert_eq!(self.naive(one.at_ms - 1).contains(&one.segment_id), !one.entered, "before {one:?}");
        }
        if before < now && !was_behind {
            let mut expected = self.person.known.members.clone();
            let mut from = 0;
            for probe in 1..4 {
                let at = before + (now - before) / 4 * probe;
                for one in by_time[from..].iter().take_while(|one| one.at_ms <= at) {
                    from += 1;
                    if one.entered {
                        expected.insert(one.segment_id.clone());
                    } else {
                        expected.remove(&one.segment_id);
                    }
                }
                assert_eq!(self.naive(at), expected, "probe at {at}");
            }
        }
        self.person.known.now = now;
        self.person.known.apply(by_time);
        others.to_vec()
    }

    fn tick(&mut self, now: i64) {
        let (needs, was_behind) = (self.needs(), self.is_behind());
        let person = &mut self.person;
        let before = person.known.state.clone();
        let transitions = self.program.tick(&mut person.known.state, &person.profile, now);
        if needs > Needs::Profile {
            assert_eq!((transitions, &person.known.state), (Vec::new(), &before));
            return;
        }
        let others = self.absorb(transitions, now, was_behind);
        if was_behind {
            self.person.known.profile = self.person.profile.clone();
        }
        assert!(others.iter().all(|one| was_behind && one.cause == Cause::Definition), "{others:?}");
        self.person.known.apply(&others);
        self.person.known.check();
    }

    fn rebuild(&mut self, with_history: bool, cause: Cause, now: i64) {
        let was_behind = self.is_behind();
        let person = &mut self.person;
        // In any order, and some of them twice.
        let mut events: Vec<Event<'_>> = person.history.iter().map(|stored| stored.event()).collect();
        events.extend_from_within(..events.len() / 2);
        events.reverse();
        let history = with_history.then_some(events.as_slice());
        let transitions =
            self.program.rebuild(&mut person.known.state, &person.profile, history, cause.clone(), now);
        let others = self.absorb(transitions, now, was_behind);
        let Person { profile, history, known, .. } = &mut self.person;
        let at = if cause == Cause::Profile { profile.updated_at.as_millis() } else { known.now };
        assert!(others.iter().all(|one| one.cause == cause && one.at_ms == at), "{others:?}");
        known.profile = profile.clone();
        if with_history {
            known.history.clone_from(history);
        }
        known.apply(&others);
        known.check();
    }

    /// As the evaluator does before it applies changes.
    fn bring_up(&mut self) {
        let now = self.now();
        match self.needs() {
            Needs::NewerProgram => panic!("the program is the newest"),
            Needs::History => {
                self.tick(now);
                self.rebuild(true, Cause::Definition, now);
            }
            Needs::Profile | Needs::Nothing if self.is_behind() => {
                self.rebuild(false, Cause::Definition, now);
            }
            Needs::Profile | Needs::Nothing => {}
        }
        assert!(!self.is_behind());
    }

    /// A profile that is new.
    fn appear(&mut self) {
        let now = self.now();
        self.rebuild(true, Cause::Profile, now);
    }

    fn deliver(&mut self, most: usize) {
        let count = most.min(self.person.stream.len());
        if count == 0 {
            return;
        }
        let batch: Vec<Record> = self.person.stream.drain(..count).collect();
        let is_recounted = batch.iter().any(|record| matches!(record.change, Change::Removed));
        if is_recounted {
            let now = self.now();
            self.rebuild(true, Cause::Definition, now);
        }
        for Record { change, .. } in batch {
            match change {
                // Counted anew without it: it has been deleted since.
                Change::Event(event)
                    if is_recounted && !self.person.history.iter().any(|one| one.id == event.id) => {}
                Change::Event(event) => self.apply_event(&event),
                Change::Profile => self.apply_profile(),
                Change::Removed => {}
            }
        }
    }

    fn apply_event(&mut self, event: &Arc<Stored>) {
        let now = self.now();
        if self.needs() > Needs::Nothing {
            // It cannot be counted: what was counted is worth nothing any more.
            let transitions = self.program.apply_event(&mut self.person.known.state, &event.event(), now);
            assert_eq!((transitions, self.needs()), (Vec::new(), self.program.needs(&State::new())));
            self.bring_up();
        }
        let was_behind = self.is_behind();
        let is_known = self.person.known.history.iter().any(|known| known.id == event.id);
        let transitions = self.program.apply_event(&mut self.person.known.state, &event.event(), now);
        let others = self.absorb(transitions, now, was_behind);
        let known = &mut self.person.known;
        let (occurred, ingested) = (event.event().occurred_ms, event.ingested);
        let at = if occurred > known.now { ingested } else { ingested.max(occurred) };
        for one in &others {
            match &one.cause {
                Cause::Definition => assert!(was_behind && one.at_ms == known.now, "{one:?}"),
                cause => {
                    assert_eq!((cause, one.at_ms), (&Cause::Event(event.id.clone()), at));
                    assert!(!is_known, "{one:?}: a rebuild has counted it already");
                }
            }
        }
        if !is_known {
            known.history.push(Arc::clone(event));
        }
        known.apply(&others);
        known.check();
    }

    fn apply_profile(&mut self) {
        let now = self.now();
        let (needs, was_behind) = (self.needs(), self.is_behind());
        let person = &mut self.person;
        let before = person.known.state.clone();
        let transitions = self.program.apply_profile(&mut person.known.state, &person.profile, now);
        if needs > Needs::Profile {
            assert_eq!((transitions, &person.known.state), (Vec::new(), &before));
            return self.bring_up();
        }
        let others = self.absorb(transitions, now, was_behind);
        let Person { profile, known, .. } = &mut self.person;
        for one in &others {
            match one.cause {
                Cause::Definition => assert!(was_behind && one.at_ms == known.now, "{one:?}"),
                _ => assert_eq!((&one.cause, one.at_ms), (&Cause::Profile, profile.updated_at.as_millis())),
            }
        }
        known.profile = profile.clone();
        known.apply(&others);
        known.check();
    }

    /// The stream keeps a record for a day.
    fn pass(&mut self, millis: i64) {
        let clock = (self.clock + millis).max(self.latest - HOUR / 2);
        let is_lost = |record: &Record| record.at < clock - 22 * HOUR;
        if self.person.stream.front().is_some_and(is_lost) {
            self.deliver(usize::MAX);
        }
        self.clock = clock;
        self.latest = self.latest.max(clock);
    }

    /// A segment that others ask about is not removed.
    fn edit(&mut self, place: usize, json: Option<Value>) {
        let id = id_of(place);
        let asks = |segment: &Segment| segment.definition.group_ids().any(|(_, asked, _)| *asked == id);
        if json.is_none() && self.segments.iter().any(asks) {
            return;
        }
        self.version += 1;
        self.segments.retain(|segment| segment.id != id);
        if let Some(json) = json {
            self.segments.push(segment(place, self.version, json));
        }
        self.compile();
    }

    fn compile(&mut self) {
        let program = Program::compile(self.version, self.segments.clone(), self.account.clone()).unwrap();
        self.outdated = Some(std::mem::replace(&mut self.program, program));
    }

    fn change_account(&mut self, change: AccountChange) {
        let now = self.now();
        self.bring_up();
        self.tick(now);
        match change {
            AccountChange::Zone(zone) => self.account.zone = TimeZone::get(zone).unwrap(),
            AccountChange::Model(model) => {
                self.account.model = model;
                // What was predicted is no longer: an old state would tell of it as of something time has done.
                self.person.kept = None;
                self.other = None;
            }
        }
        self.version += 1;
        self.compile();
        let needs = self.needs();
        self.rebuild(needs > Needs::Profile, Cause::Definition, now);
    }

    fn go_back(&mut self) {
        let is_whole =
            |kept: &Kept| kept.stream.front().is_none_or(|first| first.at > self.clock - 22 * HOUR);
        if let Some(kept) = self.person.kept.take_if(|kept| is_whole(kept)) {
            let state = State::decode(&kept.bytes).unwrap();
            self.person.known = Known { read: state.clone(), state, ..kept.known };
            self.person.stream = kept.stream;
        }
    }

    fn act_outdated(&mut self, hand: Hand, number: usize) {
        let is_newer = |program: &mut Program| program.needs(&self.person.known.state) == Needs::NewerProgram;
        let Some(outdated) = self.outdated.take_if(is_newer) else { return };
        let now = self.now();
        let Person { profile, known, .. } = &mut self.person;
        let before = known.state.clone();
        let transitions = match hand {
            Hand::Tick => outdated.tick(&mut known.state, profile, now),
            Hand::Profile => outdated.apply_profile(&mut known.state, profile, now),
            Hand::Rebuild => outdated.rebuild(&mut known.state, profile, None, Cause::Definition, now),
            Hand::Event(event) => {
                let event = event.stored(number, self.clock);
                let transitions = outdated.apply_event(&mut known.state, &event.event(), now);
                assert_eq!(self.program.needs(&known.state), self.program.needs(&State::new()));
                self.person.store(event);
                assert_eq!(transitions, []);
                return self.bring_up();
            }
        };
        assert_eq!((transitions, &known.state), (Vec::new(), &before));
    }

    fn switch(&mut self) {
        self.deliver(usize::MAX);
        self.person.kept = None;
        let other = self.other.take();
        let is_new = other.is_none();
        let clock = self.clock;
        let other = other.unwrap_or_else(|| Person::new("01J00000000000000000000001", clock));
        self.other = Some(std::mem::replace(&mut self.person, other));
        if is_new {
            self.appear();
        }
    }

    /// Its events come as if they had just arrived.
    fn merge(&mut self) {
        let Some(other) = self.other.take() else { return };
        self.person.profile.merge(&other.profile);
        self.person.profile.updated_at = instant(self.clock);
        self.person.tell(self.clock, Change::Profile);
        for event in other.history {
            self.person.store(event.moved(self.clock));
        }
    }

    pub(super) fn step(&mut self, step: Step, number: usize) {
        match step {
            Step::Store(event) => self.person.store(event.stored(number, self.clock)),
            Step::Deliver(most) => self.deliver(most),
            Step::Event(event) => {
                self.person.store(event.stored(number, self.clock));
                self.deliver(usize::MAX);
            }
            Step::Profile(change, told) => {
                change.change(&mut self.person.profile, self.clock);
                self.person.tell(self.clock, Change::Profile);
                if told == Told::AtOnce {
                    self.deliver(usize::MAX);
                }
            }
            Step::Remove(metric) => {
                let before = self.person.history.len();
                self.person.history.retain(|event| event.metric != metric);
                if self.person.history.len() < before {
                    self.person.tell(self.clock, Change::Removed);
                }
            }
            Step::Pass(millis) => self.pass(millis),
            Step::PassToDue(offset) => {
                self.deliver(usize::MAX);
                if let Some(due) = self.person.known.state.next_due_ms() {
                    self.pass((due + offset - self.clock).max(0));
                }
            }
            Step::Tick => {
                let now = self.now();
                self.tick(now);
            }
            Step::Edit(place, json, told) => {
                self.edit(place, json);
                if told == Told::AtOnce {
                    self.bring_up();
                }
            }
            Step::Account(change) => self.change_account(change),
            Step::Recount => {
                let now = self.now();
                self.rebuild(true, Cause::Definition, now);
            }
            Step::EncodeDecode => {
                let known = &mut self.person.known;
                let decoded = State::decode(&known.state.encode()).unwrap();
                assert_eq!(decoded, known.state);
                assert!(known.state == known.read || known.state.is_changed());
                assert!(!decoded.is_changed());
                (known.read, known.state) = (decoded.clone(), decoded);
            }
            Step::Keep => {
                let Person { known, stream, .. } = &self.person;
                let kept = Kept { bytes: known.state.encode(), known: known.clone(), stream: stream.clone() };
                self.person.kept = Some(kept);
            }
            Step::GoBack => self.go_back(),
            Step::Outdated(hand) => self.act_outdated(hand, number),
            Step::Switch => self.switch(),
            Step::Merge => self.merge(),
            Step::Return => {
                self.person = Person::new("01J00000000000000000000002", self.clock);
                self.appear();
            }
        }
        self.check();
    }

    /// What was told of is what is true: with no further call if nothing is due, or after a tick.
    fn check(&mut self) {
        if self.is_behind() {
            return;
        }
        let now = self.person.known.now.max(self.clock);
        let is_due = |world: &Self| world.person.known.state.next_due_ms().is_some_and(|due| due <= now);
        if is_due(self) {
            self.tick(now);
            assert!(!is_due(self), "a tick makes progress");
        }
        assert_eq!(self.naive(now), self.person.known.members, "at {now}");
    }

    /// In the end everything was told, and the state knows what is stored.
    pub(super) fn finish(&mut self) {
        self.deliver(usize::MAX);
        self.bring_up();
        self.check();
        let Person { profile, history, known, .. } = &self.person;
        assert_eq!(known.profile, *profile);
        let ids = |events: &[Arc<Stored>]| -> BTreeSet<String> {
            events.iter().map(|event| event.id.clone()).collect()
        };
        assert_eq!(ids(&known.history), ids(history));
    }
}

fn id_of(place: usize) -> String {
    format!("SEG{place:03}")
}

fn segment(place: usize, version: u64, json: Value) -> Segment {
    let definition = Definition::parse(&acyclic(place, json)).unwrap();
    Segment { id: id_of(place), version, definition }
}
