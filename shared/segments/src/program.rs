//! A program, and its application to the states of profiles.

use std::collections::{BTreeSet, HashSet};

use canonical::Profile;
use jiff::tz::TimeZone;

use crate::amount::{self, Threshold};
use crate::atom::{self, Answer};
use crate::bits::Bits;
use crate::calendar::{self, Calendar, HOUR, Present};
use crate::date;
use crate::definition::Definition;
use crate::event::{Cause, Event, Transition};
use crate::funnel::{self, Log};
use crate::orders::{self, Summary};
use crate::selector::Selectors;
use crate::series::{self, Series};
use crate::state::{Part, State};
use crate::window::NEVER;

/// For so long a stream may still deliver an event that a rebuild has already counted: a day, and an
/// hour for clocks that disagree.
const AHEAD_MS: i64 = 25 * HOUR;

/// One segment, as a program takes it.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its id.
    pub id: String,
    /// The program version at which its definition last changed; from 1.
    pub version: u64,
    /// What it asks.
    pub definition: Definition,
}

/// Why segments do not make a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Two segments have the same id.
    #[error("segment {0} occurs twice")]
    DuplicateSegment(String),
    /// A segment's version is 0 or beyond the program's.
    #[error("segment {0} has a version outside 1 to the program's")]
    Version(String),
    /// Two different things have the same 48-bit fingerprint.
    #[error("two conditions have the same fingerprint")]
    Collision,
    /// Segments ask about each other, in this order.
    #[error("segments ask about each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// When a segment was joined is asked, which is not kept.
    #[error("when segment {0} was joined cannot be asked, only whether somebody belongs to it")]
    Joined(String),
}

/// What an account's segments have in common.
#[derive(Clone, Debug)]
pub struct Account {
    /// Windows of days snap to the midnights of this zone.
    pub zone: TimeZone,
    /// What the account's orders taught; without it nothing is predicted.
    pub model: Option<predictions::Model>,
}

impl From<TimeZone> for Account {
    fn from(zone: TimeZone) -> Self {
        Self { zone, model: None }
    }
}

/// What must be at hand to bring a state up to a program with [`Program::rebuild`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing: the state is up to date, or can be brought there from itself.
    Nothing,
    /// The profile.
    Profile,
    /// The profile and all its events.
    History,
    /// The state is of a younger program: load that one.
    NewerProgram,
}

/// All segments of an account, compiled: conditions that ask the same share one measure, and an event
/// reaches only the measures it can change.
#[derive(Debug)]
pub struct Program {
    pub(crate) version: u64,
    pub(crate) calendar: Calendar,
    pub(crate) zone: u32,
    pub(crate) identity: u64,
    /// The youngest measure and the youngest question.
    pub(crate) history_since: u64,
    pub(crate) questions_since: u64,
    /// In the order of their ids.
    pub(crate) segments: Vec<CompiledSegment>,
    /// Their places, each after all those it asks about.
    pub(crate) by_rank: Vec<u32>,
    pub(crate) conditions: Vec<CompiledCondition>,
    /// In the order of their fingerprints.
    pub(crate) series: Vec<series::Plan>,
    /// In the order of their fingerprints.
    pub(crate) questions: Vec<atom::Plan>,
    /// In the order of their fingerprints.
    pub(crate) funnels: Vec<funnel::Plan>,
    pub(crate) predictions: Vec<orders::Plan>,
    pub(crate) model: Option<predictions::Model>,
    pub(crate) selectors: Selectors,
    /// What the conditions say of a profile of which nothing is known.
    pub(crate) initially: Bits,
}

#[derive(Debug)]
pub(crate) struct CompiledSegment {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) groups: Vec<Vec<u32>>,
    /// Higher than that of every segment it asks about.
    pub(crate) rank: u32,
    /// The conditions that ask about it.
    pub(crate) asked_by: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct CompiledCondition {
    pub(crate) kind: ConditionKind,
    pub(crate) segments: Vec<u32>,
}

