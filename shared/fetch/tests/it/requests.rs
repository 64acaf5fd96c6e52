//! What is sent.

use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use fetch::Error;
use platform::{ApiRequest, Authorization};
use serde_json::json;

use crate::{NOW_MS, Shop, answer};

type Heads = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// Notes requests without their bodies.
fn recorder(heads: &Heads) -> impl Fn(Request) -> Response + Clone + Send + Sync + 'static {
    let heads = Arc::clone(heads);
    move |request| {
        heads.lock().unwrap().push((request.method().to_string(), request.headers().clone()));
        // The body comes back.
        answer(200, &[], request.into_body())
    }
}

#[tokio::test]
async fn secrets_are_put_into_headers_and_the_body() {
    let heads = Heads::default();
    let shop = Shop::open(recorder(&heads)).await;
    let request = ApiRequest::post(shop.url("/"), &json!({"token": "{secret:token}"}))
        .header("X-Auth-Token", "{secret:token}")
        .header("x-plain", "as it is");
    let fetched = shop.ask("C1", &request).await.unwrap();
    assert_eq!(fetched.body, br#"{"token":"s3cret"}"#);
    let (method, headers) = heads.lock().unwrap()[0].clone();
    assert_eq!(method, "POST");
    for (name, value) in [
        ("x-auth-token", "s3cret"),
        ("x-plain", "as it is"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("user-agent", concat!("tillstream/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn basic_authorization_holds_the_secrets() {
    let heads = Heads::default();
    let shop = Shop::open(recorder(&heads)).await;
    shop.ask("C1", &ApiRequest::get(shop.url("/")).basic("ck", "{secret:token}")).await.unwrap();
    // printf ck:s3cret | base64
    assert_eq!(heads.lock().unwrap()[0].1["authorization"], "Basic Y2s6czNjcmV0");
}

#[tokio::test]
async fn oauth_signs_each_request_anew_with_the_clock_s_time() {
    let heads = Heads::default();
    let shop = Shop::open(recorder(&heads)).await;
    let authorization = Authorization::OAuth1 {
        consumer_key: "ck".to_owned(),
        consumer_secret: "{secret:token}".to_owned(),
        token: "tk".to_owned(),
        token_secret: "{secret:token}".to_owned(),
    };
    let request = ApiRequest { authorization, ..ApiRequest::get(shop.url("/?a=1")) };
    for _ in 0..2 {
        shop.ask("C1", &request).await.unwrap();
    }
    let headers: Vec<String> = heads
        .lock()
        .unwrap()
        .iter()
        .map(|(_, headers)| headers["authorization"].to_str().unwrap().to_owned())
        .collect();
    assert_ne!(headers[0], headers[1]);
    for header in headers {
        let time = format!("oauth_timestamp=\"{}\"", NOW_MS / 1000);
        assert!(header.starts_with("OAuth oauth_consumer_key=\"ck\"") && header.contains(&time), "{header}");
        assert!(!header.contains("s3cret"), "{header}");
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_made_reaches_nobody() {
    let shop = Shop::open(|_| answer(200, &[], "")).await;
    let get = || ApiRequest::get(shop.url("/"));
    for (request, reason) in [
        (get().header("x-token", "{secret:nope}"), "the connection has no secret \"nope\""),
        (get().basic("{secret:nope}", ""), "the connection has no secret \"nope\""),
        (ApiRequest::get(shop.url("/?key={secret:nope}")), "the connection has no secret \"nope\""),
        (get().header("x token", "1"), "the request's header \"x token\" is not valid"),
        (get().header("x-token", "a\nb"), "the request's header \"x-token\" is not valid"),
        (ApiRequest { method: "GE T".to_owned(), ..get() }, "the request's method is not valid"),
    ] {
        assert_eq!(shop.ask("C1", &request).await, Err(Error::Never { reason: reason.to_owned() }));
    }
    assert_eq!(shop.requests(), 0);
}
