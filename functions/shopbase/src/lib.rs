#![doc = include_str!("../README.md")]

mod catalog;
mod checkout;
mod customer;
mod feed;
mod line;
mod order;
mod payload;
mod person;
mod shop;
mod topic;
mod value;

use canonical::hash;
use jiff::Timestamp;
use platform::reading::{self, Reader, Reading, Silence};
use platform::signature::hmac::{self, Encoding};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Headers, Mapping, Page, Period, Platform, Request,
    Secrets, Unverified, Verdict,
};
use serde_json::json;

use crate::shop::SHOP;
use crate::topic::Topic;

const SIGNATURE: &str = "x-shopbase-hmac-sha256";
const TOPIC: &str = "x-shopbase-topic";

/// The adapter for ShopBase.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shopbase;

impl Platform for Shopbase {
    fn name(&self) -> &'static str {
        "shopbase"
    }

    fn description(&self) -> Description {
        Description {
            title: "ShopBase",
            settings: json!({
                "type": "object",
                "properties": {
                    "shop_domain": {
                        "type": "string",
                        "title": "Shop domain",
                        "description": "The shop's onshopbase.com domain, without https://. Deliveries of other \
                                        shops are then ignored. Needed for polling.",
                        "examples": ["larch-and-linen.onshopbase.com"]
                    },
                    "include_test_orders": {
                        "type": "boolean",
                        "title": "Include test orders",
                        "description": "Whether orders that are marked as tests count.",
                        "default": false
                    },
                    "poll": {
                        "type": "boolean",
                        "title": "Poll",
                        "description": "Whether changed orders are also asked for regularly, with the access token.",
                        "default": false
                    },
                    "api_url": {
                        "type": "string",
                        "title": "API address",
                        "description": "What stands in for https:// and the shop domain. Only for tests and \
                                        proxies: the access token is sent there.",
                        "examples": ["https://proxy.example"]
                    },
                    "public_app": {
                        "type": "boolean",
                        "title": "Public app",
                        "description": "Whether the access token is a public app's: then the token secret is sent \
                                        along.",
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
                        "description": "The shared secret of the private app or of the shop's own webhooks; for a \
                                        public app its client secret.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "access_token": {
                        "type": "string",
                        "title": "Access token",
                        "description": "What X-ShopBase-Access-Token carries, for polling.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "token_secret": {
                        "type": "string",
                        "title": "Token secret",
                        "description": "What X-ShopBase-Token-Secret carries, for polling as a public app.",
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
        connection: &Connection,
        secrets: &Secrets,
        _now: Timestamp,
    ) -> Verdict {
        let headers = &request.headers;
        let valid = secrets.valid("webhook_secret");
        let signature = headers.get(SIGNATURE);
        let proof = match hmac::verify(Encoding::Base64, valid, body.signed_bytes(), signature) {
            Ok(proof) => proof,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        // Genuine. From here on nothing is answered with an error: how ShopBase repeats is not known.
        let Some(topic) = header(headers, TOPIC) else { return Verdict::ignore("topic_missing", None) };
        match Topic::parse(topic) {
            None => return Verdict::ignore("unknown_topic", Some(topic)),
            Some(Topic::Nothing(reason)) => return Verdict::ignore(reason, Some(topic)),
            Some(_) => {}
        }
        let shop = header(headers, SHOP);
        if shop.is_some_and(|shop| shop::is_other(shop, connection)) {
            return Verdict::ignore("other_shop", Some(topic));
        }
        // No delivery has an id: the same bytes are the same delivery.
        let bytes = String::from_utf8_lossy(body.signed_bytes());
        let delivery_id = hash::long_id(&[shop.unwrap_or_default(), topic, &bytes]);
        let (topic, headers) = (topic.to_owned(), headers.keep(&[SHOP]));
        Verdict::Accept(body.accept(proof, topic, delivery_id, headers))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, _fetched: &[Fetched]) -> Mapping {
        let Some(topic) = Topic::parse(&delivery.topic) else { return Mapping::Ignore("unknown_topic") };
        let mut reader = Reader::new(delivery, connection);
        let reading = read(topic, &mut reader);
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

/// A header's value, trimmed; blank counts as missing.
fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.get(name).map(str::trim).filter(|value| !value.is_empty())
}

fn read(topic: Topic, reader: &mut Reader<'_>) -> Reading {
    match topic {
        Topic::Order => order::order(reader),
        Topic::Fulfillment => order::fulfillment(reader),
        Topic::Refund => order::refund_created(reader),
        Topic::Checkout => checkout::checkout(reader),
        Topic::Cart => checkout::cart(reader),
        Topic::Customer => customer::customer(reader),
        Topic::CustomerDeleted => customer::deleted(reader),
        Topic::Product => catalog::product(reader),
        Topic::ProductDeleted => catalog::deleted(reader),
        Topic::Uninstalled => shop::uninstalled(reader),
        Topic::Nothing(reason) => Err(Silence::Ignore(reason)),
    }
}
