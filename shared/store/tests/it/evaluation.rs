use std::sync::atomic::{AtomicU32, Ordering};

use store::{Error, Evaluation, MembershipChange, StateRecord, Store, Told};
use testing::{Answer, NOW_MS, World, at};

fn change(segment: usize, entered: bool, offset_ms: i64) -> MembershipChange {
    let cause = if entered { "event:1" } else { "time" };
    MembershipChange {
        segment_id: format!("SEG{segment:03}"),
        entered,
        at_ms: NOW_MS + offset_ms,
        cause: cause.to_owned(),
        staged: None,
    }
}

fn evaluation(read: Option<&StateRecord>, changes: Vec<MembershipChange>) -> Evaluation<'_> {
    Evaluation { profile_id: "p1", read, state: vec![1, 2, 3], due_ms: Some(NOW_MS + 5), changes }
}

/// Saves changes over the state that is there.
async fn save(store: &Store, changes: Vec<MembershipChange>) -> Result<(), Error> {
    let read = store.state("p1").await?;
    store.save_evaluation(&evaluation(read.as_ref(), changes)).await
}

#[tokio::test]
async fn a_state_is_saved_with_any_number_of_memberships_and_not_over_a_stale_version() {
    for count in [0, 1, 98, 250] {
        let world = World::start().await;
        let changes: Vec<_> = (0..count).map(|number| change(number, true, 0)).collect();
        save(&world.store, changes).await.unwrap();
        assert_eq!(world.store.memberships("p1").await.unwrap().len(), count);
        let record = world.store.state("p1").await.unwrap().unwrap();
        assert_eq!((record.version, record.bytes.as_slice()), (1, &[1, 2, 3][..]));

        let before = world.items("profiles");
        for stale in [None, Some(StateRecord { version: 7, ..record })] {
            let leave: Vec<_> = (0..count).map(|number| change(number, false, 1)).collect();
            let outcome = world.store.save_evaluation(&evaluation(stale.as_ref(), leave)).await;
            assert!(matches!(outcome, Err(Error::Conflict)), "{count}: {outcome:?}");
        }
        assert_eq!(world.items("profiles"), before, "{count}");
    }
}

/// Breaks off at each write of an evaluation; then either the same comes again, or another evaluation comes first.
#[tokio::test]
async fn what_breaks_off_behind_the_state_is_carried_out_by_whoever_comes_next() {
    let first = || vec![change(1, true, 0), change(2, true, 0), change(1, false, 1), change(1, true, 2)];
    let second = || vec![change(2, false, 5), change(3, true, 5)];
    let calm = World::start().await;
    save(&calm.store, first()).await.unwrap();
    let after_first = calm.items("profiles");
    save(&calm.store, second()).await.unwrap();
    let after_second = calm.items("profiles");
    let mut breaks = 0;
    for answer in [Answer::Throttle, Answer::Lose] {
        for step in 0.. {
            for comes_first in [false, true] {
                let world = World::start().await;
                let writes = AtomicU32::new(0);
                world.intercept_once(answer, move |call| {
                    let is_write = matches!(call.operation.as_str(), "PutItem" | "BatchWriteItem");
                    is_write && writes.fetch_add(1, Ordering::SeqCst) == step
                });
                let outcome = save(&world.function_store(), first()).await;
                world.let_pass();
                let state = world.store.state("p1").await.unwrap();
                match &state {
                    None => save(&world.store, first()).await.unwrap(),
                    Some(state) if !comes_first => world.store.carry_out("p1", state).await.unwrap(),
                    Some(_) => {}
                }
                if !comes_first {
                    assert_eq!(world.items("profiles"), after_first, "{answer:?} {step}");
                }
                save(&world.store, second()).await.unwrap();
                assert_eq!(world.items("profiles"), after_second, "{answer:?} {step} {comes_first}");
                breaks += u32::from(outcome.is_err());
            }
            if step > 6 {
                break;
            }
        }
    }
    assert!(breaks > 12, "{breaks}");
}

