//! Segments that ask about segments, and definitions that are refused.

use http::StatusCode;
use serde_json::{Value, json};

use crate::segments::{at_least, change, create};
use crate::{Reply, World};

const GROUP_IDS: &str = "/data/attributes/definition/condition_groups/0/conditions/0/group_ids";

fn asking(ids: &[&str]) -> Value {
    only(json!({"type": "profile-group-membership", "is_member": true, "group_ids": ids}))
}

fn only(condition: Value) -> Value {
    json!({"condition_groups": [{"conditions": [condition]}]})
}

async fn made(world: &World, name: &str, definition: Value) -> String {
    let reply = create(world, name, definition).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    reply.id()
}

async fn preview(world: &World, definition: &Value) -> Reply {
    let attributes = json!({"definition": definition});
    let body = json!({"data": {"type": "segment-preview", "attributes": attributes}});
    world.post("/api/segments/preview", body).await
}

fn detail(reply: &Reply) -> &str {
    reply.body["errors"][0]["detail"].as_str().unwrap()
}

#[tokio::test]
async fn segments_that_would_ask_about_each_other_are_refused_with_the_way() {
    let world = World::new().await;
    let first = made(&world, "First", at_least(1)).await;
    let second = made(&world, "Second", asking(&[&first])).await;
    let third = made(&world, "Third", asking(&[&second])).await;
    for (asked, way) in [
        (&first, format!("{first} -> {first}")),
        (&second, format!("{first} -> {second} -> {first}")),
        (&third, format!("{first} -> {third} -> {second} -> {first}")),
    ] {
        // Beside a condition that is good, so that the place tells something.
        let definition = json!({"condition_groups": [
            {"conditions": [at_least(1)["condition_groups"][0]["conditions"][0]]},
            {"conditions": [asking(&[asked])["condition_groups"][0]["conditions"][0]]},
        ]});
        let reply = change(&world, &first, json!({"definition": definition})).await;
        let pointer = "/data/attributes/definition/condition_groups/1/conditions/0/group_ids";
        assert_eq!(reply.error(), (400, pointer));
        assert!(detail(&reply).ends_with(&format!("{way}.")), "{way}: {}", detail(&reply));
    }
    assert_eq!(world.store.program_version().await.unwrap(), 3, "nothing was written");
    // A triangle without a circle is none.
    assert_eq!(create(&world, "Fourth", asking(&[&first, &third])).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn segments_that_begin_to_ask_about_each_other_at_once_do_not_both_succeed() {
    let world = World::new().await;
    let one = made(&world, "One", at_least(1)).await;
    let other = made(&world, "Other", at_least(2)).await;
    let (first, second) = futures::join!(
        change(&world, &one, json!({"definition": asking(&[&other])})),
        change(&world, &other, json!({"definition": asking(&[&one])})),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn a_condition_asks_about_lists_and_segments_that_there_are_and_are_evaluated() {
    let world = World::new().await;
    let list = json!({"data": {"type": "list", "attributes": {"name": "Newsletter"}}});
    let list = world.post("/api/lists", list).await.id();
    let buyers = made(&world, "Buyers", at_least(1)).await;
    let window = json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 3});
    let dated = |ids: &[&str]| {
        let mut definition = asking(ids);
        definition["condition_groups"][0]["conditions"][0]["timeframe_filter"] = window.clone();
        definition
    };
    made(&world, "On the list", asking(&[&list, &buyers])).await;
    made(&world, "Lately on the list", dated(&[&list])).await;

    let timeframe = GROUP_IDS.replace("group_ids", "timeframe_filter");
    let asleep = made(&world, "Asleep", at_least(3)).await;
    change(&world, &asleep, json!({"is_active": false})).await;
    for (definition, pointer, named) in [
        (asking(&[&list, "NONE00"]), GROUP_IDS, "NONE00"),
        (dated(&[&list, &buyers]), timeframe.as_str(), buyers.as_str()),
        (asking(&[&asleep]), GROUP_IDS, asleep.as_str()),
        (asking(&["(preview)"]), GROUP_IDS, "(preview)"),
    ] {
        for reply in [
            create(&world, "Refused", definition.clone()).await,
            change(&world, &buyers, json!({"definition": definition})).await,
            preview(&world, &definition).await,
        ] {
            assert_eq!(reply.error(), (400, pointer), "{named}");
            assert!(detail(&reply).contains(named), "{}", detail(&reply));
        }
    }
    // Events of a metric may come later.
    let mut unknown = at_least(1);
    unknown["condition_groups"][0]["conditions"][0]["metric_id"] = "NOSUCH".into();
    made(&world, "Not yet", unknown).await;
}

#[tokio::test]
async fn a_segment_that_others_ask_about_stays() {
    let world = World::new().await;
    let buyers = made(&world, "Buyers", at_least(1)).await;
    let asking_one = made(&world, "Asking", asking(&[&buyers])).await;
    let path = format!("/api/segments/{buyers}");
    let version = world.store.program_version().await.unwrap();
    for reply in [world.delete(&path).await, change(&world, &buyers, json!({"is_active": false})).await] {
        assert_eq!(reply.error().0, 409);
        assert!(detail(&reply).contains(&format!("{asking_one} (Asking)")), "{}", detail(&reply));
        assert_eq!(reply.body["errors"][0]["meta"]["segment_ids"], json!([asking_one]));
    }
    assert_eq!(world.store.program_version().await.unwrap(), version);
    // A new name hurts nobody.
    assert_eq!(change(&world, &buyers, json!({"name": "Customers"})).await.status, StatusCode::OK);

    // Who is not evaluated asks nothing for now; but it would when it is activated again.
    let activate = |is_active: bool| json!({"is_active": is_active});
    assert_eq!(change(&world, &asking_one, activate(false)).await.status, StatusCode::OK);
    assert_eq!(change(&world, &buyers, activate(false)).await.status, StatusCode::OK);
    let reply = change(&world, &asking_one, activate(true)).await;
    assert_eq!(reply.error(), (400, "/data/attributes/is_active"));
    assert!(detail(&reply).contains(&buyers));
    assert_eq!(world.delete(&path).await.error().0, 409);
    assert_eq!(world.delete(&format!("/api/segments/{asking_one}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn every_refusal_of_a_definition_says_where() {
    let world = World::new().await;
    let id = made(&world, "Buyers", at_least(1)).await;
    let window = json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 3});
    let count = json!({"type": "numeric", "operator": "greater-than", "value": 1});
    for (condition, place) in [
        (json!({"type": "profile-has-custom-object", "object_type_id": "a"}), "/type"),
        (
            json!({"type": "profile-metric", "metric_id": "ABCDEF", "measurement": "median",
            "measurement_filter": count, "timeframe_filter": window}),
            "/measurement",
        ),
        (
            json!({"type": "profile-metric", "metric_id": "ABCDEF", "measurement": "count",
            "measurement_filter": count,
            "timeframe_filter": {"type": "date", "operator": "in-the-last", "unit": "eon", "quantity": 3}}),
            "/timeframe_filter/unit",
        ),
        (json!({"type": "profile-metric-funnel", "timeframe_filter": window, "steps": []}), "/steps"),
        (json!({"type": "profile-predictive-analytics", "dimension": "luck", "filter": count}), "/dimension"),
        (
            json!({"type": "profile-property", "property": "email",
            "filter": {"type": "string", "operator": "sounds-like", "value": "b"}}),
            "/filter/operator",
        ),
        (json!({"type": "profile-group-membership", "is_member": true, "group_ids": []}), "/group_ids"),
        (json!({"type": "profile-region", "in_region": true, "region": "asia"}), "/region"),
        (json!({"type": "profile-sample", "percentage": 200}), ""),
        (json!({"type": "profile-postal-code-distance"}), ""),
        (json!({"type": "profile-marketing-consent"}), ""),
        (json!({"type": "profile-permissions"}), ""),
    ] {
        let definition = only(condition);
        let begin = format!("/data/attributes/definition/condition_groups/0/conditions/0{place}");
        for reply in [
            create(&world, "Refused", definition.clone()).await,
            change(&world, &id, json!({"definition": definition})).await,
            preview(&world, &definition).await,
        ] {
            let (status, pointer) = reply.error();
            assert_eq!(status, 400);
            assert!(pointer.starts_with(&begin), "{pointer} for {begin}");
            if !place.is_empty() {
                assert_eq!(pointer, begin);
            }
        }
    }
}
