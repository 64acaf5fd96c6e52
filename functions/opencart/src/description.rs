//! What a connection needs.

use platform::Description;
use serde_json::{Value, json};

pub(crate) fn description() -> Description {
    Description { title: "OpenCart", settings: settings(), secrets: secrets() }
}

fn settings() -> Value {
    json!({
        "type": "object",
        "properties": {
            "shop_url": {
                "type": "string",
                "title": "Shop address",
                "description": "The shop's https address, with its folder if it is in one: the extension's feed is \
                                asked there, and links to products begin with it. Without it nothing is asked for.",
                "pattern": "^https://[A-Za-z0-9]",
                "examples": ["https://larch.example"]
            },
            "api_url": {
                "type": "string",
                "title": "API address",
                "description": "What stands in for the shop's address when its feed is asked. Only for tests and \
                                proxies: the token is sent there.",
                "examples": ["https://proxy.example"]
            },
            "poll": {
                "type": "boolean",
                "title": "Ask regularly",
                "description": "Whether the extension's feed is asked regularly. Needs the shop address and the \
                                feed's token.",
                "default": true
            },
            "time_zone": {
                "type": "string",
                "format": "time-zone",
                "title": "Time zone",
                "description": "The zone of the shop's local times, by its IANA name, if it is not the one that the \
                                feed names.",
                "examples": ["Europe/Paris"]
            },
            "status_map": {
                "type": "object",
                "title": "Order statuses",
                "description": "What order statuses mean, by their ids, where the merchant made them something else \
                                than the installer did: placed, not_placed (the payment failed), shipped, complete, \
                                cancelled or refunded.",
                "additionalProperties": {
                    "type": "string",
                    "enum": ["placed", "not_placed", "shipped", "complete", "cancelled", "refunded"]
                },
                "examples": [{"17": "shipped"}]
            },
            "refund_policy": {
                "type": "string",
                "title": "Refunds",
                "description": "each or full_only: OpenCart only knows that a whole order is refunded, so both tell \
                                one Refunded Order.",
                "enum": ["each", "full_only"],
                "default": "each"
            },
            (contract::SHOP_ERASURE): contract::shop_erasure_schema()
        },
        "required": [],
        "additionalProperties": false
    })
}

fn secrets() -> Value {
    json!({
        "type": "object",
        "properties": {
            "feed_token": {
                "type": "string",
                "title": "Token of the feed",
                "description": "What the extension's feed is opened with: the same long random text as in the shop.",
                "minLength": 24,
                "writeOnly": true
            },
            "webhook_secret": contract::webhook_secret_schema()
        },
        "required": [],
        "additionalProperties": false
    })
}
