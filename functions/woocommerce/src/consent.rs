//! Consent, as plugins write it: the shop itself knows none.

use canonical::fact::{Channel, ConsentChange, ConsentStatus};
use canonical::{Fact, Instant, Person};
use platform::Connection;

use crate::meta::Meta;

/// When decisions that a record shows were taken.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// Of a yes.
    pub(crate) yes: Option<Instant>,
    /// Of a no.
    pub(crate) no: Option<Instant>,
}

/// The decisions that a record shows under the keys that the connection names.
pub(crate) fn decisions(
    connection: &Connection,
    meta: &Meta,
    person: &Person,
    times: Times,
    method: &str,
) -> Vec<Fact> {
    let channels = [
        (Channel::Email, "email_consent_meta", person.email.is_some()),
        (Channel::Sms, "sms_consent_meta", person.phone.is_some()),
    ];
    let decision = |(channel, setting, reachable): (Channel, &str, bool)| {
        let status = meta.get(connection.text(setting)?).and_then(status).filter(|_| reachable)?;
        let at = if status == ConsentStatus::Subscribed { times.yes } else { times.no };
        Some(Fact::Consent(ConsentChange {
            person: person.clone(),
            channel,
            status,
            at: at?,
            method: method.to_owned(),
            double_opt_in: false,
        }))
    };
    channels.into_iter().filter_map(decision).collect()
}

/// What a word means. That a box is not ticked is no decision; a no must be said.
fn status(word: &str) -> Option<ConsentStatus> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" | "subscribed" => Some(ConsentStatus::Subscribed),
        "unsubscribed" => Some(ConsentStatus::Unsubscribed),
        _ => None,
    }
}
