//! Reading platforms' JSON leniently: a field of the wrong type is dropped and named, never fatal.
//!
//! Adapters write plain serde structs whose fields are [`Field`]s, and take their values out through
//! [`Dropped`]. Only a text that is not JSON at all makes serde fail. Everything is read in one pass over
//! the bytes, without a tree of values in between.
//!
//! ```
//! use platform::lenient::{Dropped, Field, Object};
//!
//! #[derive(Default, serde::Deserialize)]
//! #[serde(default)]
//! struct Customer {
//!     email: Field<String>,
//!     total: Field<canonical::money::Decimal>,
//! }
//!
//! let json = br#"{"email": "ann@example.com", "total": {"oops": 1}}"#;
//! let customer: Field<Object<Customer>> = serde_json::from_slice(json)?;
//! let mut dropped = Dropped::default();
//! let customer = dropped.take("customer", customer).unwrap_or_default().0;
//! assert_eq!(dropped.take("email", customer.email), Some("ann@example.com".to_owned()));
//! assert_eq!(dropped.take("total", customer.total), None);
//! assert_eq!(dropped.into_names(), ["total"]);
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::fmt;
use std::marker::PhantomData;

use canonical::money::{Decimal, decimal_from_str};
use canonical::{Currency, Instant};
use jiff::civil;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// What one field of a JSON object held.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Field<T> {
    /// Nothing: no such key, `null`, or a blank text.
    #[default]
    Absent,
    /// Something that is not a `T`.
    Bad,
    /// A value.
    Is(T),
}

impl<T> Field<T> {
    /// The value, forgetting whether it was absent or bad.
    pub fn ok(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }
}

impl Field<String> {
    /// Whether it holds a word; states are compared in any case.
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Self::Is(text) if text.eq_ignore_ascii_case(word))
    }
}

/// An array of objects.
pub type Objects<T> = Field<Vec<Field<Object<T>>>>;

/// Names of the fields that were bad, each once.
#[derive(Debug, Default)]
pub struct Dropped(Vec<&'static str>);

impl Dropped {
    /// Takes a field's value out and notes its name if it was bad.
    pub fn take<T>(&mut self, name: &'static str, field: Field<T>) -> Option<T> {
        match field {
            Field::Is(value) => Some(value),
            Field::Absent => None,
            Field::Bad => {
                self.note(name);
                None
            }
        }
    }

    /// Takes the good elements of a list out; a bad list or element is noted by the list's name.
    pub fn list<T>(&mut self, name: &'static str, field: Field<Vec<Field<T>>>) -> Vec<T> {
        let elements = self.take(name, field).unwrap_or_default();
        elements.into_iter().filter_map(|element| self.take(name, element)).collect()
    }

    /// Notes a name.
    pub fn note(&mut self, name: &'static str) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// The names, in the order they were noted.
    pub fn into_names(self) -> Vec<&'static str> {
        self.0
    }
}

/// What can be read from a JSON value. Each way that is not overridden makes the field bad.
pub trait Lenient<'de>: Sized {
    /// From a text, never blank.
    fn from_text(_: &str) -> Option<Self> {
        None
    }

    /// From an integer, exactly.
    fn from_integer(_: i128) -> Option<Self> {
        None
    }

    /// From a number with a fraction or an exponent, or one that no 64-bit integer holds.
    fn from_float(_: f64) -> Option<Self> {
        None
    }

    /// From a boolean.
    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    /// From an array.
    fn from_array<A: SeqAccess<'de>>(mut array: A) -> Result<Option<Self>, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// From an object.
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'de, T: Lenient<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        fn field<T>(value: Option<T>) -> Field<T> {
            value.map_or(Field::Bad, Field::Is)
        }

        impl<'de, T: Lenient<'de>> Visitor<'de> for Reader<T> {
            type Value = Field<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Field::Absent)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(field(T::from_bool(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(field(T::from_integer(value.into())))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(field(T::from_integer(value.into())))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(field(T::from_float(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(match value.trim() {
                    "" => Field::Absent,
                    text => field(T::from_text(text)),
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Self::Value, A::Error> {
                T::from_array(array).map(field)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                T::from_object(object).map(field)
            }
        }

        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// A platform's id: an integer of 64 bits or a text, kept as text. A number that is not an integer, such
/// as `8.2e17`, has lost digits before it came here and is bad.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Id(pub String);

impl Lenient<'_> for Id {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }

    fn from_integer(number: i128) -> Option<Self> {
        Some(Self(number.to_string()))
    }
}

/// Text; a number counts as its digits.
impl Lenient<'_> for String {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn from_integer(number: i128) -> Option<Self> {
        Some(number.to_string())
    }

    fn from_float(number: f64) -> Option<Self> {
        Some(number.to_string())
    }
}

/// `true`, `false`, or one of these words as text.
impl Lenient<'_> for bool {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

/// An amount, as text or number; of a number its shortest text, so that 41.94 stays 41.94.
impl Lenient<'_> for Decimal {
    fn from_text(text: &str) -> Option<Self> {
        decimal_from_str(text)
    }

    fn from_integer(number: i128) -> Option<Self> {
        Self::try_from_i128_with_scale(number, 0).ok()
    }

    fn from_float(number: f64) -> Option<Self> {
        decimal_from_str(&number.to_string())
    }
}

/// A JSON number, or a text that holds one.
impl Lenient<'_> for Number {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_integer(number: i128) -> Option<Self> {
        Self::from_i128(number)
    }

    fn from_float(number: f64) -> Option<Self> {
        Self::from_f64(number)
    }
}

/// RFC 3339 with an offset.
impl Lenient<'_> for Instant {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A date and time as a platform wrote it: with an offset, or local to a zone that only the connection knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    /// With an offset.
    Exact(Instant),
    /// Without.
    Local(civil::DateTime),
}

