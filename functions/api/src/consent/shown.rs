//! What a profile's consent looks like.

use canonical::Profile;
use canonical::fact::Channel;
use canonical::profile::{Consent, Suppression};
use serde_json::{Value, json};

use crate::document::time;

/// `subscriptions` of a profile.
pub(crate) fn subscriptions(profile: &Profile) -> Value {
    let never = Consent::default();
    let of = |channel| profile.consent.get(&channel).unwrap_or(&never);
    let email = of(Channel::Email);
    let suppression: Vec<Value> = email.suppressions.iter().map(suppressed).collect();
    let lists = email.list_suppressions.iter().map(|(list, suppression)| {
        let mut shown = suppressed(suppression);
        shown["list_id"] = list.as_str().into();
        shown
    });
    let lists: Vec<Value> = lists.collect();
    let sms = |channel, can_receive: &str| {
        let consent = of(channel);
        json!({
            can_receive: profile.can_receive(channel),
            "consent": consent.status,
            "consent_timestamp": consent.at.map(time),
            "method": consent.method,
            "method_detail": consent.source.as_deref().unwrap_or_default(),
            "last_updated": updated(consent),
        })
    };
    let permission = |channel| {
        let consent = of(channel);
        json!({
            "can_receive": profile.can_receive(channel),
            "consent": consent.status,
            "consent_timestamp": consent.at.map(time),
            "last_updated": updated(consent),
            // Only the last decision is kept.
            "created_timestamp": null,
            "metadata": {},
            "valid_until": null,
        })
    };
    let whatsapp = |channel| {
        let mut shown = permission(channel);
        let granted = profile.phone_number.as_ref().filter(|_| profile.can_receive(channel));
        shown["phone_number"] = granted.cloned().into();
        shown
    };
    json!({
        "email": {
            "marketing": {
                // Implicit consent: whoever has an address and is not suppressed.
                "can_receive_email_marketing": profile.can_receive(Channel::Email),
                "consent": email.status,
                "consent_timestamp": email.at.map(time),
                "last_updated": updated(email),
                "method": email.method,
                "method_detail": "",
                "custom_method_detail": email.source,
                "double_optin": email.double_opt_in,
                "suppression": suppression,
                "list_suppressions": lists,
            },
            "open_tracking": permission(Channel::OpenTracking),
        },
        "sms": {
            "marketing": sms(Channel::Sms, "can_receive_sms_marketing"),
            "transactional": sms(Channel::SmsTransactional, "can_receive_sms_transactional"),
        },
        "mobile_push": {"marketing": {
            "can_receive_push_marketing": profile.can_receive(Channel::Push),
            "consent": of(Channel::Push).status,
            "consent_timestamp": of(Channel::Push).at.map(time),
        }},
        "whatsapp": {
            "marketing": whatsapp(Channel::WhatsappMarketing),
            "transactional": whatsapp(Channel::WhatsappTransactional),
            "conversational": whatsapp(Channel::WhatsappConversational),
        },
    })
}

fn suppressed(suppression: &Suppression) -> Value {
    json!({"reason": suppression.reason, "timestamp": time(suppression.at)})
}

/// When anything of it last changed.
fn updated(consent: &Consent) -> Option<Value> {
    let suppressions = consent.suppressions.iter().chain(consent.list_suppressions.values());
    suppressions
        .map(|suppression| suppression.at)
        .chain(consent.recorded_at)
        .chain(consent.at)
        .max()
        .map(time)
}
