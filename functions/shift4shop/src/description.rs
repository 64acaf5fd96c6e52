//! What is needed to connect a store.

use platform::Description;
use serde_json::json;

pub(crate) fn description() -> Description {
    Description {
        title: "Shift4Shop",
        settings: json!({
            "type": "object",
            "properties": {
                "secure_url": {
                    "type": "string",
                    "title": "Secure URL",
                    "description": "The store's https:// address, as the REST API's SecureURL header names it.",
                    "examples": ["https://larch-and-linen.3dcartstores.com"]
                },
                "time_zone": {
                    "type": "string",
                    "format": "time-zone",
                    "title": "Time zone",
                    "description": "The store's time zone (IANA). Orders carry the store's local time without saying \
                                    whose.",
                    "examples": ["America/New_York"]
                },
                "currency": {
                    "type": "string",
                    "pattern": "^[A-Za-z]{3}$",
                    "title": "Currency",
                    "description": "The store's currency (ISO 4217). Orders do not name it.",
                    "minLength": 3,
                    "maxLength": 3,
                    "examples": ["USD"]
                },
                "statuses": {
                    "type": "object",
                    "title": "Statuses",
                    "description": "What order statuses mean, by their id: for the custom statuses 8 to 10, or where \
                                    the store uses a standard one otherwise. Custom ones count as placed without it.",
                    "additionalProperties": {
                        "type": "string",
                        "enum": ["not_completed", "quote", "placed", "partly_shipped", "shipped", "cancelled"]
                    },
                    "examples": [{"8": "shipped"}]
                },
                "poll": {
                    "type": "boolean",
                    "title": "Poll",
                    "description": "Whether changed orders are also asked for regularly, so that a lost webhook loses \
                                    nothing.",
                    "default": false
                },
                "api_url": {
                    "type": "string",
                    "title": "API address",
                    "description": "The address of the REST API, version included.",
                    "default": "https://apirest.3dcart.com/3dCartWebAPI/v2"
                }
            },
            "required": ["secure_url", "time_zone", "currency"],
            "additionalProperties": false
        }),
        secrets: json!({
            "type": "object",
            "properties": {
                "webhook_token": {
                    "type": "string",
                    "title": "Webhook token",
                    "description": "A long random text of letters and digits, which stands in the webhook's address \
                                    as ?token=…",
                    "minLength": 24,
                    "writeOnly": true
                },
                "private_key": {
                    "type": "string",
                    "title": "Private key",
                    "description": "The REST API app's private key. Webhooks are not signed: every one is confirmed \
                                    by asking the API.",
                    "minLength": 1,
                    "writeOnly": true
                },
                "api_token": {
                    "type": "string",
                    "title": "API token",
                    "description": "The token with which the store authorised the REST API app: read access to \
                                    orders, customers and products.",
                    "minLength": 1,
                    "writeOnly": true
                }
            },
            "required": ["webhook_token", "private_key", "api_token"],
            "additionalProperties": false
        }),
    }
}
