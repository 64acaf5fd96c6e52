//! What a state keeps of a profile: for every question about it whether the answer is yes, and for
//! questions about dates, the date.

use canonical::Profile;
use serde::Serialize;

use crate::calendar::{self, Calendar};
use crate::definition::{
    Channel, ConsentCondition, ConsentDate, DistanceCondition, PermissionCondition, PropertyCondition,
    RegionCondition, SampleCondition,
};
use crate::property::{Operand, Path};
use crate::window::Frame;
use crate::{consent, date, place};

/// One question about a profile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Question {
    /// Not about a date.
    Property(PropertyCondition),
    PropertyDate(Path),
    /// All but the dates.
    Consent(ConsentCondition),
    Permission(PermissionCondition),
    ConsentDate(Channel, ConsentDate),
    /// On a list.
    List(String),
    /// Since when.
    ListJoined(String),
    Region(RegionCondition),
    Distance(DistanceCondition),
    Sample(SampleCondition),
}

/// Whether the profile is among the parts of ten thousand.
pub(crate) fn is_in_sample(condition: &SampleCondition, profile_id: &str) -> bool {
    let digest = canonical::hash::hex_digest(&["sample", &condition.seed, profile_id]);
    let number = u64::from_str_radix(&digest[..15], 16).unwrap_or_default();
    number % 10_000 < condition.parts
}

/// A question, as a program asks it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) fingerprint: u64,
    pub(crate) since: u64,
    pub(crate) question: Question,
    /// For dates.
    pub(crate) frame: Option<Frame>,
    pub(crate) conditions: Vec<u32>,
}

/// An answer that is yes, or will be or was at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) fingerprint: u64,
    /// Absent: yes, whatever the time.
    pub(crate) date: Option<i64>,
}

impl Plan {
    /// `None` is no, for as long as the profile does not change.
    pub(crate) fn answer(&self, profile: &Profile, calendar: &Calendar) -> Option<Answer> {
        let yes = |is: bool| is.then_some(Answer { fingerprint: self.fingerprint, date: None });
        let instant = match &self.question {
            Question::Property(condition) => {
                return yes(condition.filter.matches(condition.property.in_profile(profile)));
            }
            Question::Consent(condition) => return yes(consent::holds(condition, profile)),
            Question::Permission(condition) => return yes(consent::is_permitted(condition, profile)),
            Question::List(id) => return yes(profile.lists.contains_key(id)),
            Question::ListJoined(id) => profile.lists.get(id).map(|joined| joined.as_millis()),
            Question::Region(condition) => return yes(place::is_in_region(*condition, profile)),
            Question::Distance(condition) => return yes(place::is_at_distance(*condition, profile)),
            Question::Sample(condition) => return yes(is_in_sample(condition, &profile.id)),
            Question::PropertyDate(path) => date::instant_of(path.in_profile(profile), calendar.zone()),
            Question::ConsentDate(channel, field) => {
                let found = consent::date(*channel, *field, profile);
                date::instant_of(found.map_or(Operand::Unset, Operand::Instant), calendar.zone())
            }
        };
        let (instant, frame) = (calendar::clamp(instant?), self.frame?);
        if frame.is_moving() {
            return Some(Answer { fingerprint: self.fingerprint, date: Some(instant) });
        }
        yes(frame.holds(instant, instant, calendar))
    }

    pub(crate) fn holds(&self, answer: Answer, now: i64, calendar: &Calendar) -> bool {
        match (answer.date, self.frame) {
            (Some(date), Some(frame)) => frame.holds(date, now, calendar),
            _ => true,
        }
    }

    pub(crate) fn next_change(&self, answer: Answer, now: i64, calendar: &Calendar) -> i64 {
        match (answer.date, self.frame) {
            (Some(date), Some(frame)) => frame.next_change(date, now, calendar),
            _ => crate::window::NEVER,
        }
    }
}
