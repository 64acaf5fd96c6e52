//! Consent: a ledger of its own. Only a decision changes it; that somebody ordered is none.

use super::{Consent, Profile, Suppression};
use crate::fact::{Channel, ConsentChange, ConsentStatus};
use crate::identity::Identifiers;
use crate::properties::Properties;
use crate::{Event, Metric, Source};

const UNSUBSCRIBE: &str = "UNSUBSCRIBE";
/// What a person's own yes takes back. A bounce stays: the address does not work whatever one wishes.
const REVOKED_BY_SUBSCRIBING: [&str; 3] = [UNSUBSCRIBE, "SPAM_COMPLAINT", "USER_SUPPRESSED"];

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
        match change.status {
            ConsentStatus::Unsubscribed => {
                if !suppressions.iter().any(|suppression| suppression.reason == UNSUBSCRIBE) {
                    suppressions.push(Suppression { reason: UNSUBSCRIBE.to_owned(), at: change.at });
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
            },
        );
        Some(replaced.status)
    }
}

/// Subscribed to or Unsubscribed from Email or SMS Marketing. `None` if nothing was decided, or if nobody
/// is named.
///
/// The id is made from the person (the platform's customer id, else the strongest identifier that is no
/// device), the channel, the status and the time of the decision.
pub fn consent_event(change: &ConsentChange, source: &Source) -> Option<Event> {
    let metric = match (change.channel, change.status) {
        // Klaviyo names no metric for WhatsApp.
        (_, ConsentStatus::NeverSubscribed)
        | (Channel::WhatsappMarketing | Channel::WhatsappTransactional, _) => return None,
        (Channel::Email, ConsentStatus::Subscribed) => Metric::SubscribedToEmail,
        (Channel::Email, ConsentStatus::Unsubscribed) => Metric::UnsubscribedFromEmail,
        (Channel::Sms, ConsentStatus::Subscribed) => Metric::SubscribedToSms,
        (Channel::Sms, ConsentStatus::Unsubscribed) => Metric::UnsubscribedFromSms,
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
