//! Two profiles that turn out to be one person.

use std::collections::btree_map::Entry;

use serde_json::Value;

use super::attributes::{Path, flatten};
use super::{Consent, Profile};
use crate::fact::ConsentStatus;

impl Profile {
    /// Takes in `other`, the profile that will be an alias of this one.
    ///
    /// What this profile says stands, and `other` fills the gaps; something that was cleared here is no gap.
    /// Two exceptions, both Klaviyo's: the location is that of the profile which knows more of it, and the
    /// time zone is `other`'s. What may not be sent to either may not be sent to the one they become. The
    /// older `created_at` is kept; `updated_at` is the caller's to set.
    pub fn merge(&mut self, other: &Profile) {
        fill(&mut self.email, other.email.as_ref());
        fill(&mut self.phone_number, other.phone_number.as_ref());
        fill(&mut self.external_id, other.external_id.as_ref());
        fill(&mut self.anonymous_id, other.anonymous_id.as_ref());
        self.merge_attributes(other);
        for (channel, consent) in &other.consent {
            match self.consent.entry(*channel) {
                Entry::Vacant(vacant) => {
                    vacant.insert(consent.clone());
                }
                Entry::Occupied(mut occupied) => occupied.get_mut().merge(consent),
            }
        }
        // Who was on a list stays there, since the earlier day.
        for (list, since) in &other.lists {
            if self.lists.len() < super::MAX_LISTS || self.lists.contains_key(list) {
                let joined = self.lists.entry(list.clone()).or_insert(*since);
                *joined = (*joined).min(*since);
            }
        }
        self.created_at = self.created_at.min(other.created_at);
        self.updated_at = self.updated_at.max(other.updated_at);
    }

    fn merge_attributes(&mut self, other: &Profile) {
        let fuller_location = location_size(other) > location_size(self);
        for (path, value) in flatten(&other.attributes, &mut 0) {
            let name = path.to_string();
            let is_gap = self.value_at(path).is_none() && !self.stamps.contains_key(&name);
            let is_theirs = match path {
                Path { parent: Some("location"), key: "timezone" } => true,
                Path { parent: Some("location"), .. } => fuller_location,
                _ => false,
            };
            if (is_gap || is_theirs) && self.has_room_for(path) {
                let at_ms = other.stamps.get(&name).copied().unwrap_or_default();
                self.put(path, value, at_ms);
            }
        }
    }
}

impl Consent {
    /// The decision of this one stands if there is one. The reasons not to send are united.
    fn merge(&mut self, other: &Consent) {
        let mine = std::mem::take(&mut self.suppressions);
        if self.status == ConsentStatus::NeverSubscribed {
            let lists = std::mem::take(&mut self.list_suppressions);
            *self = Self { list_suppressions: lists, ..other.clone() };
        } else {
            self.suppressions.clone_from(&other.suppressions);
        }
        for suppression in mine {
            match self.suppressions.iter_mut().find(|known| known.reason == suppression.reason) {
                // The newer one: only a decision that is newer still can lift it.
                Some(known) => known.at = known.at.max(suppression.at),
                None => self.suppressions.push(suppression),
            }
        }
        for (list, suppression) in &other.list_suppressions {
            self.suppress_list(list, suppression);
        }
    }
}

fn fill(gap: &mut Option<String>, with: Option<&String>) {
    if gap.is_none() {
        *gap = with.cloned();
    }
}

/// How much of a location a profile knows, its time zone aside.
fn location_size(profile: &Profile) -> usize {
    let location = profile.attributes.get("location").and_then(Value::as_object);
    location.map_or(0, |location| location.keys().filter(|key| *key != "timezone").count())
}
