//! Several processes, and processes that end in between.

use std::time::Duration;

use testing::Answer;

use crate::server::{Gate, Rotation};
use crate::{SHOP, Stage, denied, later};

#[tokio::test]
async fn of_many_that_need_a_new_token_one_asks_for_it() {
    let stage = Stage::authorized().await;
    stage.minutes(60);
    let processes = [stage.process(), stage.process(), stage.process()];
    let all =
        processes.iter().flat_map(|grants| (0..5).map(|_| grants.get(SHOP, Some(stage.server.oauth()))));
    let all: Vec<_> = all.collect();
    let mut tokens = Vec::new();
    let tasks: Vec<_> = all.into_iter().map(|get| async { crate::token(&get.await.unwrap()) }).collect();
    for token in futures_of(tasks).await {
        tokens.push(token);
    }
    assert!(tokens.iter().all(|token| token == "access-2"), "{tokens:?}");
    assert_eq!(stage.server.asked(), 1);
}

async fn futures_of<T>(work: Vec<impl Future<Output = T>>) -> Vec<T> {
    futures::future::join_all(work).await
}

#[tokio::test]
async fn a_pair_that_cannot_be_kept_is_not_used_and_the_next_asks_with_the_old_token() {
    let stage = Stage::authorized().await;
    stage.minutes(60);
    // As if the process had ended between the answer and the store.
    stage.world.intercept(|call| {
        let answer = if call.operation == "PutParameter" { Answer::Throttle } else { Answer::Pass };
        async move { answer }
    });
    later(stage.get(&stage.process()).await);
    assert_eq!(stage.kept(), "access-1");
    stage.world.let_pass();
    assert_eq!(stage.get(&stage.process()).await.unwrap(), "access-3");
    assert_eq!(stage.call("access-3").await, 200);
    assert_eq!(stage.server.asked(), 2);
}

#[tokio::test]
async fn a_pair_that_was_issued_is_kept_although_something_fails_just_then() {
    for operation in ["UpdateItem", "GetParameter"] {
        let stage = Stage::authorized().await;
        stage.server.rotate(Rotation::AtIssue);
        stage.minutes(60);
        stage.server.hold_up(Gate::After);
        let grants = stage.process();
        let (renewed, ()) = tokio::join!(stage.get(&grants), async {
            stage.server.waiting.acquire().await.unwrap().forget();
            stage.world.intercept_once(Answer::Throttle, move |call| call.operation.starts_with(operation));
            stage.server.gate.add_permits(1);
        });
        assert_eq!(
            (renewed.unwrap().as_str(), stage.kept().as_str()),
            ("access-2", "access-2"),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn a_pair_that_was_kept_is_there_for_the_next_although_the_process_ended() {
    let stage = Stage::authorized().await;
    stage.minutes(60);
    // The lease is not given back.
    stage.world.intercept(|call| {
        let answer = if call.is("UpdateItem", "REMOVE lease") { Answer::Throttle } else { Answer::Pass };
        async move { answer }
    });
    assert_eq!(stage.get(&stage.process()).await.unwrap(), "access-2");
    stage.world.let_pass();
    assert_eq!(stage.get(&stage.process()).await.unwrap(), "access-2");
    assert_eq!(stage.server.asked(), 1);
    stage.minutes(56);
    assert_eq!(stage.get(&stage.process()).await.unwrap(), "access-3");
}

#[tokio::test]
async fn whoever_gives_up_waiting_loses_no_pair() {
    let stage = Stage::authorized().await;
    stage.minutes(60);
    stage.server.hold_up(Gate::After);
    let grants = stage.process();
    let given_up = tokio::time::timeout(Duration::from_millis(300), stage.get(&grants)).await;
    assert!(given_up.is_err());
    stage.server.gate.add_permits(1);
    assert_eq!(stage.get(&grants).await.unwrap(), "access-2");
    assert_eq!(stage.server.asked(), 1);
}

/// One that was held up for longer than its lease meets what another did meanwhile.
#[tokio::test]
async fn whoever_lost_the_lease_takes_what_the_other_kept() {
    for gate in [Gate::Before, Gate::After] {
        let stage = Stage::authorized().await;
        stage.minutes(60);
        stage.server.hold_up(gate);
        let slow = stage.process();
        let (late, ()) = tokio::join!(stage.get(&slow), async {
            stage.server.waiting.acquire().await.unwrap().forget();
            stage.minutes(1);
            let token = stage.get(&stage.process()).await.unwrap();
            assert_eq!(stage.call(&token).await, 200);
            stage.server.gate.add_permits(1);
        });
        // Asked with a token that was void by then, or holding a pair that is not the newest.
        let kept = stage.kept();
        assert_eq!(late.unwrap(), kept, "{gate:?}");
        assert_eq!(kept, if gate == Gate::Before { "access-2" } else { "access-3" });
        assert!(!stage.has_ended());
        assert_eq!(stage.server.asked(), 2);
        stage.minutes(56);
        assert_eq!(
            stage.get(&slow).await.unwrap(),
            "access-4".replace('4', if gate == Gate::Before { "3" } else { "4" })
        );
    }
}

#[tokio::test]
async fn a_pair_that_comes_late_from_a_platform_that_rotates_at_once_heals_what_another_gave_up() {
    let stage = Stage::authorized().await;
    stage.server.rotate(Rotation::AtIssue);
    stage.minutes(60);
    stage.server.hold_up(Gate::After);
    let slow = stage.process();
    let (late, ()) = tokio::join!(stage.get(&slow), async {
        stage.server.waiting.acquire().await.unwrap().forget();
        stage.minutes(1);
        denied(stage.get(&stage.process()).await);
        assert!(stage.has_ended());
        stage.server.gate.add_permits(1);
    });
    assert_eq!((late.unwrap().as_str(), stage.kept().as_str()), ("access-2", "access-2"));
    assert!(!stage.has_ended());
    assert_eq!(stage.get(&stage.process()).await.unwrap(), "access-2");
}

#[tokio::test]
async fn a_grant_that_is_given_back_meanwhile_does_not_come_back() {
    let stage = Stage::authorized().await;
    stage.minutes(60);
    stage.server.hold_up(Gate::After);
    let slow = stage.process();
    let (late, ()) = tokio::join!(stage.get(&slow), async {
        stage.server.waiting.acquire().await.unwrap().forget();
        stage.minutes(1);
        stage.process().give_back(SHOP, Some(&stage.server.oauth())).await.unwrap();
        stage.server.gate.add_permits(1);
    });
    assert_eq!(late.unwrap(), "");
    assert_eq!(stage.world.grant(SHOP), None);
}
