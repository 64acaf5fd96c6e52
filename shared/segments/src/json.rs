//! Reading JSON strictly, with the place of every complaint.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::definition::DefinitionError;

/// A JSON value and where it stands.
pub(crate) struct Node<'a> {
    value: &'a Value,
    pointer: String,
}

/// A JSON object whose keys are all known.
pub(crate) struct Object<'a> {
    map: &'a Map<String, Value>,
    pointer: String,
}

fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    pub(crate) fn error(&self, detail: impl Into<String>) -> DefinitionError {
        DefinitionError { pointer: self.pointer.clone(), detail: detail.into() }
    }

    /// The object without a look at its keys: the kind of an object decides which it may have.
    pub(crate) fn object(&self) -> Result<Object<'a>, DefinitionError> {
        let map = self.value.as_object().ok_or_else(|| self.error("an object is expected"))?;
        Ok(Object { map, pointer: self.pointer.clone() })
    }

    /// An object with no other keys than these.
    pub(crate) fn object_of(&self, keys: &[&str]) -> Result<Object<'a>, DefinitionError> {
        let object = self.object()?;
        object.only(keys)?;
        Ok(object)
    }

    pub(crate) fn items(&self) -> Result<Vec<Node<'a>>, DefinitionError> {
        let items = self.value.as_array().ok_or_else(|| self.error("an array is expected"))?;
        let node = |(index, value)| {
            let mut pointer = self.pointer.clone();
            let _ = write!(pointer, "/{index}");
            Node { value, pointer }
        };
        Ok(items.iter().enumerate().map(node).collect())
    }

    pub(crate) fn text(&self) -> Result<&'a str, DefinitionError> {
        self.value.as_str().ok_or_else(|| self.error("a string is expected"))
    }

    pub(crate) fn boolean(&self) -> Result<bool, DefinitionError> {
        self.value.as_bool().ok_or_else(|| self.error("true or false is expected"))
    }

    /// An integer within bounds.
    pub(crate) fn integer(&self, least: i64, most: i64) -> Result<i64, DefinitionError> {
        self.value
            .as_i64()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.error(format!("an integer from {least} to {most} is expected")))
    }
}

impl<'a> Object<'a> {
    pub(crate) fn only(&self, keys: &[&str]) -> Result<(), DefinitionError> {
        match self.map.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => Err(DefinitionError {
                pointer: child(&self.pointer, key),
                detail: format!("unknown field `{key}`; known here: {}", keys.join(", ")),
            }),
            None => Ok(()),
        }
    }

    /// A field that must be there.
    pub(crate) fn field(&self, key: &str) -> Result<Node<'a>, DefinitionError> {
        let pointer = child(&self.pointer, key);
        match self.map.get(key) {
            Some(value) => Ok(Node { value, pointer }),
            None => Err(DefinitionError { pointer, detail: format!("`{key}` is required") }),
        }
    }

    /// A field that may be absent or null.
    pub(crate) fn optional(&self, key: &str) -> Option<Node<'a>> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        Some(Node { value, pointer: child(&self.pointer, key) })
    }
}
