//! `tillstream keys`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{encode, resource};
use super::output::shown;
use super::{Done, Outcome, Remote};

/// `keys`.
#[derive(Subcommand, Debug)]
pub enum Keys {
    /// Makes a key and prints it, once.
    Create(Create),
    /// Who may ask for what.
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Takes a key back: within a minute it is of no use any more.
    Revoke(Revoke),
}

/// `keys create`.
#[derive(Args, Debug)]
pub struct Create {
    #[command(flatten)]
    remote: Remote,
    /// What it is for.
    name: String,
    /// What it may do: events:write, events:read, events:full (both), or '*' for everything; may be repeated.
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
    /// How often it may ask: a factor of the limits, or unlimited; as everybody if absent.
    #[arg(long)]
    limit: Option<String>,
}

/// `keys revoke`.
#[derive(Args, Debug)]
pub struct Revoke {
    #[command(flatten)]
    remote: Remote,
    /// The key's id, as `keys list` shows it.
    id: String,
}

impl Keys {
    pub(super) async fn run(self) -> Done {
        match self {
            Self::Create(create) => create.run().await,
            Self::List { remote } => list(&remote).await,
            Self::Revoke(revoke) => revoke.run().await,
        }
    }
}

impl Create {
    async fn run(self) -> Done {
        let attributes = json!({"name": self.name, "scopes": self.scopes, "limit": self.limit});
        let body = json!({"data": {"type": "api-key", "attributes": attributes}});
        let (client, output) = self.remote.open()?;
        let made = resource(client.send(Method::POST, "/api/api-keys", &body).await?)?;
        output.result(&made, || vec![shown(&made["attributes"]["key"])])?;
        Ok(Outcome::Good)
    }
}

async fn list(remote: &Remote) -> Done {
    let (client, output) = remote.open()?;
    let keys = client.list("/api/api-keys").await?;
    let line = |key: &Value| {
        let attributes = &key["attributes"];
        let scopes = attributes["scopes"].as_array().into_iter().flatten().map(shown);
        let limit = match &attributes["limit"] {
            Value::Null => "limits as everybody".to_owned(),
            limit if limit == "unlimited" => "unlimited".to_owned(),
            factor => format!("limits times {}", shown(factor)),
        };
        let [id, name, created] = [&key["id"], &attributes["name"], &attributes["created"]].map(shown);
        format!("{id}  {created}  {name}  {limit}  {}", scopes.collect::<Vec<_>>().join(" "))
    };
    output.result(&keys.clone().into(), || keys.iter().map(line).collect())?;
    Ok(Outcome::Good)
}

impl Revoke {
    async fn run(self) -> Done {
        let (client, output) = self.remote.open()?;
        client.send(Method::DELETE, &format!("/api/api-keys/{}", encode(&self.id)), &json!({})).await?;
        output.result(&json!({"id": self.id}), || vec![format!("{} is revoked", self.id)])?;
        Ok(Outcome::Good)
    }
}
