use serde_json::json;

use crate::World;

#[tokio::test]
async fn where_nothing_is_archived_that_is_said() {
    let world = World::new().await;
    let times = json!({"received_from": "2026-06-01T00:00:00Z", "received_until": "2026-06-02T00:00:00Z"});
    let replay = json!({"data": {"type": "delivery-replay", "attributes": times}});
    for reply in [
        world.get("/api/deliveries/1781697600000-4T8ZK2M9QX7B").await,
        world.post("/api/delivery-replays", replay).await,
    ] {
        assert_eq!(reply.error().0, 404);
        assert_eq!(reply.body["errors"][0]["code"], "not_archived");
    }
    assert!(world.get("/api/delivery-replays").await.ids().is_empty());
}
