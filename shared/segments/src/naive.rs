//! The meaning of segments, written plainly: reads a profile and all its events again, at one instant.
//!
//! This is what the incremental engine must agree with at every instant; it shares no code with it but
//! the parsing of definitions and the comparison of single values.

use std::collections::{BTreeSet, HashSet};

use canonical::Profile;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use predictions::{Model, Orders};
use rust_decimal::Decimal;

use crate::definition::{
    Channel, Condition, ConsentFilter, DateTest, Filter, FunnelCondition, FunnelStep, Measurement,
    MetricCondition, Metrics, PredictionTest, PropertyCondition, Span, StaticDate, Unit, Window,
};
use crate::{Account, Event, Segment, atom, calendar, consent, date, funnel, orders, place};

/// The ids of the segments the profile belongs to at `now_ms`. Events that occur more than once count once.
pub fn members(
    segments: &[Segment],
    account: &Account,
    profile: &Profile,
    events: &[Event<'_>],
    now_ms: i64,
) -> BTreeSet<String> {
    let Account { zone, model } = account;
    let mut seen = HashSet::new();
    let events: Vec<_> = events.iter().filter(|event| seen.insert(event.id)).collect();
    let at = Present { now: calendar::clamp(now_ms), zone, model: model.as_ref(), segments, profile, events };
    segments.iter().filter(|segment| at.belongs(segment)).map(|segment| segment.id.clone()).collect()
}

struct Present<'a> {
    now: i64,
    zone: &'a TimeZone,
    model: Option<&'a Model>,
    segments: &'a [Segment],
    profile: &'a Profile,
    events: Vec<&'a Event<'a>>,
}

