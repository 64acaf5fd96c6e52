//! Custom attributes: the merchant's own, on any level, named `c_…`.

use platform::lenient::Dropped;
use serde_json::{Map, Value};

use crate::spelling::is_custom;

/// Most of one object.
const MAX_ATTRIBUTES: usize = 100;
/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// The longest value as JSON, in bytes.
const MAX_VALUE_BYTES: usize = 8 * 1024;
/// How deep a value may be nested.
const MAX_DEPTH: usize = 5;

/// The custom attributes among what else an object has, within bounds.
pub(crate) fn attributes(
    dropped: &mut Dropped,
    rest: Map<String, Value>,
) -> impl Iterator<Item = (String, Value)> {
    let custom: Vec<_> =
        rest.into_iter().filter(|(name, value)| is_custom(name) && !value.is_null()).collect();
    let all = custom.len();
    let mut kept: Vec<_> = custom
        .into_iter()
        .filter(|(name, value)| {
            name.len() <= MAX_NAME_BYTES && is_shallow(value, 0) && value.to_string().len() <= MAX_VALUE_BYTES
        })
        .collect();
    kept.truncate(MAX_ATTRIBUTES);
    if kept.len() < all {
        dropped.note("c_*");
    }
    kept.into_iter()
}

fn is_shallow(value: &Value, depth: usize) -> bool {
    depth <= MAX_DEPTH
        && match value {
            Value::Array(items) => items.iter().all(|item| is_shallow(item, depth + 1)),
            Value::Object(fields) => fields.values().all(|field| is_shallow(field, depth + 1)),
            _ => true,
        }
}
