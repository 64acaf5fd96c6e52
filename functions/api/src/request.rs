//! What a request asks for besides its body: path, query, page, fields, and the address it was sent to.

use canonical::Instant;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use store::Cursor;

use crate::error::{ApiError, ApiResult};
use crate::filter::{Filter, Operator, Value, parse};
use crate::operation::Operation;

const CURSOR: &str = "page[cursor]";
const SIZE: &str = "page[size]";
const INCLUDE: &str = "include";

/// A request without its body.
pub(crate) struct Asked {
    /// Scheme and host as the client sees them, without a slash at the end.
    pub(crate) base: String,
    /// The path's parts, decoded.
    pub(crate) path: Vec<String>,
    raw_path: String,
    raw_query: String,
    query: Vec<(String, String)>,
    filters: Vec<Filter>,
    page_size: usize,
    /// What the body is.
    pub(crate) format: Format,
}

/// What a body is, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One document: also where nothing is said.
    Json,
    Csv,
    /// NDJSON.
    Lines,
}

impl Format {
    fn of<B>(request: &Request<B>) -> Self {
        let named = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let named =
            named.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match named.as_str() {
            "text/csv" => Self::Csv,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Lines,
            _ => Self::Json,
        }
    }
}

impl Asked {
    pub(crate) fn of<B>(request: &Request<B>, public_url: Option<&str>) -> Self {
        let uri = request.uri();
        let raw_query = uri.query().unwrap_or_default().to_owned();
        let query = raw_query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Self {
            base: match public_url {
                Some(url) => url.trim_end_matches('/').to_owned(),
                None => own_address(request),
            },
            path: uri.path().split('/').filter(|part| !part.is_empty()).map(decode).collect(),
            raw_path: uri.path().to_owned(),
            query: query.collect(),
            raw_query,
            filters: Vec::new(),
            page_size: 0,
            format: Format::of(request),
        }
    }

    /// Refuses what the operation does not declare. What follows asks for nothing else.
    pub(crate) fn check(&mut self, operation: &Operation) -> ApiResult<()> {
        let query = &operation.query;
        self.check_values(INCLUDE, query.includes)?;
        for (name, _) in &self.query {
            if let Some(kind) =
                name.strip_prefix("additional-fields[").and_then(|rest| rest.strip_suffix(']'))
            {
                let known = query.additional.iter().find(|(of, _)| *of == kind);
                self.check_values(name, known.map_or(&[], |(_, fields)| fields))?;
            }
        }
        if let Some((field, _)) = self.sort().filter(|(field, _)| !query.sorts.contains(field)) {
            let detail = format!("'{field}' is not a sort order of this resource.");
            return Err(ApiError::parameter("sort", detail));
        }
        let filters = parse(self.parameter("filter").unwrap_or_default())
            .map_err(|error| ApiError::parameter("filter", format!("Invalid filter provided: {error}.")))?;
        let is_known = |filter: &&Filter| {
            let known = query.filters.iter().find(|(field, _)| *field == filter.field);
            known.is_some_and(|(_, operators)| operators.contains(&filter.operator))
        };
        if let Some(unknown) = filters.iter().find(|filter| !is_known(filter)) {
            return Err(unsupported(unknown));
        }
        self.filters = filters;
        if let Some((default, greatest)) = query.pages {
            let bounds = || {
                ApiError::parameter(
                    SIZE,
                    format!("The page size must be an integer between 1 and {greatest}."),
                )
            };
            self.page_size = match self.parameter(SIZE) {
                Some(size) => {
                    size.parse().ok().filter(|size| (1..=greatest).contains(size)).ok_or_else(bounds)?
                }
                None => default,
            };
        }
        Ok(())
    }

    fn check_values(&self, name: &str, known: &[&str]) -> ApiResult<()> {
        match self.list(name).into_iter().find(|value| !known.contains(value)) {
            Some(unknown) => Err(ApiError::parameter(name, format!("'{unknown}' is not supported here."))),
            None => Ok(()),
        }
    }

