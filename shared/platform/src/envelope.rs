//! A delivery on its way: unverified bytes, verified ones, and what comes out of the queue.

use jiff::Timestamp;

use crate::adapter::Headers;
use crate::signature::Proof;

/// A body nobody vouches for yet. It cannot be parsed or enqueued; a signature scheme turns it into
/// [`Verified`] by way of a [`Proof`].
pub struct Unverified(Vec<u8>);

impl Unverified {
    /// The raw bytes exactly as they arrived.
    pub fn new(body: Vec<u8>) -> Self {
        Self(body)
    }

    /// The bytes, for a signature scheme to compute over.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.0
    }

    /// With a proof, the body may travel.
    pub fn accept(self, _proof: Proof, topic: String, delivery_id: String, headers: Headers) -> Verified {
        Verified { topic, delivery_id, headers, body: self.0, answer: "" }
    }
}

impl std::fmt::Debug for Unverified {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Unverified({} bytes)", self.0.len())
    }
}

/// A genuine delivery, the only thing that the receiver puts into the queue.
pub struct Verified {
    pub(crate) topic: String,
    pub(crate) delivery_id: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) answer: &'static str,
}

impl Verified {
    /// The body that the platform wants to read in the answer; empty without this.
    #[must_use]
    pub fn answering(self, answer: &'static str) -> Self {
        Self { answer, ..self }
    }

    /// The topic, the delivery's id and the answer: what a test wants to see of it.
    pub fn summary(&self) -> (&str, &str, &str) {
        (&self.topic, &self.delivery_id, self.answer)
    }
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Verified({}, {}, {} bytes)", self.topic, self.delivery_id, self.body.len())
    }
}

/// A delivery as the mapper takes it from the queue: see [`Delivery::to_message`] and [`Delivery::from_message`].
#[derive(Clone, PartialEq)]
pub struct Delivery {
    /// The platform's name.
    pub platform: String,
    /// The connection's id.
    pub connection: String,
    /// The platform's topic.
    pub topic: String,
    /// The platform's id of the delivery.
    pub delivery_id: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The headers that the adapter kept.
    pub headers: Headers,
    /// Whether it is of a historical import: what it tells moves segments, but starts no flow and grants no consent.
    pub backfill: bool,
    /// The body that was signed.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Delivery {
    /// Without headers and body: they hold personal data.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Delivery({}, {}, {}, {})",
            self.platform, self.connection, self.topic, self.delivery_id
        )
    }
}
