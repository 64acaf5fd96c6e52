//! Consent.

use utoipa::ToSchema;

use super::{Day, NewProfile, Object, One, Time};

/// People who subscribe, and perhaps, as a relationship, the list that they join.
#[derive(ToSchema)]
pub(crate) struct Subscribing {
    /// What is noted with the consent.
    #[schema(max_length = 255)]
    custom_source: Option<String>,
    /// They have agreed before: each time is in `consented_at`, and nothing has to be confirmed.
    historical_import: Option<bool>,
    profiles: Subscribers,
}

/// Somebody who subscribes in a browser; the list is a relationship.
#[derive(ToSchema)]
pub(crate) struct VisitorSubscribing {
    /// What is noted with the consent.
    #[schema(max_length = 255)]
    custom_source: Option<String>,
    profile: One<SubscribingVisitor>,
}

/// Somebody who subscribes in a browser.
#[derive(ToSchema)]
pub(crate) struct SubscribingVisitor {
    /// `profile`
    r#type: String,
    #[schema(required = false)]
    id: Option<String>,
    attributes: VisitorSubscription,
}

/// To what, and what else they say.
#[derive(ToSchema)]
pub(crate) struct VisitorSubscription {
    #[schema(inline)]
    #[serde(flatten)]
    profile: NewProfile,
    /// E-mail and text messages, as far as there are addresses, if it is absent.
    subscriptions: Option<Channels>,
}

/// 1 to 1000.
#[derive(ToSchema)]
pub(crate) struct Subscribers {
    #[schema(min_items = 1, max_items = 1000)]
    data: Vec<Subscriber>,
}

/// Somebody who subscribes.
#[derive(ToSchema)]
pub(crate) struct Subscriber {
    r#type: String,
    /// The profile's id, if it is named by it.
    #[schema(required = false)]
    id: Option<String>,
    attributes: Subscription,
}

/// To what.
#[derive(ToSchema)]
pub(crate) struct Subscription {
    #[schema(max_length = 100)]
    email: Option<String>,
    /// As E.164 has it.
    phone_number: Option<String>,
    subscriptions: Channels,
    /// Checked to be a date; not kept.
    age_gated_date_of_birth: Option<Day>,
}

/// At least one.
#[derive(ToSchema)]
pub(crate) struct Channels {
    email: Option<EmailChannel>,
    sms: Option<SmsChannel>,
    whatsapp: Option<WhatsappChannel>,
    push: Option<PushChannel>,
}

/// E-mail.
#[derive(ToSchema)]
pub(crate) struct EmailChannel {
    marketing: Option<Decision>,
    open_tracking: Option<Decision>,
}

/// Text messages.
#[derive(ToSchema)]
pub(crate) struct SmsChannel {
    marketing: Option<Decision>,
    transactional: Option<Decision>,
}

/// `WhatsApp`.
#[derive(ToSchema)]
pub(crate) struct WhatsappChannel {
    marketing: Option<Decision>,
    transactional: Option<Decision>,
    /// Only to unsubscribe.
    conversational: Option<Decision>,
}

/// Notifications of an app.
#[derive(ToSchema)]
pub(crate) struct PushChannel {
    marketing: Decision,
    anonymous_id: Option<String>,
}

/// Yes or no.
#[derive(ToSchema)]
pub(crate) struct Decision {
    /// `SUBSCRIBED`, or `UNSUBSCRIBED` where people unsubscribe.
    consent: String,
    /// Since when, in a historical import alone.
    consented_at: Option<Time>,
}

/// People who unsubscribe, and perhaps, as a relationship, the list that they leave.
#[derive(ToSchema)]
pub(crate) struct Unsubscribing {
    profiles: Unsubscribers,
}

/// 1 to 100.
#[derive(ToSchema)]
pub(crate) struct Unsubscribers {
    #[schema(min_items = 1, max_items = 100)]
    data: Vec<Subscriber>,
}

/// People who are suppressed, or are no longer; or else, as a relationship, a list or a segment.
#[derive(ToSchema)]
pub(crate) struct Suppressing {
    profiles: Option<Suppressed>,
}

