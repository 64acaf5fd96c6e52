use canonical::Instant;
use canonical::profile::MAX_LISTS;
use store::{Error, Job, JobKind, JobStatus, Joined, ListRecord, Listed, OptIn, Store};
use testing::{Answer, NOW_MS, World, at};

use crate::{now, person, profile, with_both, with_email, with_phone};

const LIST: &str = "LIST01";
const OTHER: &str = "LIST02";
const EMAIL: &str = "ada@example.com";
const PHONE: &str = "+12025550101";

fn second(seconds: i64) -> Instant {
    at(NOW_MS + 1000 * seconds)
}

fn list(id: &str) -> ListRecord {
    ListRecord {
        id: id.to_owned(),
        name: "Newsletter".to_owned(),
        opt_in_process: OptIn::SingleOptIn,
        created_at: now(),
        updated_at: now(),
    }
}

async fn listed(store: &Store, list: &str) -> Vec<Listed> {
    let page = store.listed(list, false, (None, None), None, 100).await.unwrap();
    assert_eq!(store.count_listed(list).await.unwrap(), page.items.len() as u64);
    page.items
}

fn on(profile: &str, since: Instant) -> Listed {
    Listed { profile_id: profile.to_owned(), joined_at: Some(since) }
}

#[tokio::test]
async fn a_list_is_written_once_and_replaced_only_while_it_is_there() {
    let world = World::start().await;
    let store = &world.store;
    assert!(matches!(store.update_list(&list(LIST)).await, Err(Error::Conflict)));
    store.create_list(&list(LIST)).await.unwrap();
    assert!(matches!(store.create_list(&list(LIST)).await, Err(Error::Conflict)));
    let renamed = ListRecord { name: "News".to_owned(), ..list(LIST) };
    store.update_list(&renamed).await.unwrap();
    assert_eq!(store.list(LIST).await.unwrap(), Some(renamed.clone()));
    assert_eq!(store.lists().await.unwrap(), [renamed]);
    let status = JobStatus { parts_left: vec![0], ..JobStatus::default() };
    let kind = JobKind::EmptyList { list: LIST.to_owned() };
    let job = Job { id: "J1".to_owned(), kind, created_at: now(), status };
    // A definition that is not looked through yet might ask about it.
    assert!(matches!(store.delete_list(LIST, 1, &job).await, Err(Error::Conflict)));
    assert!(store.list(LIST).await.unwrap().is_some() && store.jobs().await.unwrap().is_empty());
    store.delete_list(LIST, 0, &job).await.unwrap();
    assert!(store.list(LIST).await.unwrap().is_none());
    assert_eq!(store.jobs().await.unwrap(), [job]);
}

#[tokio::test]
async fn who_joins_again_keeps_the_first_time_and_the_stream_hears_of_every_change() {
    let world = World::start().await;
    let store = &world.store;
    let ada = person(store, &with_email(EMAIL)).await.id;
    // The records since a place.
    let profiles_after = |place: usize| -> Vec<String> {
        let keys =
            world.stream().split_off(place).into_iter().map(|record| format!("{:?}", record.change.keys));
        keys.filter(|keys| keys.contains("\"profile\"")).collect()
    };
    let place = world.stream().len();
    assert_eq!(store.join_list(&ada, LIST, second(1)).await.unwrap(), Joined::Added);
    assert_eq!(profiles_after(place).len(), 1);
    assert_eq!(store.join_list(&ada, LIST, second(2)).await.unwrap(), Joined::Already);
    assert_eq!(profiles_after(place).len(), 1);
    assert_eq!(listed(store, LIST).await, [on(&ada, second(1))]);
    let stored = profile(store, &ada).await.value;
    assert_eq!((stored.lists[LIST], stored.updated_at), (second(1), second(1)));

    assert!(store.leave_list(&ada, LIST, second(3)).await.unwrap());
    assert_eq!(profiles_after(place).len(), 2);
    assert!(!store.leave_list(&ada, LIST, second(4)).await.unwrap());
    assert!(listed(store, LIST).await.is_empty());
    let stored = profile(store, &ada).await.value;
    assert_eq!((stored.lists.len(), stored.updated_at), (0, second(3)));
    assert_eq!(store.join_list(&ada, LIST, second(5)).await.unwrap(), Joined::Added);
    assert_eq!(listed(store, LIST).await, [on(&ada, second(5))]);
    assert_eq!(store.join_list("nobody", LIST, now()).await.unwrap(), Joined::Nobody);
}

