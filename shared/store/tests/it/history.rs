use std::collections::BTreeSet;

use store::{
    Cursor, Error, Evaluation, HISTORY_DAYS, Job, JobKind, Member, MembershipChange, SegmentRecord, Staged,
    Store,
};
use testing::{NOW_MS, World, at};

use crate::{now, person, profile, with_email};

fn change(segment: &str, entered: bool, offset_ms: i64, cause: &str) -> MembershipChange {
    MembershipChange {
        segment_id: segment.to_owned(),
        entered,
        at_ms: NOW_MS + offset_ms,
        cause: cause.to_owned(),
        staged: None,
    }
}

/// Saves changes over the state that is there.
async fn save(store: &Store, profile: &str, changes: Vec<MembershipChange>) -> Result<(), Error> {
    let read = store.state(profile).await?;
    let evaluation =
        Evaluation { profile_id: profile, read: read.as_ref(), state: vec![1], due_ms: None, changes };
    store.save_evaluation(&evaluation).await
}

/// Profile, segment, and milliseconds after the beginning of the present at which it began and ended.
type Told = (String, String, i64, Option<i64>);

fn told(member: &Member) -> Told {
    let offset = |at: Option<canonical::Instant>| at.map(|at| at.as_millis() - NOW_MS);
    let Member { profile_id, segment_id, joined_at, left_at, .. } = member.clone();
    (profile_id, segment_id, offset(joined_at).unwrap(), offset(left_at))
}

async fn of_profile(
    store: &Store,
    profile: &str,
    segments: &[&str],
    bounds: (Option<i64>, Option<i64>),
    size: usize,
) -> Vec<Member> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.profile_history(profile, segments, bounds, after, size).await.unwrap();
        assert!(page.items.len() <= size);
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

async fn of_segment(
    store: &Store,
    segment: &str,
    bounds: (Option<i64>, Option<i64>),
    size: usize,
) -> Vec<Member> {
    let (mut found, mut after): (Vec<Member>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let page = store.segment_history(segment, bounds, after, size).await.unwrap();
        assert!(page.items.len() <= size);
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn every_membership_is_kept_newest_first_for_the_profile_and_for_the_segment() {
    let world = World::start().await;
    let store = &world.store;
    // Also several at one millisecond, within one evaluation and across two.
    for round in 0..6_i64 {
        for profile in ["p1", "p2", "p3"] {
            let changes = [("SEG001", true), ("SEG001", false), ("SEG002", round % 2 == 0)]
                .map(|(segment, entered)| change(segment, entered, round / 2, &format!("event:{round}")));
            save(store, profile, changes.into()).await.unwrap();
        }
    }
    let whole =
        |profile: &str, segment: &str, at: i64| (profile.to_owned(), segment.to_owned(), at, Some(at));
    let expected = |profile: &str| {
        let mut expected = Vec::new();
        for at in 0..3 {
            expected.extend([whole(profile, "SEG001", at), whole(profile, "SEG001", at)]);
            expected.push(whole(profile, "SEG002", at));
        }
        expected
    };
    let sorted = |found: &[Member]| {
        let mut found: Vec<Told> = found.iter().map(told).collect();
        found.sort_by(|one, other| (one.3, &one.0, &one.1).cmp(&(other.3, &other.0, &other.1)));
        found
    };
    for size in [1, 4, 100] {
        let found = of_profile(store, "p2", &[], (None, None), size).await;
        assert!(found.is_sorted_by(|one, other| one.left_at >= other.left_at));
        assert_eq!(sorted(&found), expected("p2"), "{size}");
        let keys: BTreeSet<&str> = found.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(keys.len(), 9, "each has a key of its own");

        let found = of_profile(store, "p2", &["SEG002"], (None, None), size).await;
        assert_eq!(found.len(), 3, "{size}");
        let bounds = (Some(NOW_MS + 1), Some(NOW_MS + 1));
        assert_eq!(sorted(&of_profile(store, "p1", &[], bounds, size).await), expected("p1")[3..6]);

        let found = of_segment(store, "SEG001", (None, None), size).await;
        assert!(found.is_sorted_by(|one, other| one.left_at >= other.left_at));
        assert_eq!(found.len(), 18);
        for profile in ["p1", "p2", "p3"] {
            let mut theirs: Vec<Told> = expected(profile);
            theirs.retain(|(_, segment, ..)| segment == "SEG001");
            let found: Vec<Member> =
                found.iter().filter(|found| found.profile_id == profile).cloned().collect();
            assert_eq!(sorted(&found), theirs, "{size}");
        }
        let bounds = (Some(NOW_MS + 2), None);
        assert_eq!(of_segment(store, "SEG001", bounds, size).await.len(), 6);
        let bounds = (None, Some(NOW_MS));
        assert_eq!(of_segment(store, "SEG001", bounds, size).await.len(), 6);
    }
    save(store, "p2", vec![change("SEG001", true, 9, "time")]).await.unwrap();
    let last = &of_segment(store, "SEG001", (None, None), 4).await[0];
    assert_eq!((told(last), last.current), (("p2".to_owned(), "SEG001".to_owned(), 9, None), true));
    assert_eq!(of_profile(store, "p2", &["SEG001"], (None, None), 4).await[0], *last);
    assert_eq!(of_profile(store, "nobody", &[], (None, None), 9).await, []);
    assert_eq!(of_profile(store, "p1", &["NONE00"], (None, None), 9).await, []);
    assert_eq!(of_segment(store, "NONE00", (None, None), 9).await, []);
}

#[tokio::test]
async fn memberships_that_ended_expire_after_400_days_and_nothing_else_does() {
    let world = World::start().await;
    let changes =
        [("SEG001", true), ("SEG001", false), ("SEG001", true), ("SEG002", true), ("SEG002", false)];
    let changes = changes.map(|(segment, entered)| change(segment, entered, 0, "profile"));
    save(&world.store, "p1", changes.into()).await.unwrap();
    assert_eq!(HISTORY_DAYS, 400);
    let items = world.items("profiles");
    assert_eq!(items.len(), 4, "the state, two memberships, and what one was before");
    for ((_, sort), item) in items {
        let expires = item["expires"]["N"].as_str().map(|seconds| seconds.parse::<i64>().unwrap());
        let has_ended = sort.starts_with("h#") || sort == "s#SEG002";
        assert_eq!(expires, has_ended.then_some(NOW_MS / 1000 + 400 * 86_400), "{sort}");
    }
}

#[tokio::test]
async fn the_deletion_of_a_segment_is_told_once_to_those_who_belonged_to_it() {
    let world = World::start().await;
    for number in 0..30 {
        let changes = vec![change("SEG001", true, 0, "profile"), change("SEG002", true, 0, "profile")];
        save(&world.store, &format!("p{number:02}"), changes).await.unwrap();
    }
    save(&world.store, "p00", vec![change("SEG001", false, 5, "time")]).await.unwrap();
    let writes = std::sync::atomic::AtomicU32::new(0);
    world.intercept_once(testing::Answer::Throttle, move |call| {
        call.operation == "PutItem" && writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 20
    });
    let store = world.function_store();
    let mut rounds = 0;
    while !matches!(store.remove_members("SEG001", at(NOW_MS + 9), 100).await, Ok(0)) {
        rounds += 1;
        assert!(rounds < 9);
    }
    let history = of_segment(&world.store, "SEG001", (Some(NOW_MS + 1), None), 100).await;
    assert_eq!(history.len(), 30);
    assert!(history.iter().all(|found| !found.current));
    let by_deletion =
        |found: &&Member| told(found).3 == Some(9) && found.left_cause.as_deref() == Some("definition");
    assert_eq!(history.iter().filter(by_deletion).count(), 29);
    assert_eq!(world.store.count_members("SEG002").await.unwrap(), 30);

    // The evaluator hears of it later, and has nothing to add.
    save(&world.store, "p01", vec![change("SEG001", false, 20, "definition")]).await.unwrap();
    let found = of_profile(&world.store, "p01", &["SEG001"], (None, None), 9).await;
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), [("p01".into(), "SEG001".into(), 0, Some(9))]);
}

