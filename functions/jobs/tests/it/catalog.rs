use canonical::hash;
use serde_json::json;
use store::{
    CatalogAction, CatalogJob, CatalogKind, CatalogPlace, CatalogProgress, CatalogRecord, CatalogRow, JobKind,
};
use testing::{Answer, NOW_MS, at};

use crate::Account;

fn record(kind: CatalogKind, external_id: &str, item: Option<CatalogPlace>) -> CatalogRecord {
    CatalogRecord {
        kind,
        external_id: external_id.to_owned(),
        uid: hash::long_id(&[external_id]),
        item,
        attributes: json!({"title": external_id, "sku": "SKU"}).as_object().unwrap().clone(),
        created_at: at(NOW_MS),
        updated_at: at(NOW_MS),
        version: 1,
    }
}

/// An item with two variants in a category, and the job that deletes the item and something that is not there.
async fn prepared() -> Account {
    let account = Account::open().await;
    let store = &account.world.store;
    let group = record(CatalogKind::Category, "C", None);
    store.create_catalog_record(&group, &[]).await.unwrap();
    let mug = record(CatalogKind::Item, "I", None);
    store.create_catalog_record(&mug, &[group.place()]).await.unwrap();
    for name in ["V1", "V2"] {
        let variant = record(CatalogKind::Variant, name, Some(mug.place()));
        store.create_catalog_record(&variant, &[]).await.unwrap();
    }
    let rows = ["I", "none"].map(|external_id| CatalogRow::Delete {
        pointer: format!("/{external_id}"),
        external_id: external_id.to_owned(),
    });
    let job = CatalogJob {
        id: "J1".to_owned(),
        of: CatalogKind::Item,
        action: CatalogAction::Delete,
        total: 2,
        external_ids: Vec::new(),
        created_at: at(NOW_MS),
        expires_at: at(NOW_MS + 3_600_000),
        progress: CatalogProgress::default(),
    };
    let kind = JobKind::ChangeCatalog { of: job.of, action: job.action };
    store.create_catalog_job(&job, &rows, &account.job("J1", kind, 1)).await.unwrap();
    account
}

async fn assert_done(account: &Account, when: &str) {
    let store = &account.world.store;
    let job = store.catalog_job(CatalogKind::Item, CatalogAction::Delete, "J1").await.unwrap().unwrap();
    assert_eq!((job.progress.completed, job.progress.failed), (1, 1), "{when}");
    assert!(job.progress.ended_at.is_some(), "{when}");
    assert!(store.jobs().await.unwrap().is_empty(), "{when}");
    let items = account.world.items("registry");
    let left: Vec<&str> = items
        .keys()
        .map(|(partition, _)| partition.as_str())
        .filter(|kind| kind.starts_with("catalog-"))
        .collect();
    assert_eq!(left, ["catalog-categories", "catalog-category", "catalog-jobs#item#delete"], "{when}");
}

#[tokio::test]
async fn what_belonged_to_a_deleted_item_is_removed() {
    let account = prepared().await;
    account.work_off(Account::announcement("J1", 1)).await;
    assert_done(&account, "at once").await;
}

#[tokio::test]
async fn a_change_of_the_catalog_that_broke_off_anywhere_is_finished() {
    for answer in [Answer::Throttle, Answer::Lose] {
        let mut breaks = 0;
        for step in 0.. {
            let account = prepared().await;
            let calls = std::sync::atomic::AtomicU32::new(0);
            account.world.intercept_once(answer, move |call| {
                let is_read = matches!(call.operation.as_str(), "Query" | "GetItem" | "BatchGetItem");
                !is_read && calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step
            });
            let mut messages = Account::announcement("J1", 1);
            let mut failed = false;
            while !messages.is_empty() && !failed {
                failed = !account.deliver(&messages).await.is_empty();
                messages = account.sent();
            }
            account.world.let_pass();
            account.recover().await;
            assert_done(&account, &format!("call {step}")).await;
            if !failed {
                break;
            }
            breaks += 1;
        }
        assert!(breaks > 8, "{breaks}");
    }
}
