//! Reading a request's body strictly: every complaint says where.

use std::collections::HashSet;

use canonical::Person;
use canonical::identity::{Identifier, IdentifierPatch, normalize_email, normalize_phone};
use canonical::profile::{MAX_ARRAY_ITEMS, MAX_NESTING, MAX_PROPERTIES, MAX_TEXT_BYTES, PropertyPatch};
use serde_json::{Map, Number, Value};

use crate::error::{ApiError, ApiResult};

/// The largest body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = platform::MAX_BODY_BYTES;
/// The largest profile within a request, in bytes (Klaviyo's limit of 100 KB).
const MAX_PROFILE_BYTES: usize = 100 * 1024;
/// The longest e-mail address, in characters: Klaviyo takes fewer than 100.
const MAX_EMAIL: usize = 99;
/// The longest id of the client's own.
const MAX_EXTERNAL_ID_BYTES: usize = 1024;
/// With what stands in front of it, an id is a key of a table, and DynamoDB takes 1024 bytes.
pub(crate) const MAX_ID_BYTES: usize = 1000;

/// The most identifiers that are appended, or unappended, at once.
const MAX_IDENTIFIERS: usize = 20;

const IDENTIFIERS: [&str; 4] = ["email", "phone_number", "external_id", "anonymous_id"];
pub(crate) const ATTRIBUTES: [&str; 8] =
    ["first_name", "last_name", "organization", "title", "locale", "image", "location", "properties"];
pub(crate) const LOCATION: [&str; 10] =
    ["address1", "address2", "city", "region", "zip", "country", "timezone", "latitude", "longitude", "ip"];

/// A value and where it is.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) pointer: String,
}

/// An object and where it is.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    pub(crate) map: &'a Map<String, Value>,
    pub(crate) pointer: String,
}

/// Parses the body's bytes.
pub(crate) fn parse(bytes: &[u8]) -> ApiResult<Value> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        ApiError::invalid("/", format!("The request body is not valid JSON ({place})."))
    })
}

/// The document itself.
pub(crate) fn root(body: &Value) -> ApiResult<Fields<'_>> {
    Node { value: body, pointer: String::new() }.object()
}

/// `data`, whose `type` must be this.
pub(crate) fn data<'a>(body: &'a Value, kind: &str) -> ApiResult<Fields<'a>> {
    root(body)?.required("data")?.resource(kind)
}

/// The ids of a relationship's resources, each once, at most `max`.
pub(crate) fn related<'a>(body: &'a Value, kind: &str, max: usize) -> ApiResult<Vec<Node<'a>>> {
    root(body)?.required("data")?.ids(kind, max)
}

impl<'a> Node<'a> {
    pub(crate) fn invalid(&self, detail: impl Into<String>) -> ApiError {
        ApiError::invalid(if self.pointer.is_empty() { "/" } else { &self.pointer }, detail)
    }

