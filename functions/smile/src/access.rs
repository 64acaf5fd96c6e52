//! Requests to Smile's API, and how a connection is authorised.

use std::time::Duration;

use platform::{ApiRequest, Connection};
use platform::{ClientProof, OAuth, learn_nothing};

/// The documented hosts.
pub(crate) const API_URL: &str = "https://api.smile.io/v1";
pub(crate) const AUTH_URL: &str = "https://connect.smile.io/oauth2";
/// What Smile takes of one token: its answers do not say what is left.
const REQUESTS: u32 = 10;
const PER: Duration = Duration::from_secs(1);
/// For how long tiers are kept, and customers that were just asked for.
const TIERS_KEPT: Duration = Duration::from_hours(1);
const CUSTOMER_KEPT: Duration = Duration::from_mins(5);

fn address<'a>(connection: &'a Connection, setting: &str, default: &'a str) -> Option<&'a str> {
    let address = connection.text(setting).unwrap_or(default).trim_end_matches('/');
    let http = address.starts_with("https://") || address.starts_with("http://");
    http.then_some(address)
}

/// Whether the connection has credentials and wants Smile to be asked.
pub(crate) fn is_asked(connection: &Connection) -> bool {
    connection.flag("poll", true)
}

/// The API of one account.
pub(crate) struct Api<'a> {
    host: &'a str,
    authorization: &'static str,
}

impl<'a> Api<'a> {
    /// `None` if the connection's setting is no address.
    pub(crate) fn of(connection: &'a Connection) -> Option<Self> {
        let host = address(connection, "api_url", API_URL)?;
        let authorization = match connection.text("credentials") {
            Some("api_key") => "Bearer {secret:api_key}",
            _ => "Bearer {secret:access_token}",
        };
        Some(Self { host, authorization })
    }

    pub(crate) fn get(&self, path: &str) -> ApiRequest {
        let request = ApiRequest::get(format!("{}/{path}", self.host));
        request.header("authorization", self.authorization).paced(REQUESTS, PER)
    }

    /// All VIP tiers: they have names and milestones that customers only refer to.
    pub(crate) fn tiers(&self) -> ApiRequest {
        self.get("vip_tiers").kept_for(TIERS_KEPT)
    }

    /// One customer; the id must have been looked at by [`is_id`].
    pub(crate) fn customer(&self, id: &str) -> ApiRequest {
        self.get(&format!("customers/{id}?include=vip_status"))
    }

    /// One customer whose address alone is wanted.
    pub(crate) fn member(&self, id: &str) -> ApiRequest {
        self.customer(id).kept_for(CUSTOMER_KEPT)
    }
}

/// An id that may become a part of an address: digits.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// How an app is authorised. Whether tokens end, and whether there are refresh tokens, is left to the answer.
pub(crate) fn oauth(connection: &Connection) -> Option<OAuth> {
    if connection.text("credentials") == Some("api_key") {
        return None;
    }
    let host = address(connection, "auth_url", AUTH_URL)?;
    Some(OAuth {
        authorize_url: format!("{host}/authorize"),
        authorize_parameters: Vec::new(),
        token_url: format!("{host}/token"),
        revoke_url: None,
        scopes: vec!["customer:read", "points_transaction:read", "reward_fulfillment:read", "vip_tier:read"],
        scope_separator: " ",
        is_pkce: false,
        client_proof: ClientProof::Basic,
        handed_back: &[],
        account: None,
        learn: learn_nothing,
    })
}
