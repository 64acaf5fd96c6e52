#![doc = include_str!("../README.md")]

mod catalog;
mod checkout;
mod customer;
mod description;
mod feed;
mod line;
mod money;
mod order;
mod payload;
mod person;
mod standing;

use jiff::Timestamp;
use platform::reading::{self, Reader, Silence};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Mapping, Page, Period, Platform, Request, Secrets,
    Unverified, Verdict,
};

/// The adapter for `OpenCart`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opencart;

impl Platform for Opencart {
    fn name(&self) -> &'static str {
        "opencart"
    }

    fn description(&self) -> Description {
        description::description()
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
        if delivery.topic == contract::TOPIC {
            return contract::facts(delivery, connection);
        }
        let mut reader = Reader::new(delivery, connection);
        let reading = match delivery.topic.as_str() {
            feed::ORDER => order::order(&mut reader),
            feed::CUSTOMER => customer::customer(&mut reader),
            feed::PRODUCT => catalog::product(&mut reader),
            _ => Err(Silence::Ignore("unknown_topic")),
        };
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
