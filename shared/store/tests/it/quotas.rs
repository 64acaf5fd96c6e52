use canonical::Instant;
use serde_json::json;
use store::{Allowance, ApiKey, Error, Quota};
use testing::World;

use crate::now;

const MINUTE: i64 = 29_694_960;

#[tokio::test]
async fn whoever_takes_sees_what_all_have_taken_and_how_many_they_are() {
    let world = World::start().await;
    let take = async |counter: &str, minute, count, joins| {
        world.store.take_quota(counter, minute, count, joins).await.unwrap()
    };
    assert_eq!(take("a", MINUTE, 7, true).await, Quota { taken: 7, takers: 1 });
    assert_eq!(take("a", MINUTE, 7, false).await, Quota { taken: 14, takers: 1 });
    assert_eq!(take("a", MINUTE, 7, true).await, Quota { taken: 21, takers: 2 });
    assert_eq!(take("b", MINUTE, 1, true).await, Quota { taken: 1, takers: 1 });
    assert_eq!(take("a", MINUTE + 1, 7, true).await, Quota { taken: 7, takers: 1 });
    let items = world.items("registry");
    let item = &items[&("quota#a".to_owned(), MINUTE.to_string())];
    assert_eq!(item["expires"]["N"], ((MINUTE + 1) * 60 + 300).to_string(), "it is forgotten by itself");
    assert_eq!(items.len(), 3);
}

#[tokio::test]
async fn what_many_take_at_once_adds_up() {
    let world = World::start().await;
    let takes = (0..50).map(|_| world.store.take_quota("a", MINUTE, 7, true));
    let mut quotas: Vec<_> = futures::future::try_join_all(takes).await.unwrap();
    quotas.sort_by_key(|quota| quota.taken);
    let expected: Vec<_> = (1..=50).map(|place| Quota { taken: place * 7, takers: place }).collect();
    assert_eq!(quotas, expected);
}

#[tokio::test]
async fn keys_are_made_once_listed_and_removed() {
    let world = World::start().await;
    let key = |name: &str, limit: Option<Allowance>, created_at: Instant| ApiKey {
        name: name.to_owned(),
        scopes: vec!["events:write".to_owned()],
        limit,
        created_at,
    };
    let first = key("first", None, now());
    let second = key("second", Some("0.5".parse().unwrap()), now());
    world.store.create_api_key("d1", &first).await.unwrap();
    world.store.create_api_key("d2", &second).await.unwrap();
    assert!(matches!(world.store.create_api_key("d1", &second).await, Err(Error::Conflict)));
    assert_eq!(world.store.api_key("d1").await.unwrap(), Some(first.clone()));
    let all = world.store.api_keys().await.unwrap();
    assert_eq!(all, [("d1".to_owned(), first), ("d2".to_owned(), second.clone())]);
    world.store.delete_api_key("d1").await.unwrap();
    world.store.delete_api_key("d1").await.unwrap();
    assert_eq!(world.store.api_keys().await.unwrap(), [("d2".to_owned(), second)]);
    world.put_item("registry", &json!({"pk": {"S": "key"}, "sk": {"S": "d3"}, "doc": {"S": "{"}}));
    assert!(matches!(world.store.api_keys().await, Err(Error::Corrupt("key", _))));
}
