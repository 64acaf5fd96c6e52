//! A customer, as all sources together describe them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Instant;
use crate::fact::{Channel, ConsentStatus, PropertyChange};
use crate::identity::{Identifier, Identifiers};
use crate::money::decimal_from_json;

mod attributes;
mod consent;
mod merge;
mod patch;

pub use attributes::{AttributeOutcome, MAX_ARRAY_ITEMS, MAX_NESTING, MAX_PROPERTIES, MAX_TEXT_BYTES};
pub use consent::{USER_SUPPRESSED, consent_event};
pub use patch::PropertyPatch;

/// The most lists that one profile is on.
pub const MAX_LISTS: usize = 1000;

/// A customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// 26 characters, deterministic: see [`crate::identity`].
    pub id: String,
    /// Identifiers, normalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The account owner's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// A device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// `first_name`, `last_name`, `organization`, `title`, `locale`, `image`, `location` {…} and `properties` {…}.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// By attribute path (`first_name`, `location.city`, `properties.Tier`): the source's time of the value in
    /// force, in milliseconds. A value is replaced only by one that is not older.
    #[serde(default)]
    pub stamps: BTreeMap<String, i64>,
    /// By channel. A channel that is not here: never subscribed.
    #[serde(default)]
    pub consent: BTreeMap<Channel, Consent>,
    /// The lists it is on, by their ids, and since when. At most [`MAX_LISTS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, Instant>,
    /// When the profile first appeared here.
    pub created_at: Instant,
    /// When it last changed here.
    pub updated_at: Instant,
}

/// What somebody decided about one channel, and what stands in the way of sending all the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Consent {
    /// The decision.
    #[serde(default)]
    pub status: ConsentStatus,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Instant>,
    /// When it came to be known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Instant>,
    /// Klaviyo's word for how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The connection, form or person behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether a confirmation was given.
    #[serde(default)]
    pub double_opt_in: bool,
    /// Reasons why nothing may be sent, whatever the decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressions: Vec<Suppression>,
    /// The lists whose mail is not wanted any more, by their ids. At most [`MAX_LISTS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub list_suppressions: BTreeMap<String, Suppression>,
}

/// A reason not to send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppression {
    /// `HARD_BOUNCE`, `INVALID_EMAIL`, `SPAM_COMPLAINT`, `UNSUBSCRIBE` or `USER_SUPPRESSED`.
    pub reason: String,
    /// Since when.
    pub at: Instant,
}

impl Profile {
    /// A profile that nothing is known of yet.
    pub fn new(id: String, created_at: Instant) -> Self {
        Self {
            id,
            email: None,
            phone_number: None,
            external_id: None,
            anonymous_id: None,
            attributes: Map::new(),
            stamps: BTreeMap::new(),
            consent: BTreeMap::new(),
            lists: BTreeMap::new(),
            created_at,
            updated_at: created_at,
        }
    }

    /// The identifiers that it shows, the strongest first.
    pub fn identifiers(&self) -> Vec<Identifier> {
        let identifiers = Identifiers {
            external_id: self.external_id.clone(),
            email: self.email.clone(),
            phone_number: self.phone_number.clone(),
            anonymous_id: self.anonymous_id.clone(),
            customer: None,
        };
        identifiers.ranked()
    }

    /// Whether a custom property had another value, or was cleared, before it became this one at `at_ms`, in
    /// milliseconds. A property that was never seen did not change, and an older value changes nothing.
    pub fn undergoes(&self, change: &PropertyChange, at_ms: i64) -> bool {
        let path = attributes::Path { parent: Some("properties"), key: &change.property };
        let is_newer = self.stamps.get(&path.to_string()).is_some_and(|stamp| *stamp <= at_ms);
        let before = self.value_at(path).unwrap_or(&Value::Null);
        let after = decimal_from_json(&change.value);
        let falls = change.rising && decimal_from_json(before).is_some_and(|before| after <= Some(before));
        let property = |key| self.value_at(attributes::Path { parent: Some("properties"), key });
        let is_same = change.unless.as_ref().is_some_and(|(key, value)| property(key) == Some(value));
        is_newer && *before != change.value && !falls && !is_same
    }
}
