//! The shapes a record travels in, all read into the structs of [`crate::payload`].

use std::collections::HashMap;

use platform::lenient::{self, BodyError, Field, Object};
use platform::reading::Silence;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// How deep relationships are followed: an order's payments' refunds.
const DEPTH: usize = 2;
/// How many bytes of JSON may be put in place of relationships: resources refer to each other in circles, and any
/// number of relationships may name the same one.
const BYTES: usize = 8 << 20;

/// What a record is wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{id, name, created_at, data}`: 5.3 and later.
    Envelope,
    /// `{data: {id, type, attributes, relationships}, included}`: before 5.3, and the Platform API.
    JsonApi,
    /// Nothing: a record of the Admin API.
    Bare,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Data<T> {
    #[serde(default = "Field::default")]
    data: Field<Object<T>>,
}

/// Reads the one record of a body.
pub(crate) fn record<T: DeserializeOwned>(shape: Shape, body: &[u8]) -> Result<T, Silence> {
    let field = match shape {
        Shape::Bare => return Ok(lenient::object(body)?),
        Shape::Envelope => lenient::object::<Data<T>>(body)?.data,
        Shape::JsonApi => {
            let document = resolve(&object(body)?);
            document.into_iter().next().map_or(Field::Absent, from_value)
        }
    };
    field.ok().map(|Object(record)| record).ok_or_else(|| Silence::Malformed("no usable data".to_owned()))
}

/// Reads the records of an answer, which may be one or a list. What cannot be read is left out.
pub(crate) fn records<T: DeserializeOwned>(shape: Shape, body: &[u8]) -> Vec<T> {
    let Ok(mut document) = object(body) else { return Vec::new() };
    let values = match shape {
        Shape::JsonApi => resolve(&document),
        Shape::Envelope | Shape::Bare => match document.remove("data") {
            Some(Value::Array(list)) => list,
            Some(_) => Vec::new(),
            None => vec![Value::Object(document)],
        },
    };
    values.into_iter().filter_map(|value| from_value(value).ok()).map(|Object(record)| record).collect()
}

fn object(body: &[u8]) -> Result<Map<String, Value>, BodyError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(BodyError::NotAnObject),
        Err(error) => Err(BodyError::Syntax { line: error.line(), column: error.column() }),
    }
}

fn from_value<T: DeserializeOwned>(value: Value) -> Field<Object<T>> {
    // Never an error: a field takes every value, bad or not.
    serde_json::from_value(value).unwrap_or(Field::Bad)
}

/// The primary resources of a JSON:API document as plain objects: attributes, id, and in place of each relationship
/// the resources it names.
fn resolve(document: &Map<String, Value>) -> Vec<Value> {
    let included = document.get("included").and_then(Value::as_array).map(Vec::as_slice);
    let included: HashMap<(&str, &str), (&Value, usize)> = included
        .unwrap_or_default()
        .iter()
        .filter_map(|resource| Some((name(resource)?, (resource, resource.to_string().len()))))
        .collect();
    let mut resolver = Resolver { included, left: BYTES };
    let primary = match document.get("data") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(data) => std::slice::from_ref(data),
        None => &[],
    };
    primary
        .iter()
        .filter(|resource| resource.is_object())
        .map(|resource| resolver.resource(resource, 0))
        .collect()
}

fn name(resource: &Value) -> Option<(&str, &str)> {
    Some((resource.get("type")?.as_str()?, resource.get("id")?.as_str()?))
}

struct Resolver<'a> {
    /// Each with its size.
    included: HashMap<(&'a str, &'a str), (&'a Value, usize)>,
    left: usize,
}

impl<'a> Resolver<'a> {
    fn resource(&mut self, resource: &'a Value, depth: usize) -> Value {
        let mut plain = resource.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(id) = resource.get("id") {
            plain.insert("id".to_owned(), id.clone());
        }
        let relationships = resource.get("relationships").and_then(Value::as_object);
        for (key, relationship) in relationships.into_iter().flatten() {
            let linked = match relationship.get("data") {
                // A list of mere ids says nothing: as if it were not there.
                Some(Value::Array(list)) => list.iter().map(|one| self.included(one, depth)).collect(),
                Some(one) => self.included(one, depth).or_else(|| {
                    let id = one.get("id")?.clone();
                    Some(Value::Object(Map::from_iter([("id".to_owned(), id)])))
                }),
                None => None,
            };
            if let Some(linked) = linked {
                plain.entry(key.as_str()).or_insert(linked);
            }
        }
        Value::Object(plain)
    }

    /// The resource that a relationship names, if the document holds it.
    fn included(&mut self, identifier: &'a Value, depth: usize) -> Option<Value> {
        let (resource, size) = self.included.get(&name(identifier)?).copied()?;
        self.left = self.left.checked_sub(size).filter(|_| depth < DEPTH)?;
        Some(self.resource(resource, depth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_that_is_named_often_does_not_grow_without_bound() {
        let order = serde_json::json!({
            "data": {
                "id": "1", "type": "order", "attributes": {"number": "R100000001"},
                "relationships": {"line_items": {"data": vec![serde_json::json!({"id": "2", "type": "line_item"}); 100]}}
            },
            "included": [{"id": "2", "type": "line_item", "attributes": {"name": "a".repeat(BYTES / 10)}}]
        });
        let resolved = resolve(order.as_object().unwrap());
        // More than may be put in place: the list counts as not said.
        assert_eq!(resolved, [serde_json::json!({"id": "1", "number": "R100000001"})]);
    }
}
