//! Names of columns, and what a cell holds.

use std::collections::HashSet;

use csv::StringRecord;
use serde_json::Value;

use crate::MAX_COLUMNS;

/// A column's name in one spelling: `First Name`, `first_name` and `$first_name` are one.
pub(crate) fn normalised(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_alphanumeric() {
            plain.extend(character.to_lowercase());
        } else if !plain.is_empty() && !plain.ends_with('_') {
            plain.push('_');
        }
    }
    plain.truncate(plain.trim_end_matches('_').len());
    plain
}

/// The header's names, trimmed; every column has one of its own.
pub(crate) fn names(header: &StringRecord) -> Result<Vec<&str>, String> {
    if header.len() > MAX_COLUMNS {
        return Err(format!("more than {MAX_COLUMNS} columns"));
    }
    let mut seen = HashSet::new();
    for (index, name) in header.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(format!("column {} has no name", index + 1));
        }
        if !seen.insert(name.trim()) {
            return Err(format!("column {} has the name of another", index + 1));
        }
    }
    Ok(header.iter().map(str::trim).collect())
}

/// A cell as a custom property: what is exactly the JSON of a number, a boolean or a list is one, the rest is text.
pub(crate) fn property(cell: &str) -> Value {
    match serde_json::from_str::<Value>(cell) {
        Ok(value @ Value::Bool(_)) => value,
        // What a number would be written differently as, such as 1.50 or 1e3, is rather a code.
        Ok(Value::Number(number)) if number.to_string() == cell => Value::Number(number),
        Ok(Value::Array(items)) if !items.iter().any(|item| item.is_object() || item.is_array()) => {
            Value::Array(items)
        }
        _ => Value::String(cell.to_owned()),
    }
}
