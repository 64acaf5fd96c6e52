use canonical::hash;
use serde_json::json;
use store::{
    CatalogAction, CatalogJob, CatalogKind, CatalogProgress, CatalogRecord, CatalogRow, Error, Job, JobKind,
    Shelf, Store,
};
use testing::{Answer, NOW_MS, World, at};

use crate::now;

/// A record that is made so many milliseconds after the beginning of the test's present.
fn record(kind: CatalogKind, external_id: &str, offset_ms: i64) -> CatalogRecord {
    let attributes = json!({"title": external_id, "sku": format!("sku {external_id}")});
    CatalogRecord {
        kind,
        external_id: external_id.to_owned(),
        uid: hash::long_id(&[external_id, &offset_ms.to_string()]),
        item: None,
        attributes: attributes.as_object().unwrap().clone(),
        created_at: at(NOW_MS + offset_ms),
        updated_at: at(NOW_MS + offset_ms),
        version: 1,
    }
}

fn variant(external_id: &str, offset_ms: i64, item: &CatalogRecord) -> CatalogRecord {
    CatalogRecord { item: Some(item.place()), ..record(CatalogKind::Variant, external_id, offset_ms) }
}

async fn ids(store: &Store, shelf: Shelf<'_>) -> Vec<String> {
    let page = store.shelf(&shelf, &[], |_| true, (false, None), 100).await.unwrap();
    page.items.into_iter().map(|record| record.external_id).collect()
}

/// The sort keys of everything in the registry.
fn left(world: &World) -> Vec<(String, String)> {
    world.items("registry").into_keys().collect()
}

#[tokio::test]
async fn nothing_is_left_of_what_is_deleted() {
    let world = World::start().await;
    let store = &world.store;
    let group = record(CatalogKind::Category, "C", 0);
    store.create_catalog_record(&group, &[]).await.unwrap();
    let mug = record(CatalogKind::Item, "I", 1);
    store.create_catalog_record(&mug, &[group.place()]).await.unwrap();
    for place in 0..5 {
        store.create_catalog_record(&variant(&format!("V{place}"), place, &mug), &[]).await.unwrap();
    }
    let job = mug.clearing(now()).unwrap();
    store.delete_catalog_record(&mug, Some(&job)).await.unwrap();
    assert_eq!(ids(store, Shelf::All(CatalogKind::Variant)).await, [""; 0]);
    assert_eq!(ids(store, Shelf::ItemsOf(&group.place())).await, [""; 0]);
    assert!(store.catalog_record(CatalogKind::Variant, "V1").await.unwrap().is_none());

    // A variant of the same name, of another item, is another one.
    let cup = record(CatalogKind::Item, "I2", 2);
    store.create_catalog_record(&cup, &[]).await.unwrap();
    store.create_catalog_record(&variant("V1", 10, &cup), &[]).await.unwrap();
    let JobKind::ClearCatalog { of, place } = &job.kind else { panic!("{job:?}") };
    let mut removed = Vec::new();
    while removed.last() != Some(&0) {
        removed.push(store.clear_catalog(*of, place, 2).await.unwrap());
    }
    assert_eq!(removed.iter().sum::<usize>(), 5, "{removed:?}");
    assert_eq!(ids(store, Shelf::All(CatalogKind::Variant)).await, ["V1"]);
    let cup_job = cup.clearing(now()).unwrap();
    store.delete_catalog_record(&cup, Some(&cup_job)).await.unwrap();
    store.delete_catalog_record(&group, None).await.unwrap();
    while store.clear_catalog(CatalogKind::Item, &cup.place(), 100).await.unwrap() > 0 {}
    for id in [&job.id, &cup_job.id] {
        store.delete_job(id).await.unwrap();
    }
    assert_eq!(left(&world), []);
}

#[tokio::test]
async fn an_external_id_is_given_once_whatever_happens_to_the_answer() {
    let world = World::start().await;
    let store = world.function_store();
    let group = record(CatalogKind::Category, "C", 0);
    store.create_catalog_record(&group, &[]).await.unwrap();
    for (place, answer) in [Answer::Throttle, Answer::Lose].into_iter().enumerate() {
        let mug = record(CatalogKind::Item, &format!("I{place}"), 1);
        world.intercept_once(answer, |call| call.is("TransactWriteItems", "catalog-item\""));
        assert!(store.create_catalog_record(&mug, &[group.place()]).await.is_err());
        world.let_pass();
        // The same again succeeds, another one does not.
        store.create_catalog_record(&mug, &[group.place()]).await.unwrap();
        let other = record(CatalogKind::Item, &format!("I{place}"), 2);
        assert!(matches!(store.create_catalog_record(&other, &[]).await, Err(Error::Taken(_))));
    }
    assert_eq!(ids(&store, Shelf::All(CatalogKind::Item)).await, ["I0", "I1"]);
    assert_eq!(ids(&store, Shelf::ItemsOf(&group.place())).await, ["I0", "I1"]);
}

