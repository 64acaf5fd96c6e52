//! What is kept of the events that one or several conditions count.
//!
//! A series is what happened of one metric under one set of filters, as a count or a sum. It keeps only
//! what a window of its program can still tell apart: everything older is one number.

use std::iter;
use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};

use crate::amount::Threshold;
use crate::calendar::{self, Calendar, DAY, FIRST, HOUR, LAST, Present};
use crate::codec::{Reader, Writer};
use crate::definition::{Span, Unit, Window};
use crate::property::Path;
use crate::window::{Moment, NEVER, Yearly};

/// Amounts by key, in the order of the keys, none of them zero.
pub(crate) type Amounts = Vec<(i64, i128)>;

/// So many are added up as fast as looked up.
const FEW: usize = 8;

/// A series, as a state keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// A sum of values, not a count.
    pub(crate) is_sum: bool,
    /// All that is older than every window.
    pub(crate) base: i128,
    /// By day, instant or time of the year, as the plan says: what has happened.
    pub(crate) entries: Amounts,
    /// By instant: what is yet to happen.
    pub(crate) pending: Amounts,
}

/// How precisely a series is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// By day, as far back as the longest window of days; `None` if there is none.
    Days(Option<i64>),
    /// By instant, as far back as the longest window, in milliseconds.
    Hours(i64),
    /// By instant, what is yet to happen alone.
    Future,
    /// By month, day and time.
    Yearly,
}

/// A series, as a program asks for it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What identifies the series, across versions of the program: 48 bits.
    pub(crate) fingerprint: u64,
    pub(crate) is_sum: bool,
    /// Events are counted by this date of theirs, not by when they occurred.
    pub(crate) clock: Option<Path>,
    /// Events that occurred outside do not count.
    pub(crate) range: (i64, i64),
    pub(crate) detail: Detail,
    /// Whether anybody asks about what is older than every window.
    pub(crate) needs_base: bool,
    /// Nobody tells more than so many apart from so many, and all ask about what was last: what is older than the
    /// newest so many is forgotten.
    pub(crate) cap: Option<i128>,
    pub(crate) measures: Vec<Measure>,
}

/// A window over a series and the conditions on it.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) window: MeasureWindow,
    /// The program version since which every program has had it.
    pub(crate) since: u64,
    pub(crate) conditions: Vec<(u32, Threshold)>,
}

/// The windows over a series; fixed ranges belong to the series itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MeasureWindow {
    Alltime,
    Window(Window),
    Yearly(Yearly),
}

impl Plan {
    /// Whether a window holds what happened at an instant.
    pub(crate) fn counts(&self, window: MeasureWindow, occurred: i64, present: Present<'_>) -> bool {
        let Present { now, calendar, .. } = present;
        let is_past = occurred <= now;
        (self.range.0..self.range.1).contains(&occurred)
            && match window {
                MeasureWindow::Alltime => is_past,
                MeasureWindow::Window(window) => {
                    let (from, until) = window.holds_during(Moment::At(occurred), calendar);
                    (is_past || matches!(window, Window::InTheNext(_))) && (from..until).contains(&now)
                }
                MeasureWindow::Yearly(yearly) => {
                    is_past && yearly.holds(calendar.local(occurred), now, calendar)
                }
            }
    }
}

pub(crate) fn add(amounts: &mut Amounts, key: i64, amount: i128) {
    if amount == 0 {
        return;
    }
    // New events are mostly the newest.
    let place = match amounts.last() {
        Some((last, _)) if *last < key => Err(amounts.len()),
        _ => amounts.binary_search_by_key(&key, |(key, _)| *key),
    };
    match place {
        Ok(index) => {
            amounts[index].1 = amounts[index].1.wrapping_add(amount);
            if amounts[index].1 == 0 {
                amounts.remove(index);
            }
        }
        Err(index) => amounts.insert(index, (key, amount)),
    }
}

fn total(amounts: &[(i64, i128)]) -> i128 {
    amounts.iter().fold(0, |sum, (_, amount)| sum.wrapping_add(*amount))
}

impl Series {
    pub(crate) fn is_zero(&self) -> bool {
        self.base == 0 && self.entries.is_empty() && self.pending.is_empty()
    }