#[derive(Debug)]
pub(crate) enum ConditionKind {
    /// The series, the measure among its measures.
    Metric(usize, usize, Threshold),
    /// All of these questions, by their places.
    Profile(Vec<usize>),
    /// One of these questions, or a member of one of these segments; or none of it.
    Group {
        questions: Vec<usize>,
        segments: Vec<u32>,
        is_member: bool,
    },
    Funnel(usize),
    Prediction(usize),
}

/// A hash of an event's id, FNV-1a with the last mixing of murmur3.
fn event_hash(id: &str) -> u64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

impl Program {
    /// The version it was compiled with.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What must be at hand to bring a state up to this program.
    pub fn needs(&self, state: &State) -> Needs {
        if state.version > self.version {
            return Needs::NewerProgram;
        }
        // Days and dates of another zone are of no use.
        let known = if state.zone == self.zone { state.version } else { 0 };
        if self.history_since > known {
            Needs::History
        } else if self.questions_since > known {
            Needs::Profile
        } else {
            Needs::Nothing
        }
    }

    /// Brings a state up to this program: from nothing, from an older program, or anew.
    ///
    /// With `history` (all events of the profile, in any order, duplicates tolerated) everything is
    /// counted anew; without, what the state has counted is kept, and if [`Self::needs`] asks for more
    /// than that, nothing happens. Only true changes of membership are returned. They carry `cause`:
    /// [`Cause::Profile`] with the profile's last change as their instant, any other with `now`; what
    /// time alone has changed in segments that were not edited comes first, as from [`Self::tick`].
    ///
    /// A profile that is new, all of whose events will arrive as changes, needs no history: give it an
    /// empty one.
    #[allow(clippy::needless_pass_by_value, reason = "callers make the cause for the call")]
    pub fn rebuild(
        &self,
        state: &mut State,
        profile: &Profile,
        history: Option<&[Event<'_>]>,
        cause: Cause,
        now_ms: i64,
    ) -> Vec<Transition> {
        let needs = self.needs(state);
        if history.is_none() && needs > Needs::Profile {
            return Vec::new();
        }
        self.bring_up(state, Some(profile), history, &cause, now_ms)
    }

    /// Counts an event. The state must be up to date (see [`Self::needs`]); one that is not, and cannot
    /// be brought there without more, forgets its version instead, so that a rebuild from history, which
    /// has the event, is needed.
    ///
    /// The same event must not be applied twice: guard redelivery with [`State::position`]. Events that a
    /// rebuild found in the history are known and ignored.
    ///
    /// Transitions by the event carry the later of its arrival and its occurrence; those by time that
    /// were due before come first.
    pub fn apply_event(&self, state: &mut State, event: &Event<'_>, now_ms: i64) -> Vec<Transition> {
        let mut transitions = Vec::new();
        if !self.ready(state, None, now_ms, &mut transitions) {
            state.version = 0;
            state.bound_to = 0;
            return transitions;
        }
        self.advance(state, now_ms, None, &mut transitions);
        if !state.ahead.is_empty() {
            let hash = event_hash(event.id);
            if state.ahead.binary_search_by_key(&hash, |(hash, _)| *hash).is_ok() {
                return transitions;
            }
        }
        let present = Present::new(state.now, &self.calendar);
        let mut flipped = Vec::new();
        let touched = self.record(state, event, present);
        for part in &touched {
            self.refresh(state, *part, present, &mut flipped);
        }
        if !touched.is_empty() {
            let at = if event.occurred_ms > state.now {
                event.ingested_ms
            } else {
                event.ingested_ms.max(event.occurred_ms)
            };
            self.emit(state, &mut flipped, None, at, || Cause::Event(event.id.to_owned()), &mut transitions);
            Self::finish(state);
        }
        transitions
    }

    /// Takes a changed profile. A state that needs no more than the profile is brought up to date on the
    /// way; one that needs more is left alone.
    ///
    /// Transitions by the change carry the profile's `updated_at`.
    pub fn apply_profile(&self, state: &mut State, profile: &Profile, now_ms: i64) -> Vec<Transition> {
        let mut transitions = Vec::new();
        if self.ready(state, Some(profile), now_ms, &mut transitions) {
            self.advance(state, now_ms, None, &mut transitions);
            let mut flipped = Vec::new();
            self.ask(state, profile, &mut flipped);
            let at = profile.updated_at.as_millis();
            self.emit(state, &mut flipped, None, at, || Cause::Profile, &mut transitions);
            Self::finish(state);
        }
        transitions
    }

    /// Lets time pass. A state that needs no more than the profile is brought up to date on the way; one
    /// that needs more is left alone.
    ///
    /// Every transition carries the exact instant at which it became true, however late the tick is, and
    /// all of them are returned, in order.
    pub fn tick(&self, state: &mut State, profile: &Profile, now_ms: i64) -> Vec<Transition> {
        let mut transitions = Vec::new();
        if self.ready(state, Some(profile), now_ms, &mut transitions) {
            self.advance(state, now_ms, None, &mut transitions);
        }
        transitions
    }

    /// Makes a state one of this program, if what is at hand suffices.
    fn ready(
        &self,
        state: &mut State,
        profile: Option<&Profile>,
        now_ms: i64,
        transitions: &mut Vec<Transition>,
    ) -> bool {
        if state.version == self.version && state.zone == self.zone {
            // A new state is one of the program of no segments, but has never seen a clock.
            if state.now == i64::MIN {
                state.now = calendar::clamp(now_ms);
            }
            self.bind(state);
            return true;
        }
        let is_possible = match self.needs(state) {
            Needs::Nothing => true,
            Needs::Profile => profile.is_some(),
            Needs::History | Needs::NewerProgram => false,
        };
        if is_possible {
            transitions.extend(self.bring_up(state, profile, None, &Cause::Definition, now_ms));
        }
        is_possible
    }

    fn bring_up(
        &self,
        state: &mut State,
        profile: Option<&Profile>,
        history: Option<&[Event<'_>]>,
        cause: &Cause,
        now_ms: i64,
    ) -> Vec<Transition> {
        let mut transitions = Vec::new();
        let known = state.version;
        if known > 0 && known <= self.version && state.zone == self.zone {
            // Segments that were not edited are complete in the old state: what time has done to them
            // since is time's doing.
            state.bound_to = 0;
            self.bind(state);
            self.advance(state, now_ms, Some(known), &mut transitions);
        }
        state.now = state.now.max(calendar::clamp(now_ms));
        state.version = self.version;
        state.zone = self.zone;
        if let Some(history) = history {
            self.recount(state, history);
        }
        state.bound_to = 0;
        self.bind(state);
        if let Some(profile) = profile {
            self.ask(state, profile, &mut Vec::new());
        }
        let at = match (cause, profile) {
            (Cause::Profile, Some(profile)) => profile.updated_at.as_millis(),
            _ => state.now,
        };
        let before = state.members.clone();
        state.members.retain(|id| self.segments.binary_search_by(|segment| segment.id.cmp(id)).is_ok());
        for place in &self.by_rank {
            let segment = &self.segments[*place as usize];
            let belongs = segment.holds(&state.truths);
            if belongs == state.members.contains(&segment.id) {
                continue;
            }
            if belongs {
                state.members.insert(segment.id.clone());
            } else {
                state.members.remove(&segment.id);
            }
            self.tell_askers(state, *place, &mut Vec::new());
        }
        let changed = state.members.symmetric_difference(&before).cloned();
        transitions.extend(changed.map(|segment_id| Transition {
            entered: state.members.contains(&segment_id),
            segment_id,
            at_ms: at,
            cause: cause.clone(),
        }));
        Self::finish(state);
        transitions
    }

    /// Counts all events anew.
    fn recount(&self, state: &mut State, history: &[Event<'_>]) {
        state.series.clear();
        state.funnels.clear();
        state.orders = Summary::default();
        state.ahead.clear();
        let oldest = state.now - AHEAD_MS;
        let present = Present::new(state.now, &self.calendar);
        let mut seen = HashSet::with_capacity(history.len());
        for event in history {
            if !seen.insert(event.id) {
                continue;
            }
            if event.ingested_ms >= oldest {
                state.ahead.push((event_hash(event.id), event.ingested_ms));
            }
            self.record(state, event, present);
        }
        state.ahead.sort_unstable();
        state.ahead.dedup_by_key(|(hash, _)| *hash);
    }

    /// Adds an event to everything that counts it; which parts of the state that are.
    fn record(&self, state: &mut State, event: &Event<'_>, present: Present<'_>) -> Vec<Part> {
        let mut touched = Vec::new();
        // The steps it is, of each funnel.
        let mut steps: Vec<(usize, u16)> = Vec::new();
        for selector in self.selectors.reached_by(event) {
            if !selector.passes(event, &self.calendar) {
                continue;
            }
            for place in &selector.series {
                let plan = &self.series[*place];
                if self.count(state, plan, event, present) {
                    touched.push(Part::Series(plan.fingerprint));
                }
            }
            for (place, bit) in &selector.funnels {
                match steps.iter_mut().find(|(other, _)| other == place) {
                    Some((_, bits)) => *bits |= bit,
                    None => steps.push((*place, *bit)),
                }
            }
            if selector.orders {
                state.orders.add(
                    calendar::clamp(event.occurred_ms),
                    amount::of_value(event.value),
                    present.now,
                );
                touched.push(Part::Orders);
            }
        }
        for (place, bits) in steps {
            let fingerprint = self.funnels[place].fingerprint;
            let found = state.funnels.binary_search_by_key(&fingerprint, |log| log.fingerprint);
            let found = found.unwrap_or_else(|place| {
                state.funnels.insert(place, Log::new(fingerprint));
                place
            });
            state.funnels[found].add((calendar::clamp(event.occurred_ms), bits));
            touched.push(Part::Funnel(fingerprint));
        }
        touched
    }

    /// Adds an event to a series; whether the state keeps the series now.
    fn count(&self, state: &mut State, plan: &series::Plan, event: &Event<'_>, present: Present<'_>) -> bool {
        let amount = if plan.is_sum { amount::of_value(event.value) } else { 1 };
        let occurred = match &plan.clock {
            None => event.occurred_ms,
            Some(property) => match date::instant_of(property.one_in(event), self.calendar.zone()) {
                Some(instant) => instant,
                None => return false,
            },
        };
        let occurred = calendar::clamp(occurred);
        let place = state.series.binary_search_by_key(&plan.fingerprint, |series| series.fingerprint);
        match place {
            Ok(place) => {
                state.series[place].add(plan, occurred, amount, present);
                true
            }
            Err(place) => {
                let (fingerprint, is_sum) = (plan.fingerprint, plan.is_sum);
                let mut series = Series { fingerprint, is_sum, due: NEVER, ..Series::default() };
                series.add(plan, occurred, amount, present);
                if series.is_zero() {
                    return false;
                }
                state.series.insert(place, series);
                true
            }
        }
    }

    /// Derives what is not stored: the truth of every condition, and when each part is due.
    fn bind(&self, state: &mut State) {
        if state.bound_to == self.identity {
            return;
        }
        state.series.retain(|series| self.plan_of(series).is_some());
        state.answers.retain(|answer| self.question_of(answer).is_some());
        state.truths.clone_from(&self.initially);
        state.funnels.retain(|log| self.funnel_of(log.fingerprint).is_some());
        if self.predictions.is_empty() {
            state.orders = Summary::default();
        }
        let mut flipped = Vec::new();
        let present = Present::new(state.now, &self.calendar);
        for part in state.parts() {
            self.refresh(state, part, present, &mut flipped);
        }
        self.weigh(state, &[], &mut flipped);
        // What is stored is how it was; who evaluates segments anew goes on from there.
        for place in self.places_of_members(&state.members) {
            self.tell_askers(state, place, &mut flipped);
        }
        state.bound_to = self.identity;
    }

    fn plan_of(&self, series: &Series) -> Option<&series::Plan> {
        let place = self.series.binary_search_by_key(&series.fingerprint, |plan| plan.fingerprint).ok()?;
        Some(&self.series[place])
    }

    fn funnel_of(&self, fingerprint: u64) -> Option<&funnel::Plan> {
        let place = self.funnels.binary_search_by_key(&fingerprint, |plan| plan.fingerprint).ok()?;
        Some(&self.funnels[place])
    }

    /// Those of the members' segments that the program has.
    fn places_of_members(&self, members: &BTreeSet<String>) -> Vec<u32> {
        let place = |id: &String| self.segments.binary_search_by(|segment| segment.id.cmp(id)).ok();
        members.iter().filter_map(|id| u32::try_from(place(id)?).ok()).collect()
    }

    /// Says anew what the conditions on a segment say.
    fn tell_askers(&self, state: &mut State, place: u32, flipped: &mut Vec<u32>) {
        for condition in &self.segments[place as usize].asked_by {
            let holds = self.group_holds(state, *condition);
            if state.truths.set(*condition, holds) {
                flipped.push(*condition);
            }
        }
    }

    fn group_holds(&self, state: &State, condition: u32) -> bool {
        let ConditionKind::Group { questions, segments, is_member } =
            &self.conditions[condition as usize].kind
        else {
            return false;
        };
        let belongs = segments.iter().any(|place| state.members.contains(&self.segments[*place as usize].id))
            || questions.iter().any(|place| self.answered(state, *place));
        belongs == *is_member
    }

    /// Whether the answer to a question is yes now.
    fn answered(&self, state: &State, place: usize) -> bool {
        let plan = &self.questions[place];
        let found = state.answers.binary_search_by_key(&plan.fingerprint, |answer| answer.fingerprint);
        found.is_ok_and(|found| plan.holds(state.answers[found], state.now, &self.calendar))
    }

    fn question_of(&self, answer: &Answer) -> Option<&atom::Plan> {
        let place = self.questions.binary_search_by_key(&answer.fingerprint, |plan| plan.fingerprint).ok()?;
        Some(&self.questions[place])
    }

    /// Says anew what the conditions on one part say.
    fn refresh(&self, state: &mut State, part: Part, present: Present<'_>, flipped: &mut Vec<u32>) {
        match part {
            Part::Series(fingerprint) => {
                let place = state.series.binary_search_by_key(&fingerprint, |series| series.fingerprint);
                let Ok(place) = place else { return };
                if let Some(plan) = self.plan_of(&state.series[place]) {
                    Self::refresh_series(state, place, plan, present, flipped);
                }
            }
            Part::Funnel(fingerprint) => {
                let place = state.funnels.binary_search_by_key(&fingerprint, |log| log.fingerprint);
                let (Ok(place), Some(plan)) = (place, self.funnel_of(fingerprint)) else { return };
                let log = &mut state.funnels[place];
                log.settle(plan, present);
                log.due = log.next_change(plan, present);
                if state.truths.set(plan.condition, log.holds(plan, present)) {
                    flipped.push(plan.condition);
                }
            }
            Part::Orders => {
                state.orders.settle(present.now);
                let mut due = state.orders.next_pending();
                for plan in &self.predictions {
                    let (holds, next) = plan.look(&state.orders, self.model.as_ref(), present);
                    due = due.min(next);
                    if state.truths.set(plan.condition, holds) {
                        flipped.push(plan.condition);
                    }
                }
                state.orders.due = due;
            }
        }
    }

    fn refresh_series(
        state: &mut State,
        place: usize,
        plan: &series::Plan,
        present: Present<'_>,
        flipped: &mut Vec<u32>,
    ) {
        let series = &mut state.series[place];
        series.settle(plan, present);
        let view = series.view(plan, present);
        let mut due = NEVER;
        for measure in &plan.measures {
            let amount = view.measure(measure.window);
            for (condition, threshold) in &measure.conditions {
                if state.truths.set(*condition, threshold.holds(amount)) {
                    flipped.push(*condition);
                }
            }
            due = due.min(view.next_flip(measure.window, amount, &measure.conditions));
        }
        series.due = due;
    }

    /// Asks the profile everything.
    fn ask(&self, state: &mut State, profile: &Profile, flipped: &mut Vec<u32>) {
        let answers = self.questions.iter().filter_map(|plan| plan.answer(profile, &self.calendar)).collect();
        let before = std::mem::replace(&mut state.answers, answers);
        self.weigh(state, &before, flipped);
    }

    /// Says anew what the conditions on the profile say that the answers, those before and those now, are about: what
    /// is answered no, and was, stays as it is.
    fn weigh(&self, state: &mut State, before: &[Answer], flipped: &mut Vec<u32>) {
        let asked = before.iter().chain(&state.answers).filter_map(|answer| self.question_of(answer));
        let mut conditions: Vec<u32> = asked.flat_map(|plan| plan.conditions.iter().copied()).collect();
        conditions.sort_unstable();
        conditions.dedup();
        for condition in conditions {
            let holds = match &self.conditions[condition as usize].kind {
                ConditionKind::Profile(questions) => {
                    questions.iter().all(|place| self.answered(state, *place))
                }
                _ => self.group_holds(state, condition),
            };
            if state.truths.set(condition, holds) {
                flipped.push(condition);
            }
        }
        let now = state.now;
        let due = state.answers.iter().map(|answer| {
            self.question_of(answer).map_or(NEVER, |plan| plan.next_change(*answer, now, &self.calendar))
        });
        state.answers_due = due.collect();
    }

    /// Lets time pass, from one instant at which something is due to the next.
    ///
    /// Segments younger than `known` are not looked at.
    fn advance(&self, state: &mut State, now_ms: i64, known: Option<u64>, transitions: &mut Vec<Transition>) {
        let now = calendar::clamp(now_ms).max(state.now);
        loop {
            let due = due_of(state);
            if due > now {
                break;
            }
            state.now = due.max(state.now);
            let mut flipped = Vec::new();
            let present = Present::new(state.now, &self.calendar);
            for part in state.parts_due(due) {
                self.refresh(state, part, present, &mut flipped);
            }
            if state.answers_due.iter().any(|answer_due| *answer_due <= due) {
                self.weigh(state, &[], &mut flipped);
            }
            self.emit(state, &mut flipped, known, state.now, || Cause::Time, transitions);
            Self::finish(state);
        }
        state.now = now;
        let oldest = now - AHEAD_MS;
        state.ahead.retain(|(_, ingested)| *ingested >= oldest);
    }

    /// Looks at the segments of the conditions that changed.
    fn emit(
        &self,
        state: &mut State,
        flipped: &mut Vec<u32>,
        known: Option<u64>,
        at_ms: i64,
        cause: impl Fn() -> Cause,
        transitions: &mut Vec<Transition>,
    ) {
        // By rank: a segment comes after all those it asks about, and once.
        let mut places = BTreeSet::new();
        loop {
            let asking =
                flipped.drain(..).flat_map(|condition| &self.conditions[condition as usize].segments);
            places.extend(asking.map(|place| (self.segments[*place as usize].rank, *place)));
            let Some((_, place)) = places.pop_first() else { break };
            let segment = &self.segments[place as usize];
            if known.is_some_and(|known| segment.version > known) {
                continue;
            }
            let entered = segment.holds(&state.truths);
            if entered == state.members.contains(&segment.id) {
                continue;
            }
            if entered {
                state.members.insert(segment.id.clone());
            } else {
                state.members.remove(&segment.id);
            }
            transitions.push(Transition { segment_id: segment.id.clone(), entered, at_ms, cause: cause() });
            self.tell_askers(state, place, flipped);
        }
    }

    /// Drops what has become nothing, and notes when time is due.
    fn finish(state: &mut State) {
        state.series.retain(|series| !series.is_zero());
        state.funnels.retain(|log| !log.entries.is_empty());
        state.due = due_of(state);
    }
}

fn due_of(state: &State) -> i64 {
    let series = state.series.iter().map(|series| series.due);
    let funnels = state.funnels.iter().map(|log| log.due);
    let answers = state.answers_due.iter().copied();
    series.chain(funnels).chain(answers).chain([state.orders.due]).min().unwrap_or(NEVER)
}

impl CompiledSegment {
    fn holds(&self, truths: &Bits) -> bool {
        self.groups.iter().all(|group| group.iter().any(|condition| truths.get(*condition)))
    }
}
