use api::Queue;
use http::StatusCode;
use serde_json::json;

use crate::World;

#[tokio::test]
async fn what_was_set_aside_is_counted_and_goes_back() {
    let world = World::new().await;
    world.outbox.dead.lock().unwrap().extend([Queue::RawDeliveries, Queue::RawDeliveries, Queue::Jobs]);
    let counts = async || {
        let list = world.get("/api/dead-letters").await;
        assert_eq!(list.ids(), ["raw-deliveries", "jobs", "polls", "files"]);
        let data = list.body["data"].as_array().unwrap();
        let counts = data.iter().map(|queue| queue["attributes"]["approximate_messages"].as_u64().unwrap());
        counts.collect::<Vec<_>>()
    };
    assert_eq!(counts().await, [2, 1, 0, 0]);
    let reply = world.post("/api/dead-letters/raw-deliveries/replay", json!({})).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(
        reply.body["data"]["attributes"],
        json!({"name": "raw-deliveries", "approximate_messages": 2})
    );
    assert_eq!(counts().await, [0, 1, 0, 0]);
    // With nothing to move there is nothing to begin.
    let reply = world.post("/api/dead-letters/raw-deliveries/replay", json!({})).await;
    assert_eq!(reply.body["data"]["attributes"]["approximate_messages"], 0);
    assert_eq!(world.post("/api/dead-letters/other/replay", json!({})).await.error().0, 404);
}
