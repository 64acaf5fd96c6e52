use http::StatusCode;
use serde_json::{Value, json};
use store::{Evaluation, MembershipChange};

use crate::segments::{at_least, create, join};
use crate::{NOW_MS, Reply, World};

const DAY_MS: i64 = 86_400_000;

fn told(reply: &Reply) -> Vec<(String, String)> {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let data = reply.body["data"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let attributes = data.iter().map(|item| &item["attributes"]);
    attributes.map(|told| (text(&told["transition"]), text(&told["at"]))).collect()
}

async fn all(world: &World, path: &str) -> Vec<(String, String)> {
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
async fn all_transitions_are_told_for_a_profile_and_for_a_segment() {
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
    let at = |seconds: &str| format!("2026-06-17T12:00:{seconds}+00:00");
    let line =
        |entered: bool, seconds: &str| ((if entered { "entered" } else { "exited" }).to_owned(), at(seconds));
    let in_buyers = [
        line(false, "05"),
        line(true, "04"),
        line(false, "03"),
        line(true, "02"),
        line(false, "01"),
        line(true, "00"),
    ];
    let mut expected = in_buyers.to_vec();
    expected.insert(5, line(true, "00.500000"));
    assert_eq!(all(&world, &format!("{of_ann}?page[size]=3")).await, expected);
    let mut expected = in_buyers.to_vec();
    expected.insert(3, line(true, "02.500000"));
    assert_eq!(all(&world, &format!("{of_buyers}?page[size]=2")).await, expected);

    for (filter, expected) in [
        (format!("equals(segment_id,'{buyers}')"), in_buyers.to_vec()),
        (format!("any(segment_id,['{others}','NONE00'])"), vec![line(true, "00.500000")]),
        (format!("equals(segment_id,'{others}'),equals(segment_id,'{buyers}')"), vec![]),
        (
            "greater-or-equal(at,2026-06-17T12:00:02Z),less-than(at,2026-06-17T12:00:04Z)".to_owned(),
            vec![line(false, "03"), line(true, "02")],
        ),
        (format!("equals(segment_id,'{buyers}'),less-than(at,2026-06-17T12:00:01Z)"), vec![line(true, "00")]),
    ] {
        assert_eq!(
            all(&world, &format!("{of_ann}?page[size]=2&filter={filter}")).await,
            expected,
            "{filter}"
        );
    }
    let filter = "greater-or-equal(at,2026-06-17T12:00:02Z),less-than(at,2026-06-17T12:00:03Z)";
    assert_eq!(
        all(&world, &format!("{of_buyers}?page[size]=1&filter={filter}")).await,
        [line(true, "02.500000"), line(true, "02")]
    );

    let newest = world.get(&format!("{of_ann}?page[size]=1")).await.body["data"][0].clone();
    assert_eq!(
        (&newest["type"], &newest["relationships"]),
        (
            &json!("segment-transition"),
            &json!({
                "profile": {"data": {"type": "profile", "id": ann}},
                "segment": {"data": {"type": "segment", "id": buyers}},
            })
        )
    );
    // The same transition has the same id in both.
    assert_eq!(world.get(&of_buyers).await.ids()[0], newest["id"]);
    let ids = world.get(&of_ann).await;
    let ids: std::collections::BTreeSet<&str> = ids.ids().into_iter().collect();
    assert_eq!(ids.len(), 7);
    let sparse = world.get(&format!("{of_ann}?fields[segment-transition]=at&page[size]=1")).await;
    assert_eq!(sparse.body["data"][0]["attributes"], json!({"at": at("05")}));

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
        7,
        "a deleted segment's history stays with the profile"
    );
    world.pass(400 * DAY_MS + 3000);
    assert_eq!(told(&world.get(&of_ann).await).len(), 3, "what has expired is not told any more");
}

#[tokio::test]
async fn a_transition_says_what_caused_it() {
    let world = World::new().await;
    let segment = create(&world, "Buyers", at_least(1)).await.id();
    let ann = world.profile("ann@example.com").await;
    let changes = [("event:E1", true), ("time", false), ("profile", true), ("definition", false)];
    let changes = (0..).zip(changes).map(|(offset, (cause, entered))| MembershipChange {
        segment_id: segment.clone(),
        entered,
        at_ms: NOW_MS + offset,
        cause: cause.to_owned(),
    });
    let evaluation = Evaluation {
        profile_id: &ann,
        read_version: 0,
        state: vec![1],
        due_ms: None,
        changes: changes.collect(),
    };
    world.store.save_evaluation(&evaluation).await.unwrap();
    let reply = world.get(&format!("/api/profiles/{ann}/segment-history")).await;
    let causes: Vec<_> = reply.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["attributes"]["cause"].clone(), item["attributes"]["event_id"].clone()))
        .collect();
    assert_eq!(
        causes,
        [
            (json!("definition"), Value::Null),
            (json!("profile"), Value::Null),
            (json!("time"), Value::Null),
            (json!("event"), json!(format!("{ann}-E1"))),
        ]
    );
}
