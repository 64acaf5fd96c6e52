//! Smile's objects, as its REST schema names their fields.

use canonical::Instant;
use canonical::money::Decimal;
use platform::lenient::{Field, Id, Object};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A delivery, or a record of a poll: all but `data` stand only in records.
#[derive(Default, Deserialize)]
#[serde(default, bound = "T: Default + Deserialize<'de>")]
pub(crate) struct Body<T> {
    pub(crate) data: Field<Object<T>>,
    pub(crate) customer: Field<Object<Customer>>,
    pub(crate) vip_tier: Field<Object<VipTier>>,
    pub(crate) expiring_at: Field<Instant>,
    pub(crate) polled: Field<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    pub(crate) id: Field<Id>,
    pub(crate) email: Field<String>,
    pub(crate) first_name: Field<String>,
    pub(crate) last_name: Field<String>,
    pub(crate) state: Field<String>,
    pub(crate) points_balance: Field<Decimal>,
    pub(crate) referral_url: Field<String>,
    pub(crate) vip_tier_id: Field<Id>,
    pub(crate) vip_status: Field<Object<VipStatus>>,
    pub(crate) updated_at: Field<Instant>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct VipStatus {
    pub(crate) vip_tier_id: Field<Id>,
    pub(crate) vip_tier: Field<Object<VipTier>>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VipTier {
    pub(crate) id: Field<Id>,
    pub(crate) name: Field<String>,
    pub(crate) milestone: Field<Decimal>,
}
