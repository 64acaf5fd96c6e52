//! The series of a state. Their rows have one width and stand in the order of their fingerprints, so that a series is
//! found, read and written while the others stay the bytes they were, however many there are.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::calendar::FIRST;
use crate::codec::{QUARTER, Reader, Writer};
use crate::series::{Series, partition};
use crate::window::NEVER;

/// Six bytes of a fingerprint and four that say when it is due; then where its body ends.
const ROW: usize = 10;
/// The length of all bodies. Where it is more than two bytes can say, all ends take as many as this.
const LENGTH: usize = 4;
/// In a row: time changes nothing.
const NEVER_CODE: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    stored: Stored,
    /// Those that somebody asked for, in the order of their fingerprints: what is stored of them does not count any more.
    /// Boxed, so that it takes little to put one between many.
    open: Vec<(u64, Box<Slot>)>,
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

impl Default for Table {
    fn default() -> Self {
        let stored = Stored { raw: Arc::default(), rows: 0..0, bodies: 0..0, width: width(0) };
        Self { stored, open: Vec::new(), due: NEVER, is_stale: false, is_broken: false }
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

    fn fingerprint(&self, place: usize) -> u64 {
        // Eight bytes are read at once, of which the upper two are not the fingerprint's.
        self.row(place).first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes) & ((1 << 48) - 1))
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

    fn due_code(&self, place: usize) -> u32 {
        let row = self.row(place);
        u32::from_le_bytes([row[6], row[7], row[8], row[9]])
    }

    /// When a series is due.
    fn due(&self, place: usize) -> i64 {
        match self.due_code(place) {
            NEVER_CODE => NEVER,
            code if code & 1 == 0 => quarter(code),
            code => self.due_and_body(place).map_or(quarter(code), |(due, _)| due),
        }
    }

    /// The same, and a series' bytes. If it is due at no quarter of an hour, the rest is before them.
    fn due_and_body(&self, place: usize) -> Option<(i64, &[u8])> {
        let mut reader = Reader(self.bodies(place..place + 1));
        let due = match self.due_code(place) {
            NEVER_CODE => NEVER,
            code if code & 1 == 0 => quarter(code),
            code => quarter(code).checked_add(i64::try_from(reader.unsigned()?).ok()?)?,
        };
        Some((due, reader.0))
    }

    /// Writes the bodies of a run of rows behind those that are written since `start`, and their rows.
    fn copy(&self, places: Range<usize>, width: usize, start: usize, out: &mut Writer, rows: &mut Writer) {
        let moved = (out.0.len() - start).wrapping_sub(self.end(places.start));
        out.0.extend_from_slice(self.bodies(places.clone()));
        let run = &self.raw[self.rows.clone()][places.start * self.width..places.end * self.width];
        if width != self.width {
            for row in run.chunks_exact(self.width) {
                let end = end_of(row).wrapping_add(moved).to_le_bytes();
                rows.0.extend_from_slice(&row[..ROW]);
                rows.0.extend_from_slice(&end[..width - ROW]);
            }
            return;
        }
        let first = rows.0.len();
        rows.0.extend_from_slice(run);
        if moved != 0 {
            for row in rows.0[first..].chunks_exact_mut(width) {
                let end = end_of(row).wrapping_add(moved).to_le_bytes();
                row[ROW..].copy_from_slice(&end[..width - ROW]);
            }
        }
    }

    fn read(&self, place: usize, is_broken: &mut bool) -> Slot {
        let read = self.due_and_body(place).and_then(|(due, body)| Some((due, Series::decode(body)?)));
        *is_broken |= read.is_none();
        let (due, series) = read.map_or((NEVER, None), |(due, series)| (due, Some(series)));
        Slot { place: Ok(place), due, series, is_changed: false }
    }
}

/// Bytes of a row, where all bodies take so many.
fn width(length: usize) -> usize {
    ROW + if u16::try_from(length).is_ok() { 2 } else { LENGTH }
}

/// Where the body of a row ends.
fn end_of(row: &[u8]) -> usize {
    match row[ROW..] {
        [low, high] => u16::from_le_bytes([low, high]).into(),
        [a, b, c, d] => usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX),
        _ => 0,
    }
}

