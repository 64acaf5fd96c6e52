//! What is left of profiles that merged or were erased, as the API leaves it.

use std::sync::atomic::{AtomicU32, Ordering};

use store::{Job, JobKind};
use testing::Answer;

use crate::{Account, order};

/// Two profiles of two events each, of which the second is about to go.
async fn prepared() -> (Account, Vec<String>, Job) {
    let account = Account::open().await;
    let ids = account.people(2).await;
    for id in &ids {
        account.world.store.put_event(&order(id, "C2")).await.unwrap();
    }
    let job = account.job("J1", JobKind::Settle { profile: ids[1].clone() }, 1);
    (account, ids, job)
}

async fn merging() -> (Account, Vec<String>) {
    let (account, ids, job) = prepared().await;
    let store = &account.world.store;
    let destination = store.profile(&ids[0]).await.unwrap().unwrap();
    let source = store.profile(&ids[1]).await.unwrap().unwrap();
    store.begin_merge(&destination, &source, &job, account.world.now()).await.unwrap();
    (account, ids)
}

async fn erasing() -> (Account, Vec<String>) {
    let (account, ids, job) = prepared().await;
    let store = &account.world.store;
    let profile = store.profile(&ids[1]).await.unwrap().unwrap();
    store.begin_erasure(&profile, &job, account.world.now()).await.unwrap();
    (account, ids)
}

async fn assert_settled((account, ids): &(Account, Vec<String>), left: usize, when: &str) {
    let store = &account.world.store;
    assert_eq!(store.history(&ids[0]).await.unwrap().len(), left, "{when}");
    assert!(store.history(&ids[1]).await.unwrap().is_empty(), "{when}");
    assert!(store.jobs().await.unwrap().is_empty(), "{when}");
}

#[tokio::test]
async fn a_profile_that_merged_or_was_erased_is_settled_wherever_the_job_breaks_off() {
    for merges in [true, false] {
        let mut breaks = 0;
        for step in 0.. {
            let prepared = if merges { merging().await } else { erasing().await };
            let (account, _) = &prepared;
            let writes = AtomicU32::new(0);
            account.world.intercept_once(Answer::Throttle, move |call| {
                let is_read = matches!(call.operation.as_str(), "Query" | "GetItem" | "BatchGetItem");
                !is_read && writes.fetch_add(1, Ordering::SeqCst) == step
            });
            let failed = account.deliver(&Account::announcement("J1", 1)).await;
            account.world.let_pass();
            account.recover().await;
            assert_settled(&prepared, if merges { 4 } else { 2 }, &format!("write {step}")).await;
            if failed.is_empty() {
                break;
            }
            breaks += 1;
        }
        assert!(breaks > 3, "{breaks}");
    }
}
