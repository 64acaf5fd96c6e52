use std::collections::BTreeMap;

use store::{Health, OTHER};
use testing::World;

use crate::now;

#[tokio::test]
async fn what_is_noted_adds_up_and_the_last_stands() {
    let world = World::start().await;
    assert_eq!(world.store.health("C1").await.unwrap(), Health::default());
    let mut health = Health::default();
    health.count("mapped");
    health.reject("signature mismatch");
    health.ignore("ping");
    health.last_delivery_at = Some(now());
    world.store.note_health("C1", &health).await.unwrap();
    let mut more = health.clone();
    more.count("mapped");
    more.lag_ms = Some(7);
    more.fail(now(), "the shop answered 503");
    world.store.note_health("C1", &more).await.unwrap();
    world.store.note_health("C1", &Health::default()).await.unwrap();

    let found = world.store.health("C1").await.unwrap();
    assert_eq!(found.counts, BTreeMap::from([("mapped".to_owned(), 3)]));
    assert_eq!(found.rejected, BTreeMap::from([("signature mismatch".to_owned(), 2)]));
    assert_eq!(found.ignored, BTreeMap::from([("ping".to_owned(), 2)]));
    assert_eq!(found.last_error, Some((now(), "the shop answered 503".to_owned())));
    assert_eq!((found.last_delivery_at, found.lag_ms), (Some(now()), Some(7)));
    assert_eq!(world.store.health("C2").await.unwrap(), Health::default());
}

#[tokio::test]
async fn topics_beyond_the_bound_are_counted_together() {
    let mut many = Health::default();
    for number in 0..80 {
        many.ignore(&format!("topic/{number}"));
    }
    many.ignore("topic/1");
    many.ignore("no plain words");
    assert_eq!(many.ignored.len(), 51, "already before they are written");
    assert_eq!((many.ignored["topic/1"], many.ignored[OTHER]), (2, 31));

    let world = World::start().await;
    world.store.note_health("C1", &many).await.unwrap();
    let mut more = Health::default();
    more.ignore("topic/1");
    more.ignore("yet/another");
    world.store.note_health("C1", &more).await.unwrap();
    let found = world.store.health("C1").await.unwrap().ignored;
    assert_eq!(found.values().sum::<u64>(), 84, "each is counted once");
    assert!(found.len() <= 51 && !found.contains_key("yet/another"));
    assert_eq!(found["topic/1"], 3);
}
