#![doc = include_str!("../README.md")]

mod predictions;
mod preview;

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use canonical::Profile;
use jiff::tz::TimeZone;
use runtime::{Clients, Clock, Config};
use segments::{Account, Cause, Definition, Needs, Program, Segment, State, Transition};
use store::{
    Evaluation, MembershipChange, ProgramRecord, SegmentRecord, Staged, StateRecord, Store, StoredEvent,
};
use tokio::sync::Mutex;

pub use predictions::{OrdersReader, model_of};
pub use preview::Preview;

/// How often a state that somebody else wrote first is read again.
const ATTEMPTS: u32 = 8;
/// How far ahead another function's clock is believed to be at most.
const MAX_SKEW_MS: i64 = 5 * 60_000;

/// Evaluates profiles.
pub struct Evaluator {
    store: Store,
    clock: Clock,
    zone: TimeZone,
    definitions: Mutex<Option<Arc<Definitions>>>,
}

/// The definitions in force, compiled.
#[derive(Debug)]
pub struct Definitions {
    program: Program,
    /// Segments that are not active: their members stay as they were.
    dormant: BTreeSet<String>,
    /// Segments that were activated again, and at which version.
    resumed: Vec<(String, u64)>,
    /// Segments that still show what they were before their definition changed.
    staged: HashMap<String, Staged>,
    /// The record that they were read with.
    record: ProgramRecord,
}

impl Deref for Definitions {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// Why a profile could not be evaluated. All may succeed when tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tables.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Stored definitions do not make a program.
    #[error("definitions cannot be compiled: {0}")]
    Compile(String),
    /// Definitions change faster than they can be read.
    #[error("definitions keep changing")]
    Unstable,
}

/// Something that changed about a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place in the stream.
    pub position: u128,
    /// What.
    pub kind: ChangeKind,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly all changes are events")]
pub enum ChangeKind {
    /// An event was recorded.
    Event(StoredEvent),
    /// An event was taken away: what was counted must be counted anew.
    EventRemoved,
    /// The profile was made: nothing can have happened to it before.
    ProfileCreated,
    /// Attributes, consent or identifiers changed.
    ProfileChanged,
    /// It merged into another one, or was erased.
    ProfileGone,
    /// The clock touched it.
    Tick {
        /// When, by the clock's own time, in milliseconds.
        touched_ms: i64,
    },
}

/// States and profiles that were read for a batch.
pub struct Loaded {
    states: HashMap<String, StateRecord>,
    profiles: HashMap<String, Profile>,
}

impl Evaluator {
    /// From the function's configuration.
    pub fn new(config: &Config, clients: &Clients, clock: Clock) -> Result<Self, ConfigError> {
        let store = Store::new(
            clients.dynamodb.clone(),
            config.required("PROFILES_TABLE")?,
            String::new(),
            config.required("REGISTRY_TABLE")?,
        );
        let zone = zone(config)?;
        Ok(Self::over(store, clock, zone))
    }

    /// Over given tables.
    pub fn over(store: Store, clock: Clock, zone: TimeZone) -> Self {
        Self { store, clock, zone, definitions: Mutex::new(None) }
    }

    /// What time it is for it.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The tables it works on.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The definitions in force, compiled once per version of the program.
    pub async fn program(&self) -> Result<Arc<Definitions>, Error> {
        let record = self.store.program().await?;
        let mut cached = self.definitions.lock().await;
        let is_current = |definitions: &&Arc<Definitions>| definitions.record == record;
        if let Some(definitions) = cached.as_ref().filter(is_current) {
            return Ok(Arc::clone(definitions));
        }
        let (record, segments) = self.stored_definitions(record).await?;
        let definitions = Arc::new(self.compile(&record, segments).await?);
        *cached = Some(Arc::clone(&definitions));
        Ok(definitions)
    }

