//! What a profile's consent says, without the present: dates are handed out to be compared elsewhere.

use canonical::Profile;
use canonical::fact::ConsentStatus;
use canonical::profile::Consent;

use crate::definition::{Channel, ConsentCondition, ConsentDate, ConsentFilter, Filter, Subscription};
use crate::property::Operand;

/// The consent on a channel. Nothing is stored about push.
fn consent(channel: Channel, profile: &Profile) -> Option<&Consent> {
    match channel {
        Channel::Email => profile.consent.get(&canonical::fact::Channel::Email),
        Channel::Sms => profile.consent.get(&canonical::fact::Channel::Sms),
        Channel::Push => None,
    }
}

/// Whether marketing may be sent: e-mail to everybody who did not object, text messages only to
/// those who agreed, and nothing where a suppression stands in the way.
pub(crate) fn can_receive(channel: Channel, profile: &Profile) -> bool {
    let consent = consent(channel, profile);
    let status = consent.map_or(ConsentStatus::NeverSubscribed, |consent| consent.status);
    let suppressed = consent.is_some_and(|consent| !consent.suppressions.is_empty());
    !suppressed
        && match channel {
            Channel::Email => profile.email.is_some() && status != ConsentStatus::Unsubscribed,
            Channel::Sms => profile.phone_number.is_some() && status == ConsentStatus::Subscribed,
            Channel::Push => false,
        }
}

/// The date of a decision or a suppression, in milliseconds.
pub(crate) fn date(channel: Channel, field: ConsentDate, profile: &Profile) -> Option<i64> {
    let consent = consent(channel, profile)?;
    let suppressed = |reason: &str| {
        consent.suppressions.iter().filter(|one| one.reason == reason).map(|one| one.at.as_millis()).max()
    };
    match field {
        ConsentDate::Status => consent.at.map(canonical::Instant::as_millis),
        ConsentDate::Bounce => suppressed("HARD_BOUNCE"),
        ConsentDate::ManualSuppression => suppressed("USER_SUPPRESSED"),
        ConsentDate::InvalidEmail => suppressed("INVALID_EMAIL"),
    }
}

/// Whether everything holds that does not depend on the present.
pub(crate) fn holds(condition: &ConsentCondition, profile: &Profile) -> bool {
    let found = consent(condition.channel, profile);
    let status = found.map_or(ConsentStatus::NeverSubscribed, |consent| consent.status);
    let subscription = match condition.subscription {
        Subscription::Any => true,
        Subscription::Subscribed => status == ConsentStatus::Subscribed,
        Subscription::Unsubscribed => status == ConsentStatus::Unsubscribed,
        Subscription::NeverSubscribed => status == ConsentStatus::NeverSubscribed,
    };
    let source = || {
        let source = found.and_then(|consent| consent.source.as_deref());
        source.map_or(Operand::Unset, Operand::Text)
    };
    subscription
        && can_receive(condition.channel, profile) == condition.can_receive
        && condition.filters.iter().all(|filter| match filter {
            ConsentFilter::Method { method, filter } => {
                let used = found.and_then(|consent| consent.method.as_deref());
                used.is_some_and(|used| used.eq_ignore_ascii_case(method))
                    && filter.as_ref().is_none_or(|filter| filter.matches(source()))
            }
            ConsentFilter::CustomSource(filter) => filter.matches(source()),
            ConsentFilter::DoubleOptIn(Filter::Boolean(expected)) => {
                found.is_some_and(|consent| consent.double_opt_in == *expected)
            }
            // Not known of anybody.
            ConsentFilter::DoubleOptIn(_) | ConsentFilter::RcsCapable(_) => false,
            ConsentFilter::Date { filter: Filter::Date(_), .. } => true,
            ConsentFilter::Date { field, filter } => {
                let date = date(condition.channel, *field, profile);
                filter.matches(date.map_or(Operand::Unset, Operand::Instant))
            }
        })
}