#[tokio::test]
async fn a_profile_is_on_a_thousand_lists_at_most() {
    let world = World::start().await;
    let store = &world.store;
    let mut ada = person(store, &with_email(EMAIL)).await;
    ada.lists = (0..MAX_LISTS).map(|number| (format!("{number:06}"), now())).collect();
    store.put_profile(&ada, 1).await.unwrap();
    assert_eq!(store.join_list(&ada.id, LIST, now()).await.unwrap(), Joined::Full);
    assert_eq!(store.join_list(&ada.id, "000001", now()).await.unwrap(), Joined::Already);
    assert!(listed(store, LIST).await.is_empty());
}

#[tokio::test]
async fn racing_additions_all_count() {
    let world = World::start().await;
    let store = &world.store;
    let ada = person(store, &with_email(EMAIL)).await.id;
    let lists = ["A", "B", "C", "D"];
    let all = futures::future::join_all(lists.map(|list| store.join_list(&ada, list, now()))).await;
    assert!(all.into_iter().all(|joined| joined.unwrap() == Joined::Added));
    assert_eq!(profile(store, &ada).await.value.lists.len(), 4);
}

/// Two profiles that are one person: both on one list, each on another.
async fn two(world: &World) -> (String, String) {
    let strong = person(&world.store, &with_email(EMAIL)).await.id;
    let weak = person(&world.store, &with_phone(PHONE)).await.id;
    for (profile, list, since) in
        [(&strong, LIST, 5), (&weak, LIST, 2), (&weak, OTHER, 3), (&strong, "LIST03", 4)]
    {
        world.store.join_list(profile, list, second(since)).await.unwrap();
    }
    (strong, weak)
}

#[tokio::test]
async fn a_merge_that_broke_off_anywhere_unites_the_lists_in_the_end() {
    for answer in [Answer::Throttle, Answer::Lose] {
        let mut breaks = 0;
        for step in 0.. {
            let world = World::start().await;
            let (strong, _) = two(&world).await;
            let writes = std::sync::atomic::AtomicU32::new(0);
            world.intercept_once(answer, move |call| {
                let writing = ["PutItem", "UpdateItem", "BatchWriteItem", "TransactWriteItems"];
                let is_write = writing.contains(&call.operation.as_str());
                is_write && writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step
            });
            let both = with_both(EMAIL, PHONE);
            let outcome = world.function_store().update_person(&both, None, now(), |_| false).await;
            let is_whole = outcome.is_ok();
            breaks += u32::from(!is_whole);
            world.let_pass();
            assert_eq!(person(&world.store, &both).await.id, strong, "step {step}");
            assert_eq!(person(&world.store, &with_phone(PHONE)).await.id, strong, "step {step}");
            assert_eq!(listed(&world.store, LIST).await, [on(&strong, second(2))], "step {step}");
            assert_eq!(listed(&world.store, OTHER).await, [on(&strong, second(3))], "step {step}");
            assert_eq!(listed(&world.store, "LIST03").await, [on(&strong, second(4))], "step {step}");
            assert_eq!(profile(&world.store, &strong).await.value.lists.len(), 3);
            if is_whole {
                break;
            }
        }
        // The destination, the alias, two places, their removal, the end.
        assert!(breaks >= 6, "{breaks}");
    }
}

#[tokio::test]
async fn an_erasure_removes_the_places_on_lists() {
    let world = World::start().await;
    let (strong, weak) = two(&world).await;
    let found = profile(&world.store, &strong).await;
    world.store.erase_profile(&found, now()).await.unwrap();
    assert_eq!(listed(&world.store, LIST).await, [on(&weak, second(2))]);
    assert!(listed(&world.store, "LIST03").await.is_empty());
    let left = world.items("profiles");
    assert!(!left.keys().any(|(partition, sort)| partition.ends_with(&strong) && sort.starts_with("l#")));
}

#[tokio::test]
async fn a_list_is_emptied_piece_by_piece() {
    let world = World::start().await;
    let store = &world.store;
    let mut people = Vec::new();
    for number in 0..5 {
        let id = person(store, &with_email(&format!("guest{number}@example.com"))).await.id;
        store.join_list(&id, LIST, second(number)).await.unwrap();
        store.join_list(&id, OTHER, second(number)).await.unwrap();
        people.push(id);
    }
    let mut removed = Vec::new();
    loop {
        removed.push(store.empty_list(LIST, 2, second(9)).await.unwrap());
        if removed.last() == Some(&0) {
            break;
        }
    }
    assert_eq!(removed, [2, 2, 1, 0]);
    for id in &people {
        assert_eq!(profile(store, id).await.value.lists.keys().collect::<Vec<_>>(), [OTHER]);
    }
    assert_eq!(listed(store, OTHER).await.len(), 5);
}
