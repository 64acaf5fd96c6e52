use std::sync::{Arc, Mutex};

use canonical::identity::Identifier;
use futures::future::join_all;
use store::{Error, Resolved};
use testing::{Answer, World};

use crate::{now, person, profile, with_both, with_email, with_phone};

#[tokio::test]
async fn racing_creations_of_one_person_agree_on_one_profile() {
    let world = World::start().await;
    let ada = with_both("ada@example.com", "+12025550101");
    let racers = join_all((0..8).map(|_| world.store.update_person(&ada, None, now(), |_| false))).await;
    let mut created = 0;
    let mut ids: Vec<String> = racers
        .into_iter()
        .map(|outcome| match outcome.unwrap() {
            Resolved::Profile { profile, created: is_new, .. } => {
                created += u32::from(is_new);
                profile.id
            }
            other => panic!("{other:?}"),
        })
        .collect();
    ids.dedup();
    assert_eq!((ids.len(), created), (1, 1));
    let stored = profile(&world.store, &ids[0]).await.value;
    assert_eq!(stored.email.as_deref(), Some("ada@example.com"));
    assert_eq!(stored.phone_number.as_deref(), Some("+12025550101"));
}

#[tokio::test]
async fn changes_that_race_are_all_kept() {
    let world = World::start().await;
    let ada = with_email("ada@example.com");
    let changes = (0..6).map(|number: i32| {
        let (store, ada) = (&world.store, &ada);
        async move {
            let set = |profile: &mut canonical::Profile| {
                profile.attributes.insert(format!("key{number}"), number.into()).is_none()
            };
            store.update_person(ada, None, now(), set).await.unwrap();
        }
    });
    join_all(changes).await;
    assert_eq!(person(&world.store, &ada).await.attributes.len(), 6);
}

#[tokio::test]
async fn an_identifier_that_nobody_has_is_adopted() {
    let world = World::start().await;
    let ada = person(&world.store, &with_email("ada@example.com")).await;
    let same = person(&world.store, &with_both("ada@example.com", "+12025550101")).await;
    assert_eq!(same.id, ada.id);
    assert_eq!(person(&world.store, &with_phone("+12025550101")).await.id, ada.id);
}

#[tokio::test]
async fn a_person_without_identifiers_is_nobody_until_the_customer_is_linked() {
    let world = World::start().await;
    let mut guest = with_email("ada@example.com");
    guest.email = None;
    guest.customer = Some(("shop".to_owned(), "7".to_owned()));
    let nobody = world.store.update_person(&guest, None, now(), |_| false).await.unwrap();
    assert_eq!(nobody, Resolved::Nobody);

    let mut ada = with_email("ada@example.com");
    ada.customer.clone_from(&guest.customer);
    let outcome = world.store.update_person(&ada, None, now(), |_| false).await.unwrap();
    let Resolved::Profile { profile, unlinked: true, .. } = outcome else { panic!("{outcome:?}") };
    world.store.link_customer("shop", "7", &profile.id).await.unwrap();
    assert_eq!(person(&world.store, &guest).await.id, profile.id);

    // Somebody else under the same customer record is somebody else.
    let mut bob = with_email("bob@example.com");
    bob.customer.clone_from(&guest.customer);
    assert_ne!(person(&world.store, &bob).await.id, profile.id);
}

#[tokio::test]
async fn an_identifier_is_claimed_by_one_and_freed_for_the_next() {
    let world = World::start().await;
    let ada = person(&world.store, &with_email("ada@example.com")).await;
    let bob = person(&world.store, &with_email("bob@example.com")).await;
    let phone = Identifier::Phone("+12025550101".to_owned());
    world.store.claim_identifier(&phone, &ada.id).await.unwrap();
    world.store.claim_identifier(&phone, &ada.id).await.unwrap();
    let taken = world.store.claim_identifier(&phone, &bob.id).await;
    assert!(matches!(taken, Err(Error::Taken(owner)) if owner == ada.id));
    world.store.disown_identifier(&phone, &ada.id).await.unwrap();
    world.store.claim_identifier(&phone, &bob.id).await.unwrap();
    assert_eq!(person(&world.store, &with_phone("+12025550101")).await.id, bob.id);
}

#[tokio::test]
async fn a_creation_that_broke_off_after_its_identifiers_is_finished_by_the_next() {
    let world = World::start().await;
    let ada = with_email("ada@example.com");
    world.intercept_once(Answer::Throttle, |call| call.is("PutItem", "\"profile\""));
    // The second PutItem is the profile's; the first the identifier's, which names it as well.
    let broken = world.function_store().update_person(&ada, None, now(), |_| false).await;
    assert!(matches!(broken, Err(Error::Unavailable(_))), "{broken:?}");
    world.let_pass();
    let id = person(&world.store, &ada).await.id;
    assert_eq!(person(&world.store, &ada).await.id, id);
}

/// Between the moment at which an identifier is claimed for a new profile and the one at which the profile is written,
/// somebody else says of the same person what else they are known by.
#[tokio::test]
async fn a_profile_that_is_about_to_be_written_is_met_by_whoever_names_it() {
    let (email, phone) = ("ada@example.com", "+12025550101");
    for (known, maker, rival) in [
        (Some(with_phone(phone)), with_email(email), with_both(email, phone)),
        (None, with_both(email, phone), with_phone(phone)),
        (None, with_phone(phone), with_both(email, phone)),
    ] {
        let world = World::start().await;
        if let Some(known) = &known {
            person(&world.store, known).await;
        }
        let turn = Arc::new(Mutex::new(Some(rival)));
        let store = world.store.clone();
        world.intercept(move |call| {
            let is_profile = call.operation == "PutItem" && call.body["Item"]["sk"]["S"] == "profile";
            let rival = if is_profile { turn.lock().unwrap().take() } else { None };
            let store = store.clone();
            async move {
                if let Some(rival) = rival {
                    person(&store, &rival).await;
                }
                Answer::Pass
            }
        });
        let made = person(&world.function_store(), &maker).await;
        let items = world.items("profiles");
        let profiles =
            items.values().filter(|item| item["sk"]["S"] == "profile" && item["doc"]["S"].is_string());
        assert_eq!(profiles.count(), 1, "{maker:?}");
        for named in [with_email(email), with_phone(phone)] {
            assert_eq!(person(&world.store, &named).await.id, made.id, "{maker:?}");
        }
    }
}

#[tokio::test]
async fn an_identifier_of_a_profile_that_was_never_written_can_be_claimed() {
    let world = World::start().await;
    let ada = with_email("ada@example.com");
    world.intercept_once(Answer::Throttle, |call| call.body["Item"]["sk"]["S"] == "profile");
    let broken = world.function_store().update_person(&ada, None, now(), |_| false).await;
    assert!(matches!(broken, Err(Error::Unavailable(_))), "{broken:?}");
    world.let_pass();
    let bob = person(&world.store, &with_phone("+12025550101")).await;
    let email = Identifier::Email("ada@example.com".to_owned());
    world.store.claim_identifier(&email, &bob.id).await.unwrap();
    // It comes again, and meets whom the identifier names now.
    assert_eq!(person(&world.store, &ada).await.id, bob.id);
}
