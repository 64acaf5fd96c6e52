use canonical::Instant;
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::at;

#[test]
fn an_instant_keeps_the_offset_its_source_wrote() {
    for text in [
        "2026-01-02T03:04:05-05:00",
        "2026-01-02T03:04:05.678+05:30",
        "2026-01-02T03:04:05Z",
        "1969-12-31T23:59:59.999Z",
    ] {
        assert_eq!(at(text).to_string(), text);
        let json = serde_json::to_string(&at(text)).unwrap();
        assert_eq!(json, format!("{text:?}"));
        assert_eq!(serde_json::from_str::<Instant>(&json).unwrap().to_string(), text);
    }
}

/// Clocks in New York were off by seconds until 1883, which RFC 3339 cannot write.
#[test]
fn a_moment_before_there_were_time_zones_is_read_as_it_is_written() {
    let zone = TimeZone::get("America/New_York").unwrap();
    let instant = Instant::local(date(1013, 3, 14).at(10, 20, 11, 0), &zone).unwrap();
    assert_eq!(instant.to_string(), "1013-03-14T10:20:13-04:56");
    assert_eq!(at(&instant.to_string()), instant);
}

#[test]
fn instants_compare_by_the_moment_alone() {
    assert_eq!(at("2026-01-02T03:04:05-05:00"), at("2026-01-02T08:04:05Z"));
    assert!(at("2026-01-02T03:04:05-05:00") > at("2026-01-02T08:04:04Z"));
    assert_eq!(at("2026-01-02T03:04:05-05:00").to_utc_string(), "2026-01-02T08:04:05Z");
}

#[test]
fn a_timestamp_becomes_an_instant_in_utc_to_the_millisecond() {
    let timestamp: jiff::Timestamp = "2026-01-02T03:04:05.678901-05:00".parse().unwrap();
    assert_eq!(Instant::from(timestamp).to_string(), "2026-01-02T08:04:05.678Z");
}

#[test]
fn finer_digits_do_not_make_instants_differ() {
    assert_eq!(at("2026-01-02T03:04:05.678901Z"), at("2026-01-02T03:04:05.678Z"));
}

#[test]
fn milliseconds_go_there_and_back() {
    for millis in [0, -1, 1_767_225_845_123] {
        assert_eq!(Instant::from_millis(millis).unwrap().as_millis(), millis);
    }
    assert!(Instant::from_millis(i64::MAX).is_none());
    assert!(Instant::from_millis(i64::MIN).is_none());
}

#[test]
fn what_is_no_instant_with_an_offset_is_refused() {
    for text in ["", "2026-01-02", "2026-01-02T03:04:05", "yesterday", "2026-13-02T03:04:05Z"] {
        assert!(text.parse::<Instant>().is_err(), "{text}");
    }
}

#[test]
fn serde_reads_borrowed_escaped_and_owned_text() {
    let text = "2026-01-02T03:04:05-05:00";
    let borrowed: Instant = serde_json::from_str(&format!("\"{text}\"")).unwrap();
    let escaped: Instant = serde_json::from_str("\"2026-01-02T03:04:05\\u002d05:00\"").unwrap();
    let owned: Instant = serde_json::from_value(json!(text)).unwrap();
    let reader: Instant = serde_json::from_reader(format!("\"{text}\"").as_bytes()).unwrap();
    for instant in [borrowed, escaped, owned, reader] {
        assert_eq!(instant.to_string(), text);
    }
    assert!(serde_json::from_value::<Instant>(json!(17)).is_err());
}
