//! The topics of polled records. Their bodies are made by [`crate::join`] and read into [`crate::payload`].

use std::collections::BTreeSet;

use canonical::hash;
use platform::{Headers, Record};
use serde_json::Value;

use crate::webservice::Row;

pub(crate) const ORDER: &str = "order";
pub(crate) const CUSTOMER: &str = "customer";
pub(crate) const CART: &str = "cart";
pub(crate) const PRODUCT: &str = "product";

/// A record whose body holds all that its reading needs, named by its content.
pub(crate) fn record(topic: &str, id: u64, body: Row) -> Record {
    let body = Value::Object(body).to_string();
    let delivery_id = format!("{topic}:{id}:{}", hash::long_id(&[&body]));
    Record { topic: topic.to_owned(), delivery_id, headers: Headers::default(), body: body.into_bytes() }
}

/// What of a row may be kept: not its passwords, keys and messages.
pub(crate) fn only(row: &Row, fields: &[&str]) -> Row {
    let fields: BTreeSet<&str> = fields.iter().copied().collect();
    row.iter()
        .filter(|(name, _)| fields.contains(name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}

/// Puts the value of one language in the place of values in several: `[{"id": "1", "value": "…"}, …]`.
pub(crate) fn in_language(row: &mut Row, language: Option<u64>) {
    for value in row.values_mut() {
        let Value::Array(versions) = value else { continue };
        let said = |version: &&Value| version.get("value").is_some_and(|value| value.as_str() != Some(""));
        let is_wanted = |version: &&Value| {
            language.is_some()
                && version.as_object().and_then(|version| crate::webservice::id(version, "id")) == language
        };
        let wanted = versions.iter().filter(said).find(is_wanted).or_else(|| versions.iter().find(said));
        *value = wanted.and_then(|version| version.get("value")).cloned().unwrap_or_default();
    }
}
