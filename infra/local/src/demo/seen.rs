//! What the API says came out.

use std::collections::{BTreeMap, BTreeSet};

use canonical::money::{Decimal, decimal_from_json};
use serde_json::Value;

use super::client::Client;
use super::outcome::{Outcome, Tally};

/// The outcome as it was read, with the ids that it was read by.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) outcome: Outcome,
    /// Profile ids by e-mail address.
    pub(super) profile_ids: BTreeMap<String, String>,
    /// What ever happened to each profile: the names of metrics, by profile id.
    pub(super) experience: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    /// Reads everything; `segments` are names and ids.
    pub(super) async fn read(client: &Client, segments: &[(String, String)]) -> anyhow::Result<Self> {
        let mut seen = Self::default();
        for metric in client.list("/api/metrics").await? {
            let (name, id) = (text(&metric["attributes"]["name"]), text(&metric["id"]));
            let path = format!("/api/events?filter=equals(metric_id,\"{id}\")&page[size]=1000");
            let mut tally = Tally::default();
            for event in client.list(&path).await? {
                tally.add(value_of(&event));
                let profile = text(&event["relationships"]["profile"]["data"]["id"]);
                seen.experience.entry(profile).or_default().insert(name.clone());
            }
            seen.outcome.metrics.insert(name, tally);
        }
        for profile in client.list("/api/profiles?page[size]=100").await? {
            let attributes = &profile["attributes"];
            let email = text(&attributes["email"]);
            let city = attributes["location"]["city"].as_str().map(str::to_owned);
            seen.outcome.profiles.insert(email.clone(), city);
            seen.profile_ids.insert(email, text(&profile["id"]));
        }
        for (name, id) in segments {
            let path = format!("/api/segments/{id}/profiles?page[size]=100&fields[profile]=email");
            let members = client.list(&path).await?;
            let emails = members.iter().map(|member| text(&member["attributes"]["email"])).collect();
            seen.outcome.members.insert(name.clone(), emails);
        }
        Ok(seen)
    }
}

/// An event's value.
pub(super) fn value_of(event: &Value) -> Option<Decimal> {
    decimal_from_json(&event["attributes"]["event_properties"]["$value"])
}

/// The text of a value; empty if it is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
