use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use testing::Answer;

use crate::{Shop, define, function, orders, recent};

#[tokio::test]
async fn events_from_before_any_segment_are_counted_once_there_is_one() {
    let shop = Shop::open().await;
    let ada = shop.person("ada@example.com").await;
    for key in ["1", "2"] {
        shop.order(&ada, key).await;
    }
    shop.evaluate_all().await;
    assert!(shop.world.store.memberships(&ada).await.unwrap().is_empty());

    shop.define("TWO", orders(2)).await;
    shop.define("THREE", orders(3)).await;
    // Anything that wakes the evaluator brings the profile up; nothing is counted twice.
    shop.world.store.tick(&ada, 1).await.unwrap();
    shop.evaluate_all().await;
    assert!(shop.is_member(&ada, "TWO").await && !shop.is_member(&ada, "THREE").await);
    shop.order(&ada, "3").await;
    shop.evaluate_all().await;
    assert!(shop.is_member(&ada, "THREE").await);
}

#[tokio::test]
async fn an_event_that_the_history_has_and_the_stream_still_brings_counts_once() {
    let shop = Shop::open().await;
    let ada = shop.person("ada@example.com").await;
    shop.evaluate_all().await;
    let known = shop.world.stream().len();
    for key in ["1", "2"] {
        shop.order(&ada, key).await;
    }
    shop.define("THREE", orders(3)).await;
    let records = shop.world.stream();
    for record in &records[known..] {
        // Each is evaluated with a history that holds both.
        assert_eq!(shop.evaluate(vec![record.clone()]).await, None);
    }
    assert!(!shop.is_member(&ada, "THREE").await);
}

/// A definition changes at each moment of an evaluation in turn, under the evaluator's hands.
#[tokio::test]
async fn a_definition_that_changes_during_a_batch_ends_right() {
    for moment in 0.. {
        let shop = Shop::open().await;
        shop.define("SOME", orders(5)).await;
        let ada = shop.person("ada@example.com").await;
        for key in ["1", "2"] {
            shop.order(&ada, key).await;
        }
        let (rival, calls) = (shop.world.store.clone(), Arc::new(AtomicU32::new(0)));
        let count = calls.clone();
        shop.world.intercept(move |_| {
            let is_now = count.fetch_add(1, Ordering::SeqCst) == moment;
            let rival = rival.clone();
            async move {
                if is_now {
                    define(&rival, "SOME", orders(2)).await;
                    define(&rival, "NEW", recent(1)).await;
                }
                Answer::Pass
            }
        });
        shop.evaluate_all().await;
        if calls.load(Ordering::SeqCst) <= moment {
            assert!(moment >= 6, "{moment}");
            break;
        }
        // The last call is the one that asks whether anything changed; what changes behind it is the backfill's.
        let is_last = calls.load(Ordering::SeqCst) == moment + 1;
        if !is_last {
            shop.world.store.segment_is_ready("SOME", 2).await.unwrap();
            assert!(shop.is_member(&ada, "SOME").await, "moment {moment}");
            assert!(shop.is_member(&ada, "NEW").await, "moment {moment}");
        }
    }
}

#[tokio::test]
async fn an_evaluator_with_an_older_program_gives_way_to_a_newer_state() {
    let shop = Shop::open().await;
    shop.define("ONE", orders(1)).await;
    let ada = shop.person("ada@example.com").await;
    shop.evaluate_all().await;
    let known = shop.world.stream().len();

    // Another instance learns of the new definition while this one is between its two looks.
    let other = Arc::new(function(&shop.world));
    let (rival, turn) = (shop.world.store.clone(), Arc::new(AtomicU32::new(0)));
    shop.order(&ada, "1").await;
    let records = shop.world.stream()[known..].to_vec();
    let theirs = records.clone();
    shop.world.intercept(move |call| {
        let is_turn = call.operation == "BatchGetItem" && turn.fetch_add(1, Ordering::SeqCst) == 0;
        let (rival, other, theirs) = (rival.clone(), other.clone(), theirs.clone());
        async move {
            if is_turn {
                define(&rival, "WEEK", recent(7)).await;
                let mut event = aws_lambda_events::dynamodb::Event::default();
                event.records = theirs;
                Box::pin(other.handle(event)).await.unwrap();
            }
            Answer::Pass
        }
    });
    assert_eq!(shop.evaluate(records).await, None);
    assert!(shop.is_member(&ada, "ONE").await && shop.is_member(&ada, "WEEK").await);
    let state = shop.world.store.state(&ada).await.unwrap().unwrap();
    assert_eq!(segments::State::decode(&state.bytes).unwrap().program_version(), 2);
}

#[tokio::test]
async fn a_definition_that_cannot_be_read_leaves_the_others_in_force() {
    let shop = Shop::open().await;
    shop.define("ODD", serde_json::json!({"type": "from-the-future"})).await;
    shop.define("ONE", orders(1)).await;
    let ada = shop.person("ada@example.com").await;
    shop.order(&ada, "1").await;
    shop.evaluate_all().await;
    assert!(shop.is_member(&ada, "ONE").await && !shop.is_member(&ada, "ODD").await);
}
