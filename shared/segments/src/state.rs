//! What is kept of one profile: one compact value, to be stored beside it.

use std::collections::BTreeSet;

use predictions::Orders;

use crate::atom::Answer;
use crate::bits::Bits;
use crate::funnel::{self, Log};
use crate::orders::Summary;
use crate::program::Program;
use crate::series::{Series, is_possible_key};
use crate::window::NEVER;

/// The first byte of every encoded state.
const FORMAT: u8 = 1;
/// No amount is larger; keeps arithmetic on decoded states in bounds.
const MAX_AMOUNT: u128 = 1 << 124;

/// What is known of one profile: enough to carry its memberships on without its history.
///
/// States are equal if what they know is equal; neither the clock nor the position counts, so that a
/// caller who finds a state unchanged need not write it: what was applied since changes nothing when it
/// is applied again.
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
    /// In the order of their fingerprints, none of them zero.
    pub(crate) series: Vec<Series>,
    /// In the order of their fingerprints.
    pub(crate) answers: Vec<Answer>,
    /// In the order of their fingerprints, none of them empty.
    pub(crate) funnels: Vec<Log>,
    pub(crate) orders: Summary,
    pub(crate) members: BTreeSet<String>,
    /// Events that the last rebuild counted and that may still come: hash and when they arrived.
    pub(crate) ahead: Vec<(u64, i64)>,
    /// The program the fields below were made for; 0 is none.
    pub(crate) bound_to: u64,
    /// What each condition of that program says.
    pub(crate) truths: Bits,
    /// For each answer, not later than when it changes.
    pub(crate) answers_due: Vec<i64>,
}

/// A part of a state that has its own due instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// By its fingerprint.
    Series(u64),
    /// By its fingerprint.
    Funnel(u64),
    Orders,
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
        let series = |state: &Self| {
            state
                .series
                .iter()
                .map(|one| (one.fingerprint, one.is_sum, one.base, one.entries.clone(), one.pending.clone()))
                .collect::<Vec<_>>()
        };
        (self.version, self.zone, self.due) == (other.version, other.zone, other.due)
            && self.members == other.members
            && self.answers == other.answers
            && self.ahead == other.ahead
            && self.orders == other.orders
            && self
                .funnels
                .iter()
                .map(|log| (log.fingerprint, &log.entries))
                .eq(other.funnels.iter().map(|log| (log.fingerprint, &log.entries)))
            && series(self) == series(other)
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
            series: Vec::new(),
            answers: Vec::new(),
            funnels: Vec::new(),
            orders: Summary::default(),
            members: BTreeSet::new(),
            ahead: Vec::new(),
            bound_to: 0,
            truths: Bits::default(),
            answers_due: Vec::new(),
        }
    }

    /// Everything that events are counted in.
    pub(crate) fn parts(&self) -> Vec<Part> {
        self.parts_due(NEVER)
    }

    /// What is due at an instant.
    pub(crate) fn parts_due(&self, due: i64) -> Vec<Part> {
        let series = self.series.iter().filter(|series| series.due <= due);
        let funnels = self.funnels.iter().filter(|log| log.due <= due);
        let orders = (self.orders.due <= due && !self.orders.is_empty()).then_some(Part::Orders);
        series
            .map(|series| Part::Series(series.fingerprint))
            .chain(funnels.map(|log| Part::Funnel(log.fingerprint)))
            .chain(orders)
            .collect()
    }

    /// The version of the program it was last brought up to; 0 if none.
    pub fn program_version(&self) -> u64 {
        self.version
    }

    /// The ids of the segments the profile belongs to, in order.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    /// Whether the profile belongs to the segment.
    pub fn is_member(&self, segment_id: &str) -> bool {
        self.members.contains(segment_id)
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

    /// The state as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(512));
        out.0.push(FORMAT);
        out.unsigned(self.version.into());
        out.unsigned(self.zone.into());
        out.unsigned(self.position);
        out.signed(self.now.into());
        let due = if self.due == NEVER { 0 } else { i128::from(self.due) - i128::from(self.now) + 1 };
        out.signed(due);
        out.count(self.series.len());
        for series in &self.series {
            out.fingerprint(series.fingerprint);
            let flags =
                [series.is_sum, series.base != 0, !series.entries.is_empty(), !series.pending.is_empty()];
            out.0.push(flags.iter().enumerate().map(|(bit, set)| u8::from(*set) << bit).sum());
            if series.base != 0 {
                out.amount(series.base, series.is_sum);
            }
            for amounts in
                [&series.entries, &series.pending].into_iter().filter(|amounts| !amounts.is_empty())
            {
                out.count(amounts.len());
                let mut previous = 0;
                for (key, amount) in amounts {
                    out.signed(i128::from(*key) - previous);
                    previous = (*key).into();
                    out.amount(*amount, series.is_sum);
                }
            }
        }
        let (dated, plain): (Vec<&Answer>, Vec<&Answer>) =
            self.answers.iter().partition(|answer| answer.date.is_some());
        out.count(plain.len());
        for answer in plain {
            out.fingerprint(answer.fingerprint);
        }
        out.count(dated.len());
        for answer in dated {
            out.fingerprint(answer.fingerprint);
            out.signed(answer.date.unwrap_or_default().into());
        }
        let (short, long): (Vec<_>, Vec<_>) =
            self.members.iter().map(|id| pack(id).ok_or(id)).partition(Result::is_ok);
        out.count(short.len());
        for id in short.into_iter().flatten() {
            out.0.extend_from_slice(&id.to_le_bytes());
        }
        out.count(long.len());
        for id in long.into_iter().filter_map(Result::err) {
            out.count(id.len());
            out.0.extend_from_slice(id.as_bytes());
        }
        out.count(self.ahead.len());
        for (hash, ingested) in &self.ahead {
            out.0.extend_from_slice(&hash.to_le_bytes());
            out.signed(i128::from(self.now) - i128::from(*ingested));
        }
        if !self.funnels.is_empty() || !self.orders.is_empty() {
            self.encode_rare(&mut out);
        }
        out.0
    }

    /// What few accounts ask for.
    fn encode_rare(&self, out: &mut Writer) {
        out.count(self.funnels.len());
        for log in &self.funnels {
            out.fingerprint(log.fingerprint);
            out.count(log.entries.len());
            let mut previous = 0;
            for (at, steps) in &log.entries {
                out.signed(i128::from(*at) - previous);
                previous = (*at).into();
                out.unsigned((*steps).into());
            }
        }
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

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => Reader(rest).state().ok_or(DecodeError::Malformed),
            Some((format, _)) => Err(DecodeError::Format(*format)),
            None => Err(DecodeError::Malformed),
        }
    }
}