    /// Adds an event; whether that changed anything. The present must be the state's.
    pub(crate) fn add(&mut self, plan: &Plan, occurred: i64, amount: i128, present: Present<'_>) -> bool {
        if amount == 0 || !(plan.range.0..plan.range.1).contains(&occurred) {
            return false;
        }
        if plan.detail == Detail::Future {
            if occurred < present.now {
                return false;
            }
            add(&mut self.entries, occurred, amount);
        } else if occurred > present.now {
            add(&mut self.pending, occurred, amount);
        } else {
            return self.happened(plan, occurred, amount, present);
        }
        true
    }

    fn happened(&mut self, plan: &Plan, occurred: i64, amount: i128, present: Present<'_>) -> bool {
        let key = match plan.detail {
            Detail::Days(None) => None,
            Detail::Days(Some(days)) => {
                Some(present.calendar.day_of(occurred)).filter(|day| *day >= present.today - days)
            }
            Detail::Hours(millis) => Some(occurred).filter(|occurred| *occurred >= present.now - millis),
            Detail::Yearly => Some(time_of_year(occurred, present.calendar)),
            Detail::Future => return false,
        };
        if let Some(key) = key {
            add(&mut self.entries, key, amount);
            self.trim(plan);
            // Where there is a cap, what is older than the newest so many is forgotten at once.
            return plan.cap.is_none() || self.entries.first().is_some_and(|(first, _)| *first <= key);
        }
        if plan.needs_base {
            self.base = self.base.wrapping_add(amount);
        }
        plan.needs_base
    }

    fn trim(&mut self, plan: &Plan) {
        let Some(cap) = plan.cap else { return };
        let mut sum = 0;
        let enough = self.entries.iter().rposition(|(_, amount)| {
            sum += amount;
            sum >= cap
        });
        if let Some(enough) = enough {
            self.entries.drain(..enough);
        }
    }

    /// Lets happen what is due and forgets what no window can tell apart any more.
    pub(crate) fn settle(&mut self, plan: &Plan, present: Present<'_>) {
        let due = self.pending.partition_point(|(at, _)| *at <= present.now);
        if due > 0 {
            for (at, amount) in self.pending.drain(..due).collect::<Amounts>() {
                self.happened(plan, at, amount, present);
            }
        }
        let oldest = match plan.detail {
            Detail::Days(None) => NEVER,
            Detail::Days(Some(days)) => present.today - days,
            Detail::Hours(millis) => present.now - millis,
            Detail::Future => present.now,
            Detail::Yearly => return,
        };
        let old = self.entries.partition_point(|(key, _)| *key < oldest);
        if old > 0 {
            if plan.detail != Detail::Future {
                self.base = self.base.wrapping_add(total(&self.entries[..old]));
            }
            self.entries.drain(..old);
        }
        if !plan.needs_base {
            self.base = 0;
        }
    }

    /// What is known of it, as bytes. Its fingerprint and when it is due are kept beside them.
    pub(crate) fn encode(&self, out: &mut Writer) {
        let flags = [self.is_sum, self.base != 0, !self.entries.is_empty(), !self.pending.is_empty()];
        out.0.push(flags.iter().enumerate().map(|(bit, set)| u8::from(*set) << bit).sum());
        if self.base != 0 {
            out.amount(self.base, self.is_sum);
        }
        for amounts in [&self.entries, &self.pending].into_iter().filter(|amounts| !amounts.is_empty()) {
            out.count(amounts.len());
            let mut previous = 0;
            for (key, amount) in amounts {
                out.small_signed(*key - previous);
                previous = *key;
                out.amount(*amount, self.is_sum);
            }
        }
    }

    /// Reads what [`Self::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let mut series = Self::default();
        let flags = reader.bytes(1)?[0];
        if flags > 0b1111 {
            return None;
        }
        series.is_sum = flags & 1 != 0;
        if flags & 0b10 != 0 {
            series.base = reader.amount(series.is_sum)?;
        }
        for (bit, amounts) in [(0b100, &mut series.entries), (0b1000, &mut series.pending)] {
            if flags & bit == 0 {
                continue;
            }
            let count = reader.count(2)?;
            *amounts = Vec::with_capacity(count + 1);
            let mut key = 0;
            for place in 0..count {
                let previous = key;
                key = reader.key(previous)?;
                if place > 0 && key <= previous {
                    return None;
                }
                amounts.push((key, reader.amount(series.is_sum)?));
            }
        }
        reader.0.is_empty().then_some(series)
    }

    /// A look at one window over the series, which must have been settled.
    pub(crate) fn glance<'a>(&'a self, plan: &Plan, present: Present<'a>) -> View<'a> {
        let by_day = matches!(plan.detail, Detail::Days(_));
        View { series: self, by_day, sums: Vec::new(), is_positive: false, present }
    }

    /// A look at many windows, and at when they change.
    pub(crate) fn view<'a>(&'a self, plan: &Plan, present: Present<'a>) -> View<'a> {
        let mut view = self.glance(plan, present);
        let items = || self.entries.iter().chain(&self.pending);
        view.is_positive = items().all(|(_, amount)| *amount > 0);
        if self.entries.len() + self.pending.len() > FEW {
            let mut sum = 0_i128;
            let after = items().map(|(_, amount)| {
                sum = sum.wrapping_add(*amount);
                sum
            });
            view.sums = iter::once(0).chain(after).collect();
        }
        view
    }
}

