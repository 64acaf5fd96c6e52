//! What is kept of one profile: one compact value, to be stored beside it.
//!
//! Most of a state is of no interest to most events, so it is read as far as it is needed: parts stay the bytes they
//! were until somebody asks for them, and are written as they were read.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use predictions::Orders;

use crate::atom::Answer;
use crate::codec::{Reader, Writer};
use crate::funnel::{self, Log};
use crate::members::{Id, Members};
use crate::orders::Summary;
use crate::program::Program;
use crate::series::is_possible_key;
use crate::table::Table;
use crate::window::NEVER;

/// The first byte of every encoded state.
const FORMAT: u8 = 4;

/// What is known of one profile: enough to carry its memberships on without its history.
///
/// States are equal if what they know is equal; neither the clock nor the position counts.
#[derive(Clone, Debug)]
pub struct State {
    /// The program it was last brought up to; 0 is none.
    pub(crate) version: u64,
    /// Identifies the time zone its days are of.
    pub(crate) zone: u32,
    pub(crate) position: u128,
    /// The greatest `now` it has seen.
    pub(crate) now: i64,
    /// `NEVER` if time changes nothing.
    pub(crate) due: i64,
    pub(crate) series: Table,
    /// In the order of their fingerprints.
    answers: Lazy<Vec<Answer>>,
    /// Not later than when the first of the answers changes.
    pub(crate) answers_due: i64,
    /// In the order of their fingerprints, none of them empty.
    pub(crate) funnels: Vec<Log>,
    pub(crate) orders: Summary,
    members: Lazy<Members>,
    /// Hashes of the events that the last rebuild counted and that may still come, in their order.
    ahead: Lazy<Vec<u64>>,
    /// When the last of them arrived; `NEVER` if there are none.
    ahead_until: i64,
    /// What it was read from.
    raw: Arc<[u8]>,
    /// Where in it funnels and orders are.
    rare: Range<usize>,
    /// The version, zone and due date it was read with; `None` if it was not read, or counted anew since.
    origin: Option<(u64, u32, i64)>,
    /// Whether the answers or the memberships turned out to be unreadable.
    is_broken: bool,
}

/// What may not have been read yet.
#[derive(Clone, Debug)]
struct Lazy<T> {
    /// Where its bytes are.
    raw: Range<usize>,
    read: Option<T>,
    /// Whether it may be another than its bytes say.
    is_changed: bool,
}

impl<T: Default> Lazy<T> {
    fn raw(raw: Range<usize>) -> Self {
        Self { raw, read: None, is_changed: false }
    }

    fn known(value: T) -> Self {
        Self { raw: 0..0, read: Some(value), is_changed: true }
    }

    fn open(&mut self, raw: &[u8], is_broken: &mut bool, read: impl FnOnce(&[u8]) -> Option<T>) -> &mut T {
        let Self { raw: range, read: value, .. } = self;
        value.get_or_insert_with(|| {
            let read = read(&raw[range.clone()]);
            *is_broken |= read.is_none();
            read.unwrap_or_default()
        })
    }

    /// With the number of bytes before them.
    fn write(&self, raw: &[u8], out: &mut Writer, write: impl FnOnce(&T, &mut Writer)) {
        match &self.read {
            Some(value) if self.is_changed => out.framed(|out| write(value, out)),
            _ => {
                out.count(self.raw.len());
                out.0.extend_from_slice(&raw[self.raw.clone()]);
            }
        }
    }

    fn is_same(&self, raw: &[u8], other: (&Self, &[u8]), write: impl Fn(&T, &mut Writer)) -> bool {
        let bytes = |one: &Self, raw| {
            let mut out = Writer(Vec::new());
            one.write(raw, &mut out, &write);
            out.0
        };
        if self.is_changed || other.0.is_changed {
            return bytes(self, raw) == bytes(other.0, other.1);
        }
        raw[self.raw.clone()] == other.1[other.0.raw.clone()]
    }
}

