#![doc = include_str!("../README.md")]

mod api;
mod catalog;
mod checkout;
mod customer;
mod feed;
mod line;
mod order;
mod payload;
mod person;
mod reader;
mod topic;

use canonical::fact::Channel;
use canonical::hash;
use jiff::Timestamp;
use platform::lenient::Dropped;
use platform::reading::{self, Reading, Silence};
use platform::signature::hmac::{self, Encoding};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Mapping, OAuth, Page, Period, Platform, Request,
    Secrets, Unverified, Verdict,
};
use serde_json::json;

use crate::reader::{EVENT_ID, Reader, SHOP, SIGNATURE, TOPIC, TRIGGERED_AT, VERSION, WEBHOOK_ID, header};
use crate::topic::Topic;

/// The adapter for Shopify.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shopify;

impl Platform for Shopify {
    fn name(&self) -> &'static str {
        "shopify"
    }

    fn description(&self) -> Description {
        Description {
            title: "Shopify",
            settings: json!({
                "type": "object",
                "properties": {
                    "shop_domain": {
                        "type": "string",
                        "title": "Shop domain",
                        "description": "The shop's myshopify.com domain, without https://. Deliveries of other \
                                        shops are then ignored. Needed where one app serves several shops, to \
                                        ask the shop's API, and to be authorised for it.",
                        "examples": ["larch-and-linen.myshopify.com"]
                    },
                    "poll": {
                        "type": "boolean",
                        "title": "Ask the shop's API",
                        "description": "Whether the shop is asked regularly for what lost deliveries would have \
                                        told. Needs the shop domain and the access token, as does the import of \
                                        its history.",
                        "default": false
                    },
                    "api_url": {
                        "type": "string",
                        "title": "API address",
                        "description": "What stands in for https:// and the shop domain. Only for tests and \
                                        proxies: the access token is sent there.",
                        "examples": ["https://proxy.example"]
                    },
                    "include_test_orders": {
                        "type": "boolean",
                        "title": "Include test orders",
                        "description": "Whether orders and refunds of test payments count.",
                        "default": false
                    },
                    "refund_policy": {
                        "type": "string",
                        "title": "Refunds",
                        "description": "full_only: one Refunded Order once an order is refunded in full. each: \
                                        one for every refund, with its own amount.",
                        "enum": ["full_only", "each"],
                        "default": "full_only"
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
                        "description": "The app's client secret; for webhooks that were made by hand under \
                                        Settings, Notifications, Webhooks: the secret shown on that page.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "access_token": {
                        "type": "string",
                        "title": "Access token",
                        "description": "The custom app's Admin API access token, for asking the shop's API. An \
                                        app that is authorised in the browser gets its own.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "client_id": {
                        "type": "string",
                        "title": "Client ID",
                        "description": "Of the app, for authorising it in the browser.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "client_secret": {
                        "type": "string",
                        "title": "Client secret",
                        "description": "Of the app, for authorising it in the browser.",
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
        let signature = header(headers, SIGNATURE);
        let valid = secrets.valid("webhook_secret");
        let proof = match hmac::verify(Encoding::Base64, valid, body.signed_bytes(), signature) {
            Ok(proof) => proof,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        // Genuine. From here on nothing is answered with an error: Shopify would repeat it for hours and
        // then delete the subscription.
        let Some(topic) = header(headers, TOPIC) else { return Verdict::ignore("topic_missing", None) };
        match Topic::parse(topic) {
            None => return Verdict::ignore("unknown_topic", Some(topic)),
            Some(Topic::Nothing(reason)) => return Verdict::ignore(reason, Some(topic)),
            Some(_) => {}
        }
        if let Some(own) = connection.text("shop_domain") {
            match header(headers, SHOP) {
                None => return Verdict::ignore("shop_missing", Some(topic)),
                Some(shop) if !shop.eq_ignore_ascii_case(own) => {
                    return Verdict::ignore("other_shop", Some(topic));
                }
                Some(_) => {}
            }
        }
        let delivery_id = header(headers, WEBHOOK_ID).map_or_else(
            || hash::long_id(&[topic, &String::from_utf8_lossy(body.signed_bytes())]),
            str::to_owned,
        );
        let kept = [TOPIC, SHOP, TRIGGERED_AT, VERSION, EVENT_ID].concat();
        let (topic, headers) = (topic.to_owned(), headers.keep(&kept));
        Verdict::Accept(body.accept(proof, topic, delivery_id, headers))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, _fetched: &[Fetched]) -> Mapping {
        let Some(topic) = Topic::parse(&delivery.topic) else { return Mapping::Ignore("unknown_topic") };
        let mut reader = Reader { delivery, connection, dropped: Dropped::default() };
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

    fn oauth(&self, connection: &Connection) -> Option<OAuth> {
        api::oauth(connection)
    }
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
        Topic::EmailConsent => customer::consent(reader, Channel::Email),
        Topic::SmsConsent => customer::consent(reader, Channel::Sms),
        Topic::TagsAdded => customer::tags(reader, true),
        Topic::TagsRemoved => customer::tags(reader, false),
        Topic::PurchasingSummary => customer::purchasing_summary(reader),
        Topic::Product => catalog::product(reader),
        Topic::ProductDeleted => catalog::deleted(reader),
        Topic::Uninstalled => customer::uninstalled(reader),
        Topic::DataRequest => customer::data_request(reader),
        Topic::CustomerRedact => customer::redact(reader),
        Topic::ShopRedact => customer::redact_shop(reader),
        Topic::Nothing(reason) => Err(Silence::Ignore(reason)),
    }
}
