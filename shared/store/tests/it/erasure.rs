use std::collections::BTreeSet;

use canonical::identity::Identifier;
use store::{Error, Job, JobKind, Resolved, name_of, name_of_profile, names_of};
use testing::{Answer, NOW_MS, World, at};

use crate::{event, event_ids, event_of, now, person, profile, with_both, with_email, with_phone};

const EMAIL: &str = "ada@example.com";
const PHONE: &str = "+12025550101";

/// What a fact of this age about a person leads to.
async fn fact(world: &World, identifiers: &canonical::identity::Identifiers, offset_ms: i64) -> Resolved {
    let as_of = Some(at(NOW_MS + offset_ms));
    world.store.update_person(identifiers, as_of, now(), |_| false).await.unwrap()
}

#[tokio::test]
async fn nothing_but_digests_and_an_empty_shell_is_left_of_a_person() {
    let world = World::start().await;
    let id = person(&world.store, &with_both(EMAIL, PHONE)).await.id;
    for key in ["1", "2", "3"] {
        world.store.put_event(&event(&id, key, 0)).await.unwrap();
    }
    world.store.tick(&id, NOW_MS).await.unwrap();
    world.store.erase_profile(&profile(&world.store, &id).await, now()).await.unwrap();

    assert!(world.store.profile(&id).await.unwrap().is_none());
    let items = world.items("profiles");
    let text = format!("{items:?}");
    assert!(!text.contains("ada@") && !text.contains(PHONE) && !text.contains("Placed Order"), "{text}");
    let sorts: Vec<&str> = items.keys().map(|(_, sort)| sort.as_str()).collect();
    assert_eq!(sorts, ["id", "id", "profile"]);
}

#[tokio::test]
async fn a_fact_from_before_the_erasure_changes_nothing_and_a_newer_one_makes_another_profile() {
    let world = World::start().await;
    let id = person(&world.store, &with_both(EMAIL, PHONE)).await.id;
    world.store.erase_profile(&profile(&world.store, &id).await, now()).await.unwrap();
    for identifiers in [with_email(EMAIL), with_phone(PHONE), with_both(EMAIL, PHONE)] {
        assert_eq!(fact(&world, &identifiers, -1).await, Resolved::Erased);
        assert_eq!(fact(&world, &identifiers, 0).await, Resolved::Erased);
    }
    let Resolved::Profile { profile: anew, created: true, .. } = fact(&world, &with_email(EMAIL), 1).await
    else {
        panic!("nobody was made")
    };
    assert_ne!(anew.id, id);
    assert_eq!(fact(&world, &with_email(EMAIL), 0).await, Resolved::Erased);
}

#[tokio::test]
async fn an_identifier_the_profile_once_had_does_not_bring_the_person_back() {
    let world = World::start().await;
    let mut ada = with_email("old@example.com");
    ada.external_id = Some("A-1".to_owned());
    let id = person(&world.store, &ada).await.id;
    ada.email = Some(EMAIL.to_owned());
    assert_eq!(person(&world.store, &ada).await.email.as_deref(), Some(EMAIL));
    world.store.erase_profile(&profile(&world.store, &id).await, now()).await.unwrap();

    let old = with_email("old@example.com");
    assert_eq!(fact(&world, &old, -1).await, Resolved::Erased);
    let Resolved::Profile { profile: anew, .. } = fact(&world, &old, 1).await else {
        panic!("nobody was made")
    };
    assert_ne!(anew.id, id);
}

#[tokio::test]
async fn a_device_of_a_merged_profile_starts_anew_after_the_erasure() {
    let world = World::start().await;
    let mut ada = with_email(EMAIL);
    ada.anonymous_id = Some("phone".to_owned());
    let id = person(&world.store, &ada).await.id;
    let tablet =
        canonical::identity::Identifiers { anonymous_id: Some("tablet".to_owned()), ..Default::default() };
    person(&world.store, &tablet).await;
    ada.anonymous_id = Some("tablet".to_owned());
    assert_eq!(person(&world.store, &ada).await.id, id);
    world.store.erase_profile(&profile(&world.store, &id).await, now()).await.unwrap();

    assert_eq!(fact(&world, &tablet, 0).await, Resolved::Erased);
    let Resolved::Profile { profile: anew, .. } = fact(&world, &tablet, 1).await else {
        panic!("nobody was made")
    };
    assert_ne!(anew.id, id);
}

