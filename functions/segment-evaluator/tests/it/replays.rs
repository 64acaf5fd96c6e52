use canonical::identity::Identifiers;

use crate::{Shop, base64, orders, recent};

/// A shop in which something has happened, and nothing has been evaluated yet.
async fn story() -> Shop {
    let shop = Shop::open().await;
    shop.define("ONE", orders(1)).await;
    shop.define("THREE", orders(3)).await;
    shop.define("WEEK", recent(7)).await;
    let ada = shop.person("ada@example.com").await;
    let bob = shop.person("bob@example.com").await;
    for number in 0..4 {
        shop.order(&ada, &format!("a{number}")).await;
        if number % 2 == 0 {
            shop.order(&bob, &format!("b{number}")).await;
        }
        let ada = Identifiers { email: Some("ada@example.com".to_owned()), ..Identifiers::default() };
        let set = |profile: &mut canonical::Profile| {
            profile.attributes.insert("title".to_owned(), number.into()).is_none_or(|old| old != number)
        };
        shop.world.store.update_person(&ada, None, shop.world.now(), set).await.unwrap();
        shop.world.store.tick(&bob, number).await.unwrap();
    }
    shop
}

#[tokio::test]
async fn what_is_delivered_again_overlapping_or_in_pieces_changes_nothing() {
    let calm = story().await;
    let records = calm.world.stream();
    assert_eq!(records.len(), 16);
    for record in records.clone() {
        assert_eq!(calm.evaluate(vec![record]).await, None);
    }
    let expected = calm.outcome();
    let ada = calm.person("ada@example.com").await;
    let bob = calm.person("bob@example.com").await;
    for (profile, segments) in [(&ada, [true, true, true]), (&bob, [true, false, true])] {
        for (segment, is_member) in ["ONE", "THREE", "WEEK"].into_iter().zip(segments) {
            assert_eq!(calm.is_member(profile, segment).await, is_member, "{segment}");
        }
    }
    // Batches by their beginnings and ends, as retries and bisecting make them.
    let plans: [&[(usize, usize)]; 6] = [
        &[(0, 16)],
        &[(0, 16), (0, 16), (0, 16)],
        &[(0, 10), (5, 16), (0, 16)],
        &[(0, 8), (0, 4), (4, 8), (8, 16), (8, 12), (12, 16)],
        &[(0, 1), (0, 2), (0, 16), (3, 9), (15, 16)],
        &[(0, 5), (2, 7), (4, 9), (6, 11), (8, 13), (10, 16), (0, 16)],
    ];
    for plan in plans {
        let shop = story().await;
        let records = shop.world.stream();
        for (from, to) in plan {
            assert_eq!(shop.evaluate(records[*from..*to].to_vec()).await, None);
        }
        assert_same(&shop, &calm, &format!("{plan:?}"));
        // And once more, now that all is applied: not a byte.
        let before = shop.outcome();
        shop.evaluate_all().await;
        for record in records {
            shop.evaluate(vec![record]).await;
        }
        assert_eq!(shop.outcome(), before, "{plan:?}");
    }
    assert_eq!(calm.outcome(), expected);
}

/// Memberships are equal but for the write that they came with, and so are the states but for the count of their writes
/// and the position, which is not written on its own.
fn assert_same(shop: &Shop, other: &Shop, plan: &str) {
    let (ours, theirs) = (shop.outcome(), other.outcome());
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{plan}");
    for (key, item) in &ours {
        if key.1 == "state" {
            let state = |item: &serde_json::Value| {
                let bytes: Vec<u8> = base64(item["b"]["B"].as_str().unwrap());
                segments::State::decode(&bytes).unwrap()
            };
            assert_eq!(state(item), state(&theirs[key]), "{plan}");
            assert_eq!(item["due_at"], theirs[key]["due_at"], "{plan}");
        } else {
            let written = |item: &serde_json::Value| {
                let mut item = item.clone();
                for of_the_write in ["v", "left_order"] {
                    item.as_object_mut().unwrap().remove(of_the_write);
                }
                if item["seg"]["S"] != key.1[2..] {
                    // The end's place among those of one millisecond.
                    item["joined"] = item["joined"]["S"].as_str().unwrap().rsplit_once('#').unwrap().0.into();
                }
                item
            };
            assert_eq!(written(item), written(&theirs[key]), "{plan}");
        }
    }
}

#[tokio::test]
async fn a_fresh_profile_is_read_without_its_history() {
    let shop = Shop::open().await;
    shop.define("ONE", orders(1)).await;
    let ada = shop.person("ada@example.com").await;
    shop.order(&ada, "1").await;
    shop.world.intercept(|call| {
        assert!(!call.is("Query", "e#"), "{call:?}");
        std::future::ready(testing::Answer::Pass)
    });
    shop.evaluate_all().await;
    let member = shop.world.store.membership(&ada, "ONE").await.unwrap().unwrap();
    assert!(member.current);
    assert!(member.joined_cause.unwrap().starts_with("event:"));
}

#[tokio::test]
async fn a_profile_that_merged_or_was_erased_is_in_no_segment() {
    let shop = Shop::open().await;
    shop.define("ONE", orders(1)).await;
    let ada = shop.person("ada@example.com").await;
    let phone = Identifiers { phone_number: Some("+12025550101".to_owned()), ..Identifiers::default() };
    let now = shop.world.now();
    shop.world.store.update_person(&phone, None, now, |_| false).await.unwrap();
    let weak = shop.world.store.find_person(&phone).await.unwrap().unwrap().value.id;
    shop.order(&weak, "1").await;
    shop.evaluate_all().await;
    assert!(shop.is_member(&weak, "ONE").await && !shop.is_member(&ada, "ONE").await);

    let both = Identifiers { email: Some("ada@example.com".to_owned()), ..phone };
    shop.world.store.update_person(&both, None, now, |_| false).await.unwrap();
    shop.evaluate_all().await;
    assert!(!shop.is_member(&weak, "ONE").await && shop.is_member(&ada, "ONE").await);

    let profile = shop.world.store.profile(&ada).await.unwrap().unwrap();
    shop.world.store.erase_profile(&profile, now).await.unwrap();
    shop.evaluate_all().await;
    assert_eq!(shop.outcome().len(), 0);
}

#[tokio::test]
async fn an_event_that_came_late_to_a_merged_profile_follows_it() {
    let shop = Shop::open().await;
    shop.define("TWO", orders(2)).await;
    let ada = shop.person("ada@example.com").await;
    let phone = Identifiers { phone_number: Some("+12025550101".to_owned()), ..Identifiers::default() };
    let now = shop.world.now();
    shop.world.store.update_person(&phone, None, now, |_| false).await.unwrap();
    let weak = shop.world.store.find_person(&phone).await.unwrap().unwrap().value.id;
    shop.order(&ada, "1").await;
    let both = Identifiers { email: Some("ada@example.com".to_owned()), ..phone };
    shop.world.store.update_person(&both, None, now, |_| false).await.unwrap();
    // Its writer had looked before the merge.
    shop.order(&weak, "2").await;
    shop.evaluate_all().await;
    shop.evaluate_all().await;
    assert!(shop.is_member(&ada, "TWO").await);
    assert!(shop.world.store.history(&weak).await.unwrap().is_empty());

    let profile = shop.world.store.profile(&ada).await.unwrap().unwrap();
    shop.world.store.erase_profile(&profile, now).await.unwrap();
    for profile in [&weak, &ada] {
        shop.order(profile, "3").await;
    }
    shop.evaluate_all().await;
    for profile in [&weak, &ada] {
        assert!(shop.world.store.history(profile).await.unwrap().is_empty());
    }
}