impl Moment {
    /// The instant, local times being those of `zone`; of a time that the zone's clocks show twice the earlier, of
    /// one they skip what they show instead.
    pub fn in_zone(self, zone: &TimeZone) -> Option<Instant> {
        match self {
            Self::Exact(instant) => Some(instant),
            Self::Local(local) => Instant::local(local, zone),
        }
    }

    /// The instant, local times being UTC.
    pub fn in_utc(self) -> Option<Instant> {
        self.in_zone(&TimeZone::UTC)
    }
}

/// ISO 8601 with or without an offset, with `T` or a space between date and time; RFC 2822.
impl Lenient<'_> for Moment {
    fn from_text(text: &str) -> Option<Self> {
        if let Ok(instant) = text.parse() {
            return Some(Self::Exact(instant));
        }
        if let Ok(local) = text.parse() {
            return Some(Self::Local(local));
        }
        let zoned = rfc2822::parse(text).ok()?;
        Some(Self::Exact(Instant::at_offset(zoned.timestamp(), zoned.offset())))
    }
}

/// A [`Moment`] of a database that writes none as `0000-00-00 00:00:00`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp(Option<Moment>);

impl Stamp {
    /// As [`Moment::in_zone`]; `None` also where there is none.
    pub fn in_zone(self, zone: &TimeZone) -> Option<Instant> {
        self.0?.in_zone(zone)
    }
}

impl Lenient<'_> for Stamp {
    fn from_text(text: &str) -> Option<Self> {
        if text.starts_with("0000-00-00") {
            return Some(Self(None));
        }
        Moment::from_text(text).map(|moment| Self(Some(moment)))
    }
}

/// Three letters.
impl Lenient<'_> for Currency {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// An array, whose elements are fields of their own.
impl<'de, T: Lenient<'de>> Lenient<'de> for Vec<Field<T>> {
    fn from_array<A: SeqAccess<'de>>(mut array: A) -> Result<Option<Self>, A::Error> {
        let mut elements = Self::new();
        while let Some(element) = array.next_element()? {
            elements.push(element);
        }
        Ok(Some(elements))
    }
}

/// An object that a serde struct describes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Lenient<'de> for Object<T> {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(|value| Some(Self(value)))
    }
}

/// Why a body cannot be read at all; names a position, never content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON.
    #[error("the body is not JSON (line {line}, column {column})")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1; 0 at the start of a line.
        column: usize,
    },
    /// JSON, but no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
}

