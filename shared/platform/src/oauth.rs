//! What an adapter says about the authorisation of its connections in a browser (OAuth 2.0, authorization code).

use serde_json::{Map, Value};

use crate::adapter::{ApiRequest, Fetched};

/// Where and how a connection is authorised. The application's own `client_id` and `client_secret` are secrets of the
/// connection; what is granted becomes its secret `access_token`, which requests name as `{secret:access_token}`.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// Where the owner is asked.
    pub authorize_url: String,
    /// Further parameters of that address.
    pub authorize_parameters: Vec<(&'static str, String)>,
    /// Where the code becomes tokens, and a refresh token the next pair.
    pub token_url: String,
    /// Where a grant is given back, if there is such a place (RFC 7009).
    pub revoke_url: Option<String>,
    /// What is asked for.
    pub scopes: Vec<&'static str>,
    /// What stands between scopes: a space by the standard, a comma elsewhere.
    pub scope_separator: &'static str,
    /// Whether a code challenge (PKCE, S256) is sent.
    pub is_pkce: bool,
    /// How the application proves itself at `token_url`.
    pub client_proof: ClientProof,
    /// Parameters of the callback that the platform wants back with the code.
    pub handed_back: &'static [&'static str],
    /// What is asked with the fresh token to learn which account it is; its answer goes to `learn`.
    pub account: Option<ApiRequest>,
    /// Reads settings that the grant decides, such as the account's id: from the token's answer and, if `account` is
    /// set, from the account's. An error is a text without content.
    pub learn: Learn,
}

/// Reads what a grant decides: see [`OAuth::learn`].
pub type Learn = fn(token: &Value, account: Option<&Fetched>) -> Result<Map<String, Value>, String>;

/// How an application proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProof {
    /// HTTP Basic (RFC 6749, 2.3.1).
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
}

/// For grants that decide no setting.
pub fn learn_nothing(_token: &Value, _account: Option<&Fetched>) -> Result<Map<String, Value>, String> {
    Ok(Map::new())
}
