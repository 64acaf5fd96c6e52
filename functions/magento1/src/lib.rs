#![doc = include_str!("../README.md")]

mod api;
mod feeds;
mod line;
mod order;
mod payload;
mod person;
mod php;
mod record;
mod value;
mod xmlrpc;

use jiff::Timestamp;
use platform::reading::{self, Reader, Reading};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Mapping, Page, Period, Platform, Request, Secrets,
    Unverified, Verdict,
};
use serde_json::{Value, json};

/// The adapter for Magento 1 and OpenMage: asked by XML-RPC, and told by a module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Magento1;

impl Platform for Magento1 {
    fn name(&self) -> &'static str {
        "magento1"
    }

    fn description(&self) -> Description {
        Description { title: "Magento 1 and OpenMage", settings: settings(), secrets: secrets() }
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
        let read: fn(&mut Reader<'_>) -> Reading = match delivery.topic.as_str() {
            contract::TOPIC => return contract::facts(delivery, connection),
            record::ORDER => order::order,
            record::CUSTOMER => person::customer,
            _ => return Mapping::Ignore("unknown_topic"),
        };
        let mut reader = Reader::new(delivery, connection);
        let reading = read(&mut reader);
        reading::mapping(reading, reader.dropped)
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        feeds::feeds(connection, period)
    }

    fn page(
        &self,
        connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        joined: &[Fetched],
    ) -> Result<Page, String> {
        feeds::page(connection, feed, answer, joined)
    }
}

fn settings() -> Value {
    json!({
        "type": "object",
        "properties": {
            "shop_url": {
                "type": "string",
                "title": "Shop address",
                "description": "The shop's https address, below which /index.php/api/xmlrpc is. Orders and customers are \
                                then asked for there.",
                "pattern": "^https://",
                "examples": ["https://larch.example"]
            },
            "api_url": {
                "type": "string",
                "title": "API address",
                "description": "What stands in for the shop's address when it is asked. Only for tests and \
                                proxies: the API key is sent there.",
                "examples": ["https://proxy.example"]
            },
            "poll": {
                "type": "boolean",
                "title": "Ask regularly",
                "description": "Whether orders and customers are asked for regularly. Needs the shop address and the API \
                                user.",
                "default": true
            },
            "refund_policy": {
                "type": "string",
                "title": "Refunds",
                "description": "each: one Refunded Order for every credit memo, with its own amount. full_only: one once \
                                an order is refunded in full.",
                "enum": ["each", "full_only"],
                "default": "each"
            },
            "unpaid_statuses": {
                "type": "array",
                "items": {"type": "string"},
                "title": "Statuses that wait for payment",
                "description": "Codes of the shop's own statuses of orders that are not paid yet, where they do not begin \
                                with pending_. Of an order that was cancelled they tell whether it was ever placed.",
                "default": [],
                "examples": [["waiting_for_transfer"]]
            },
            (contract::SHOP_ERASURE): contract::shop_erasure_schema()
        },
        "required": [],
        "additionalProperties": false
    })
}

fn secrets() -> Value {
    let of_api = |title: &str, description: &str| {
        json!({
            "type": "string",
            "title": title,
            "description": description,
            "minLength": 1,
            "writeOnly": true
        })
    };
    json!({
        "type": "object",
        "properties": {
            "webhook_secret": contract::webhook_secret_schema(),
            "api_user": of_api("API user", "The name of a SOAP/XML-RPC user of the shop."),
            "api_key": of_api("API key", "That user's API key.")
        },
        "required": [],
        "additionalProperties": false
    })
}
