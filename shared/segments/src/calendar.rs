//! Days of the account's time zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use crate::definition::{Span, Unit};

/// Milliseconds of an hour.
pub(crate) const HOUR: i64 = 3_600_000;
/// Milliseconds of a day of 24 hours.
pub(crate) const DAY: i64 = 24 * HOUR;
/// 0001-01-01T00:00Z; nothing is older.
pub(crate) const FIRST: i64 = -62_135_596_800_000;
/// 9000-01-01T00:00Z; nothing is younger. A window of a hundred years still fits behind it.
pub(crate) const LAST: i64 = 221_845_392_000_000;
/// Offsets are smaller than this.
const MAX_OFFSET: i64 = 26 * HOUR;

/// The instant, moved into the range in which the engine computes.
pub(crate) fn clamp(millis: i64) -> i64 {
    millis.clamp(FIRST, LAST)
}

/// A time zone, made fast: which day an instant belongs to, and when a day begins.
///
/// Days are numbered from 1970-01-01. A day begins at its midnight; where the clock jumps over midnight,
/// at the instant jiff's "compatible" rule gives, as everywhere else here.
#[derive(Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
    /// When each offset came into force, in order, within `known`.
    runs: Vec<(i64, i64)>,
    known: std::ops::Range<i64>,
}

impl Calendar {
    pub(crate) fn new(zone: TimeZone) -> Self {
        // Sixty years of offsets are looked up, the rest is computed: 1 January 2000 and 2060.
        let known = 946_684_800_000..2_840_140_800_000;
        let start = timestamp(known.start);
        let mut runs = vec![(known.start, offset_millis(zone.to_offset(start)))];
        runs.extend(
            zone.following(start)
                .map(|change| (change.timestamp().as_millisecond(), offset_millis(change.offset())))
                .take_while(|(at, _)| *at < known.end),
        );
        Self { zone, runs, known }
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// When a day begins.
    pub(crate) fn start_of(&self, day: i64) -> i64 {
        self.instant_at(day.saturating_mul(DAY))
    }

    /// The instant at which calendar and clock show what UTC shows at `local`.
    fn instant_at(&self, local: i64) -> i64 {
        if local < self.known.start + MAX_OFFSET || local >= self.known.end - MAX_OFFSET {
            // Fails only at the ends of jiff's range, thousands of years away from any date here.
            let local = utc_datetime(local);
            return self
                .zone
                .to_ambiguous_timestamp(local)
                .compatible()
                .map_or(LAST, Timestamp::as_millisecond);
        }
        if let [(_, only)] = self.runs[..] {
            return local - only;
        }
        let first = self.runs.partition_point(|(at, _)| *at <= local - MAX_OFFSET).saturating_sub(1);
        let mut previous = self.runs[first].1;
        for (index, (at, offset)) in self.runs.iter().enumerate().skip(first) {
            let instant = local - offset;
            if instant < *at {
                // The clock jumped over it: as if the old offset still held.
                return local - previous;
            }
            if self.runs.get(index + 1).is_none_or(|(next, _)| instant < *next) {
                return instant;
            }
            previous = *offset;
        }
        local - previous
    }

    fn offset_at(&self, millis: i64) -> i64 {
        if let [(_, only)] = self.runs[..]
            && self.known.contains(&millis)
        {
            only
        } else if self.known.contains(&millis) {
            let next = self.runs.partition_point(|(at, _)| *at <= millis);
            self.runs[next.saturating_sub(1)].1
        } else {
            offset_millis(self.zone.to_offset(timestamp(millis)))
        }
    }

    /// The day an instant belongs to: the last one that has begun.
    pub(crate) fn day_of(&self, millis: i64) -> i64 {
        let millis = clamp(millis);
        let day = (millis + self.offset_at(millis)).div_euclid(DAY);
        if self.runs.len() == 1 && self.known.contains(&millis) {
            return day;
        }
        // A zone that crossed the date line, or a midnight that does not exist, moves it by one. No further: at the
        // ends of what can be represented nothing begins any more.
        if self.start_of(day) > millis {
            day - 1
        } else if self.start_of(day + 1) <= millis {
            day + 1
        } else {
            day
        }
    }

    /// What calendar and clock show at an instant.
    pub(crate) fn local(&self, millis: i64) -> DateTime {
        let millis = clamp(millis);
        utc_datetime(millis + self.offset_at(millis))
    }

    /// The instant at which calendar and clock show this.
    pub(crate) fn instant_of(&self, local: DateTime) -> i64 {
        self.instant_at(day_number(local.date()) * DAY + since_midnight(local.time()))
    }

    /// When a date begins.
    pub(crate) fn start_of_date(&self, date: Date) -> i64 {
        self.start_of(day_number(date))
    }
}

/// Days before and after days, in spans of days or months. A month before the 31st is, where there is none, the last
/// of the month before; so several days may have the same day before them, but never is a later one's earlier.
impl Span {
    /// The day so long before a day.
    pub(crate) fn before(self, day: i64) -> i64 {
        match self.unit {
            Unit::Month => moved(day, -self.quantity),
            Unit::Hour | Unit::Day => day - self.quantity,
        }
    }

