#![doc = include_str!("../README.md")]

mod cart;
mod classic;
mod door;
mod line;
mod order;
mod payload;
mod person;
mod volt;

use jiff::Timestamp;
use platform::lenient::{self, Field, Object};
use platform::reading::{self, Reader, Reading, Silence};
use platform::signature::token;
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Headers, Mapping, Page, Period, Platform, Request,
    Secrets, Unverified, Verdict,
};
use serde_json::{Value, json};

/// The adapter for Volusion: orders of Volt (V2), by webhook and asked for, and of V1, asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Volusion;

impl Platform for Volusion {
    fn name(&self) -> &'static str {
        "volusion"
    }

    fn description(&self) -> Description {
        Description { title: "Volusion", settings: settings(), secrets: secrets() }
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        _connection: &Connection,
        secrets: &Secrets,
        _now: Timestamp,
    ) -> Verdict {
        let presented = token::query_parameter(&request.query, "token");
        let proof = match token::verify(secrets.valid("webhook_token"), presented) {
            Ok(proof) => proof,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        if request.method.eq_ignore_ascii_case("GET") || request.method.eq_ignore_ascii_case("HEAD") {
            return Verdict::Ignore { reason: "probe", topic: None, body: "ok".to_owned() };
        }
        let reduced = door::reduce(body.signed_bytes());
        let body = Unverified::new(reduced.body);
        Verdict::Accept(body.accept(proof, door::TOPIC.to_owned(), reduced.delivery_id, Headers::default()))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, _fetched: &[Fetched]) -> Mapping {
        let mut reader = Reader::new(delivery, connection);
        let read = if delivery.topic == classic::TOPIC { classic::order } else { read };
        let reading = read(&mut reader);
        reading::mapping(reading, reader.dropped)
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        let feeds = if classic::is_classic(connection) { classic::feeds } else { volt::feeds };
        feeds(connection, period)
    }

    fn page(
        &self,
        connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        joined: &[Fetched],
    ) -> Result<Page, String> {
        if classic::is_feed(feed.name) {
            classic::page(connection, feed, answer, joined)
        } else {
            volt::page(feed, answer)
        }
    }
}

fn read(reader: &mut Reader<'_>) -> Reading {
    let body: payload::Body = lenient::object(&reader.delivery.body)?;
    let Object(entity) = reader
        .dropped
        .take("value", body.value)
        .ok_or_else(|| Silence::Malformed("no usable value".to_owned()))?;
    // What a webhook was made for is not in its deliveries: only its shape tells.
    if !matches!((&entity.cart, &entity.order_number), (Field::Absent, Field::Absent)) {
        order::order(reader, entity)
    } else if matches!(entity.items, Field::Is(_)) {
        cart::cart(reader, entity)
    } else {
        Err(Silence::Ignore("neither_order_nor_cart"))
    }
}

fn settings() -> Value {
    json!({
        "type": "object",
        "properties": {
            "edition": {
                "type": "string",
                "title": "Edition",
                "description": "v2: Volt, which has webhooks. v1: a classic store, which is asked.",
                "enum": ["v2", "v1"],
                "default": "v2"
            },
            "currency": {
                "type": "string",
                "title": "Currency",
                "description": "The store's currency (ISO 4217): Volusion writes amounts without one.",
                "pattern": "^[A-Za-z]{3}$",
                "examples": ["USD"]
            },
            "email_opt_in_is_consent": {
                "type": "boolean",
                "title": "E-mail opt-in is consent",
                "description": "V2: whether emailOptIn of an order is a decision that the buyer made: only if the \
                                store's checkout asks, with a box that is not ticked beforehand.",
                "default": false
            },
            "refund_policy": {
                "type": "string",
                "title": "Refunds",
                "description": "each: one Refunded Order for every refund, with its own amount. full_only: one once \
                                an order is refunded in full.",
                "enum": ["each", "full_only"],
                "default": "each"
            },
            "poll": {
                "type": "boolean",
                "title": "Ask regularly",
                "description": "Whether orders are asked for regularly. V1 is unless this is false; V2 only if this \
                                is true, which needs the API key."
            },
            "store_url": {
                "type": "string",
                "title": "Store address",
                "description": "V1: the store's https address without a path.",
                "pattern": "^https://",
                "examples": ["https://cedar.example"]
            },
            "api_url": {
                "type": "string",
                "title": "API address",
                "description": "V1: what stands in for the store's address when it is asked. Only for tests and \
                                proxies: the login is sent there.",
                "examples": ["https://proxy.example"]
            },
            "time_zone": {
                "type": "string",
                "title": "Time zone",
                "description": "V1: the IANA name of the zone of the store's clock.",
                "examples": ["America/Chicago"]
            },
            "status_map": {
                "type": "object",
                "title": "Order statuses",
                "description": "V1: what statuses of the store's own mean, by their text, or Volusion's own where the \
                                store means something else by them: not_placed, placed, by_lines (what the lines say \
                                has left), partially_shipped, shipped, partially_returned, returned or cancelled. \
                                Others count as placed.",
                "additionalProperties": {
                    "type": "string",
                    "enum": ["not_placed", "placed", "by_lines", "partially_shipped", "shipped",
                             "partially_returned", "returned", "cancelled"]
                },
                "maxProperties": 50,
                "examples": [{"Picked up": "shipped"}]
            },
            "changes_schema": {
                "type": "string",
                "title": "Export of changes",
                "description": "V1: the name of a schema that was uploaded to vspfiles/schema/Generic, for orders \
                                that changed lately. Without one every status is asked for, which only small stores \
                                can bear.",
                "pattern": "^[A-Za-z0-9_-]+$",
                "examples": ["tillstream_changes"]
            },
            "history_schema": {
                "type": "string",
                "title": "Export of the history",
                "description": "V1: the same for all orders, for the historical import; several names, with commas \
                                between them, where one answer of 5 MB cannot hold all orders.",
                "pattern": "^[A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*$",
                "examples": ["tillstream_history", "tillstream_until_2020,tillstream_since_2020"]
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
            "webhook_token": {
                "type": "string",
                "title": "Webhook token",
                "description": "V2: a long random text of letters and digits, which the webhook's address ends with: \
                                ?token=…. Volusion signs nothing; this is the only proof.",
                "minLength": 24,
                "pattern": "^[A-Za-z0-9]+$",
                "writeOnly": true
            },
            "api_key": secret("API key", "V2: for asking, the key of the store's API."),
            "login": secret("Login", "V1: the e-mail address of an administrator of the store."),
            "encrypted_password": secret(
                "Encrypted password",
                "V1: that administrator's encrypted password, as the store's page on its API shows it. It changes \
                 with the password, every 90 days.",
            )
        },
        "required": [],
        "additionalProperties": false
    })
}
