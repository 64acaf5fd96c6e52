#![doc = include_str!("../README.md")]

mod api;
mod catalog;
mod checkout;
mod contact;
mod erasure;
mod event;
mod fulfillment;
mod line;
mod order;
mod payload;
mod person;
mod poll;
mod reader;
mod refund;
mod topic;

use canonical::{Fact, hash};
use jiff::{SignedDuration, Timestamp};
use platform::lenient::Dropped;
use platform::reading::{self, Reading, Silence};
use platform::signature::{Window, jwt};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Headers, Mapping, Page, Period, Platform, Request,
    Secrets, Unverified, Verdict,
};
use serde_json::json;

use crate::event::Event;
use crate::reader::Reader;
use crate::topic::Topic;

/// How far a token's times may be from now. Wix repeats a delivery for 48 hours, and whether a repetition has a
/// new token is not documented: an old one must not be refused.
const TOLERANCE: SignedDuration = SignedDuration::from_hours(72);

/// The adapter for Wix.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wix;

impl Platform for Wix {
    fn name(&self) -> &'static str {
        "wix"
    }

    fn description(&self) -> Description {
        Description {
            title: "Wix",
            settings: json!({
                "type": "object",
                "properties": {
                    "instance_id": {
                        "type": "string",
                        "title": "Instance ID",
                        "description": "The id of the app's instance on the site. Deliveries of other instances \
                                        are then ignored. Needed where the app is installed on several sites, \
                                        to ask Wix's API with the app's credentials, and to end the connection \
                                        when the app is removed.",
                        "examples": ["7f0b5a2e-3c1d-4e8a-9b6f-2d4c8e1a0b3c"]
                    },
                    "site_id": {
                        "type": "string",
                        "title": "Site ID",
                        "description": "The site's id, to ask Wix's API with an API key. The secret api_key is \
                                        then needed too.",
                        "examples": ["0c9d7b1e-5a34-4f26-8e7d-6b2a1f3c4d5e"]
                    },
                    "app_id": {
                        "type": "string",
                        "title": "App ID",
                        "description": "The app's id, to ask Wix's API with the app's credentials instead of an \
                                        API key. The setting instance_id and the secret app_secret are then \
                                        needed too.",
                        "examples": ["4b8e2f6a-1d3c-4a5b-8f7e-9c0d1e2f3a4b"]
                    },
                    "api_url": {
                        "type": "string",
                        "title": "API address",
                        "description": "Where Wix's API is, for proxies.",
                        "default": "https://www.wixapis.com"
                    },
                    "refund_policy": {
                        "type": "string",
                        "title": "Refunds",
                        "description": "each: one Refunded Order for every refund, with its own amount. \
                                        full_only: one once an order is refunded in full.",
                        "enum": ["each", "full_only"],
                        "default": "each"
                    },
                    "poll": {
                        "type": "boolean",
                        "title": "Ask for orders",
                        "description": "Whether Wix's API is asked regularly for orders that changed, beside \
                                        the webhooks. Needs credentials.",
                        "default": false
                    }
                },
                "required": [],
                "additionalProperties": false
            }),
            secrets: json!({
                "type": "object",
                "properties": {
                    "public_key": {
                        "type": "string",
                        "title": "Public key",
                        "description": "The app's public key for webhooks, with its BEGIN and END lines, from \
                                        the app's dashboard under Webhooks.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "api_key": {
                        "type": "string",
                        "title": "API key",
                        "description": "A key of the site's owner that may read orders and products. Goes with \
                                        the setting site_id.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "app_secret": {
                        "type": "string",
                        "title": "App secret",
                        "description": "The app's secret key. Goes with the settings app_id and instance_id.",
                        "minLength": 1,
                        "writeOnly": true
                    }
                },
                "required": ["public_key"],
                "additionalProperties": false
            }),
        }
    }

    fn verify(
        &self,
        _request: &Request,
        body: Unverified,
        connection: &Connection,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Verdict {
        let window = Window::new(now, TOLERANCE);
        let proof = match jwt::verify(secrets.valid("public_key"), body.signed_bytes(), window) {
            Ok(proof) => proof,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        // Genuine. From here on nothing is answered with an error: Wix would repeat it for two days.
        let event = Event::open(body.signed_bytes(), &mut Dropped::default());
        if event.topic.is_empty() {
            return Verdict::ignore("topic_missing", None);
        }
        match Topic::parse(&event.topic) {
            None => return Verdict::ignore("unknown_topic", Some(&event.topic)),
            Some(Topic::Nothing(reason)) if !event.anonymized => {
                return Verdict::ignore(reason, Some(&event.topic));
            }
            Some(_) => {}
        }
        if let Some(own) = connection.text("instance_id") {
            match &event.instance_id {
                None => return Verdict::ignore("instance_missing", Some(&event.topic)),
                Some(instance) if !instance.eq_ignore_ascii_case(own) => {
                    return Verdict::ignore("other_instance", Some(&event.topic));
                }
                Some(_) => {}
            }
        }
        let instance = event.instance_id.as_deref().unwrap_or_default();
        let delivery_id = event.id.unwrap_or_else(|| hash::long_id(&[&event.topic, instance, &event.data]));
        Verdict::Accept(body.accept(proof, event.topic, delivery_id, Headers::default()))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping {
        let mut dropped = Dropped::default();
        if [poll::TOPIC, poll::CONTACT].contains(&delivery.topic.as_str()) {
            let event = Event::polled(&delivery.body);
            let mut reader = Reader::new(delivery, connection, fetched, event, dropped);
            let is_order = delivery.topic == poll::TOPIC;
            let reading = if is_order { order::polled(&mut reader) } else { contact::contact(&mut reader) };
            return reading::mapping(reading, reader.dropped);
        }
        let Some(topic) = Topic::parse(&delivery.topic) else { return Mapping::Ignore("unknown_topic") };
        let event = Event::open(&delivery.body, &mut dropped);
        let mut reader = Reader::new(delivery, connection, fetched, event, dropped);
        let reading = read(topic, &mut reader);
        reading::mapping(reading, reader.dropped)
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        poll::feeds(connection, period)
    }

    fn page(
        &self,
        connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        joined: &[Fetched],
    ) -> Result<Page, String> {
        poll::page(connection, feed, answer, joined)
    }
}

fn read(topic: Topic, reader: &mut Reader<'_>) -> Reading {
    if let Some(error) = reader.event.error {
        return Err(error.into());
    }
    if reader.event.anonymized {
        return erasure::forgotten(reader, topic);
    }
    match topic {
        Topic::Order => order::order(reader),
        Topic::LegacyOrder => order::legacy(reader),
        Topic::Fulfillments => fulfillment::fulfillments(reader),
        Topic::Transactions => refund::transactions(reader),
        Topic::AbandonedCheckout => checkout::abandoned(reader),
        Topic::Checkout => checkout::checkout(reader),
        Topic::Cart => checkout::cart(reader),
        Topic::Contact => contact::contact(reader),
        Topic::ContactDeleted => contact::deleted(reader),
        Topic::Member => contact::member(reader),
        Topic::EmailSubscription => contact::subscription(reader),
        Topic::ProductCreated => catalog::created(reader),
        Topic::ProductChanged => catalog::changed(reader),
        Topic::ProductDeleted => catalog::deleted(reader),
        Topic::Removed => removed(reader),
        Topic::Nothing(reason) => Err(Silence::Ignore(reason)),
    }
}

/// The end of the connection, which cannot be undone. One key proves the deliveries of all sites that have the app,
/// so it counts only where the settings say which of them the connection is for.
fn removed(reader: &Reader<'_>) -> Reading {
    let own = reader.connection.text("instance_id");
    let named = reader.event.instance_id.as_deref();
    match own.zip(named) {
        Some((own, named)) if named.eq_ignore_ascii_case(own) => {
            Ok(vec![Fact::Disconnected { at: Some(reader.happened_at()) }])
        }
        _ => Err(Silence::Ignore("instance_not_confirmed")),
    }
}
