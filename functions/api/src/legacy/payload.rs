//! What was sent to `track` and `identify`: found in its request, decoded, and put into the words of today.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use canonical::identity::{normalize_email, normalize_phone};
use canonical::money::{Currency, decimal_from_json, decimal_to_json};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::request::{Asked, pairs};

/// Names of identifiers, and what they are called today.
const IDENTIFIERS: [(&str, &str); 10] = [
    ("$email", "email"),
    ("email", "email"),
    ("$id", "external_id"),
    ("id", "external_id"),
    ("$external_id", "external_id"),
    ("$phone_number", "phone_number"),
    ("phone_number", "phone_number"),
    ("$anonymous", "anonymous_id"),
    ("$anonymous_id", "anonymous_id"),
    ("anonymous_id", "anonymous_id"),
];
/// Names of attributes begin with a dollar sign.
const ATTRIBUTES: [&str; 6] = ["first_name", "last_name", "organization", "title", "image", "locale"];
const LOCATION: [&str; 10] =
    ["address1", "address2", "city", "region", "zip", "country", "timezone", "latitude", "longitude", "ip"];
/// What is done to single properties.
const PATCHES: [&str; 3] = ["append", "unappend", "unset"];

/// A request.
pub(super) struct Sent {
    /// `None` if it cannot be read.
    pub(super) payload: Option<Map<String, Value>>,
    /// It is checked, and nothing is written.
    pub(super) is_test: bool,
    /// An image is wanted in answer.
    pub(super) wants_pixel: bool,
}

impl Sent {
    /// `data` is in the query, in a form or the body itself; in base64 or as it is.
    pub(super) fn of(asked: &Asked, bytes: &[u8]) -> Self {
        let body = std::str::from_utf8(bytes).unwrap_or_default().trim();
        let is_json = body.starts_with('{');
        let form: Vec<(String, String)> = if is_json { Vec::new() } else { pairs(body).collect() };
        let named = |name: &str| {
            let field = form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
            asked.parameter(name).or(field)
        };
        let payload = match named("data") {
            Some(data) => decode(data),
            None if is_json => decode(body).and_then(unwrap),
            None => None,
        };
        let is_on = |name: &str| named(name).is_some_and(|value| value == "1" || value == "true");
        Self { payload, is_test: is_on("test"), wants_pixel: is_on("i") }
    }
}

/// A payload in JSON, or in base64 of it.
fn decode(text: &str) -> Option<Map<String, Value>> {
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text).ok();
    }
    // A plus sign that was not escaped has become a space; some encode for addresses.
    let plain =
        text.chars().filter(|letter| !matches!(letter, '=' | '\r' | '\n')).map(|letter| match letter {
            ' ' | '-' => '+',
            '_' => '/',
            letter => letter,
        });
    let json = STANDARD_NO_PAD.decode(plain.collect::<String>()).ok()?;
    serde_json::from_slice(&json).ok()
}

/// The payload of a body, which may have it in `data`.
fn unwrap(mut body: Map<String, Value>) -> Option<Map<String, Value>> {
    if body.contains_key("token") {
        return Some(body);
    }
    match body.remove("data")? {
        Value::Object(payload) => Some(payload),
        Value::String(text) => decode(&text),
        _ => None,
    }
}

/// A profile's resource, as the endpoints of today take it. `ip` is the address it was seen at.
pub(super) fn profile(customer: Option<&Map<String, Value>>, ip: Option<&Value>) -> Map<String, Value> {
    let (mut attributes, mut location) = (Map::new(), Map::new());
    let (mut properties, mut patches) = (Map::new(), Map::new());
    for (name, value) in customer.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        if let Some((now, identifier)) = identifier(name, value)
            && !attributes.contains_key(now)
        {
            attributes.insert(now.to_owned(), identifier.into());
            continue;
        }
        let special = name.strip_prefix('$').unwrap_or_default();
        match text(value) {
            Some(text) if ATTRIBUTES.contains(&special) => attributes.insert(special.to_owned(), text.into()),
            Some(text) if LOCATION.contains(&special) => location.insert(special.to_owned(), text.into()),
            _ if PATCHES.contains(&special) && is_patch(special, value) => {
                patches.insert(special.to_owned(), value.clone())
            }
            _ => properties.insert(name.clone(), value.clone()),
        };
    }
    if let Some(ip) = ip.and_then(Value::as_str)
        && !location.contains_key("ip")
    {
        location.insert("ip".to_owned(), ip.into());
    }
    for (name, object) in [("location", location), ("properties", properties)] {
        if !object.is_empty() {
            attributes.insert(name.to_owned(), object.into());
        }
    }
    let mut profile = Map::new();
    profile.insert("type".to_owned(), "profile".into());
    profile.insert("attributes".to_owned(), attributes.into());
    if !patches.is_empty() {
        profile.insert("meta".to_owned(), json!({"patch_properties": patches}));
    }
    profile
}

