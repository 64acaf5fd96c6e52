//! What every event's reading shares.

use canonical::Instant;
use platform::lenient::{self, Dropped, Field, Id};
use platform::reading::Silence;
use platform::{Connection, Delivery, Fetched};
use serde::de::DeserializeOwned;

use crate::document::{self, Shape};
use crate::payload::Head;
use crate::topic::{POLLED, POLLED_CUSTOMER};

/// A delivery while it is read.
pub(crate) struct Reader<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) connection: &'a Connection,
    /// Answers of Spree's API so far.
    pub(crate) fetched: &'a [Fetched],
    pub(crate) dropped: Dropped,
    shape: Shape,
    told_at: Option<Instant>,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub(crate) fn new(
        delivery: &'a Delivery,
        connection: &'a Connection,
        fetched: &'a [Fetched],
    ) -> Result<Self, Silence> {
        let mut dropped = Dropped::default();
        let (shape, told_at) = if [POLLED, POLLED_CUSTOMER].contains(&delivery.topic.as_str()) {
            (Shape::Bare, None)
        } else {
            let head: Head = lenient::object(&delivery.body)?;
            let created_at = dropped.take("created_at", head.created_at);
            let event_created_at = dropped.take("event_created_at", head.event_created_at);
            match head.event_type {
                Field::Absent => (Shape::Envelope, created_at),
                _ => (Shape::JsonApi, event_created_at),
            }
        };
        Ok(Self { delivery, connection, fetched, dropped, shape, told_at })
    }

    /// The record that the delivery is about.
    pub(crate) fn record<T: DeserializeOwned>(&self) -> Result<T, Silence> {
        document::record(self.shape, &self.delivery.body)
    }

    /// Takes an id that the delivery makes no sense without; `what` names it in the reason.
    pub(crate) fn identity(&mut self, what: &'static str, id: Field<Id>) -> Result<String, Silence> {
        self.id(what, id).ok_or_else(|| Silence::Malformed(format!("no usable {what}")))
    }

    /// Takes an id.
    pub(crate) fn id(&mut self, name: &'static str, id: Field<Id>) -> Option<String> {
        self.dropped.take(name, id).map(|Id(id)| id)
    }

    /// When the event was raised, else when it arrived: most records since 5.4 have no time of their own.
    pub(crate) fn told_at(&self) -> Instant {
        self.told_at.unwrap_or_else(|| self.delivery.received_at.into())
    }
}
