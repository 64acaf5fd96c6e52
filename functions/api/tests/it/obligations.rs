//! What Klaviyo's official client libraries need of a server, found by running them against one that records. The numbers are
//! only an order; each is a test of the server's side.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use store::Allowance;

use crate::{NOW_MS, Reply, World};

const NOW_S: i64 = NOW_MS / 1000;

/// Two lists in pages of one, and the cursor of the second page.
async fn second_page() -> (World, String, String) {
    let world = World::new().await;
    for name in ["A", "B"] {
        let body = json!({"data": {"type": "list", "attributes": {"name": name}}});
        assert_eq!(world.post("/api/lists", body).await.status, StatusCode::CREATED);
    }
    let first = world.get("/api/lists?sort=name&page[size]=1").await;
    let next = first.next().unwrap();
    let (_, cursor) = next.split_once("page%5Bcursor%5D=").unwrap();
    let cursor = cursor.to_owned();
    (world, next, cursor)
}

fn encoded_wholly(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"))
}

fn name(reply: &Reply) -> &Value {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    &reply.body["data"][0]["attributes"]["name"]
}

async fn created(world: &World, path: &str, kind: &str, attributes: Value) -> Reply {
    let reply = world.post(path, json!({"data": {"type": kind, "attributes": attributes}})).await;
    assert!(reply.status.is_success(), "{path}: {}", reply.body);
    reply
}

#[tokio::test]
async fn n01_a_cursor_with_an_equals_sign_in_front_is_the_same_cursor() {
    let (world, _, cursor) = second_page().await;
    for sent in [&cursor, &format!("={cursor}"), &format!("%3D{cursor}")] {
        let path = format!("/api/lists?sort=name&page%5Bsize%5D=1&page%5Bcursor%5D={sent}");
        assert_eq!(name(&world.get(&path).await), "B", "{path}");
    }
}

#[tokio::test]
async fn n02_a_cursor_that_is_the_whole_address_of_the_next_page_is_the_cursor_in_it() {
    let (world, next, _) = second_page().await;
    // As one library sends it, as the other does, and over HTTP, of which the first one understands nothing.
    let whole = encoded_wholly(&next);
    let encoded = next.replace('%', "%25").replace('&', "%26").replace('=', "%3D");
    let over_http = encoded.replace("https://", "http:%2F%2F");
    for sent in [&whole, &encoded, &over_http] {
        let path = format!("/api/lists?sort=name&page%5Bsize%5D=1&page%5Bcursor%5D={sent}");
        let reply = world.send(Method::GET, &path, Body::empty()).await;
        assert_eq!(name(&reply), "B", "{path}");
    }
}

#[tokio::test]
async fn n03_what_the_libraries_insist_on_is_there() {
    let world = World::new().await;
    let profile = world.profile("ann@example.com").await;
    let list = created(&world, "/api/lists", "list", json!({"name": "News"})).await.id();
    let definition = json!({"condition_groups": [{"conditions": [
        {"type": "profile-property", "property": "email", "filter": {"type": "existence", "operator": "is-set"}}]}]});
    let segment =
        created(&world, "/api/segments", "segment", json!({"name": "Known", "definition": definition})).await;
    let members = format!("/api/lists/{list}/relationships/profiles");
    world.post(&members, json!({"data": [{"type": "profile", "id": profile}]})).await;
    let import =
        json!({"profiles": {"data": [{"type": "profile", "attributes": {"email": "bob@example.com"}}]}});
    created(&world, "/api/profile-bulk-import-jobs", "profile-bulk-import-job", import).await;
    world.record(&profile, "Placed Order", "1", NOW_S, Some("1")).await;

    for flag in ["is_active", "is_processing", "is_starred"] {
        assert!(segment.body["data"]["attributes"][flag].is_boolean(), "{flag}");
    }
    let needed: [(&str, &[&str]); 6] = [
        ("/api/profiles", &["email"]),
        (&format!("/api/lists/{list}/profiles"), &["joined_group_at"]),
        ("/api/lists", &["name", "created", "updated"]),
        ("/api/segments", &["name", "definition", "created", "is_active", "is_processing", "is_starred"]),
        ("/api/profile-bulk-import-jobs", &["status", "created_at", "total_count"]),
        ("/api/events", &["timestamp", "event_properties", "datetime", "uuid"]),
    ];
    for (path, attributes) in needed {
        let reply = world.get(path).await;
        assert!(reply.body["links"]["self"].is_string(), "{path}");
        let resources = reply.body["data"].as_array().unwrap();
        assert!(!resources.is_empty(), "{path}");
        for resource in resources {
            assert!(resource["links"]["self"].is_string(), "{path}: {resource}");
            for attribute in attributes {
                let value = &resource["attributes"][attribute];
                assert!(!value.is_null(), "{path}: {attribute} in {resource}");
            }
        }
    }
}

