//! Fifty segments as shops keep them, in the form Klaviyo's API takes them: `segments.json`, where a metric's name stands for
//! its id. What each means is written a second time, in `segments.sql`.

use serde_json::{Value, json};

/// A segment.
pub struct Named {
    /// Six letters and digits, as the account's ids are.
    pub id: String,
    /// For people.
    pub name: String,
    /// Klaviyo's `definition`.
    pub definition: Value,
}

/// The fifty, by their ids.
pub fn segments() -> Vec<Named> {
    let all: Vec<Value> = serde_json::from_str(include_str!("segments.json")).unwrap();
    let named = |(number, segment): (usize, Value)| Named {
        id: format!("S{number:05}"),
        name: segment["name"].as_str().unwrap().to_owned(),
        definition: segment["definition"].clone(),
    };
    (1..).zip(all).map(named).collect()
}

/// As many segments as wanted: the fifty, and again and again the fifty with other windows, thresholds and values.
pub fn varied(count: usize) -> Vec<Named> {
    let mut all = Vec::with_capacity(count);
    for round in 0.. {
        for (number, mut segment) in segments().into_iter().enumerate() {
            if all.len() == count {
                return all;
            }
            segment.id = format!("S{:05}", 1 + round * 50 + number);
            vary(&mut segment.definition, round);
            all.push(segment);
        }
    }
    all
}

fn vary(value: &mut Value, round: usize) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| vary(item, round)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), &*value) {
                    ("quantity", Value::Number(days)) => {
                        *value = json!((days.as_u64().unwrap() + round as u64) % 366);
                    }
                    ("value", Value::Number(number)) if round > 0 => {
                        *value = json!(number.as_u64().unwrap() + round as u64 % 20);
                    }
                    ("value", Value::String(text)) if round > 0 && round.is_multiple_of(4) => {
                        *value = json!(format!("{text} {round}"));
                    }
                    _ => vary(value, round),
                }
            }
        }
        _ => {}
    }
}
