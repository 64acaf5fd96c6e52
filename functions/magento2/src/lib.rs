#![doc = include_str!("../README.md")]

mod catalog;
mod customer;
mod feeds;
mod fulfillment;
mod klaviyo;
mod line;
mod order;
mod payload;
mod person;
mod proof;
mod quote;
mod record;
mod rest;
mod topic;

use jiff::Timestamp;
use platform::reading::{self, Reader, Reading, Silence};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Mapping, Page, Period, Platform, Request, Secrets,
    Unverified, Verdict,
};
use serde_json::{Value, json};

use crate::record::Record;
use crate::topic::Topic;

/// The adapter for Adobe Commerce and Magento Open Source 2.
#[derive(Clone, Copy, Debug, Default)]
pub struct Magento2;

impl Platform for Magento2 {
    fn name(&self) -> &'static str {
        "magento2"
    }

    fn description(&self) -> Description {
        Description { title: "Adobe Commerce (Magento 2)", settings: settings(), secrets: secrets() }
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        connection: &Connection,
        secrets: &Secrets,
        _now: Timestamp,
    ) -> Verdict {
        proof::verify(request, body, connection, secrets)
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping {
        let mut reader = Reader::new(delivery, connection);
        let reading = read(&mut reader, fetched);
        reading::mapping(reading, reader.dropped)
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        feeds::feeds(connection, period)
    }

    fn page(
        &self,
        _connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        _joined: &[Fetched],
    ) -> Result<Page, String> {
        feeds::page(feed, answer)
    }
}

/// Reads all records of a delivery. In a batch, one that cannot be read costs only itself.
fn read(reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    let mut records = record::records(reader.delivery)?;
    rest::complete(&mut records, reader.connection, fetched)?;
    let mut facts = Vec::new();
    let mut silence = None;
    for record in &mut records {
        let reading = match record {
            Some(record) => read_record(reader, record),
            None => Err(Silence::Malformed("an event of the batch has no data".to_owned())),
        };
        match reading {
            Ok(more) => facts.extend(more),
            Err(malformed @ Silence::Malformed(_)) => {
                reader.dropped.note("event");
                silence = Some(malformed);
            }
            Err(other) => silence = silence.or(Some(other)),
        }
    }
    if facts.is_empty() { Err(silence.unwrap_or(Silence::Ignore("unknown_topic"))) } else { Ok(facts) }
}

fn read_record(reader: &mut Reader<'_>, record: &mut Record) -> Reading {
    match record.topic {
        Topic::Order => order::order(reader, record),
        Topic::OrderPlacement => order::placement(reader, record),
        Topic::Creditmemo => fulfillment::creditmemo(reader, record),
        Topic::Shipment => fulfillment::shipment(reader, record),
        Topic::Track => fulfillment::track(reader, record),
        Topic::Customer => customer::customer(reader, record),
        Topic::CustomerDeleted => customer::deleted(reader, record),
        Topic::Subscriber => customer::subscriber(reader, record),
        Topic::Quote | Topic::CartAddition => quote::quote(reader, record),
        Topic::Product => catalog::product(reader, record),
        Topic::ProductDeleted => catalog::deleted(reader, record),
        Topic::KlaviyoCart => klaviyo::added_to_cart(reader, record),
        Topic::Nothing(reason) => Err(Silence::Ignore(reason)),
    }
}

fn settings() -> Value {
    json!({
        "type": "object",
        "properties": {
            "client_id": {
                "type": "string",
                "title": "Client ID",
                "description": "For Adobe I/O Events: the client id (API key) of the project in the Adobe Developer \
                                Console that the events are registered in. Events sent to another one are refused; \
                                without it all are.",
                "examples": ["0f1e2d3c4b5a69788796a5b4c3d2e1f0"]
            },
            "token_header": {
                "type": "string",
                "title": "Token header",
                "description": "For modules that send a fixed header: its name.",
                "default": "x-tillstream-token"
            },
            "base_url": {
                "type": "string",
                "title": "Shop address",
                "description": "The shop's https address, for its REST interface and the links to products. Set it \
                                only together with the secrets of an integration: what deliveries lack is then \
                                fetched there.",
                "pattern": "^https://",
                "examples": ["https://larch.example"]
            },
            "api_url": {
                "type": "string",
                "title": "API address",
                "description": "What stands in for the shop's address when its REST interface is asked. Only for \
                                tests and proxies: a bearer token is sent there.",
                "examples": ["https://proxy.example"]
            },
            "store_code": {
                "type": "string",
                "title": "Store view",
                "description": "The code of the store view whose REST interface is asked: letters, digits and _.",
                "pattern": "^[A-Za-z0-9_]+$",
                "default": "all"
            },
            "bearer": {
                "type": "boolean",
                "title": "Bearer token",
                "description": "Whether the access token is sent as it is instead of signing requests with OAuth 1.0a. \
                                Since version 2.4.4 shops must allow that (oauth/consumer/enable_integration_as_bearer).",
                "default": false
            },
            "poll": {
                "type": "boolean",
                "title": "Ask regularly",
                "description": "Whether orders, credit memos, shipments, customers and products are asked for \
                                regularly. Needs the shop address and the secrets of an integration.",
                "default": false
            },
            "poll_carts": {
                "type": "boolean",
                "title": "Ask for carts too",
                "description": "Whether carts are asked for as well, those of visitors nobody knows included.",
                "default": false
            },
            "product_url_suffix": {
                "type": "string",
                "title": "Product URL suffix",
                "description": "What addresses of products end in.",
                "default": ".html"
            }
        },
        "required": [],
        "additionalProperties": false
    })
}

fn secrets() -> Value {
    let secret = |title: &str, description: &str| {
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
            "webhook_public_key": secret(
                "Webhook public key",
                "For Adobe Commerce Webhooks: the public key that the Admin shows (PEM).",
            ),
            "webhook_secret": secret(
                "Webhook secret of Klaviyo's module",
                "For the Klaviyo extension: its webhook secret.",
            ),
            "token": secret(
                "Token",
                "For modules that send a fixed header: its value. Choose a long random one of letters and digits.",
            ),
            "consumer_key": secret("Consumer key", "Of the integration in the shop's Admin."),
            "consumer_secret": secret("Consumer secret", "Of the integration in the shop's Admin."),
            "access_token": secret("Access token", "Of the integration in the shop's Admin."),
            "access_token_secret": secret("Access token secret", "Of the integration in the shop's Admin."),
        },
        "required": [],
        "additionalProperties": false
    })
}