    /// All segments, and the program that they are of, given the one that was read last.
    async fn stored_definitions(
        &self,
        mut record: ProgramRecord,
    ) -> Result<(ProgramRecord, Vec<SegmentRecord>), Error> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
            }
            let segments = self.store.segments().await?;
            let read = self.store.program().await?;
            // Who has begun to show meanwhile may be among them already; the next look makes it known for sure.
            if (read.version, &read.zone) == (record.version, &record.zone) {
                return Ok((record, segments));
            }
            record = read;
        }
        Err(Error::Unstable)
    }

    async fn compile(
        &self,
        record: &ProgramRecord,
        segments: Vec<SegmentRecord>,
    ) -> Result<Definitions, Error> {
        // Not older than the program: another model moves its version.
        let model = model_of(self.store.predictions().await?);
        let (active, dormant): (Vec<_>, Vec<_>) = segments.into_iter().partition(|segment| segment.is_active);
        let resumed = active.iter().filter(|segment| segment.resumed_version > 0);
        let resumed = resumed.map(|segment| (segment.id.clone(), segment.resumed_version)).collect();
        let staged = active.iter().filter(|segment| segment.shown_version < segment.version);
        let staged = staged
            .map(|segment| {
                let staged = Staged { version: segment.version, shown: segment.shown_version };
                (segment.id.clone(), staged)
            })
            .collect();
        let segments =
            active.into_iter().filter_map(|segment| match Definition::parse(&segment.definition) {
                Ok(definition) => Some(Segment { id: segment.id, version: segment.version, definition }),
                Err(error) => {
                    // It was valid when it was stored: another version of this program wrote it.
                    tracing::error!(segment = segment.id, error = %error, "definition cannot be read");
                    None
                }
            });
        let program = Program::compile(
            record.version,
            segments.collect(),
            Account { zone: self.zone_of(record), model },
        )
        .map_err(|error| Error::Compile(error.to_string()))?;
        let dormant = dormant.into_iter().map(|segment| segment.id).collect();
        Ok(Definitions { program, dormant, resumed, staged, record: record.clone() })
    }

    /// The zone that goes with a version of the program, so that all functions change it at the same version; the
    /// configured one until the clock has noted it.
    fn zone_of(&self, record: &ProgramRecord) -> TimeZone {
        let Some(name) = &record.zone else { return self.zone.clone() };
        TimeZone::get(name).unwrap_or_else(|error| {
            tracing::error!(zone = name, error = %error, "the program's zone is unknown");
            self.zone.clone()
        })
    }

    /// Reads what a batch needs.
    pub async fn load(&self, profile_ids: &[&str]) -> Result<Loaded, Error> {
        let (states, profiles) = self.store.states_and_profiles(profile_ids).await?;
        Ok(Loaded { states, profiles })
    }

    /// A profile's state, brought up to the program if it is behind. Nothing is written.
    pub async fn state(&self, program: &Program, profile: &Profile) -> Result<State, Error> {
        let stored = self.store.state(&profile.id).await?;
        self.brought_up(program, program.version(), profile, stored.as_ref()).await
    }

    /// A state that was read, brought up to the program; from the history if it does not suffice, or if it is of a
    /// program after `known`.
    async fn brought_up(
        &self,
        program: &Program,
        known: u64,
        profile: &Profile,
        stored: Option<&StateRecord>,
    ) -> Result<State, Error> {
        let read = stored.and_then(|record| State::decode(&record.bytes).ok());
        let mut state = read.filter(|state| state.program_version() <= known).unwrap_or_default();
        let now_ms = self.clock.now_ms();
        match program.needs(&state) {
            Needs::Nothing | Needs::Profile => {
                program.rebuild(&mut state, profile, None, Cause::Definition, now_ms);
            }
            Needs::History | Needs::NewerProgram => {
                let history = self.store.history(&profile.id).await?;
                let events: Vec<segments::Event<'_>> = history.iter().map(as_engine_event).collect();
                state = State::new();
                program.rebuild(&mut state, profile, Some(&events), Cause::Definition, now_ms);
            }
        }
        Ok(state)
    }

    /// Brings one profile up to the program and applies its changes, in their order.
    pub async fn evaluate(
        &self,
        program: &Arc<Definitions>,
        profile_id: &str,
        loaded: &Loaded,
        changes: &[Change],
    ) -> Result<(), Error> {
        self.bring_up(program, profile_id, loaded, changes, false).await
    }

    /// Brings one profile up to the program and counts all its events anew.
    pub async fn recount(
        &self,
        program: &Arc<Definitions>,
        profile_id: &str,
        loaded: &Loaded,
    ) -> Result<(), Error> {
        self.bring_up(program, profile_id, loaded, &[], true).await
    }

    async fn bring_up(
        &self,
        program: &Arc<Definitions>,
        profile_id: &str,
        loaded: &Loaded,
        changes: &[Change],
        anew: bool,
    ) -> Result<(), Error> {
        let mut record = loaded.states.get(profile_id).cloned();
        let mut profile = loaded.profiles.get(profile_id).cloned();
        let mut program = Arc::clone(program);
        for _ in 0..ATTEMPTS {
            let Some(current) = &profile else {
                // Merged or erased. Its memberships go; an event that came to it late goes where the others went.
                if changes.iter().any(|change| matches!(change.kind, ChangeKind::Event(_))) {
                    self.store.move_strays(profile_id).await?;
                }
                return Ok(self.store.delete_evaluation(profile_id).await?);
            };
            match self.attempt(&program, current, record.as_ref(), changes, anew).await? {
                Attempt::Done => return Ok(()),
                Attempt::Outdated => program = self.program().await?,
                Attempt::Conflict => {
                    let mut fresh = self.load(&[profile_id]).await?;
                    record = fresh.states.remove(profile_id);
                    profile = fresh.profiles.remove(profile_id);
                }
            }
        }
        Err(store::Error::Conflict.into())
    }

    async fn attempt(
        &self,
        program: &Definitions,
        profile: &Profile,
        record: Option<&StateRecord>,
        changes: &[Change],
        anew: bool,
    ) -> Result<Attempt, Error> {
        let now_ms = self.clock.now_ms();
        let read = record.and_then(|record| match State::decode(&record.bytes) {
            Ok(state) => Some(state),
            Err(error) => {
                tracing::error!(profile = profile.id, error = %error, "state cannot be read and is made anew");
                None
            }
        });
        let mut state = read.unwrap_or_default();
        let known = state.program_version();
        let pending: Vec<&Change> =
            changes.iter().filter(|change| change.position > state.position()).collect();
        let is_repeated = pending.len() < changes.len();
        let recounts = anew || pending.iter().any(|change| change.kind == ChangeKind::EventRemoved);
        let is_new =
            record.is_none() && pending.first().is_some_and(|first| first.kind == ChangeKind::ProfileCreated);

        let mut transitions = Vec::new();
        let mut history: Option<Vec<StoredEvent>> = None;
        match program.needs(&state) {
            Needs::NewerProgram => return Ok(Attempt::Outdated),
            _ if is_new && !recounts => {
                // All its events come as changes.
                transitions.extend(program.rebuild(&mut state, profile, Some(&[]), Cause::Profile, now_ms));
            }
            needs if recounts || needs == Needs::History => {
                let stored = history.insert(self.store.history(&profile.id).await?);
                let events: Vec<segments::Event<'_>> = stored.iter().map(as_engine_event).collect();
                transitions.extend(program.rebuild(
                    &mut state,
                    profile,
                    Some(&events),
                    Cause::Definition,
                    now_ms,
                ));
            }
            _ if state.program_version() < program.version() => {
                transitions.extend(program.rebuild(&mut state, profile, None, Cause::Definition, now_ms));
            }
            _ => {}
        }
        if record.is_some() {
            let forgotten = program.forgotten(&state, known, &transitions);
            transitions.extend(
                forgotten
                    .map(|segment_id| Transition {
                        segment_id,
                        entered: false,
                        at_ms: now_ms,
                        cause: Cause::Definition,
                    })
                    .collect::<Vec<_>>(),
            );
        }
        for change in pending {
            match &change.kind {
                // Counted anew without it: it has been taken away since.
                ChangeKind::Event(event)
                    if history.as_ref().is_some_and(|history| !holds(history, &event.event.id)) => {}
                ChangeKind::Event(event) => {
                    transitions.extend(program.apply_event(&mut state, &as_engine_event(event), now_ms));
                }
                ChangeKind::ProfileCreated | ChangeKind::ProfileChanged => {
                    transitions.extend(program.apply_profile(&mut state, profile, now_ms));
                }
                ChangeKind::Tick { touched_ms } => {
                    // What was due by the clock's time is due, also where this function's is behind: else it would
                    // stay due, and be touched again.
                    let now_ms = now_ms.max((*touched_ms).min(now_ms + MAX_SKEW_MS));
                    transitions.extend(program.tick(&mut state, profile, now_ms));
                }
                ChangeKind::EventRemoved | ChangeKind::ProfileGone => {}
            }
            state.set_position(change.position);
        }
        transitions
            .retain(|transition| transition.entered || !program.dormant.contains(&transition.segment_id));
        if transitions.is_empty()
            && (is_repeated || !state.is_changed())
            && let Some(record) = record
        {
            // Whoever was here before may have broken off behind the state.
            self.store.carry_out(&profile.id, record).await?;
        }
        if transitions.is_empty() && !state.is_changed() {
            return Ok(Attempt::Done);
        }
        let evaluation = Evaluation {
            profile_id: &profile.id,
            read: record,
            state: state.encode(),
            due_ms: state.next_due_ms(),
            changes: transitions
                .into_iter()
                .map(|transition| program.membership_change(transition))
                .collect(),
        };
        match self.store.save_evaluation(&evaluation).await {
            Ok(()) => Ok(Attempt::Done),
            Err(store::Error::Conflict) => Ok(Attempt::Conflict),
            Err(error) => Err(error.into()),
        }
    }
}

