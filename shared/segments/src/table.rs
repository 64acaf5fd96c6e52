//! The series of a state. Their rows have one width and stand in the order of their fingerprints, so that a series is
//! found, read and written while the others stay the bytes they were, however many there are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::calendar::FIRST;
use crate::codec::{QUARTER, Reader, Writer};
use crate::series::{Series, partition};
use crate::window::NEVER;

/// Six bytes of a fingerprint and four that say when it is due; then where its body ends.
const ROW: usize = 10;
/// Where bodies are longer than two bytes can say, all ends take four.
const NARROW: usize = 2;
const WIDE: usize = 4;
/// Most bodies take less.
const BODY: usize = 128;
/// In a row: time changes nothing.
const NEVER_CODE: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    stored: Stored,
    /// Those that somebody asked for, by their fingerprints: what is stored of them does not count any more.
    open: BTreeMap<u64, Slot>,
    /// When the first of them is due, unless that is stale.
    due: i64,
    is_stale: bool,
    /// Whether one turned out to be unreadable.
    is_broken: bool,
}

#[derive(Clone, Debug)]
struct Slot {
    /// Where its row is, or would be.
    place: Result<usize, usize>,
    /// Not later than the next instant at which time alone changes what conditions say of it.
    due: i64,
    /// None of them is zero: then there is none.
    series: Option<Series>,
    /// Whether it may be another than what is stored.
    is_changed: bool,
}

/// The series as they were read.
#[derive(Clone, Debug)]
struct Stored {
    raw: Arc<[u8]>,
    rows: Range<usize>,
    bodies: Range<usize>,
    /// Bytes of a row.
    width: usize,
}

/// What is written: a run of rows as they were, or one that was opened, with the place of its body.
enum Piece {
    Stored(Range<usize>),
    Open { fingerprint: u64, due: i64, body: Range<usize> },
}

impl Default for Table {
    fn default() -> Self {
        let stored = Stored { raw: Arc::default(), rows: 0..0, bodies: 0..0, width: ROW + NARROW };
        Self { stored, open: BTreeMap::new(), due: NEVER, is_stale: false, is_broken: false }
    }
}

impl Stored {
    fn count(&self) -> usize {
        self.rows.len() / self.width
    }

    fn row(&self, place: usize) -> &[u8] {
        let start = self.rows.start + place * self.width;
        &self.raw[start..start + self.width]
    }

    fn rows(&self, places: Range<usize>) -> &[u8] {
        &self.raw[self.rows.clone()][places.start * self.width..places.end * self.width]
    }

    fn fingerprint(&self, place: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..6].copy_from_slice(&self.row(place)[..6]);
        u64::from_le_bytes(bytes)
    }

    fn find(&self, fingerprint: u64) -> Result<usize, usize> {
        let place = partition(0..self.count(), |place| self.fingerprint(place) < fingerprint);
        let is_there = place < self.count() && self.fingerprint(place) == fingerprint;
        if is_there { Ok(place) } else { Err(place) }
    }

    /// Where the bodies of the rows before a place end, counted from the first.
    fn end(&self, place: usize) -> usize {
        let Some(last) = place.checked_sub(1) else { return 0 };
        end_of(self.row(last))
    }

    /// The bodies of a run of rows; nothing if they are nowhere.
    fn bodies(&self, places: Range<usize>) -> &[u8] {
        self.raw[self.bodies.clone()].get(self.end(places.start)..self.end(places.end)).unwrap_or_default()
    }

    /// When a series is due; if that is no quarter of an hour, the rest is before its bytes.
    fn due(&self, place: usize) -> i64 {
        let row = self.row(place);
        let code = u32::from_le_bytes([row[6], row[7], row[8], row[9]]);
        if code == NEVER_CODE {
            return NEVER;
        }
        let quarter = FIRST + i64::from(code >> 1) * QUARTER;
        if code & 1 == 0 {
            return quarter;
        }
        let rest = Reader(self.bodies(place..place + 1)).unsigned();
        rest.and_then(|rest| quarter.checked_add(i64::try_from(rest).ok()?)).unwrap_or(quarter)
    }

    /// A series' bytes.
    fn body(&self, place: usize) -> Option<&[u8]> {
        let mut reader = Reader(self.bodies(place..place + 1));
        if self.row(place)[6] & 1 != 0 && self.due(place) != NEVER {
            reader.unsigned()?;
        }
        Some(reader.0)
    }

    fn read(&self, place: usize, is_broken: &mut bool) -> Slot {
        let series = self.body(place).and_then(Series::decode);
        *is_broken |= series.is_none();
        Slot { place: Ok(place), due: self.due(place), series, is_changed: false }
    }
}

