//! How an account is authorised, and what is learnt from it.

use lightspeed::Lightspeed;
use platform::{ClientProof, Connection, Platform};
use serde_json::{Value, json};

use crate::source::{answer, connection};

#[test]
fn the_authorisation_is_lightspeeds_with_a_code_challenge() {
    let oauth = Lightspeed.oauth(&Connection::default()).unwrap();
    assert_eq!(oauth.authorize_url, "https://cloud.lightspeedapp.com/auth/oauth/authorize");
    assert_eq!(oauth.token_url, "https://cloud.lightspeedapp.com/auth/oauth/token");
    assert_eq!(oauth.revoke_url.as_deref(), Some("https://cloud.lightspeedapp.com/auth/oauth/revoke"));
    assert_eq!(
        oauth.scopes,
        ["employee:register_read", "employee:customers_read", "employee:inventory_read"]
    );
    assert_eq!((oauth.scope_separator, oauth.is_pkce, oauth.client_proof), (" ", true, ClientProof::Body));
    let account = oauth.account.unwrap();
    assert_eq!(account.url, "https://api.lightspeedapp.com/API/V3/Account.json");
    let bearer = ("authorization".to_owned(), "Bearer {secret:access_token}".to_owned());
    assert!(account.headers.contains(&bearer));
}

#[test]
fn servers_are_settings_for_proxies_and_tests() {
    let settings = json!({ "auth_url": "http://127.0.0.1:9000/", "api_url": "http://127.0.0.1:9001" });
    let oauth = Lightspeed.oauth(&connection(&settings)).unwrap();
    assert_eq!(oauth.token_url, "http://127.0.0.1:9000/auth/oauth/token");
    assert_eq!(oauth.account.unwrap().url, "http://127.0.0.1:9001/API/V3/Account.json");
}

#[test]
fn the_account_is_learnt_if_there_is_one() {
    let learn = Lightspeed.oauth(&Connection::default()).unwrap().learn;
    let learnt = |body: &Value| learn(&json!({}), Some(&answer(200, body)));
    let account = json!({ "accountID": "120650", "name": "Larch & Linen" });
    let settings = learnt(&json!({ "@attributes": { "count": "1" }, "Account": account })).unwrap();
    assert_eq!(Value::from(settings), json!({ "account_id": "120650" }));
    assert_eq!(learnt(&json!({ "Account": [account] })).unwrap().len(), 1);
    learnt(&json!({ "Account": [account, account] })).unwrap_err();
    learnt(&json!({ "Account": "" })).unwrap_err();
    learnt(&json!({ "Account": { "accountID": "../1" } })).unwrap_err();
    learn(&json!({}), Some(&answer(404, &json!({})))).unwrap_err();
    learn(&json!({}), None).unwrap_err();
}
