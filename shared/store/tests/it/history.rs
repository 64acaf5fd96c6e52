use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use store::{Cursor, Error, Evaluation, HISTORY_DAYS, MembershipChange, Store, Transition};
use testing::{Answer, NOW_MS, World, at};

use crate::{now, person, profile, with_email};

fn change(segment: &str, entered: bool, offset_ms: i64, cause: &str) -> MembershipChange {
    MembershipChange {
        segment_id: segment.to_owned(),
        entered,
        at_ms: NOW_MS + offset_ms,
        cause: cause.to_owned(),
    }
}

/// Saves changes over the state that is there.
async fn save(store: &Store, profile: &str, changes: Vec<MembershipChange>) -> Result<(), Error> {
    let read_version = store.state(profile).await?.map_or(0, |state| state.version);
    let evaluation = Evaluation { profile_id: profile, read_version, state: vec![1], due_ms: None, changes };
    store.save_evaluation(&evaluation).await
}

/// Profile, segment, whether it was entered, milliseconds after the beginning of the present, and the cause.
type Told = (String, String, bool, i64, String);

fn told(transition: &Transition) -> Told {
    let Transition { profile_id, segment_id, entered, at, cause, .. } = transition.clone();
    (profile_id, segment_id, entered, at.as_millis() - NOW_MS, cause)
}

