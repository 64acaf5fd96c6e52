#![doc = include_str!("../README.md")]

mod access;
mod catalog;
mod consent;
mod customer;
mod entity;
mod feed;
mod line;
mod meta;
mod order;
mod payload;
mod person;
mod record;
mod topic;

use canonical::hash;
use jiff::Timestamp;
use platform::reading::{self, Reader, Reading, Silence};
use platform::signature::hmac::{self, Encoding};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Headers, Mapping, Page, Period, Platform, Request,
    Secrets, Unverified, Verdict,
};
use serde_json::json;

use crate::topic::Topic;

const SIGNATURE: &str = "x-wc-webhook-signature";
const TOPIC: &str = "x-wc-webhook-topic";
const SOURCE: &str = "x-wc-webhook-source";
const DELIVERY_ID: &str = "x-wc-webhook-delivery-id";

/// The adapter for WooCommerce.
#[derive(Clone, Copy, Debug, Default)]
pub struct Woocommerce;

impl Platform for Woocommerce {
    fn name(&self) -> &'static str {
        "woocommerce"
    }

    fn description(&self) -> Description {
        Description {
            title: "WooCommerce",
            settings: json!({
                "type": "object",
                "properties": {
                    "shop_url": {
                        "type": "string",
                        "title": "Shop address",
                        "description": "The shop's home address with https://, and the folder if WordPress is in \
                                        one. Needed for asking the shop's API; it also names the shop on events.",
                        "examples": ["https://thistle-and-thread.example"]
                    },
                    "api_url": {
                        "type": "string",
                        "title": "API address",
                        "description": "What stands in for the shop's address when its API is asked, without \
                                        /wp-json. Only for tests and proxies: the API key is sent there.",
                        "examples": ["https://proxy.example"]
                    },
                    "poll": {
                        "type": "boolean",
                        "title": "Ask the shop's API",
                        "description": "Whether the shop is asked regularly for what its webhooks may have missed, \
                                        and for the dates of refunds and the variations of products. Needs the \
                                        shop's address with https:// and the API key.",
                        "default": false
                    },
                    "refund_policy": {
                        "type": "string",
                        "title": "Refunds",
                        "description": "full_only: one Refunded Order once an order is refunded in full. each: \
                                        one for every refund, with its own amount.",
                        "enum": ["full_only", "each"],
                        "default": "each"
                    },
                    "placed_statuses": {
                        "type": "array",
                        "items": {"type": "string"},
                        "title": "Further statuses that mean placed",
                        "description": "Statuses that a plugin adds (without wc-) and that an order only reaches \
                                        once it is placed. Orders in such a status count without this as soon \
                                        as they are paid. pending, failed and checkout-draft never count.",
                        "default": [],
                        "examples": [["awaiting-shipment"]]
                    },
                    "email_consent_meta": {
                        "type": "string",
                        "title": "Meta key of the consent to e-mail",
                        "description": "The key in meta_data under which a plugin writes that a buyer or customer \
                                        agreed to marketing by e-mail. Without it nobody's consent is read.",
                        "examples": ["_newsletter_opt_in"]
                    },
                    "sms_consent_meta": {
                        "type": "string",
                        "title": "Meta key of the consent to text messages",
                        "description": "As for e-mail.",
                        "examples": ["_sms_opt_in"]
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
                        "description": "The secret of the webhooks, under WooCommerce, Settings, Advanced, \
                                        Webhooks. All webhooks of this connection must have the same.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "consumer_key": {
                        "type": "string",
                        "title": "Consumer key",
                        "description": "Of an API key with read permission, under WooCommerce, Settings, \
                                        Advanced, REST API. Needed for asking the shop's API.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "consumer_secret": {
                        "type": "string",
                        "title": "Consumer secret",
                        "description": "Of the same API key.",
                        "minLength": 1,
                        "writeOnly": true
                    }
                },
                "required": ["webhook_secret"],
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
        let headers = &request.headers;
        if is_ping(headers, body.signed_bytes()) {
            // Anything but 200 makes the shop report an error when the webhook is saved.
            return Verdict::Ignore { reason: "ping", topic: None, body: "ok".to_owned() };
        }
        let keys = secrets.valid("webhook_secret").flat_map(keys);
        let signature = header(headers, SIGNATURE);
        let proof = match hmac::verify(Encoding::Base64, keys, body.signed_bytes(), signature) {
            Ok(proof) => proof,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        // Genuine. From here on nothing is answered with an error: a few in a row make the shop disable the
        // webhook.
        let Some(topic) = header(headers, TOPIC) else { return Verdict::ignore("topic_missing", None) };
        match Topic::parse(topic) {
            None => return Verdict::ignore("unknown_topic", Some(topic)),
            Some(Topic::Nothing(reason)) => return Verdict::ignore(reason, Some(topic)),
            Some(_) => {}
        }
        // The shop makes its delivery ids of the webhook and the second, so two of one second share one.
        let delivery_id = hash::long_id(&[
            header(headers, SOURCE).unwrap_or_default(),
            topic,
            header(headers, DELIVERY_ID).unwrap_or_default(),
            &String::from_utf8_lossy(body.signed_bytes()),
        ]);
        let (topic, headers) = (topic.to_owned(), headers.keep(&[TOPIC, SOURCE]));
        Verdict::Accept(body.accept(proof, topic, delivery_id, headers))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping {
        let Some(topic) = Topic::parse(&delivery.topic) else { return Mapping::Ignore("unknown_topic") };
        let mut reader = Reader::new(delivery, connection);
        let reading = read(topic, &mut reader, fetched);
        reading::mapping(reading, reader.dropped)
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        feed::feeds(connection, period)
    }

    fn page(
        &self,
        connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        _joined: &[Fetched],
    ) -> Result<Page, String> {
        feed::page(connection, feed, answer)
    }
}

fn read(topic: Topic, reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    match topic {
        Topic::Order => order::order(reader, fetched),
        Topic::Customer => customer::customer(reader),
        Topic::CustomerDeleted => customer::deleted(reader),
        Topic::Product => catalog::product(reader, fetched),
        Topic::ProductDeleted => catalog::deleted(reader),
        Topic::Nothing(reason) => Err(Silence::Ignore(reason)),
    }
}

/// A header's value, trimmed; blank counts as missing.
fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.get(name).map(str::trim).filter(|value| !value.is_empty())
}

/// The keys that a secret stands for. The shop signs with the secret as it was typed; its database and its API
/// show the same secret with HTML entities in it, and either may have been copied.
fn keys(secret: &str) -> impl Iterator<Item = String> {
    let typed = entity::decode_special(secret);
    let copied = (typed != secret).then(|| secret.to_owned());
    std::iter::once(typed).chain(copied)
}

/// The request that a shop makes when a webhook is saved: a form with the webhook's number, and no signature.
fn is_ping(headers: &Headers, body: &[u8]) -> bool {
    let form = headers.get("content-type").is_none_or(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.is_empty() || kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    let number = body.strip_prefix(b"webhook_id=").unwrap_or_default();
    let numbered = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    form && numbered && header(headers, SIGNATURE).is_none()
}
