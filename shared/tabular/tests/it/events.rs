//! Events, as CSV and as NDJSON.

use proptest::prelude::*;
use serde_json::{Value, json};
use tabular::{EventRow, RowError, event_lines, events};

fn shown(row: &EventRow) -> Value {
    json!({
        "line": row.line, "metric": row.metric, "person": row.person, "time": row.time, "unique_id": row.unique_id,
        "value": row.value, "value_currency": row.value_currency, "properties": row.properties,
    })
}

fn lines(ndjson: &str) -> Vec<Result<Value, RowError>> {
    event_lines(ndjson.as_bytes()).map(|row| row.map(|row| shown(&row))).collect()
}

fn rows(csv: &str) -> Vec<Result<Value, RowError>> {
    events(csv.as_bytes()).map(|row| row.map(|row| shown(&row))).collect()
}

#[test]
fn both_notations_say_the_same() {
    let expected = |line: u64| {
        json!({
            "line": line, "metric": "Visited Store", "person": {"email": "ann@example.com"},
            "time": "2026-03-14T10:20:11+01:00", "unique_id": "v-1", "value": "12.50", "value_currency": "EUR",
            "properties": {"Branch": "Ithaca", "Visitors": 2},
        })
    };
    let csv = "Metric,Time,Unique ID,Value,Value Currency,Email,Branch,Visitors\n\
               Visited Store,2026-03-14T10:20:11+01:00,v-1,12.50,eur,ann@example.com,Ithaca,2\n";
    assert_eq!(rows(csv), [Ok(expected(2))]);
    let flat =
        r#"{"metric":"Visited Store","time":"2026-03-14T10:20:11+01:00","unique_id":"v-1","value":"12.50",
        "value_currency":"EUR","email":"ann@example.com","Branch":"Ithaca","Visitors":2}"#
            .replace('\n', "");
    let nested =
        r#"{"metric":"Visited Store","time":"2026-03-14T10:20:11+01:00","unique_id":"v-1","value":"12.50",
        "value_currency":"EUR","email":"ann@example.com","properties":{"Branch":"Ithaca","Visitors":2}}"#
            .replace('\n', "");
    assert_eq!(lines(&format!("{flat}\n\n{nested}")), [Ok(expected(1)), Ok(expected(3))]);
}

#[test]
fn times_are_exact_or_refused() {
    let time =
        |time: &str| lines(&format!(r#"{{"metric":"M","email":"a@example.com","time":{time}}}"#)).remove(0);
    for (text, utc) in [
        ("1773480011", "2026-03-14T09:20:11Z"),
        ("\"1773480011\"", "2026-03-14T09:20:11Z"),
        ("\"2026-03-14T09:20:11Z\"", "2026-03-14T09:20:11Z"),
    ] {
        assert_eq!(time(text).unwrap()["time"], utc);
    }
    for text in ["\"2026-03-14 09:20:11\"", "\"yesterday\"", "1.5", "[]"] {
        let reason = "time is neither RFC 3339 with an offset nor Unix seconds".to_owned();
        assert_eq!(time(text), Err(RowError { line: 1, reason }));
    }
}

#[test]
fn a_bad_line_costs_only_itself_and_is_told_without_its_content() {
    let file = "{\"metric\":\"M\",\"email\":\"a@example.com\"}\nnot json\n[]\n{\"email\":\"a@example.com\"}\n\
                {\"metric\":\"M\"}\n{\"metric\":\"M\",\"email\":\"a@example.com\",\"value\":\"much\"}\n\
                {\"metric\":\"M\",\"external_id\":12}\n";
    let read = lines(file);
    let reasons: Vec<_> =
        read.iter().filter_map(|row| row.as_ref().err()).map(|e| (e.line, e.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (2, "not a JSON object"),
            (3, "not a JSON object"),
            (4, "no metric"),
            (5, "nobody is named: no e-mail address, phone number or id"),
            (6, "value is not an amount"),
        ]
    );
    assert_eq!(read[6].as_ref().unwrap()["person"], json!({"external_id": "12"}));
}

#[test]
fn a_line_beyond_the_bound_costs_only_itself() {
    let long = format!("{{\"metric\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let file = format!("{long}\n{{\"metric\":\"M\",\"email\":\"a@example.com\"}}\n{long}");
    let too_long = |line| Err(RowError { line, reason: "longer than 1 MiB".to_owned() });
    let read = lines(&file);
    assert_eq!((&read[0], &read[2], read.len()), (&too_long(1), &too_long(3), 3));
    assert_eq!(read[1].as_ref().unwrap()["line"], 2);
}

#[test]
fn a_byte_order_mark_is_no_content() {
    let line = r#"{"metric":"M","email":"a@example.com"}"#;
    assert!(lines(&format!("\u{feff}{line}\r\n")).remove(0).is_ok());
    assert!(rows("\u{feff}\"Metric\",Email\r\nM,a@example.com\r\n").remove(0).is_ok());
    assert_eq!(lines("\u{feff}\n"), []);
}

#[test]
fn two_fields_that_mean_the_same_are_refused() {
    let line = r#"{"metric":"M","email":"a@example.com","event":"Click"}"#;
    assert_eq!(lines(line), [Err(RowError { line: 1, reason: "two fields mean the same".to_owned() })]);
    assert!(lines(r#"{"metric":"M","event":null,"email":"a@example.com","a":1,"A":2}"#).remove(0).is_ok());
}

#[test]
fn a_header_needs_a_metric_and_no_meaning_twice() {
    for (csv, reason) in [
        ("Email,Time\na@example.com,1", "no column Metric"),
        ("Metric,Event\nM,M", "column 2 means what another does"),
    ] {
        assert_eq!(rows(csv), [Err(RowError { line: 1, reason: reason.to_owned() })]);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_run_on(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(event_lines(bytes.as_slice()).count() <= bytes.len() + 1);
        prop_assert!(events(bytes.as_slice()).count() <= bytes.len() + 1);
    }
}
