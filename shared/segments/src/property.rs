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
    /// An event's value, `$value`.
    EventValue,
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
    LastEventDate,
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

const ATTRIBUTES: [&str; 6] = ["first_name", "last_name", "organization", "title", "locale", "image"];
const LOCATION: [&str; 10] =
    ["address1", "address2", "city", "country", "region", "zip", "timezone", "ip", "latitude", "longitude"];

impl Path {
    pub(crate) fn of_event(name: &str) -> Self {
        if name == "$value" { Self::EventValue } else { Self::Event(name.to_owned()) }
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
            "last_event_date" => Field::LastEventDate,
            _ => {
                return Err(format!(
                    "unknown profile property; known: id, email, phone_number, external_id, anonymous_id, \
                     created, updated, last_event_date, {}, location['…'], properties['…']",
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
                Field::LastEventDate => {
                    profile.last_event_at.map_or(Operand::Unset, |at| Operand::Instant(at.as_millis()))
                }
            },
            Self::Attribute(key) => json(&profile.attributes, key),
            Self::Location(key) => nested("location", key),
            Self::Custom(key) => nested("properties", key),
            Self::Event(_) | Self::EventValue => Operand::Unset,
        }
    }

    pub(crate) fn in_event<'a>(&self, event: &Event<'a>) -> Operand<'a> {
        match self {
            Self::Event(key) => json(event.properties, key),
            Self::EventValue => event.value.map_or(Operand::Unset, Operand::Number),
            Self::Field(_) | Self::Attribute(_) | Self::Location(_) | Self::Custom(_) => Operand::Unset,
        }
    }
}

fn json<'a>(map: &'a Map<String, Value>, key: &str) -> Operand<'a> {
    map.get(key).filter(|value| !value.is_null()).map_or(Operand::Unset, Operand::Json)
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
