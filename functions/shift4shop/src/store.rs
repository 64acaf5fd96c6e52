//! What a store's settings say, and how its times are read: orders name neither zone nor currency.

use canonical::{Currency, Instant};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use platform::Connection;
use platform::lenient::{Dropped, Field, Lenient, Moment};
use platform::reading::Silence;

const DEFAULT_API: &str = "https://apirest.3dcart.com/3dCartWebAPI/v2";
/// Dates as the store's own pages and older answers write them.
const US_FORMATS: [&str; 3] = ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y"];

/// A store's settings.
#[derive(Clone, Debug)]
pub(crate) struct Store<'a> {
    pub(crate) zone: TimeZone,
    pub(crate) currency: Currency,
    /// `https://` and the store's host, without a slash at its end.
    pub(crate) address: &'a str,
    connection: &'a Connection,
}

impl<'a> Store<'a> {
    /// `Err` names the setting that is missing or cannot be read: with another zone or currency everything would be
    /// wrong, so nothing is guessed.
    pub(crate) fn of(connection: &'a Connection) -> Result<Self, Silence> {
        let missing = |name| Silence::Malformed(format!("the setting {name} is missing or unknown"));
        Ok(Self {
            zone: connection.time_zone("time_zone").ok_or_else(|| missing("time_zone"))?,
            currency: connection.currency("currency").ok_or_else(|| missing("currency"))?,
            address: connection
                .text("secure_url")
                .filter(|url| url.starts_with("https://"))
                .ok_or_else(|| missing("secure_url"))?
                .trim_end_matches('/'),
            connection,
        })
    }

    /// The API's address.
    pub(crate) fn api(&self) -> &'a str {
        self.connection.text("api_url").unwrap_or(DEFAULT_API).trim_end_matches('/')
    }

    /// What the connection makes of a status, if it says.
    pub(crate) fn status(&self, id: &str) -> Option<&'a str> {
        self.connection.settings.get("statuses")?.get(id)?.as_str()
    }

    /// Takes a time of the store's clock.
    pub(crate) fn time(
        &self,
        dropped: &mut Dropped,
        name: &'static str,
        field: Field<StoreTime>,
    ) -> Option<Instant> {
        let StoreTime(moment) = dropped.take(name, field)?;
        moment.in_zone(&self.zone)
    }

    /// A file of the store: paths are relative to its address.
    pub(crate) fn file(&self, path: String) -> String {
        if path.starts_with("https://") || path.starts_with("http://") {
            return path;
        }
        format!("{}/{}", self.address, path.trim_start_matches('/'))
    }
}

/// A time as the store writes it: ISO 8601 without an offset, or month, day and year with slashes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StoreTime(Moment);

impl Lenient<'_> for StoreTime {
    fn from_text(text: &str) -> Option<Self> {
        let iso = Moment::from_text(text);
        iso.or_else(|| slashed(text).map(Moment::Local)).map(Self)
    }
}

fn slashed(text: &str) -> Option<DateTime> {
    let [with_time @ .., date_only] = US_FORMATS;
    let time = with_time.iter().find_map(|format| DateTime::strptime(format, text).ok());
    time.or_else(|| Some(jiff::civil::Date::strptime(date_only, text).ok()?.at(0, 0, 0, 0)))
}
