//! What a connection to Spree needs.

use platform::Description;
use serde_json::json;

/// For people and forms.
pub(crate) fn description() -> Description {
    Description {
        title: "Spree Commerce",
        settings: json!({
            "type": "object",
            "properties": {
                "store_url": {
                    "type": "string",
                    "title": "Address of Spree",
                    "description": "Where Spree's own API answers, with https://. Needed for everything that is \
                                    asked of Spree.",
                    "examples": ["https://shop.larch-and-linen.example"]
                },
                "storefront_url": {
                    "type": "string",
                    "title": "Address of the storefront",
                    "description": "With https://. A product's page is taken for /products/ and its slug below it.",
                    "examples": ["https://www.larch-and-linen.example"]
                },
                "api": {
                    "type": "string",
                    "title": "API",
                    "description": "Which API may be asked for what webhooks leave out. admin: Admin API (5.5 and \
                                    later), with the secret api_key. platform: Platform API v2 (4.x to 5.4), with \
                                    the secrets client_id and client_secret. none: nothing is asked.",
                    "enum": ["none", "admin", "platform"],
                    "default": "none"
                },
                "poll": {
                    "type": "boolean",
                    "title": "Ask for orders regularly",
                    "description": "Whether orders that changed are also asked for regularly, to find those whose \
                                    webhooks were lost: Spree does not repeat them. Needs the Admin API.",
                    "default": false
                },
                "accept_without_timestamp": {
                    "type": "boolean",
                    "title": "Accept signatures without a time",
                    "description": "Only for Spree 5.3, which signs no time. Such a delivery could be repeated by \
                                    anybody who got hold of it.",
                    "default": false
                },
                "accept_unsigned": {
                    "type": "boolean",
                    "title": "Accept unsigned deliveries",
                    "description": "Only for Spree 4.4 and 4.5, which cannot sign: then everybody who knows the \
                                    webhook's address is believed. Has no effect while there is a webhook secret.",
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
                    "description": "The secret of the webhook endpoint, which Spree shows when it is created; before \
                                    5.3 the subscriber's secret key.",
                    "minLength": 1,
                    "writeOnly": true
                },
                "api_key": {
                    "type": "string",
                    "title": "Admin API key",
                    "description": "A secret key (sk_…) with the scopes read_orders, read_fulfillments, read_payments, \
                                    read_refunds, read_customers and read_products.",
                    "minLength": 1,
                    "writeOnly": true
                },
                "client_id": {
                    "type": "string",
                    "title": "Client ID",
                    "description": "Of an OAuth application for the Platform API.",
                    "minLength": 1,
                    "writeOnly": true
                },
                "client_secret": {
                    "type": "string",
                    "title": "Client secret",
                    "description": "Of the same OAuth application.",
                    "minLength": 1,
                    "writeOnly": true
                }
            },
            "required": [],
            "additionalProperties": false
        }),
    }
}
