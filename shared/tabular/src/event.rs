//! Rows and lines that are events.

use std::io::{BufRead, BufReader, Read};

use canonical::money::{Decimal, decimal_from_json};
use canonical::{Currency, Instant, Person};
use csv::StringRecord;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::column::{self, normalised};
use crate::row::mark;
use crate::rows::{self, Columns, RowError};

/// The longest line of NDJSON, in bytes.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// The line it begins at, from 1.
    pub line: u64,
    /// The metric's name.
    pub metric: String,
    /// Who: identifiers as they were written.
    pub person: Person,
    /// When; `None` if the row does not say.
    pub time: Option<Instant>,
    /// What tells it from all others of its metric and person.
    pub unique_id: Option<String>,
    /// Its value.
    pub value: Option<Decimal>,
    /// The value's currency.
    pub value_currency: Option<Currency>,
    /// Everything else.
    pub properties: Map<String, Value>,
}

/// What the columns of a file of events are.
#[derive(Clone, Debug)]
pub struct EventColumns(Vec<(Target, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Metric,
    Time,
    UniqueId,
    Value,
    Currency,
    Email,
    Phone,
    ExternalId,
    AnonymousId,
    Property,
}

/// The events of a CSV file. A header that cannot be read is the only item.
pub fn events<R: Read>(reader: R) -> impl Iterator<Item = Result<EventRow, RowError>> {
    rows::rows::<EventColumns, R>(reader)
}

/// The events of an NDJSON file: one object a line. Blank lines are passed over.
pub fn event_lines<R: Read>(reader: R) -> impl Iterator<Item = Result<EventRow, RowError>> {
    let mut reader = BufReader::new(reader);
    let mut number = 0;
    let mut done = false;
    std::iter::from_fn(move || {
        while !done {
            let mut line = Vec::new();
            number += 1;
            let Ok(is_whole) = whole_line(&mut reader, &mut line) else {
                done = true;
                return Some(Err(RowError::new(number, "the file cannot be read further")));
            };
            let begin = if number == 1 { mark(&line) } else { 0 };
            if !is_whole {
                return Some(Err(RowError::new(number, "longer than 1 MiB")));
            }
            if line.is_empty() {
                done = true;
            } else if !line[begin..].trim_ascii().is_empty() {
                return Some(
                    self::line(number, &line[begin..]).map_err(|reason| RowError::new(number, reason)),
                );
            }
        }
        None
    })
}

/// Reads a line, empty at the end. Of one that is too long the rest is passed over: it is not whole.
fn whole_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut is_whole = true;
    loop {
        let read = reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', line)?;
        if line.ends_with(b"\n") || (read as u64) < MAX_LINE_BYTES {
            return Ok(is_whole);
        }
        line.clear();
        is_whole = false;
    }
}

impl EventColumns {
    /// The columns by the header; an error is a reason without content.
    pub fn of(header: &StringRecord) -> Result<Self, String> {
        let columns: Vec<(Target, String)> =
            column::names(header)?.into_iter().map(|name| (target(name), name.to_owned())).collect();
        for (index, (target, _)) in columns.iter().enumerate() {
            if *target != Target::Property && columns[..index].iter().any(|(other, _)| other == target) {
                return Err(format!("column {} means what another does", index + 1));
            }
        }
        if !columns.iter().any(|(target, _)| *target == Target::Metric) {
            return Err("no column Metric".to_owned());
        }
        Ok(Self(columns))
    }

    /// One row of as many cells as the header; an error is a reason without content.
    pub fn row(&self, line: u64, cells: &StringRecord) -> Result<EventRow, String> {
        let mut event = Draft::default();
        let cells = cells.iter().map(str::trim);
        for ((target, name), cell) in self.0.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            let value = match target {
                Target::Property => column::property(cell),
                _ => Value::String(cell.to_owned()),
            };
            event.set(*target, name, value)?;
        }
        event.finish(line)
    }
}

impl Columns for EventColumns {
    type Row = EventRow;