/// As the mapper does it: find, erase, and all of that again if it breaks off.
#[tokio::test]
async fn an_erasure_that_broke_off_anywhere_is_finished_when_it_is_asked_for_again() {
    let mut breaks = 0;
    for step in 0.. {
        let world = World::start().await;
        let id = person(&world.store, &with_both(EMAIL, PHONE)).await.id;
        for key in ["1", "2"] {
            world.store.put_event(&event(&id, key, 0)).await.unwrap();
        }
        let writes = std::sync::atomic::AtomicU32::new(0);
        world.intercept_once(Answer::Throttle, move |call| {
            let is_write = matches!(call.operation.as_str(), "PutItem" | "UpdateItem" | "BatchWriteItem");
            is_write && writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step
        });
        let store = world.function_store();
        if erase(&store).await.is_ok() {
            break;
        }
        breaks += 1;
        erase(&world.store).await.unwrap();
        assert!(event_ids(&world.store, &id).await.is_empty(), "step {step}");
        assert!(!format!("{:?}", world.items("profiles")).contains("ada@"), "step {step}");
        for identifiers in [with_email(EMAIL), with_phone(PHONE)] {
            assert_eq!(fact(&world, &identifiers, -1).await, Resolved::Erased, "step {step}");
        }
    }
    assert!(breaks >= 4, "{breaks}");
}

async fn erase(store: &store::Store) -> Result<(), Error> {
    if let Some(found) = store.find_person(&with_email(EMAIL)).await? {
        store.erase_profile(&found, now()).await?;
    }
    store.release_identifier(&Identifier::Email(EMAIL.to_owned()), now()).await
}

#[tokio::test]
async fn what_a_connection_brought_is_erased_and_with_the_last_of_it_the_person() {
    let world = World::start().await;
    let both = person(&world.store, &with_email("both@example.com")).await.id;
    let only = person(&world.store, &with_email("only@example.com")).await.id;
    let none = person(&world.store, &with_email("none@example.com")).await.id;
    for (profile, connection, key) in
        [(&both, "C1", "1"), (&both, "C2", "2"), (&only, "C1", "3"), (&only, "C1", "4")]
    {
        let stored = event_of(profile, "Placed Order", connection, key, 0);
        world.store.put_event(&stored).await.unwrap();
    }
    for (profile, erased) in [(&both, 1), (&only, 2), (&none, 0)] {
        let went = world.store.erase_connection_from(profile, "C1", now()).await.unwrap();
        assert_eq!(went, erased);
    }
    assert_eq!(event_ids(&world.store, &both).await.len(), 1);
    assert!(world.store.profile(&both).await.unwrap().is_some());
    assert!(world.store.profile(&only).await.unwrap().is_none());
    assert!(world.store.profile(&none).await.unwrap().is_some());
}

#[tokio::test]
async fn the_erasure_of_a_connection_that_broke_off_anywhere_is_finished_by_the_next_run() {
    let mut breaks = 0;
    for step in 0.. {
        let world = World::start().await;
        let id = person(&world.store, &with_email(EMAIL)).await.id;
        for key in ["1", "2"] {
            world.store.put_event(&event_of(&id, "Placed Order", "C1", key, 0)).await.unwrap();
        }
        let writes = std::sync::atomic::AtomicU32::new(0);
        world.intercept_once(Answer::Throttle, move |call| {
            let is_write = matches!(call.operation.as_str(), "PutItem" | "UpdateItem" | "BatchWriteItem");
            is_write && writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step
        });
        if run(&world.function_store()).await.is_ok() {
            break;
        }
        breaks += 1;
        run(&world.store).await.unwrap();
        assert!(event_ids(&world.store, &id).await.is_empty(), "step {step}");
        assert!(world.store.profile(&id).await.unwrap().is_none(), "step {step}");
        assert_eq!(fact(&world, &with_email(EMAIL), -1).await, Resolved::Erased, "step {step}");
    }
    assert!(breaks >= 3, "{breaks}");
}

