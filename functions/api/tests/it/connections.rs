use http::StatusCode;
use serde_json::{Value, json};

use crate::World;

fn connection(attributes: Value) -> Value {
    json!({"data": {"type": "connection", "attributes": attributes}})
}

fn valid() -> Value {
    json!({
        "platform": "anyshop", "name": "Main shop", "settings": {"shop": "main"},
        "secrets": {"webhook_secret": "first-secret"},
    })
}

#[tokio::test]
async fn a_connection_is_made_and_its_secret_never_comes_back() {
    let world = World::new().await;
    let created = world.post("/api/connections", connection(valid())).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let id = created.id();
    assert_eq!(
        created.body["data"]["attributes"],
        json!({
            "platform": "anyshop", "name": "Main shop", "enabled": true, "settings": {"shop": "main"},
            "webhook_url": format!("https://api.example.com/webhooks/anyshop/{id}"),
            "health": {"status": "active", "secrets_set": ["webhook_secret"], "secrets_missing": []},
            "created": "2026-06-17T12:00:00+00:00", "updated": "2026-06-17T12:00:00+00:00",
        })
    );
    let read = world.get(&format!("/api/connections/{id}")).await;
    let mut quiet = created.body["data"].clone();
    let health = quiet["attributes"]["health"].as_object_mut().unwrap();
    health.insert("last_delivery".to_owned(), Value::Null);
    health.insert("last_error".to_owned(), Value::Null);
    health.insert("lag_ms".to_owned(), Value::Null);
    let deliveries = json!({
        "accepted": 0, "mapped": 0, "retried": 0, "deferred": 0, "dead_lettered": 0, "rejected": {}, "ignored": {},
    });
    health.insert("deliveries".to_owned(), deliveries);
    assert_eq!(read.body["data"], quiet);
    let list = world.get("/api/connections").await;
    assert_eq!(list.ids(), [id.as_str()]);
    for reply in [created, read, list] {
        assert!(!reply.body.to_string().contains("first-secret"));
    }
    let stored = world.store.connection(&id).await.unwrap().unwrap();
    assert!(!format!("{stored:?}").contains("first-secret"));
    let secrets = world.vault.0.lock().unwrap()[&id].clone();
    assert_eq!(secrets.valid("webhook_secret").collect::<Vec<_>>(), ["first-secret"]);
}

#[tokio::test]
async fn a_connection_is_checked_against_what_its_platform_describes() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut attributes = valid();
        attributes[name] = value;
        connection(attributes)
    };
    for (body, pointer) in [
        (with("platform", json!("noshop")), "/data/attributes/platform"),
        (with("name", json!(" ")), "/data/attributes/name"),
        (with("colour", json!("red")), "/data/attributes/colour"),
        (with("settings", json!({})), "/data/attributes/settings/shop"),
        (with("settings", json!({"shop": 1})), "/data/attributes/settings/shop"),
        (with("settings", json!({"shop": "a", "colour": "red"})), "/data/attributes/settings/colour"),
        (with("secrets", json!({})), "/data/attributes/secrets/webhook_secret"),
        (with("secrets", json!({"webhook_secret": "short"})), "/data/attributes/secrets/webhook_secret"),
        (with("secrets", json!({"webhook_secret": null})), "/data/attributes/secrets/webhook_secret"),
        (
            with("secrets", json!({"webhook_secret": "long-enough", "pin": "1"})),
            "/data/attributes/secrets/pin",
        ),
        (
            with("secrets", json!({"webhook_secret": "x".repeat(1025)})),
            "/data/attributes/secrets/webhook_secret",
        ),
    ] {
        let reply = world.post("/api/connections", body).await;
        assert_eq!(reply.error(), (400, pointer));
        assert!(!reply.body.to_string().contains("long-enough"));
    }
    assert!(world.vault.0.lock().unwrap().is_empty());
    assert_eq!(world.get("/api/connections").await.ids().len(), 0);
}

#[tokio::test]
async fn a_rotated_secret_leaves_the_old_one_valid_until_it_is_forgotten() {
    let world = World::new().await;
    let id = world.post("/api/connections", connection(valid())).await.id();
    let path = format!("/api/connections/{id}");
    let valid = || {
        let vault = world.vault.0.lock().unwrap();
        vault[&id].valid("webhook_secret").map(str::to_owned).collect::<Vec<_>>()
    };
    let rotate = connection(json!({"secrets": {"webhook_secret": "second-secret"}}));
    assert_eq!(world.patch(&path, rotate.clone()).await.status, StatusCode::OK);
    assert_eq!(valid(), ["second-secret", "first-secret"]);
    // The same request again rotates nothing.
    assert_eq!(world.patch(&path, rotate).await.status, StatusCode::OK);
    assert_eq!(valid(), ["second-secret", "first-secret"]);
    let wrong = connection(json!({"previous_secrets": "keep"}));
    assert_eq!(world.patch(&path, wrong).await.error(), (400, "/data/attributes/previous_secrets"));
    let forget = connection(json!({"previous_secrets": "forget"}));
    assert_eq!(world.patch(&path, forget).await.status, StatusCode::OK);
    assert_eq!(valid(), ["second-secret"]);
    let added = world.patch(&path, connection(json!({"secrets": {"token": "t"}}))).await;
    assert_eq!(added.body["data"]["attributes"]["health"]["secrets_set"], json!(["token", "webhook_secret"]));
}

