//! What is kept of a delivery.

use std::io::{Read, Write};

use anyhow::bail;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use platform::Label;
use serde::{Deserialize, Serialize};

/// More than the largest object has, unpacked.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The outcome of a delivery that was erased.
pub const ERASED: &str = "erased";

/// A delivery and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The delivery's id.
    pub id: String,
    /// The platform's name.
    pub platform: String,
    /// The connection's id; empty if it came through the API.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub connection: String,
    /// The platform's topic.
    pub topic: String,
    /// The platform's id of the delivery.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delivery_id: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// When this was written.
    pub archived_at: Timestamp,
    /// What became of it, by the name that the counters use.
    pub outcome: String,
    /// Why it was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Profiles that its facts are about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Events that it led to, or had led to before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Told>,
    /// All that it names, by keys of the profiles table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// The delivery, as [`platform::Delivery::to_record`] writes it. Absent if it is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An event, by its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whose it was then.
    pub profile: String,
    /// Its id.
    pub event: String,
}

impl Entry {
    /// Of a delivery that led to nothing yet.
    pub fn new(label: Label, outcome: &str, archived_at: Timestamp) -> Self {
        Self {
            id: label.id(),
            platform: label.platform,
            connection: label.connection,
            topic: label.topic,
            delivery_id: label.delivery_id,
            received_at: label.received_at,
            archived_at,
            outcome: outcome.to_owned(),
            reason: None,
            profiles: Vec::new(),
            events: Vec::new(),
            about: Vec::new(),
            message: None,
        }
    }

    /// Forgets all but that it was there.
    pub fn erase(&mut self) {
        ERASED.clone_into(&mut self.outcome);
        self.delivery_id.clear();
        self.reason = None;
        self.profiles.clear();
        self.events.clear();
        self.about.clear();
        self.message = None;
    }
}

pub(crate) fn pack(entries: &[Entry]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for entry in entries {
        serde_json::to_writer(&mut encoder, entry)?;
        encoder.write_all(b"\n")?;
    }
    Ok(encoder.finish()?)
}

pub(crate) fn unpack(body: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut text = String::new();
    let read = GzDecoder::new(body).take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_BYTES {
        bail!("larger than any batch");
    }
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
