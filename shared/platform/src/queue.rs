//! The text of a delivery in the queue.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use canonical::hash;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::adapter::{Connection, Headers};
use crate::envelope::{Delivery, Verified};

/// Largest body of a delivery, in bytes.
pub const MAX_BODY_BYTES: usize = 5 * 1024 * 1024;
/// SQS's bound on a message, in bytes.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// Larger bodies are compressed: SQS bills by 64 KiB.
const COMPRESS_FROM_BYTES: usize = 48 * 1024;
/// What a message's other fields may need at most.
const ROOM_FOR_THE_REST: usize = 64 * 1024;
/// A part of a body that is stored elsewhere: an item of DynamoDB holds 400 KB.
const PART_BYTES: usize = 350 * 1024;

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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    backfill: bool,
    /// The body as it is, if it is UTF-8 and small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Else: gzip, in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gzip: Option<String>,
    /// Else: where the gzip is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
}

/// Names a body that is too large for the queue even when it is compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// A digest of the delivery: who stores it twice stores it once.
    pub id: String,
    /// How many parts there are.
    pub parts: usize,
}

/// What goes into the queue, and what must be stored before.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// The delivery's id.
    pub id: String,
    /// The queue's text.
    pub message: String,
    /// The name and the parts of a body that the text does not hold; none if it does.
    pub claim: Option<(Claim, Vec<Vec<u8>>)>,
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
    /// The body is stored elsewhere: get its parts and use [`Delivery::from_claimed`].
    #[error("body is stored elsewhere")]
    Claimed(Claim),
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
            backfill: false,
            body: self.body,
        }
    }
}

impl Delivery {
    /// What is said of it outside of the body.
    pub fn label(&self) -> Label {
        Label {
            platform: self.platform.clone(),
            connection: self.connection.clone(),
            topic: self.topic.clone(),
            delivery_id: self.delivery_id.clone(),
            received_at: self.received_at,
        }
    }

    /// The text that travels through the queue, with its body in it.
    pub fn to_message(self) -> Result<String, TooLarge> {
        let parcel = self.to_parcel()?;
        if parcel.claim.is_none() { Ok(parcel.message) } else { Err(TooLarge) }
    }

    /// The text that travels through the queue, and the body beside it if it is too large for that.
    pub fn to_parcel(self) -> Result<Parcel, TooLarge> {
        if self.body.len() > MAX_BODY_BYTES {
            return Err(TooLarge);
        }
        let id = self.label().id();
        let (mut message, body) = Message::of(self);
        let packed = match String::from_utf8(body) {
            Ok(text) if text.len() < COMPRESS_FROM_BYTES => {
                message.text = Some(text);
                return message.into_parcel(id, None);
            }
            Ok(text) => pack(text.as_bytes())?,
            Err(bytes) => pack(bytes.as_bytes())?,
        };
        if packed.len() / 3 * 4 + ROOM_FOR_THE_REST < MAX_MESSAGE_BYTES {
            message.gzip = Some(STANDARD.encode(packed));
            return message.into_parcel(id, None);
        }
        let parts: Vec<Vec<u8>> = packed.chunks(PART_BYTES).map(<[u8]>::to_vec).collect();
        let mut digest = Sha256::new();
        for part in [message.connection.as_bytes(), message.delivery_id.as_bytes(), &packed] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        let claim = Claim { id: hex::encode(digest.finalize()), parts: parts.len() };
        message.claim = Some(claim.clone());
        message.into_parcel(id, Some((claim, parts)))
    }

    /// The text in which a delivery is kept, with its body in it, however large. It is read as a message.
    pub fn to_record(self) -> Result<String, TooLarge> {
        let (mut message, body) = Message::of(self);
        match String::from_utf8(body) {
            Ok(text) => message.text = Some(text),
            Err(bytes) => message.gzip = Some(STANDARD.encode(pack(bytes.as_bytes())?)),
        }
        serde_json::to_string(&message).map_err(|_| TooLarge)
    }

    /// The delivery in a message. Tells versions apart; never panics, whatever the text.
    pub fn from_message(message: &str) -> Result<Self, MessageError> {
        let mut message: Message = serde_json::from_str(message)?;
        let body = match (message.text.take(), message.gzip.take(), message.claim.take()) {
            (Some(text), None, None) if message.v == 1 => text.into_bytes(),
            (None, Some(gzip), None) if message.v == 1 => {
                STANDARD.decode(gzip).ok().and_then(|packed| unpack(&packed)).ok_or(MessageError::Body)?
            }
            (None, None, Some(claim)) if message.v == 1 => return Err(MessageError::Claimed(claim)),
            _ => return Err(MessageError::Body),
        };
        Ok(message.into_delivery(body))
    }

    /// The delivery in a message whose body was stored elsewhere: `packed` is all its parts in a row.
    pub fn from_claimed(message: &str, packed: &[u8]) -> Result<Self, MessageError> {
        let message: Message = serde_json::from_str(message)?;
        Ok(message.into_delivery(unpack(packed).ok_or(MessageError::Body)?))
    }
}

/// Characters of the digest that ends a delivery's id.
pub const DIGEST_CHARS: usize = 12;

/// What a message says of its delivery outside of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The platform's name.
    pub platform: String,
    /// The connection's id; empty if it came through the API.
    pub connection: String,
    /// The platform's topic.
    pub topic: String,
    /// The platform's id of the delivery.
    pub delivery_id: String,
    /// When it was accepted.
    pub received_at: Timestamp,
}

