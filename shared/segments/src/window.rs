//! Windows seen from the other side: not "which instants lie in the window now", but "from when until when
//! does the window hold this instant". That is what makes time predictable.

use jiff::civil::{Date, DateTime};

use crate::calendar::{Calendar, HOUR};
use crate::definition::{DateTest, Span, StaticDate, Unit, Window};

/// Never.
pub(crate) const NEVER: i64 = i64::MAX;
/// Always so far.
const EVER: i64 = i64::MIN;

/// A date test in a given time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A fixed range, which time does not move: from, and until before.
    Range(i64, i64),
    /// A month of any year.
    Month(i8),
    Window(Window),
    Yearly(Yearly),
}

/// What comes again every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yearly {
    Last(Span),
    Next(Span),
    Day,
    Month,
}

/// What is known of an instant that may lie in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// The day it belongs to, and that it is past.
    Day(i64),
    /// The instant itself.
    At(i64),
}

impl Frame {
    pub(crate) fn new(test: DateTest, calendar: &Calendar) -> Self {
        let begin = |date| match date {
            StaticDate::Day(day) => calendar.start_of_date(day),
            StaticDate::Instant(millis) => millis,
            StaticDate::Local(local) => calendar.instant_of(local),
        };
        let end = |date| match date {
            StaticDate::Day(day) => calendar.start_of_date(day.tomorrow().unwrap_or(day)),
            other => begin(other) + 1,
        };
        match test {
            DateTest::Alltime => Self::Range(EVER, NEVER),
            DateTest::Before(date) => Self::Range(EVER, begin(date)),
            DateTest::After(date) => Self::Range(end(date), NEVER),
            DateTest::BetweenStatic(from, to) => Self::Range(begin(from), end(to)),
            DateTest::Window(window) => Self::Window(window),
            DateTest::AnniversaryLast(span) => Self::Yearly(Yearly::Last(span)),
            DateTest::AnniversaryNext(span) => Self::Yearly(Yearly::Next(span)),
            DateTest::Anniversary => Self::Yearly(Yearly::Day),
            DateTest::AnniversaryMonth => Self::Yearly(Yearly::Month),
            DateTest::CalendarMonth(month) => Self::Month(month),
        }
    }

    /// Whether time changes whether it holds an instant.
    pub(crate) fn is_moving(&self) -> bool {
        matches!(self, Self::Window(_) | Self::Yearly(_))
    }

    pub(crate) fn holds(&self, instant: i64, now: i64, calendar: &Calendar) -> bool {
        match self {
            Self::Range(from, until) => (*from..*until).contains(&instant),
            Self::Month(month) => calendar.local(instant).month() == *month,
            Self::Window(window) => {
                let (from, until) = window.holds_during(Moment::At(instant), calendar);
                (from..until).contains(&now)
            }
            Self::Yearly(yearly) => yearly.holds(calendar.local(instant), now, calendar),
        }
    }

    /// An instant after `now` not later than the next at which `holds` changes; `NEVER` if it does not.
    pub(crate) fn next_change(&self, instant: i64, now: i64, calendar: &Calendar) -> i64 {
        match self {
            Self::Range(..) | Self::Month(_) => NEVER,
            Self::Window(window) => {
                let (from, until) = window.holds_during(Moment::At(instant), calendar);
                if now < from && from < until {
                    from
                } else if now < until && from < until {
                    until
                } else {
                    NEVER
                }
            }
            Self::Yearly(yearly) => yearly.next_change(calendar.local(instant), now, calendar),
        }
    }
}

impl Window {
    /// The instants `from ≤ now < until` at which the window holds the moment.
    pub(crate) fn holds_during(self, moment: Moment, calendar: &Calendar) -> (i64, i64) {
        let day = || match moment {
            Moment::Day(day) => day,
            Moment::At(instant) => calendar.day_of(instant),
        };
        let instant = match moment {
            // Only windows of days are asked about days, and they ask no more than that it is past.
            Moment::Day(_) => EVER,
            Moment::At(instant) => instant,
        };
        match self {
            Self::InTheLast(Span { unit: Unit::Hour, quantity }) => (instant, instant + quantity * HOUR + 1),
            Self::InTheLast(span) => (instant, calendar.start_of(span.first_past(day()))),
            Self::AtLeast(Span { unit: Unit::Hour, quantity }) => (instant + quantity * HOUR + 1, NEVER),
            Self::AtLeast(span) => (calendar.start_of(span.first_past(day())), NEVER),
            Self::InTheNext(Span { unit: Unit::Hour, quantity }) => (instant - quantity * HOUR, instant + 1),
            Self::InTheNext(span) => (calendar.start_of(span.first_reaching(day())), instant + 1),
            Self::Between { unit: Unit::Hour, from, to } => (instant + from * HOUR, instant + to * HOUR + 1),
            Self::Between { unit, from, to } => {
                let (from, to) = (Span { unit, quantity: from }, Span { unit, quantity: to });
                (calendar.start_of(from.first_past(day() - 1)), calendar.start_of(to.first_past(day())))
            }
        }
    }
}

/// What is compared is what calendar and clock showed: month, day and time, in any year.
impl Yearly {
    pub(crate) fn holds(self, local: DateTime, now: i64, calendar: &Calendar) -> bool {
        let year = calendar.local(now).year();
        (year - 2..=year + 2)
            .filter_map(|year| self.in_year(local, year, calendar))
            .any(|(from, until)| (from..until).contains(&now))
    }

    pub(crate) fn next_change(self, local: DateTime, now: i64, calendar: &Calendar) -> i64 {
        let year = calendar.local(now).year();
        let mut next = NEVER;
        // 29 February may be eight years away.
        for candidate in year - 2..=year + 9 {
            if candidate > year + 2 && next != NEVER {
                break;
            }
            if let Some((from, until)) = self.in_year(local, candidate, calendar) {
                for edge in [from, until] {
                    if edge > now {
                        next = next.min(edge);
                    }
                }
            }
        }
        next
    }

    /// The instants `from ≤ now < until` at which it holds because of one year's anniversary.
    fn in_year(self, local: DateTime, year: i16, calendar: &Calendar) -> Option<(i64, i64)> {
        let anniversary = || {
            let date = Date::new(year, local.month(), local.day()).ok()?;
            Some(calendar.instant_of(date.to_datetime(local.time())))
        };
        Some(match self {
            Self::Last(span) => Window::InTheLast(span).holds_during(Moment::At(anniversary()?), calendar),
            Self::Next(span) => Window::InTheNext(span).holds_during(Moment::At(anniversary()?), calendar),
            Self::Day => {
                let date = Date::new(year, local.month(), local.day()).ok()?;
                (calendar.start_of_date(date), calendar.start_of_date(date.tomorrow().ok()?))
            }
            Self::Month => {
                let first = Date::new(year, local.month(), 1).ok()?;
                let next = first.last_of_month().tomorrow().ok()?;
                (calendar.start_of_date(first), calendar.start_of_date(next))
            }
        })
    }
}
