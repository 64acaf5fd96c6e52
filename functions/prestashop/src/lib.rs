#![doc = include_str!("../README.md")]

mod catalog;
mod checkout;
mod customer;
mod description;
mod feed;
mod join;
mod line;
mod order;
mod payload;
mod person;
mod record;
mod refund;
mod standing;
mod webservice;

use jiff::Timestamp;
use platform::reading::{self, Reader, Silence};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Mapping, Page, Period, Platform, Request, Secrets,
    Unverified, Verdict,
};

/// The adapter for `PrestaShop`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prestashop;

impl Platform for Prestashop {
    fn name(&self) -> &'static str {
        "prestashop"
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
            record::ORDER => order::order(&mut reader),
            record::CUSTOMER => customer::customer(&mut reader),
            record::CART => checkout::checkout(&mut reader),
            record::PRODUCT => catalog::product(&mut reader),
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
        joined: &[Fetched],
    ) -> Result<Page, String> {
        feed::page(connection, feed, answer, joined)
    }
}