/// The bytes are not an encoded state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version of this crate.
    #[error("unknown state format {0}")]
    Format(u8),
    /// Cut off, or never a state.
    #[error("malformed state")]
    Malformed,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let funnels = |state: &Self| {
            state.funnels.iter().map(|log| (log.fingerprint, log.entries.clone())).collect::<Vec<_>>()
        };
        (self.version, self.zone, self.due) == (other.version, other.zone, other.due)
            && self.orders == other.orders
            && funnels(self) == funnels(other)
            && self.answers.is_same(&self.raw, (&other.answers, &other.raw), |answers, out| {
                write_answers(answers, out);
            })
            && self.members.is_same(&self.raw, (&other.members, &other.raw), Members::encode)
            && self.ahead.is_same(&self.raw, (&other.ahead, &other.raw), |ahead, out| write_ahead(ahead, out))
            && self.series == other.series
    }
}

impl State {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self {
            version: 0,
            zone: 0,
            position: 0,
            now: i64::MIN,
            due: NEVER,
            series: Table::default(),
            answers: Lazy::known(Vec::new()),
            answers_due: NEVER,
            funnels: Vec::new(),
            orders: Summary::default(),
            members: Lazy::known(Members::default()),
            ahead: Lazy::known(Vec::new()),
            ahead_until: NEVER,
            raw: Arc::default(),
            rare: 0..0,
            origin: None,
            is_broken: false,
        }
    }

    /// Whether it is another than the one that was read: then it is to be stored. Neither the clock nor the position
    /// counts: what was applied since changes nothing when it is applied again.
    pub fn is_changed(&self) -> bool {
        let Some(origin) = self.origin else { return Self::decode(&self.raw).as_ref() != Ok(self) };
        let mut rare = Writer(Vec::new());
        self.encode_rare(&mut rare);
        origin != (self.version, self.zone, self.due)
            || self.series.is_changed()
            || self.answers.is_changed
            || self.members.is_changed
            || self.ahead.is_changed
            || rare.0 != self.raw[self.rare.clone()]
    }

    /// The version of the program it was last brought up to; 0 if none.
    pub fn program_version(&self) -> u64 {
        self.version
    }

    /// The ids of the segments the profile belongs to, in order.
    pub fn members(&self) -> impl Iterator<Item = String> {
        self.read_members().ids().into_iter()
    }

    /// Whether the profile belongs to the segment.
    pub fn is_member(&self, segment_id: &str) -> bool {
        self.read_members().contains(&Id::of(segment_id))
    }

    fn read_members(&self) -> Cow<'_, Members> {
        if let Some(members) = &self.members.read {
            return Cow::Borrowed(members);
        }
        let bytes = &self.raw[self.members.raw.clone()];
        Cow::Owned(Members::decode(&mut Reader(bytes)).unwrap_or_default())
    }

    /// The profile's orders as the program counts them, which must be the one that the state was brought up to; `None`
    /// if there are none yet, or if no condition of the program asks for predictions.
    pub fn orders(&self, program: &Program) -> Option<Orders> {
        self.orders.orders(&program.calendar)
    }

    /// The next instant at which time alone may change a membership: never too late, at times too early.
    /// [`Program::tick`](crate::Program::tick) is due then.
    pub fn next_due_ms(&self) -> Option<i64> {
        Some(self.due).filter(|due| *due != NEVER)
    }

    /// The place in the stream up to which changes have been applied; 0 at first. The engine only keeps it.
    pub fn position(&self) -> u128 {
        self.position
    }

    /// Notes the place in the stream up to which changes have been applied.
    pub fn set_position(&mut self, position: u128) {
        self.position = position;
    }

    pub(crate) fn answers(&mut self) -> &[Answer] {
        self.answers.open(&self.raw, &mut self.is_broken, |bytes| read_answers(&mut Reader(bytes)))
    }

    pub(crate) fn set_answers(&mut self, answers: Vec<Answer>) {
        if self.answers() != answers {
            self.answers = Lazy::known(answers);
        }
    }

    pub(crate) fn membership(&mut self) -> &Members {
        self.members.open(&self.raw, &mut self.is_broken, |bytes| Members::decode(&mut Reader(bytes)))
    }

    pub(crate) fn set_membership(&mut self, members: Members) {
        self.members = Lazy::known(members);
    }

    /// Makes somebody a member of a segment or not.
    pub(crate) fn set_member(&mut self, id: &Id, belongs: bool) {
        self.membership();
        self.members.is_changed = true;
        if let Some(members) = &mut self.members.read {
            members.set(id, belongs);
        }
    }

    /// Forgets what was counted, which is to be counted anew.
    pub(crate) fn forget_counts(&mut self) {
        self.series = Table::default();
        self.funnels.clear();
        self.orders = Summary::default();
        self.origin = None;
    }

    /// Notes the events that may still come: their hashes, and when the last of them arrived.
    pub(crate) fn set_ahead(&mut self, mut hashes: Vec<u64>, until: Option<i64>) {
        hashes.sort_unstable();
        self.ahead = Lazy::known(hashes);
        self.ahead_until = until.unwrap_or(NEVER);
    }

    /// Forgets them if the last of them arrived before an instant. Until then all are kept: to know one too many does no
    /// harm, and to take out those that are too old would write them anew with every event.
    pub(crate) fn forget_ahead(&mut self, oldest: i64) {
        if self.ahead_until < oldest {
            self.set_ahead(Vec::new(), None);
        }
    }

    /// Whether an event is among them, by its hash.
    pub(crate) fn is_ahead(&self, hash: impl FnOnce() -> u64) -> bool {
        if self.ahead_until == NEVER {
            return false;
        }
        if let Some(hashes) = &self.ahead.read {
            return hashes.binary_search(&hash()).is_ok();
        }
        // Not read: it is looked for in the bytes.
        let (hashes, _) = self.raw[self.ahead.raw.clone()].as_chunks();
        let hash = hash();
        hashes.binary_search_by_key(&hash, |bytes| u64::from_le_bytes(*bytes)).is_ok()
    }

    /// Whether a part of it could not be read: then it is to be made anew, from history.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken || self.series.is_broken()
    }

    /// Forgets all but the position and the clock, so that it is made anew.
    pub(crate) fn forget(&mut self) {
        *self = Self { position: self.position, now: self.now, ..Self::new() };
    }

    /// Says anew when time is due.
    pub(crate) fn settle_due(&mut self) {
        let funnels = self.funnels.iter().map(|log| log.due);
        let others = [self.series.settle_due(), self.answers_due, self.orders.due];
        self.due = funnels.chain(others).min().unwrap_or(NEVER);
    }

    /// The state as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(self.raw.len() + 128));
        out.0.push(FORMAT);
        out.unsigned(self.version.into());
        out.unsigned(self.zone.into());
        out.unsigned(self.position);
        out.signed(self.now.into());
        out.due(self.answers_due);
        self.series.encode(&mut out);
        self.answers.write(&self.raw, &mut out, |answers, out| write_answers(answers, out));
        self.members.write(&self.raw, &mut out, Members::encode);
        out.due(self.ahead_until);
        self.ahead.write(&self.raw, &mut out, |ahead, out| write_ahead(ahead, out));
        self.encode_rare(&mut out);
        out.0
    }

    /// What few accounts ask for.
    fn encode_rare(&self, out: &mut Writer) {
        if self.funnels.is_empty() && self.orders.is_empty() {
            return;
        }
        out.count(self.funnels.len());
        for log in &self.funnels {
            out.fingerprint(log.fingerprint);
            out.due(log.due);
            out.count(log.entries.len());
            let mut previous = 0;
            for (at, steps) in &log.entries {
                out.signed(i128::from(*at) - previous);
                previous = (*at).into();
                out.unsigned((*steps).into());
            }
        }
        out.due(self.orders.due);
        out.count(self.orders.pending.len());
        for (at, amount) in &self.orders.pending {
            out.signed((*at).into());
            out.signed(*amount);
        }
        out.unsigned(self.orders.count.into());
        if self.orders.count > 0 {
            out.signed(self.orders.sum);
            out.signed(self.orders.first_ms.into());
            out.signed(i128::from(self.orders.last_ms) - i128::from(self.orders.first_ms));
        }
    }

    /// Reads what [`Self::encode`] wrote. Parts that nobody has asked for yet are not looked at: one that turns out to
    /// be unreadable makes the state one of no program, which is made anew from history.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => read_state(bytes, rest).ok_or(DecodeError::Malformed),
            Some((format, _)) => Err(DecodeError::Format(*format)),
            None => Err(DecodeError::Malformed),
        }
    }
}

