//! `tillstream explain`.

use clap::Args;

use super::client::{encode, resource};
use super::{Done, Failure, Outcome, Remote};

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
        let profile = if self.profile.contains('@') {
            if self.profile.contains(['\'', '"', '\\']) {
                return Err(Failure::Usage("that is no e-mail address".to_owned()));
            }
            let filter = encode(&format!("equals(email,'{}')", self.profile));
            let found = client.list(&format!("/api/profiles?filter={filter}")).await?;
            let id = found.first().and_then(|profile| profile["id"].as_str()).map(str::to_owned);
            id.ok_or_else(|| anyhow::anyhow!("nobody has this address"))?
        } else {
            self.profile
        };
        let path = format!("/api/segments/{}/explain?profile={}", encode(&self.segment), encode(&profile));
        let explained = resource(client.get(&path).await?)?;
        output.result(&explained, || {
            vec![serde_json::to_string_pretty(&explained["attributes"]).unwrap_or_default()]
        })?;
        Ok(Outcome::Good)
    }
}
