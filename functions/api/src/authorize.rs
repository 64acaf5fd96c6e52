//! Authorising connections at their platforms: what a key may do about it. The rest happens in a browser.

use fetch::Fetcher;
use http::StatusCode;
use oauth::{Grants, digest};
use platform::{Connection, OAuth, Platform};
use serde_json::{Map, Value, json};
use store::ConnectionRecord;

use crate::Api;
use crate::document::{Answer, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::request::{Asked, encode};
use crate::shapes;

/// What authorising takes.
#[derive(Debug)]
pub struct Authorizing {
    /// Keeps grants.
    pub grants: Grants,
    /// Asks platforms whose account it is.
    pub fetcher: Fetcher,
}

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::post("authorize_connection", "/api/connections/{id}/authorize", &["connections:write"])
        .limited(Tier::Medium)
        .gives_one::<shapes::Authorization>(201, "connection-authorization")
        .by(|call| Box::pin(call.api.authorize_connection(call.asked, call.id))),
    Operation::delete("revoke_connection", "/api/connections/{id}/authorize", &["connections:write"])
        .limited(Tier::Medium)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.revoke_connection(call.id))),
];

impl Api {
    /// `POST /api/connections/{id}/authorize`.
    pub(crate) async fn authorize_connection(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let connection = self.connection_by_id(id).await?;
        let Some((platform, _)) = self.oauth_of(&connection) else {
            let detail =
                "This connection is not authorised in a browser, or its settings do not say yet where.";
            return Err(ApiError::conflict("not_authorizable", detail));
        };
        if !connection.secret_names.iter().any(|name| name == "client_id") {
            let detail = "The connection has no secret 'client_id': the application's own at the platform.";
            return Err(ApiError::conflict("client_missing", detail));
        }
        let link = self.authorizing()?.grants.link(id).await?;
        let ticket = encode(&link.ticket);
        let resource = json!({
            "type": "authorization",
            // The ticket is a secret; what it is kept by is not.
            "id": format!("{:.26}", digest(&link.ticket)),
            "attributes": {
                "url": format!("{}/oauth/{}/start?ticket={ticket}", asked.base, platform.name()),
                "expires": time(link.expires_at),
            },
        });
        Ok(Answer::created(single(asked, resource, None)))
    }

    /// `DELETE /api/connections/{id}/authorize`.
    pub(crate) async fn revoke_connection(&self, id: &str) -> ApiResult<Answer> {
        let connection = self.connection_by_id(id).await?;
        self.give_back(&connection).await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// Gives back what was granted to a connection, if it is one of those.
    pub(crate) async fn give_back(&self, connection: &ConnectionRecord) -> ApiResult<()> {
        if let Some(authorizing) = &self.authorizing {
            let oauth = self.oauth_of(connection).map(|(_, oauth)| oauth);
            let returned = authorizing.grants.give_back(&connection.id, oauth.as_ref()).await;
            let returned = returned.map_err(ApiError::unavailable)?;
            tracing::info!(connection = connection.id, ?returned, "grant given back");
        }
        Ok(())
    }

    /// What is shown of a connection's authorisation, if it is one that has one.
    pub(crate) fn oauth_attribute(&self, asked: &Asked, connection: &ConnectionRecord) -> Option<Value> {
        let (platform, _) = self.oauth_of(connection)?;
        Some(json!({"redirect_uri": redirect_uri(asked, platform)}))
    }

    /// How the grant of a connection is.
    pub(crate) async fn grant_of(&self, id: &str) -> ApiResult<Map<String, Value>> {
        let status = self.authorizing()?.grants.status(id).await?;
        let fields = json!({
            "authorized": status.as_ref().is_some_and(|status| status.is_authorized),
            "expires": status.as_ref().and_then(|status| status.expires_at).map(time),
            "scopes": status.map(|status| status.scopes).unwrap_or_default(),
        });
        match fields {
            Value::Object(fields) => Ok(fields),
            _ => Ok(Map::new()),
        }
    }

    pub(crate) fn authorizing(&self) -> ApiResult<&Authorizing> {
        self.authorizing.as_ref().ok_or_else(|| ApiError::unavailable("this API authorises nobody"))
    }

    /// How a connection is authorised.
    pub(crate) fn oauth_of(&self, connection: &ConnectionRecord) -> Option<(&'static dyn Platform, OAuth)> {
        let platform = self.platform(&connection.platform)?;
        let oauth = platform.oauth(&Connection {
            id: connection.id.clone(),
            platform: connection.platform.clone(),
            settings: connection.settings.clone(),
        })?;
        Some((platform, oauth))
    }
}

/// Where a platform sends the browser back to: must be registered there.
pub(crate) fn redirect_uri(asked: &Asked, platform: &dyn Platform) -> String {
    format!("{}/oauth/{}/callback", asked.base, platform.name())
}
