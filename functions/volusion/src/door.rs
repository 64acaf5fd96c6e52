//! What travels on of a delivery whose token was right: no card, and nothing of a payment provider but its refunds.

use canonical::hash;
use serde_json::Value;

/// What every delivery is read as: its body does not say what it is.
pub(crate) const TOPIC: &str = "order";
/// Longest id that is used as it came.
const MAX_ID_BYTES: usize = 64;
/// Beginnings of the names, in lower case, of what stays at the door.
const PRIVATE: &[&str] =
    &["stripe", "creditcard", "card", "paypal", "authorizenet", "verification", "gateway", "password"];
/// Their exceptions: what is known of refunds.
const REFUNDS: &[&str] = &["striperefunds", "striperefundid"];

/// A delivery without what is private.
pub(crate) struct Reduced {
    pub(crate) delivery_id: String,
    pub(crate) body: Vec<u8>,
}

/// Reduces a body. One that is not JSON goes on as it is, to the dead letters.
pub(crate) fn reduce(body: &[u8]) -> Reduced {
    let digest = || hash::long_id(&[TOPIC, &String::from_utf8_lossy(body)]);
    let Ok(mut json) = serde_json::from_slice::<Value>(body) else {
        return Reduced { delivery_id: digest(), body: body.to_vec() };
    };
    strip(&mut json);
    let delivery_id = revision(&json["value"]).unwrap_or_else(digest);
    Reduced { delivery_id, body: json.to_string().into_bytes() }
}

/// An order's state: its id and its revision, which grows with every change.
fn revision(order: &Value) -> Option<String> {
    let id = order["id"].as_str()?;
    let plain = id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let revision = order["revision"].as_u64().filter(|_| plain && !id.is_empty())?;
    Some(format!("{id}:{revision}"))
}

fn strip(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(fields) => {
            fields.retain(|name, _| !is_private(name));
            fields.values_mut().for_each(strip);
        }
        _ => {}
    }
}

fn is_private(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PRIVATE.iter().any(|prefix| name.starts_with(prefix)) && !REFUNDS.contains(&name.as_str())
}