    /// The last value of a parameter that is not empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, v)| v.as_str())
            .filter(|v| !v.is_empty())
    }

    /// A parameter that is `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> ApiResult<Option<bool>> {
        let Some(value) = self.parameter(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| ApiError::parameter(name, "The value must be true or false."))
    }

    /// The comma-separated values of a parameter.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let values = self.parameter(name).unwrap_or_default().split(',');
        values.map(str::trim).filter(|value| !value.is_empty()).collect()
    }

    /// `fields[kind]`, if it is there: an empty list is a wish too.
    pub(crate) fn fields(&self, kind: &str) -> Option<Vec<&str>> {
        let name = format!("fields[{kind}]");
        self.query.iter().any(|(key, _)| *key == name).then(|| self.list(&name))
    }

    /// `include`.
    pub(crate) fn include(&self) -> Vec<&str> {
        self.list(INCLUDE)
    }

    /// `additional-fields[kind]`.
    pub(crate) fn additional_fields(&self, kind: &str) -> Vec<&str> {
        self.list(&format!("additional-fields[{kind}]"))
    }

    /// `sort`: the field and whether it descends.
    pub(crate) fn sort(&self) -> Option<(&str, bool)> {
        let sort = self.parameter("sort")?;
        Some(match sort.strip_prefix('-') {
            Some(field) => (field, true),
            None => (sort, false),
        })
    }

    /// `page[size]`, or the operation's default.
    pub(crate) fn page_size(&self) -> usize {
        self.page_size
    }

    /// `page[cursor]` as it was given out.
    pub(crate) fn cursor_text(&self) -> Option<String> {
        cursor_of(self.parameter(CURSOR)?)
    }

    /// `page[cursor]` of a listing of the store.
    pub(crate) fn cursor(&self) -> ApiResult<Option<Cursor>> {
        match self.cursor_text() {
            None if self.parameter(CURSOR).is_some() => Err(invalid_cursor()),
            None => Ok(None),
            Some(text) => Cursor::decode(&text).map(Some).ok_or_else(invalid_cursor),
        }
    }

    /// `filter`.
    pub(crate) fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// The request's own address.
    pub(crate) fn self_link(&self) -> String {
        let mut link = format!("{}{}", self.base, self.raw_path);
        if !self.raw_query.is_empty() {
            link.push('?');
            link.push_str(&self.raw_query);
        }
        link
    }

    /// The address of the same listing from a cursor on.
    pub(crate) fn page_link(&self, cursor: &str) -> String {
        let others = self.query.iter().filter(|(name, _)| name != CURSOR);
        let pairs = others.map(|(name, value)| (name.as_str(), value.as_str())).chain([(CURSOR, cursor)]);
        let query: Vec<String> =
            pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        format!("{}{}?{}", self.base, self.raw_path, query.join("&"))
    }
}

/// A cursor as it was given out, whatever a client library made of it: one keeps the equals sign in front of it,
/// others send the whole address of the next page.
pub(crate) fn cursor_of(given: &str) -> Option<String> {
    let cursor = if given.contains("://") {
        // Encoded once or twice, by the library and by its HTTP client.
        let address = decode(&decode(given));
        let found = address.split(['?', '&']).find_map(|pair| pair.strip_prefix("page[cursor]="));
        found.unwrap_or_default().to_owned()
    } else {
        given.to_owned()
    };
    Some(cursor.trim_start_matches('=').to_owned()).filter(|cursor| !cursor.is_empty())
}

pub(crate) fn invalid_cursor() -> ApiError {
    ApiError::parameter(CURSOR, "Invalid cursor provided.")
}

/// 400 for a condition that an endpoint does not know.
pub(crate) fn unsupported(filter: &Filter) -> ApiError {
    let detail =
        format!("'{}' is not a filter of this resource with '{}'.", filter.field, filter.operator.name());
    ApiError::parameter("filter", detail)
}

/// 400 for a value that a condition cannot take.
pub(crate) fn bad_value(filter: &Filter, expected: &str) -> ApiError {
    ApiError::parameter("filter", format!("The value of '{}' must be {expected}.", filter.field))
}