/// 1 to 100.
#[derive(ToSchema)]
pub(crate) struct Suppressed {
    #[schema(min_items = 1, max_items = 100)]
    data: Vec<SuppressedProfile>,
}

/// Somebody.
#[derive(ToSchema)]
pub(crate) struct SuppressedProfile {
    r#type: String,
    attributes: SuppressedAddress,
}

/// By their address.
#[derive(ToSchema)]
pub(crate) struct SuppressedAddress {
    email: String,
}

/// How far suppressing is.
#[derive(ToSchema)]
pub(crate) struct SuppressionJob {
    status: super::ImportStatus,
    created_at: Time,
    total_count: u64,
    /// Those that were changed.
    completed_count: u64,
    completed_at: Option<Time>,
    /// Those with which there was nothing to do.
    skipped_count: u64,
}

/// What somebody has agreed to, and what they may be sent.
#[derive(ToSchema)]
pub(crate) struct Subscriptions {
    email: EmailSubscriptions,
    sms: SmsSubscriptions,
    mobile_push: PushSubscriptions,
    whatsapp: WhatsappSubscriptions,
}

/// By e-mail.
#[derive(ToSchema)]
pub(crate) struct EmailSubscriptions {
    marketing: MarketedByEmail,
    open_tracking: Permission,
}

/// By e-mail.
#[derive(ToSchema)]
pub(crate) struct MarketedByEmail {
    can_receive_email_marketing: bool,
    consent: String,
    consent_timestamp: Option<Time>,
    last_updated: Option<Time>,
    method: Option<String>,
    /// Always empty.
    method_detail: Option<String>,
    /// `custom_source` of the request.
    custom_method_detail: Option<String>,
    double_optin: Option<bool>,
    suppression: Vec<Suppression>,
    list_suppressions: Vec<ListSuppression>,
}

/// Why nothing is sent.
#[derive(ToSchema)]
pub(crate) struct Suppression {
    reason: String,
    timestamp: Time,
}

/// Why nothing of a list is sent.
#[derive(ToSchema)]
pub(crate) struct ListSuppression {
    list_id: String,
    reason: String,
    timestamp: Time,
}

/// By text message.
#[derive(ToSchema)]
pub(crate) struct SmsSubscriptions {
    marketing: MarketedBySms,
    transactional: SmsTransactional,
}

/// By text message.
#[derive(ToSchema)]
pub(crate) struct MarketedBySms {
    can_receive_sms_marketing: bool,
    #[schema(inline)]
    #[serde(flatten)]
    consent: SmsConsent,
}

/// By text message.
#[derive(ToSchema)]
pub(crate) struct SmsTransactional {
    can_receive_sms_transactional: bool,
    #[schema(inline)]
    #[serde(flatten)]
    consent: SmsConsent,
}

/// A decision about text messages.
#[derive(ToSchema)]
pub(crate) struct SmsConsent {
    consent: String,
    consent_timestamp: Option<Time>,
    method: Option<String>,
    method_detail: Option<String>,
    last_updated: Option<Time>,
}

/// By notifications.
#[derive(ToSchema)]
pub(crate) struct PushSubscriptions {
    marketing: MarketedByPush,
}

/// By notifications.
#[derive(ToSchema)]
pub(crate) struct MarketedByPush {
    can_receive_push_marketing: bool,
    consent: String,
    consent_timestamp: Option<Time>,
}

/// By `WhatsApp`.
#[derive(ToSchema)]
pub(crate) struct WhatsappSubscriptions {
    marketing: WhatsappPermission,
    transactional: WhatsappPermission,
    conversational: WhatsappPermission,
}

/// By `WhatsApp`.
#[derive(ToSchema)]
pub(crate) struct WhatsappPermission {
    #[schema(inline)]
    #[serde(flatten)]
    permission: Permission,
    /// Where it is allowed.
    phone_number: Option<String>,
}

/// Whether something is allowed.
#[derive(ToSchema)]
pub(crate) struct Permission {
    can_receive: bool,
    consent: String,
    consent_timestamp: Option<Time>,
    last_updated: Option<Time>,
    /// Always null: the last decision alone is kept.
    created_timestamp: Option<Time>,
    /// Always empty.
    metadata: Object,
    /// Always null.
    valid_until: Option<Time>,
}
