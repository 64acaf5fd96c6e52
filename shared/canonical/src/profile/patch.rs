//! Changes to single custom properties: append, unappend, unset.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Profile;
use super::attributes::Path;

/// Changes to custom properties that depend on what is there. Each can be applied again without a further effect,
/// because what brings it may be delivered twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PropertyPatch {
    /// By property: a value, or an array of them, that its list shall contain. A property that is no list becomes
    /// one.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub append: Map<String, Value>,
    /// By property: a value, or an array of them, that its list shall not contain.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub unappend: Map<String, Value>,
    /// Properties that shall not be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
}

impl PropertyPatch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.append.is_empty() && self.unappend.is_empty() && self.unset.is_empty()
    }
}

impl Profile {
    /// Applies changes to properties as of `at_ms`, in milliseconds; like attributes, they do not touch a value
    /// that is newer. Returns whether anything changed.
    pub fn apply_patch(&mut self, patch: &PropertyPatch, at_ms: i64) -> bool {
        let mut properties = Map::new();
        for (key, added) in &patch.append {
            let before = self.property(&properties, key);
            let mut list = as_list(before.as_ref());
            for value in as_list(Some(added)) {
                if !list.contains(&value) {
                    list.push(value);
                }
            }
            properties.insert(key.clone(), list.into());
        }
        for (key, removed) in &patch.unappend {
            let Some(before) = self.property(&properties, key) else { continue };
            let removed = as_list(Some(removed));
            let list: Vec<Value> =
                as_list(Some(&before)).into_iter().filter(|value| !removed.contains(value)).collect();
            if before.is_array() || list.is_empty() {
                properties.insert(key.clone(), list.into());
            }
        }
        for key in &patch.unset {
            properties.insert(key.clone(), Value::Null);
        }
        let attributes = Map::from_iter([("properties".to_owned(), properties.into())]);
        self.apply_attributes(&attributes, at_ms).changed
    }

    fn property(&self, pending: &Map<String, Value>, key: &str) -> Option<Value> {
        let path = Path { parent: Some("properties"), key };
        pending.get(key).or_else(|| self.value_at(path)).cloned()
    }
}

/// A list as it is, one value as a list of one, nothing as an empty one.
fn as_list(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.clone(),
        Some(value) => vec![value.clone()],
    }
}
