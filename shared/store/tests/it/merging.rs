use store::{Error, Job, JobKind, Listed, Store};
use testing::{Answer, NOW_MS, World, at};

use crate::{event, event_ids, now, person, profile, with_both, with_email, with_phone};

const EMAIL: &str = "ada@example.com";
const PHONE: &str = "+12025550101";

/// Two profiles that are one person, each with its events; their ids.
async fn two(world: &World) -> (String, String) {
    let strong = person(&world.store, &with_email(EMAIL)).await.id;
    let weak = person(&world.store, &with_phone(PHONE)).await.id;
    assert_ne!(strong, weak);
    for (profile, key) in [(&strong, "1"), (&weak, "2"), (&weak, "3")] {
        world.store.put_event(&event(profile, key, 0)).await.unwrap();
    }
    (strong, weak)
}

#[tokio::test]
async fn a_profile_with_only_a_phone_merges_into_the_one_with_the_email() {
    let world = World::start().await;
    let (strong, weak) = two(&world).await;
    let merged = person(&world.store, &with_both(EMAIL, PHONE)).await;
    assert_eq!(merged.id, strong);
    assert_eq!(merged.phone_number.as_deref(), Some(PHONE));
    assert_eq!(event_ids(&world.store, &strong).await.len(), 3);
    assert!(event_ids(&world.store, &weak).await.is_empty());
    // The old id and the old identifier still lead to the person.
    assert_eq!(profile(&world.store, &weak).await.value.id, strong);
    assert_eq!(person(&world.store, &with_phone(PHONE)).await.id, strong);
}

#[tokio::test]
async fn two_emails_that_share_a_phone_stay_two_people() {
    let world = World::start().await;
    let ada = person(&world.store, &with_both(EMAIL, PHONE)).await.id;
    let bob = person(&world.store, &with_both("bob@example.com", PHONE)).await.id;
    assert_ne!(ada, bob);
    assert_eq!(person(&world.store, &with_phone(PHONE)).await.id, ada);
    assert_eq!(person(&world.store, &with_both("bob@example.com", PHONE)).await.id, bob);
}

/// Breaks a merge off at each of its writes in turn, before and after the write reached the table.
#[tokio::test]
async fn a_merge_that_broke_off_anywhere_is_finished_by_the_next_fact() {
    for answer in [Answer::Throttle, Answer::Lose] {
        let mut breaks = 0;
        for step in 0.. {
            let world = World::start().await;
            let (strong, weak) = two(&world).await;
            let writes = std::sync::atomic::AtomicU32::new(0);
            world.intercept_once(answer, move |call| {
                let is_write = matches!(call.operation.as_str(), "PutItem" | "UpdateItem" | "BatchWriteItem");
                is_write && writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step
            });
            let both = with_both(EMAIL, PHONE);
            let outcome = world.function_store().update_person(&both, None, now(), |_| false).await;
            if outcome.is_ok() {
                break;
            }
            assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
            breaks += 1;

            assert_eq!(person(&world.store, &both).await.id, strong, "step {step}");
            assert_eq!(event_ids(&world.store, &strong).await.len(), 3, "step {step}");
            assert!(event_ids(&world.store, &weak).await.is_empty(), "step {step}");
            assert_eq!(person(&world.store, &with_phone(PHONE)).await.id, strong, "step {step}");
        }
        // The destination, the alias, two events, their removal, the end.
        assert!(breaks >= 6, "{breaks}");
    }
}