#[tokio::test]
async fn n04_success_has_the_status_that_is_declared() {
    let world = World::new().await;
    let event = json!({
        "properties": {},
        "metric": {"data": {"type": "metric", "attributes": {"name": "M"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": "ann@example.com"}}},
    });
    let import =
        json!({"profiles": {"data": [{"type": "profile", "attributes": {"email": "bob@example.com"}}]}});
    let ann = json!({"email": "ann@example.com"});
    let mut ids = Vec::new();
    for (path, kind, attributes, status) in [
        ("/api/events", "event", event, 202),
        ("/api/profile-import", "profile", ann.clone(), 201),
        ("/api/profile-import", "profile", ann, 200),
        ("/api/profiles", "profile", json!({"email": "cid@example.com"}), 201),
        ("/api/profile-bulk-import-jobs", "profile-bulk-import-job", import, 202),
        ("/api/lists", "list", json!({"name": "News"}), 201),
    ] {
        let reply = created(&world, path, kind, attributes).await;
        assert_eq!(reply.status.as_u16(), status, "{path}");
        ids.push(reply.body["data"]["id"].as_str().unwrap_or_default().to_owned());
    }
    let (profile, list) = (&ids[3], &ids[5]);
    let path = format!("/api/profiles/{profile}");
    let body = json!({"data": {"type": "profile", "id": profile, "attributes": {"first_name": "Cid"}}});
    assert_eq!(world.patch(&path, body).await.status, StatusCode::OK);
    let members = format!("/api/lists/{list}/relationships/profiles");
    let body = json!({"data": [{"type": "profile", "id": profile}]});
    assert_eq!(world.post(&members, body).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.delete(&format!("/api/lists/{list}")).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn n05_answers_without_a_body_have_none() {
    let world = World::new().await;
    let list = created(&world, "/api/lists", "list", json!({"name": "News"})).await.id();
    let profile = world.profile("ann@example.com").await;
    let event = json!({"data": {"type": "event", "attributes": {
        "properties": {},
        "metric": {"data": {"type": "metric", "attributes": {"name": "M"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": "ann@example.com"}}},
    }}});
    let members = json!({"data": [{"type": "profile", "id": profile}]});
    let path = format!("/api/lists/{list}/relationships/profiles");
    for (path, body) in [("/api/events", event), (&path, members)] {
        let reply = world.post(path, body).await;
        assert!(reply.status.is_success());
        assert_eq!(reply.body, Value::Null, "{path}");
        assert_eq!(reply.headers.get("content-type"), None, "{path}");
    }
}

#[tokio::test]
async fn n06_filters_without_any_white_space_and_with_lists_in_single_quotes_are_read() {
    let world = World::new().await;
    for name in ["A", "B", "C"] {
        created(&world, "/api/lists", "list", json!({"name": name})).await;
    }
    for filter in [
        "any(name,['A','B'])",
        "any(name,[\"A\",\"B\"])",
        "any(name, [ 'A' , \"B\" ])",
        "any%28name%2C%5B'A'%2C'B'%5D%29",
    ] {
        let filter = filter.replace(' ', "%20").replace('"', "%22");
        let reply = world.get(&format!("/api/lists?filter={filter}")).await;
        assert_eq!(reply.body["data"].as_array().map(Vec::len), Some(2), "{filter}: {}", reply.body);
    }
    assert_eq!(name(&world.get("/api/lists?filter=equals(name,'B')").await), "B");
}

#[tokio::test]
async fn n07_what_may_succeed_later_is_429_or_503_and_429_says_when_in_whole_seconds() {
    let world = World::new().await;
    world.add_limited_key("pk_slow", &["*"], Some(Allowance::Times("0.01".parse().unwrap()))).await;
    let get = || Request::get("/api/lists").header("authorization", "Klaviyo-API-Key pk_slow");
    assert_eq!(world.request(get().body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    let reply = world.request(get().body(Body::empty()).unwrap()).await;
    assert_eq!(reply.error().0, 429);
    assert!(reply.headers["retry-after"].to_str().unwrap().parse::<u32>().is_ok_and(|seconds| seconds >= 1));

    world.outbox.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let event = json!({
        "properties": {},
        "metric": {"data": {"type": "metric", "attributes": {"name": "M"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": "ann@example.com"}}},
    });
    let reply = world.post("/api/events", json!({"data": {"type": "event", "attributes": event}})).await;
    assert_eq!(reply.error().0, 503);
}

#[tokio::test]
async fn n08_a_deletion_may_have_a_body() {
    let world = World::new().await;
    let list = created(&world, "/api/lists", "list", json!({"name": "News"})).await.id();
    let profile = world.profile("ann@example.com").await;
    let path = format!("/api/lists/{list}/relationships/profiles");
    let body = json!({"data": [{"type": "profile", "id": profile}]});
    world.post(&path, body.clone()).await;
    assert_eq!(world.get(&path).await.ids(), [profile]);
    let reply = world.send(Method::DELETE, &path, body.to_string()).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert!(world.get(&path).await.ids().is_empty());
}

#[tokio::test]
async fn n09_an_id_in_a_path_may_be_encoded_to_the_last_letter() {
    let world = World::new().await;
    let id = world.profile("ann@example.com").await;
    let reply = world.get(&format!("/api/profiles/{}", encoded_wholly(&id))).await;
    assert_eq!((reply.status, reply.id()), (StatusCode::OK, id));
    let unknown = world.get("/api/profiles/%24custom%3A%3A%3A%24default%3A%3A%3ASKU-1").await;
    assert_eq!(unknown.error().0, 404);
    let detail = unknown.body["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("$custom:::$default:::SKU-1"), "{detail}");
}

#[tokio::test]
async fn n10_defaults_that_the_libraries_add_and_nulls_that_they_send_are_taken() {
    let world = World::new().await;
    let event = json!({
        "properties": {},
        "time": null,
        "value": null,
        "value_currency": null,
        "unique_id": null,
        "backfill": false,
        "metric": {"data": {"type": "metric", "attributes": {"name": "M", "service": null}}},
        "profile": {"data": {"type": "profile", "id": null, "attributes": {
            "email": "ann@example.com", "phone_number": null, "external_id": null, "anonymous_id": null, "_kx": null,
            "first_name": null, "organization": null, "location": null, "properties": null}}},
    });
    created(&world, "/api/events", "event", event).await;
    let definition = json!({"condition_groups": [{"conditions": [
        {"type": "profile-property", "property": "email", "filter": {"type": "existence", "operator": "is-set"}}]}]});
    let segment = json!({"name": "Known", "definition": definition, "is_starred": false});
    created(&world, "/api/segments", "segment", segment).await;
    let ann = json!({"email": "ann@example.com", "first_name": "Ann"});
    let id = created(&world, "/api/profiles", "profile", ann).await.id();
    let body = json!({"data": {"type": "profile", "id": id, "attributes": {"first_name": null}}});
    let reply = world.patch(&format!("/api/profiles/{id}"), body).await;
    assert_eq!(reply.body["data"]["attributes"]["first_name"], Value::Null, "null clears");
}

#[tokio::test]
async fn n11_what_a_library_cannot_read_is_only_told_to_who_asks_for_it() {
    let world = World::new().await;
    let profile = world.profile("ann@example.com").await;
    world.record(&profile, "Placed Order", "1", NOW_S, Some("1")).await;
    let metric = world.get("/api/metrics").await.ids()[0].to_owned();
    for path in [
        "/api/metrics",
        &format!("/api/metrics/{metric}"),
        &format!("/api/metrics/{metric}/metric-properties"),
    ] {
        let text = world.get(path).await.body.to_string();
        assert!(!text.contains("sample_values") && !text.contains("reentry_criteria"), "{path}: {text}");
    }
}

#[tokio::test]
async fn n12_any_of_the_libraries_headers_will_do_and_the_answer_is_json_api() {
    let world = World::new().await;
    for (content_type, accept) in [
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("application/json", "application/vnd.api+json"),
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "*/*"),
    ] {
        let body = json!({"data": {"type": "list", "attributes": {"name": "News"}}}).to_string();
        let request = Request::post("//api/lists/")
            .header("authorization", "Klaviyo-API-Key pk_test")
            .header("content-type", content_type)
            .header("accept", accept)
            .header("accept-encoding", "gzip, compress, deflate, br")
            .header("connection", "keep-alive")
            .header("user-agent", "klaviyo-api-node/23.0.0")
            .header("revision", "2026-07-15");
        let reply = world.request(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{content_type}, {accept}");
        assert_eq!(reply.headers["content-type"], "application/vnd.api+json");
        assert_eq!(reply.headers.get("content-encoding"), None);
    }
}