impl Label {
    /// The delivery's id in every place: the millisecond of its receipt, and a digest.
    pub fn id(&self) -> String {
        let Self { platform, connection, topic, delivery_id, received_at } = self;
        let received_ms = received_at.as_millisecond();
        let digest =
            hash::long_id(&["delivery", platform, connection, topic, delivery_id, &received_ms.to_string()]);
        format!("{received_ms}-{}", &digest[digest.len() - DIGEST_CHARS..])
    }

    /// Of a message of the queue. Nothing is unpacked.
    pub fn of(message: &str) -> Result<Self, MessageError> {
        let Message { platform, connection, topic, delivery_id, received_at, .. } =
            serde_json::from_str(message)?;
        Ok(Self { platform, connection, topic, delivery_id, received_at })
    }
}

impl Message {
    /// Without its body, which stands beside it.
    fn of(delivery: Delivery) -> (Self, Vec<u8>) {
        let message = Self {
            v: 1,
            platform: delivery.platform,
            connection: delivery.connection,
            topic: delivery.topic,
            delivery_id: delivery.delivery_id,
            received_at: delivery.received_at,
            headers: delivery.headers,
            backfill: delivery.backfill,
            text: None,
            gzip: None,
            claim: None,
        };
        (message, delivery.body)
    }

    fn into_parcel(self, id: String, claim: Option<(Claim, Vec<Vec<u8>>)>) -> Result<Parcel, TooLarge> {
        let message = escaped(serde_json::to_string(&self).map_err(|_| TooLarge)?);
        if message.len() > MAX_MESSAGE_BYTES { Err(TooLarge) } else { Ok(Parcel { id, message, claim }) }
    }

    fn into_delivery(self, body: Vec<u8>) -> Delivery {
        Delivery {
            platform: self.platform,
            connection: self.connection,
            topic: self.topic,
            delivery_id: self.delivery_id,
            received_at: self.received_at,
            headers: self.headers,
            backfill: self.backfill,
            body,
        }
    }
}

/// SQS refuses messages with U+FFFE or U+FFFF; inside of JSON's strings, where alone they can be, they have another
/// writing. Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
fn escaped(json: String) -> String {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        json
    }
}

fn pack(bytes: &[u8]) -> Result<Vec<u8>, TooLarge> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).map_err(|_| TooLarge)?;
    encoder.finish().map_err(|_| TooLarge)
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    // One byte more than allowed is enough to know that it is too much.
    let limit = u64::try_from(MAX_BODY_BYTES + 1).ok()?;
    GzDecoder::new(packed).take(limit).read_to_end(&mut body).ok()?;
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
            backfill: body.len() % 2 == 1,
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

    /// Messages wait for days, set aside for weeks: what they were written by is gone when they are read.
    #[test]
    fn messages_are_written_and_read_as_they_ever_were() {
        let message = |body: &str| {
            format!(
                r#"{{"v":1,"platform":"shopify","connection":"C1","topic":"orders/create","delivery_id":"d-1","received_at":"1970-01-01T00:00:00Z","headers":{{"x-topic":"orders/create"}},{body}}}"#
            )
        };
        let small = message(r#""text":"{}""#);
        assert_eq!(delivery(b"{}".to_vec()).to_message().unwrap(), small);
        for body in [small, message(r#""gzip":"H4sIAAAAAAACA6uuBQBDv6ajAgAAAA==""#)] {
            assert_eq!(Delivery::from_message(&body).unwrap(), delivery(b"{}".to_vec()));
        }
        let claimed = Delivery::from_message(&message(r#""claim":{"id":"X","parts":2}"#)).unwrap_err();
        assert!(matches!(claimed, MessageError::Claimed(Claim { parts: 2, .. })));
    }

    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        noise.take(bytes).collect()
    }

    #[test]
    fn what_cannot_be_compressed_enough_travels_beside_the_message() {
        let body = noise(2 * 1024 * 1024);
        let parcel = delivery(body.clone()).to_parcel().unwrap();
        assert!(parcel.message.len() < 1000);
        let (claim, parts) = parcel.claim.unwrap();
        assert_eq!(claim.parts, parts.len());
        assert!(parts.iter().all(|part| part.len() < 400_000));
        let named = Delivery::from_message(&parcel.message).unwrap_err();
        assert!(matches!(named, MessageError::Claimed(named) if named == claim));
        assert_eq!(Delivery::from_claimed(&parcel.message, &parts.concat()).unwrap().body, body);
        assert!(Delivery::from_claimed(&parcel.message, &parts[0]).is_err());
        assert!(delivery(body).to_message().is_err());
    }

    #[test]
    fn characters_that_the_queue_refuses_are_written_in_another_way() {
        let body = "{\"note\":\"a\u{fffe}b\u{ffff}\"}".as_bytes().to_vec();
        let message = delivery(body.clone()).to_message().unwrap();
        assert!(!message.contains(['\u{fffe}', '\u{ffff}']));
        assert_eq!(Delivery::from_message(&message).unwrap().body, body);
    }

    #[test]
    fn a_body_beyond_the_bound_is_refused() {
        assert!(delivery(vec![b' '; MAX_BODY_BYTES + 1]).to_parcel().is_err());
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
            prop_assert_eq!(Delivery::from_message(&message).unwrap(), delivery(body.clone()));
            let record = delivery(body.clone()).to_record().unwrap();
            prop_assert_eq!(Delivery::from_message(&record).unwrap(), delivery(body));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = Delivery::from_message(&text);
        }
    }
}
