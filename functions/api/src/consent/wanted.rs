//! Conditions on the suppressions of profiles.

use canonical::Profile;
use canonical::fact::Channel;
use store::ProfileSort;

use crate::error::ApiResult;
use crate::filter::Filter;
use crate::operation::{COMPARED, EQUALS};
use crate::request::{Bounds, bad_value, filter_texts, unsupported};

/// When e-mail was last suppressed: a filter and a sort order of profiles.
pub(crate) const SUPPRESSED_AT: &str = "subscriptions.email.marketing.suppression.timestamp";
/// When they last left a list for good.
pub(crate) const UNLISTED_AT: &str = "subscriptions.email.marketing.list_suppressions.timestamp";
const REASON: &str = "subscriptions.email.marketing.suppression.reason";
const LIST_REASON: &str = "subscriptions.email.marketing.list_suppressions.reason";
const LIST: &str = "subscriptions.email.marketing.list_suppressions.list_id";

/// The filters there are, with their operators.
pub(crate) const FILTERS: [(&str, &[crate::filter::Operator]); 5] = [
    (REASON, EQUALS),
    (SUPPRESSED_AT, COMPARED),
    (LIST_REASON, EQUALS),
    (UNLISTED_AT, COMPARED),
    (LIST, EQUALS),
];

const REASONS: [&str; 5] =
    ["HARD_BOUNCE", "INVALID_EMAIL", "SPAM_COMPLAINT", "UNSUBSCRIBE", "USER_SUPPRESSED"];

/// What one suppression must be.
#[derive(Default)]
struct One {
    is_asked: bool,
    reasons: Vec<String>,
    lists: Vec<String>,
    at: Bounds,
}

/// Conditions on suppressions. One suppression must meet all that is asked of suppressions, and one of a list all that is
/// asked of those.
#[derive(Default)]
pub(crate) struct WantedSuppressions {
    global: One,
    of_lists: One,
}

impl WantedSuppressions {
    /// Takes a condition, if it is about suppressions; whether it is.
    pub(crate) fn take(&mut self, filter: &Filter) -> ApiResult<bool> {
        let field = filter.field.as_str();
        let one = match field {
            REASON | SUPPRESSED_AT => &mut self.global,
            LIST_REASON | UNLISTED_AT | LIST => &mut self.of_lists,
            _ => return Ok(false),
        };
        one.is_asked = true;
        if field == SUPPRESSED_AT || field == UNLISTED_AT {
            one.at.narrow_by_instant(filter)?;
            return Ok(true);
        }
        let [value] = filter_texts(filter)?[..] else { return Err(unsupported(filter)) };
        if field == LIST {
            one.lists.push(value.to_owned());
        } else if REASONS.contains(&value) {
            one.reasons.push(value.to_owned());
        } else {
            return Err(bad_value(filter, &format!("one of {}", REASONS.join(", "))));
        }
        Ok(true)
    }

    /// Whether a profile's suppressions meet them.
    pub(crate) fn matches(&self, profile: &Profile) -> bool {
        let Some(email) = profile.consent.get(&Channel::Email) else {
            return !self.global.is_asked && !self.of_lists.is_asked;
        };
        let meets = |one: &One, reason: &str, list: Option<&String>, at_ms: i64| {
            one.reasons.iter().all(|wanted| wanted == reason)
                && one.lists.iter().all(|wanted| Some(wanted) == list)
                && one.at.contain(at_ms)
        };
        let any_global = || {
            let mut all = email.suppressions.iter();
            all.any(|found| meets(&self.global, &found.reason, None, found.at.as_millis()))
        };
        let any_of_lists = || {
            let mut all = email.list_suppressions.iter();
            all.any(|(list, found)| meets(&self.of_lists, &found.reason, Some(list), found.at.as_millis()))
        };
        (!self.global.is_asked || any_global()) && (!self.of_lists.is_asked || any_of_lists())
    }

    /// The listing that has all that can meet them and the fewest others, and its name.
    pub(crate) fn listing(&self) -> Option<&'static str> {
        if self.global.is_asked { Some(SUPPRESSED_AT) } else { self.of_lists.is_asked.then_some(UNLISTED_AT) }
    }

    /// The bounds of a listing by the newest suppression. What is older than the newest may be what is wanted, so only
    /// the lower ones help.
    pub(crate) fn bounds(&self, sort: ProfileSort) -> (Option<i64>, Option<i64>) {
        match sort {
            ProfileSort::Suppressed => (self.global.at.from_ms, None),
            ProfileSort::Unlisted => (self.of_lists.at.from_ms, None),
            _ => (None, None),
        }
    }
}

/// When e-mail to somebody was last suppressed, in milliseconds, as the listings have it.
pub(crate) fn newest_ms(profile: &Profile, sort: &str) -> i64 {
    let email = profile.consent.get(&Channel::Email);
    let newest = match sort {
        UNLISTED_AT => email.and_then(|email| email.list_suppressions.values().map(|one| one.at).max()),
        _ => email.and_then(|email| email.suppressions.iter().map(|one| one.at).max()),
    };
    newest.map_or(0, canonical::Instant::as_millis)
}
