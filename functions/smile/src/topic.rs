//! What a delivery is about. Smile documents `ping` and `customer/updated`; the others are what a partner's feed would
//! be called, by the names of Smile's objects and of the events.

use canonical::{Metric, hash};
use platform::lenient::{self, Field, Id, Object};
use serde::Deserialize;

/// What a delivery is about, as far as its reading differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// A test of the address.
    Ping,
    Customer,
    PointsTransaction,
    PointsPurchase,
    RewardFulfillment,
    /// One of the events itself.
    Event(Event),
}

/// Events that only somebody else can know of, with the object that they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    BirthdayReward,
    PointsEarned,
    PointsExpiring,
    RewardExpiring,
    /// A referral, started or completed by what it holds.
    Referral,
    ReferralStarted,
    ReferralCompleted,
    TierAchieved,
}

impl Event {
    /// The metric; `None` if the object decides.
    pub(crate) fn metric(self) -> Option<Metric> {
        Some(match self {
            Self::BirthdayReward => Metric::BirthdayRewardIssued,
            Self::PointsEarned => Metric::PointsEarned,
            Self::PointsExpiring => Metric::PointsExpiring,
            Self::RewardExpiring => Metric::RewardExpiring,
            Self::Referral => return None,
            Self::ReferralStarted => Metric::ReferralStarted,
            Self::ReferralCompleted => Metric::ReferralCompleted,
            Self::TierAchieved => Metric::VipTierAchieved,
        })
    }
}

impl Topic {
    /// Reads a topic in any case, with anything between its words: `customer/updated`, `Referral Started`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let words =
            name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
        Some(match words.join(" ").as_str() {
            "ping" => Self::Ping,
            "customer updated" | "customer created" => Self::Customer,
            "points transaction updated" | "points transaction created" => Self::PointsTransaction,
            "points purchase updated" | "points purchase created" | "points redeemed" => Self::PointsPurchase,
            "reward fulfillment updated" | "reward fulfillment created" => Self::RewardFulfillment,
            "birthday reward issued" => Self::Event(Event::BirthdayReward),
            "points earned on order" => Self::Event(Event::PointsEarned),
            "points expiring" => Self::Event(Event::PointsExpiring),
            "reward expiring" | "reward fulfillment expiring" => Self::Event(Event::RewardExpiring),
            "referral updated" | "referral created" => Self::Event(Event::Referral),
            "referral started" => Self::Event(Event::ReferralStarted),
            "referral completed" => Self::Event(Event::ReferralCompleted),
            "vip tier achieved" | "vip tier change created" | "vip tier changed" => {
                Self::Event(Event::TierAchieved)
            }
            _ => return None,
        })
    }
}

/// What stands above a delivery's data.
pub(crate) struct Head {
    pub(crate) topic: String,
    pub(crate) account_id: Option<String>,
    /// A digest: deliveries carry no id of their own.
    pub(crate) delivery_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    topic: Field<String>,
    account_id: Field<Id>,
}

/// `None` for a body that names no topic.
pub(crate) fn head(body: &[u8]) -> Option<Head> {
    let Object(envelope) = Object(lenient::object::<Envelope>(body).ok()?);
    let topic = envelope.topic.ok()?;
    let delivery_id = hash::long_id(&[&topic, &String::from_utf8_lossy(body)]);
    Some(Head { topic, account_id: envelope.account_id.ok().map(|Id(id)| id), delivery_id })
}
