//! Grants against a platform that behaves as Lightspeed's does: it issues a new pair for a refresh token, and takes the
//! old refresh token until the new access token is first used.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod flow;
mod lifecycle;
mod races;
mod server;

use std::collections::BTreeMap;

use fetch::{Client, Error, Fetcher};
use jiff::Timestamp;
use oauth::Grants;
use platform::{ApiRequest, SecretStore, Secrets};
use serde_json::json;
use testing::{SECRETS_PATH, World};

use crate::server::Server;

const SHOP: &str = "C1";
const MINUTE_MS: i64 = 60_000;

/// The tables, the parameters, a platform, and a clock that all go by.
struct Stage {
    world: World,
    server: Server,
}

impl Stage {
    async fn open() -> Self {
        let world = World::start().await;
        world.put_secrets(
            SHOP,
            &json!({"client_id": {"current": "app"}, "client_secret": {"current": "app-secret"}}),
        );
        let server = Server::open(world.clock()).await;
        Self { world, server }
    }

    /// With a grant that was just made and lasts for an hour.
    async fn authorized() -> Self {
        let stage = Self::open().await;
        let (access, refresh) = stage.server.issue();
        stage.world.put_grant(SHOP, &stage.grant(&access, Some(&refresh)));
        stage
    }

    fn grant(&self, access: &str, refresh: Option<&str>) -> serde_json::Value {
        let now_ms = self.world.now().as_millis();
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap().to_string();
        json!({
            "access_token": access, "refresh_token": refresh, "scopes": ["sales"],
            "obtained_at": at(now_ms), "expires_at": at(now_ms + 60 * MINUTE_MS),
        })
    }

    /// A process of its own: it remembers nothing of the others.
    fn process(&self) -> Grants {
        let secrets = SecretStore::new(self.world.clients.ssm.clone(), SECRETS_PATH);
        let client = Client::new(&self.world.config());
        Grants::new(secrets, self.world.function_store(), client, self.world.clock())
    }

    fn fetcher(&self) -> Fetcher {
        Fetcher::new(&self.world.config(), self.world.clock())
    }

    async fn get(&self, grants: &Grants) -> Result<String, Error> {
        grants.get(SHOP, Some(self.server.oauth())).await.map(|secrets| token(&secrets))
    }

    /// Makes a request to the platform's API; its status.
    async fn call(&self, token: &str) -> u16 {
        let mut secrets = Secrets::default();
        secrets.rotate("access_token", token.to_owned());
        let request = ApiRequest::get(self.server.url("/api/Account.json"))
            .header("authorization", "Bearer {secret:access_token}");
        match self.fetcher().fetch(SHOP, &request, &secrets).await {
            Ok(fetched) => fetched.status,
            Err(Error::Denied { .. }) => 401,
            Err(error) => panic!("{error}"),
        }
    }

    fn minutes(&self, minutes: i64) {
        self.world.pass(minutes * MINUTE_MS);
    }

    fn kept(&self) -> String {
        self.world.grant(SHOP).unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    fn has_ended(&self) -> bool {
        self.world.grant(SHOP).unwrap().get("ended_at").is_some()
    }

    async fn last_error(&self) -> String {
        let health = self.world.store.health(SHOP).await.unwrap();
        health.last_error.map(|(_, text)| text).unwrap_or_default()
    }

    /// Nothing that is kept in a table holds a secret.
    fn assert_no_secret_in_tables(&self) {
        let items: BTreeMap<_, _> = self.world.items("registry");
        let text = format!("{items:?}");
        for secret in ["app-secret", "access-", "refresh-", "code-"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

fn token(secrets: &Secrets) -> String {
    secrets.valid("access_token").next().unwrap_or_default().to_owned()
}

#[track_caller]
fn denied<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::Denied { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn later<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (String, Option<u64>) {
    match outcome {
        Err(Error::Later { reason, after }) => (reason, after.map(|after| after.as_secs())),
        other => panic!("{other:?}"),
    }
}