/// An identifier under its name of today, if it can be one.
fn identifier(name: &str, value: &Value) -> Option<(&'static str, String)> {
    let (_, now) = IDENTIFIERS.into_iter().find(|(old, _)| *old == name)?;
    let text = text(value)?;
    let is_sound = match now {
        "email" => text.len() <= 100 && normalize_email(&text).is_some(),
        "phone_number" => text.trim().starts_with('+') && normalize_phone(&text, None).is_some(),
        _ => text.len() <= 1024,
    };
    is_sound.then_some((now, text))
}

fn is_patch(name: &str, value: &Value) -> bool {
    match value {
        Value::Object(_) => name != "unset",
        Value::String(_) => name == "unset",
        Value::Array(names) => name == "unset" && names.iter().all(Value::is_string),
        _ => false,
    }
}

/// A text, or a number as one.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number, or a text that is one.
pub(super) fn amount(value: &Value) -> Option<Value> {
    decimal_from_json(value).map(decimal_to_json).filter(Value::is_number)
}

pub(super) fn is_currency(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|code| code.parse::<Currency>().is_ok())
}

/// Seconds since 1970 in ISO 8601; what is something else stays.
pub(super) fn time(value: &Value) -> Value {
    let seconds = text(value).and_then(|text| text.trim().parse::<f64>().ok());
    #[allow(clippy::cast_possible_truncation, reason = "what is too large is no time, either")]
    let timestamp = seconds.and_then(|seconds| Timestamp::from_second(seconds.floor() as i64).ok());
    timestamp.map_or_else(|| value.clone(), |timestamp| timestamp.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_read_however_it_was_encoded() {
        // {"a":"?>~"} has both letters in which the two alphabets differ.
        for text in [
            r#" {"a":"?>~"}"#,
            "eyJhIjoiPz5+In0=",
            "eyJhIjoiPz5-In0",
            "eyJhIjoiPz5 In0=",
            "eyJh\r\nIjoiPz5+In0=",
        ] {
            assert_eq!(decode(text).map(Value::from), Some(json!({"a": "?>~"})), "{text}");
        }
        for text in ["", "{", "eyJh", "W10=", "not base64!", "[]"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn names_with_a_dollar_sign_are_those_of_today_without() {
        let customer = json!({
            "$email": "ann@example.com", "$id": 7, "$phone_number": "0171", "$first_name": "Ann", "$city": "Lyon",
            "$zip": 69001, "$last_name": null, "$consent": ["email"], "plan": "x", "$unset": "old", "email": "b@example.com",
        });
        let read = profile(customer.as_object(), Some(&json!("192.0.2.1")));
        let expected = json!({
            "type": "profile",
            "attributes": {
                "email": "ann@example.com", "external_id": "7", "first_name": "Ann",
                "location": {"city": "Lyon", "zip": "69001", "ip": "192.0.2.1"},
                "properties": {
                    "$phone_number": "0171", "$consent": ["email"], "plan": "x", "email": "b@example.com",
                },
            },
            "meta": {"patch_properties": {"unset": "old"}},
        });
        assert_eq!(Value::from(read), expected);
    }

    #[test]
    fn times_are_seconds() {
        assert_eq!(time(&json!(1_700_000_000)), json!("2023-11-14T22:13:20Z"));
        assert_eq!(time(&json!("1700000000.9")), json!("2023-11-14T22:13:20Z"));
        for other in [json!("2026-01-02"), json!(1e300), json!([])] {
            assert_eq!(time(&other), other);
        }
    }
}
