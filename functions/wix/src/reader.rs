//! What every event's reading shares.

use canonical::Instant;
use canonical::money::Decimal;
use platform::lenient::{self, Dropped, Field, Id, Moment, Object};
use platform::reading::Silence;
use platform::{Connection, Delivery, Fetched};
use serde::de::DeserializeOwned;

use crate::api::Api;
use crate::event::Event;
use crate::payload::{Holder, Json, Price};

/// A delivery while it is read.
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) api: Api<'a>,
    pub(crate) event: Event,
    pub(crate) dropped: Dropped,
    received_at: Instant,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        delivery: &Delivery,
        connection: &'a Connection,
        fetched: &'a [Fetched],
        event: Event,
        dropped: Dropped,
    ) -> Self {
        let received_at = delivery.received_at.into();
        Self { connection, api: Api { connection, fetched }, event, dropped, received_at }
    }

    /// Takes an id that the delivery makes no sense without; `what` names it in the reason.
    pub(crate) fn identity(&mut self, what: &'static str, id: Field<Id>) -> Result<String, Silence> {
        let id = self.dropped.take(what, id);
        id.map(|Id(id)| id).ok_or_else(|| Silence::Malformed(format!("no usable {what}")))
    }

    /// The event's entity, or what `holder` finds inside of it.
    pub(crate) fn entity<T: DeserializeOwned>(
        &self,
        holder: fn(Holder) -> Field<Json>,
    ) -> Result<T, Silence> {
        let content = self.event.content.as_deref();
        let content = content.ok_or_else(|| Silence::Malformed("no usable entity".to_owned()))?;
        held(content.as_bytes(), holder)
    }

    /// Takes a time; Wix writes UTC.
    pub(crate) fn time(&mut self, name: &'static str, time: Field<Moment>) -> Option<Instant> {
        self.dropped.take(name, time)?.in_utc()
    }

    /// Takes an amount.
    pub(crate) fn amount(&mut self, name: &'static str, price: Field<Object<Price>>) -> Option<Decimal> {
        let Object(price) = self.dropped.take(name, price)?;
        self.dropped.take(name, price.amount)
    }

    /// When what the delivery tells happened, with the time of its acceptance as the last resort.
    pub(crate) fn happened_at(&self) -> Instant {
        self.event.time.unwrap_or(self.received_at)
    }

    /// The app's instance on the site.
    pub(crate) fn instance_id(&self) -> Option<&str> {
        self.event.instance_id.as_deref().or_else(|| self.connection.text("instance_id"))
    }
}

/// An entity, or what `holder` finds inside of it.
pub(crate) fn held<T: DeserializeOwned>(
    json: &[u8],
    holder: fn(Holder) -> Field<Json>,
) -> Result<T, Silence> {
    match holder(lenient::object(json)?) {
        Field::Is(Json(inner)) => Ok(lenient::object(inner.as_bytes())?),
        Field::Absent | Field::Bad => Ok(lenient::object(json)?),
    }
}
