//! A profile as events had it up to revision 2023-06-15: one flat object, in which a dollar sign marks the names that have a
//! meaning and everything else is a property of the client's own.

use serde_json::{Map, Value};

use crate::body::{ATTRIBUTES, Fields, LOCATION, Node, ProfileInput, location_part, plain_attribute};
use crate::error::ApiResult;
use crate::event_body::limit_profile;

/// The longest id.
const MAX_ID: usize = 1024;

/// What a name means.
enum Meaning<'a> {
    /// The profile's id here, or the client's own.
    Id,
    Identifier(&'a str),
    Attribute(&'a str),
    Location(&'a str),
    /// Accepted and not used.
    Unused,
    Property,
}

impl<'a> Meaning<'a> {
    fn of(name: &'a str) -> Self {
        let (is_marked, bare) = match name.strip_prefix('$') {
            Some(bare) => (true, bare),
            None => (false, name),
        };
        match bare {
            "email" | "phone_number" | "external_id" | "anonymous_id" => Self::Identifier(bare),
            "anonymous" if is_marked => Self::Identifier("anonymous_id"),
            "id" if is_marked => Self::Id,
            "exchange_id" | "consent" if is_marked => Self::Unused,
            "_kx" => Self::Unused,
            "properties" | "location" => Self::Property,
            attribute if ATTRIBUTES.contains(&attribute) => Self::Attribute(attribute),
            part if is_marked && LOCATION.contains(&part) => Self::Location(part),
            _ => Self::Property,
        }
    }
}

/// Reads a flat profile.
pub(crate) fn read(profile: &Fields<'_>) -> ApiResult<ProfileInput> {
    let mut input = ProfileInput::default();
    let (mut location, mut properties) = (Map::new(), Map::new());
    for (name, value) in profile.map {
        let node = profile.at(name, value);
        match Meaning::of(name) {
            Meaning::Unused => {}
            // An event clears no identifier.
            Meaning::Id | Meaning::Identifier(_) if value.is_null() => {}
            Meaning::Id => input.person.external_id = Some(node.text_of(MAX_ID)?.to_owned()),
            Meaning::Identifier(name) => input.set_identifier(name, &node)?,
            Meaning::Attribute(name) => {
                input.person.attributes.insert(name.to_owned(), plain_attribute(&node)?);
            }
            Meaning::Location(part) => {
                location_part(part, &node)?;
                location.insert(part.to_owned(), value.clone());
            }
            Meaning::Property => {
                properties.insert(name.clone(), value.clone());
            }
        }
    }
    let all = Value::from(profile.map.clone());
    let whole = Node { value: &all, pointer: profile.pointer.clone() };
    limit_profile(&whole)?;
    let own = Value::from(properties);
    Node { value: &own, pointer: profile.pointer.clone() }.properties()?;
    for (name, part) in [("location", Value::from(location)), ("properties", own)] {
        if part.as_object().is_some_and(|part| !part.is_empty()) {
            input.person.attributes.insert(name.to_owned(), part);
        }
    }
    Ok(input)
}