/// Reads a body that has to be a JSON object.
pub fn object<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    match serde_json::from_slice::<Field<Object<T>>>(body) {
        Ok(Field::Is(Object(value))) => Ok(value),
        Ok(Field::Absent | Field::Bad) => Err(BodyError::NotAnObject),
        Err(error) => Err(BodyError::Syntax { line: error.line(), column: error.column() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Lenient<'de>>(json: &str) -> Field<T> {
        serde_json::from_str(json).unwrap()
    }

    fn id(text: &str) -> Field<Id> {
        Field::Is(Id(text.to_owned()))
    }

    #[test]
    fn ids_beyond_two_to_the_fifty_third_keep_every_digit() {
        assert_eq!(read("820982911946154508"), id("820982911946154508"));
        assert_eq!(read("18446744073709551615"), id("18446744073709551615"));
        assert_eq!(read("\" 123456789012345678901234567890 \""), id("123456789012345678901234567890"));
    }

    #[test]
    fn ids_that_lost_digits_on_the_way_are_bad() {
        assert_eq!(read::<Id>("8.20982911946154500e17"), Field::Bad);
        assert_eq!(read::<Id>("123456789012345678901234567890"), Field::Bad);
        assert_eq!(read::<Id>("1.0"), Field::Bad);
    }

    #[test]
    fn null_and_blank_text_are_absent_whatever_is_expected() {
        assert_eq!(read::<Decimal>("null"), Field::Absent);
        assert_eq!(read::<Instant>("\"  \""), Field::Absent);
        assert_eq!(read::<Vec<Field<Id>>>("\"\""), Field::Absent);
    }

    #[test]
    fn amounts_are_read_from_texts_and_numbers_without_binary_noise() {
        for json in ["\"41.94\"", "41.94"] {
            assert_eq!(read(json), Field::Is("41.94".parse::<Decimal>().unwrap()));
        }
        assert_eq!(read("-3"), Field::Is(Decimal::from(-3)));
        assert_eq!(read::<Decimal>("1e300"), Field::Bad);
        assert_eq!(read::<Decimal>("\"twelve\""), Field::Bad);
    }

    #[test]
    fn a_bad_element_costs_only_itself() {
        let mut dropped = Dropped::default();
        let ids = dropped.list("ids", read::<Vec<Field<Id>>>("[1, {\"a\": [1]}, [2], null, true, \"3\"]"));
        assert_eq!(ids, [Id("1".into()), Id("3".into())]);
        assert_eq!(dropped.into_names(), ["ids"]);
    }

    #[test]
    fn times_are_read_in_the_notations_that_platforms_use() {
        let utc = |json| match read::<Moment>(json) {
            Field::Is(moment) => moment.in_utc().unwrap().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(utc("\"2026-03-14T09:26:53+01:00\""), "2026-03-14T09:26:53+01:00");
        assert_eq!(utc("\"2026-03-14T09:26:53\""), "2026-03-14T09:26:53Z");
        assert_eq!(utc("\"2026-03-14 09:26:53.25\""), "2026-03-14T09:26:53.25Z");
        assert_eq!(utc("\"Sat, 14 Mar 2026 09:26:53 +0000\""), "2026-03-14T09:26:53Z");
        assert_eq!(read::<Moment>("\"0000-00-00 00:00:00\""), Field::Bad);
        let Field::Is(moment) = read::<Moment>("\"2026-07-14 09:26:53\"") else { panic!("a moment") };
        let paris = TimeZone::get("Europe/Paris").unwrap();
        assert_eq!(moment.in_zone(&paris).unwrap().to_string(), "2026-07-14T09:26:53+02:00");
    }

    #[test]
    fn a_databases_none_is_no_time_and_not_bad() {
        let at = |json| match read::<Stamp>(json) {
            Field::Is(stamp) => stamp.in_zone(&TimeZone::UTC).map(|at| at.to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!(at("\"0000-00-00 00:00:00\""), None);
        assert_eq!(at("\"0000-00-00\""), None);
        assert_eq!(at("\"2026-03-14 09:26:53\"").as_deref(), Some("2026-03-14T09:26:53Z"));
        assert_eq!(read::<Stamp>("\"soon\""), Field::Bad);
    }

    #[test]
    fn errors_tell_the_place_and_not_the_content() {
        assert_eq!(object::<IgnoredAny>(b"[]"), Err(BodyError::NotAnObject));
        let error = object::<IgnoredAny>(b"{\"email\": \"ann@example.com}").unwrap_err();
        assert_eq!(error.to_string(), "the body is not JSON (line 1, column 27)");
    }
}
