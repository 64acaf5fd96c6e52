//! Single values, as they are written in deliveries, files and queries.

use canonical::Instant;
use canonical::identity::{normalize_email, normalize_phone};
use canonical::money::{Currency, decimal_from_json, decimal_from_str, decimal_to_json};
use jiff::tz::TimeZone;
use platform::lenient::{Field, Moment};
use serde_json::json;

/// What is read comes out as something that is read as the same.
pub(crate) fn value(input: &[u8]) {
    let text = &*String::from_utf8_lossy(input);
    if let Ok(instant) = text.parse::<Instant>() {
        let again: Instant = instant.to_utc_string().parse().expect("a written time is read");
        assert_eq!(again.as_millis(), instant.as_millis());
    }
    if let Some(amount) = decimal_from_str(text) {
        assert_eq!(decimal_from_json(&decimal_to_json(amount)), Some(amount));
    }
    if let Ok(currency) = text.parse::<Currency>() {
        assert_eq!(currency.as_str().parse().ok(), Some(currency));
    }
    if let Some(email) = normalize_email(text) {
        assert_eq!(normalize_email(&email), Some(email));
    }
    let (first, rest) = text.split_at(text.char_indices().nth(2).map_or(text.len(), |(place, _)| place));
    for (raw, hint) in [(text, None), (rest, Some(first))] {
        if let Some(phone) = normalize_phone(raw, hint) {
            assert_eq!(normalize_phone(&phone, None), Some(phone));
        }
    }
    if let Some(country) = places::country(first) {
        let _ = places::locate(country, rest);
    }
    let _ = places::country(text);
    let moment: Field<Moment> = serde_json::from_value(json!(text)).expect("any field can be read");
    let zone = TimeZone::get("America/New_York").expect("a zone");
    let _ = moment.ok().and_then(|moment| moment.in_zone(&zone));
}

/// A condition has the operator, the field and the value that it is written with.
pub(crate) fn filter(input: &[u8]) {
    let text = &*String::from_utf8_lossy(input);
    for filter in ::api::filter::parse(text).unwrap_or_default() {
        assert!(text.contains(filter.operator.name()) && text.contains(&filter.field), "{filter:?}");
    }
}