fn write_ahead(hashes: &[u64], out: &mut Writer) {
    for hash in hashes {
        out.0.extend_from_slice(&hash.to_le_bytes());
    }
}

fn write_answers(answers: &[Answer], out: &mut Writer) {
    let (dated, plain): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|answer| answer.date.is_some());
    out.count(plain.len());
    for answer in plain {
        out.fingerprint(answer.fingerprint);
    }
    for answer in dated {
        out.fingerprint(answer.fingerprint);
        out.signed(answer.date.unwrap_or_default().into());
    }
}

fn read_answers(reader: &mut Reader<'_>) -> Option<Vec<Answer>> {
    let count = reader.count(6)?;
    let mut answers = Vec::with_capacity(count + reader.0.len() / 8);
    for _ in 0..count {
        answers.push(Answer { fingerprint: reader.fingerprint()?, date: None });
    }
    while !reader.0.is_empty() {
        answers.push(Answer { fingerprint: reader.fingerprint()?, date: Some(reader.key(0)?) });
    }
    answers.sort_unstable_by_key(|answer| answer.fingerprint);
    let is_unique = answers.windows(2).all(|pair| pair[0].fingerprint != pair[1].fingerprint);
    is_unique.then_some(answers)
}

fn read_state(bytes: &[u8], rest: &[u8]) -> Option<State> {
    let raw = Arc::from(bytes);
    let mut reader = Reader(rest);
    let version = reader.unsigned()?.try_into().ok()?;
    let zone = reader.unsigned()?.try_into().ok()?;
    let position = reader.unsigned()?;
    let now = reader.signed()?.try_into().ok()?;
    if !is_possible_key(now) && (now != i64::MIN || version != 0) {
        return None;
    }
    let answers_due = reader.due()?;
    let series = Table::decode(&raw, &mut reader)?;
    let frame = |reader: &mut Reader<'_>| -> Option<Range<usize>> {
        let length = reader.count(1)?;
        let start = bytes.len() - reader.0.len();
        reader.bytes(length)?;
        Some(start..start + length)
    };
    let answers = Lazy::raw(frame(&mut reader)?);
    let members = Lazy::raw(frame(&mut reader)?);
    let ahead_until = reader.due()?;
    let ahead = Lazy::raw(frame(&mut reader)?);
    let mut state = State {
        version,
        zone,
        position,
        now,
        due: NEVER,
        series,
        answers,
        answers_due,
        funnels: Vec::new(),
        orders: Summary::default(),
        members,
        ahead,
        ahead_until,
        raw,
        rare: bytes.len() - reader.0.len()..bytes.len(),
        origin: None,
        is_broken: false,
    };
    if !reader.0.is_empty() {
        read_rare(&mut reader, &mut state)?;
    }
    state.settle_due();
    state.origin = Some((version, zone, state.due));
    reader.0.is_empty().then_some(state)
}