    pub(crate) fn object(&self) -> ApiResult<Fields<'a>> {
        match self.value {
            Value::Object(map) => Ok(Fields { map, pointer: self.pointer.clone() }),
            _ => Err(self.invalid("An object is expected.")),
        }
    }

    /// An object with `type` and perhaps `attributes`.
    pub(crate) fn resource(&self, kind: &str) -> ApiResult<Fields<'a>> {
        let resource = self.object()?;
        let named = resource.required("type")?;
        if named.text()? == kind {
            Ok(resource)
        } else {
            Err(named.invalid(format!("The type must be '{kind}'.")))
        }
    }

    /// The items of an array.
    pub(crate) fn items(&self) -> ApiResult<impl Iterator<Item = Node<'a>> + use<'a>> {
        let items = self.value.as_array().ok_or_else(|| self.invalid("An array is expected."))?;
        let pointer = self.pointer.clone();
        let items = items.iter().enumerate();
        Ok(items.map(move |(place, value)| Node { value, pointer: format!("{pointer}/{place}") }))
    }

    /// The ids of an array of resources that are only named, each once.
    pub(crate) fn ids(&self, kind: &str, max: usize) -> ApiResult<Vec<Self>> {
        let mut ids: Vec<Self> = Vec::new();
        let mut seen = HashSet::new();
        for (place, item) in self.items()?.enumerate() {
            if place >= max {
                return Err(self.invalid(format!("There must not be more than {max} resources.")));
            }
            let id = item.id(kind)?;
            if seen.insert(id.text()?) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// The id of a resource that is only named.
    pub(crate) fn id(&self, kind: &str) -> ApiResult<Self> {
        let resource = self.resource(kind)?;
        resource.only(&["type", "id"])?;
        let id = resource.required("id")?;
        id.id_text()?;
        Ok(id)
    }

    /// An id that may be somebody's.
    pub(crate) fn id_text(&self) -> ApiResult<&'a str> {
        let id = self.text()?;
        if id.len() > MAX_ID_BYTES {
            return Err(self.invalid("No id is as long as this."));
        }
        Ok(id)
    }

    pub(crate) fn text(&self) -> ApiResult<&'a str> {
        self.value.as_str().ok_or_else(|| self.invalid("A string is expected."))
    }

    /// A text of 1 to `max` characters.
    pub(crate) fn text_of(&self, max: usize) -> ApiResult<&'a str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            Err(self.invalid("The string must not be blank."))
        } else if text.chars().count() > max {
            Err(self.invalid(format!("The string must not be longer than {max} characters.")))
        } else {
            Ok(text)
        }
    }

    pub(crate) fn flag(&self) -> ApiResult<bool> {
        self.value.as_bool().ok_or_else(|| self.invalid("A boolean is expected."))
    }

    /// Properties of an event or a profile, within the limits of their values.
    pub(crate) fn properties(&self) -> ApiResult<&'a Map<String, Value>> {
        let properties = self.object()?;
        if properties.map.len() > MAX_PROPERTIES {
            return Err(self.invalid(format!("There must not be more than {MAX_PROPERTIES} properties.")));
        }
        for (name, value) in properties.map {
            properties.at(name, value).within_limits(MAX_NESTING)?;
        }
        Ok(properties.map)
    }

    pub(crate) fn within_limits(&self, nesting: usize) -> ApiResult<()> {
        match self.value {
            Value::Number(number) if !fits_64_bits(number) => {
                Err(self.invalid("An integer must fit into 64 bits."))
            }
            Value::String(text) if text.len() > MAX_TEXT_BYTES => {
                Err(self.invalid("A string must not be larger than 100 KB."))
            }
            Value::Array(_) | Value::Object(_) if nesting == 0 => {
                Err(self.invalid(format!("Values must not be nested deeper than {MAX_NESTING} levels.")))
            }
            Value::Array(items) if items.len() > MAX_ARRAY_ITEMS => {
                Err(self.invalid(format!("An array must not have more than {MAX_ARRAY_ITEMS} items.")))
            }
            Value::Array(items) => items.iter().enumerate().try_for_each(|(place, item)| {
                Node { value: item, pointer: format!("{}/{place}", self.pointer) }.within_limits(nesting - 1)
            }),
            Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
                Node { value, pointer: child(&self.pointer, name) }.within_limits(nesting - 1)
            }),
            _ => Ok(()),
        }
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn invalid(&self, detail: impl Into<String>) -> ApiError {
        ApiError::invalid(if self.pointer.is_empty() { "/" } else { &self.pointer }, detail)
    }

    pub(crate) fn at(&self, name: &str, value: &'a Value) -> Node<'a> {
        Node { value, pointer: child(&self.pointer, name) }
    }

    /// A field that may be absent or null.
    pub(crate) fn optional(&self, name: &str) -> Option<Node<'a>> {
        self.given(name).filter(|node| !node.value.is_null())
    }

    /// A field that may be absent.
    pub(crate) fn given(&self, name: &str) -> Option<Node<'a>> {
        self.map.get(name).map(|value| self.at(name, value))
    }

    pub(crate) fn required(&self, name: &str) -> ApiResult<Node<'a>> {
        self.optional(name).ok_or_else(|| {
            ApiError::invalid(child(&self.pointer, name), format!("The field '{name}' is required."))
        })
    }

    /// Whether it is the content of a resource without the resource around it.
    pub(crate) fn is_flat(&self) -> bool {
        !self.map.is_empty() && !self.map.contains_key("data")
    }

    /// `attributes`, if there are any.
    pub(crate) fn attributes(&self) -> ApiResult<Option<Self>> {
        self.optional("attributes").map(|attributes| attributes.object()).transpose()
    }

    /// Refuses fields that are not known: they would be lost.
    pub(crate) fn only(&self, known: &[&str]) -> ApiResult<()> {
        match self.map.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(ApiError::invalid(
                child(&self.pointer, unknown),
                format!("'{unknown}' is not a valid field here."),
            )),
        }
    }

    /// Refuses a resource whose `id` is not that of the address.
    pub(crate) fn named(&self, id: &str) -> ApiResult<()> {
        let named = self.required("id")?;
        if named.text()? == id { Ok(()) } else { Err(named.invalid("The id must be that of the address.")) }
    }

    pub(crate) fn text(&self, name: &str, max: usize) -> ApiResult<Option<&'a str>> {
        self.optional(name).map(|node| node.text_of(max)).transpose()
    }

    pub(crate) fn flag(&self, name: &str) -> ApiResult<Option<bool>> {
        self.optional(name).map(|node| node.flag()).transpose()
    }
}