/// As the job does it: everybody who is listed.
async fn run(store: &store::Store) -> Result<(), Error> {
    for shard in 0..store::PROFILE_SHARDS {
        for id in store.list_profile_shard(shard, None, 10).await?.items {
            store.erase_connection_from(&id, "C1", now()).await?;
        }
    }
    Ok(())
}

fn settling(profile: &str) -> Job {
    Job::new("J1".to_owned(), JobKind::Settle { profile: profile.to_owned() }, 1, now())
}

#[tokio::test]
async fn an_erasure_that_is_begun_hides_the_person_at_once_and_the_rest_goes_after_them() {
    let world = World::start().await;
    let store = &world.store;
    let id = person(store, &with_both(EMAIL, PHONE)).await.id;
    for number in 0..250 {
        store.put_event(&event(&id, &number.to_string(), number)).await.unwrap();
    }
    store.join_list(&id, "LIST01", now()).await.unwrap();
    store.tick(&id, NOW_MS).await.unwrap();
    let stale = profile(store, &id).await;
    store.put_profile(&stale.value, stale.version).await.unwrap();
    let outcome = store.begin_erasure(&stale, &settling(&id), now()).await;
    assert!(matches!(outcome, Err(Error::Conflict)), "{outcome:?}");
    store.begin_erasure(&profile(store, &id).await, &settling(&id), now()).await.unwrap();
    assert!(store.profile(&id).await.unwrap().is_none());
    assert!(store.is_erased(&id).await.unwrap());
    assert!(!store.is_erased("nobody").await.unwrap());
    assert_eq!(event_ids(store, &id).await.len(), 250);

    let (count, next) = store.settle(&id, None).await.unwrap();
    assert_eq!(count, 200);
    assert_eq!(store.settle(&id, next.as_deref()).await.unwrap(), (50, None));
    for identifiers in [with_email(EMAIL), with_phone(PHONE)] {
        assert_eq!(fact(&world, &identifiers, 0).await, Resolved::Erased);
    }
    let items = world.items("profiles");
    let sorts: Vec<&str> = items.keys().map(|(_, sort)| sort.as_str()).collect();
    assert_eq!(sorts, ["id", "id", "profile"]);
    assert_eq!(store.list_profile_shard(0, None, 10).await.unwrap().items, [] as [&str; 0]);
}

#[tokio::test]
async fn an_identifier_that_was_taken_from_a_profile_does_not_bring_the_person_back() {
    let world = World::start().await;
    let store = &world.store;
    let id = person(store, &with_both(EMAIL, PHONE)).await.id;
    // As a client changes it.
    let phone = Identifier::Phone(PHONE.to_owned());
    let mut changed = profile(store, &id).await;
    changed.value.phone_number = None;
    store.put_profile(&changed.value, changed.version).await.unwrap();
    store.disown_identifier(&phone, "somebody else").await.unwrap();
    store.disown_identifier(&phone, &id).await.unwrap();
    store.disown_identifier(&phone, &id).await.unwrap();
    store.begin_erasure(&profile(store, &id).await, &settling(&id), now()).await.unwrap();

    assert_eq!(fact(&world, &with_phone(PHONE), -1).await, Resolved::Erased);
    let Resolved::Profile { profile: anew, .. } = fact(&world, &with_phone(PHONE), 1).await else {
        panic!("nobody was made")
    };
    assert_ne!(anew.id, id);
}

