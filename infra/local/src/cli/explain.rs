//! `tillstream explain`.

use clap::Args;

use super::client::{encode, resource};
use super::{Done, Outcome, Remote};

/// `explain`.
#[derive(Args, Debug)]
pub struct Explain {
    #[command(flatten)]
    remote: Remote,
    /// The segment's id.
    segment: String,
    /// The profile's id, or its e-mail address.
    profile: String,
}

impl Explain {
    pub(super) async fn run(self) -> Done {
        let (client, output) = self.remote.open()?;
        let profile = client.profile_id(self.profile).await?;
        let path = format!("/api/segments/{}/explain?profile={}", encode(&self.segment), encode(&profile));
        let explained = resource(client.get(&path).await?)?;
        output.result(&explained, || {
            vec![serde_json::to_string_pretty(&explained["attributes"]).unwrap_or_default()]
        })?;
        Ok(Outcome::Good)
    }
}
