#![doc = include_str!("../README.md")]

use contract::TOPIC;
use jiff::Timestamp;
use platform::{
    Connection, Delivery, Description, Fetched, Mapping, Platform, Request, Secrets, Unverified, Verdict,
};
use serde_json::json;

/// The adapter for Mi9 Commerce.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mi9;

impl Platform for Mi9 {
    fn name(&self) -> &'static str {
        "mi9"
    }

    fn description(&self) -> Description {
        Description {
            title: "Mi9",
            settings: json!({
                "type": "object",
                "properties": {
                    "time_zone": {
                        "type": "string",
                        "format": "time-zone",
                        "title": "Time zone",
                        "description": "Of the times in files of orders that have no offset, by its IANA name. Without \
                                        it such times are refused.",
                        "examples": ["America/New_York"]
                    },
                    "currency": {
                        "type": "string",
                        "pattern": "^[A-Za-z]{3}$",
                        "title": "Currency",
                        "description": "Of the amounts in files of orders that name none (ISO 4217).",
                        "examples": ["USD"]
                    },
                    (contract::SHOP_ERASURE): contract::shop_erasure_schema()
                },
                "required": [],
                "additionalProperties": false
            }),
            secrets: json!({
                "type": "object",
                "properties": {"webhook_secret": contract::webhook_secret_schema()},
                "required": [],
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
