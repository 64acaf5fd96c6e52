#![doc = include_str!("../README.md")]

mod body;
mod check;
#[cfg(feature = "schema")]
mod schema;

use canonical::hash;
use jiff::{SignedDuration, Timestamp};
use platform::signature::Window;
use platform::signature::standard_webhooks::{self, TOLERANCE_S};
use platform::{
    Connection, Delivery, Description, Fetched, Headers, Mapping, Platform, Rejection, Request, Secrets,
    Unverified, Verdict,
};
use serde_json::json;

pub use check::{MAX_DEPTH, MAX_FACTS, MAX_ID_CHARS, MAX_ITEMS, MAX_KEYS, MAX_TEXT_CHARS};
#[cfg(feature = "schema")]
pub use schema::schemas;

/// The only topic.
const TOPIC: &str = "facts";
/// Longer ids of deliveries are replaced by their digest.
const MAX_DELIVERY_ID_BYTES: usize = 200;

/// The adapter for everybody's own systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct Custom;

impl Platform for Custom {
    fn name(&self) -> &'static str {
        "custom"
    }

    fn description(&self) -> Description {
        Description {
            title: "Custom source",
            settings: json!({
                "type": "object",
                "properties": {
                    "allow_shop_erasure": {
                        "type": "boolean",
                        "title": "Allow the erasure of everything",
                        "description": "Whether a delivery may have everything erased that came through this \
                                        connection. The erasure of single people is always allowed.",
                        "default": false
                    }
                },
                "required": [],
                "additionalProperties": false
            }),
            secrets: json!({
                "type": "object",
                "properties": {
                    "webhook_secret": {
                        "type": "string",
                        "title": "Webhook secret",
                        "description": "What deliveries are signed with: whsec_ and the base64 of at least 24 \
                                        random bytes, or any other long random text.",
                        "minLength": 24,
                        "writeOnly": true
                    }
                },
                "required": ["webhook_secret"],
                "additionalProperties": false
            }),
        }
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        _connection: &Connection,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Verdict {
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

    fn facts(&self, delivery: &Delivery, connection: &Connection, _fetched: &[Fetched]) -> Mapping {
        if delivery.topic != TOPIC {
            return Mapping::Ignore("unknown_topic");
        }
        let rules = check::Rules { shop_erasure: connection.flag("allow_shop_erasure", false) };
        match body::facts(&delivery.body, rules) {
            Ok(facts) if facts.is_empty() => Mapping::Ignore("no_facts"),
            Ok(facts) => Mapping::facts(facts),
            Err(reason) => Mapping::Malformed(reason),
        }
    }
}
