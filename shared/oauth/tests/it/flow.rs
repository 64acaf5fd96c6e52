//! From the link to the grant.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth::{Begun, Grants, Problem};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::server::parameters;
use crate::{SHOP, Stage, denied};

const REDIRECT: &str = "https://api.example.com/oauth/anyshop/callback";

/// What a browser has after the start: the address it was sent to, and the state in it.
async fn begin(stage: &Stage, grants: &Grants, ticket: &str) -> (Begun, String) {
    let connection = grants.linked(ticket).await.unwrap();
    let begun = grants.begin(ticket, &connection, &stage.server.oauth(), REDIRECT).await.unwrap();
    let query = parameters(begun.location.split_once('?').unwrap().1);
    (begun, query["state"].clone())
}

#[tokio::test]
async fn a_link_leads_to_the_platform_and_back_to_a_grant() {
    let stage = Stage::open().await;
    let grants = stage.process();
    let link = grants.link(SHOP).await.unwrap();
    let (begun, state) = begin(&stage, &grants, &link.ticket).await;
    assert!(begun.location.starts_with(&stage.server.url("/authorize?region=eu&")), "{}", begun.location);
    let asked = parameters(begun.location.split_once('?').unwrap().1);
    for (name, value) in [
        ("region", "eu"),
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", REDIRECT),
        ("scope", "sales customers"),
        ("prompt", "consent"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value);
    }
    assert_eq!(begun.cookie_name, oauth::cookie_name(&state));
    let callback = grants.recall(&state, Some(&begun.cookie));
    let callback = callback.await.unwrap();
    assert_eq!(callback.connection, SHOP);
    let oauth = stage.server.oauth();
    let outcome = grants.exchange(&callback, &oauth, "code-1", &[], &stage.fetcher()).await;
    let outcome = outcome.ok().unwrap();
    assert_eq!(outcome.settings["account_id"], "77");
    let (form, _) = stage.server.last_asked();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    assert_eq!(
        (challenge.as_str(), form["redirect_uri"].as_str()),
        (asked["code_challenge"].as_str(), REDIRECT)
    );
    stage.assert_no_secret_in_tables();
    grants.accept(outcome).await.unwrap();
    assert_eq!(stage.get(&grants).await.unwrap(), "access-1");
    assert_eq!(stage.world.grant(SHOP).unwrap()["scopes"], json!(["sales", "customers"]));
    // Neither the callback nor the link is good for another time.
    let again = grants.exchange(&callback, &oauth, "code-2", &[], &stage.fetcher()).await;
    assert_eq!(again.err(), Some(Problem::Callback));
    assert_eq!(grants.linked(&link.ticket).await, Err(Problem::Link));
}

#[tokio::test]
async fn only_the_browser_that_asked_in_time_gets_further() {
    let stage = Stage::open().await;
    let grants = stage.process();
    let link = grants.link(SHOP).await.unwrap();
    let (begun, state) = begin(&stage, &grants, &link.ticket).await;
    let with = |value| grants.recall(&state, value);
    assert_eq!(with(None).await.err(), Some(Problem::Browser));
    assert_eq!(with(Some("guess")).await.err(), Some(Problem::Browser));
    assert!(with(Some(&begun.cookie)).await.is_ok());
    let unknown = grants.recall("unknown", Some(&begun.cookie)).await;
    assert_eq!(unknown.err(), Some(Problem::Callback));
    stage.minutes(10);
    assert_eq!(with(Some(&begun.cookie)).await.err(), Some(Problem::Callback));
    assert!(grants.linked(&link.ticket).await.is_ok());
    stage.minutes(50);
    assert_eq!(grants.linked(&link.ticket).await, Err(Problem::Link));
}

#[tokio::test]
async fn parameters_that_the_platform_wants_back_go_with_the_code() {
    let stage = Stage::open().await;
    let grants = stage.process();
    let oauth = platform::OAuth {
        handed_back: &["context", "scope"],
        is_pkce: false,
        account: None,
        learn: |token, _| Ok(serde_json::Map::from_iter([("store".to_owned(), token["context"].clone())])),
        ..stage.server.oauth()
    };
    // BigCommerce names no kind of token.
    stage
        .server
        .say(json!({"context": "stores/abc", "token_type": null, "expires_in": null, "refresh_token": null}));
    for (context, is_complete) in [(Some("stores/abc"), true), (None, false)] {
        let link = grants.link(SHOP).await.unwrap();
        let (begun, state) = begin(&stage, &grants, &link.ticket).await;
        let callback = grants.recall(&state, Some(&begun.cookie)).await.unwrap();
        let context = context.map(|context: &str| ("context", context.to_owned()));
        let given: Vec<_> = context.into_iter().chain([("scope", "read write".to_owned())]).collect();
        let outcome = grants.exchange(&callback, &oauth, "code-1", &given, &stage.fetcher()).await;
        assert_eq!(outcome.is_ok(), is_complete);
        if let Ok(outcome) = outcome {
            assert_eq!(outcome.settings["store"], "stores/abc");
            let (form, _) = stage.server.last_asked();
            assert_eq!((form["context"].as_str(), form["scope"].as_str()), ("stores/abc", "read write"));
            assert!(!form.contains_key("code_verifier"));
            grants.accept(outcome).await.unwrap();
        }
    }
    assert_eq!(stage.server.asked(), 1);
    assert_eq!(stage.world.grant(SHOP).unwrap().get("expires_at"), None);
}

#[tokio::test]
async fn a_new_grant_heals_a_connection_and_takes_the_place_of_whoever_renews_the_old_one() {
    let stage = Stage::authorized().await;
    stage.server.end_all();
    stage.minutes(60);
    let grants = stage.process();
    denied(stage.get(&grants).await);
    assert!(!stage.last_error().await.is_empty());
    let link = grants.link(SHOP).await.unwrap();
    let (begun, state) = begin(&stage, &grants, &link.ticket).await;
    // The link can be opened again after a refusal.
    let callback = grants.recall(&state, Some(&begun.cookie)).await.unwrap();
    assert_eq!(grants.decline(&callback, "access_denied").await.unwrap(), Problem::Declined);
    assert!(grants.recall(&state, Some(&begun.cookie)).await.is_err());
    let (begun, state) = begin(&stage, &grants, &link.ticket).await;
    let callback = grants.recall(&state, Some(&begun.cookie)).await.unwrap();
    let oauth = stage.server.oauth();
    let outcome = grants.exchange(&callback, &oauth, "code-1", &[], &stage.fetcher()).await;
    grants.accept(outcome.ok().unwrap()).await.unwrap();
    assert_eq!(stage.get(&grants).await.unwrap(), stage.kept());
    assert_eq!(stage.last_error().await, "");
    stage.minutes(56);
    assert_eq!(stage.call(&stage.get(&grants).await.unwrap()).await, 200);
}
