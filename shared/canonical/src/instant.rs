//! An instant together with the offset its source wrote it in.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant and the source's UTC offset. Ordered and compared by the instant alone, to the
/// millisecond; written as RFC 3339 with the offset it came with.
#[derive(Clone, Copy, Debug)]
pub struct Instant {
    timestamp: Timestamp,
    offset: Offset,
}

/// The text is not an RFC 3339 instant.
#[derive(Debug, thiserror::Error)]
#[error("not an instant: an RFC 3339 date and time with an offset is expected")]
pub struct ParseInstantError;

impl Instant {
    /// Milliseconds since 1970-01-01T00:00Z, negative before; `None` outside the years -9999 to 9999.
    pub fn from_millis(millis: i64) -> Option<Self> {
        Some(Self { timestamp: Timestamp::from_millisecond(millis).ok()?, offset: Offset::UTC })
    }

    /// An instant that its source wrote with this offset; its seconds are left out, as RFC 3339 cannot write them. Clocks
    /// were off by some before there were time zones.
    pub fn at_offset(timestamp: Timestamp, offset: Offset) -> Self {
        let minutes = Offset::from_seconds(offset.seconds() / 60 * 60).unwrap_or(Offset::UTC);
        Self { offset: minutes, ..Self::from(timestamp) }
    }

    /// What clocks in a zone show: of a time they show twice the earlier, of one they skip what they show instead.
    pub fn local(local: DateTime, zone: &TimeZone) -> Option<Self> {
        let zoned = zone.to_zoned(local).ok()?;
        Some(Self::at_offset(zoned.timestamp(), zoned.offset()))
    }

    /// Milliseconds since 1970-01-01T00:00Z.
    pub fn as_millis(self) -> i64 {
        self.timestamp.as_millisecond()
    }

    /// The instant without its offset.
    pub fn timestamp(self) -> Timestamp {
        self.timestamp
    }

    /// The beginning of its second, with the same offset.
    #[must_use]
    pub fn truncated_to_second(self) -> Self {
        let second = self.timestamp.as_millisecond().div_euclid(1000);
        Self { timestamp: Timestamp::from_second(second).unwrap_or(self.timestamp), ..self }
    }

    /// The instant in UTC, as `2026-01-02T03:04:05.678Z` (fractions only if there are any).
    pub fn to_utc_string(self) -> String {
        self.timestamp.to_string()
    }
}

impl From<Timestamp> for Instant {
    fn from(timestamp: Timestamp) -> Self {
        // Milliseconds are what is stored; finer digits would make equal instants differ.
        let timestamp = Timestamp::from_millisecond(timestamp.as_millisecond()).unwrap_or(timestamp);
        Self { timestamp, offset: Offset::UTC }
    }
}

impl FromStr for Instant {
    type Err = ParseInstantError;

    /// RFC 3339 with an offset (`Z` or `±hh:mm`). A time without an offset is refused: whoever knows
    /// the source's zone must say it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let timestamp: Timestamp = text.parse().map_err(|_| ParseInstantError)?;
        let offset =
            Pieces::parse(text).ok().and_then(|pieces| pieces.to_numeric_offset()).unwrap_or(Offset::UTC);
        Ok(Self::at_offset(timestamp, offset))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.offset == Offset::UTC {
            return self.timestamp.fmt(formatter);
        }
        self.timestamp.display_with_offset(self.offset).fmt(formatter)
    }
}

impl PartialEq for Instant {
    fn eq(&self, other: &Self) -> bool {
        self.timestamp == other.timestamp
    }
}

impl Eq for Instant {}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.timestamp.cmp(&other.timestamp)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