fn read_rare(reader: &mut Reader<'_>, state: &mut State) -> Option<()> {
    for _ in 0..reader.count(8)? {
        let mut log = Log::new(reader.fingerprint()?);
        log.due = reader.due()?;
        let count = reader.count(2)?;
        if count > funnel::MAX_EVENTS {
            return None;
        }
        for _ in 0..count {
            let at = reader.key(log.entries.last().map_or(0, |(at, _)| *at))?;
            log.entries.push((at, reader.unsigned()?.try_into().ok()?));
        }
        let follows = state.funnels.last().is_none_or(|last| last.fingerprint < log.fingerprint);
        if !follows || !log.entries.is_sorted() {
            return None;
        }
        state.funnels.push(log);
    }
    state.orders.due = reader.due()?;
    for _ in 0..reader.count(2)? {
        let at = reader.key(0)?;
        state.orders.pending.push((at, reader.sum()?));
    }
    if !state.orders.pending.is_sorted() {
        return None;
    }
    state.orders.count = reader.unsigned()?.try_into().ok()?;
    if state.orders.count > 0 {
        state.orders.sum = reader.sum()?;
        state.orders.first_ms = reader.key(0)?;
        state.orders.last_ms = reader.key(state.orders.first_ms)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_are_decoded_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = State::decode(&bytes);
            bytes.insert(0, FORMAT);
            if let Ok(mut state) = State::decode(&bytes) {
                prop_assert_eq!(State::decode(&state.encode()), Ok(state.clone()));
                for fingerprint in state.series.fingerprints() {
                    state.series.get(fingerprint);
                }
                state.answers();
                state.membership();
                if !state.is_broken() {
                    let again = State::decode(&state.encode());
                    prop_assert_eq!(again, Ok(state));
                }
            }
        }
    }
}
