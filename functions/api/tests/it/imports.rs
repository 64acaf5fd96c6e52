use api::Queue;
use http::StatusCode;
use serde_json::{Value, json};
use store::ImportStatus;

use crate::World;

async fn connect(world: &World, shop: &str) -> String {
    let attributes = json!({
        "platform": "anyshop", "name": "Main shop", "settings": {"shop": shop},
        "secrets": {"webhook_secret": "first-secret"},
    });
    world
        .post("/api/connections", json!({"data": {"type": "connection", "attributes": attributes}}))
        .await
        .id()
}

fn import(attributes: Value) -> Value {
    json!({"data": {"type": "import", "attributes": attributes}})
}

#[tokio::test]
async fn an_import_is_begun_shown_and_cancelled() {
    let world = World::new().await;
    let shop = connect(&world, "past").await;
    let path = format!("/api/connections/{shop}/import");
    let begun = world.post(&path, import(json!({"since": "2026-01-01T00:00:00Z"}))).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    let id = begun.id();
    let expected = json!({
        "connection": shop, "status": "queued", "since": "2026-01-01T00:00:00+00:00",
        "until": "2026-06-17T12:00:00+00:00", "percent": 0, "records": 0, "pages": 0, "requests": 0, "rate": null,
        "estimated_end": null, "error": null, "created": "2026-06-17T12:00:00+00:00", "started": null, "finished": null,
    });
    assert_eq!(begun.body["data"]["attributes"], expected);
    assert_eq!(world.sent(Queue::Polls), [json!({"connection": shop}).to_string()]);

    let another = world.post(&path, import(json!({"since": "2026-01-01T00:00:00Z"}))).await;
    assert_eq!(another.error().0, 409);
    assert_eq!(world.get(&format!("/api/connections/{shop}/imports")).await.ids(), [id.as_str()]);

    // Half an hour of work was for a quarter of it.
    let mut stored = world.store.import(&id).await.unwrap().unwrap();
    stored.status = ImportStatus::Running;
    stored.started_at = Some(world.now());
    stored.cursor_ms += (stored.until.as_millis() - stored.since.as_millis()) / 4;
    stored.worked_ms = 30 * 60_000;
    stored.tally.records = 3600;
    world.store.update_import(&mut stored).await.unwrap();
    let shown = world.get(&format!("/api/imports/{id}")).await;
    let shown = &shown.body["data"]["attributes"];
    assert_eq!((&shown["percent"], &shown["rate"]), (&json!(25), &json!(2)));
    assert_eq!(shown["estimated_end"], "2026-06-17T14:00:00+00:00");

    for _ in 0..2 {
        assert_eq!(world.delete(&format!("/api/imports/{id}")).await.status, StatusCode::NO_CONTENT);
    }
    let ended = world.get(&format!("/api/imports/{id}")).await;
    assert_eq!(ended.body["data"]["attributes"]["status"], "cancelled");
    let again = world.post(&path, import(json!({"since": "2026-01-01T00:00:00Z"}))).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    // With the connection goes all that is known of its imports.
    world.delete(&format!("/api/connections/{shop}")).await;
    assert_eq!(world.get(&format!("/api/imports/{id}")).await.error().0, 404);
}

#[tokio::test]
async fn an_import_that_cannot_be_is_refused_with_the_reason() {
    let world = World::new().await;
    let (shop, other) = (connect(&world, "past").await, connect(&world, "main").await);
    let since = json!({"since": "2026-01-01T00:00:00Z"});
    for (connection, attributes, status) in [
        ("nobody", since.clone(), 404),
        (other.as_str(), since, 400),
        (shop.as_str(), json!({}), 400),
        (shop.as_str(), json!({"since": "yesterday"}), 400),
        (shop.as_str(), json!({"since": "1989-12-31T00:00:00Z"}), 400),
        (shop.as_str(), json!({"since": "2027-01-01T00:00:00Z"}), 400),
        (shop.as_str(), json!({"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}), 400),
        (shop.as_str(), json!({"since": "2026-01-01T00:00:00Z", "speed": 2}), 400),
    ] {
        let reply =
            world.post(&format!("/api/connections/{connection}/import"), import(attributes.clone())).await;
        assert_eq!(reply.error().0, status, "{attributes}: {}", reply.body);
    }
    assert_eq!(world.sent(Queue::Polls), [""; 0]);
    assert_eq!(world.get("/api/imports/nothing").await.error().0, 404);
    assert_eq!(world.delete("/api/imports/nothing").await.error().0, 404);
}

#[tokio::test]
async fn a_connection_that_is_switched_off_is_not_imported() {
    let world = World::new().await;
    let shop = connect(&world, "past").await;
    let path = format!("/api/connections/{shop}");
    let enable = |enabled: bool| json!({"data": {"type": "connection", "id": shop, "attributes": {"enabled": enabled}}});
    world.patch(&path, enable(false)).await;
    let since = import(json!({"since": "2026-01-01T00:00:00Z"}));
    let refused = world.post(&format!("{path}/import"), since.clone()).await;
    assert_eq!((refused.error().0, &refused.body["errors"][0]["code"]), (409, &json!("connection_disabled")));
    assert_eq!(world.sent(Queue::Polls), [""; 0]);
    world.patch(&path, enable(true)).await;
    assert_eq!(world.post(&format!("{path}/import"), since).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_before_anybody_is_asked() {
    let world = World::new().await;
    let shop = connect(&world, "main").await;
    for (query, status) in [
        ("from=2026-01-01&to=2026-01-31&metric=Viewed%20Product", 400),
        ("from=2026-01-01&to=2026-02-01", 400),
        ("from=2026-01-02&to=2026-01-01", 400),
        ("from=today&to=2026-01-01", 400),
        ("from=2026-01-01", 400),
        ("from=-009999-01-03&to=-009999-01-03", 400),
        ("from=2026-01-01&to=2026-01-31&metric=Sold%20Out", 400),
        ("from=2026-01-01&to=2026-01-31", 400),
    ] {
        let reply = world.get(&format!("/api/connections/{shop}/parity?{query}")).await;
        assert_eq!(reply.error().0, status, "{query}: {}", reply.body);
    }
    let asked = connect(&world, "past").await;
    for days in ["2026-06-18&to=2026-06-19", "9999-12-29&to=9999-12-29", "1989-12-30&to=1989-12-31"] {
        let reply = world.get(&format!("/api/connections/{asked}/parity?from={days}")).await;
        assert_eq!(reply.error(), (400, "from"), "{days}: {}", reply.body);
    }
    assert_eq!(
        world.get("/api/connections/nobody/parity?from=2026-01-01&to=2026-01-01").await.error().0,
        404
    );
}
