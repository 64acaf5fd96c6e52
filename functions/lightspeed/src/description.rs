//! What is needed to connect an account.

use platform::Description;
use serde_json::{Value, json};

pub(crate) fn description() -> Description {
    Description {
        title: "Lightspeed Retail (R-Series)",
        settings: json!({
            "type": "object",
            "properties": settings(),
            "required": [],
            "additionalProperties": false
        }),
        secrets: json!({
            "type": "object",
            "properties": {
                "client_id": {
                    "type": "string",
                    "title": "Client id",
                    "description": "The id of your own API client, from Lightspeed's developer portal.",
                    "minLength": 1,
                    "writeOnly": true
                },
                "client_secret": {
                    "type": "string",
                    "title": "Client secret",
                    "description": "The secret of the same API client.",
                    "minLength": 1,
                    "writeOnly": true
                },
                "access_token": {
                    "type": "string",
                    "title": "Access token",
                    "description": "Written by the authorisation, and renewed before it ends. Not entered by hand.",
                    "minLength": 1,
                    "writeOnly": true
                }
            },
            "required": ["client_id", "client_secret"],
            "additionalProperties": false
        }),
    }
}

fn settings() -> Value {
    json!({
        "account_id": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "title": "Account",
            "description": "The account's id. The authorisation finds it out.",
            "examples": ["120650"]
        },
        "poll": {
            "type": "boolean",
            "title": "Poll",
            "description": "Whether changes are asked for every hour. R-Series sends no webhooks, so without it nothing \
                            arrives.",
            "default": true
        },
        "currency": {
            "type": "string",
            "pattern": "^[A-Za-z]{3}$",
            "title": "Currency",
            "description": "The account's currency (ISO 4217). Without it the account is asked for it.",
            "examples": ["CAD"]
        },
        "sync_zero_orders": {
            "type": "boolean",
            "title": "Orders worth nothing",
            "description": "Whether sales with a total of 0 become orders.",
            "default": false
        },
        "sync_without_email": {
            "type": "boolean",
            "title": "Orders without an e-mail address",
            "description": "Whether sales to customers without an e-mail address become orders. They wait until the \
                            customer has one.",
            "default": false
        },
        "no_email_opts_out": {
            "type": "boolean",
            "title": "\"No e-mail\" is an unsubscription",
            "description": "Whether a contact's mark against e-mail counts as their own decision, made when the contact \
                            was last changed. Only if your staff sets it on request: new contacts may carry it from the \
                            start.",
            "default": false
        },
        "new_customers_since": {
            "type": "string",
            "format": "date-time",
            "title": "New customers since",
            "description": "Customers created from then on are new: see list and welcome. Without it, those created since \
                            the first poll.",
            "examples": ["2026-03-14T00:00:00Z"]
        },
        "list": {
            "type": "string",
            "minLength": 1,
            "title": "List for new customers",
            "description": "What new customers' property Lightspeed List says, for a segment of them. It is no consent.",
            "examples": ["Till customers"]
        },
        "welcome": {
            "type": "boolean",
            "title": "Welcome new customers",
            "description": "Whether new customers also get the property Lightspeed Welcome, by which a welcome series \
                            may be started. Imported ones never do.",
            "default": false
        },
        "sale_change_field": {
            "type": "string",
            "enum": ["updatetime", "updateTime", "timeStamp"],
            "title": "Field of a sale's last change",
            "description": "By which field changed sales are asked for. Another only if the API refuses the default; by \
                            timeStamp a sale that is voided later is missed.",
            "default": "updatetime"
        },
        "api_url": {
            "type": "string",
            "pattern": "^https?://[^\\s?#]+$",
            "title": "API address",
            "description": "Where the API is, for proxies and tests. The access token goes there.",
            "default": "https://api.lightspeedapp.com"
        },
        "auth_url": {
            "type": "string",
            "pattern": "^https?://[^\\s?#]+$",
            "title": "Authorisation server",
            "description": "Where the account is authorised, for proxies and tests. The client secret goes there.",
            "default": "https://cloud.lightspeedapp.com"
        }
    })
}
