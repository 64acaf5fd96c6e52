use canonical::fact::CatalogItem;
use store::{CatalogEntry, JobKind, PROFILE_SHARDS};
use testing::Answer;

use crate::{Account, order};

async fn prepared() -> Account {
    let account = Account::open().await;
    let ids = account.people(6).await;
    for id in &ids[..2] {
        account.world.store.put_event(&order(id, "C2")).await.unwrap();
    }
    for connection in ["C1", "C2"] {
        let item = CatalogItem { product_id: "7".to_owned(), ..CatalogItem::default() };
        let entry = CatalogEntry { connection: connection.to_owned(), item };
        account.world.store.put_catalog_item(&entry).await.unwrap();
    }
    let kind = JobKind::EraseConnection { connection: "C1".to_owned() };
    account.world.store.create_job(&account.job("J1", kind, PROFILE_SHARDS)).await.unwrap();
    account
}

async fn assert_erased(account: &Account, when: &str) {
    let store = &account.world.store;
    let items = account.world.items("profiles");
    let events =
        items.values().filter(|item| item["doc"]["S"].as_str().is_some_and(|doc| doc.contains("C1")));
    assert_eq!(events.count(), 0, "{when}");
    let profiles = items.values().filter(|item| item["sk"]["S"] == "profile" && item.get("doc").is_some());
    assert_eq!(profiles.count(), 2, "{when}");
    assert!(store.catalog_items("C1", &["7"]).await.unwrap().is_empty(), "{when}");
    assert_eq!(store.catalog_items("C2", &["7"]).await.unwrap().len(), 1, "{when}");
    assert!(store.jobs().await.unwrap().is_empty(), "{when}");
}

#[tokio::test]
async fn what_came_through_a_connection_is_erased_and_nothing_else() {
    let account = prepared().await;
    account.work_off(Account::announcement("J1", PROFILE_SHARDS)).await;
    assert_erased(&account, "at once").await;
}

#[tokio::test]
async fn an_erasure_that_broke_off_anywhere_is_finished() {
    let mut breaks = 0;
    for step in 0.. {
        let account = prepared().await;
        let writes = std::sync::atomic::AtomicU32::new(0);
        account.world.intercept_once(Answer::Throttle, move |call| {
            let is_read = matches!(call.operation.as_str(), "Query" | "GetItem" | "BatchGetItem");
            !is_read && writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step
        });
        let failed = account.deliver(&Account::announcement("J1", PROFILE_SHARDS)).await;
        account.world.let_pass();
        account.recover().await;
        assert_erased(&account, &format!("write {step}")).await;
        if failed.is_empty() {
            break;
        }
        breaks += 1;
    }
    assert!(breaks > 10, "{breaks}");
}
