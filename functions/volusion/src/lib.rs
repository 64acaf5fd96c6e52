#![doc = include_str!("../README.md")]

mod cart;
mod door;
mod line;
mod order;
mod payload;
mod person;

use jiff::Timestamp;
use platform::lenient::{self, Field, Object};
use platform::reading::{self, Reader, Reading, Silence};
use platform::signature::token;
use platform::{
    Connection, Delivery, Description, Fetched, Headers, Mapping, Platform, Request, Secrets, Unverified,
    Verdict,
};
use serde_json::json;

/// The adapter for Volusion: orders of Volt (V2), by webhook.
#[derive(Clone, Copy, Debug, Default)]
pub struct Volusion;

impl Platform for Volusion {
    fn name(&self) -> &'static str {
        "volusion"
    }

    fn description(&self) -> Description {
        Description {
            title: "Volusion",
            settings: json!({
                "type": "object",
                "properties": {
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
                        "description": "Whether emailOptIn of an order is a decision that the buyer made: only if \
                                        the store's checkout asks, with a box that is not ticked beforehand.",
                        "default": false
                    },
                    "refund_policy": {
                        "type": "string",
                        "title": "Refunds",
                        "description": "each: one Refunded Order for every refund, with its own amount. full_only: \
                                        one once an order is refunded in full.",
                        "enum": ["each", "full_only"],
                        "default": "each"
                    }
                },
                "required": [],
                "additionalProperties": false
            }),
            secrets: json!({
                "type": "object",
                "properties": {
                    "webhook_token": {
                        "type": "string",
                        "title": "Webhook token",
                        "description": "A long random text of letters and digits, which the webhook's address ends \
                                        with: ?token=…. Volusion signs nothing; this is the only proof.",
                        "minLength": 24,
                        "pattern": "^[A-Za-z0-9]+$",
                        "writeOnly": true
                    }
                },
                "required": ["webhook_token"],
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
        let reading = read(&mut reader);
        reading::mapping(reading, reader.dropped)
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
