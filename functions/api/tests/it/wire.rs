use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::json;

use crate::World;

#[tokio::test]
async fn health_needs_no_key() {
    let world = World::new().await;
    let reply = world.request(Request::get("/healthz").body(Body::empty()).unwrap()).await;
    assert_eq!((reply.status, reply.body), (StatusCode::OK, json!({"status": "ok"})));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_json_api_errors() {
    let world = World::new().await;
    for path in ["/api", "/api/unknown", "/api/profiles/a/b/c", "/api/segments/a/relationships"] {
        assert_eq!(world.get(path).await.error().0, 404, "{path}");
    }
    for path in ["/api/v1/metrics", "/api/v2/list/ABC/members"] {
        assert_eq!(world.get(path).await.error().0, 410, "{path}");
    }
    for method in [Method::GET, Method::PUT] {
        // Klaviyo's, of which nothing is covered.
        let reply = world.send(method, "/client/ip-allowlists/web", "").await;
        assert_eq!((reply.error().0, &reply.body["errors"][0]["code"]), (404, &json!("not_covered")));
        let detail = reply.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("get_client_ip_allowlist"), "{detail}");
    }
    let reply = world.delete("/api/profiles").await;
    assert_eq!(reply.error().0, 405);
    assert_eq!(reply.headers["allow"], "GET, POST");
}

#[tokio::test]
async fn slashes_too_many_and_at_the_end_are_the_same_path() {
    let world = World::new().await;
    for path in ["/api/profiles/", "//api/profiles/", "/api//profiles"] {
        assert_eq!(world.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let world = World::new().await;
    let huge = vec![b' '; 5 * 1024 * 1024 + 1];
    assert_eq!(world.send(Method::POST, "/api/profiles", huge).await.error().0, 413);
    for body in ["", "{", "{\"data\": }", "\u{feff}"] {
        assert_eq!(world.send(Method::POST, "/api/profiles", body).await.error(), (400, "/"), "{body}");
    }
    for (body, pointer) in [
        (json!([]), "/"),
        (json!({}), "/data"),
        (json!({"data": null}), "/data"),
        (json!({"data": []}), "/data"),
        (json!({"data": {}}), "/data/type"),
        (json!({"data": {"type": "event"}}), "/data/type"),
        (json!({"data": {"type": "profile", "attributes": 1}}), "/data/attributes"),
    ] {
        assert_eq!(world.post("/api/profiles", body.clone()).await.error(), (400, pointer), "{body}");
    }
}

#[tokio::test]
async fn page_sizes_cursors_sorts_and_filters_are_checked() {
    let world = World::new().await;
    for (path, parameter) in [
        ("/api/profiles?page[size]=0", "page[size]"),
        ("/api/profiles?page[size]=101", "page[size]"),
        ("/api/profiles?page[size]=x", "page[size]"),
        ("/api/events?page[size]=1001", "page[size]"),
        ("/api/segments?page[size]=11", "page[size]"),
        ("/api/profiles?page[cursor]=%21", "page[cursor]"),
        ("/api/segments?page[cursor]=%21", "page[cursor]"),
        ("/api/profiles?page[cursor]=https://x.example.com/", "page[cursor]"),
        ("/api/profiles?sort=name", "sort"),
        ("/api/profiles?filter=bad", "filter"),
        ("/api/profiles?filter=equals(color,%22red%22)", "filter"),
        ("/api/profiles?filter=contains(email,%22a%22)", "filter"),
        ("/api/profiles?filter=greater-than(created,%22soon%22)", "filter"),
        ("/api/events?filter=any(metric_id,[%22A%22])", "filter"),
        ("/api/profiles?additional-fields[profile]=shoe_size", "additional-fields[profile]"),
        ("/api/events?include=lists", "include"),
    ] {
        assert_eq!(world.get(path).await.error(), (400, parameter), "{path}");
    }
}

#[tokio::test]
async fn links_follow_the_address_that_the_client_used() {
    let world = World::new().await;
    let id = world.profile("ann@example.com").await;
    let request = |proto: &str| {
        Request::get("/api/profiles")
            .header("authorization", "Bearer pk_test")
            .header("host", "t.example.com:8080")
            .header("x-forwarded-proto", proto)
            .body(Body::empty())
            .unwrap()
    };
    let reply = world.request(request("https")).await;
    assert_eq!(reply.body["links"]["self"], "https://t.example.com:8080/api/profiles");
    assert_eq!(
        reply.body["data"][0]["links"]["self"],
        format!("https://t.example.com:8080/api/profiles/{id}/")
    );
    let reply = world.request(request("ftp")).await;
    assert_eq!(reply.body["links"]["self"], "http://t.example.com:8080/api/profiles");
}