/// Whether a number is one of 64 bits. What is not was rounded already when it was parsed.
fn fits_64_bits(number: &Number) -> bool {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    number.is_i64() || (number.is_f64() && number.as_f64().is_some_and(|number| number.abs() < BEYOND))
}

/// A pointer one level down.
fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What a request says about a profile.
#[derive(Clone, Default)]
pub(crate) struct ProfileInput {
    pub(crate) id: Option<String>,
    /// Identifiers that are given, normalised, and attributes; nulls are kept.
    pub(crate) person: Person,
    pub(crate) patch: PropertyPatch,
    /// By which identifiers it shall be found, or not any more.
    pub(crate) identifiers: IdentifierPatch,
    /// Where that is said.
    pub(crate) identifiers_at: Option<String>,
    /// Names of identifiers that are given as null.
    pub(crate) cleared: Vec<&'static str>,
}

impl ProfileInput {
    /// Whether an identifier is given.
    pub(crate) fn identifies(&self) -> bool {
        let Person { external_id, email, phone, anonymous_id, .. } = &self.person;
        [external_id, email, phone, anonymous_id].into_iter().any(Option::is_some)
    }

    /// An identifier, normalised.
    pub(crate) fn set_identifier(&mut self, name: &str, node: &Node<'_>) -> ApiResult<()> {
        let value = Some(identifier(name, node)?);
        match name {
            "email" => self.person.email = value,
            "phone_number" => self.person.phone = value,
            "external_id" => self.person.external_id = value,
            _ => self.person.anonymous_id = value,
        }
        Ok(())
    }
}

/// Reads a profile resource: `id`, `attributes` and `meta`, which different revisions have at different places.
pub(crate) fn profile(resource: &Fields<'_>) -> ApiResult<ProfileInput> {
    resource.only(&["type", "id", "attributes", "meta", "links", "relationships"])?;
    let mut input = ProfileInput {
        id: resource.text("id", MAX_EXTERNAL_ID_BYTES)?.map(str::to_owned),
        ..ProfileInput::default()
    };
    if let Some(meta) = resource.optional("meta") {
        read_meta(&meta.object()?, &mut input)?;
    }
    let Some(attributes) = resource.attributes()? else { return Ok(input) };
    if serde_json::to_vec(attributes.map).is_ok_and(|bytes| bytes.len() > MAX_PROFILE_BYTES) {
        return Err(attributes.invalid("A profile must not be larger than 100 KB."));
    }
    let known: Vec<&str> = IDENTIFIERS.into_iter().chain(["_kx", "meta"]).chain(ATTRIBUTES).collect();
    attributes.only(&known)?;
    if let Some(meta) = attributes.optional("meta") {
        read_meta(&meta.object()?, &mut input)?;
    }
    for name in IDENTIFIERS {
        let Some(node) = attributes.given(name) else { continue };
        if node.value.is_null() {
            input.cleared.push(name);
            continue;
        }
        input.set_identifier(name, &node)?;
    }
    for name in ATTRIBUTES {
        let Some(node) = attributes.given(name) else { continue };
        let value = match name {
            "location" => location(&node)?,
            "properties" if node.value.is_null() => continue,
            "properties" => node.properties()?.clone().into(),
            _ => plain_attribute(&node)?,
        };
        input.person.attributes.insert(name.to_owned(), value);
    }
    Ok(input)
}

