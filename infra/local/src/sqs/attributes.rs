//! A queue's attributes: which are known, their ranges, and what they mean when unset.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use super::SqsError;
use super::message::SIZE_LIMIT_BYTES;
use crate::ACCOUNT_ID;
use crate::REGION;

/// Attributes by name, as they were set.
pub type QueueAttributes = BTreeMap<String, String>;

/// Numbers: name, range, value when unset.
const NUMBERS: [(&str, RangeInclusive<u64>, u64); 5] = [
    ("VisibilityTimeout", 0..=43_200, 30),
    ("DelaySeconds", 0..=900, 0),
    ("MaximumMessageSize", 1_024..=SIZE_LIMIT_BYTES as u64, SIZE_LIMIT_BYTES as u64),
    ("MessageRetentionPeriod", 60..=1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0..=20, 0),
];

/// Accepted and shown again, without an effect here.
const INERT: [&str; 5] = [
    "Policy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
];

/// The attributes that steer the emulator, with defaults filled in.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) visibility_timeout_s: u32,
    pub(super) delay_s: u32,
    pub(super) maximum_bytes: usize,
    pub(super) retention_ms: i64,
    pub(super) wait_s: u32,
    pub(super) redrive: Option<Redrive>,
}

/// Where a message goes that was received too often.
#[derive(Clone, Debug)]
pub(super) struct Redrive {
    pub(super) dead_letter_queue: String,
    pub(super) max_receive_count: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
    // The console writes a string, the SDKs a number.
    max_receive_count: serde_json::Value,
}

impl Settings {
    pub(super) fn of(attributes: &QueueAttributes) -> Result<Self, SqsError> {
        let number = |name: &str| -> Result<u64, SqsError> {
            let known = NUMBERS.iter().find(|(known, ..)| *known == name);
            let (_, range, default) = known.ok_or_else(|| SqsError::InvalidAttributeName(name.to_owned()))?;
            let Some(value) = attributes.get(name) else { return Ok(*default) };
            value.parse().ok().filter(|value| range.contains(value)).ok_or_else(|| invalid(name, value))
        };
        let small = |name: &str| Ok::<_, SqsError>(u32::try_from(number(name)?).unwrap_or(u32::MAX));
        Ok(Self {
            visibility_timeout_s: small("VisibilityTimeout")?,
            delay_s: small("DelaySeconds")?,
            maximum_bytes: usize::try_from(number("MaximumMessageSize")?).unwrap_or(usize::MAX),
            retention_ms: i64::from(small("MessageRetentionPeriod")?) * 1000,
            wait_s: small("ReceiveMessageWaitTimeSeconds")?,
            redrive: attributes.get("RedrivePolicy").map(|value| redrive(value)).transpose()?.flatten(),
        })
    }
}

/// Refuses unknown names and values out of range.
pub(super) fn check(attributes: &QueueAttributes) -> Result<(), SqsError> {
    for name in attributes.keys() {
        if name == "FifoQueue" || name == "ContentBasedDeduplication" {
            return Err(SqsError::UnsupportedOperation("FIFO queues are not emulated".to_owned()));
        }
        let known = NUMBERS.iter().any(|(known, ..)| known == name)
            || INERT.contains(&name.as_str())
            || name == "RedrivePolicy";
        if !known {
            return Err(SqsError::InvalidAttributeName(name.clone()));
        }
    }
    Settings::of(attributes).map(|_| ())
}

/// The attributes with SQS's defaults for what was not set.
pub(super) fn with_defaults(attributes: &QueueAttributes) -> QueueAttributes {
    let mut all: QueueAttributes =
        NUMBERS.iter().map(|(name, _, default)| ((*name).to_owned(), default.to_string())).collect();
    all.insert("SqsManagedSseEnabled".to_owned(), "true".to_owned());
    all.extend(attributes.clone());
    all
}

fn redrive(value: &str) -> Result<Option<Redrive>, SqsError> {
    // An empty policy takes it away.
    if value.is_empty() {
        return Ok(None);
    }
    let refuse = || invalid("RedrivePolicy", value);
    let policy: RedrivePolicy = serde_json::from_str(value).map_err(|_| refuse())?;
    let count = match &policy.max_receive_count {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let max_receive_count = count.filter(|count| (1..=1000).contains(count)).ok_or_else(refuse)?;
    let dead_letter_queue = queue_of_arn(&policy.dead_letter_target_arn).ok_or_else(refuse)?.to_owned();
    Ok(Some(Redrive { dead_letter_queue, max_receive_count }))
}

fn invalid(name: &str, value: &str) -> SqsError {
    SqsError::InvalidAttributeValue { name: name.to_owned(), value: value.to_owned() }
}

/// The ARN of a queue.
pub fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}")
}

/// The queue's name in an ARN, if it is the ARN of a queue here.
pub fn queue_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:aws:sqs:")?.splitn(3, ':').nth(2).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_reads_with_a_number_or_a_string() {
        for count in ["3", "\"3\""] {
            let policy =
                format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":{count}}}"#, arn("dead-letters"));
            let redrive = redrive(&policy).unwrap().unwrap();
            assert_eq!((redrive.dead_letter_queue.as_str(), redrive.max_receive_count), ("dead-letters", 3));
        }
        assert!(redrive("").unwrap().is_none());
        assert!(redrive("{}").is_err());
    }

    #[test]
    fn values_out_of_range_and_unknown_names_are_refused() {
        let set =
            |name: &str, value: &str| check(&QueueAttributes::from([(name.to_owned(), value.to_owned())]));
        assert!(set("VisibilityTimeout", "43200").is_ok());
        assert!(matches!(set("VisibilityTimeout", "43201"), Err(SqsError::InvalidAttributeValue { .. })));
        assert!(matches!(set("DelaySeconds", "soon"), Err(SqsError::InvalidAttributeValue { .. })));
        assert!(matches!(set("Colour", "red"), Err(SqsError::InvalidAttributeName(_))));
        assert!(matches!(set("FifoQueue", "true"), Err(SqsError::UnsupportedOperation(_))));
    }
}
