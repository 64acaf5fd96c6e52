//! `tillstream export`.

use clap::Args;
use serde_json::{Value, json};

use super::client::{encode, resource};
use super::{Done, Outcome, Remote};

/// `export`.
#[derive(Args, Debug)]
pub struct Export {
    #[command(flatten)]
    remote: Remote,
    /// The profile's id, or its e-mail address.
    profile: String,
}

impl Export {
    pub(super) async fn run(self) -> Done {
        let (client, output) = self.remote.open()?;
        let id = encode(&client.profile_id(self.profile).await?);
        let profile = format!("/api/profiles/{id}");
        let additional = "additional-fields[profile]=subscriptions,predictive_analytics";
        let document = client.get(&format!("{profile}?{additional}")).await?;
        // Who has merged into another is told by the one that stays.
        let mut whole = resource(document)?;
        let id = whole["id"].as_str().map_or(id, encode);
        let filter = encode(&format!("equals(profile_id,'{id}')"));
        let events = format!("/api/events?filter={filter}&page[size]=1000&sort=datetime");
        let mut events = client.list(&events).await?;
        let metrics = client.list("/api/metrics").await?;
        for event in &mut events {
            let id = &event["relationships"]["metric"]["data"]["id"];
            let metric = metrics.iter().find(|metric| metric["id"] == *id);
            event["metric"] = metric.map_or(Value::Null, |metric| metric["attributes"]["name"].clone());
        }
        let exported = json!({
            "profile": {"id": whole["id"].take(), "attributes": whole["attributes"].take()},
            "lists": plain(client.list(&format!("/api/profiles/{id}/lists")).await?),
            "segments": plain(client.list(&format!("/api/profiles/{id}/segments")).await?),
            "segment_history": plain(client.list(&format!("/api/profiles/{id}/segment-history")).await?),
            "events": plain(events),
        });
        output.result(&exported, || vec![serde_json::to_string_pretty(&exported).unwrap_or_default()])?;
        Ok(Outcome::Good)
    }
}

/// Without addresses of the API, which are nobody's data.
fn plain(mut resources: Vec<Value>) -> Value {
    for resource in &mut resources {
        if let Value::Object(members) = resource {
            members.remove("links");
            members.remove("relationships");
        }
    }
    resources.into()
}