pub(crate) fn identifier(name: &str, node: &Node<'_>) -> ApiResult<String> {
    match name {
        "email" => {
            let email = normalize_email(node.text_of(MAX_EMAIL)?);
            email.ok_or_else(|| node.invalid("Invalid email address."))
        }
        "phone_number" => {
            let text = node.text_of(64)?;
            let number = normalize_phone(text, None).filter(|_| text.trim().starts_with('+'));
            number.ok_or_else(|| {
                node.invalid("Invalid phone number format (an example of a valid one: +12125550123).")
            })
        }
        _ => {
            let text = node.text_of(MAX_EXTERNAL_ID_BYTES)?.trim();
            if text.len() > MAX_EXTERNAL_ID_BYTES {
                return Err(node.invalid(format!("The id must not exceed {MAX_EXTERNAL_ID_BYTES} bytes.")));
            }
            Ok(text.to_owned())
        }
    }
}

/// A text; null clears.
pub(crate) fn plain_attribute(node: &Node<'_>) -> ApiResult<Value> {
    if node.value.is_null() {
        return Ok(Value::Null);
    }
    node.within_limits(0)?;
    Ok(node.text()?.into())
}

/// A location; null clears all of it.
fn location(node: &Node<'_>) -> ApiResult<Value> {
    if node.value.is_null() {
        return Ok(LOCATION
            .iter()
            .map(|name| ((*name).to_owned(), Value::Null))
            .collect::<Map<_, _>>()
            .into());
    }
    let location = node.object()?;
    location.only(&LOCATION)?;
    for (name, value) in location.map {
        location_part(name, &location.at(name, value))?;
    }
    Ok(location.map.clone().into())
}

/// A part of a location: a text, or, of a coordinate, a number too.
pub(crate) fn location_part(name: &str, node: &Node<'_>) -> ApiResult<()> {
    let is_coordinate = matches!(name, "latitude" | "longitude");
    match node.value {
        Value::Null => Ok(()),
        Value::Number(_) if is_coordinate => Ok(()),
        Value::String(_) => node.within_limits(0),
        _ => Err(node.invalid("A string is expected.")),
    }
}

/// Identifiers by their kind: one, or an array of them.
fn identifiers(node: &Node<'_>) -> ApiResult<Vec<Identifier>> {
    let kinds = node.object()?;
    kinds.only(&IDENTIFIERS)?;
    let mut read = Vec::new();
    for (name, value) in kinds.map {
        let given = kinds.at(name, value);
        let values = if value.is_array() { given.items()?.collect() } else { vec![given] };
        for node in values {
            let value = identifier(name, &node)?;
            read.push(match name.as_str() {
                "email" => Identifier::Email(value),
                "phone_number" => Identifier::Phone(value),
                "external_id" => Identifier::ExternalId(value),
                _ => Identifier::Anonymous(value),
            });
        }
    }
    if read.len() > MAX_IDENTIFIERS {
        return Err(node.invalid(format!("There must not be more than {MAX_IDENTIFIERS} identifiers.")));
    }
    Ok(read)
}

fn read_meta(meta: &Fields<'_>, input: &mut ProfileInput) -> ApiResult<()> {
    meta.only(&["patch_properties", "patch_identifiers"])?;
    if let Some(patch) = meta.optional("patch_identifiers") {
        input.identifiers_at = Some(patch.pointer.clone());
        let patch = patch.object()?;
        patch.only(&["append", "unappend"])?;
        let ProfileInput { identifiers: patched, .. } = input;
        for (name, slot) in [("append", &mut patched.append), ("unappend", &mut patched.unappend)] {
            if let Some(node) = patch.optional(name) {
                slot.extend(identifiers(&node)?);
            }
        }
    }
    let patch = &mut input.patch;
    let Some(properties) = meta.optional("patch_properties") else { return Ok(()) };
    let properties = properties.object()?;
    properties.only(&["append", "unappend", "unset"])?;
    for (name, slot) in [("append", &mut patch.append), ("unappend", &mut patch.unappend)] {
        if let Some(node) = properties.optional(name) {
            slot.extend(node.properties()?.clone());
        }
    }
    if let Some(unset) = properties.optional("unset") {
        match unset.value {
            Value::Array(names) => {
                for (place, name) in names.iter().enumerate() {
                    let node = Node { value: name, pointer: format!("{}/{place}", unset.pointer) };
                    patch.unset.push(node.text()?.to_owned());
                }
            }
            _ => patch.unset.push(unset.text()?.to_owned()),
        }
    }
    Ok(())
}
