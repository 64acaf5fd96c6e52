#![doc = include_str!("../README.md")]

mod api;
mod customer;
mod description;
mod feed;
mod grant;
mod joins;
mod line;
mod money;
mod payload;
mod record;
mod sale;

use std::time::Duration;

use jiff::Timestamp;
use platform::reading::{self, Reader, Silence};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Mapping, OAuth, Page, Period, Platform, Rejection,
    Request, Secrets, Unverified, Verdict, lenient,
};

/// The adapter for Lightspeed Retail (R-Series).
#[derive(Clone, Copy, Debug, Default)]
pub struct Lightspeed;

impl Platform for Lightspeed {
    fn name(&self) -> &'static str {
        "lightspeed"
    }

    fn description(&self) -> Description {
        description::description()
    }

    /// R-Series has no webhooks: whatever comes by that way is not from it.
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
            record::SALE => lenient::object(&delivery.body)
                .map_err(Silence::from)
                .and_then(|record| sale::sale(&mut reader, record)),
            record::CUSTOMER => lenient::object(&delivery.body)
                .map_err(Silence::from)
                .and_then(|record| customer::customer(&mut reader, record)),
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

    fn interval(&self, _connection: &Connection) -> Duration {
        Duration::from_hours(1)
    }

    fn oauth(&self, connection: &Connection) -> Option<OAuth> {
        Some(grant::oauth(connection))
    }
}
