//! Dates as people and programs write them.

use canonical::money::decimal_from_json;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use crate::calendar;
use crate::definition::StaticDate;
use crate::property::Operand;

/// A date as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    date: Date,
    time: Option<Time>,
    offset: Option<Offset>,
}

/// The date of a definition.
pub(crate) fn parse_static(text: &str) -> Option<StaticDate> {
    let written = parse(text)?;
    let local = written.date.to_datetime(written.time.unwrap_or(Time::midnight()));
    if local.time() == Time::midnight() {
        return Some(StaticDate::Day(written.date));
    }
    Some(match written.offset {
        Some(offset) => StaticDate::Instant(offset.to_timestamp(local).ok()?.as_millisecond()),
        None => StaticDate::Local(local),
    })
}

/// The instant a property's value names, in milliseconds: `YYYY-MM-DD`, `MM/DD/YYYY` or `MM/DD/YY`, with
/// or without a time and an offset, or seconds since 1970. What has no time is at midnight; what has no
/// offset is in the account's zone.
pub(crate) fn instant_of(operand: Operand<'_>, zone: &TimeZone) -> Option<i64> {
    match operand {
        Operand::Instant(millis) => Some(calendar::clamp(millis)),
        Operand::Text(text) => of_text(text, zone),
        Operand::Json(Value::String(text)) => of_text(text, zone),
        Operand::Json(number @ Value::Number(_)) => {
            let millis = decimal_from_json(number)?.checked_mul(1000.into())?.floor().to_i64()?;
            in_range(millis)
        }
        Operand::Unset | Operand::Json(_) | Operand::Number(_) => None,
    }
}

fn in_range(millis: i64) -> Option<i64> {
    (calendar::clamp(millis) == millis).then_some(millis)
}

fn of_text(text: &str, zone: &TimeZone) -> Option<i64> {
    if let Ok(seconds) = text.trim().parse::<i64>() {
        // Fewer digits are a year or a code, not a time.
        return in_range(seconds.checked_mul(1000)?).filter(|_| text.trim().len() >= 9);
    }
    let written = parse(text)?;
    let local = written.date.to_datetime(written.time.unwrap_or(Time::midnight()));
    let timestamp = match written.offset {
        Some(offset) => offset.to_timestamp(local).ok()?,
        None => local_timestamp(local, zone)?,
    };
    in_range(timestamp.as_millisecond())
}

fn local_timestamp(local: DateTime, zone: &TimeZone) -> Option<jiff::Timestamp> {
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

fn parse(text: &str) -> Option<Written> {
    let text = text.trim();
    if !text.is_ascii() {
        return None;
    }
    let end = text.find([' ', 'T', 't']).unwrap_or(text.len());
    let (day, rest) = text.split_at(end);
    let date = parse_date(day)?;
    let Some(rest) = rest.get(1..).filter(|rest| !rest.is_empty()) else {
        return (rest.is_empty()).then_some(Written { date, time: None, offset: None });
    };
    let end = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    let time = Some(parse_time(clock.trim_end())?);
    let offset = if zone.is_empty() { None } else { Some(parse_offset(zone)?) };
    Some(Written { date, time, offset })
}

fn number<T: std::str::FromStr>(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<T> {
    let plain = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn parse_date(text: &str) -> Option<Date> {
    if let Some((year, rest)) = text.split_once('-') {
        let (month, day) = rest.split_once('-')?;
        return Date::new(number(year, 4..=4)?, number(month, 2..=2)?, number(day, 2..=2)?).ok();
    }
    let (month, rest) = text.split_once('/')?;
    let (day, year_text) = rest.split_once('/')?;
    let year: i16 = match year_text.len() {
        // As POSIX reads two digits: 69 to 99 are of the last century.
        2 => number::<i16>(year_text, 2..=2).map(|year| if year < 69 { 2000 + year } else { 1900 + year })?,
        _ => number(year_text, 4..=4)?,
    };
    Date::new(year, number(month, 1..=2)?, number(day, 1..=2)?).ok()
}

fn parse_time(text: &str) -> Option<Time> {
    let mut parts = text.splitn(3, ':');
    let hour = number(parts.next()?, 2..=2)?;
    let minute = number(parts.next()?, 2..=2)?;
    let (second, nanosecond) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (number(seconds, 2..=2)?, 0),
            Some((whole, fraction)) => {
                let digits: i32 = number(fraction, 1..=9)?;
                let scale = 10_i32.pow(u32::try_from(9 - fraction.len()).ok()?);
                (number(whole, 2..=2)?, digits * scale)
            }
        },
    };
    Time::new(hour, minute, second, nanosecond).ok()
}

fn parse_offset(text: &str) -> Option<Offset> {
    if text.eq_ignore_ascii_case("z") {
        return Some(Offset::UTC);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text.get(1..)?.split(':').collect();
    let (hours, minutes): (i32, i32) = match digits.len() {
        2 => (number(&digits, 2..=2)?, 0),
        4 => (number(&digits[..2], 2..=2)?, number(&digits[2..], 2..=2)?),
        _ => return None,
    };
    if minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        let millis = instant_of(Operand::Text(text), &TimeZone::UTC)?;
        Some(jiff::Timestamp::from_millisecond(millis).unwrap().to_string())
    }

    #[test]
    fn every_accepted_notation_is_read() {
        for (text, expected) in [
            ("2023-06-17", "2023-06-17T00:00:00Z"),
            ("2023-06-17 10:05", "2023-06-17T10:05:00Z"),
            ("2023-06-17T10:05:06", "2023-06-17T10:05:06Z"),
            ("2023-06-17T10:05:06.123456", "2023-06-17T10:05:06.123Z"),
            ("2023-06-17T10:05:06Z", "2023-06-17T10:05:06Z"),
            ("2023-06-17 10:05:06+02:00", "2023-06-17T08:05:06Z"),
            ("2023-06-17T10:05-0430", "2023-06-17T14:35:00Z"),
            ("06/17/2023", "2023-06-17T00:00:00Z"),
            ("6/7/2023 23:59", "2023-06-07T23:59:00Z"),
            ("06/17/23", "2023-06-17T00:00:00Z"),
            ("06/17/70", "1970-06-17T00:00:00Z"),
            ("1686960000", "2023-06-17T00:00:00Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in
            ["", "2023", "2023-02-29", "17/06/2023", "2023-06-17T", "2023-06-17T25:00", "é", "2023-06-17x"]
        {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_without_an_offset_is_in_the_accounts_zone() {
        let paris = TimeZone::get("Europe/Paris").unwrap();
        let millis = instant_of(Operand::Text("2023-06-17"), &paris);
        assert_eq!(millis, instant_of(Operand::Text("2023-06-16T22:00:00Z"), &TimeZone::UTC));
    }
}