#[tokio::test]
async fn a_slow_writer_changes_nothing_that_was_written_after_it() {
    let world = World::start().await;
    let (rival, puts) = (world.store.clone(), AtomicU32::new(0));
    // Between the state and its memberships somebody else evaluates, twice.
    world.intercept(move |call| {
        let is_second = call.operation == "PutItem" && puts.fetch_add(1, Ordering::SeqCst) == 1;
        let rival = rival.clone();
        async move {
            if is_second {
                save(&rival, vec![change(1, false, 5)]).await.unwrap();
                save(&rival, vec![change(2, true, 6)]).await.unwrap();
            }
            Answer::Pass
        }
    });
    save(&world.function_store(), vec![change(1, true, 0)]).await.unwrap();
    let members = world.store.memberships("p1").await.unwrap();
    let lasting: Vec<_> = members.iter().map(|member| (member.segment_id.as_str(), member.current)).collect();
    assert_eq!(lasting, [("SEG001", false), ("SEG002", true)]);
    // A reader of an old state has nothing to carry out that has been overtaken.
    let before = world.items("profiles");
    let told = Told { version: 1, changes: vec![change(1, true, 0)] };
    let old = StateRecord { bytes: vec![1], version: 1, told: Some(told) };
    world.store.carry_out("p1", &old).await.unwrap();
    let outcome = world.store.save_evaluation(&evaluation(Some(&old), vec![change(9, true, 9)])).await;
    assert!(matches!(outcome, Err(Error::Conflict)), "{outcome:?}");
    assert_eq!(world.items("profiles"), before);
}

#[tokio::test]
async fn a_profile_that_was_erased_between_state_and_memberships_keeps_none() {
    let world = World::start().await;
    let (eraser, puts) = (world.store.clone(), AtomicU32::new(0));
    world.intercept(move |call| {
        let is_second = call.operation == "PutItem" && puts.fetch_add(1, Ordering::SeqCst) == 1;
        let eraser = eraser.clone();
        async move {
            if is_second {
                eraser.delete_evaluation("p1").await.unwrap();
            }
            Answer::Pass
        }
    });
    save(&world.function_store(), vec![change(1, true, 0)]).await.unwrap();
    assert!(world.items("profiles").is_empty());
}

#[tokio::test]
async fn joining_and_leaving_are_told_in_one_item() {
    let world = World::start().await;
    let store = &world.store;
    let told = vec![change(1, true, 0), change(1, false, 10), change(2, false, 3), change(1, true, 20)];
    save(store, told).await.unwrap();
    let member = store.membership("p1", "SEG001").await.unwrap().unwrap();
    assert!(member.current);
    assert_eq!((member.joined_at, member.left_at), (Some(at(NOW_MS + 20)), None));
    assert_eq!(member.joined_cause.as_deref(), Some("event:1"));
    assert_eq!(store.count_members("SEG001").await.unwrap(), 1);
    assert_eq!(store.count_members("SEG002").await.unwrap(), 0);

    save(store, vec![change(1, false, 30)]).await.unwrap();
    let member = store.membership("p1", "SEG001").await.unwrap().unwrap();
    assert!(!member.current);
    assert_eq!((member.joined_at, member.left_at), (Some(at(NOW_MS + 20)), Some(at(NOW_MS + 30))));
    assert_eq!(store.count_members("SEG001").await.unwrap(), 0);
}

