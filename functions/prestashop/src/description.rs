//! What a connection needs.

use platform::Description;
use serde_json::{Value, json};

pub(crate) fn description() -> Description {
    Description { title: "PrestaShop", settings: settings(), secrets: secrets() }
}

fn settings() -> Value {
    json!({
        "type": "object",
        "properties": {
            "shop_url": {
                "type": "string",
                "title": "Shop address",
                "description": "The shop's https address, with its folder if it is in one: its webservice is asked \
                                there, and links to products begin with it. Without it nothing is asked for.",
                "pattern": "^https://[A-Za-z0-9]",
                "examples": ["https://larch.example"]
            },
            "api_url": {
                "type": "string",
                "title": "API address",
                "description": "What stands in for the shop's address when its webservice is asked. Only for tests \
                                and proxies: the key is sent there.",
                "examples": ["https://proxy.example"]
            },
            "poll": {
                "type": "boolean",
                "title": "Ask regularly",
                "description": "Whether the webservice is asked regularly for what changed. Needs the shop address and \
                                the key of the webservice.",
                "default": true
            },
            "poll_carts": {
                "type": "boolean",
                "title": "Ask for carts too",
                "description": "Whether carts of known customers that became no order are told as Started Checkout.",
                "default": true
            },
            "key_in_address": {
                "type": "boolean",
                "title": "Key in the address",
                "description": "Whether the webservice's key is sent in the address instead of a header, for servers \
                                that keep the header from PHP. It is then in the shop's access log.",
                "default": false
            },
            "time_zone": {
                "type": "string",
                "format": "time-zone",
                "title": "Time zone",
                "description": "The zone of the shop's local times, by its IANA name, if it is not the one that the \
                                shop's own configuration names.",
                "examples": ["Europe/Paris"]
            },
            "status_map": {
                "type": "object",
                "title": "Order states",
                "description": "What order states mean, by their ids, where the shop's configuration and the states' \
                                own flags do not say: placed, not_placed (the payment failed), cancelled, refunded or \
                                shipped.",
                "additionalProperties": {
                    "type": "string",
                    "enum": ["placed", "not_placed", "cancelled", "refunded", "shipped"]
                },
                "examples": [{"17": "cancelled"}]
            },
            "refund_policy": {
                "type": "string",
                "title": "Refunds",
                "description": "each: one Refunded Order for every slip, with its own amount. full_only: one once an \
                                order is in the state of refunded ones.",
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
            "webservice_key": {
                "type": "string",
                "title": "Webservice key",
                "description": "The key of the shop's webservice, with the right to read what the README lists.",
                "minLength": 32,
                "writeOnly": true
            },
            "webhook_secret": contract::webhook_secret_schema()
        },
        "required": [],
        "additionalProperties": false
    })
}