#[tokio::test]
async fn a_broken_merge_follows_its_destination_when_that_has_merged_on() {
    let world = World::start().await;
    let (middle, weak) = two(&world).await;
    // The move of the events breaks off.
    world.intercept_once(Answer::Throttle, |call| call.is("PutItem", "e#"));
    let both = with_both(EMAIL, PHONE);
    world.function_store().update_person(&both, None, now(), |_| false).await.unwrap_err();
    assert_eq!(event_ids(&world.store, &weak).await.len(), 2);

    let mut strongest = with_email(EMAIL);
    strongest.external_id = Some("A-1".to_owned());
    strongest.email = None;
    let top = person(&world.store, &strongest).await.id;
    strongest.email = Some(EMAIL.to_owned());
    assert_eq!(person(&world.store, &strongest).await.id, top);

    assert_eq!(person(&world.store, &with_phone(PHONE)).await.id, top);
    assert_eq!(event_ids(&world.store, &top).await.len(), 3);
    assert!(event_ids(&world.store, &middle).await.is_empty());
    assert!(event_ids(&world.store, &weak).await.is_empty());
}

#[tokio::test]
async fn an_event_that_both_profiles_have_is_one() {
    let world = World::start().await;
    let (strong, weak) = two(&world).await;
    world.store.put_event(&event(&weak, "1", 5)).await.unwrap();
    person(&world.store, &with_both(EMAIL, PHONE)).await;
    let history = world.store.history(&strong).await.unwrap();
    assert_eq!(history.len(), 3);
    let shared = history.iter().find(|stored| stored.event.source.delivery_id == "1").unwrap();
    assert_eq!(shared.event.occurred_at, now(), "the destination's own stays");
}

#[tokio::test]
async fn an_endless_chain_of_merges_is_reported() {
    let world = World::start().await;
    let (strong, weak) = two(&world).await;
    for (id, into) in [(&strong, &weak), (&weak, &strong)] {
        world.put_item(
            "profiles",
            &serde_json::json!({
                "pk": {"S": format!("p#{id}")}, "sk": {"S": "profile"}, "v": {"N": "9"}, "merged_into": {"S": into},
            }),
        );
    }
    assert!(matches!(world.store.profile(&strong).await, Err(Error::Corrupt("profile", _))));
}

/// The job that a merge or an erasure leaves the rest to.
fn settling(profile: &str) -> Job {
    Job::new("J1".to_owned(), JobKind::Settle { profile: profile.to_owned() }, 1, now())
}

/// As the job does it.
async fn settle(store: &Store, id: &str) -> Result<usize, Error> {
    let (mut after, mut rounds) = (None, 0);
    loop {
        after = store.settle(id, after.as_deref()).await?.1;
        rounds += 1;
        if after.is_none() {
            return Ok(rounds);
        }
    }
}

#[tokio::test]
async fn a_merge_that_is_begun_shows_one_person_at_once_and_its_events_follow() {
    let world = World::start().await;
    let store = &world.store;
    let (strong, weak) = two(&world).await;
    for number in 0..420 {
        store.put_event(&event(&weak, &format!("more {number}"), number)).await.unwrap();
    }
    for (profile, list, offset_ms) in [(&strong, "BOTH", 0), (&weak, "BOTH", -60_000), (&weak, "WEAK", 0)] {
        store.join_list(profile, list, at(NOW_MS + offset_ms)).await.unwrap();
    }
    let (destination, source) = (profile(store, &strong).await, profile(store, &weak).await);
    let merged = store.begin_merge(&destination, &source, &settling(&weak), now()).await.unwrap();
    assert_eq!((merged.id.as_str(), merged.phone_number.as_deref()), (strong.as_str(), Some(PHONE)));
    assert_eq!(profile(store, &weak).await.value, merged);
    let listed = async |list: &str| store.listed(list, false, (None, None), None, 10).await.unwrap().items;
    let on = |since| vec![Listed { profile_id: strong.clone(), joined_at: Some(since) }];
    assert_eq!(listed("BOTH").await, on(at(NOW_MS - 60_000)));
    assert_eq!(listed("WEAK").await, on(now()));
    assert_eq!(store.jobs().await.unwrap(), [settling(&weak)]);

    // Somebody has read the profile before, and writes to where it was.
    store.put_event(&event(&weak, "late", 1)).await.unwrap();
    assert_eq!(settle(store, &weak).await.unwrap(), 3);
    assert_eq!(person(store, &with_phone(PHONE)).await.id, strong);
    assert_eq!(event_ids(store, &strong).await.len(), 424);
    assert!(event_ids(store, &weak).await.is_empty());
    // Once more does no harm.
    assert_eq!(settle(store, &weak).await.unwrap(), 1);
    assert_eq!(settle(store, &strong).await.unwrap(), 1);
    assert_eq!(event_ids(store, &strong).await.len(), 424);
    assert_eq!(listed("BOTH").await.len(), 1);
}

