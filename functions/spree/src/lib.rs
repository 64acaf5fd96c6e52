#![doc = include_str!("../README.md")]

mod api;
mod cart;
mod catalog;
mod customer;
mod description;
mod document;
mod line;
mod lookup;
mod order;
mod parcel;
mod payload;
mod person;
mod poll;
mod proof;
mod reader;
mod refund;
mod topic;

use canonical::hash;
use jiff::Timestamp;
use platform::lenient::{self, Dropped, Field, Id};
use platform::reading::{self, Reading, Silence};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Headers, Mapping, Page, Period, Platform, Rejection,
    Request, Secrets, Unverified, Verdict,
};

use crate::payload::Head;
use crate::proof::Proved;
use crate::reader::Reader;
use crate::topic::{POLLED, POLLED_CUSTOMER, Step, Topic};

/// The adapter for Spree Commerce.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spree;

impl Platform for Spree {
    fn name(&self) -> &'static str {
        "spree"
    }

    fn description(&self) -> Description {
        description::description()
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        connection: &Connection,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Verdict {
        let proved = match proof::prove(&request.headers, body.signed_bytes(), connection, secrets, now) {
            Ok(proved) => proved,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        let head: Head = lenient::object(body.signed_bytes()).unwrap_or_default();
        let is_legacy = matches!(head.event_type, Field::Is(_));
        let proof = match proved {
            Proved::Signed(proof) => proof,
            Proved::Unsigned(proof) if is_legacy => proof,
            // Releases that send an envelope can sign it.
            Proved::Unsigned(_) => return Verdict::Reject(Rejection::Missing),
        };
        // Genuine. The body says what it is about; `X-Spree-Webhook-Event` says it too, but is not signed.
        let (id, name) = if is_legacy { (head.event_id, head.event_type) } else { (head.id, head.name) };
        let Field::Is(topic) = name else { return Verdict::ignore("topic_missing", None) };
        match Topic::parse(&topic) {
            None => return Verdict::ignore("unknown_topic", Some(&topic)),
            Some(Topic::Nothing(reason)) => return Verdict::ignore(reason, Some(&topic)),
            Some(_) => {}
        }
        let delivery_id = match id {
            Field::Is(Id(id)) => id,
            _ => hash::long_id(&[&topic, &String::from_utf8_lossy(body.signed_bytes())]),
        };
        Verdict::Accept(body.accept(proof, topic, delivery_id, Headers::default()))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping {
        let topic = match delivery.topic.as_str() {
            POLLED => Some(Topic::Order(Step::Changed)),
            POLLED_CUSTOMER => Some(Topic::Customer),
            name => Topic::parse(name),
        };
        let Some(topic) = topic else { return Mapping::Ignore("unknown_topic") };
        match Reader::new(delivery, connection, fetched) {
            Ok(mut reader) => {
                let reading = read(topic, &mut reader);
                reading::mapping(reading, reader.dropped)
            }
            Err(silence) => reading::mapping(Err(silence), Dropped::default()),
        }
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
    match topic {
        Topic::Order(step) => order::event(reader, step),
        Topic::Shipment => parcel::event(reader),
        Topic::LineItem => cart::line_item(reader),
        Topic::Refund => refund::event(reader),
        Topic::Reimbursed => refund::reimbursed(reader),
        Topic::Customer => customer::customer(reader),
        Topic::CustomerDeleted => customer::deleted(reader),
        Topic::Subscriber => customer::subscriber(reader),
        Topic::SubscriberDeleted => customer::unsubscribed(reader),
        Topic::Product => catalog::product(reader),
        Topic::ProductDeleted => catalog::deleted(reader),
        Topic::Variant => catalog::variant(reader),
        Topic::Nothing(reason) => Err(Silence::Ignore(reason)),
    }
}
