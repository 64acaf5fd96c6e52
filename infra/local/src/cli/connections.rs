//! `tillstream connections`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::{encode, resource};
use super::output::shown;
use super::{Done, Failure, Outcome, Remote, secret};

/// `connections`.
#[derive(Subcommand, Debug)]
pub enum Connections {
    /// Connects a shop.
    Add(Add),
    /// Lists what is connected.
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Asks the platform whether the connection works.
    Test(One),
    /// Stops taking deliveries.
    Disable(One),
    /// Takes deliveries again.
    Enable(One),
}

/// A new connection.
#[derive(Args, Debug)]
pub struct Add {
    #[command(flatten)]
    remote: Remote,
    /// The platform: see GET /api/platforms.
    platform: String,
    /// What the connection is called; the platform's name if absent.
    #[arg(long)]
    name: Option<String>,
    /// A setting as JSON; what is no JSON is text. May be repeated.
    #[arg(long = "setting", value_name = "NAME=JSON")]
    settings: Vec<String>,
    /// A secret, read from a file (NAME=@FILE), standard input (NAME=-) or the environment (NAME=env:VARIABLE).
    /// May be repeated.
    #[arg(long = "secret", value_name = "NAME=SOURCE")]
    secrets: Vec<String>,
}

/// A connection.
#[derive(Args, Debug)]
pub struct One {
    #[command(flatten)]
    remote: Remote,
    /// The connection's id.
    id: String,
}

impl Connections {
    pub(super) async fn run(self) -> Done {
        match self {
            Self::Add(add) => add.run().await,
            Self::List { remote } => list(&remote).await,
            Self::Test(one) => one.test().await,
            Self::Disable(one) => one.enable(false).await,
            Self::Enable(one) => one.enable(true).await,
        }
    }
}

impl Add {
    async fn run(self) -> Done {
        let mut settings = Map::new();
        for setting in &self.settings {
            let (name, text) = setting.split_once('=').ok_or_else(|| {
                Failure::Usage(format!("the setting {setting} is not of the form NAME=JSON"))
            })?;
            let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
            settings.insert(name.to_owned(), value);
        }
        if self.secrets.iter().filter(|secret| secret.ends_with("=-")).count() > 1 {
            return Err(Failure::Usage("only one secret can come from standard input".to_owned()));
        }
        let mut secrets = Map::new();
        for argument in &self.secrets {
            let (name, value) = secret::named(argument)?;
            secrets.insert(name, value.into());
        }
        let name = self.name.as_deref().unwrap_or(&self.platform);
        let attributes =
            json!({"platform": self.platform, "name": name, "settings": settings, "secrets": secrets});
        let body = json!({"data": {"type": "connection", "attributes": attributes}});
        let (client, output) = self.remote.open()?;
        let made = resource(client.send(Method::POST, "/api/connections", &body).await?)?;
        output.result(&made, || {
            let webhook_url = shown(&made["attributes"]["webhook_url"]);
            vec![format!("connection  {}", shown(&made["id"])), format!("webhooks to {webhook_url}")]
        })?;
        Ok(Outcome::Good)
    }
}

async fn list(remote: &Remote) -> Done {
    let (client, output) = remote.open()?;
    let connections = client.list("/api/connections").await?;
    let line = |connection: &Value| {
        let attributes = &connection["attributes"];
        let status = &attributes["health"]["status"];
        let fields = [&connection["id"], &attributes["platform"], status, &attributes["name"]];
        fields.map(shown).join("  ")
    };
    output.result(&connections.clone().into(), || connections.iter().map(line).collect())?;
    Ok(Outcome::Good)
}

impl One {
    fn path(&self) -> String {
        format!("/api/connections/{}", encode(&self.id))
    }

    async fn test(self) -> Done {
        let (client, output) = self.remote.open()?;
        let tested = client.send(Method::POST, &format!("{}/test", self.path()), &json!({})).await?;
        let tested = resource(tested)?;
        let attributes = &tested["attributes"];
        let ok = attributes["ok"] == true;
        output.result(&tested, || {
            let verdict = if ok { "works" } else { "does not work" };
            vec![format!("{} {verdict}: {}", self.id, shown(&attributes["detail"]))]
        })?;
        Ok(if ok { Outcome::Good } else { Outcome::Bad })
    }

    async fn enable(self, enabled: bool) -> Done {
        let (client, output) = self.remote.open()?;
        let attributes = json!({"enabled": enabled});
        let body = json!({"data": {"type": "connection", "id": self.id, "attributes": attributes}});
        let changed = resource(client.send(Method::PATCH, &self.path(), &body).await?)?;
        output.result(&changed, || {
            let done = if enabled { "enabled" } else { "disabled" };
            vec![format!("{} is {done}", self.id)]
        })?;
        Ok(Outcome::Good)
    }
}
