//! How an app is authorised by a store's owner.
//! Source: <https://developer.bigcommerce.com/docs/integrations/apps/guide/auth>.

use platform::{ClientProof, Fetched, OAuth};
use serde_json::{Map, Value};

use crate::api::is_word;

/// What a store's owner is asked for.
const SCOPES: [&str; 6] = [
    "store_v2_orders_read_only",
    "store_v2_transactions_read_only",
    "store_v2_customers_read_only",
    "store_v2_products_read_only",
    "store_cart",
    "store_v2_information_read_only",
];

pub(crate) fn oauth() -> OAuth {
    OAuth {
        authorize_url: "https://login.bigcommerce.com/oauth2/authorize".to_owned(),
        authorize_parameters: Vec::new(),
        token_url: "https://login.bigcommerce.com/oauth2/token".to_owned(),
        revoke_url: None,
        scopes: SCOPES.into(),
        scope_separator: " ",
        is_pkce: false,
        client_proof: ClientProof::Body,
        handed_back: &["scope", "context"],
        account: None,
        learn,
    }
}

/// Which store it is: the token's answer names it as `stores/{store_hash}`.
fn learn(token: &Value, _account: Option<&Fetched>) -> Result<Map<String, Value>, String> {
    let context = token.get("context").and_then(Value::as_str).unwrap_or_default();
    let store = context.strip_prefix("stores/").filter(|store| is_word(store));
    let store = store.ok_or("the grant names no store")?;
    Ok(Map::from_iter([("store_hash".to_owned(), store.into())]))
}
