use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use http::{Method, Request, StatusCode};

use crate::World;

async fn with(world: &World, headers: &[(&str, &str)]) -> StatusCode {
    let request = headers
        .iter()
        .fold(Request::get("/api/profiles"), |request, (name, value)| request.header(*name, *value));
    world.request(request.body(Body::empty()).unwrap()).await.status
}

#[tokio::test]
async fn a_key_lets_in_under_either_scheme_and_nothing_else_does() {
    let world = World::new().await;
    for (header, status) in [
        ("Klaviyo-API-Key pk_test", 200),
        ("klaviyo-api-key  pk_test ", 200),
        ("Bearer pk_test", 200),
        ("Basic pk_test", 401),
        ("pk_test", 401),
        ("Klaviyo-API-Key", 401),
        ("Klaviyo-API-Key ", 401),
        ("Klaviyo-API-Key pk_other", 401),
    ] {
        assert_eq!(with(&world, &[("authorization", header)]).await.as_u16(), status, "{header}");
    }
    assert_eq!(with(&world, &[]).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_key_that_lacks_a_scope_is_refused_before_the_body_is_read() {
    let world = World::new().await;
    world.add_key("pk_reader", &["profiles:read"]).await;
    assert_eq!(with(&world, &[("authorization", "Bearer pk_reader")]).await, StatusCode::OK);
    let unread = Body::from_stream(stream::once(async {
        panic!("the body was read");
        #[allow(unreachable_code, reason = "names the stream's item")]
        Ok::<_, std::io::Error>(Bytes::new())
    }));
    let request = Request::post("/api/profiles").header("authorization", "Bearer pk_reader");
    let reply = world.request(request.body(unread).unwrap()).await;
    assert_eq!(reply.error().0, 403);
    assert_eq!(reply.body["errors"][0]["detail"], "The API key lacks the scope profiles:write.");
}

#[tokio::test]
async fn who_may_not_is_told_so_although_the_body_never_ends() {
    let world = World::new().await;
    world.add_key("pk_reader", &["profiles:read"]).await;
    world.add_limited_key("pk_slow", &["*"], Some("0.001".parse().unwrap())).await;
    let slow = Request::post("/api/profiles").header("authorization", "Bearer pk_slow");
    assert_eq!(world.request(slow.body(Body::empty()).unwrap()).await.error().0, 400);
    for (key, status) in [("pk_none", 401), ("pk_reader", 403), ("pk_slow", 429)] {
        for scheme in ["Klaviyo-API-Key", "Bearer"] {
            let endless = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
            let request = Request::post("/api/profiles").header("authorization", format!("{scheme} {key}"));
            let answer = world.request(request.body(endless).unwrap());
            let reply = tokio::time::timeout(Duration::from_secs(10), answer).await.unwrap();
            assert_eq!(reply.error().0, status, "{scheme} {key}");
        }
    }
}

#[tokio::test]
async fn writing_does_not_imply_reading_and_full_is_both() {
    let world = World::new().await;
    for (scope, reads, writes) in [
        ("lists:read", 200, 403),
        ("lists:write", 403, 201),
        ("lists:full", 200, 201),
        ("*", 200, 201),
        ("list:full", 403, 403),
    ] {
        world.add_key(scope, &[scope]).await;
        let list = r#"{"data":{"type":"list","attributes":{"name":"News"}}}"#;
        for (method, body, status) in [(Method::GET, "", reads), (Method::POST, list, writes)] {
            let request = Request::builder().method(method).uri("/api/lists");
            let request = request.header("authorization", format!("Bearer {scope}"));
            let reply = world.request(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(reply.status.as_u16(), status, "{scope}: {}", reply.body);
        }
    }
}

#[tokio::test]
async fn a_known_key_is_not_asked_for_again_until_a_minute_has_passed() {
    let world = World::new().await;
    world.add_key("pk_short", &["profiles:read"]).await;
    let headers = [("authorization", "Bearer pk_short")];
    assert_eq!(with(&world, &headers).await, StatusCode::OK);
    world.add_key("pk_short", &[]).await;
    world.pass(59_000);
    assert_eq!(with(&world, &headers).await, StatusCode::OK);
    world.pass(1_000);
    assert_eq!(with(&world, &headers).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_revision_is_a_date_or_absent() {
    let world = World::new().await;
    for (revision, status) in [
        ("2026-07-15", 200),
        ("2024-02-15", 200),
        ("2026-07-15.pre", 200),
        ("latest", 400),
        ("2026-13-01", 400),
    ] {
        let headers = [("authorization", "Bearer pk_test"), ("revision", revision)];
        assert_eq!(with(&world, &headers).await.as_u16(), status, "{revision}");
    }
    assert_eq!(with(&world, &[("authorization", "Bearer pk_test")]).await, StatusCode::OK);
}