impl Present<'_> {
    fn belongs(&self, segment: &Segment) -> bool {
        let groups = &segment.definition.groups;
        groups.iter().all(|conditions| conditions.iter().any(|condition| self.holds(condition)))
    }

    fn holds(&self, condition: &Condition) -> bool {
        let profile = self.profile;
        match condition {
            Condition::Metric(metric) => metric.test.holds(self.measure(metric)),
            Condition::Funnel(funnel) => self.is_gone_through(funnel),
            Condition::Prediction(prediction) => self.is_predicted(prediction.test),
            Condition::Group(group) => {
                let belongs =
                    group.ids.iter().any(|id| match self.segments.iter().find(|segment| segment.id == *id) {
                        Some(segment) => self.belongs(segment),
                        None => profile.lists.get(id).is_some_and(|joined| {
                            group.joined.is_none_or(|test| self.date_holds(test, joined.as_millis()))
                        }),
                    });
                belongs == group.is_member
            }
            Condition::Region(region) => place::is_in_region(*region, profile),
            Condition::Distance(distance) => place::is_at_distance(*distance, profile),
            Condition::Sample(sample) => atom::is_in_sample(sample, &profile.id),
            Condition::Permission(condition) => {
                consent::is_permitted(condition, profile)
                    && self.consent_dates_hold(condition.channel, &condition.filters)
            }
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
                    && self.consent_dates_hold(condition.channel, &condition.filters)
            }
        }
    }

    fn consent_dates_hold(&self, channel: Channel, filters: &[ConsentFilter]) -> bool {
        filters.iter().all(|filter| match filter {
            ConsentFilter::Date { field, filter: Filter::Date(test) } => {
                consent::date(channel, *field, self.profile)
                    .is_some_and(|instant| self.date_holds(*test, instant))
            }
            _ => true,
        })
    }

    /// Whether it is one of these events; dates that move with the present are not looked at.
    fn is_meant(&self, event: &Event<'_>, metrics: &Metrics, filters: &[PropertyCondition]) -> bool {
        let is_of = match metrics {
            Metrics::Ids(ids) => ids.iter().any(|id| id == event.metric_id),
            Metrics::Named(name) => name == event.metric,
        };
        is_of
            && filters.iter().filter(|filter| !filter.is_moving()).all(|filter| {
                filter.property.holds_in(event, &|value| match &filter.filter {
                    Filter::Date(test) => date::instant_of(value, self.zone)
                        .is_some_and(|instant| self.date_holds(*test, instant)),
                    other => other.matches(value),
                })
            })
    }

    fn measure(&self, condition: &MetricCondition) -> Decimal {
        let mut total = Decimal::ZERO;
        let moving = condition.filters.iter().find(|filter| filter.is_moving());
        for event in &self.events {
            // A date that moves with the present takes the place of when the event occurred.
            let (at, timeframe) = match moving {
                Some(PropertyCondition { property, filter: Filter::Date(test) }) => {
                    (date::instant_of(property.one_in(event), self.zone), *test)
                }
                _ => (Some(event.occurred_ms), condition.timeframe),
            };
            let Some(at) = at.map(calendar::clamp) else { continue };
            let is_future = matches!(timeframe, DateTest::Window(Window::InTheNext(_)));
            let counts = self.is_meant(event, &condition.metrics, &condition.filters)
                && (is_future || at <= self.now)
                && self.date_holds(timeframe, at);
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

    /// By trying every way to go.
    fn is_gone_through(&self, funnel: &FunnelCondition) -> bool {
        let steps_of = |event: &Event<'_>| {
            let steps = funnel.steps.iter().map(|step| self.is_meant(event, &step.metrics, &step.filters));
            steps.enumerate().map(|(step, is)| u16::from(is) << step).sum::<u16>()
        };
        let all = self.events.iter().map(|event| (calendar::clamp(event.occurred_ms), steps_of(event)));
        let mut all: Vec<(i64, u16)> = all.filter(|(_, steps)| *steps != 0).collect();
        all.sort_unstable();
        let newest = all.split_off(all.len().saturating_sub(funnel::MAX_EVENTS));
        let happened: Vec<(i64, u16)> = newest.into_iter().filter(|(at, _)| *at <= self.now).collect();
        (0..happened.len()).any(|start| {
            let (at, steps) = happened[start];
            let end = funnel.within.map_or(i64::MAX, |within| at.saturating_add(within));
            let rest: Vec<_> = happened[start..].iter().copied().filter(|(at, _)| *at <= end).collect();
            steps & 1 != 0 && self.date_holds(funnel.timeframe, at) && goes_on(&rest, 0, &funnel.steps, 1, 0)
        })
    }

    fn is_predicted(&self, test: PredictionTest) -> bool {
        let placed = |event: &&&Event<'_>| {
            event.metric == orders::metric() && calendar::clamp(event.occurred_ms) <= self.now
        };
        let placed: Vec<_> = self.events.iter().filter(placed).collect();
        let days = || placed.iter().map(|event| self.day(calendar::clamp(event.occurred_ms)));
        let (Some(first_day), Some(last_day)) = (days().min(), days().max()) else { return false };
        let amounts = placed.iter().filter_map(|event| event.value);
        let amounts = amounts.filter(|value| value.abs() <= Decimal::from(1_000_000_000_000_000_000_i64));
        let sum = amounts.fold(Decimal::ZERO, |sum, value| sum.saturating_add(value.round_dp(10)));
        let count = placed.len().try_into().unwrap_or_default();
        let orders = Orders { count, sum, first_day, last_day };
        match test {
            PredictionTest::Number(dimension, test) => {
                orders::value(self.model, &orders, dimension, self.day(self.now))
                    .is_some_and(|value| test.holds(value))
            }
            PredictionTest::NextOrder(test) => {
                let day = self.model.and_then(|model| model.next_order(&orders));
                let date = day.map(|day| Date::constant(1970, 1, 1).saturating_add(day.days()));
                date.is_some_and(|date| self.date_holds(test, self.instant(date.at(0, 0, 0, 0))))
            }
        }
    }

    /// The day of an instant, counted from 1970-01-01.
    fn day(&self, millis: i64) -> i64 {
        let since = self.local(millis).date().since(Date::constant(1970, 1, 1));
        since.map_or(0, |span| span.get_days().into())
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
            DateTest::Window(Window::Between { unit: Unit::Month, from, to }) => {
                instant >= self.months(-to, 0) && instant < self.months(-from, 1)
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
            Unit::Month => self.months(-span.quantity, 0),
        }
    }

    fn is_within_next(&self, instant: i64, span: Span) -> bool {
        match span.unit {
            Unit::Hour => instant <= self.now + span.quantity * 3_600_000,
            Unit::Day => instant < self.midnight(span.quantity + 1),
            Unit::Month => instant < self.months(span.quantity, 1),
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

    /// The midnight with which the day begins that is so many days after the one so many months after today.
    fn months(&self, months: i64, days: i64) -> i64 {
        let day = self.today().saturating_add(months.months()).saturating_add(days.days());
        self.instant(day.at(0, 0, 0, 0))
    }

    fn local(&self, millis: i64) -> DateTime {
        self.zone.to_datetime(Timestamp::from_millisecond(millis).unwrap_or_default())
    }

    fn instant(&self, local: DateTime) -> i64 {
        self.zone.to_timestamp(local).unwrap_or_default().as_millisecond()
    }
}

/// Whether the steps from `step` on can be gone after the event at a place, of which some must not happen on the way.
fn goes_on(events: &[(i64, u16)], place: usize, steps: &[FunnelStep], step: usize, without: u16) -> bool {
    let bit = 1 << step;
    let is_free = |until: i64| {
        let between = events[place..].iter().filter(|(at, _)| *at > events[place].0 && *at < until);
        between.clone().all(|(_, steps)| steps & without == 0)
    };
    match steps.get(step) {
        None => is_free(i64::MAX),
        Some(FunnelStep { exists: false, .. }) => goes_on(events, place, steps, step + 1, without | bit),
        Some(_) => (place + 1..events.len()).any(|next| {
            events[next].1 & bit != 0 && is_free(events[next].0) && goes_on(events, next, steps, step + 1, 0)
        }),
    }
}
