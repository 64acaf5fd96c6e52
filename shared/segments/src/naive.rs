//! The meaning of segments, written plainly: reads a profile and all its events again, at one instant.
//!
//! This is what the incremental engine must agree with at every instant; it shares no code with it but
//! the parsing of definitions and the comparison of single values.

use std::collections::{BTreeSet, HashSet};

use canonical::Profile;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rust_decimal::Decimal;

use crate::definition::{
    Condition, ConsentFilter, DateTest, Filter, Measurement, MetricCondition, PropertyCondition, Span,
    StaticDate, Unit, Window,
};
use crate::{Event, Segment, calendar, consent, date};

/// The ids of the segments the profile belongs to at `now_ms`. Events that occur more than once count once.
pub fn members(
    segments: &[Segment],
    zone: &TimeZone,
    profile: &Profile,
    events: &[Event<'_>],
    now_ms: i64,
) -> BTreeSet<String> {
    let at = Present { now: calendar::clamp(now_ms), zone };
    let mut seen = HashSet::new();
    let events: Vec<_> = events.iter().filter(|event| seen.insert(event.id)).collect();
    segments
        .iter()
        .filter(|segment| {
            segment
                .definition
                .groups
                .iter()
                .all(|conditions| conditions.iter().any(|condition| at.holds(condition, profile, &events)))
        })
        .map(|segment| segment.id.clone())
        .collect()
}

struct Present<'a> {
    now: i64,
    zone: &'a TimeZone,
}

impl Present<'_> {
    fn holds(&self, condition: &Condition, profile: &Profile, events: &[&Event<'_>]) -> bool {
        match condition {
            Condition::Metric(metric) => metric.test.holds(self.measure(metric, events)),
            Condition::Property(PropertyCondition { property, filter }) => {
                let value = property.in_profile(profile);
                match filter {
                    Filter::Date(test) => date::instant_of(value, self.zone)
                        .is_some_and(|instant| self.date_holds(*test, instant)),
                    other => other.matches(value),
                }
            }
            Condition::Consent(condition) => {
                consent::holds(condition, profile)
                    && condition.filters.iter().all(|filter| match filter {
                        ConsentFilter::Date { field, filter: Filter::Date(test) } => {
                            consent::date(condition.channel, *field, profile)
                                .is_some_and(|instant| self.date_holds(*test, instant))
                        }
                        _ => true,
                    })
            }
        }
    }

    fn measure(&self, condition: &MetricCondition, events: &[&Event<'_>]) -> Decimal {
        let mut total = Decimal::ZERO;
        for event in events {
            let occurred = calendar::clamp(event.occurred_ms);
            let is_future = matches!(condition.timeframe, DateTest::Window(Window::InTheNext(_)));
            let counts = event.metric_id == condition.metric_id
                && condition
                    .filters
                    .iter()
                    .all(|filter| filter.filter.matches(filter.property.in_event(event)))
                && (is_future || occurred <= self.now)
                && self.date_holds(condition.timeframe, occurred);
            if counts {
                let amount = match condition.measurement {
                    Measurement::Count => Decimal::ONE,
                    Measurement::Sum => event
                        .value
                        .filter(|value| value.abs() <= Decimal::from(1_000_000_000_000_000_000_i64))
                        .unwrap_or_default()
                        .round_dp(10),
                };
                total = total.saturating_add(amount);
            }
        }
        total
    }

    fn date_holds(&self, test: DateTest, instant: i64) -> bool {
        let now = self.now;
        match test {
            DateTest::Alltime => true,
            DateTest::Before(date) => instant < self.begin(date),
            DateTest::After(date) => instant >= self.end(date),
            DateTest::BetweenStatic(start, end) => instant >= self.begin(start) && instant < self.end(end),
            DateTest::Window(Window::InTheLast(span)) => instant >= self.ago(span) && instant <= now,
            DateTest::Window(Window::AtLeast(span)) => instant < self.ago(span),
            DateTest::Window(Window::InTheNext(span)) => instant >= now && self.is_within_next(instant, span),
            DateTest::Window(Window::Between { unit: Unit::Day, from, to }) => {
                instant >= self.midnight(-to) && instant < self.midnight(1 - from)
            }
            DateTest::Window(Window::Between { unit: Unit::Hour, from, to }) => {
                instant >= now - to * 3_600_000 && instant <= now - from * 3_600_000
            }
            DateTest::AnniversaryLast(span) => self
                .anniversaries(instant)
                .any(|anniversary| anniversary >= self.ago(span) && anniversary <= now),
            DateTest::AnniversaryNext(span) => self
                .anniversaries(instant)
                .any(|anniversary| anniversary >= now && self.is_within_next(anniversary, span)),
            DateTest::Anniversary => {
                let (that, today) = (self.local(instant).date(), self.today());
                (that.month(), that.day()) == (today.month(), today.day())
            }
            DateTest::AnniversaryMonth => self.local(instant).month() == self.today().month(),
            DateTest::CalendarMonth(month) => self.local(instant).month() == month,
        }
    }

    /// The instants in the years around the present with the month, day and time of an instant.
    fn anniversaries(&self, instant: i64) -> impl Iterator<Item = i64> {
        let local = self.local(instant);
        let this_year = self.today().year();
        (this_year - 2..=this_year + 2).filter_map(move |year| {
            let date = Date::new(year, local.month(), local.day()).ok()?;
            Some(self.instant(date.to_datetime(local.time())))
        })
    }

    fn ago(&self, span: Span) -> i64 {
        match span.unit {
            Unit::Hour => self.now - span.quantity * 3_600_000,
            Unit::Day => self.midnight(-span.quantity),
        }
    }

    fn is_within_next(&self, instant: i64, span: Span) -> bool {
        match span.unit {
            Unit::Hour => instant <= self.now + span.quantity * 3_600_000,
            Unit::Day => instant < self.midnight(span.quantity + 1),
        }
    }

    fn begin(&self, date: StaticDate) -> i64 {
        match date {
            StaticDate::Day(day) => self.instant(day.at(0, 0, 0, 0)),
            StaticDate::Instant(millis) => millis,
            StaticDate::Local(local) => self.instant(local),
        }
    }

    /// The first instant after the date.
    fn end(&self, date: StaticDate) -> i64 {
        match date {
            StaticDate::Day(day) => self.instant(day.saturating_add(1.day()).at(0, 0, 0, 0)),
            other => self.begin(other) + 1,
        }
    }

    fn today(&self) -> Date {
        self.local(self.now).date()
    }

    /// The midnight with which the day begins that is so many days after today.
    fn midnight(&self, days: i64) -> i64 {
        self.instant(self.today().saturating_add(days.days()).at(0, 0, 0, 0))
    }

    fn local(&self, millis: i64) -> DateTime {
        self.zone.to_datetime(Timestamp::from_millisecond(millis).unwrap_or_default())
    }

    fn instant(&self, local: DateTime) -> i64 {
        self.zone.to_timestamp(local).unwrap_or_default().as_millisecond()
    }
}