/// The values of an `equals` or `any`.
pub(crate) fn filter_texts(filter: &Filter) -> ApiResult<Vec<&str>> {
    match (&filter.operator, &filter.value) {
        (Operator::Any, Value::List(_)) | (Operator::Equals, _) => {
            filter.value.texts().ok_or_else(|| bad_value(filter, "a text, or a list of texts"))
        }
        (Operator::Any, _) => Err(bad_value(filter, "a list")),
        _ => Err(unsupported(filter)),
    }
}

/// The instant of a comparison.
pub(crate) fn filter_instant(filter: &Filter) -> ApiResult<Instant> {
    let instant = filter.value.text().and_then(read_instant);
    instant.ok_or_else(|| bad_value(filter, "a time in ISO 8601"))
}

/// Inclusive bounds, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) from_ms: Option<i64>,
    pub(crate) to_ms: Option<i64>,
}

impl Bounds {
    /// Narrows by a comparison with all that lies in `first..=last`.
    pub(crate) fn narrow(&mut self, filter: &Filter, first: i64, last: i64) -> ApiResult<()> {
        let later = |bound: Option<i64>, than: i64| Some(bound.map_or(than, |bound| bound.max(than)));
        let sooner = |bound: Option<i64>, than: i64| Some(bound.map_or(than, |bound| bound.min(than)));
        match filter.operator {
            Operator::GreaterThan => self.from_ms = later(self.from_ms, last.saturating_add(1)),
            Operator::GreaterOrEqual => self.from_ms = later(self.from_ms, first),
            Operator::LessThan => self.to_ms = sooner(self.to_ms, first.saturating_sub(1)),
            Operator::LessOrEqual => self.to_ms = sooner(self.to_ms, last),
            _ => return Err(unsupported(filter)),
        }
        Ok(())
    }

    pub(crate) fn narrow_by_instant(&mut self, filter: &Filter) -> ApiResult<()> {
        self.narrow_by_instant_in(filter, &TimeZone::UTC)
    }

    /// The same, in a time zone where there is no offset.
    pub(crate) fn narrow_by_instant_in(&mut self, filter: &Filter, zone: &TimeZone) -> ApiResult<()> {
        let text = filter.value.text().unwrap_or_default();
        let instant = read_instant_in(text, zone).ok_or_else(|| bad_value(filter, "a time in ISO 8601"))?;
        // Between two milliseconds: what comes after begins with the later, what comes before ends with the earlier.
        let finer = text.split_once('.').is_some_and(|(_, fraction)| {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit);
            digits.skip(3).any(|digit| digit != b'0')
        });
        let millis = instant.as_millis();
        self.narrow(filter, millis + i64::from(finer), millis)
    }

    pub(crate) fn contain(self, millis: i64) -> bool {
        self.from_ms.is_none_or(|from| from <= millis) && self.to_ms.is_none_or(|to| millis <= to)
    }

    pub(crate) fn pair(self) -> (Option<i64>, Option<i64>) {
        (self.from_ms, self.to_ms)
    }
}

/// ISO 8601: with an offset, or in UTC without; a date alone is its midnight. A space where a plus sign was not
/// escaped counts as one.
pub(crate) fn read_instant(text: &str) -> Option<Instant> {
    read_instant_in(text, &TimeZone::UTC)
}

/// The same, in a time zone where there is no offset.
pub(crate) fn read_instant_in(text: &str, zone: &TimeZone) -> Option<Instant> {
    let text = text.trim();
    let zoned = |text: &str| text.parse::<Instant>().ok();
    let plain = |text: &str| -> Option<Instant> {
        let local =
            text.parse::<DateTime>().ok().or_else(|| Some(text.parse::<Date>().ok()?.at(0, 0, 0, 0)))?;
        Some(Instant::from(Instant::local(local, zone)?.timestamp()))
    };
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let unescaped = || match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains([':', 'T']) => zoned(&format!("{time}+{offset}")),
        _ => None,
    };
    zoned(text).or_else(unescaped).or_else(|| plain(text))
}

/// Percent-decodes; what is no escape stays, and what is no UTF-8 is replaced.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |place: usize| char::from(*bytes.get(place)?).to_digit(16);
        if let (b'%', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Percent-encodes all but letters, digits and `-._~`.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                encoded
                    .extend(char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
        encoded
    })
}

