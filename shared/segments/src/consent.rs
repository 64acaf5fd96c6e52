//! What a profile's consent says, without the present: dates are handed out to be compared elsewhere.

use canonical::Profile;
use canonical::fact::ConsentStatus;
use canonical::profile::Consent;

use crate::definition::{
    Channel, ConsentCondition, ConsentDate, ConsentFilter, Filter, PermissionCondition, Reachable,
    Subscription,
};
use crate::property::Operand;

/// The channel as profiles know it.
fn of_profiles(channel: Channel) -> canonical::fact::Channel {
    match channel {
        Channel::Email => canonical::fact::Channel::Email,
        Channel::Sms => canonical::fact::Channel::Sms,
        Channel::WhatsappMarketing => canonical::fact::Channel::WhatsappMarketing,
        Channel::WhatsappTransactional => canonical::fact::Channel::WhatsappTransactional,
        Channel::Push => canonical::fact::Channel::Push,
    }
}

/// The consent on a channel.
fn consent(channel: Channel, profile: &Profile) -> Option<&Consent> {
    profile.consent.get(&of_profiles(channel))
}

/// Whether marketing may be sent.
pub(crate) fn can_receive(channel: Channel, profile: &Profile) -> bool {
    profile.can_receive(of_profiles(channel))
}

/// The date of a decision or a suppression, in milliseconds.
pub(crate) fn date(channel: Channel, field: ConsentDate, profile: &Profile) -> Option<i64> {
    let consent = consent(channel, profile)?;
    let suppressed = |reason: &str| {
        consent.suppressions.iter().filter(|one| one.reason == reason).map(|one| one.at.as_millis()).max()
    };
    match field {
        ConsentDate::Status => consent.at.map(canonical::Instant::as_millis),
        // What was written before this was kept was known when it was decided.
        ConsentDate::Recorded => consent.recorded_at.or(consent.at).map(canonical::Instant::as_millis),
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
    subscription
        && can_receive(condition.channel, profile) == condition.can_receive
        && filters_hold(condition.channel, &condition.filters, profile)
}

/// The same for a permission. An explicit one is somebody's decision. Where nobody decided, what somebody bought may
/// be written about, to whoever has a number, and nothing may be advertised.
pub(crate) fn is_permitted(condition: &PermissionCondition, profile: &Profile) -> bool {
    let found = consent(condition.channel, profile);
    let status = found.map_or(ConsentStatus::NeverSubscribed, |consent| consent.status);
    let reachable = can_receive(condition.channel, profile);
    let suppressed = found.is_some_and(|consent| !consent.suppressions.is_empty());
    let undecided = status == ConsentStatus::NeverSubscribed && !suppressed;
    let implicitly =
        undecided && condition.channel == Channel::WhatsappTransactional && profile.phone_number.is_some();
    let not_explicitly = status == ConsentStatus::Unsubscribed || suppressed;
    let holds = match condition.status {
        Reachable::Explicitly => reachable,
        Reachable::Implicitly => implicitly,
        Reachable::Either => reachable || implicitly,
        Reachable::NotExplicitly => not_explicitly,
        Reachable::NotImplicitly => !reachable && !implicitly && !not_explicitly,
        Reachable::Neither => !reachable && !implicitly,
    };
    holds && filters_hold(condition.channel, &condition.filters, profile)
}

fn filters_hold(channel: Channel, filters: &[ConsentFilter], profile: &Profile) -> bool {
    let found = consent(channel, profile);
    let source = || {
        let source = found.and_then(|consent| consent.source.as_deref());
        source.map_or(Operand::Unset, Operand::Text)
    };
    filters.iter().all(|filter| match filter {
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
            let date = date(channel, *field, profile);
            filter.matches(date.map_or(Operand::Unset, Operand::Instant))
        }
    })
}