#[tokio::test]
async fn a_change_of_what_has_changed_meanwhile_is_a_conflict() {
    let world = World::start().await;
    let store = &world.store;
    let mug = record(CatalogKind::Item, "I", 0);
    store.create_catalog_record(&mug, &[]).await.unwrap();
    let before = store.catalog_record(CatalogKind::Item, "I").await.unwrap().unwrap();
    let change = json!({"title": "Mug"});
    let after = before.with(change.as_object().unwrap(), at(NOW_MS + 5));
    store.update_catalog_record(&before, &after).await.unwrap();
    assert!(matches!(store.update_catalog_record(&before, &after).await, Err(Error::Conflict)));
    let read = store.catalog_record(CatalogKind::Item, "I").await.unwrap().unwrap();
    assert_eq!((read.text("title"), read.updated_at), (Some("Mug"), at(NOW_MS + 5)));
    store.delete_catalog_record(&read, None).await.unwrap();
    assert!(matches!(store.delete_catalog_record(&read, None).await, Err(Error::Conflict)));
    assert!(matches!(store.update_catalog_record(&read, &after).await, Err(Error::Conflict)));
}

#[tokio::test]
async fn a_page_ends_before_its_records_are_too_large_together() {
    let world = World::start().await;
    for place in 0..20 {
        let mut item = record(CatalogKind::Item, &format!("I{place:02}"), place);
        item.attributes.insert("description".to_owned(), "x".repeat(250_000).into());
        world.store.create_catalog_record(&item, &[]).await.unwrap();
    }
    let all = Shelf::All(CatalogKind::Item);
    let first = world.store.shelf(&all, &[], |_| true, (false, None), 100).await.unwrap();
    assert_eq!(first.items.len(), 12);
    let second = world.store.shelf(&all, &[], |_| true, (false, first.next), 100).await.unwrap();
    assert_eq!((second.items.len(), second.items[0].external_id.as_str()), (8, "I12"));
    assert!(second.next.is_none());
}

#[tokio::test]
async fn each_row_of_a_job_is_done_once_wherever_it_breaks_off() {
    for answer in [Answer::Throttle, Answer::Lose] {
        for place in 0..4 {
            let world = World::start().await;
            let store = world.function_store();
            let of = CatalogKind::Item;
            let doomed = record(of, "I0", 0);
            store.create_catalog_record(&doomed, &[]).await.unwrap();
            let row = |external_id: &str| CatalogRow::Delete {
                pointer: format!("/{external_id}"),
                external_id: external_id.to_owned(),
            };
            let rows = [row("I0"), row("none"), row("I0")];
            let job = CatalogJob {
                id: "job".to_owned(),
                of,
                action: CatalogAction::Delete,
                total: 3,
                external_ids: Vec::new(),
                created_at: now(),
                expires_at: at(NOW_MS + 1000),
                progress: CatalogProgress::default(),
            };
            let kind = JobKind::ChangeCatalog { of, action: job.action };
            let work = Job::new(job.id.clone(), kind, 1, now());
            store.create_catalog_job(&job, &rows, &work).await.unwrap();
            let seen = std::sync::atomic::AtomicUsize::new(0);
            world.intercept_once(answer, move |call| {
                call.is("TransactWriteItems", "catalog-rows#job")
                    && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == place
            });
            let first = store.do_catalog_job(of, job.action, "job", now()).await;
            assert_eq!(first.is_ok(), place == 3, "{place}");
            world.let_pass();
            store.do_catalog_job(of, job.action, "job", now()).await.unwrap();
            let done = store.catalog_job(of, job.action, "job").await.unwrap().unwrap().progress;
            assert_eq!((done.completed, done.failed, done.ended_at), (1, 2, Some(now())), "{place}");
            let pointers: Vec<&str> = done.errors.iter().map(|error| error.pointer.as_str()).collect();
            assert_eq!(pointers, ["/none", "/I0"]);
            // What is left of the record is cleared by a job that was written with its deletion.
            let clearing = doomed.clearing(now()).unwrap().id;
            assert!(store.job(&clearing).await.unwrap().is_some());
        }
    }
}
