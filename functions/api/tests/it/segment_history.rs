use http::StatusCode;
use serde_json::{Value, json};
use store::{Evaluation, MembershipChange};

use crate::segments::{at_least, create, join};
use crate::{NOW_MS, Reply, World};

const DAY_MS: i64 = 86_400_000;

/// Since when and until when, in seconds of the hour.
fn told(reply: &Reply) -> Vec<(String, Option<String>)> {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let data = reply.body["data"].as_array().unwrap();
    let second =
        |value: &Value| value.as_str().map(|at| at.replace("2026-06-17T12:00:", "").replace("+00:00", ""));
    let attributes = data.iter().map(|item| &item["attributes"]);
    attributes.map(|told| (second(&told["joined_at"]).unwrap(), second(&told["left_at"]))).collect()
}

async fn all(world: &World, path: &str) -> Vec<(String, Option<String>)> {
    let (mut found, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(address) = next {
        let page = world.get(&address).await;
        assert!(page.body["data"].as_array().unwrap().len() <= 3);
        found.extend(told(&page));
        next = page.next();
    }
    found
}

#[tokio::test]
async fn all_memberships_are_told_of_a_profile_and_of_a_segment() {
    let world = World::new().await;
    let buyers = create(&world, "Buyers", at_least(1)).await.id();
    let others = create(&world, "Others", at_least(2)).await.id();
    let ann = world.profile("ann@example.com").await;
    let ben = world.profile("ben@example.com").await;
    for second in 0..6 {
        join(&world, &buyers, &ann, NOW_MS + second * 1000, second % 2 == 0).await;
    }
    join(&world, &others, &ann, NOW_MS + 500, true).await;
    join(&world, &buyers, &ben, NOW_MS + 2500, true).await;

    let of_ann = format!("/api/profiles/{ann}/segment-history");
    let of_buyers = format!("/api/segments/{buyers}/history");
    let line = |joined: &str, left: Option<&str>| (joined.to_owned(), left.map(str::to_owned));
    let in_buyers = [line("04", Some("05")), line("02", Some("03")), line("00", Some("01"))];
    let mut expected = in_buyers.to_vec();
    expected.push(line("00.500000", None));
    assert_eq!(all(&world, &format!("{of_ann}?page[size]=3")).await, expected);
    let mut expected = in_buyers.to_vec();
    expected.insert(2, line("02.500000", None));
    assert_eq!(all(&world, &format!("{of_buyers}?page[size]=2")).await, expected);

    for (filter, expected) in [
        (format!("equals(segment_id,'{buyers}')"), in_buyers.to_vec()),
        (format!("any(segment_id,['{others}','NONE00'])"), vec![line("00.500000", None)]),
        (format!("equals(segment_id,'{others}'),equals(segment_id,'{buyers}')"), vec![]),
        (
            "greater-or-equal(at,2026-06-17T12:00:02Z),less-than(at,2026-06-17T12:00:04Z)".to_owned(),
            vec![line("02", Some("03"))],
        ),
        (
            format!("equals(segment_id,'{buyers}'),less-or-equal(at,2026-06-17T12:00:01Z)"),
            vec![line("00", Some("01"))],
        ),
    ] {
        assert_eq!(
            all(&world, &format!("{of_ann}?page[size]=2&filter={filter}")).await,
            expected,
            "{filter}"
        );
    }
    let filter = "greater-or-equal(at,2026-06-17T12:00:02Z),less-or-equal(at,2026-06-17T12:00:03Z)";
    assert_eq!(
        all(&world, &format!("{of_buyers}?page[size]=1&filter={filter}")).await,
        [line("02", Some("03")), line("02.500000", None)]
    );

    let newest = world.get(&format!("{of_ann}?page[size]=1")).await.body["data"][0].clone();
    assert_eq!(
        (&newest["type"], &newest["relationships"]),
        (
            &json!("segment-membership"),
            &json!({
                "profile": {"data": {"type": "profile", "id": ann}},
                "segment": {"data": {"type": "segment", "id": buyers}},
            })
        )
    );
    // The same membership has the same id in both.
    assert_eq!(world.get(&of_buyers).await.ids()[0], newest["id"]);
    let ids = world.get(&of_ann).await;
    let ids: std::collections::BTreeSet<&str> = ids.ids().into_iter().collect();
    assert_eq!(ids.len(), 4);
    let sparse = world.get(&format!("{of_ann}?fields[segment-membership]=left_at&page[size]=1")).await;
    assert_eq!(sparse.body["data"][0]["attributes"], json!({"left_at": "2026-06-17T12:00:05+00:00"}));

    for (path, error) in [
        (format!("{of_ann}?filter=equals(at,2026-06-17)"), (400, "filter")),
        (format!("{of_ann}?filter=greater-than(segment_id,'a')"), (400, "filter")),
        (format!("{of_buyers}?filter=equals(segment_id,'{buyers}')"), (400, "filter")),
        (format!("{of_buyers}?filter=less-than(at,soon)"), (400, "filter")),
        (format!("{of_buyers}?page[size]=101"), (400, "page[size]")),
        (format!("{of_ann}?page[cursor]=%C3%A4"), (400, "page[cursor]")),
    ] {
        assert_eq!(world.get(&path).await.error(), error, "{path}");
    }
    assert_eq!(world.get("/api/profiles/none/segment-history").await.error().0, 404);
    assert_eq!(world.get("/api/segments/NONE00/history").await.error().0, 404);

    world.delete(&format!("/api/segments/{buyers}")).await;
    assert_eq!(world.get(&of_buyers).await.error().0, 404);
    assert_eq!(
        told(&world.get(&of_ann).await).len(),
        4,
        "a deleted segment's history stays with the profile"
    );
    world.pass(400 * DAY_MS + 3000);
    let left = [line("04", Some("05")), line("02", Some("03")), line("00.500000", None)];
    assert_eq!(told(&world.get(&of_ann).await), left, "what has expired is not told any more");
}

#[tokio::test]
async fn a_membership_says_what_caused_it() {
    let world = World::new().await;
    let segment = create(&world, "Buyers", at_least(1)).await.id();
    let ann = world.profile("ann@example.com").await;
    let changes = [("event:E1", true), ("time", false), ("profile", true), ("event:E2", false)];
    let changes = (0..).zip(changes).map(|(offset, (cause, entered))| MembershipChange {
        segment_id: segment.clone(),
        entered,
        at_ms: NOW_MS + offset,
        cause: cause.to_owned(),
        staged: None,
    });
    let evaluation =
        Evaluation { profile_id: &ann, read: None, state: vec![1], due_ms: None, changes: changes.collect() };
    world.store.save_evaluation(&evaluation).await.unwrap();
    let reply = world.get(&format!("/api/profiles/{ann}/segment-history")).await;
    let causes: Vec<_> = reply.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            ["joined_cause", "joined_event_id", "left_cause", "left_event_id"]
                .map(|name| item["attributes"][name].as_str().map(str::to_owned))
        })
        .collect();
    let told = |causes: [Option<&str>; 4]| causes.map(|cause| cause.map(str::to_owned));
    let event = |id: &str| format!("{ann}-{id}");
    assert_eq!(
        causes,
        [
            told([Some("profile"), None, Some("event"), Some(&event("E2"))]),
            told([Some("event"), Some(&event("E1")), Some("time"), None]),
        ]
    );
}
