use http::StatusCode;
use serde_json::{Value, json};

use crate::World;
use crate::catalog::{item, make, variant};

fn subscription(profile: Value) -> Value {
    json!({"data": {
        "type": "back-in-stock-subscription",
        "attributes": {"channels": ["SMS", "EMAIL", "SMS"], "profile": {"data": profile}},
        "relationships": {"variant": {"data": {"type": "catalog-variant", "id": "$custom:::$default:::V1"}}},
    }})
}

fn person(email: &str) -> Value {
    json!({"type": "profile", "attributes": {"email": email}})
}

async fn stocked() -> World {
    let world = World::new().await;
    let mut mug = item("I1");
    mug["attributes"]["image_full_url"] = "https://shop.example.com/mug.png".into();
    make(&world, mug).await;
    make(&world, variant("V1", "I1")).await;
    world
}

#[tokio::test]
async fn a_subscription_is_kept_and_told_as_an_event() {
    let world = stocked().await;
    let path = "/api/back-in-stock-subscriptions";
    let reply = world.post(path, subscription(person("ann@example.com"))).await;
    assert_eq!((reply.status, reply.body), (StatusCode::ACCEPTED, Value::Null));
    let found = world.get("/api/profiles?filter=equals(email,%22ann@example.com%22)").await;
    let ann = found.ids()[0].to_owned();
    let (_, event) = world.last_event();
    assert_eq!(
        (event.metric.as_str(), event.profile_id.as_deref()),
        ("Subscribed to Back in Stock", Some(&*ann))
    );
    assert_eq!(event.time, Some(world.now()));
    assert_eq!(
        Value::from(event.properties),
        json!({
            "ProductID": "I1", "ProductName": "Title of I1", "VariantID": "V1", "VariantName": "Title of V1",
            "SKU": "SKU V1", "Price": 41.94, "URL": "https://shop.example.com/V1",
            "ImageURL": "https://shop.example.com/mug.png", "Channels": ["EMAIL", "SMS"],
        })
    );
    // Again, by id: the same subscription. Somebody else's is another.
    world.pass(1000);
    let by_id = json!({"type": "profile", "id": ann, "attributes": {}});
    assert_eq!(world.post(path, subscription(by_id)).await.status, StatusCode::ACCEPTED);
    assert_eq!(world.last_event().1.profile_id, Some(ann.clone()));
    world.pass(1000);
    world.post(path, subscription(person("bob@example.com"))).await;
    let waiting = world.store.back_in_stock("V1", None, 10).await.unwrap().items;
    assert_eq!(waiting.len(), 2);
    assert_eq!((waiting[0].profile_id.as_str(), waiting[0].subscribed_at), (ann.as_str(), at(&world, -1000)));
}

fn at(world: &World, offset_ms: i64) -> canonical::Instant {
    canonical::Instant::from_millis(world.now().as_millis() + offset_ms).unwrap()
}

#[tokio::test]
async fn what_subscribes_nobody_is_refused_where_it_does_not() {
    let world = stocked().await;
    let path = "/api/back-in-stock-subscriptions";
    let good = subscription(person("ann@example.com"));
    for (place, value, pointer) in [
        ("/data/type", json!("event"), "/data/type"),
        ("/data/attributes/channels", json!([]), "/data/attributes/channels"),
        ("/data/attributes/channels", json!("EMAIL"), "/data/attributes/channels"),
        ("/data/attributes/channels", json!(["EMAIL", "FAX"]), "/data/attributes/channels/1"),
        ("/data/attributes/profile", Value::Null, "/data/attributes/profile"),
        ("/data/attributes/profile/data/attributes", json!({}), "/data/attributes/profile/data"),
        (
            "/data/attributes/profile/data/attributes/email",
            json!("nobody"),
            "/data/attributes/profile/data/attributes/email",
        ),
        (
            "/data/attributes/profile/data",
            json!({"type": "profile", "id": "none", "attributes": {}}),
            "/data/attributes/profile/data/id",
        ),
        ("/data/relationships", json!({}), "/data/relationships/variant"),
        (
            "/data/relationships/variant/data/type",
            json!("catalog-item"),
            "/data/relationships/variant/data/type",
        ),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value.clone();
        assert_eq!(world.post(path, bad).await.error(), (400, pointer), "{value}");
    }
    for id in ["$custom:::$default:::none", "V1", "$custom:::$default:::I1"] {
        let mut bad = good.clone();
        bad["data"]["relationships"]["variant"]["data"]["id"] = id.into();
        assert_eq!(world.post(path, bad).await.error(), (404, "/data/relationships/variant/data/id"), "{id}");
    }
    assert_eq!(world.sent(api::Queue::RawDeliveries).len(), 0);
    assert_eq!(world.get("/api/profiles").await.ids(), [""; 0]);
}
