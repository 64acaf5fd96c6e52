use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::{Reply, World};

fn key(name: &str, scopes: &[&str], limit: Value) -> Value {
    json!({"data": {"type": "api-key", "attributes": {"name": name, "scopes": scopes, "limit": limit}}})
}

async fn with(world: &World, key: &str, method: Method, path: &str, body: Value) -> Reply {
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {key}"));
    world.request(request.body(Body::from(body.to_string())).unwrap()).await
}

fn secret(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    reply.body["data"]["attributes"]["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_made_told_once_used_listed_and_revoked() {
    let world = World::new().await;
    let made = world.post("/api/api-keys", key("Shop", &["lists:read", "lists:read"], json!("2.0"))).await;
    let secret = secret(&made);
    assert!(secret.starts_with("pk_") && secret.len() == 35, "{secret}");
    assert_eq!(with(&world, &secret, Method::GET, "/api/lists", Value::Null).await.status, StatusCode::OK);
    let refused = with(&world, &secret, Method::GET, "/api/profiles", Value::Null).await;
    assert_eq!(refused.error().0, 403);

    let listed = world.get("/api/api-keys").await;
    let attributes: Vec<&Value> =
        listed.body["data"].as_array().unwrap().iter().map(|key| &key["attributes"]).collect();
    assert_eq!(attributes[1]["name"], "pk_test");
    assert_eq!(attributes[0]["name"], "Shop");
    assert_eq!((&attributes[0]["scopes"], &attributes[0]["limit"]), (&json!(["lists:read"]), &json!("2")));
    assert_eq!(attributes[0]["created"], "2026-06-17T12:00:00+00:00");
    assert_eq!(listed.ids()[0], made.id());
    assert!(!listed.body.to_string().contains(&secret), "it is told once");

    let path = format!("/api/api-keys/{}", made.id());
    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(with(&world, &secret, Method::GET, "/api/lists", Value::Null).await.error().0, 401);
    assert_eq!(world.delete(&path).await.error().0, 404);
}

#[tokio::test]
async fn a_key_makes_none_that_can_do_more_than_itself() {
    let world = World::new().await;
    let scopes = ["api-keys:write", "lists:read", "lists:write", "events:full"];
    let admin = secret(&world.post("/api/api-keys", key("Admin", &scopes, Value::Null)).await);
    let make = async |scopes: &[&str]| {
        with(&world, &admin, Method::POST, "/api/api-keys", key("Other", scopes, Value::Null)).await
    };
    for allowed in
        [&["lists:read"][..], &["lists:full"], &["events:read", "events:full"], &["api-keys:write"]]
    {
        assert_eq!(make(allowed).await.status, StatusCode::CREATED, "{allowed:?}");
    }
    for refused in ["*", "profiles:read", "api-keys:read", "api-keys:full", "connections:write"] {
        assert_eq!(
            make(&["lists:read", refused]).await.error(),
            (400, "/data/attributes/scopes/1"),
            "{refused}"
        );
    }
    assert_eq!(with(&world, &admin, Method::GET, "/api/api-keys", Value::Null).await.error().0, 403);
}

#[tokio::test]
async fn a_key_does_not_revoke_itself() {
    let world = World::new().await;
    let id = world.get("/api/api-keys").await.ids()[0].to_owned();
    assert_eq!(world.delete(&format!("/api/api-keys/{id}")).await.error().0, 409);
    let other = secret(&world.post("/api/api-keys", key("Other", &["*"], Value::Null)).await);
    let path = format!("/api/api-keys/{id}");
    let revoked = with(&world, &other, Method::DELETE, &path, Value::Null).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get("/api/lists").await.error().0, 401);
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_said_at_its_place() {
    let world = World::new().await;
    let attributes = |attributes: Value| json!({"data": {"type": "api-key", "attributes": attributes}});
    let many: Vec<String> = vec!["lists:read".to_owned(); 101];
    for (body, pointer) in [
        (attributes(json!({"scopes": ["*"]})), "/data/attributes/name"),
        (attributes(json!({"name": " ", "scopes": ["*"]})), "/data/attributes/name"),
        (attributes(json!({"name": "x".repeat(101), "scopes": ["*"]})), "/data/attributes/name"),
        (attributes(json!({"name": "x"})), "/data/attributes/scopes"),
        (attributes(json!({"name": "x", "scopes": []})), "/data/attributes/scopes"),
        (attributes(json!({"name": "x", "scopes": "*"})), "/data/attributes/scopes"),
        (attributes(json!({"name": "x", "scopes": [1]})), "/data/attributes/scopes/0"),
        (attributes(json!({"name": "x", "scopes": ["lists:delete"]})), "/data/attributes/scopes/0"),
        (attributes(json!({"name": "x", "scopes": ["shoes:full"]})), "/data/attributes/scopes/0"),
        (attributes(json!({"name": "x", "scopes": ["full"]})), "/data/attributes/scopes/0"),
        (attributes(json!({"name": "x", "scopes": many})), "/data/attributes/scopes"),
        (attributes(json!({"name": "x", "scopes": ["*"], "limit": 2})), "/data/attributes/limit"),
        (attributes(json!({"name": "x", "scopes": ["*"], "limit": "0"})), "/data/attributes/limit"),
        (attributes(json!({"name": "x", "scopes": ["*"], "limit": "off"})), "/data/attributes/limit"),
        (attributes(json!({"name": "x", "scopes": ["*"], "key": "pk_own"})), "/data/attributes/key"),
        (json!({"data": {"type": "key"}}), "/data/type"),
    ] {
        assert_eq!(world.post("/api/api-keys", body.clone()).await.error(), (400, pointer), "{body}");
    }
}
