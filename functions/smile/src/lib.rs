#![doc = include_str!("../README.md")]

mod access;
mod activity;
mod customer;
mod description;
mod feeds;
mod payload;
mod proof;
mod topic;

use jiff::Timestamp;
use platform::reading::{self, Reader};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Headers, Mapping, OAuth, Page, Period, Platform,
    Request, Secrets, Unverified, Verdict,
};

use crate::topic::Topic;

/// The adapter for Smile.io.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smile;

impl Platform for Smile {
    fn name(&self) -> &'static str {
        "smile"
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
        _now: Timestamp,
    ) -> Verdict {
        let proof = match proof::verify(request, body.signed_bytes(), connection, secrets) {
            Ok(proof) => proof,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        // Genuine. What is not wanted is answered with 200 all the same: whether Smile repeats what was refused, or gives
        // up on an address, is not documented.
        let Some(head) = topic::head(body.signed_bytes()) else {
            return Verdict::ignore("topic_missing", None);
        };
        match Topic::parse(&head.topic) {
            None => return Verdict::ignore("unknown_topic", Some(&head.topic)),
            Some(Topic::Ping) => return Verdict::ignore("ping", Some(&head.topic)),
            Some(_) => {}
        }
        if connection.text("account_id").is_some_and(|own| head.account_id.is_some_and(|named| named != own))
        {
            return Verdict::ignore("other_account", Some(&head.topic));
        }
        Verdict::Accept(body.accept(proof, head.topic, head.delivery_id, Headers::default()))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping {
        let Some(topic) = Topic::parse(&delivery.topic) else { return Mapping::Ignore("unknown_topic") };
        let mut reader = Reader::new(delivery, connection);
        let reading = match topic {
            Topic::Customer => customer::customer(&mut reader, fetched),
            Topic::PointsTransaction => activity::transaction(&mut reader, fetched),
            Topic::PointsPurchase => activity::purchase(&mut reader, fetched),
            Topic::RewardFulfillment => activity::fulfillment(&mut reader, fetched),
            Topic::Event(event) => activity::event(&mut reader, fetched, event),
            Topic::Ping => return Mapping::Ignore("ping"),
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

    fn oauth(&self, connection: &Connection) -> Option<OAuth> {
        access::oauth(connection)
    }
}
