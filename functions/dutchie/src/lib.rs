#![doc = include_str!("../README.md")]

mod api;
mod customer;
mod description;
mod feeds;
mod line;
mod payload;
mod person;
mod product;
mod record;
mod sale;

use jiff::Timestamp;
use platform::reading::{self, Reader};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Mapping, Page, Period, Platform, Rejection, Request,
    Secrets, Unverified, Verdict,
};

/// The adapter for Dutchie POS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dutchie;

impl Platform for Dutchie {
    fn name(&self) -> &'static str {
        "dutchie"
    }

    fn description(&self) -> Description {
        description::description()
    }

    /// Dutchie sends nothing: whatever arrives is not from there.
    fn verify(
        &self,
        _request: &Request,
        _body: Unverified,
        _connection: &Connection,
        _secrets: &Secrets,
        _now: Timestamp,
    ) -> Verdict {
        Verdict::Reject(Rejection::NoSecret)
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, _fetched: &[Fetched]) -> Mapping {
        let mut reader = Reader::new(delivery, connection);
        let reading = match delivery.topic.as_str() {
            record::TRANSACTION => sale::transaction(&mut reader),
            record::CUSTOMER => customer::customer(&mut reader),
            record::PRODUCT => product::product(&mut reader),
            _ => return Mapping::Ignore("unknown_topic"),
        };
        reading::mapping(reading, reader.dropped)
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        feeds::feeds(connection, period)
    }

    fn page(
        &self,
        connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        joined: &[Fetched],
    ) -> Result<Page, String> {
        feeds::page(connection, feed, answer, joined)
    }
}
