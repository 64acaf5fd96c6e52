//! What is kept of the events that one or several conditions count.
//!
//! A series is what happened of one metric under one set of filters, as a count or a sum. It keeps only
//! what a window of its program can still tell apart: everything older is one number.

use jiff::civil::{Date, DateTime, Time};

use crate::amount::Threshold;
use crate::calendar::{Calendar, DAY, FIRST, HOUR, LAST};
use crate::definition::{Unit, Window};
use crate::window::{Moment, NEVER, Yearly};

/// Amounts by key, in the order of the keys, none of them zero.
pub(crate) type Amounts = Vec<(i64, i128)>;

/// A series, as a state keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// What identifies it, across versions of the program: 48 bits.
    pub(crate) fingerprint: u64,
    /// A sum of values, not a count.
    pub(crate) is_sum: bool,
    /// All that is older than every window.
    pub(crate) base: i128,
    /// By day, instant or time of the year, as the plan says: what has happened.
    pub(crate) entries: Amounts,
    /// By instant: what is yet to happen.
    pub(crate) pending: Amounts,
    /// Not later than the next instant at which time alone changes a truth. Derived.
    pub(crate) due: i64,
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
    pub(crate) fingerprint: u64,
    pub(crate) is_sum: bool,
    /// Events that occurred outside do not count.
    pub(crate) range: (i64, i64),
    pub(crate) detail: Detail,
    /// Whether anybody asks about what is older than every window.
    pub(crate) needs_base: bool,
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

    /// Adds an event. `now` must be the state's.
    pub(crate) fn add(&mut self, plan: &Plan, occurred: i64, amount: i128, now: i64, calendar: &Calendar) {
        if !(plan.range.0..plan.range.1).contains(&occurred) {
            return;
        }
        if plan.detail == Detail::Future {
            if occurred >= now {
                add(&mut self.entries, occurred, amount);
            }
        } else if occurred > now {
            add(&mut self.pending, occurred, amount);
        } else {
            self.happened(plan, occurred, amount, now, calendar);
        }
    }

    fn happened(&mut self, plan: &Plan, occurred: i64, amount: i128, now: i64, calendar: &Calendar) {
        let key = match plan.detail {
            Detail::Days(None) => None,
            Detail::Days(Some(days)) => {
                Some(calendar.day_of(occurred)).filter(|day| *day >= calendar.day_of(now) - days)
            }
            Detail::Hours(millis) => Some(occurred).filter(|occurred| *occurred >= now - millis),
            Detail::Yearly => Some(time_of_year(occurred, calendar)),
            Detail::Future => return,
        };
        match key {
            Some(key) => add(&mut self.entries, key, amount),
            None if plan.needs_base => self.base = self.base.wrapping_add(amount),
            None => {}
        }
    }

    /// Lets happen what is due and forgets what no window can tell apart any more.
    pub(crate) fn settle(&mut self, plan: &Plan, now: i64, calendar: &Calendar) {
        let due = self.pending.partition_point(|(at, _)| *at <= now);
        if due > 0 {
            for (at, amount) in self.pending.drain(..due).collect::<Amounts>() {
                self.happened(plan, at, amount, now, calendar);
            }
        }
        let oldest = match plan.detail {
            Detail::Days(None) => NEVER,
            Detail::Days(Some(days)) => calendar.day_of(now) - days,
            Detail::Hours(millis) => now - millis,
            Detail::Future => now,
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

    /// What the window holds now. The series must have been settled.
    pub(crate) fn measure(&self, window: MeasureWindow, now: i64, calendar: &Calendar) -> i128 {
        let entries = &self.entries;
        let below = |key: i64| entries.partition_point(|(found, _)| *found < key);
        match window {
            MeasureWindow::Alltime => self.base.wrapping_add(total(entries)),
            MeasureWindow::Window(window) => {
                let today = || calendar.day_of(now);
                match window {
                    Window::InTheLast(span) => match span.unit {
                        Unit::Day => total(&entries[below(today() - span.quantity)..]),
                        Unit::Hour => total(&entries[below(now - span.quantity * HOUR)..]),
                    },
                    Window::AtLeast(span) => self.base.wrapping_add(match span.unit {
                        Unit::Day => total(&entries[..below(today() - span.quantity)]),
                        Unit::Hour => total(&entries[..below(now - span.quantity * HOUR)]),
                    }),
                    Window::InTheNext(span) => {
                        let end = match span.unit {
                            Unit::Day => calendar.start_of(today() + span.quantity + 1),
                            Unit::Hour => now + span.quantity * HOUR + 1,
                        };
                        total(&entries[below(now)..below(end)])
                    }
                    Window::Between { unit: Unit::Day, from, to } => {
                        total(&entries[below(today() - to)..below(today() - from + 1)])
                    }
                    Window::Between { unit: Unit::Hour, from, to } => {
                        total(&entries[below(now - to * HOUR)..below(now - from * HOUR + 1)])
                    }
                }
            }
            MeasureWindow::Yearly(yearly) => entries
                .iter()
                .filter(|(key, _)| in_some_year(*key).is_some_and(|local| yearly.holds(local, now, calendar)))
                .fold(0, |sum, (_, amount)| sum.wrapping_add(*amount)),
        }
    }

    /// An instant after `now`, not later than the next at which time alone changes what the conditions say.
    pub(crate) fn next_flip(
        &self,
        plan: &Plan,
        window: MeasureWindow,
        conditions: &[(u32, Threshold)],
        now: i64,
        calendar: &Calendar,
    ) -> i64 {
        if self.pending.is_empty() && (self.entries.is_empty() || window == MeasureWindow::Alltime) {
            return NEVER;
        }
        if let MeasureWindow::Yearly(yearly) = window {
            let next = self.pending.first().map_or(NEVER, |(at, _)| *at);
            return self
                .entries
                .iter()
                .filter_map(|(key, _)| in_some_year(*key))
                .map(|local| yearly.next_change(local, now, calendar))
                .fold(next, i64::min);
        }
        let mut amount = self.measure(window, now, calendar);
        let held: Vec<bool> = conditions.iter().map(|(_, threshold)| threshold.holds(amount)).collect();
        let changes = self.changes(plan, window, now, calendar);
        let mut index = 0;
        while let Some((at, _)) = changes.get(index).copied() {
            while let Some((_, change)) = changes.get(index).filter(|(other, _)| *other == at) {
                amount = amount.wrapping_add(*change);
                index += 1;
            }
            let flips = |((_, threshold), held): (&(u32, Threshold), &bool)| threshold.holds(amount) != *held;
            if conditions.iter().zip(&held).any(flips) {
                return at;
            }
        }
        NEVER
    }

    /// How the measure will change, in the order of time, if nothing but time happens.
    fn changes(&self, plan: &Plan, window: MeasureWindow, now: i64, calendar: &Calendar) -> Amounts {
        let mut changes = Vec::with_capacity(2 * (self.entries.len() + self.pending.len()));
        let mut change = |from: i64, until: i64, amount: i128| {
            if from >= until {
                return;
            }
            if from > now {
                changes.push((from, amount));
            }
            if until > now && until != NEVER {
                changes.push((until, amount.wrapping_neg()));
            }
        };
        let by_day = matches!(plan.detail, Detail::Days(_));
        if let MeasureWindow::Window(window) = window {
            for (key, amount) in &self.entries {
                let moment = if by_day { Moment::Day(*key) } else { Moment::At(*key) };
                let (from, until) = window.holds_during(moment, calendar);
                change(from, until, *amount);
            }
        }
        for (at, amount) in &self.pending {
            let (from, until) = match window {
                MeasureWindow::Window(window) => window.holds_during(Moment::At(*at), calendar),
                MeasureWindow::Alltime | MeasureWindow::Yearly(_) => (*at, NEVER),
            };
            change(from.max(*at), until, *amount);
        }
        changes.sort_unstable_by_key(|(at, _)| *at);
        changes
    }
}

/// Month, day and time of an instant as one number.
fn time_of_year(instant: i64, calendar: &Calendar) -> i64 {
    let local = calendar.local(instant);
    let of_day = local.time().duration_since(Time::midnight()).as_millis();
    (i64::from(local.month()) * 32 + i64::from(local.day())) * DAY + i64::try_from(of_day).unwrap_or(0)
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