async fn due(store: &Store, now_ms: i64, size: usize) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    for shard in Store::due_shards() {
        let mut after = None;
        let mut last = 0;
        loop {
            let page = store.due(shard, now_ms, after, size).await.unwrap();
            for (profile, due_ms) in page.items {
                assert!(due_ms >= last, "those that have waited longest come first");
                last = due_ms;
                found.push((profile, due_ms));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn what_is_due_is_listed_page_by_page_and_nothing_else() {
    let world = World::start().await;
    let mut expected = Vec::new();
    for number in 0_i64..60 {
        let profile = format!("p{number:02}");
        let due_ms = (number % 3 > 0).then_some(NOW_MS + number / 10 - 3);
        let evaluation =
            Evaluation { profile_id: &profile, read: None, state: vec![1], due_ms, changes: Vec::new() };
        world.store.save_evaluation(&evaluation).await.unwrap();
        if let Some(due_ms) = due_ms.filter(|due_ms| *due_ms <= NOW_MS) {
            expected.push((profile, due_ms));
        }
    }
    assert!(!expected.is_empty());
    for size in [1, 2, 100] {
        assert_eq!(due(&world.store, NOW_MS, size).await, expected);
    }
    // A state that no longer waits for anything leaves the index.
    let read = world.store.state(&expected[0].0).await.unwrap();
    let evaluation = Evaluation {
        profile_id: &expected[0].0,
        read: read.as_ref(),
        state: vec![2],
        due_ms: None,
        changes: Vec::new(),
    };
    world.store.save_evaluation(&evaluation).await.unwrap();
    assert_eq!(due(&world.store, NOW_MS, 2).await, expected[1..]);
}

#[tokio::test]
async fn members_are_listed_by_the_time_they_joined_and_removed_with_their_segment() {
    let world = World::start().await;
    for number in 0_i64..25 {
        let profile = format!("p{number:02}");
        let changes = vec![change(1, true, number / 5), change(2, true, 0)];
        let evaluation = Evaluation { profile_id: &profile, ..evaluation(None, changes) };
        world.store.save_evaluation(&evaluation).await.unwrap();
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = world.store.members("SEG001", true, (None, None), after, 4).await.unwrap();
        listed.extend(page.items.into_iter().map(|member| (member.joined_at.unwrap(), member.profile_id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), 25);
    assert!(listed.is_sorted_by(|a, b| a > b));
    let bounds = (Some(NOW_MS + 1), Some(NOW_MS + 2));
    assert_eq!(world.store.members("SEG001", false, bounds, None, 50).await.unwrap().items.len(), 10);

    let mut removed = Vec::new();
    loop {
        removed.push(world.store.remove_members("SEG001", at(NOW_MS + 50), 10).await.unwrap());
        if removed.last() == Some(&0) {
            break;
        }
    }
    assert_eq!(removed, [10, 10, 5, 0]);
    assert_eq!(world.store.count_members("SEG002").await.unwrap(), 25);
}

#[tokio::test]
async fn items_that_are_not_what_was_written_are_errors() {
    let world = World::start().await;
    let store = &world.store;
    let corrupt = |sort: &str| {
        let item = serde_json::json!({
            "pk": {"S": "p#p1"}, "sk": {"S": sort}, "v": {"S": "x"}, "doc": {"S": "{"}, "at": {"S": "1"},
            "ms": {"S": "m"}, "m": {"S": "m"}, "ing": {"N": "0"}, "joined_ms": {"S": "soon"},
        });
        world.put_item("profiles", &item);
    };
    for sort in ["profile", "state", "s#SEG001", "e#1"] {
        corrupt(sort);
    }
    assert!(matches!(store.profile("p1").await, Err(Error::Corrupt(..))));
    assert!(matches!(store.state("p1").await, Err(Error::Corrupt("state", _))));
    assert!(matches!(store.membership("p1", "SEG001").await, Err(Error::Corrupt("membership", _))));
    assert!(matches!(store.memberships("p1").await, Err(Error::Corrupt("membership", _))));
    assert_eq!(store.history("p1").await.unwrap(), [], "one that cannot be read does not hide the others");
    assert!(matches!(store.event("p1", "1").await, Err(Error::Corrupt("event", _))));
    assert!(matches!(store.states_and_profiles(&["p1"]).await, Err(Error::Corrupt(..))));
    let saved = store.save_evaluation(&evaluation(None, vec![change(1, true, 0)])).await;
    assert!(matches!(saved, Err(Error::Corrupt("membership", _))), "{saved:?}");
}
