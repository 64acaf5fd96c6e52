//! What is needed to connect the locations of one company.

use platform::Description;
use serde_json::{Map, Value, json};

use crate::api::{API_URL, MAX_LOCATIONS, REQUESTS_PER_MINUTE, secret_of};

pub(crate) fn description() -> Description {
    Description {
        title: "Dutchie POS",
        settings: json!({
            "type": "object",
            "properties": {
                "locations": {
                    "type": "integer",
                    "title": "Locations",
                    "description": "How many locations of one company there are, each with an API key of its own: \
                                    api_key, api_key_2 and so on.",
                    "minimum": 1,
                    "maximum": MAX_LOCATIONS,
                    "default": 1
                },
                "time_zone": {
                    "type": "string",
                    "format": "time-zone",
                    "title": "Time zone",
                    "description": "The locations' time zone (IANA). Dutchie does not say it.",
                    "default": "UTC",
                    "examples": ["America/Denver"]
                },
                "time_zones": {
                    "type": "object",
                    "title": "Time zones",
                    "description": "By location id, where a location has another time zone than time_zone says.",
                    "additionalProperties": { "type": "string", "format": "time-zone" },
                    "examples": [{ "530271": "America/New_York" }]
                },
                "currency": {
                    "type": "string",
                    "pattern": "^[A-Za-z]{3}$",
                    "title": "Currency",
                    "description": "The currency of all amounts (ISO 4217). Dutchie does not say it.",
                    "default": "USD"
                },
                "products": {
                    "type": "string",
                    "title": "Products",
                    "description": "Which list names the products sold. online: those enabled for the API and the \
                                    web shop. all: every product, a far longer list. none: no list is asked for, and \
                                    sales do not name their products.",
                    "enum": ["online", "all", "none"],
                    "default": "online"
                },
                "integrator_key": {
                    "type": "boolean",
                    "title": "Integrator key",
                    "description": "Whether the secret integrator_key is sent as the password beside each API key.",
                    "default": false
                },
                "requests_per_minute": {
                    "type": "integer",
                    "title": "Requests a minute",
                    "description": "How many requests a minute Dutchie takes from this connection, all locations \
                                    together.",
                    "minimum": 1,
                    "maximum": 600,
                    "default": REQUESTS_PER_MINUTE
                },
                "poll": {
                    "type": "boolean",
                    "title": "Poll",
                    "description": "Whether Dutchie is asked regularly for what changed. Without it only imports \
                                    bring anything: Dutchie sends nothing by itself.",
                    "default": true
                },
                "api_url": {
                    "type": "string",
                    "pattern": "^https?://",
                    "title": "API address",
                    "description": "Where the API is. Only for tests and proxies: the API keys are sent there.",
                    "default": API_URL
                }
            },
            "required": [],
            "additionalProperties": false
        }),
        secrets: json!({
            "type": "object",
            "properties": secrets(),
            "required": ["api_key"],
            "additionalProperties": false
        }),
    }
}

fn secrets() -> Map<String, Value> {
    let key = |number| {
        let property = json!({
            "type": "string",
            "title": format!("API key of location {number}"),
            "description": "The key that Dutchie's support issued for this location.",
            "minLength": 1,
            "writeOnly": true
        });
        (secret_of(number), property)
    };
    let integrator = json!({
        "type": "string",
        "title": "Integrator key",
        "description": "Names the integrator, where Dutchie asks for it. Sent only with the setting integrator_key.",
        "minLength": 1,
        "writeOnly": true
    });
    let integrator = ("integrator_key".to_owned(), integrator);
    (1..=MAX_LOCATIONS).map(key).chain([integrator]).collect()
}
