#![doc = include_str!("../README.md")]

use contract::TOPIC;
use jiff::Timestamp;
use platform::{
    Connection, Delivery, Description, Fetched, Mapping, Platform, Request, Secrets, Unverified, Verdict,
};
use serde_json::json;

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
                "properties": {(contract::SHOP_ERASURE): contract::shop_erasure_schema()},
                "required": [],
                "additionalProperties": false
            }),
            secrets: json!({
                "type": "object",
                "properties": {"webhook_secret": contract::webhook_secret_schema()},
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
        contract::verify(request, body, secrets, now)
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, _fetched: &[Fetched]) -> Mapping {
        if delivery.topic != TOPIC {
            return Mapping::Ignore("unknown_topic");
        }
        contract::facts(delivery, connection)
    }
}