#[tokio::test]
async fn a_merge_of_what_has_changed_meanwhile_is_a_conflict_and_changes_nothing() {
    let world = World::start().await;
    let store = &world.store;
    let (strong, weak) = two(&world).await;
    let (destination, source) = (profile(store, &strong).await, profile(store, &weak).await);
    for changed in [&strong, &weak] {
        let current = profile(store, changed).await;
        store.put_profile(&current.value, current.version).await.unwrap();
        let outcome = store.begin_merge(&destination, &source, &settling(&weak), now()).await;
        assert!(matches!(outcome, Err(Error::Conflict)), "{outcome:?}");
    }
    assert_eq!(profile(store, &weak).await.value, source.value);
    assert!(store.jobs().await.unwrap().is_empty());
    // Of two merges that go opposite ways only one comes about.
    let (destination, source) = (profile(store, &strong).await, profile(store, &weak).await);
    store.begin_merge(&destination, &source, &settling(&weak), now()).await.unwrap();
    let back = store.begin_merge(&source, &destination, &settling(&strong), now()).await;
    assert!(matches!(back, Err(Error::Conflict)), "{back:?}");
}

#[tokio::test]
async fn a_settling_that_broke_off_anywhere_is_finished_by_the_next() {
    for answer in [Answer::Throttle, Answer::Lose] {
        let mut breaks = 0;
        for step in 0.. {
            let world = World::start().await;
            let (strong, weak) = two(&world).await;
            world.store.join_list(&weak, "WEAK", now()).await.unwrap();
            let (destination, source) =
                (profile(&world.store, &strong).await, profile(&world.store, &weak).await);
            world.store.begin_merge(&destination, &source, &settling(&weak), now()).await.unwrap();
            let writes = std::sync::atomic::AtomicU32::new(0);
            world.intercept_once(answer, move |call| {
                let is_write = matches!(call.operation.as_str(), "PutItem" | "UpdateItem" | "BatchWriteItem");
                is_write && writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step
            });
            if settle(&world.function_store(), &weak).await.is_ok() {
                break;
            }
            breaks += 1;
            settle(&world.store, &weak).await.unwrap();
            assert_eq!(event_ids(&world.store, &strong).await.len(), 3, "step {step}");
            assert!(event_ids(&world.store, &weak).await.is_empty(), "step {step}");
            assert_eq!(world.store.count_listed("WEAK").await.unwrap(), 1, "step {step}");
        }
        // Two events, their removal, the end.
        assert!(breaks >= 4, "{breaks}");
    }
}

#[tokio::test]
async fn who_is_erased_while_a_merge_into_them_is_under_way_leaves_nothing_behind() {
    let world = World::start().await;
    let store = &world.store;
    let (strong, weak) = two(&world).await;
    let (destination, source) = (profile(store, &strong).await, profile(store, &weak).await);
    store.begin_merge(&destination, &source, &settling(&weak), now()).await.unwrap();
    let job = Job { id: "J2".to_owned(), ..settling(&strong) };
    store.begin_erasure(&profile(store, &strong).await, &job, now()).await.unwrap();
    for id in [&weak, &strong] {
        settle(store, id).await.unwrap();
    }
    assert!(!format!("{:?}", world.items("profiles")).contains("Placed Order"));
}
