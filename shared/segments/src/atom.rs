//! What a state keeps of a profile: for every question about it whether the answer is yes, and for
//! questions about dates, the date.

use canonical::Profile;
use serde::Serialize;

use crate::calendar::{self, Calendar};
use crate::definition::{Channel, ConsentCondition, ConsentDate, PropertyCondition};
use crate::property::{Operand, Path};
use crate::window::Frame;
use crate::{consent, date};

/// One question about a profile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Question {
    /// Not about a date.
    Property(PropertyCondition),
    PropertyDate(Path),
    /// All but the dates.
    Consent(ConsentCondition),
    ConsentDate(Channel, ConsentDate),
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