    fn of(header: &StringRecord) -> Result<Self, String> {
        Self::of(header)
    }

    fn row(&self, line: u64, cells: &StringRecord) -> Result<EventRow, String> {
        self.row(line, cells)
    }
}

fn line(number: u64, bytes: &[u8]) -> Result<EventRow, String> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else {
        return Err("not a JSON object".to_owned());
    };
    let mut event = Draft::default();
    let mut said = Vec::new();
    for (name, value) in fields {
        match (target(&name), value) {
            (_, Value::Null) => {}
            (Target::Property, Value::Object(properties)) if name == "properties" => {
                event.properties.extend(properties);
            }
            (target, _) if said.contains(&target) => return Err("two fields mean the same".to_owned()),
            (target, value) => {
                said.extend(Some(target).filter(|target| *target != Target::Property));
                event.set(target, &name, value)?;
            }
        }
    }
    event.finish(number)
}

fn target(name: &str) -> Target {
    match normalised(name).as_str() {
        "metric" | "metric_name" | "event" | "event_name" => Target::Metric,
        "time" | "timestamp" => Target::Time,
        "unique_id" | "event_id" => Target::UniqueId,
        "value" => Target::Value,
        "value_currency" | "currency" => Target::Currency,
        "email" | "e_mail" | "email_address" => Target::Email,
        "phone" | "phone_number" => Target::Phone,
        "external_id" => Target::ExternalId,
        "anonymous_id" => Target::AnonymousId,
        _ => Target::Property,
    }
}

#[derive(Default)]
struct Draft {
    metric: Option<String>,
    person: Person,
    time: Option<Instant>,
    unique_id: Option<String>,
    value: Option<Decimal>,
    value_currency: Option<Currency>,
    properties: Map<String, Value>,
}

impl Draft {
    fn set(&mut self, target: Target, name: &str, value: Value) -> Result<(), String> {
        match target {
            Target::Metric => self.metric = text("metric", &value)?,
            Target::Time => self.time = Some(time(&value)?),
            Target::UniqueId => self.unique_id = text("unique_id", &value)?,
            Target::Value => self.value = Some(decimal_from_json(&value).ok_or("value is not an amount")?),
            Target::Currency => {
                let code = value.as_str().and_then(|text| text.parse().ok());
                self.value_currency = Some(code.ok_or("value_currency is not a currency")?);
            }
            Target::Email => self.person.email = text("email", &value)?,
            Target::Phone => self.person.phone = text("phone_number", &value)?,
            Target::ExternalId => self.person.external_id = text("external_id", &value)?,
            Target::AnonymousId => self.person.anonymous_id = text("anonymous_id", &value)?,
            Target::Property => {
                self.properties.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    fn finish(self, line: u64) -> Result<EventRow, String> {
        let Self { metric, person, time, unique_id, value, value_currency, properties } = self;
        let metric = metric.ok_or("no metric")?;
        let identifiers = [&person.email, &person.phone, &person.external_id, &person.anonymous_id];
        if identifiers.into_iter().all(Option::is_none) {
            return Err("nobody is named: no e-mail address, phone number or id".to_owned());
        }
        Ok(EventRow { line, metric, person, time, unique_id, value, value_currency, properties })
    }
}

/// Text; an integer counts as its digits, as ids are often written.
fn text(name: &str, value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::String(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
        _ => Err(format!("{name} is not a text")),
    }
}

/// RFC 3339 with an offset, or Unix seconds.
fn time(value: &Value) -> Result<Instant, String> {
    let unix = |seconds: i64| Timestamp::from_second(seconds).ok().map(Instant::from);
    let time = match value {
        Value::String(text) => match text.trim().parse() {
            Ok(seconds) => unix(seconds),
            Err(_) => text.trim().parse().ok(),
        },
        value => value.as_i64().and_then(unix),
    };
    time.ok_or_else(|| "time is neither RFC 3339 with an offset nor Unix seconds".to_owned())
}