/// A series at an instant, prepared for many windows.
pub(crate) struct View<'a> {
    series: &'a Series,
    by_day: bool,
    /// The sum of all items before each place; empty at a glance, and where there are few.
    sums: Vec<i128>,
    /// Whether every item adds.
    is_positive: bool,
    present: Present<'a>,
}

impl View<'_> {
    /// The place of the first entry that is not before the key.
    fn below(&self, key: i64) -> usize {
        self.series.entries.partition_point(|(found, _)| *found < key)
    }

    /// Items are the entries and, after them, what is pending: in the order of time.
    fn items(&self) -> usize {
        self.series.entries.len() + self.series.pending.len()
    }

    /// The sum of the items from a place up to and excluding another.
    fn sum(&self, from: usize, until: usize) -> i128 {
        if from >= until {
            return 0;
        }
        if !self.sums.is_empty() {
            return self.sums[until].wrapping_sub(self.sums[from]);
        }
        let Series { entries, pending, .. } = self.series;
        let happened = entries.len();
        let past = total(&entries[from.min(happened)..until.min(happened)]);
        past.wrapping_add(total(&pending[from.max(happened) - happened..until.max(happened) - happened]))
    }

    /// The places of the entries that a window holds now: those that have come into it and not left it.
    fn held(&self, window: MeasureWindow) -> Range<usize> {
        let Present { now, today, calendar } = self.present;
        let happened = self.series.entries.len();
        let MeasureWindow::Window(window) = window else { return 0..happened };
        match window {
            Window::InTheLast(Span { unit: Unit::Hour, quantity }) => {
                self.below(now - quantity * HOUR)..happened
            }
            Window::InTheLast(span) => self.below(span.before(today))..happened,
            Window::AtLeast(Span { unit: Unit::Hour, quantity }) => 0..self.below(now - quantity * HOUR),
            Window::AtLeast(span) => 0..self.below(span.before(today)),
            Window::InTheNext(Span { unit: Unit::Hour, quantity }) => {
                self.below(now)..self.below(now + quantity * HOUR + 1)
            }
            Window::InTheNext(span) => self.below(now)..self.below(calendar.start_of(span.after(today) + 1)),
            Window::Between { unit: Unit::Hour, from, to } => {
                self.below(now - to * HOUR)..self.below(now - from * HOUR + 1)
            }
            Window::Between { unit, from, to } => {
                let (from, to) = (Span { unit, quantity: from }, Span { unit, quantity: to });
                self.below(to.before(today))..self.below(from.before(today) + 1)
            }
        }
    }

    /// What the window holds now.
    pub(crate) fn measure(&self, window: MeasureWindow) -> i128 {
        self.look(window).0
    }

    /// The same, with the places of the entries.
    pub(crate) fn look(&self, window: MeasureWindow) -> (i128, Range<usize>) {
        let Present { now, calendar, .. } = self.present;
        if let MeasureWindow::Yearly(yearly) = window {
            let holds = |key| in_some_year(key).is_some_and(|local| yearly.holds(local, now, calendar));
            let entries = self.series.entries.iter().filter(|(key, _)| holds(*key));
            return (entries.fold(0, |sum, (_, amount)| sum.wrapping_add(*amount)), 0..0);
        }
        let held = self.held(window);
        let sum = self.sum(held.start, held.end);
        let has_base = matches!(window, MeasureWindow::Alltime | MeasureWindow::Window(Window::AtLeast(_)));
        (if has_base { self.series.base.wrapping_add(sum) } else { sum }, held)
    }

    /// An instant after the present, not later than the next at which time alone changes what the conditions say of
    /// the amount that the window holds; or `limit`, if that is not later.
    pub(crate) fn next_flip(
        &self,
        window: MeasureWindow,
        (amount, held): (i128, Range<usize>),
        conditions: &[(u32, Threshold)],
        limit: i64,
    ) -> i64 {
        let Present { now, calendar, .. } = self.present;
        let Series { entries, pending, .. } = self.series;
        if pending.is_empty() && (entries.is_empty() || window == MeasureWindow::Alltime) {
            return limit;
        }
        if let MeasureWindow::Yearly(yearly) = window {
            let next = pending.first().map_or(limit, |(at, _)| limit.min(*at));
            return entries
                .iter()
                .filter_map(|(key, _)| in_some_year(*key))
                .map(|local| yearly.next_change(local, now, calendar))
                .fold(next, i64::min);
        }
        let items = self.items();
        let come = |place: usize| self.when(window, place).0;
        let gone = |place: usize| self.when(window, place).1;
        let Range { start: mut first, mut end } = held;
        let next_come = if end < items { come(end) } else { NEVER };
        let next_gone = if first < items { gone(first) } else { NEVER };
        if next_come.min(next_gone) >= limit {
            return limit;
        }
        let says = |amount: i128| conditions.iter().map(move |(_, threshold)| threshold.holds(amount));
        let mut then = amount;
        loop {
            // Items come in their order, and go in it. Until the first of these two places nothing flips: what comes adds
            // no more than all before it do, and what goes takes no more.
            let (mut rises, mut falls) = (items, items);
            if self.is_positive {
                for (_, threshold) in conditions {
                    let side = threshold.side(then);
                    let is_same = |change: i128| threshold.side(then.wrapping_add(change)) == side;
                    rises = partition(end..rises, |place| is_same(self.sum(end, place + 1)));
                    falls =
                        partition(first..falls, |place| is_same(self.sum(first, place + 1).wrapping_neg()));
                }
            } else {
                (rises, falls) = (end, first);
            }
            let rise = if rises < items { come(rises) } else { NEVER };
            let fall = if falls < items { gone(falls) } else { NEVER };
            let next = rise.min(fall);
            if next >= limit {
                return limit;
            }
            let came = if rise == next { rises + 1..items } else { end..rises };
            let went = if fall == next { falls + 1..items } else { first..falls };
            let came = partition(came, |place| come(place) <= next);
            let went = partition(went, |place| gone(place) <= next);
            then = then.wrapping_add(self.sum(end, came)).wrapping_sub(self.sum(first, went));
            (first, end) = (went, came);
            if !says(then).eq(says(amount)) {
                return next;
            }
        }
    }

    /// From when until when a window holds an item.
    fn when(&self, window: MeasureWindow, place: usize) -> (i64, i64) {
        let Series { entries, pending, .. } = self.series;
        let (moment, happens) = match entries.get(place) {
            Some((day, _)) if self.by_day => (Moment::Day(*day), i64::MIN),
            Some((at, _)) => (Moment::At(*at), i64::MIN),
            None => {
                let at = pending[place - entries.len()].0;
                (Moment::At(at), at)
            }
        };
        match window {
            MeasureWindow::Window(window) => {
                let (from, until) = window.holds_during(moment, self.present.calendar);
                (from.max(happens), until)
            }
            MeasureWindow::Alltime | MeasureWindow::Yearly(_) => (happens, NEVER),
        }
    }
}

/// The first of the places for which something does not hold that holds for all before.
pub(crate) fn partition(places: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (places.start, places.end);
    // Often it is the first.
    if low < high && !holds(low) {
        return low;
    }
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Month, day and time of an instant as one number.
fn time_of_year(instant: i64, calendar: &Calendar) -> i64 {
    let local = calendar.local(instant);
    (i64::from(local.month()) * 32 + i64::from(local.day())) * DAY + calendar::since_midnight(local.time())
}

/// That month, day and time, in a leap year, which has them all.
fn in_some_year(key: i64) -> Option<DateTime> {
    let (day, of_day) = (key.div_euclid(DAY), key.rem_euclid(DAY));
    let date = Date::new(2000, i8::try_from(day / 32).ok()?, i8::try_from(day % 32).ok()?).ok()?;
    let time = Time::midnight().wrapping_add(jiff::SignedDuration::from_millis(of_day));
    Some(date.to_datetime(time))
}

/// Whether a key may come from `add`: what is decoded is not trusted.
pub(crate) fn is_possible_key(key: i64) -> bool {
    (FIRST..=LAST).contains(&key)
}
