//! Hours, days, weeks and months as the clocks of a time zone show them: a day may have 23 or 25 hours.

use canonical::Instant;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

const HOUR_MS: i64 = 3_600_000;

/// How long the parts of a period are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interval {
    Hour,
    Day,
    /// From Monday on.
    Week,
    Month,
}

impl Interval {
    pub(crate) const NAMES: [(&'static str, Self); 4] =
        [("hour", Self::Hour), ("day", Self::Day), ("week", Self::Week), ("month", Self::Month)];

    /// The beginnings, in milliseconds and in their order, of all intervals that have a part in these inclusive bounds.
    /// `None` beyond the years that there are.
    pub(crate) fn starts(self, from_ms: i64, to_ms: i64, zone: &TimeZone) -> Option<Vec<i64>> {
        let mut starts = vec![self.start_of(from_ms, zone)?];
        loop {
            let last = *starts.last()?;
            let next = self.after(last, zone)?;
            if next > to_ms {
                return Some(starts);
            }
            starts.push(next);
        }
    }

    fn start_of(self, millis: i64, zone: &TimeZone) -> Option<i64> {
        let day = shown(millis, zone)?.date();
        match self {
            Self::Hour => {
                // From the beginning of the day on: clocks may have been changed since.
                let mut start = midnight(day, zone)?;
                loop {
                    let next = self.after(start, zone)?;
                    if next > millis {
                        return Some(start);
                    }
                    start = next;
                }
            }
            Self::Day => midnight(day, zone),
            Self::Week => {
                let past = i64::from(day.weekday().to_monday_zero_offset());
                midnight(day.checked_sub(past.days()).ok()?, zone)
            }
            Self::Month => midnight(day.first_of_month(), zone),
        }
    }

    /// The beginning of the interval behind the one that begins here.
    fn after(self, start: i64, zone: &TimeZone) -> Option<i64> {
        let begun = shown(start, zone)?;
        if self == Self::Hour {
            let past = i64::from(begun.minute()) * 60_000 + i64::from(begun.second()) * 1000;
            return Some(start + HOUR_MS - past);
        }
        let mut day = begun.date();
        loop {
            day = match self {
                Self::Week => day.checked_add(7.days()),
                Self::Month => day.first_of_month().checked_add(1.month()),
                _ => day.tomorrow(),
            }
            .ok()?;
            // A zone may skip a whole day.
            let next = midnight(day, zone)?;
            if next > start {
                return Some(next);
            }
        }
    }
}

fn shown(millis: i64, zone: &TimeZone) -> Option<Zoned> {
    Some(Instant::from_millis(millis)?.timestamp().to_zoned(zone.clone()))
}

/// The first instant of a day.
fn midnight(day: Date, zone: &TimeZone) -> Option<i64> {
    Some(Instant::local(day.at(0, 0, 0, 0), zone)?.as_millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn millis(text: &str) -> i64 {
        text.parse::<Instant>().unwrap().as_millis()
    }

    fn starts(interval: Interval, from: &str, to: &str, name: &str) -> Vec<String> {
        let starts = interval.starts(millis(from), millis(to), &zone(name)).unwrap();
        starts.into_iter().map(|start| Instant::from_millis(start).unwrap().to_utc_string()).collect()
    }

    #[test]
    fn a_day_has_as_many_hours_as_its_clocks_show() {
        let hours = |from, to| starts(Interval::Hour, from, to, "Europe/Paris").len();
        assert_eq!(hours("2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z"), 23);
        assert_eq!(hours("2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z"), 25);
        assert_eq!(
            starts(Interval::Day, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "Europe/Paris"),
            ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_the_first_interval_where_it_begins() {
        assert_eq!(
            starts(Interval::Week, "2026-06-17T12:00:00Z", "2026-06-29T00:00:00Z", "UTC"),
            ["2026-06-15T00:00:00Z", "2026-06-22T00:00:00Z", "2026-06-29T00:00:00Z"]
        );
        assert_eq!(
            starts(Interval::Month, "2026-10-06T12:29:59Z", "2026-12-05T00:00:00Z", "America/New_York"),
            ["2026-10-01T04:00:00Z", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"]
        );
    }

    #[test]
    fn clocks_that_change_by_half_an_hour_or_skip_a_day_lose_nothing() {
        // In April, the half hour before two is shown twice.
        assert_eq!(
            starts(Interval::Hour, "2026-04-04T14:15:00Z", "2026-04-04T15:45:00Z", "Australia/Lord_Howe"),
            ["2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"]
        );
        // There was no 30 December 2011.
        assert_eq!(
            starts(Interval::Day, "2011-12-29T10:00:00Z", "2011-12-31T09:59:59Z", "Pacific/Apia"),
            ["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"]
        );
    }

    proptest! {
        #[test]
        fn every_instant_is_in_the_interval_that_its_clock_shows(
            from_ms in 1_700_000_000_000_i64..1_900_000_000_000,
            length in 0_i64..40 * 86_400_000,
            share in 0.0_f64..1.0,
            name in prop::sample::select(vec!["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "America/Santiago"]),
        ) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::float_arithmetic, reason = "any instant will do")]
            let at_ms = from_ms + (length as f64 * share) as i64;
            let zone = zone(name);
            for (_, interval) in Interval::NAMES {
                let starts = interval.starts(from_ms, from_ms + length, &zone).unwrap();
                prop_assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(starts[0] <= from_ms && *starts.last().unwrap() <= from_ms + length);
                let start = starts[starts.partition_point(|start| *start <= at_ms) - 1];
                let label = |millis| {
                    let shown = shown(millis, &zone).unwrap();
                    match interval {
                        Interval::Hour => shown.strftime("%F %H %z").to_string(),
                        Interval::Day => shown.strftime("%F").to_string(),
                        Interval::Week => shown.strftime("%G-%V").to_string(),
                        Interval::Month => shown.strftime("%Y-%m").to_string(),
                    }
                };
                prop_assert_eq!(label(start), label(at_ms));
            }
        }
    }
}
