use std::collections::BTreeSet;

use canonical::Profile;
use store::{Cursor, Error, PROFILE_SHARDS, ProfileSort, Versioned};
use testing::{NOW_MS, World, at};

use crate::{person, profile, with_email};

async fn forty(world: &World) {
    for number in 0_i64..40 {
        let mut profile = Profile::new(format!("profile-{number:02}"), at(NOW_MS + number / 4));
        profile.updated_at = at(NOW_MS + 1000 - number / 3);
        // Every fifth has no e-mail.
        profile.email = (number % 5 > 0).then(|| format!("{:02}@example.com", 99 - number));
        world.store.put_profile(&profile, 0).await.unwrap();
    }
}

async fn list(world: &World, sort: ProfileSort, descending: bool, size: usize) -> Vec<Profile> {
    let mut profiles = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let page = world.store.list_profiles(sort, descending, (None, None), after, size).await.unwrap();
        profiles.extend(page.items);
        after = page.next;
        if after.is_none() {
            return profiles;
        }
    }
}

#[tokio::test]
async fn profiles_are_listed_by_every_sort_in_both_directions_page_by_page() {
    let world = World::start().await;
    forty(&world).await;
    for sort in [ProfileSort::Id, ProfileSort::Created, ProfileSort::Updated, ProfileSort::Email] {
        let key = |profile: &Profile| match sort {
            ProfileSort::Id => profile.id.clone(),
            ProfileSort::Created => profile.created_at.as_millis().to_string(),
            ProfileSort::Updated => profile.updated_at.as_millis().to_string(),
            _ => profile.email.clone().unwrap(),
        };
        for descending in [false, true] {
            for size in [1, 7, 40, 100] {
                let listed = list(&world, sort, descending, size).await;
                assert_eq!(listed.len(), if sort == ProfileSort::Email { 32 } else { 40 });
                let mut keys: Vec<String> = listed.iter().map(key).collect();
                if descending {
                    keys.reverse();
                }
                assert!(keys.is_sorted(), "{sort:?} by {size}");
                let ids: BTreeSet<&str> = listed.iter().map(|profile| profile.id.as_str()).collect();
                assert_eq!(ids.len(), listed.len());
            }
        }
    }
}

#[tokio::test]
async fn the_sorts_by_time_take_inclusive_bounds() {
    let world = World::start().await;
    forty(&world).await;
    let bounds = (Some(NOW_MS + 2), Some(NOW_MS + 3));
    let page = world.store.list_profile_ids(ProfileSort::Created, false, bounds, None, 100).await.unwrap();
    assert_eq!(page.items.len(), 8);
}

#[tokio::test]
async fn the_parts_of_all_profiles_are_all_profiles() {
    let world = World::start().await;
    forty(&world).await;
    let mut ids = BTreeSet::new();
    for shard in 0..PROFILE_SHARDS {
        let mut after = None;
        loop {
            let page = world.store.list_profile_shard(shard, after, 3).await.unwrap();
            assert!(page.items.into_iter().all(|id| ids.insert(id)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    assert_eq!(ids.len(), 40);
}

#[tokio::test]
async fn a_profile_is_written_only_over_the_version_that_was_read() {
    let world = World::start().await;
    let id = person(&world.store, &with_email("ada@example.com")).await.id;
    let Versioned { value, version } = profile(&world.store, &id).await;
    let next = world.store.put_profile(&value, version).await.unwrap();
    assert_eq!(next.version, version + 1);
    for stale in [0, version] {
        assert!(matches!(world.store.put_profile(&value, stale).await, Err(Error::Conflict)));
    }
}

#[tokio::test]
async fn merged_and_erased_profiles_are_in_no_listing() {
    let world = World::start().await;
    let ada = person(&world.store, &with_email("ada@example.com")).await.id;
    person(&world.store, &crate::with_phone("+12025550101")).await;
    person(&world.store, &crate::with_both("ada@example.com", "+12025550101")).await;
    let bob = person(&world.store, &with_email("bob@example.com")).await.id;
    world.store.erase_profile(&profile(&world.store, &bob).await, crate::now()).await.unwrap();
    for sort in [ProfileSort::Id, ProfileSort::Created, ProfileSort::Updated, ProfileSort::Email] {
        let ids: Vec<String> = list(&world, sort, false, 10).await.into_iter().map(|one| one.id).collect();
        assert_eq!(ids, [ada.as_str()], "{sort:?}");
    }
}