#[tokio::test]
async fn a_connection_is_renamed_reconfigured_disabled_and_deleted() {
    let world = World::new().await;
    let id = world.post("/api/connections", connection(valid())).await.id();
    let path = format!("/api/connections/{id}");
    world.pass(1000);
    let update = json!({"name": "Second shop", "settings": {"import": true}, "enabled": false});
    let reply = world.patch(&path, connection(update)).await;
    let attributes = &reply.body["data"]["attributes"];
    assert_eq!(attributes["name"], "Second shop");
    assert_eq!(attributes["settings"], json!({"shop": "main", "import": true}));
    assert_eq!(
        (&attributes["enabled"], &attributes["health"]["status"]),
        (&json!(false), &json!("disabled"))
    );
    assert_eq!(attributes["updated"], "2026-06-17T12:00:01+00:00");
    let reply = world.patch(&path, connection(json!({"settings": {"import": null}}))).await;
    assert_eq!(reply.body["data"]["attributes"]["settings"], json!({"shop": "main"}));
    let reply = world.patch(&path, connection(json!({"settings": {"shop": null}}))).await;
    assert_eq!(reply.error(), (400, "/data/attributes/settings/shop"));
    assert_eq!(world.patch(&path, connection(json!({"platform": "x"}))).await.error().0, 400);
    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert!(world.vault.0.lock().unwrap().is_empty());
    assert_eq!(world.get(&path).await.error().0, 404);
    assert_eq!(world.delete(&path).await.error().0, 404);
}

#[tokio::test]
async fn platforms_say_what_a_connection_needs() {
    let world = World::new().await;
    let reply = world.get("/api/platforms").await;
    assert_eq!(reply.ids(), ["anyshop"]);
    let one = world.get("/api/platforms/anyshop").await;
    assert_eq!(one.body["data"], reply.body["data"][0]);
    assert_eq!(one.body["data"]["attributes"]["secrets"]["required"], json!(["webhook_secret"]));
    assert_eq!(world.get("/api/platforms/noshop").await.error().0, 404);
}

#[tokio::test]
async fn the_schema_of_custom_sources_is_a_document_of_its_own() {
    let world = World::new().await;
    let reply = world.get("/api/schemas").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.body["$schema"], json!("https://json-schema.org/draft/2020-12/schema"));
    assert!(reply.body["$defs"]["OrderSnapshot"]["properties"]["order_id"].is_object());
    assert_eq!(world.post("/api/schemas", json!({})).await.error().0, 405);
}

#[tokio::test]
async fn a_connection_shows_how_it_fares() {
    let world = World::new().await;
    let id = world.post("/api/connections", connection(valid())).await.id();
    let at: canonical::Instant = "2026-06-17T11:59:58Z".parse().unwrap();
    let mut health =
        store::Health { last_delivery_at: Some(at), lag_ms: Some(40), ..store::Health::default() };
    health.count("accepted");
    health.count("accepted");
    health.count("dead_lettered");
    health.reject("signature mismatch");
    health.ignore("themes/publish");
    health.ignore("no topic at all, but a joke");
    health.fail(at, "no usable id");
    for _ in 0..2 {
        world.store.note_health(&id, &health).await.unwrap();
    }
    let read = world.get(&format!("/api/connections/{id}")).await;
    let shown = &read.body["data"]["attributes"]["health"];
    assert_eq!(
        shown["deliveries"],
        json!({
            "accepted": 4, "mapped": 0, "retried": 0, "deferred": 0, "dead_lettered": 2,
            "rejected": {"signature mismatch": 2}, "ignored": {"themes/publish": 2, "other": 2},
        })
    );
    assert_eq!(shown["last_error"], json!({"at": "2026-06-17T11:59:58+00:00", "detail": "no usable id"}));
    assert_eq!(
        (&shown["last_delivery"], &shown["lag_ms"]),
        (&json!("2026-06-17T11:59:58+00:00"), &json!(40))
    );
    // Only so many topics are counted by name.
    for number in 0..60 {
        let mut health = store::Health::default();
        health.ignore(&format!("topic/{number:02}"));
        world.store.note_health(&id, &health).await.unwrap();
    }
    let ignored = world.store.health(&id).await.unwrap().ignored;
    assert_eq!((ignored.len(), ignored["other"]), (50, 14));
    assert_eq!(world.delete(&format!("/api/connections/{id}")).await.status, StatusCode::NO_CONTENT);
    assert!(world.store.health(&id).await.unwrap().is_empty());
}