    /// The day so long after a day.
    pub(crate) fn after(self, day: i64) -> i64 {
        match self.unit {
            Unit::Month => moved(day, self.quantity),
            Unit::Hour | Unit::Day => day + self.quantity,
        }
    }

    /// The first day whose [`Self::before`] is later than a day.
    pub(crate) fn first_past(self, day: i64) -> i64 {
        if self.unit != Unit::Month {
            return self.after(day) + 1;
        }
        first(self.after(day), |candidate| self.before(candidate) > day)
    }

    /// The first day whose [`Self::after`] is not earlier than a day.
    pub(crate) fn first_reaching(self, day: i64) -> i64 {
        if self.unit != Unit::Month {
            return self.before(day);
        }
        first(self.before(day), |candidate| self.after(candidate) >= day)
    }
}

/// The first day that passes, near a day at which the answer changes from no to yes.
fn first(near: i64, passes: impl Fn(i64) -> bool) -> i64 {
    let mut day = near;
    while !passes(day) {
        day += 1;
    }
    while passes(day - 1) {
        day -= 1;
    }
    day
}

fn moved(day: i64, months: i64) -> i64 {
    let date = utc_datetime(day.saturating_mul(DAY)).date();
    let span = jiff::Span::new().try_months(months).unwrap_or_default();
    day_number(date.saturating_add(span))
}

/// Milliseconds from midnight on; what is finer is dropped, as everywhere here.
pub(crate) fn since_midnight(time: Time) -> i64 {
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds * 1000 + i64::from(time.millisecond())
}

/// Days from 1970-01-01 to a date. Years are counted from March, so that leap days come last
/// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn day_number(date: Date) -> i64 {
    let (month, day) = (i64::from(date.month()), i64::from(date.day()));
    let year = i64::from(date.year()) - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The present.
#[derive(Clone, Copy)]
pub(crate) struct Present<'a> {
    pub(crate) now: i64,
    /// The day it belongs to.
    pub(crate) today: i64,
    pub(crate) calendar: &'a Calendar,
}

impl<'a> Present<'a> {
    pub(crate) fn new(now: i64, calendar: &'a Calendar) -> Self {
        Self { now, today: calendar.day_of(now), calendar }
    }
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(clamp(millis)).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn utc_datetime(millis: i64) -> DateTime {
    // A hundred years beyond either end, for windows that reach there.
    let reach = 36_526 * DAY;
    let millis = millis.clamp(FIRST - reach, LAST + reach);
    Offset::UTC.to_datetime(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn offset_millis(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_where_jiff_says() {
        for name in [
            "UTC",
            "Europe/Paris",
            "America/New_York",
            "America/Sao_Paulo",
            "America/Havana",
            "Asia/Beirut",
            "Pacific/Apia",
        ] {
            let calendar = Calendar::new(TimeZone::get(name).unwrap());
            for day in (10_900..33_000).chain([-700_000, 0, 2_000_000]) {
                let date = utc_datetime(day * DAY).date();
                let expected = date.to_zoned(calendar.zone().clone()).unwrap().timestamp().as_millisecond();
                assert_eq!(calendar.start_of(day), expected, "{name} {date}");
                assert_eq!(day_number(date), day);
                let local = date.at(2, 30, 0, 1_000_000);
                let expected = calendar.zone().to_timestamp(local).unwrap().as_millisecond();
                assert_eq!(calendar.instant_of(local), expected, "{name} {local}");
                let shown = calendar.zone().to_datetime(timestamp(expected));
                assert_eq!(calendar.local(expected), shown, "{name} {shown}");
            }
        }
    }

    #[test]
    fn an_instant_belongs_to_the_day_its_calendar_shows() {
        for name in ["UTC", "Europe/Paris", "America/New_York"] {
            let calendar = Calendar::new(TimeZone::get(name).unwrap());
            for hour in 0..24 * 800 {
                let millis = 1_700_000_000_000 + hour * HOUR;
                let date = calendar.local(millis).date();
                assert_eq!(utc_datetime(calendar.day_of(millis) * DAY).date(), date, "{name} {millis}");
            }
        }
    }
}
