//! As much JSON Schema as platforms' descriptions use: `type`, `enum`, `const`, `required`, `properties`, `items`,
//! `minLength`, `maxLength`, `pattern`, `minimum`, `maximum`, and of `format` the names of time zones (`time-zone`).
//! Other words are notes for forms. Properties that a schema does not name are refused unless it says
//! `additionalProperties`.

use std::cmp::Ordering;

use canonical::money::decimal_from_json;
use jiff::tz::TimeZone;
use regex_lite::Regex;
use serde_json::Value;

use crate::error::{ApiError, ApiResult};

/// Checks a value; the complaint points below `pointer`.
pub(crate) fn check(schema: &Value, value: &Value, pointer: &str) -> ApiResult<()> {
    let refuse = |detail: String| Err(ApiError::invalid(pointer, detail));
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|wanted| is_of(value, wanted)) {
        return refuse(format!("The value must be of type {}.", types.join(" or ")));
    }
    if let Value::Array(allowed) = &schema["enum"]
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        return refuse(format!("The value must be one of {}.", allowed.join(", ")));
    }
    if let Some(wanted) = schema.get("const")
        && wanted != value
    {
        return refuse(format!("The value must be {wanted}."));
    }
    match value {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if schema["minLength"].as_u64().is_some_and(|least| length < least) {
                return refuse("The string is too short.".to_owned());
            }
            if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
                return refuse("The string is too long.".to_owned());
            }
            if let Some(pattern) = schema["pattern"].as_str()
                && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
            {
                return refuse(format!("The string must match {pattern}."));
            }
            if schema["format"] == "time-zone" && TimeZone::get(text).is_err() {
                return refuse("The string must name a time zone, such as Europe/Paris.".to_owned());
            }
        }
        Value::Number(_) => {
            let compared =
                |name: &str| Some(decimal_from_json(value)?.cmp(&decimal_from_json(schema.get(name)?)?));
            if compared("minimum") == Some(Ordering::Less) || compared("maximum") == Some(Ordering::Greater) {
                return refuse("The number is out of bounds.".to_owned());
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (place, item) in items.iter().enumerate() {
                    check(schema, item, &format!("{pointer}/{place}"))?;
                }
            }
        }
        Value::Object(fields) => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for name in required {
                if fields.get(name).is_none_or(Value::is_null) {
                    let detail = format!("The field '{name}' is required.");
                    return Err(ApiError::invalid(format!("{pointer}/{name}"), detail));
                }
            }
            for (name, field) in fields {
                let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
                    Some(Value::Bool(true)) => {}
                    Some(schema @ Value::Object(_)) => check(schema, field, &below)?,
                    _ => {
                        return Err(ApiError::invalid(below, format!("'{name}' is not known here.")));
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    Ok(())
}

fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_word_of_a_schema_is_obeyed() {
        let schema = json!({
            "type": "object",
            "required": ["shop"],
            "properties": {
                "shop": {"type": "string", "minLength": 3, "maxLength": 5},
                "mode": {"enum": ["a", "b"]},
                "days": {"type": ["integer", "null"], "minimum": 1, "maximum": 30},
                "tags": {"type": "array", "items": {"type": "string"}},
                "kind": {"const": 1},
                "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
                "zone": {"type": "string", "format": "time-zone"},
                "free": {"type": "object", "additionalProperties": {"type": "boolean"}},
            },
        });
        for good in [
            json!({"shop": "abc"}),
            json!({"shop": "abc", "mode": "a", "days": 30, "tags": ["x"], "kind": 1, "free": {"x": true}}),
            json!({"shop": "abc", "days": null}),
            json!({"shop": "abc", "code": "EUR", "zone": "Europe/Paris"}),
        ] {
            assert_eq!(check(&schema, &good, "/s"), Ok(()), "{good}");
        }
        for (bad, pointer) in [
            (json!([]), "/s"),
            (json!({}), "/s/shop"),
            (json!({"shop": null}), "/s/shop"),
            (json!({"shop": "ab"}), "/s/shop"),
            (json!({"shop": "abcdef"}), "/s/shop"),
            (json!({"shop": "abc", "mode": "c"}), "/s/mode"),
            (json!({"shop": "abc", "days": 0}), "/s/days"),
            (json!({"shop": "abc", "days": 31}), "/s/days"),
            (json!({"shop": "abc", "days": 1.5}), "/s/days"),
            (json!({"shop": "abc", "tags": ["x", 1]}), "/s/tags/1"),
            (json!({"shop": "abc", "kind": 2}), "/s/kind"),
            (json!({"shop": "abc", "code": "EURO"}), "/s/code"),
            (json!({"shop": "abc", "zone": "Europe/Fern"}), "/s/zone"),
            (json!({"shop": "abc", "free": {"x": 1}}), "/s/free/x"),
            (json!({"shop": "abc", "a/b": 1}), "/s/a~1b"),
        ] {
            let error = check(&schema, &bad, "/s").unwrap_err();
            assert_eq!(error, ApiError::invalid(pointer, error.detail.clone()), "{bad}");
        }
    }
}