impl Definitions {
    /// Segments that were activated again since a state of this version, which the profile does not belong to: it may
    /// have belonged to them when they were deactivated, and the state does not remember. Ending a membership that
    /// there is not changes nothing.
    fn forgotten(&self, state: &State, known: u64, told: &[Transition]) -> impl Iterator<Item = String> {
        let resumed = self.resumed.iter().filter(move |(id, version)| {
            let is_told = told.iter().any(|transition| transition.segment_id == *id);
            *version > known && !is_told && !state.is_member(id)
        });
        resumed.map(|(id, _)| id.clone())
    }

    fn membership_change(&self, transition: Transition) -> MembershipChange {
        let cause = match transition.cause {
            Cause::Event(id) => format!("event:{id}"),
            Cause::Profile => "profile".to_owned(),
            Cause::Definition => "definition".to_owned(),
            Cause::Time => "time".to_owned(),
        };
        MembershipChange {
            staged: self.staged.get(&transition.segment_id).copied(),
            segment_id: transition.segment_id,
            entered: transition.entered,
            at_ms: transition.at_ms,
            cause,
        }
    }
}

fn holds(history: &[StoredEvent], id: &str) -> bool {
    history.iter().any(|stored| stored.event.id == id)
}

enum Attempt {
    Done,
    /// Another evaluation was faster.
    Conflict,
    /// The state was made with a newer program than this one.
    Outdated,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable is missing.
    #[error(transparent)]
    Missing(#[from] runtime::MissingVariable),
    /// `TIME_ZONE` names no zone.
    #[error("TIME_ZONE {0:?} is not an IANA time zone")]
    TimeZone(String),
}

/// The account's time zone: `TIME_ZONE`, or UTC.
pub fn zone(config: &Config) -> Result<TimeZone, ConfigError> {
    match config.optional("TIME_ZONE") {
        Some(name) => TimeZone::get(&name).map_err(|_| ConfigError::TimeZone(name)),
        None => Ok(TimeZone::UTC),
    }
}

/// A stored event as the engine sees it.
fn as_engine_event(stored: &StoredEvent) -> segments::Event<'_> {
    segments::Event {
        id: &stored.event.id,
        metric_id: &stored.metric_id,
        metric: &stored.event.metric,
        occurred_ms: stored.event.occurred_at.as_millis(),
        ingested_ms: stored.ingested_at.as_millis(),
        value: stored.event.value.map(|value| value.amount),
        properties: &stored.event.properties,
    }
}