#[tokio::test]
async fn a_customer_who_was_erased_stays_so_under_another_address_from_before() {
    let world = World::start().await;
    let store = &world.store;
    let mut ada = with_email(EMAIL);
    ada.customer = Some(("C1".to_owned(), "5".to_owned()));
    let id = person(store, &ada).await.id;
    store.link_customer("C1", "5", &id).await.unwrap();
    store.begin_erasure(&profile(store, &id).await, &settling(&id), now()).await.unwrap();
    for email in [Some("older@example.com"), None] {
        ada.email = email.map(str::to_owned);
        assert_eq!(fact(&world, &ada, 0).await, Resolved::Erased, "{email:?}");
    }
    ada.email = Some("newer@example.com".to_owned());
    assert!(matches!(fact(&world, &ada, 1).await, Resolved::Profile { created: true, .. }));
}

#[tokio::test]
async fn an_identifier_of_nobody_can_be_erased_and_one_of_somebody_cannot() {
    let world = World::start().await;
    let store = &world.store;
    let email = Identifier::Email(EMAIL.to_owned());
    store.erase_identifier(&email, now()).await.unwrap();
    assert_eq!(fact(&world, &with_email(EMAIL), 0).await, Resolved::Erased);
    let Resolved::Profile { profile: ada, .. } = fact(&world, &with_email(EMAIL), 1).await else {
        panic!("nobody was made")
    };
    let outcome = store.erase_identifier(&email, now()).await;
    assert!(matches!(outcome, Err(Error::Conflict)), "{outcome:?}");
    assert_eq!(person_at(&world, 2).await, ada.id);
}

async fn person_at(world: &World, offset_ms: i64) -> String {
    match fact(world, &with_email(EMAIL), offset_ms).await {
        Resolved::Profile { profile, .. } => profile.id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn by_all_names_that_somebody_ever_had_is_known_when_they_were_erased() {
    let world = World::start().await;
    let store = &world.store;
    let older = with_email("older@example.com");
    let alias = person(store, &older).await;
    let mut ada = with_email(EMAIL);
    ada.phone_number = Some(PHONE.to_owned());
    let id = person(store, &ada).await.id;
    store.link_customer("C1", "5", &id).await.unwrap();
    store.merge_profiles(profile(store, &id).await, profile(store, &alias.id).await, now()).await.unwrap();
    store.disown_identifier(&Identifier::Phone(PHONE.to_owned()), &id).await.unwrap();
    let mut customer = with_email("bob@example.com");
    customer.customer = Some(("C1".to_owned(), "5".to_owned()));

    let mut names: BTreeSet<String> =
        names_of(&older).chain(names_of(&ada)).chain(names_of(&customer)).collect();
    names.extend([name_of_profile(&id), name_of_profile(&alias.id), name_of_profile("nobody")]);
    assert_eq!(names.len(), 8);
    assert!(store.erased(&names).await.unwrap().is_empty());

    store.begin_erasure(&profile(store, &id).await, &settling(&id), now()).await.unwrap();
    let bob = name_of(&Identifier::Email("bob@example.com".to_owned()));
    let known = names.iter().filter(|name| **name != bob && **name != name_of_profile("nobody"));
    let expected = known.map(|name| (name.clone(), now().as_millis())).collect();
    assert_eq!(store.erased(&names).await.unwrap(), expected);

    // A name that has another owner since keeps the time.
    fact(&world, &ada, 1).await;
    assert_eq!(store.erased(&names).await.unwrap(), expected);
}

#[tokio::test]
async fn a_customer_who_was_erased_by_number_stays_so_without_an_address() {
    let world = World::start().await;
    let mut ada = with_email(EMAIL);
    ada.customer = Some(("C1".to_owned(), "5".to_owned()));
    let id = person(&world.store, &ada).await.id;
    world.store.link_customer("C1", "5", &id).await.unwrap();
    world.store.erase_customer("C1", "5", now()).await.unwrap();
    ada.email = None;
    assert_eq!(fact(&world, &ada, 0).await, Resolved::Erased);
    assert_eq!(fact(&world, &ada, 1).await, Resolved::Nobody);
    // Whoever is linked since does not make that forgotten.
    world.store.link_customer("C1", "5", &id).await.unwrap();
    assert_eq!(fact(&world, &ada, 0).await, Resolved::Erased);
}
