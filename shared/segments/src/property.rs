//! Which property a condition asks about, and its value.

use canonical::Profile;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Event;

/// A property of a profile or of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Path {
    /// One of a profile's own fields.
    Field(Field),
    /// A text among the profile's attributes: `first_name`, `organization`, …
    Attribute(String),
    /// A part of the profile's address: `location['city']`.
    Location(String),
    /// A custom property of the profile: `properties['Tier']`.
    Custom(String),
    /// A property of an event.
    Event(String),
    /// A part of an event's property: `Items[].SKU`. The name as a whole comes first.
    Nested(String, Vec<Step>),
    /// An event's value, `$value`.
    EventValue,
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Key(String),
    /// Each element of a list.
    Each,
}

/// A profile's own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Field {
    Id,
    Email,
    PhoneNumber,
    ExternalId,
    AnonymousId,
    Created,
    Updated,
}

/// The value of a property.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operand<'a> {
    Unset,
    Json(&'a Value),
    Text(&'a str),
    Number(Decimal),
    /// Milliseconds since 1970.
    Instant(i64),
}

/// The most steps of a path into an event's property.
const MAX_STEPS: usize = 16;
const ATTRIBUTES: [&str; 6] = ["first_name", "last_name", "organization", "title", "locale", "image"];
const LOCATION: [&str; 10] =
    ["address1", "address2", "city", "country", "region", "zip", "timezone", "ip", "latitude", "longitude"];

impl Path {
    /// The name of a property, `$value`, or a path to a part of one: `Address.City`, `Items[].SKU`.
    pub(crate) fn of_event(name: &str) -> Result<Self, String> {
        if name == "$value" {
            return Ok(Self::EventValue);
        }
        let mut steps = Vec::new();
        for part in name.split('.') {
            let key = part.trim_end_matches("[]");
            if key.is_empty() {
                // No path, whatever it is: the name of a property.
                return Ok(Self::Event(name.to_owned()));
            }
            steps.push(Step::Key(key.to_owned()));
            steps.extend((0..(part.len() - key.len()) / 2).map(|_| Step::Each));
        }
        if steps.len() > MAX_STEPS {
            return Err(format!("a path has at most {MAX_STEPS} steps"));
        }
        Ok(if steps.len() == 1 { Self::Event(name.to_owned()) } else { Self::Nested(name.to_owned(), steps) })
    }

    /// Whether it may name several values.
    pub(crate) fn is_many(&self) -> bool {
        matches!(self, Self::Nested(_, steps) if steps.contains(&Step::Each))
    }

    /// Whether the filter holds of the value, or, of several, of one of them. None at all is an unset value.
    pub(crate) fn holds_in(&self, event: &Event<'_>, holds: &dyn Fn(Operand<'_>) -> bool) -> bool {
        match self {
            Self::Nested(name, steps) => {
                if let Some(value) = event.properties.get(name).filter(|value| !value.is_null()) {
                    return holds(Operand::Json(value));
                }
                let (mut found, mut held) = (false, false);
                let mut visit = |value: &Value| {
                    found = true;
                    held = held || holds(Operand::Json(value));
                };
                if let Some((Step::Key(first), rest)) = steps.split_first()
                    && let Some(value) = event.properties.get(first)
                {
                    walk(value, rest, &mut visit);
                }
                if found { held } else { holds(Operand::Unset) }
            }
            other => holds(other.in_event(event)),
        }
    }

    /// A well-known name, `location['city']` (or `location.city`), or `properties['any name']`.
    pub(crate) fn of_profile(name: &str) -> Result<Self, String> {
        if ATTRIBUTES.contains(&name) {
            return Ok(Self::Attribute(name.to_owned()));
        }
        if let Some(key) = name.strip_prefix("properties").and_then(bracketed) {
            return Ok(Self::Custom(key));
        }
        if let Some(rest) = name.strip_prefix("location") {
            let key = rest.strip_prefix('.').map(ToOwned::to_owned).or_else(|| bracketed(rest));
            if let Some(key) = key.filter(|key| LOCATION.contains(&key.as_str())) {
                return Ok(Self::Location(key));
            }
            return Err(format!("unknown part of a location; known: {}", LOCATION.join(", ")));
        }
        Ok(Self::Field(match name {
            "id" => Field::Id,
            "email" => Field::Email,
            "phone_number" => Field::PhoneNumber,
            "external_id" => Field::ExternalId,
            "anonymous_id" => Field::AnonymousId,
            "created" => Field::Created,
            "updated" => Field::Updated,
            "last_event_date" => {
                return Err(
                    "last_event_date cannot be asked for: ask for the events themselves (profile-metric)"
                        .to_owned(),
                );
            }
            _ => {
                return Err(format!(
                    "unknown profile property; known: id, email, phone_number, external_id, anonymous_id, \
                     created, updated, {}, location['…'], properties['…']",
                    ATTRIBUTES.join(", ")
                ));
            }
        }))
    }

    pub(crate) fn in_profile<'a>(&self, profile: &'a Profile) -> Operand<'a> {
        let text = |text: &'a Option<String>| text.as_deref().map_or(Operand::Unset, Operand::Text);
        let nested = |parent: &str, key: &str| match profile.attributes.get(parent) {
            Some(Value::Object(map)) => json(map, key),
            _ => Operand::Unset,
        };
        match self {
            Self::Field(field) => match field {
                Field::Id => Operand::Text(&profile.id),
                Field::Email => text(&profile.email),
                Field::PhoneNumber => text(&profile.phone_number),
                Field::ExternalId => text(&profile.external_id),
                Field::AnonymousId => text(&profile.anonymous_id),
                Field::Created => Operand::Instant(profile.created_at.as_millis()),
                Field::Updated => Operand::Instant(profile.updated_at.as_millis()),
            },
            Self::Attribute(key) => json(&profile.attributes, key),
            Self::Location(key) => nested("location", key),
            Self::Custom(key) => nested("properties", key),
            Self::Event(_) | Self::Nested(..) | Self::EventValue => Operand::Unset,
        }
    }

    /// The value in an event, where there is but one.
    pub(crate) fn one_in<'a>(&self, event: &Event<'a>) -> Operand<'a> {
        match self {
            Self::Nested(name, steps) => {
                let whole = event.properties.get(name).filter(|value| !value.is_null());
                whole.or_else(|| only(event.properties, steps)).map_or(Operand::Unset, Operand::Json)
            }
            other => other.in_event(event),
        }
    }

    fn in_event<'a>(&self, event: &Event<'a>) -> Operand<'a> {
        match self {
            Self::Event(key) => json(event.properties, key),
            Self::EventValue => event.value.map_or(Operand::Unset, Operand::Number),
            _ => Operand::Unset,
        }
    }
}