/// A segment of version 1 that shows, and whose definition is changed to version 2.
async fn edited(store: &Store) {
    let segment = |version| SegmentRecord {
        id: "SEG001".to_owned(),
        name: "Buyers".to_owned(),
        definition: serde_json::json!({}),
        version,
        is_active: true,
        is_starred: false,
        created_at: now(),
        updated_at: now(),
        resumed_version: 0,
        ready_version: 0,
        shown_version: 0,
    };
    store.put_segment_definition(&segment(1), None).await.unwrap();
    for profile in ["stays", "goes", "goes and comes", "left before"] {
        save(store, profile, vec![change("SEG001", true, 0, "profile")]).await.unwrap();
    }
    save(store, "left before", vec![change("SEG001", false, 1, "profile")]).await.unwrap();
    store.put_segment_definition(&segment(2), None).await.unwrap();
    assert_eq!(store.segment("SEG001").await.unwrap().unwrap().shown_version, 1);
}

async fn shown(store: &Store) -> Vec<String> {
    let page = store.members("SEG001", false, (None, None), None, 2).await.unwrap();
    let mut members: Vec<String> = page.items.into_iter().map(|member| member.profile_id).collect();
    let rest = match page.next {
        Some(next) => store.members("SEG001", false, (None, None), Some(next), 9).await.unwrap().items,
        None => Vec::new(),
    };
    members.extend(rest.into_iter().map(|member| member.profile_id));
    assert_eq!(u64::try_from(members.len()).unwrap(), store.count_members("SEG001").await.unwrap());
    for profile in ["stays", "goes", "goes and comes", "left before", "comes", "comes and goes"] {
        let current = store.membership(profile, "SEG001").await.unwrap().is_some_and(|member| member.current);
        assert_eq!(current, members.iter().any(|member| member == profile), "{profile}");
        let of_profile = store.memberships(profile).await.unwrap();
        assert_eq!(current, of_profile.iter().any(|member| member.current), "{profile}");
    }
    members.sort();
    members
}

