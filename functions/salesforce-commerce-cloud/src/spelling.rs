//! The two spellings of one order: SCAPI writes `orderNo`, OCAPI `order_no`.

use serde_json::{Map, Value};

/// What must not be kept: cards and accounts, the buyer's address in the network, keys to the order; who gets a gift and
/// what is said to them; notes; the number that joins a buyer to other clouds.
const PRIVATE: [&str; 14] = [
    "paymentInstruments",
    "paymentCard",
    "paymentBankAccount",
    "remoteHost",
    "orderToken",
    "orderViewCode",
    "recipientEmail",
    "recipientName",
    "senderName",
    "message",
    "giftMessage",
    "productListItem",
    "notes",
    "globalPartyId",
];

/// Takes out what must not be kept, at any depth and in both spellings.
pub(crate) fn strip(object: &mut Map<String, Value>) {
    object.retain(|name, _| is_custom(name) || !PRIVATE.contains(&camel(name).as_str()));
    object.values_mut().for_each(strip_value);
}

fn strip_value(value: &mut Value) {
    match value {
        Value::Object(object) => strip(object),
        Value::Array(items) => items.iter_mut().for_each(strip_value),
        _ => {}
    }
}

/// An object with SCAPI's names. Custom attributes stay as they are, with all that is in them.
pub(crate) fn folded(object: Map<String, Value>) -> Map<String, Value> {
    let fold = |(name, value): (String, Value)| {
        if is_custom(&name) { (name, value) } else { (camel(&name), folded_value(value)) }
    };
    object.into_iter().map(fold).collect()
}

fn folded_value(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(folded(object)),
        Value::Array(items) => Value::Array(items.into_iter().map(folded_value).collect()),
        value => value,
    }
}

/// Whether a name is one that the merchant gave.
pub(crate) fn is_custom(name: &str) -> bool {
    name.starts_with("c_")
}

fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut parts = name.split('_');
    camel.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
