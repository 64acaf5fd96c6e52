//! The names of what can happen.

use serde::{Deserialize, Serialize};

macro_rules! metrics {
    ($($variant:ident => $name:literal),+ $(,)?) => {
        /// A canonical metric. The names are Klaviyo's, because segments and templates are written in them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Metric {
            $(#[doc = $name] #[serde(rename = $name)] $variant,)+
        }

        impl Metric {
            /// Every canonical metric.
            pub const ALL: &[Metric] = &[$(Metric::$variant,)+];

            /// The canonical name.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)+ }
            }
        }
    };
}

metrics! {
    ViewedProduct => "Viewed Product",
    AddedToCart => "Added to Cart",
    StartedCheckout => "Started Checkout",
    PlacedOrder => "Placed Order",
    OrderedProduct => "Ordered Product",
    FulfilledOrder => "Fulfilled Order",
    ShippedOrder => "Shipped Order",
    CancelledOrder => "Cancelled Order",
    RefundedOrder => "Refunded Order",
    ActiveOnSite => "Active on Site",
    SubscribedToList => "Subscribed to List",
    UnsubscribedFromList => "Unsubscribed from List",
    SubscribedToEmail => "Subscribed to Email Marketing",
    UnsubscribedFromEmail => "Unsubscribed from Email Marketing",
    SubscribedToSms => "Subscribed to SMS Marketing",
    UnsubscribedFromSms => "Unsubscribed from SMS Marketing",
    BirthdayRewardIssued => "Birthday Reward Issued",
    PointsEarned => "Points Earned on Order",
    PointsRedeemed => "Points Redeemed",
    PointsExpiring => "Points Expiring",
    ReferralStarted => "Referral Started",
    ReferralCompleted => "Referral Completed",
    RewardExpiring => "Reward Expiring",
    VipTierAchieved => "VIP Tier Achieved",
    MergedProfile => "Merged Profile",
}

impl Metric {
    /// The canonical metric of a name, whatever its case and in the spellings that platforms use
    /// (`Checkout Started`, `Canceled Order`, …). `None` for a name that is somebody's own.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim();
        let alias = match name.to_ascii_lowercase().as_str() {
            "checkout started" => Some(Self::StartedCheckout),
            "canceled order" | "order cancelled" | "order canceled" => Some(Self::CancelledOrder),
            "add to cart" | "added product" => Some(Self::AddedToCart),
            "order completed" | "order placed" => Some(Self::PlacedOrder),
            "order refunded" => Some(Self::RefundedOrder),
            "order fulfilled" => Some(Self::FulfilledOrder),
            "order shipped" => Some(Self::ShippedOrder),
            "product viewed" => Some(Self::ViewedProduct),
            _ => None,
        };
        alias.or_else(|| Self::ALL.iter().copied().find(|metric| metric.name().eq_ignore_ascii_case(name)))
    }
}
