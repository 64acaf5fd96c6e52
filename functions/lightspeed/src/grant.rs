//! How an account is authorised.
//! Sources: <https://developers.lightspeedhq.com/retail/authentication/authorization-code-grant/>,
//! <https://developers.lightspeedhq.com/retail/authentication/refresh-token/>,
//! <https://developers.lightspeedhq.com/retail/authentication/scopes/>.

use platform::{ClientProof, Connection, Fetched, OAuth};
use serde_json::{Map, Value};

use crate::api;

const AUTH: &str = "https://cloud.lightspeedapp.com";
const SCOPES: [&str; 3] = ["employee:register_read", "employee:customers_read", "employee:inventory_read"];

pub(crate) fn oauth(connection: &Connection) -> OAuth {
    let server = connection.text("auth_url").unwrap_or(AUTH).trim_end_matches('/');
    let at = |place| format!("{server}/auth/oauth/{place}");
    OAuth {
        authorize_url: at("authorize"),
        authorize_parameters: Vec::new(),
        token_url: at("token"),
        revoke_url: Some(at("revoke")),
        scopes: SCOPES.to_vec(),
        scope_separator: " ",
        is_pkce: true,
        client_proof: ClientProof::Body,
        handed_back: &[],
        account: Some(api::get(format!("{}/API/V3/Account.json", api::base(connection)))),
        learn,
    }
}

/// A token is for one account, which only this answer names.
fn learn(_token: &Value, account: Option<&Fetched>) -> Result<Map<String, Value>, String> {
    let body = api::body(account.ok_or("the account was not asked for")?)?;
    let [account] = api::many(&body["Account"]) else {
        return Err("the answer does not name one account".to_owned());
    };
    let id = api::id(account, "accountID").ok_or("the account has no usable id")?;
    Ok(Map::from_iter([("account_id".to_owned(), Value::from(id))]))
}
