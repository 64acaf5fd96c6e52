use store::{Error, Evaluation, MembershipChange, Store};
use testing::{NOW_MS, World, at};

fn change(segment: usize, entered: bool, offset_ms: i64) -> MembershipChange {
    let cause = if entered { "event:1" } else { "time" };
    MembershipChange {
        segment_id: format!("SEG{segment:03}"),
        entered,
        at_ms: NOW_MS + offset_ms,
        cause: cause.to_owned(),
    }
}

fn evaluation(read_version: u64, changes: Vec<MembershipChange>) -> Evaluation<'static> {
    Evaluation { profile_id: "p1", read_version, state: vec![1, 2, 3], due_ms: Some(NOW_MS + 5), changes }
}

#[tokio::test]
async fn a_state_is_saved_with_any_number_of_memberships_and_not_over_a_stale_version() {
    for count in [0, 1, 98, 99, 100, 198, 250] {
        let world = World::start().await;
        let changes: Vec<_> = (0..count).map(|number| change(number, true, 0)).collect();
        world.store.save_evaluation(&evaluation(0, changes)).await.unwrap();
        assert_eq!(world.store.memberships("p1").await.unwrap().len(), count);
        let record = world.store.state("p1").await.unwrap().unwrap();
        assert_eq!((record.version, record.bytes.as_slice()), (1, &[1, 2, 3][..]));

        let before = world.items("profiles");
        for stale in [0, 7] {
            let leave: Vec<_> = (0..count).map(|number| change(number, false, 1)).collect();
            let outcome = world.store.save_evaluation(&evaluation(stale, leave)).await;
            assert!(matches!(outcome, Err(Error::Conflict)), "{count}: {outcome:?}");
        }
        assert_eq!(world.items("profiles"), before, "{count}");
    }
}

#[tokio::test]
async fn beyond_one_transaction_a_writer_in_between_is_a_conflict_that_the_next_attempt_repairs() {
    let world = World::start().await;
    let changes: Vec<_> = (0..250).map(|number| change(number, true, 0)).collect();
    let (rival, transactions) = (world.store.clone(), std::sync::atomic::AtomicU32::new(0));
    world.intercept(move |call| {
        let is_second = call.operation == "TransactWriteItems"
            && transactions.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
        let rival = rival.clone();
        async move {
            if is_second {
                rival.save_evaluation(&evaluation(0, Vec::new())).await.unwrap();
            }
            testing::Answer::Pass
        }
    });
    let outcome = world.function_store().save_evaluation(&evaluation(0, changes.clone())).await;
    assert!(matches!(outcome, Err(Error::Conflict)), "{outcome:?}");
    world.let_pass();
    world.store.save_evaluation(&evaluation(1, changes)).await.unwrap();
    assert_eq!(world.store.memberships("p1").await.unwrap().len(), 250);
    assert_eq!(world.store.state("p1").await.unwrap().unwrap().version, 2);
}

#[tokio::test]
async fn joining_and_leaving_are_told_in_one_item() {
    let world = World::start().await;
    let store = &world.store;
    let told = vec![change(1, true, 0), change(1, false, 10), change(2, false, 3), change(1, true, 20)];
    store.save_evaluation(&evaluation(0, told)).await.unwrap();
    let member = store.membership("p1", "SEG001").await.unwrap().unwrap();
    assert!(member.current);
    assert_eq!((member.joined_at, member.left_at), (Some(at(NOW_MS + 20)), Some(at(NOW_MS + 10))));
    assert_eq!(member.joined_cause.as_deref(), Some("event:1"));
    assert_eq!(member.left_cause.as_deref(), Some("time"));
    assert_eq!(store.count_members("SEG001").await.unwrap(), 1);
    assert_eq!(store.count_members("SEG002").await.unwrap(), 0);

    store.save_evaluation(&evaluation(1, vec![change(1, false, 30)])).await.unwrap();
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
            Evaluation { profile_id: &profile, read_version: 0, state: vec![1], due_ms, changes: Vec::new() };
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
    let evaluation = Evaluation {
        profile_id: &expected[0].0,
        read_version: 1,
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
        let evaluation = Evaluation { profile_id: &profile, ..evaluation(0, changes) };
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
    let saved = store.save_evaluation(&evaluation(0, vec![change(1, true, 0)])).await;
    assert!(matches!(saved, Err(Error::Corrupt("membership", _))), "{saved:?}");
}