fn json<'a>(map: &'a Map<String, Value>, key: &str) -> Operand<'a> {
    map.get(key).filter(|value| !value.is_null()).map_or(Operand::Unset, Operand::Json)
}

/// What is at the end of steps that never part.
fn only<'a>(properties: &'a Map<String, Value>, steps: &[Step]) -> Option<&'a Value> {
    let (Step::Key(first), rest) = steps.split_first()? else { return None };
    let mut value = properties.get(first)?;
    for step in rest {
        let Step::Key(key) = step else { return None };
        value = value.get(key)?;
    }
    Some(value).filter(|value| !value.is_null())
}

/// Goes along the steps, and visits what is there and not null.
fn walk(value: &Value, steps: &[Step], visit: &mut dyn FnMut(&Value)) {
    match (steps.split_first(), value) {
        (None, Value::Null) => {}
        (None, value) => visit(value),
        (Some((Step::Key(key), rest)), Value::Object(map)) => {
            if let Some(value) = map.get(key) {
                walk(value, rest, visit);
            }
        }
        (Some((Step::Each, rest)), Value::Array(items)) => {
            for item in items {
                walk(item, rest, visit);
            }
        }
        _ => {}
    }
}

/// The text between `['` and `']`, or `["` and `"]`; a backslash takes the next character as it is.
fn bracketed(text: &str) -> Option<String> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let quote = inner.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let mut characters = inner[1..].chars();
    let mut key = String::new();
    loop {
        match characters.next()? {
            '\\' => key.push(characters.next()?),
            end if end == quote => break,
            other => key.push(other),
        }
    }
    (characters.next().is_none() && !key.is_empty()).then_some(key)
}
