//! A message, its attributes, its size and its digests.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use super::SqsError;

/// The size limit of a message and of a batch, attributes included: 1 MiB.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const SIZE_LIMIT_BYTES: usize = 1024 * 1024;

/// Attributes by name.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// One attribute a sender gave a message, in the shape of the JSON protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, optionally with a custom label after a dot.
    pub data_type: String,
    /// The value of a `String` or `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of a `Binary`, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

impl MessageAttribute {
    fn bytes(&self) -> Result<(u8, Vec<u8>), SqsError> {
        let invalid = |what: &str| {
            SqsError::InvalidParameterValue(format!("a message attribute of type {} {what}", self.data_type))
        };
        if self.data_type.split('.').next() == Some("Binary") {
            let value = self.binary_value.as_deref().ok_or_else(|| invalid("has no binary value"))?;
            Ok((2, STANDARD.decode(value).map_err(|_| invalid("is not base64"))?))
        } else {
            let value = self.string_value.as_deref().ok_or_else(|| invalid("has no string value"))?;
            Ok((1, value.as_bytes().to_vec()))
        }
    }
}

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The text.
    pub body: String,
    /// The sender's attributes.
    pub attributes: MessageAttributes,
    /// Seconds before it can be received; the queue's own delay if `None`.
    pub delay_s: Option<u32>,
    /// The tenant, for fair queues.
    pub group_id: Option<String>,
    /// The X-Ray trace header.
    pub trace_header: Option<String>,
}

impl Outgoing {
    /// A message with a body and nothing else.
    pub fn text(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Bytes that count towards the limit: body, attribute names, types and values.
    pub(super) fn size_bytes(&self) -> Result<usize, SqsError> {
        self.attributes.iter().try_fold(self.body.len(), |sum, (name, attribute)| {
            Ok(sum + name.len() + attribute.data_type.len() + attribute.bytes()?.1.len())
        })
    }

    /// Refuses what SQS refuses.
    pub(super) fn check(&self, maximum_bytes: usize) -> Result<(), SqsError> {
        if self.body.is_empty() {
            return Err(SqsError::InvalidParameterValue("the message body is empty".to_owned()));
        }
        if self.attributes.len() > 10 {
            return Err(SqsError::InvalidParameterValue("a message has at most 10 attributes".to_owned()));
        }
        if self.delay_s.is_some_and(|delay| delay > 900) {
            return Err(SqsError::InvalidParameterValue("a delay is at most 900 seconds".to_owned()));
        }
        let size = self.size_bytes()?;
        if size > maximum_bytes {
            return Err(SqsError::InvalidParameterValue(format!(
                "one or more parameters are invalid: the message must be shorter than {maximum_bytes} bytes"
            )));
        }
        if self.body.chars().all(is_allowed) { Ok(()) } else { Err(SqsError::InvalidMessageContents) }
    }
}

/// A message as a receiver gets it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The id given when it was sent.
    pub id: String,
    /// What deletes it or changes its visibility; new with every receive.
    pub receipt_handle: String,
    /// The text.
    pub body: String,
    /// The sender's attributes.
    pub attributes: MessageAttributes,
    /// SQS's own attributes, by name, for instance `ApproximateReceiveCount`.
    pub system: BTreeMap<&'static str, String>,
}

/// What the sender is told.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The new message's id.
    pub id: String,
    /// MD5 of the body, in hex.
    pub body_md5: String,
    /// MD5 of the attributes, in hex, if there are any.
    pub attributes_md5: Option<String>,
}

/// The characters XML 1.0 allows, which is what SQS allows.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// MD5 of a body, in lower-case hex.
pub(crate) fn body_md5(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// MD5 of attributes: by name, each of name, type and value preceded by its length, the value also
/// by one byte for its kind.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
pub(super) fn attributes_md5(attributes: &MessageAttributes) -> Result<Option<String>, SqsError> {
    if attributes.is_empty() {
        return Ok(None);
    }
    let mut digest = Md5::new();
    for (name, attribute) in attributes {
        let (kind, value) = attribute.bytes()?;
        frame(&mut digest, name.as_bytes());
        frame(&mut digest, attribute.data_type.as_bytes());
        digest.update([kind]);
        frame(&mut digest, &value);
    }
    Ok(Some(hex(&digest.finalize())))
}

fn frame(digest: &mut Md5, part: &[u8]) {
    digest.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(part);
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sqs() {
        assert_eq!(body_md5("hi"), "49f68a5c8493ec2c0bf489821c21fc3b");
        let attribute = MessageAttribute {
            data_type: "Number".to_owned(),
            string_value: Some("1493147359900".to_owned()),
            binary_value: None,
        };
        let attributes = MessageAttributes::from([("timestamp".to_owned(), attribute)]);
        assert_eq!(attributes_md5(&attributes).unwrap().as_deref(), Some("235c5c510d26fb653d073faed50ae77c"));
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(Outgoing::text("tab\tis fine 😀").check(100).is_ok());
        for body in ["nul\0", "bell\u{7}", "\u{FFFE}"] {
            assert!(matches!(Outgoing::text(body).check(100), Err(SqsError::InvalidMessageContents)));
        }
    }
}