/// Where the body of a row ends.
fn end_of(row: &[u8]) -> usize {
    match row[ROW..] {
        [low, high] => u16::from_le_bytes([low, high]).into(),
        [a, b, c, d] => usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX),
        _ => 0,
    }
}

/// As a row says it; what is no quarter of an hour has the rest before its body.
fn due_code(due: i64) -> (u32, Option<u64>) {
    if due == NEVER {
        return (NEVER_CODE, None);
    }
    let past = due.saturating_sub(FIRST).max(0);
    let quarter = u32::try_from(past / QUARTER).unwrap_or(u32::MAX).min(NEVER_CODE >> 1);
    match past % QUARTER {
        0 => (quarter << 1, None),
        rest => (quarter << 1 | 1, Some(rest.cast_unsigned())),
    }
}

impl Table {
    /// Reads what [`Self::encode`] wrote, as the next part of `raw`.
    pub(crate) fn decode(raw: &Arc<[u8]>, reader: &mut Reader<'_>) -> Option<Self> {
        let due = reader.due()?;
        let is_wide = reader.bytes(1)?[0] != 0;
        let width = ROW + if is_wide { WIDE } else { NARROW };
        let count = reader.count(width)?;
        let mut next = |length: usize| {
            let start = raw.len() - reader.0.len();
            reader.bytes(length).map(|_| start..start + length)
        };
        let rows = next(count * width)?;
        let mut stored = Stored { raw: Arc::clone(raw), rows, bodies: 0..0, width };
        stored.bodies = next(stored.end(count))?;
        Some(Self { stored, open: BTreeMap::new(), due, is_stale: false, is_broken: false })
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        let mut bodies = Writer(Vec::with_capacity(4 * BODY));
        let pieces = self.pieces(&mut bodies);
        let (mut count, mut length) = (0, 0);
        for piece in &pieces {
            match piece {
                Piece::Stored(places) => {
                    count += places.len();
                    length += self.stored.bodies(places.clone()).len();
                }
                Piece::Open { body, .. } => {
                    count += 1;
                    length += body.len();
                }
            }
        }
        let is_wide = u16::try_from(length).is_err();
        let bytes = if is_wide { WIDE } else { NARROW };
        out.0.reserve(count * (ROW + bytes) + length + 16);
        out.due(self.next_due());
        out.0.push(u8::from(is_wide));
        out.count(count);
        let mut end = 0_usize;
        for piece in &pieces {
            match piece {
                Piece::Stored(places) => {
                    let moved = end.wrapping_sub(self.stored.end(places.start));
                    let rows = self.stored.rows(places.clone());
                    if moved == 0 && self.stored.width == ROW + bytes {
                        out.0.extend_from_slice(rows);
                    } else {
                        for row in rows.chunks_exact(self.stored.width) {
                            let mut written = [0; ROW + WIDE];
                            written[..ROW].copy_from_slice(&row[..ROW]);
                            let end = u32::try_from(end_of(row).wrapping_add(moved)).unwrap_or(u32::MAX);
                            written[ROW..].copy_from_slice(&end.to_le_bytes());
                            out.0.extend_from_slice(&written[..ROW + bytes]);
                        }
                    }
                    end += self.stored.bodies(places.clone()).len();
                }
                Piece::Open { fingerprint, due, body } => {
                    end += body.len();
                    out.fingerprint(*fingerprint);
                    out.0.extend_from_slice(&due_code(*due).0.to_le_bytes());
                    out.0.extend_from_slice(&end.to_le_bytes()[..bytes]);
                }
            }
        }
        for piece in pieces {
            out.0.extend_from_slice(match piece {
                Piece::Stored(places) => self.stored.bodies(places),
                Piece::Open { body, .. } => &bodies.0[body],
            });
        }
    }

    fn changed(&self) -> impl Iterator<Item = (&u64, &Slot)> {
        self.open.iter().filter(|(_, slot)| slot.is_changed)
    }

