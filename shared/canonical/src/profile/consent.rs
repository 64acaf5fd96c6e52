//! Consent: a ledger of its own. Only a decision changes it; that somebody ordered is none.

use super::{Consent, MAX_LISTS, Profile, Suppression};
use crate::fact::{Channel, ConsentChange, ConsentStatus};
use crate::identity::Identifiers;
use crate::properties::Properties;
use crate::{Event, Instant, Metric, Source};

const UNSUBSCRIBE: &str = "UNSUBSCRIBE";
/// The reason of a suppression that the account's owner asked for.
pub const USER_SUPPRESSED: &str = "USER_SUPPRESSED";
/// What a person's own yes takes back. A bounce stays: the address does not work whatever one wishes.
const REVOKED_BY_SUBSCRIBING: [&str; 3] = [UNSUBSCRIBE, "SPAM_COMPLAINT", USER_SUPPRESSED];

impl Profile {
    /// Records a decision, if it is newer than the one in force, and returns the status it replaces (which
    /// may be the same: a repeated decision has a new time). `None` when nothing changed.
    ///
    /// Of two decisions of one instant, "no" stands. Never subscribed is the absence of a decision and
    /// replaces none. A "no" adds an `UNSUBSCRIBE` suppression, a "yes" lifts those suppressions, not newer
    /// than itself, that are a person's to lift.
    ///
    /// The change does not say who is behind it nor when it came here; whoever applies it fills in
    /// [`Consent::source`] and [`Consent::recorded_at`].
    pub fn apply_consent(&mut self, change: &ConsentChange) -> Option<ConsentStatus> {
        if change.status == ConsentStatus::NeverSubscribed {
            return None;
        }
        if let Some(current) = self.consent.get(&change.channel)
            && let Some(at) = current.at
        {
            let wins_tie =
                change.status == ConsentStatus::Unsubscribed && current.status != ConsentStatus::Unsubscribed;
            if change.at < at || (change.at == at && !wins_tie) {
                return None;
            }
        }
        let consent = self.consent.entry(change.channel).or_default();
        let mut suppressions = std::mem::take(&mut consent.suppressions);
        let list_suppressions = std::mem::take(&mut consent.list_suppressions);
        match change.status {
            ConsentStatus::Unsubscribed => {
                match suppressions.iter_mut().find(|known| known.reason == UNSUBSCRIBE) {
                    // As the decision itself, of which the newest stands, in whichever order they arrive.
                    Some(known) => known.at = known.at.max(change.at),
                    None => suppressions.push(Suppression { reason: UNSUBSCRIBE.to_owned(), at: change.at }),
                }
            }
            _ => suppressions.retain(|suppression| {
                suppression.at > change.at || !REVOKED_BY_SUBSCRIBING.contains(&suppression.reason.as_str())
            }),
        }
        let replaced = std::mem::replace(
            consent,
            Consent {
                status: change.status,
                at: Some(change.at),
                recorded_at: None,
                method: Some(change.method.clone()).filter(|method| !method.is_empty()),
                source: None,
                double_opt_in: change.double_opt_in,
                suppressions,
                list_suppressions,
            },
        );
        Some(replaced.status)
    }

    /// Whether anything may be sent: e-mail, and noticing that it is opened, to everybody who did not object; all else
    /// only to those who agreed; and nothing where a suppression stands in the way.
    pub fn can_receive(&self, channel: Channel) -> bool {
        let consent = self.consent.get(&channel);
        let status = consent.map_or(ConsentStatus::NeverSubscribed, |consent| consent.status);
        let suppressed = consent.is_some_and(|consent| !consent.suppressions.is_empty());
        !suppressed
            && match channel {
                Channel::Email | Channel::OpenTracking => {
                    self.email.is_some() && status != ConsentStatus::Unsubscribed
                }
                Channel::Sms
                | Channel::SmsTransactional
                | Channel::WhatsappMarketing
                | Channel::WhatsappTransactional
                | Channel::WhatsappConversational => {
                    self.phone_number.is_some() && status == ConsentStatus::Subscribed
                }
                Channel::Push => status == ConsentStatus::Subscribed,
            }
    }

    /// Keeps e-mail from somebody because the account's owner wishes so; what the person decided stays as it is. Whether
    /// that is new.
    pub fn suppress(&mut self, at: Instant) -> bool {
        let suppressions = &mut self.consent.entry(Channel::Email).or_default().suppressions;
        let is_new = !suppressions.iter().any(|suppression| suppression.reason == USER_SUPPRESSED);
        if is_new {
            suppressions.push(Suppression { reason: USER_SUPPRESSED.to_owned(), at });
        }
        is_new
    }

    /// Takes [`Profile::suppress`] back, and nothing else. Whether there was anything to take back.
    pub fn unsuppress(&mut self) -> bool {
        let Some(consent) = self.consent.get_mut(&Channel::Email) else { return false };
        let before = consent.suppressions.len();
        consent.suppressions.retain(|suppression| suppression.reason != USER_SUPPRESSED);
        consent.suppressions.len() != before
    }

    /// Notes that somebody wants no more e-mail of one list. `false`, and nothing changes, if there are as many such
    /// lists as there may be.
    pub fn suppress_list(&mut self, list: &str, at: Instant) -> bool {
        let suppression = Suppression { reason: UNSUBSCRIBE.to_owned(), at };
        self.consent.entry(Channel::Email).or_default().suppress_list(list, &suppression)
    }

    /// Takes [`Profile::suppress_list`] back.
    pub fn unsuppress_list(&mut self, list: &str) {
        if let Some(consent) = self.consent.get_mut(&Channel::Email) {
            consent.list_suppressions.remove(list);
        }
    }
}

impl Consent {
    /// The newer of two suppressions of one list stays.
    pub(super) fn suppress_list(&mut self, list: &str, suppression: &Suppression) -> bool {
        let room = self.list_suppressions.len() < MAX_LISTS || self.list_suppressions.contains_key(list);
        if room {
            let known = self.list_suppressions.entry(list.to_owned()).or_insert_with(|| suppression.clone());
            known.at = known.at.max(suppression.at);
        }
        room
    }
}

/// Subscribed to or Unsubscribed from Email or SMS Marketing. `None` if nothing was decided, or if nobody
/// is named.
///
/// The id is made from the person (the platform's customer id, else the strongest identifier that is no
/// device), the channel, the status and the time of the decision.
pub fn consent_event(change: &ConsentChange, source: &Source) -> Option<Event> {
    let metric = match (change.channel, change.status) {
        (Channel::Email, ConsentStatus::Subscribed) => Metric::SubscribedToEmail,
        (Channel::Email, ConsentStatus::Unsubscribed) => Metric::UnsubscribedFromEmail,
        (Channel::Sms, ConsentStatus::Subscribed) => Metric::SubscribedToSms,
        (Channel::Sms, ConsentStatus::Unsubscribed) => Metric::UnsubscribedFromSms,
        // Klaviyo names no metric for the others.
        _ => return None,
    };
    let (identifiers, _) = Identifiers::of(&change.person, &source.connection);
    let who = match &identifiers.customer {
        Some((_, customer_id)) => format!("customer#{customer_id}"),
        None => identifiers.ranked().first()?.key(),
    };
    let millis = change.at.as_millis().to_string();
    // The metric's name says channel and status.
    let event = Event::new(source, metric, &[&who, &millis], change.at);
    let properties = Properties::default()
        .text("Method", Some(&change.method))
        .set("Double Opt-In", change.double_opt_in)
        .email_domain(&change.person)
        .build();
    Some(Event { properties, ..event })
}