/// When a row says that it is due, but for what is no quarter of an hour.
fn quarter(code: u32) -> i64 {
    FIRST + i64::from(code >> 1) * QUARTER
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
        let length = usize::try_from(u32::from_le_bytes(*reader.bytes(LENGTH)?.as_array()?)).ok()?;
        let width = width(length);
        let count = reader.count(width)?;
        let mut next = |length: usize| {
            let start = raw.len() - reader.0.len();
            reader.bytes(length).map(|_| start..start + length)
        };
        let bodies = next(length)?;
        let rows = next(count * width)?;
        let stored = Stored { raw: Arc::clone(raw), rows, bodies, width };
        if stored.end(count) != length {
            return None;
        }
        Some(Self { stored, open: Vec::new(), due, is_stale: false, is_broken: false })
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        let count = self.changed().fold(self.stored.count(), |count, (_, slot)| {
            count + usize::from(slot.series.is_some()) - usize::from(slot.place.is_ok())
        });
        out.due(self.next_due());
        let start = out.0.len();
        let mut width = self.stored.width;
        loop {
            out.0.extend_from_slice(&[0; LENGTH]);
            out.count(count);
            let bodies = out.0.len();
            let rows = self.encode_bodies(width, out);
            let length = out.0.len() - bodies;
            if width == self::width(length) {
                out.0[start..start + LENGTH].copy_from_slice(&length.to_le_bytes()[..LENGTH]);
                return out.0.extend_from_slice(&rows);
            }
            // Longer, or shorter, than these rows can say.
            width = self::width(length);
            out.0.truncate(start);
        }
    }

    /// Writes bodies, and returns their rows: what is stored as it was, between what was opened and changed.
    fn encode_bodies(&self, width: usize, out: &mut Writer) -> Vec<u8> {
        let mut rows = Writer(Vec::with_capacity((self.stored.count() + self.open.len()) * width));
        let (start, mut from) = (out.0.len(), 0);
        for (fingerprint, slot) in self.changed() {
            let (Ok(place) | Err(place)) = slot.place;
            self.stored.copy(from..place.max(from), width, start, out, &mut rows);
            from = from.max(place + usize::from(slot.place.is_ok()));
            let Some(series) = &slot.series else { continue };
            let (code, rest) = due_code(slot.due);
            if let Some(rest) = rest {
                out.unsigned(rest.into());
            }
            series.encode(out);
            rows.fingerprint(*fingerprint);
            rows.0.extend_from_slice(&code.to_le_bytes());
            rows.0.extend_from_slice(&(out.0.len() - start).to_le_bytes()[..width - ROW]);
        }
        self.stored.copy(from..self.stored.count(), width, start, out, &mut rows);
        rows.0
    }

    fn changed(&self) -> impl Iterator<Item = &(u64, Box<Slot>)> {
        self.open.iter().filter(|(_, slot)| slot.is_changed)
    }

    /// Whether one may be another than what is stored.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed().next().is_some()
    }

    fn find_open(&self, fingerprint: u64) -> Result<usize, usize> {
        self.open.binary_search_by_key(&fingerprint, |(fingerprint, _)| *fingerprint)
    }

    fn slot(&mut self, fingerprint: u64) -> &mut Slot {
        let found = self.find_open(fingerprint).unwrap_or_else(|at| {
            let slot = match self.stored.find(fingerprint) {
                Ok(place) => self.stored.read(place, &mut self.is_broken),
                place => Slot { place, due: NEVER, series: None, is_changed: false },
            };
            self.open.insert(at, (fingerprint, Box::new(slot)));
            at
        });
        &mut self.open[found].1
    }

    /// One that is there. What is changed of it is not written.
    pub(crate) fn get(&mut self, fingerprint: u64) -> Option<&mut Series> {
        self.slot(fingerprint).series.as_mut()
    }

    /// Changes the one there is, or one of nothing. `change` says when it is due then, or that it left it as it was. One
    /// of nothing goes.
    pub(crate) fn change(
        &mut self,
        fingerprint: u64,
        is_sum: bool,
        change: impl FnOnce(&mut Series) -> Option<i64>,
    ) {
        let slot = self.slot(fingerprint);
        let is_new = slot.series.is_none();
        let new = || Series { is_sum, ..Series::default() };
        let Some(due) = change(slot.series.get_or_insert_with(new)) else {
            slot.series.take_if(|_| is_new);
            return;
        };
        slot.series.take_if(|series| series.is_zero());
        slot.is_changed = true;
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
        let mut first = self.open.iter().map(|(_, slot)| slot.due).min().unwrap_or(NEVER);
        for place in 0..self.stored.count() {
            let due = self.stored.due(place);
            if due < first && self.find_open(self.stored.fingerprint(place)).is_err() {
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
        self.is_stale = true;
        for place in 0..self.stored.count() {
            if self.stored.due(place) <= due {
                self.slot(self.stored.fingerprint(place));
            }
        }
        self.open.iter().filter(|(_, slot)| slot.due <= due).map(|(fingerprint, _)| *fingerprint).collect()
    }

    /// All of them, in their order.
    pub(crate) fn fingerprints(&self) -> BTreeSet<u64> {
        let stored = (0..self.stored.count()).map(|place| self.stored.fingerprint(place));
        let stored = stored.filter(|fingerprint| self.find_open(*fingerprint).is_err());
        let open = self.open.iter().filter(|(_, slot)| slot.series.is_some());
        stored.chain(open.map(|(fingerprint, _)| *fingerprint)).collect()
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        for fingerprint in self.fingerprints().into_iter().filter(|fingerprint| !keep(*fingerprint)) {
            self.change(fingerprint, false, |series| {
                *series = Series::default();
                Some(NEVER)
            });
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// What is known of one, as bytes.
    fn bytes_of(&self, fingerprint: u64) -> Option<Cow<'_, [u8]>> {
        if let Some((_, slot)) = self.changed().find(|(open, _)| *open == fingerprint) {
            let mut out = Writer(Vec::new());
            slot.series.as_ref()?.encode(&mut out);
            return Some(Cow::Owned(out.0));
        }
        let place = self.stored.find(fingerprint).ok()?;
        Some(Cow::Borrowed(self.stored.due_and_body(place)?.1))
    }
}

/// What the series are, not when they are due.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |fingerprint: &u64| self.bytes_of(*fingerprint) == other.bytes_of(*fingerprint);
        let all = self.fingerprints();
        all == other.fingerprints() && all.iter().all(is_same)
    }
}
