//! The text of a delivery in the queue.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::adapter::{Connection, Headers};
use crate::envelope::{Delivery, Verified};

/// Largest body of a delivery, in bytes.
pub const MAX_BODY_BYTES: usize = 5 * 1024 * 1024;
/// SQS's bound on a message, in bytes.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// Larger bodies are compressed: SQS bills by 64 KiB.
const COMPRESS_FROM_BYTES: usize = 48 * 1024;

#[derive(Serialize, Deserialize)]
struct Message {
    /// Version of this format.
    v: u8,
    platform: String,
    connection: String,
    topic: String,
    delivery_id: String,
    received_at: Timestamp,
    #[serde(default)]
    headers: Headers,
    /// The body as it is, if it is UTF-8 and small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Else: gzip, in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gzip: Option<String>,
}

/// A delivery that a queue cannot hold, even compressed.
#[derive(Debug, thiserror::Error)]
#[error("delivery too large for the queue")]
pub struct TooLarge;

/// A message that is not a delivery.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not the JSON that [`Delivery::to_message`] writes.
    #[error("message is not a delivery: {0}")]
    Format(#[from] serde_json::Error),
    /// The body cannot be unpacked, or is larger than [`MAX_BODY_BYTES`].
    #[error("body cannot be unpacked")]
    Body,
}

impl Verified {
    /// Gives a genuine delivery its envelope.
    pub fn into_delivery(self, connection: &Connection, received_at: Timestamp) -> Delivery {
        Delivery {
            platform: connection.platform.clone(),
            connection: connection.id.clone(),
            topic: self.topic,
            delivery_id: self.delivery_id,
            received_at,
            headers: self.headers,
            body: self.body,
        }
    }
}

impl Delivery {
    /// The text that travels through the queue.
    pub fn to_message(self) -> Result<String, TooLarge> {
        let (text, gzip) = match String::from_utf8(self.body) {
            Ok(text) if text.len() < COMPRESS_FROM_BYTES => (Some(text), None),
            Ok(text) => (None, Some(pack(text.as_bytes())?)),
            Err(bytes) => (None, Some(pack(bytes.as_bytes())?)),
        };
        let message = Message {
            v: 1,
            platform: self.platform,
            connection: self.connection,
            topic: self.topic,
            delivery_id: self.delivery_id,
            received_at: self.received_at,
            headers: self.headers,
            text,
            gzip,
        };
        let message = serde_json::to_string(&message).map_err(|_| TooLarge)?;
        if message.len() > MAX_MESSAGE_BYTES { Err(TooLarge) } else { Ok(message) }
    }

    /// The delivery in a message. Tells versions apart; never panics, whatever the text.
    pub fn from_message(message: &str) -> Result<Self, MessageError> {
        let message: Message = serde_json::from_str(message)?;
        let body = match (message.text, message.gzip) {
            (Some(text), None) if message.v == 1 => text.into_bytes(),
            (None, Some(gzip)) if message.v == 1 => unpack(&gzip).ok_or(MessageError::Body)?,
            _ => return Err(MessageError::Body),
        };
        Ok(Self {
            platform: message.platform,
            connection: message.connection,
            topic: message.topic,
            delivery_id: message.delivery_id,
            received_at: message.received_at,
            headers: message.headers,
            body,
        })
    }
}

fn pack(bytes: &[u8]) -> Result<String, TooLarge> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).map_err(|_| TooLarge)?;
    Ok(STANDARD.encode(encoder.finish().map_err(|_| TooLarge)?))
}

fn unpack(text: &str) -> Option<Vec<u8>> {
    let packed = STANDARD.decode(text).ok()?;
    let mut body = Vec::new();
    // One byte more than allowed is enough to know that it is too much.
    let limit = u64::try_from(MAX_BODY_BYTES + 1).ok()?;
    GzDecoder::new(packed.as_slice()).take(limit).read_to_end(&mut body).ok()?;
    (body.len() <= MAX_BODY_BYTES).then_some(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn delivery(body: Vec<u8>) -> Delivery {
        Delivery {
            platform: "shopify".to_owned(),
            connection: "C1".to_owned(),
            topic: "orders/create".to_owned(),
            delivery_id: "d-1".to_owned(),
            received_at: Timestamp::UNIX_EPOCH,
            headers: [("X-Topic", "orders/create")].into_iter().collect(),
            body,
        }
    }

    #[test]
    fn a_large_body_travels_compressed() {
        let body = "{\"line\":1}".repeat(200_000).into_bytes();
        let message = delivery(body.clone()).to_message().unwrap();
        assert!(message.len() < 100_000);
        assert_eq!(Delivery::from_message(&message).unwrap().body, body);
    }

    #[test]
    fn what_cannot_be_compressed_enough_is_refused() {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        assert!(delivery(noise.take(2 * 1024 * 1024).collect()).to_message().is_err());
    }

    #[test]
    fn a_body_that_unpacks_beyond_the_bound_is_refused() {
        let bomb = pack(&vec![b' '; MAX_BODY_BYTES + 1]).unwrap();
        assert!(unpack(&bomb).is_none());
    }

    proptest! {
        #[test]
        fn every_body_comes_back_as_it_was(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let message = delivery(body.clone()).to_message().unwrap();
            prop_assert_eq!(Delivery::from_message(&message).unwrap(), delivery(body));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = Delivery::from_message(&text);
        }
    }
}