/// Six letters and digits as one number: the usual shape of a segment's id.
fn pack(id: &str) -> Option<u32> {
    if id.len() != 6 {
        return None;
    }
    id.bytes().try_fold(0_u32, |packed, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            _ => return None,
        };
        Some(packed * 36 + u32::from(digit))
    })
}

fn unpack(mut packed: u32) -> Option<String> {
    let mut id = [0; 6];
    for place in id.iter_mut().rev() {
        let digit = u8::try_from(packed % 36).ok()?;
        *place = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
        packed /= 36;
    }
    (packed == 0).then(|| id.iter().copied().map(char::from).collect())
}

/// Writes integers in as many bytes as they need.
struct Writer(Vec<u8>);

impl Writer {
    fn unsigned(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    fn signed(&mut self, value: i128) {
        self.unsigned((value << 1 ^ value >> 127).cast_unsigned());
    }

    fn count(&mut self, count: usize) {
        self.unsigned(count as u128);
    }

    fn fingerprint(&mut self, fingerprint: u64) {
        self.0.extend_from_slice(&fingerprint.to_le_bytes()[..6]);
    }

    fn amount(&mut self, amount: i128, is_sum: bool) {
        if !is_sum {
            return self.signed(amount);
        }
        // Sums have ten decimals, most of them zeros: their number takes four bits.
        let (mut digits, mut zeros) = (amount, 0_u8);
        while zeros < 15 && digits != 0 && digits % 10 == 0 {
            digits /= 10;
            zeros += 1;
        }
        self.signed(digits << 4 | i128::from(zeros));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn state(mut self) -> Option<State> {
        let mut state = State::new();
        state.version = self.unsigned()?.try_into().ok()?;
        state.zone = self.unsigned()?.try_into().ok()?;
        state.position = self.unsigned()?;
        state.now = self.signed()?.try_into().ok()?;
        if !is_possible_key(state.now) && (state.now != i64::MIN || state.version != 0) {
            return None;
        }
        state.due = match self.signed()? {
            0 => NEVER,
            ahead => i64::try_from(i128::from(state.now).checked_add(ahead)?.checked_sub(1)?).ok()?,
        };
        for _ in 0..self.count(8)? {
            let series = self.series()?;
            if state.series.last().is_some_and(|last| last.fingerprint >= series.fingerprint) {
                return None;
            }
            state.series.push(series);
        }
        for dated in [false, true] {
            for _ in 0..self.count(6)? {
                let fingerprint = self.fingerprint()?;
                let date = if dated { Some(self.key(0)?) } else { None };
                state.answers.push(Answer { fingerprint, date });
            }
        }
        state.answers.sort_unstable_by_key(|answer| answer.fingerprint);
        if state.answers.windows(2).any(|pair| pair[0].fingerprint == pair[1].fingerprint) {
            return None;
        }
        for _ in 0..self.count(4)? {
            let packed = u32::from_le_bytes(self.bytes(4)?.try_into().ok()?);
            state.members.insert(unpack(packed)?);
        }
        for _ in 0..self.count(1)? {
            let length = self.count(1)?;
            state.members.insert(std::str::from_utf8(self.bytes(length)?).ok()?.to_owned());
        }
        for _ in 0..self.count(9)? {
            let hash = u64::from_le_bytes(self.bytes(8)?.try_into().ok()?);
            let ingested = i128::from(state.now).checked_sub(self.signed()?)?;
            state.ahead.push((hash, ingested.try_into().ok()?));
        }
        if !state.ahead.is_sorted_by(|one, next| one.0 < next.0) {
            return None;
        }
        if !self.0.is_empty() {
            self.rare(&mut state)?;
        }
        self.0.is_empty().then_some(state)
    }

    fn rare(&mut self, state: &mut State) -> Option<()> {
        for _ in 0..self.count(7)? {
            let mut log = Log::new(self.fingerprint()?);
            let count = self.count(2)?;
            if count > funnel::MAX_EVENTS {
                return None;
            }
            for _ in 0..count {
                let at = self.key(log.entries.last().map_or(0, |(at, _)| *at))?;
                log.entries.push((at, self.unsigned()?.try_into().ok()?));
            }
            let follows = state.funnels.last().is_none_or(|last| last.fingerprint < log.fingerprint);
            if !follows || !log.entries.is_sorted() {
                return None;
            }
            state.funnels.push(log);
        }
        for _ in 0..self.count(2)? {
            let at = self.key(0)?;
            state.orders.pending.push((at, self.sum()?));
        }
        if !state.orders.pending.is_sorted() {
            return None;
        }
        state.orders.count = self.unsigned()?.try_into().ok()?;
        if state.orders.count > 0 {
            state.orders.sum = self.sum()?;
            state.orders.first_ms = self.key(0)?;
            state.orders.last_ms = self.key(state.orders.first_ms)?;
        }
        Some(())
    }

    fn series(&mut self) -> Option<Series> {
        let mut series = Series { fingerprint: self.fingerprint()?, due: NEVER, ..Series::default() };
        let flags = self.bytes(1)?[0];
        if flags > 0b1111 {
            return None;
        }
        series.is_sum = flags & 1 != 0;
        if flags & 0b10 != 0 {
            series.base = self.amount(series.is_sum)?;
        }
        for (bit, amounts) in [(0b100, &mut series.entries), (0b1000, &mut series.pending)] {
            if flags & bit == 0 {
                continue;
            }
            let mut previous = None;
            for _ in 0..self.count(2)? {
                let key = self.key(previous.unwrap_or(0))?;
                if previous.is_some_and(|previous| key <= previous) {
                    return None;
                }
                previous = Some(key);
                amounts.push((key, self.amount(series.is_sum)?));
            }
        }
        Some(series)
    }

    fn bytes(&mut self, count: usize) -> Option<&[u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn unsigned(&mut self) -> Option<u128> {
        let mut value = 0_u128;
        for shift in (0..).step_by(7) {
            let byte = self.bytes(1)?[0];
            let bits = u128::from(byte & 0x7f);
            if shift > 127 || (bits << shift) >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                break;
            }
        }
        Some(value)
    }

    fn signed(&mut self) -> Option<i128> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// How many follow; each takes at least so many bytes.
    fn count(&mut self, least_bytes: usize) -> Option<usize> {
        let count = usize::try_from(self.unsigned()?).ok()?;
        (count.checked_mul(least_bytes)? <= self.0.len()).then_some(count)
    }

    fn fingerprint(&mut self) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes[..6].copy_from_slice(self.bytes(6)?);
        Some(u64::from_le_bytes(bytes))
    }

    fn key(&mut self, previous: i64) -> Option<i64> {
        let key = i64::try_from(self.signed()?.checked_add(previous.into())?).ok()?;
        is_possible_key(key).then_some(key)
    }

    /// A sum that may be nothing.
    fn sum(&mut self) -> Option<i128> {
        self.signed().filter(|sum| sum.unsigned_abs() <= MAX_AMOUNT)
    }

    fn amount(&mut self, is_sum: bool) -> Option<i128> {
        let value = self.signed()?;
        let amount = if is_sum {
            let zeros = u32::try_from(value & 0xf).ok()?;
            (value >> 4).checked_mul(10_i128.pow(zeros))?
        } else {
            value
        };
        (amount != 0 && amount.unsigned_abs() <= MAX_AMOUNT).then_some(amount)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_six_characters_take_four_bytes() {
        for id in ["000000", "ZZZZZZ", "Y6nRLr", "ABC123", "short", "longer id", ""] {
            if let Some(packed) = pack(id) {
                assert_eq!(unpack(packed).as_deref(), Some(id));
            }
        }
        assert!(pack("ABC123").is_some());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_decoded_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = State::decode(&bytes);
            bytes.insert(0, FORMAT);
            if let Ok(state) = State::decode(&bytes) {
                prop_assert_eq!(State::decode(&state.encode()), Ok(state));
            }
        }

        #[test]
        fn numbers_survive(value in any::<i128>(), amount in -(1_i128 << 100)..(1_i128 << 100), is_sum in any::<bool>()) {
            prop_assume!(amount != 0);
            let mut out = Writer(Vec::new());
            out.signed(value);
            out.amount(amount, is_sum);
            let mut reader = Reader(&out.0);
            prop_assert_eq!(reader.signed(), Some(value));
            prop_assert_eq!(reader.amount(is_sum), Some(amount));
            prop_assert!(reader.0.is_empty());
        }
    }
}
