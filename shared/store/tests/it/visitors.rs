use canonical::Profile;
use canonical::identity::Identifiers;
use store::{Resolved, Store};
use testing::World;

use crate::{now, person, with_both, with_email, with_phone};

fn on_device(device: &str, identifiers: Identifiers) -> Identifiers {
    Identifiers { anonymous_id: Some(device.to_owned()), ..identifiers }
}

/// The profile that a visitor who says this leads to.
async fn visitor(store: &Store, identifiers: &Identifiers) -> Profile {
    match store.update_visitor(identifiers, Some(now()), now(), |_| false).await.unwrap() {
        Resolved::Profile { profile, .. } => profile,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_visitor_replaces_no_identifier_but_may_add_one() {
    let world = World::start().await;
    let store = &world.store;
    let ada = person(store, &with_both("ada@example.com", "+12025550101")).await;
    let seen = visitor(store, &with_both("ada@example.com", "+12025550199")).await;
    assert_eq!((seen.id, seen.phone_number.as_deref()), (ada.id.clone(), Some("+12025550101")));
    // The number that was ignored is nobody's.
    assert!(store.find_person(&with_phone("+12025550199")).await.unwrap().is_none());

    let known = Identifiers { external_id: Some("c-1".to_owned()), ..with_email("ada@example.com") };
    assert_eq!(visitor(store, &known).await.external_id.as_deref(), Some("c-1"));
    let other = Identifiers { external_id: Some("c-1".to_owned()), ..with_email("eve@example.com") };
    let seen = visitor(store, &other).await;
    assert_eq!((seen.id, seen.email.as_deref()), (ada.id.clone(), Some("ada@example.com")));
    assert!(store.find_person(&with_email("eve@example.com")).await.unwrap().is_none());
    // Those whom the account knows are believed.
    let moved = person(store, &other).await;
    assert_eq!((moved.id, moved.email.as_deref()), (ada.id, Some("eve@example.com")));
}

#[tokio::test]
async fn a_visitor_makes_one_of_a_device_and_a_person_but_not_of_two_persons() {
    let world = World::start().await;
    let store = &world.store;
    let ada = person(store, &with_email("ada@example.com")).await;
    let bob = person(store, &with_phone("+12025550102")).await;
    let seen = visitor(store, &with_both("ada@example.com", "+12025550102")).await;
    assert_eq!((&seen.id, seen.phone_number.as_deref()), (&ada.id, None));
    assert_eq!(person(store, &with_phone("+12025550102")).await.id, bob.id);

    let device = visitor(store, &on_device("d-1", Identifiers::default())).await;
    assert_ne!(device.id, ada.id);
    assert_eq!(visitor(store, &on_device("d-1", with_email("ada@example.com"))).await.id, ada.id);
    // A second device is hers too, and whoever else comes on it is not her.
    assert_eq!(visitor(store, &on_device("d-2", with_email("ada@example.com"))).await.id, ada.id);
    assert_eq!(visitor(store, &on_device("d-2", Identifiers::default())).await.id, ada.id);
    let eve = visitor(store, &on_device("d-2", with_email("eve@example.com"))).await;
    assert_ne!(eve.id, ada.id);
    assert_eq!(visitor(store, &on_device("d-1", Identifiers::default())).await.id, ada.id);
}

#[tokio::test]
async fn visitors_that_race_are_one_profile() {
    let world = World::start().await;
    let ada = on_device("d-1", with_email("ada@example.com"));
    let racers = (0..8).map(|_| visitor(&world.store, &ada));
    let mut ids: Vec<String> =
        futures::future::join_all(racers).await.into_iter().map(|profile| profile.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
}
