#![doc = include_str!("../README.md")]

mod body;
mod check;
#[cfg(feature = "schema")]
mod schema;

use canonical::hash;
use jiff::{SignedDuration, Timestamp};
use platform::signature::Window;
use platform::signature::standard_webhooks::{self, TOLERANCE_S};
use platform::{Connection, Delivery, Headers, Mapping, Rejection, Request, Secrets, Unverified, Verdict};
use serde_json::{Value, json};

pub use check::{MAX_DEPTH, MAX_FACTS, MAX_ID_CHARS, MAX_ITEMS, MAX_KEYS, MAX_TEXT_CHARS};
#[cfg(feature = "schema")]
pub use schema::schemas;

/// The topic of deliveries that follow the contract.
pub const TOPIC: &str = "facts";
/// The setting that lets a delivery erase everything of its connection.
pub const SHOP_ERASURE: &str = "allow_shop_erasure";
/// Longer ids of deliveries are replaced by their digest.
const MAX_DELIVERY_ID_BYTES: usize = 200;

/// Decides whether a delivery that follows the contract is genuine, by the connection's `webhook_secret`.
pub fn verify(request: &Request, body: Unverified, secrets: &Secrets, now: Timestamp) -> Verdict {
    let window = Window::new(now, SignedDuration::from_secs(TOLERANCE_S));
    let valid = secrets.valid("webhook_secret");
    let proof = match standard_webhooks::verify(valid, body.signed_bytes(), &request.headers, window) {
        Ok(proof) => proof,
        Err(rejection) => return Verdict::Reject(rejection),
    };
    let Some(id) = request.headers.get("webhook-id") else { return Verdict::Reject(Rejection::Missing) };
    let id = if id.len() > MAX_DELIVERY_ID_BYTES { hash::long_id(&[id]) } else { id.to_owned() };
    Verdict::Accept(body.accept(proof, TOPIC.to_owned(), id, Headers::default()))
}

/// The facts of a delivery whose topic is [`TOPIC`].
pub fn facts(delivery: &Delivery, connection: &Connection) -> Mapping {
    let rules = check::Rules { shop_erasure: connection.flag(SHOP_ERASURE, false) };
    match body::facts(&delivery.body, rules) {
        Ok(facts) if facts.is_empty() => Mapping::Ignore("no_facts"),
        Ok(facts) => Mapping::facts(facts),
        Err(reason) => Mapping::Malformed(reason),
    }
}

/// JSON Schema of the setting [`SHOP_ERASURE`].
pub fn shop_erasure_schema() -> Value {
    json!({
        "type": "boolean",
        "title": "Allow the erasure of everything",
        "description": "Whether a delivery may have everything erased that came through this \
                        connection. The erasure of single people is always allowed.",
        "default": false
    })
}

/// JSON Schema of the secret that deliveries are signed with.
pub fn webhook_secret_schema() -> Value {
    json!({
        "type": "string",
        "title": "Webhook secret",
        "description": "What deliveries are signed with: whsec_ and the base64 of at least 24 \
                        random bytes, or any other long random text.",
        "minLength": 24,
        "writeOnly": true
    })
}
