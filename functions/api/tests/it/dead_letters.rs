use api::{DeadLetter, Queue};
use http::StatusCode;
use serde_json::{Value, json};

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

fn letter(number: u32, topic: &str, reason: Option<&str>) -> DeadLetter {
    let message = json!({
        "v": 1, "platform": "anyshop", "connection": "C1", "topic": topic, "delivery_id": number.to_string(),
        "received_at": format!("2026-06-1{number}T12:00:00Z"), "text": "{}",
    });
    DeadLetter { message: message.to_string(), reason: reason.map(str::to_owned), handle: number.to_string() }
}

#[tokio::test]
async fn of_deliveries_those_go_back_that_are_chosen_and_a_dry_run_moves_nothing() {
    let world = World::new().await;
    let letters = [
        letter(1, "orders/create", Some("no usable id")),
        letter(2, "orders/create", Some("the body is not JSON")),
        letter(3, "orders/updated", Some("no usable id")),
        letter(4, "orders/create", None),
        DeadLetter { message: "?".to_owned(), reason: None, handle: "5".to_owned() },
    ];
    world.outbox.letters.lock().unwrap().extend(letters);
    let path = "/api/dead-letters/raw-deliveries/replay";
    let replay = async |choice: Value| {
        let body = json!({"data": {"type": "dead-letter-queue", "attributes": choice}});
        let reply = world.post(path, body).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
        let chosen = &reply.body["data"]["attributes"]["chosen"];
        assert_eq!(chosen["is_complete"], true);
        let deliveries = chosen["deliveries"].as_array().unwrap().iter();
        let ids = deliveries.map(|each| each["delivery_id"].as_str().unwrap().to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        assert_eq!(chosen["matched"], ids.len());
        (chosen["looked_at"].as_u64().unwrap(), ids.concat())
    };
    for (choice, ids) in [
        (json!({"topic": "orders/create"}), "124"),
        (json!({"reason": "usable"}), "13"),
        (json!({"reason": "usable", "topic": "orders/create"}), "1"),
        (json!({"connection": "C2"}), ""),
        (json!({"platform": "anyshop"}), "1234"),
        (json!({"received_from": "2026-06-12T12:00:00Z", "received_until": "2026-06-14T12:00:00Z"}), "23"),
    ] {
        let mut choice = choice;
        choice["dry_run"] = true.into();
        assert_eq!(replay(choice.clone()).await, (5, ids.to_owned()), "{choice}");
    }
    assert_eq!(world.outbox.messages.lock().unwrap().len(), 0);
    assert_eq!(world.outbox.letters.lock().unwrap().len(), 5);

    assert_eq!(replay(json!({"reason": "usable"})).await, (5, "13".to_owned()));
    assert_eq!(world.outbox.messages.lock().unwrap().len(), 2);
    assert_eq!(replay(json!({"platform": "anyshop"})).await, (3, "24".to_owned()));
    // What is no delivery stays where it is.
    let left: Vec<String> =
        world.outbox.letters.lock().unwrap().iter().map(|letter| letter.handle.clone()).collect();
    assert_eq!((left, world.outbox.looked_at.lock().unwrap().len()), (vec!["5".to_owned()], 0));

    let body = |choice: Value| json!({"data": {"type": "dead-letter-queue", "attributes": choice}});
    let reply = world.post("/api/dead-letters/jobs/replay", body(json!({"topic": "x"}))).await;
    assert_eq!(reply.error().0, 400);
    for wrong in [json!({"subject": "x"}), json!({"received_from": "soon"}), json!({"dry_run": "yes"})] {
        assert_eq!(world.post(path, body(wrong)).await.error().0, 400);
    }
}