fn own_address<B>(request: &Request<B>) -> String {
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
    };
    let is_host =
        |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
    let authority = || request.uri().authority().map(http::uri::Authority::as_str);
    let host = header("x-forwarded-host")
        .filter(is_host)
        .or_else(|| header(HOST.as_str()).filter(is_host))
        .or_else(authority)
        .unwrap_or("localhost");
    let scheme = header("x-forwarded-proto")
        .filter(|scheme| ["http", "https"].contains(scheme))
        .or_else(|| request.uri().scheme_str())
        .unwrap_or("http");
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(uri: &str) -> Asked {
        Asked::of(&Request::builder().uri(uri).header("host", "shop.example.com").body(()).unwrap(), None)
    }

    #[test]
    fn slashes_too_many_and_at_the_end_do_not_matter() {
        assert_eq!(asked("//api/events/").path, ["api", "events"]);
        assert_eq!(asked("/api/profiles/%24a%3Ab/").path, ["api", "profiles", "$a:b"]);
    }

    #[test]
    fn a_cursor_is_found_whatever_the_client_library_made_of_it() {
        for uri in [
            "/api/profiles?page[cursor]=abc",
            "/api/profiles?page%5Bcursor%5D=%3Dabc",
            "/api/profiles?page%5Bcursor%5D=http%3A//127.0.0.1%3A18080/api/profiles/%3Fpage%5Bcursor%5D%3Dabc",
            "/api/profiles?page%5Bcursor%5D=http:%2F%2F127.0.0.1:18080%2Fapi%2Fprofiles%3Fpage%255Bcursor%255D%3Dabc",
            "/api/profiles?page%5Bcursor%5D=https%3A%2F%2Fx.example.com%2Fapi%3Fsort%3Did%26page%5Bcursor%5D%3Dabc",
        ] {
            assert_eq!(asked(uri).cursor_text().as_deref(), Some("abc"), "{uri}");
        }
    }

    #[test]
    fn the_next_page_is_the_same_listing_with_another_cursor() {
        let asked = asked("/api/profiles?filter=equals(email,%22a%2Bb@example.com%22)&page[cursor]=old");
        assert_eq!(
            asked.page_link("new"),
            "http://shop.example.com/api/profiles?filter=equals%28email%2C%22a%2Bb%40example.com%22%29\
             &page%5Bcursor%5D=new"
        );
    }

    #[test]
    fn bounds_between_two_milliseconds_are_exact() {
        for (filter, expected) in [
            ("greater-than(t,1970-01-01T00:00:00.0015Z)", (Some(2), None)),
            ("greater-or-equal(t,1970-01-01T00:00:00.001500)", (Some(2), None)),
            ("less-than(t,1970-01-01T00:00:00.001500)", (None, Some(1))),
            ("less-or-equal(t,1970-01-01T00:00:00.001500)", (None, Some(1))),
            ("greater-than(t,1970-01-01T00:00:00.001000)", (Some(2), None)),
            ("greater-or-equal(t,1970-01-01T00:00:00.001)", (Some(1), None)),
            ("less-than(t,1970-01-01T00:00:00.001000)", (None, Some(0))),
            ("less-or-equal(t,1970-01-01T00:00:00.001)", (None, Some(1))),
        ] {
            let mut bounds = Bounds::default();
            bounds.narrow_by_instant(&parse(filter).unwrap()[0]).unwrap();
            assert_eq!(bounds.pair(), expected, "{filter}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        for (text, expected) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
            ("2026-01-02T03:04:05 02:00", "2026-01-02T01:04:05Z"),
            ("2026-01-02 03:04:05+02:00", "2026-01-02T01:04:05Z"),
            ("2026-01-02T03:04:05.25", "2026-01-02T03:04:05.25Z"),
            ("2026-01-02 03:04:05", "2026-01-02T03:04:05Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
        ] {
            assert_eq!(read_instant(text).map(Instant::to_utc_string).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-01-02T25:00:00Z"] {
            assert_eq!(read_instant(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_itself(text in "\\PC*") {
            prop_assert_eq!(decode(&encode(&text)), text);
        }

        #[test]
        fn nothing_panics_on_any_text(text in "\\PC*") {
            decode(&text);
            read_instant(&text);
        }
    }
}
