//! What the reading of every delivery shares.

use canonical::{Fact, Instant};

use crate::adapter::{Connection, Mapping};
use crate::envelope::Delivery;
use crate::lenient::{self, Dropped, Field, Id};

/// Facts, or why there are none.
pub type Reading = Result<Vec<Fact>, Silence>;

/// Why a delivery gives no facts.
#[derive(Debug)]
pub enum Silence {
    /// Nothing in it is kept.
    Ignore(&'static str),
    /// It cannot be read.
    Malformed(String),
    /// Requests must be made first.
    Fetch(Vec<crate::ApiRequest>),
}

impl From<lenient::BodyError> for Silence {
    fn from(error: lenient::BodyError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// The answer of [`crate::Platform::facts`] to a reading.
pub fn mapping(reading: Reading, dropped: Dropped) -> Mapping {
    match reading {
        Ok(facts) => Mapping::Facts { facts, dropped: dropped.into_names() },
        Err(Silence::Ignore(reason)) => Mapping::Ignore(reason),
        Err(Silence::Malformed(reason)) => Mapping::Malformed(reason),
        Err(Silence::Fetch(requests)) => Mapping::Fetch(requests),
    }
}

/// A delivery while it is read.
pub struct Reader<'a> {
    /// The delivery.
    pub delivery: &'a Delivery,
    /// Its connection.
    pub connection: &'a Connection,
    /// Fields that were bad.
    pub dropped: Dropped,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub fn new(delivery: &'a Delivery, connection: &'a Connection) -> Self {
        Self { delivery, connection, dropped: Dropped::default() }
    }

    /// Takes an id that the delivery makes no sense without; `what` names it in the reason.
    pub fn identity(&mut self, what: &'static str, id: Field<Id>) -> Result<String, Silence> {
        let id = self.dropped.take(what, id);
        id.map(|Id(id)| id).ok_or_else(|| Silence::Malformed(format!("no usable {what}")))
    }

    /// When the delivery was accepted: the last resort where its body has no time.
    pub fn received_at(&self) -> Instant {
        self.delivery.received_at.into()
    }
}
