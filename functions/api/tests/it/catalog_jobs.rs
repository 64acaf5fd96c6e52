use api::Queue;
use http::StatusCode;
use serde_json::{Value, json};
use store::{CatalogAction, CatalogKind, Job, JobKind, JobMessage};

use crate::catalog::{at, category, item, make, named, variant, work};
use crate::{Reply, World};

const DAY_MS: i64 = 86_400_000;

async fn bulk(world: &World, records: &str, action: &str, rows: Value) -> Reply {
    let singular = match records {
        "categories" => "category",
        _ => records.trim_end_matches('s'),
    };
    let kind = format!("catalog-{singular}-bulk-{action}-job");
    let attributes = json!({records: {"data": rows}});
    world.post(&format!("/api/{kind}s"), json!({"data": {"type": kind, "attributes": attributes}})).await
}

fn job_path(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    let data = &reply.body["data"];
    let path = format!("/api/{}s/{}", data["type"].as_str().unwrap(), reply.id());
    assert_eq!(data["links"]["self"], format!("https://api.example.com{path}/"));
    path
}

#[tokio::test]
async fn items_are_made_changed_and_deleted_by_the_hundred() {
    let world = World::new().await;
    make(&world, category("C1")).await;
    let rows: Vec<Value> = (0..100)
        .map(|place| {
            let mut row = item(&format!("I{place:02}"));
            row["relationships"] = json!({"categories": {"data": named("catalog-category", &["C1"])}});
            row
        })
        .collect();
    let created = bulk(&world, "items", "create", json!(rows)).await;
    let path = job_path(&created);
    assert_eq!(
        created.body["data"]["attributes"],
        json!({
            "status": "queued", "created_at": "2026-06-17T12:00:01+00:00", "total_count": 100, "completed_count": 0,
            "failed_count": 0, "completed_at": null, "errors": [], "expires_at": "2026-06-24T12:00:01+00:00",
        })
    );
    let message: JobMessage = serde_json::from_str(&world.sent(Queue::Jobs)[0]).unwrap();
    let job = world.store.job(&message.job).await.unwrap().unwrap();
    let kind = JobKind::ChangeCatalog { of: CatalogKind::Item, action: CatalogAction::Create };
    assert_eq!((job.id, job.kind), (created.id(), kind));
    world.pass(5000);
    work(&world).await;
    let done = world.get(&format!("{path}?include=items&fields[catalog-item]=title")).await;
    let attributes = &done.body["data"]["attributes"];
    assert_eq!((&attributes["status"], &attributes["completed_count"]), (&json!("complete"), &json!(100)));
    assert_eq!(attributes["completed_at"], "2026-06-17T12:00:06+00:00");
    assert_eq!(done.body["included"].as_array().unwrap().len(), 100);
    assert_eq!(done.body["included"][7]["attributes"], json!({"title": "Title of I07"}));
    assert_eq!(done.body["data"]["relationships"]["items"]["data"][7], named("catalog-item", &["I07"])[0]);
    let in_category = world.get(&format!("{}/relationships/items", at("catalog-categories", "C1"))).await;
    assert_eq!(in_category.ids().len(), 100);

    let rows: Vec<Value> = named("catalog-item", &["I01", "I02"])
        .as_array()
        .unwrap()
        .iter()
        .map(|named| {
            let mut row = named.clone();
            row["attributes"] = json!({"price": 5});
            row["relationships"] = json!({"categories": {"data": []}});
            row
        })
        .collect();
    let path = job_path(&bulk(&world, "items", "update", json!(rows)).await);
    work(&world).await;
    assert_eq!(world.get(&path).await.body["data"]["attributes"]["completed_count"], 2);
    assert_eq!(world.get(&at("catalog-items", "I02")).await.body["data"]["attributes"]["price"], 5);
    let in_category = world.get(&format!("{}/relationships/items", at("catalog-categories", "C1"))).await;
    assert_eq!(in_category.ids().len(), 98);

    let path = job_path(&bulk(&world, "items", "delete", named("catalog-item", &["I01", "I03"])).await);
    work(&world).await;
    assert_eq!(world.get(&path).await.body["data"]["attributes"]["completed_count"], 2);
    assert_eq!(world.get(&at("catalog-items", "I03")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/api/catalog-items").await.ids().len(), 98);
}

#[tokio::test]
async fn variants_and_categories_come_in_bulk_too() {
    let world = World::new().await;
    make(&world, item("I1")).await;
    for (records, kind, row, change) in [
        ("variants", "catalog-variant", variant("X", "I1"), json!({"title": "New"})),
        ("categories", "catalog-category", category("X"), json!({"name": "New"})),
    ] {
        let collection = format!("catalog-{records}");
        let path = job_path(&bulk(&world, records, "create", json!([row])).await);
        work(&world).await;
        let job = world.get(&format!("{path}?include={records}")).await;
        assert_eq!(job.body["included"][0]["id"], "$custom:::$default:::X");
        let mut row = named(kind, &["X"])[0].clone();
        row["attributes"] = change.clone();
        let path = job_path(&bulk(&world, records, "update", json!([row])).await);
        work(&world).await;
        assert_eq!(world.get(&path).await.body["data"]["attributes"]["status"], "complete");
        let read = world.get(&at(&collection, "X")).await;
        for (name, value) in change.as_object().unwrap() {
            assert_eq!(read.body["data"]["attributes"][name], *value);
        }
        let path = job_path(&bulk(&world, records, "delete", named(kind, &["X"])).await);
        work(&world).await;
        assert_eq!(world.get(&path).await.body["data"]["attributes"]["completed_count"], 1);
        assert_eq!(world.get(&at(&collection, "X")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(world.get(&format!("{path}?include={records}")).await.error(), (400, "include"));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_row_is_said_and_the_others_are_done() {
    let world = World::new().await;
    make(&world, item("I1")).await;
    let mut nameless = item("I2");
    nameless["attributes"]["title"] = Value::Null;
    let mut homeless = item("I3");
    homeless["relationships"] = json!({"categories": {"data": named("catalog-category", &["none"])}});
    let rows = json!([item("I1"), nameless, homeless, "x", item("I4"), item("I4")]);
    let path = job_path(&bulk(&world, "items", "create", rows).await);
    work(&world).await;
    let job = world.get(&path).await;
    let attributes = &job.body["data"]["attributes"];
    assert_eq!((&attributes["completed_count"], &attributes["failed_count"]), (&json!(1), &json!(5)));
    let errors = attributes["errors"].as_array().unwrap();
    let of = |error: &Value| {
        assert!(error["id"].is_string() && error["title"].is_string() && error["detail"].is_string());
        let pointer = error["source"]["pointer"].as_str().unwrap().to_owned();
        (pointer, error["code"].as_str().unwrap().to_owned())
    };
    let at_row = |row: &str, code: &str| (format!("/data/attributes/items/data/{row}"), code.to_owned());
    assert_eq!(
        errors.iter().map(of).collect::<Vec<_>>(),
        [
            at_row("0", "duplicate_catalog_resource"),
            at_row("1/attributes/title", "invalid"),
            at_row("2", "not_found"),
            at_row("3", "invalid"),
            at_row("5", "duplicate_catalog_resource"),
        ]
    );
    assert_eq!(world.get("/api/catalog-items").await.ids().len(), 2);

    let path = job_path(&bulk(&world, "items", "delete", named("catalog-item", &["I4", "none"])).await);
    work(&world).await;
    let attributes = &world.get(&path).await.body["data"]["attributes"];
    assert_eq!((&attributes["completed_count"], &attributes["failed_count"]), (&json!(1), &json!(1)));
    let mut orphan = variant("V1", "I4");
    orphan["relationships"]["item"]["data"]["id"] = "$custom:::$default:::I4".into();
    let path = job_path(&bulk(&world, "variants", "create", json!([orphan])).await);
    work(&world).await;
    assert_eq!(world.get(&path).await.body["data"]["attributes"]["failed_count"], 1);
}

#[tokio::test]
async fn a_job_that_is_done_twice_is_done_once() {
    let world = World::new().await;
    let created = bulk(&world, "items", "create", json!([item("I1"), item("I2")])).await;
    let path = job_path(&created);
    let again = async || {
        let (of, action) = (CatalogKind::Item, CatalogAction::Create);
        world.store.do_catalog_job(of, action, &created.id(), world.now()).await.unwrap()
    };
    let (first, second) = tokio::join!(again(), again());
    assert_eq!((first.len(), second.len()), (0, 0));
    world.delete(&at("catalog-items", "I1")).await;
    world.pass(1000);
    again().await;
    let attributes = &world.get(&path).await.body["data"]["attributes"];
    assert_eq!((&attributes["completed_count"], &attributes["failed_count"]), (&json!(2), &json!(0)));
    assert_eq!(attributes["completed_at"], "2026-06-17T12:00:00+00:00");
    assert_eq!(world.get("/api/catalog-items").await.ids().len(), 1);
}

#[tokio::test]
async fn jobs_are_listed_the_newest_first_and_forgotten_after_a_week() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for place in 0..3 {
        ids.push(bulk(&world, "items", "create", json!([item(&format!("I{place}"))])).await.id());
        world.pass(1000);
        if place == 0 {
            work(&world).await;
        }
    }
    let path = "/api/catalog-item-bulk-create-jobs";
    assert_eq!(world.get(path).await.ids(), [ids[2].as_str(), &ids[1], &ids[0]]);
    for (status, found) in
        [("queued", vec![&ids[2], &ids[1]]), ("complete", vec![&ids[0]]), ("processing", vec![])]
    {
        let reply = world.get(&format!("{path}?filter=equals(status,%22{status}%22)")).await;
        assert_eq!(reply.ids(), found, "{status}");
    }
    assert_eq!(world.get("/api/catalog-item-bulk-update-jobs").await.ids(), [""; 0]);
    assert_eq!(world.get(&format!("/api/catalog-item-bulk-delete-jobs/{}", ids[0])).await.error().0, 404);
    assert_eq!(
        world.get(&format!("{path}?filter=any(status,[%22queued%22])")).await.error(),
        (400, "filter")
    );
    world.pass(7 * DAY_MS);
    assert_eq!(world.get(path).await.ids(), [""; 0]);
    assert_eq!(world.get(&format!("{path}/{}", ids[0])).await.error().0, 404);
}

#[tokio::test]
async fn a_job_has_bounds() {
    let world = World::new().await;
    let place = "/data/attributes/items/data";
    let rows: Vec<Value> = (0..101).map(|place| item(&place.to_string())).collect();
    assert_eq!(bulk(&world, "items", "create", json!(rows)).await.error(), (400, place));
    assert_eq!(bulk(&world, "items", "create", json!([])).await.error(), (400, place));
    assert_eq!(bulk(&world, "items", "create", json!({})).await.error(), (400, place));
    let other = json!({"data": {"type": "catalog-item-bulk-update-job", "attributes": {}}});
    assert_eq!(world.post("/api/catalog-item-bulk-create-jobs", other).await.error(), (400, "/data/type"));
    for place in 0..500 {
        let kind = JobKind::ChangeCatalog { of: CatalogKind::Item, action: CatalogAction::Create };
        world.store.create_job(&Job::new(format!("job {place}"), kind, 1, world.now())).await.unwrap();
    }
    let reply = bulk(&world, "items", "create", json!([item("I1")])).await;
    assert_eq!((reply.error().0, &reply.body["errors"][0]["code"]), (429, &json!("too_many_jobs")));
    world.store.delete_job("job 7").await.unwrap();
    assert_eq!(bulk(&world, "items", "create", json!([item("I1")])).await.status, StatusCode::ACCEPTED);
}