#[tokio::test]
async fn a_changed_definition_shows_all_at_once_when_everybody_is_through() {
    let world = World::start().await;
    let store = &world.store;
    edited(store).await;
    let before = ["goes", "goes and comes", "stays"];
    assert_eq!(shown(store).await, before);
    let staged = |entered, offset_ms| MembershipChange {
        staged: Some(Staged { version: 2, shown: 1 }),
        ..change("SEG001", entered, offset_ms, "definition")
    };
    for (profile, changes) in [
        ("goes", vec![staged(false, 2)]),
        ("goes and comes", vec![staged(false, 2), staged(true, 3)]),
        ("left before", vec![staged(true, 2)]),
        ("comes", vec![staged(true, 2)]),
        ("comes and goes", vec![staged(true, 2), staged(false, 3)]),
    ] {
        save(store, profile, changes).await.unwrap();
        assert_eq!(shown(store).await, before, "{profile}");
    }
    let history = of_segment(store, "SEG001", (None, None), 9).await;
    assert_eq!(history.iter().filter(|member| member.current).count(), 3);

    store.segment_is_ready("SEG001", 2).await.unwrap();
    let after = ["comes", "goes and comes", "left before", "stays"];
    assert_eq!(shown(store).await, after);
    let member = store.membership("goes and comes", "SEG001").await.unwrap().unwrap();
    assert_eq!(told(&member), ("goes and comes".into(), "SEG001".into(), 0, None), "never left");
    let left = of_profile(store, "left before", &[], (None, None), 9).await;
    assert_eq!(
        left.iter().map(|member| (told(member).2, told(member).3)).collect::<Vec<_>>(),
        [(2, None), (0, Some(1))]
    );

    // Who has left is moved to the history, and may come back.
    let (seen, next) = store.settle_members("SEG001", None, 9).await.unwrap();
    assert_eq!((seen, next), (5, None));
    assert_eq!(store.settle_members("SEG001", None, 9).await.unwrap().0, 4);
    assert_eq!(shown(store).await, after);
    save(store, "goes", vec![change("SEG001", true, 7, "profile")]).await.unwrap();
    let told: Vec<_> = of_profile(store, "goes", &[], (None, None), 9).await.iter().map(told).collect();
    assert_eq!(
        told,
        [("goes".into(), "SEG001".into(), 7, None), ("goes".into(), "SEG001".into(), 0, Some(2))]
    );
}

#[tokio::test]
async fn who_comes_back_before_the_members_are_settled_has_two_memberships() {
    let world = World::start().await;
    let store = &world.store;
    edited(store).await;
    let staged = MembershipChange {
        staged: Some(Staged { version: 2, shown: 1 }),
        ..change("SEG001", false, 2, "definition")
    };
    save(store, "goes", vec![staged]).await.unwrap();
    store.segment_is_ready("SEG001", 2).await.unwrap();
    save(store, "goes", vec![change("SEG001", true, 7, "profile")]).await.unwrap();
    let told: Vec<_> = of_profile(store, "goes", &[], (None, None), 9).await.iter().map(told).collect();
    assert_eq!(
        told,
        [("goes".into(), "SEG001".into(), 7, None), ("goes".into(), "SEG001".into(), 0, Some(2))]
    );
    // Deleted before it is settled: everybody's membership ends.
    let job = Job::new("J1".to_owned(), JobKind::RemoveMembers { segment: "SEG001".to_owned() }, 1, now());
    store.delete_segment("SEG001", 3, &job).await.unwrap();
    store.remove_members("SEG001", at(NOW_MS + 9), 100).await.unwrap();
    assert_eq!(store.count_members("SEG001").await.unwrap(), 0);
}

#[tokio::test]
async fn an_erased_person_and_a_merged_profile_have_no_history() {
    let world = World::start().await;
    let id = person(&world.store, &with_email("ada@example.com")).await.id;
    save(&world.store, &id, vec![change("SEG001", true, 0, "profile")]).await.unwrap();
    world.store.erase_profile(&profile(&world.store, &id).await, now()).await.unwrap();
    assert_eq!(of_profile(&world.store, &id, &[], (None, None), 9).await, []);
    assert_eq!(of_segment(&world.store, "SEG001", (None, None), 9).await, []);

    // As the evaluator does it when it sees that a profile has merged.
    save(&world.store, "p2", vec![change("SEG001", true, 0, "profile")]).await.unwrap();
    world.store.delete_evaluation("p2").await.unwrap();
    assert_eq!(of_segment(&world.store, "SEG001", (None, None), 9).await, []);
}

#[tokio::test]
async fn a_membership_that_is_not_what_was_written_is_an_error() {
    let world = World::start().await;
    let item = serde_json::json!({
        "pk": {"S": "p#p1"}, "sk": {"S": "h#soon#1#SEG001"}, "seg": {"S": "h#SEG001#0"}, "joined": {"S": "1#p1"},
        "joined_ms": {"S": "soon"}, "expires": {"N": "1"},
    });
    world.put_item("profiles", &item);
    let read = world.store.profile_history("p1", &[], (None, None), None, 9).await;
    assert!(matches!(read, Err(Error::Corrupt("membership", _))), "{read:?}");
}
