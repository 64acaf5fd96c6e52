//! A program, and its application to the states of profiles.

mod carry;

use canonical::Profile;
use jiff::tz::TimeZone;

use crate::amount::Threshold;
use crate::atom;
use crate::bits::Bits;
use crate::calendar::{self, Calendar, HOUR};
use crate::definition::Definition;
use crate::event::{Cause, Event, Transition};
use crate::funnel;
use crate::members::Id;
use crate::orders;
use crate::selector::Selectors;
use crate::series;
use crate::state::State;

/// For so long a stream may still deliver an event that a rebuild has already counted: a day, and an
/// hour for clocks that disagree.
const AHEAD_MS: i64 = 25 * HOUR;

/// One segment, as a program takes it.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its id.
    pub id: String,
    /// The program version at which its definition last changed; from 1. A segment that leaves a program must not be
    /// asked about by one that stays.
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
    pub(crate) key: Id,
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

    /// Whether its states keep everybody's orders: some segment asks for predictions.
    pub fn keeps_orders(&self) -> bool {
        !self.predictions.is_empty()
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
            return transitions;
        }
        self.advance(state, now_ms, None, &mut transitions);
        if state.is_ahead(|| event_hash(event.id)) {
            return Self::unless_broken(state, transitions);
        }
        let mut flipped = Vec::new();
        if self.record(state, event, &mut flipped) {
            let at = if event.occurred_ms > state.now {
                event.ingested_ms
            } else {
                event.ingested_ms.max(event.occurred_ms)
            };
            self.emit(state, &mut flipped, None, at, || Cause::Event(event.id.to_owned()), &mut transitions);
            state.settle_due();
        }
        Self::unless_broken(state, transitions)
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
            state.settle_due();
        }
        Self::unless_broken(state, transitions)
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
        Self::unless_broken(state, transitions)
    }

    /// A state of which a part cannot be read is none: it is made anew, from history.
    fn unless_broken(state: &mut State, transitions: Vec<Transition>) -> Vec<Transition> {
        if state.is_broken() {
            state.forget();
            return Vec::new();
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
            self.take_over(state);
            self.advance(state, now_ms, Some(known), &mut transitions);
        }
        state.now = state.now.max(calendar::clamp(now_ms));
        state.version = self.version;
        state.zone = self.zone;
        if let Some(history) = history {
            self.recount(state, history);
        }
        if let Some(profile) = profile {
            state.set_answers(self.answers(profile));
        }
        self.take_over(state);
        let at = match (cause, profile) {
            (Cause::Profile, Some(profile)) => profile.updated_at.as_millis(),
            _ => state.now,
        };
        let before = state.membership().ids();
        let members = self.members_anew(state);
        transitions.extend(members.symmetric_difference(&before).map(|segment_id| Transition {
            entered: members.contains(segment_id),
            segment_id: segment_id.clone(),
            at_ms: at,
            cause: cause.clone(),
        }));
        Self::unless_broken(state, transitions)
    }
}

impl CompiledSegment {
    fn holds(&self, mut condition: impl FnMut(u32) -> bool) -> bool {
        self.groups.iter().all(|group| group.iter().any(|one| condition(*one)))
    }
}