async fn of_profile(
    store: &Store,
    profile: &str,
    segments: &[&str],
    bounds: (Option<i64>, Option<i64>),
    size: usize,
) -> Vec<Transition> {
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
) -> Vec<Transition> {
    let (mut found, mut after): (Vec<Transition>, Option<Cursor>) = (Vec::new(), None);
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
async fn every_transition_is_kept_newest_first_for_the_profile_and_for_the_segment() {
    let world = World::start().await;
    let store = &world.store;
    let mut expected = Vec::new();
    // Also several at one millisecond, within one evaluation and across two.
    for round in 0..6_i64 {
        for profile in ["p1", "p2", "p3"] {
            let mut changes = Vec::new();
            for (segment, entered) in [("SEG001", true), ("SEG001", false), ("SEG002", round % 2 == 0)] {
                let cause = format!("event:{round}");
                changes.push(change(segment, entered, round / 2, &cause));
                expected.push((profile.to_owned(), segment.to_owned(), entered, round / 2, cause));
            }
            save(store, profile, changes).await.unwrap();
        }
    }
    let expect = |wanted: &dyn Fn(&Told) -> bool| {
        let mut found: Vec<_> = expected.iter().filter(|told| wanted(told)).cloned().collect();
        found.reverse();
        found
    };
    for size in [1, 4, 100] {
        let found = of_profile(store, "p2", &[], (None, None), size).await;
        let found: Vec<_> = found.iter().map(told).collect();
        assert_eq!(found, expect(&|(profile, ..)| profile == "p2"), "{size}");

        let found = of_profile(store, "p2", &["SEG002"], (None, None), size).await;
        let found: Vec<_> = found.iter().map(told).collect();
        assert_eq!(found, expect(&|(profile, segment, ..)| profile == "p2" && segment == "SEG002"), "{size}");

        let bounds = (Some(NOW_MS + 1), Some(NOW_MS + 1));
        let found = of_profile(store, "p1", &[], bounds, size).await;
        assert_eq!(
            found.iter().map(told).collect::<Vec<_>>(),
            expect(&|(profile, _, _, at, _)| profile == "p1" && *at == 1)
        );

        let found = of_segment(store, "SEG001", (None, None), size).await;
        assert!(found.is_sorted_by(|one, other| one.at >= other.at));
        for profile in ["p1", "p2", "p3"] {
            let theirs: Vec<_> = found.iter().filter(|found| found.profile_id == profile).map(told).collect();
            assert_eq!(theirs, expect(&|(of, segment, ..)| of == profile && segment == "SEG001"), "{size}");
        }
        assert_eq!(found.len(), 36);
        let bounds = (Some(NOW_MS + 2), None);
        assert_eq!(of_segment(store, "SEG001", bounds, size).await.len(), 12);
        let bounds = (None, Some(NOW_MS));
        assert_eq!(of_segment(store, "SEG001", bounds, size).await.len(), 12);
    }
    assert_eq!(of_profile(store, "nobody", &[], (None, None), 9).await, []);
    assert_eq!(of_profile(store, "p1", &["NONE00"], (None, None), 9).await, []);
    assert_eq!(of_segment(store, "NONE00", (None, None), 9).await, []);
    let keys: std::collections::BTreeSet<String> =
        of_profile(store, "p1", &[], (None, None), 9).await.into_iter().map(|found| found.key).collect();
    assert_eq!(keys.len(), 18, "each has a key of its own");
}

#[tokio::test]
async fn the_history_expires_after_400_days_and_nothing_else_does() {
    let world = World::start().await;
    save(&world.store, "p1", vec![change("SEG001", true, 0, "profile")]).await.unwrap();
    assert_eq!(HISTORY_DAYS, 400);
    for ((_, sort), item) in world.items("profiles") {
        let expires = item["expires"]["N"].as_str().map(|seconds| seconds.parse::<i64>().unwrap());
        let expected = sort.starts_with("h#").then_some(NOW_MS / 1000 + 400 * 86_400);
        assert_eq!(expires, expected, "{sort}");
    }
}

#[tokio::test]
async fn the_history_is_written_with_the_state_or_not_at_all() {
    let world = World::start().await;
    save(&world.store, "p1", vec![change("SEG001", true, 0, "time")]).await.unwrap();
    let before = world.items("profiles");
    let stale = Evaluation {
        profile_id: "p1",
        read_version: 0,
        state: vec![2],
        due_ms: None,
        changes: vec![change("SEG001", false, 1, "time")],
    };
    assert!(matches!(world.store.save_evaluation(&stale).await, Err(Error::Conflict)));
    assert_eq!(world.items("profiles"), before);

    // A replay writes the same items: here of a state that was put back.
    let version = world.store.state("p1").await.unwrap().unwrap().version;
    let again = Evaluation { read_version: version, ..stale };
    world.store.save_evaluation(&again).await.unwrap();
    let written = world.items("profiles");
    for key in [("p#p1", "state"), ("p#p1", "s#SEG001")] {
        world.put_item("profiles", &before[&(key.0.to_owned(), key.1.to_owned())]);
    }
    world.store.save_evaluation(&again).await.unwrap();
    assert_eq!(world.items("profiles"), written);
}

#[tokio::test]
async fn what_breaks_off_between_two_transactions_is_told_once_though_time_has_passed() {
    for broken in 0..4 {
        let world = World::start().await;
        let changes = |offset_ms: i64| -> Vec<MembershipChange> {
            let one = |number| change(&format!("SEG{number:03}"), true, offset_ms, "definition");
            (0..180).map(one).collect()
        };
        let transactions = AtomicU32::new(0);
        world.intercept_once(Answer::Throttle, move |call| {
            call.operation == "TransactWriteItems" && transactions.fetch_add(1, Ordering::SeqCst) == broken
        });
        let _ = save(&world.function_store(), "p1", changes(0)).await;
        world.let_pass();
        if world.store.state("p1").await.unwrap().is_none() {
            save(&world.store, "p1", changes(1000)).await.unwrap();
        }
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for transition in of_profile(&world.store, "p1", &[], (None, None), 100).await {
            *times.entry(transition.segment_id.clone()).or_default() += 1;
            let member = world.store.membership("p1", &transition.segment_id).await.unwrap().unwrap();
            assert_eq!(member.joined_at, Some(transition.at), "{}", transition.segment_id);
        }
        assert_eq!(times.len(), 180);
        assert!(times.values().all(|count| *count == 1), "{broken}: {times:?}");
    }
}

#[tokio::test]
async fn a_segment_with_more_transitions_than_a_transaction_holds_keeps_them_all() {
    let world = World::start().await;
    let changes = (0..251).map(|number| change("SEG001", number % 2 == 0, number, "time")).collect();
    save(&world.store, "p1", changes).await.unwrap();
    assert_eq!(of_profile(&world.store, "p1", &[], (None, None), 100).await.len(), 251);
    assert!(world.store.membership("p1", "SEG001").await.unwrap().unwrap().current);
}

#[tokio::test]
async fn the_deletion_of_a_segment_is_told_once_to_those_who_belonged_to_it() {
    let world = World::start().await;
    for number in 0..30 {
        let changes = vec![change("SEG001", true, 0, "profile"), change("SEG002", true, 0, "profile")];
        save(&world.store, &format!("p{number:02}"), changes).await.unwrap();
    }
    save(&world.store, "p00", vec![change("SEG001", false, 5, "time")]).await.unwrap();
    let writes = AtomicU32::new(0);
    // The second batch of deletions.
    world.intercept_once(Answer::Throttle, move |call| {
        call.operation == "BatchWriteItem" && writes.fetch_add(1, Ordering::SeqCst) == 3
    });
    let store = world.function_store();
    let mut rounds = 0;
    while !matches!(store.remove_members("SEG001", at(NOW_MS + 9), 100).await, Ok(0)) {
        rounds += 1;
        assert!(rounds < 9);
    }
    let history = of_segment(&world.store, "SEG001", (Some(NOW_MS + 1), None), 100).await;
    let ended: Vec<_> = history.iter().filter(|found| !found.entered).map(told).collect();
    assert_eq!(ended.len(), 30);
    assert_eq!(ended.iter().filter(|(.., at, cause)| *at == 9 && cause == "definition").count(), 29);
    assert_eq!(world.store.count_members("SEG002").await.unwrap(), 30);

    // The evaluator hears of it later, and has nothing to add.
    save(&world.store, "p01", vec![change("SEG001", false, 20, "definition")]).await.unwrap();
    assert_eq!(of_profile(&world.store, "p01", &["SEG001"], (None, None), 9).await.len(), 2);
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
async fn a_transition_that_is_not_what_was_written_is_an_error() {
    let world = World::start().await;
    let item = serde_json::json!({
        "pk": {"S": "p#p1"}, "sk": {"S": "h#soon#1#SEG001"}, "seg": {"S": "h#SEG001#0"}, "joined": {"S": "1#p1"},
        "entered": {"BOOL": true}, "cause": {"S": "time"}, "expires": {"N": "1"},
    });
    world.put_item("profiles", &item);
    let read = world.store.profile_history("p1", &[], (None, None), None, 9).await;
    assert!(matches!(read, Err(Error::Corrupt("transition", _))), "{read:?}");
}