    fn pieces(&self, bodies: &mut Writer) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(2 * self.open.len() + 1);
        let mut from = 0;
        for (fingerprint, slot) in self.changed() {
            let (Ok(until) | Err(until)) = slot.place;
            pieces.push(Piece::Stored(from..until.max(from)));
            from = from.max(until + usize::from(slot.place.is_ok()));
            let Some(series) = &slot.series else { continue };
            let start = bodies.0.len();
            if let Some(rest) = due_code(slot.due).1 {
                bodies.unsigned(rest.into());
            }
            series.encode(bodies);
            let body = start..bodies.0.len();
            pieces.push(Piece::Open { fingerprint: *fingerprint, due: slot.due, body });
        }
        pieces.push(Piece::Stored(from..self.stored.count().max(from)));
        pieces
    }

    fn slot(&mut self, fingerprint: u64) -> &mut Slot {
        let Self { stored, open, is_broken, .. } = self;
        open.entry(fingerprint).or_insert_with(|| match stored.find(fingerprint) {
            Ok(place) => stored.read(place, is_broken),
            place => Slot { place, due: NEVER, series: None, is_changed: false },
        })
    }

    /// One that is there. What is changed of it is not written, unless it is settled.
    pub(crate) fn get(&mut self, fingerprint: u64) -> Option<&mut Series> {
        self.slot(fingerprint).series.as_mut()
    }

    /// The one there is, or one of nothing.
    /// It must be settled.
    pub(crate) fn get_or_insert(&mut self, fingerprint: u64, is_sum: bool) -> &mut Series {
        let new = || Series { is_sum, ..Series::default() };
        self.slot(fingerprint).series.get_or_insert_with(new)
    }

    /// Says when a series is due. One of nothing goes.
    pub(crate) fn settle(&mut self, fingerprint: u64, due: i64) {
        let slot = self.slot(fingerprint);
        slot.is_changed = true;
        slot.series.take_if(|series| series.is_zero());
        let due = if slot.series.is_some() { due } else { NEVER };
        let before = std::mem::replace(&mut slot.due, due);
        self.is_stale |= before == self.due && due > before;
        self.due = self.due.min(due);
    }

    /// When the first is due.
    pub(crate) fn next_due(&self) -> i64 {
        if !self.is_stale {
            return self.due;
        }
        let mut first = self.open.values().map(|slot| slot.due).min().unwrap_or(NEVER);
        for place in 0..self.stored.count() {
            let due = self.stored.due(place);
            if due < first && !self.open.contains_key(&self.stored.fingerprint(place)) {
                first = due;
            }
        }
        first
    }

    /// Finds out when the first is due.
    pub(crate) fn settle_due(&mut self) -> i64 {
        self.due = self.next_due();
        self.is_stale = false;
        self.due
    }

    /// Those that are due, in their order. Whoever asks makes that all are due later.
    pub(crate) fn late(&mut self, due: i64) -> Vec<u64> {
        let Self { stored, open, is_stale, is_broken, .. } = self;
        *is_stale = true;
        for place in (0..stored.count()).filter(|place| stored.due(*place) <= due) {
            open.entry(stored.fingerprint(place)).or_insert_with(|| stored.read(place, is_broken));
        }
        open.iter().filter(|(_, slot)| slot.due <= due).map(|(fingerprint, _)| *fingerprint).collect()
    }

    /// All of them, in their order.
    pub(crate) fn fingerprints(&self) -> BTreeSet<u64> {
        let stored = (0..self.stored.count()).map(|place| self.stored.fingerprint(place));
        let stored = stored.filter(|fingerprint| !self.open.contains_key(fingerprint));
        let open = self.open.iter().filter(|(_, slot)| slot.series.is_some());
        stored.chain(open.map(|(fingerprint, _)| *fingerprint)).collect()
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        for fingerprint in self.fingerprints().into_iter().filter(|fingerprint| !keep(*fingerprint)) {
            self.slot(fingerprint).series = None;
            self.settle(fingerprint, NEVER);
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// What is known of one, as bytes.
    fn bytes_of(&self, fingerprint: u64) -> Option<Cow<'_, [u8]>> {
        if let Some(slot) = self.open.get(&fingerprint).filter(|slot| slot.is_changed) {
            let mut out = Writer(Vec::with_capacity(BODY));
            slot.series.as_ref()?.encode(&mut out);
            return Some(Cow::Owned(out.0));
        }
        let place = self.stored.find(fingerprint).ok()?;
        Some(Cow::Borrowed(self.stored.body(place)?))
    }
}

/// What the series are, not when they are due.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |fingerprint: &u64| self.bytes_of(*fingerprint) == other.bytes_of(*fingerprint);
        if Arc::ptr_eq(&self.stored.raw, &other.stored.raw) {
            let changed = self.changed().chain(other.changed());
            return changed.map(|(fingerprint, _)| fingerprint).all(is_same);
        }
        let all = self.fingerprints();
        all == other.fingerprints() && all.iter().all(is_same)
    }
}
