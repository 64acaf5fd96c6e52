//! Requests to Wix's REST API, with either kind of credentials.

use std::time::Duration;

use platform::lenient;
use platform::reading::Silence;
use platform::{ApiRequest, Connection, Fetched};
use serde_json::json;

use crate::payload;

const HOST: &str = "https://www.wixapis.com";
/// For how long a token is used. It lasts for four hours; should Wix end it before, a new one is not far.
const TOKEN_KEPT: Duration = Duration::from_mins(10);

/// How a connection may ask, by its settings; the secrets are put in when the request is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access<'a> {
    /// A key of the site's owner.
    ApiKey { site_id: &'a str },
    /// The app's own credentials, which are exchanged for a token first.
    OAuth { app_id: &'a str, instance_id: &'a str },
}

impl<'a> Access<'a> {
    /// `None` if the settings name neither.
    pub(crate) fn of(connection: &'a Connection) -> Option<Self> {
        if let Some(site_id) = connection.text("site_id") {
            return Some(Self::ApiKey { site_id });
        }
        let (app_id, instance_id) = (connection.text("app_id")?, connection.text("instance_id")?);
        Some(Self::OAuth { app_id, instance_id })
    }
}

/// An address below the API's.
pub(crate) fn url(connection: &Connection, path: &str) -> String {
    let host = connection.text("api_url").unwrap_or(HOST).trim_end_matches('/');
    format!("{host}{path}")
}

/// The request that exchanges the app's credentials for a token.
/// Source: <https://dev.wix.com/docs/rest/app-management/oauth-2/create-access-token>.
pub(crate) fn token_request(connection: &Connection, app_id: &str, instance_id: &str) -> ApiRequest {
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": app_id,
        "client_secret": "{secret:app_secret}",
        "instance_id": instance_id,
    });
    ApiRequest::post(url(connection, "/oauth2/token"), &body).kept_for(TOKEN_KEPT)
}

/// The token in an answer; only what can stand in a header.
pub(crate) fn token(answer: &Fetched) -> Option<String> {
    let token: payload::Token = lenient::object(found(answer)?).ok()?;
    token.access_token.ok().filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// The headers that say who asks: with a token, or with the key of the site's owner.
pub(crate) type Credentials = Vec<(&'static str, String)>;

pub(crate) fn with_token(token: String) -> Credentials {
    vec![("authorization", token)]
}

pub(crate) fn with_key(site_id: &str) -> Credentials {
    vec![("authorization", "{secret:api_key}".to_owned()), ("wix-site-id", site_id.to_owned())]
}

/// A request with its credentials.
pub(crate) fn authorized(request: ApiRequest, credentials: &Credentials) -> ApiRequest {
    credentials.iter().fold(request, |request, (name, value)| request.header(name, value.as_str()))
}

/// The body of an answer that is one.
pub(crate) fn found(answer: &Fetched) -> Option<&[u8]> {
    (200..300).contains(&answer.status).then_some(answer.body.as_slice())
}

/// An id as a part of a path; `None` if it is none that Wix makes.
pub(crate) fn segment(id: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    ((1..=64).contains(&id.len()) && id.bytes().all(plain)).then_some(id)
}

/// What a delivery's reading may ask, and what was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) fetched: &'a [Fetched],
}

impl<'a> Api<'a> {
    /// The answers to requests for these paths, in their order; none without credentials. A reading asks once.
    pub(crate) fn get(&self, paths: &[String]) -> Result<&'a [Fetched], Silence> {
        let Some(access) = Access::of(self.connection) else { return Ok(&[]) };
        let (answers, credentials) = match access {
            Access::ApiKey { site_id } => (self.fetched, with_key(site_id)),
            Access::OAuth { app_id, instance_id } => {
                let Some((first, answers)) = self.fetched.split_first() else {
                    return Err(Silence::Fetch(vec![token_request(self.connection, app_id, instance_id)]));
                };
                // Into the dead letters, to be replayed once the credentials are right.
                let refused = || Silence::Malformed("the API gave no token".to_owned());
                (answers, with_token(token(first).ok_or_else(refused)?))
            }
        };
        if answers.len() >= paths.len() {
            return Ok(answers);
        }
        let request = |path: &String| authorized(ApiRequest::get(url(self.connection, path)), &credentials);
        Err(Silence::Fetch(paths.iter().map(request).collect()))
    }
}
