//! Counters of what has been asked in a minute, which all processes share. Each takes a part of the minute's requests at a
//! time, so that most requests cost nothing here.

use aws_sdk_dynamodb::types::ReturnValue;

use crate::table::{self, Item, number};
use crate::{Error, Result, Store};

const QUOTA: &str = "quota#";
/// How long a counter is kept beyond its minute, in seconds: longer than clocks differ.
const KEPT_S: i64 = 300;

/// A counter after somebody took from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// What has been taken by all, this time included.
    pub taken: u64,
    /// How many have taken something, whoever took last included.
    pub takers: u64,
}

impl Store {
    /// Takes `count` from the counter of a minute. `joins` says whether it is the first time in this minute that this
    /// process does. Never refuses: what is too much, the caller sees. If the answer gets lost, what was taken is, too.
    pub async fn take_quota(&self, counter: &str, minute: i64, count: u32, joins: bool) -> Result<Quota> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(&format!("{QUOTA}{counter}"), &minute.to_string())))
            .update_expression("SET expires = :expires ADD taken :count, takers :joins")
            .expression_attribute_values(":expires", number((minute + 1) * 60 + KEPT_S))
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":joins", number(u8::from(joins)))
            .return_values(ReturnValue::UpdatedNew);
        let answer = request.send().await.map_err(|error| Error::of(&error))?;
        let item = answer.attributes.unwrap_or_default();
        Ok(Quota { taken: read(&item, "taken")?, takers: read(&item, "takers")? })
    }
}

fn read(item: &Item, name: &str) -> Result<u64> {
    let value = item.get(name).and_then(|value| value.as_n().ok()).and_then(|value| value.parse().ok());
    value.ok_or_else(|| Error::corrupt("quota", name))
}
