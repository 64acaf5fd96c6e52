//! Attributes: each is last-writer-wins by the source's own time.

use serde_json::{Map, Value};

use super::Profile;

/// The most custom properties a profile has (Klaviyo's limit).
pub const MAX_PROPERTIES: usize = 400;
/// How deep arrays and objects may be nested within a value (Klaviyo's limit).
pub const MAX_NESTING: usize = 10;
/// The longest text within a value, in bytes (Klaviyo's limit of 100 KB).
pub const MAX_TEXT_BYTES: usize = 100 * 1024;
/// The most items of an array within a value (Klaviyo's limit).
pub const MAX_ARRAY_ITEMS: usize = 4000;

const TOP_LEVEL: [&str; 6] = ["first_name", "last_name", "organization", "title", "locale", "image"];
const LOCATION: [&str; 10] =
    ["address1", "address2", "city", "region", "zip", "country", "timezone", "latitude", "longitude", "ip"];

/// What [`Profile::apply_attributes`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct AttributeOutcome {
    /// Whether a value in force is another than before. If not, the profile is equal to what it was, and
    /// nothing needs to be written.
    pub changed: bool,
    /// How many values were dropped: unknown names, and what exceeds the limits of this module.
    pub dropped: usize,
}

impl Profile {
    /// Applies attributes that the source had at `at_ms`, in milliseconds.
    ///
    /// Each of the named attributes, each key of `location` and each key of `properties` is on its own: an
    /// older value never replaces a newer one, and null clears. An empty text in a named attribute or in
    /// `location` counts as absent.
    ///
    /// A value that merely repeats itself is no change, so an order that brings the same name again costs no
    /// write. Its stamp advances only together with a real change, when the profile is written anyway.
    pub fn apply_attributes(&mut self, attributes: &Map<String, Value>, at_ms: i64) -> AttributeOutcome {
        let mut outcome = AttributeOutcome::default();
        let mut repeated = Vec::new();
        for (path, value) in flatten(attributes, &mut outcome.dropped) {
            if !within_limits(value, MAX_NESTING) {
                outcome.dropped += 1;
                continue;
            }
            let stamp = self.stamps.get(&path.to_string()).copied();
            if stamp.is_some_and(|stamp| at_ms < stamp) {
                continue;
            }
            if self.value_at(path) == some(value) && (stamp.is_some() || !value.is_null()) {
                repeated.push(path);
            } else if self.has_room_for(path) {
                self.put(path, value, at_ms);
                outcome.changed = true;
            } else {
                outcome.dropped += 1;
            }
        }
        if outcome.changed {
            self.stamps.extend(repeated.into_iter().map(|path| (path.to_string(), at_ms)));
        }
        outcome
    }

    /// The value in force.
    pub(super) fn value_at(&self, path: Path<'_>) -> Option<&Value> {
        match path.parent {
            Some(parent) => self.attributes.get(parent)?.get(path.key),
            None => self.attributes.get(path.key),
        }
    }

    /// Puts a value in force; null takes the value away and leaves its stamp, so that an older value does
    /// not come back.
    pub(super) fn put(&mut self, path: Path<'_>, value: &Value, at_ms: i64) {
        self.stamps.insert(path.to_string(), at_ms);
        let Some(parent) = path.parent else {
            put(&mut self.attributes, path.key, value);
            return;
        };
        let object = self.attributes.entry(parent).or_insert_with(|| Map::new().into());
        if let Value::Object(object) = object {
            put(object, path.key, value);
            if object.is_empty() {
                self.attributes.shift_remove(parent);
            }
        }
    }

    /// Only `properties` can grow without end. A cleared property leaves a stamp, so stamps are limited
    /// too, to twice as many.
    pub(super) fn has_room_for(&self, path: Path<'_>) -> bool {
        let properties = self.attributes.get("properties").and_then(Value::as_object).map_or(0, Map::len);
        path.parent != Some("properties")
            || self.value_at(path).is_some()
            || (properties < MAX_PROPERTIES
                && (self.stamps.len() < 2 * MAX_PROPERTIES || self.stamps.contains_key(&path.to_string())))
    }
}

/// Where an attribute is: `first_name`, `location.city`, `properties.Tier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path<'a> {
    pub(super) parent: Option<&'a str>,
    pub(super) key: &'a str,
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(parent) = self.parent {
            write!(formatter, "{parent}.")?;
        }
        formatter.write_str(self.key)
    }
}

/// All attributes by path. `dropped` grows by those whose name is not known.
pub(super) fn flatten<'a>(
    attributes: &'a Map<String, Value>,
    dropped: &mut usize,
) -> Vec<(Path<'a>, &'a Value)> {
    let mut flat = Vec::new();
    let is_blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
    for (name, value) in attributes {
        match (name.as_str(), value) {
            (name, value) if TOP_LEVEL.contains(&name) => {
                if !is_blank(value) {
                    flat.push((Path { parent: None, key: name }, value));
                }
            }
            ("properties", Value::Object(properties)) => flat.extend(
                properties.iter().map(|(key, value)| (Path { parent: Some("properties"), key }, value)),
            ),
            ("location", Value::Object(location)) => {
                for (key, value) in location {
                    if !LOCATION.contains(&key.as_str()) {
                        *dropped += 1;
                    } else if !is_blank(value) {
                        flat.push((Path { parent: Some("location"), key }, value));
                    }
                }
            }
            ("properties" | "location", Value::Null) => {}
            _ => *dropped += 1,
        }
    }
    flat
}

fn put(object: &mut Map<String, Value>, key: &str, value: &Value) {
    if value.is_null() {
        object.shift_remove(key);
    } else {
        object.insert(key.to_owned(), value.clone());
    }
}

fn some(value: &Value) -> Option<&Value> {
    Some(value).filter(|value| !value.is_null())
}

fn within_limits(value: &Value, nesting: usize) -> bool {
    match value {
        Value::String(text) => text.len() <= MAX_TEXT_BYTES,
        Value::Array(items) => {
            nesting > 0
                && items.len() <= MAX_ARRAY_ITEMS
                && items.iter().all(|item| within_limits(item, nesting - 1))
        }
        Value::Object(fields) => {
            nesting > 0 && fields.values().all(|field| within_limits(field, nesting - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
