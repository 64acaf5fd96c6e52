use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use http::StatusCode;
use serde_json::{Value, json};

use crate::segments::{at_least, create};
use crate::{NOW_MS, Reply, World};

async fn preview(world: &World, definition: &Value, token: Option<&str>) -> Reply {
    let mut attributes = json!({"definition": definition});
    if let Some(token) = token {
        attributes["continue"] = token.into();
    }
    let body = json!({"data": {"type": "segment-preview", "attributes": attributes}});
    world.post("/api/segments/preview", body).await
}

/// So many people, of whom every third has bought twice; returns those.
async fn people(world: &World, count: usize) -> BTreeSet<String> {
    let mut buyers = BTreeSet::new();
    for number in 0..count {
        let id = world.profile(&format!("p{number:03}@example.com")).await;
        if number % 3 == 0 {
            for order in ["a", "b"] {
                let key = format!("{number}{order}");
                world.record(&id, "Placed Order", &key, NOW_MS / 1000 - 86_400, None).await;
            }
            buyers.insert(id);
        }
    }
    buyers
}

#[tokio::test]
async fn a_preview_counts_who_would_belong_and_names_some_and_writes_nothing() {
    let world = World::new().await;
    let buyers = people(&world, 40).await;
    let reply = preview(&world, &at_least(2), None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let data = &reply.body["data"];
    assert_eq!(data["type"], "segment-preview");
    let attributes = &data["attributes"];
    assert_eq!(
        (&attributes["is_complete"], &attributes["count"], &attributes["profiles_seen"]),
        (&json!(true), &json!(buyers.len()), &json!(40))
    );
    assert_eq!(attributes["continue"], Value::Null);
    let sample: Vec<&str> =
        attributes["sample"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(sample, buyers.iter().take(10).map(String::as_str).collect::<Vec<_>>());

    assert_eq!(world.store.program_version().await.unwrap(), 0);
    assert!(world.store.segments().await.unwrap().is_empty() && world.store.jobs().await.unwrap().is_empty());
    assert!(world.store.state(sample[0]).await.unwrap().is_none());

    let none = preview(&world, &at_least(3), None).await.body["data"]["attributes"].clone();
    assert_eq!((&none["count"], &none["sample"]), (&json!(0), &json!([])));
    let group = create(&world, "Repeat buyers", at_least(2)).await.id();
    let outside = json!({"condition_groups": [{"conditions": [
        {"type": "profile-group-membership", "is_member": false, "group_ids": [group]},
    ]}]});
    let attributes = preview(&world, &outside, None).await.body["data"]["attributes"].clone();
    assert_eq!(attributes["count"], 40 - buyers.len());
    // Exact as of now: a month later the orders are out of the window.
    world.pass(40 * 86_400_000);
    assert_eq!(preview(&world, &at_least(1), None).await.body["data"]["attributes"]["count"], 0);
}

#[tokio::test]
async fn a_preview_that_takes_too_long_says_so_and_is_gone_on_with_until_it_is_exact() {
    let world = World::new().await;
    let buyers = people(&world, 60).await;
    // Whoever looks at the clock takes five seconds for it.
    world.step_ms.store(5_000, Ordering::SeqCst);
    let (mut token, mut requests, mut before) = (None, 0, 0);
    let last = loop {
        let reply = preview(&world, &at_least(2), token.as_deref()).await;
        requests += 1;
        assert!(requests < 60);
        let attributes = reply.body["data"]["attributes"].clone();
        let seen = attributes["profiles_seen"].as_u64().unwrap();
        assert!(seen > before, "each request gets on");
        before = seen;
        assert!(attributes["sample"].as_array().unwrap().len() <= 10);
        if reply.status == StatusCode::OK {
            break attributes;
        }
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
        assert_eq!(attributes["is_complete"], false);
        token = Some(attributes["continue"].as_str().unwrap().to_owned());
    };
    assert!(requests > 2, "{requests}");
    assert_eq!(
        (&last["is_complete"], &last["count"], &last["profiles_seen"]),
        (&json!(true), &json!(buyers.len()), &json!(60))
    );
    assert_eq!(last["sample"], json!(buyers.iter().take(10).collect::<Vec<_>>()));

    let token = token.unwrap();
    let pointer = "/data/attributes/continue";
    assert_eq!(preview(&world, &at_least(1), Some(&token)).await.error(), (400, pointer));
    let cut = &token[1..];
    for altered in [cut, "", "x", "a.b", &format!("{token}A")] {
        assert_eq!(preview(&world, &at_least(2), Some(altered)).await.error(), (400, pointer), "{altered}");
    }
}

#[tokio::test]
async fn a_preview_that_is_none_is_refused_where_it_is_not() {
    let world = World::new().await;
    let post = async |attributes: Value| {
        let body = json!({"data": {"type": "segment-preview", "attributes": attributes}});
        world.post("/api/segments/preview", body).await
    };
    assert_eq!(post(json!({})).await.error(), (400, "/data/attributes/definition"));
    let named = json!({"definition": at_least(1), "name": "x"});
    assert_eq!(post(named).await.error(), (400, "/data/attributes/name"));
    let number = json!({"definition": at_least(1), "continue": 1});
    assert_eq!(post(number).await.error(), (400, "/data/attributes/continue"));
    let body = json!({"data": {"type": "segment", "attributes": {}}});
    assert_eq!(world.post("/api/segments/preview", body).await.error(), (400, "/data/type"));
}
