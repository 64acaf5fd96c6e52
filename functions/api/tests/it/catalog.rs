use api::Queue;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use store::JobMessage;

use crate::legacy::encoded;
use crate::{Reply, World};

const PREFIX: &str = "$custom:::$default:::";

fn id(external_id: &str) -> String {
    format!("{PREFIX}{external_id}")
}

/// The address of a resource, its id encoded as a whole.
pub(crate) fn at(collection: &str, external_id: &str) -> String {
    format!("/api/{collection}/{}", encoded(&id(external_id)))
}

pub(crate) fn named(kind: &str, external_ids: &[&str]) -> Value {
    external_ids.iter().map(|external_id| json!({"type": kind, "id": id(external_id)})).collect()
}

pub(crate) fn item(external_id: &str) -> Value {
    json!({"type": "catalog-item", "attributes": {
        "external_id": external_id, "title": format!("Title of {external_id}"), "description": "What it is",
        "url": format!("https://shop.example.com/{external_id}"),
    }})
}

pub(crate) fn variant(external_id: &str, of: &str) -> Value {
    json!({"type": "catalog-variant", "attributes": {
        "external_id": external_id, "title": format!("Title of {external_id}"), "description": "What it is",
        "sku": format!("SKU {external_id}"), "inventory_quantity": 0, "price": 41.94,
        "url": format!("https://shop.example.com/{external_id}"),
    }, "relationships": {"item": {"data": {"type": "catalog-item", "id": id(of)}}}})
}

pub(crate) fn category(external_id: &str) -> Value {
    json!({"type": "catalog-category", "attributes": {
        "external_id": external_id, "name": format!("Name of {external_id}"),
    }})
}

/// Makes a resource, a second after the one before.
pub(crate) async fn make(world: &World, data: Value) -> Reply {
    let kind = data["type"].as_str().unwrap();
    let collection = match kind.strip_suffix("category") {
        Some(rest) => format!("{rest}categories"),
        None => format!("{kind}s"),
    };
    let reply = world.post(&format!("/api/{collection}"), json!({"data": data})).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    world.pass(1000);
    reply
}

fn change(kind: &str, external_id: &str, attributes: Value) -> Value {
    json!({"data": {"type": kind, "id": id(external_id), "attributes": attributes}})
}

/// Works off the jobs that were announced, as the function of jobs does.
pub(crate) async fn work(world: &World) {
    for message in world.sent(Queue::Jobs) {
        let message: JobMessage = serde_json::from_str(&message).unwrap();
        let Some(job) = world.store.job(&message.job).await.unwrap() else { continue };
        match &job.kind {
            store::JobKind::ClearCatalog { of, place } => {
                while world.store.clear_catalog(*of, place, 2).await.unwrap() > 0 {}
            }
            store::JobKind::ChangeCatalog { of, action } => {
                world.store.do_catalog_job(*of, *action, &job.id, world.now()).await.unwrap();
            }
            _ => continue,
        }
        world.store.delete_job(&job.id).await.unwrap();
    }
}

/// The external ids of a listing.
fn listed(reply: &Reply) -> Vec<&str> {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    reply.ids().into_iter().map(|id| id.strip_prefix(PREFIX).unwrap()).collect()
}

#[tokio::test]
async fn an_item_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let mut data = item("SKU/1:::ä");
    data["attributes"]["integration_type"] = json!("$custom");
    data["attributes"]["catalog_type"] = json!("$default");
    let created = world.post("/api/catalog-items", json!({"data": data})).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    assert_eq!(created.id(), "$custom:::$default:::SKU/1:::ä");
    assert_eq!(
        created.body["data"]["attributes"],
        json!({
            "external_id": "SKU/1:::ä", "title": "Title of SKU/1:::ä", "description": "What it is", "price": null,
            "url": "https://shop.example.com/SKU/1:::ä", "image_full_url": null, "image_thumbnail_url": null,
            "images": [], "custom_metadata": {}, "published": true,
            "created": "2026-06-17T12:00:00+00:00", "updated": "2026-06-17T12:00:00+00:00",
        })
    );
    let path = at("catalog-items", "SKU/1:::ä");
    let link = created.body["data"]["links"]["self"].as_str().unwrap();
    assert_eq!(world.get(link).await.body["data"], created.body["data"]);
    let again = world.post("/api/catalog-items", json!({"data": data})).await;
    assert_eq!(again.error(), (409, "/data/attributes/external_id"));

    world.pass(1000);
    let attributes = json!({
        "title": "Mug", "price": 12.5, "url": "", "image_full_url": "https://shop.example.com/mug.png",
        "image_thumbnail_url": "https://shop.example.com/mug-s.png", "images": ["https://shop.example.com/a.png"],
        "custom_metadata": {"Top Pick": true, "Sizes": ["S", "M"], "Weight": 1.5, "Note": null}, "published": false,
    });
    let changed = world.patch(&path, change("catalog-item", "SKU/1:::ä", attributes.clone())).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    for (name, value) in attributes.as_object().unwrap() {
        assert_eq!(changed.body["data"]["attributes"][name], *value, "{name}");
    }
    let read = world.get(&path).await;
    assert_eq!(read.body["data"], changed.body["data"]);
    assert_eq!(read.body["data"]["attributes"]["updated"], "2026-06-17T12:00:01+00:00");
    let fewer = world.get(&format!("{path}?fields[catalog-item]=title,price")).await;
    assert_eq!(fewer.body["data"]["attributes"], json!({"title": "Mug", "price": 12.5}));

    // Null is what it is where nothing is given, and says nothing where something must be.
    world.pass(1000);
    let nulls =
        json!({"title": null, "price": null, "images": null, "custom_metadata": null, "published": null});
    let cleared = world.patch(&path, change("catalog-item", "SKU/1:::ä", nulls)).await;
    let attributes = &cleared.body["data"]["attributes"];
    assert_eq!(
        (&attributes["title"], &attributes["price"], &attributes["images"], &attributes["custom_metadata"]),
        (&json!("Mug"), &Value::Null, &json!([]), &json!({}))
    );
    assert_eq!(attributes["published"], true);
    world.pass(1000);
    let same = world.patch(&path, change("catalog-item", "SKU/1:::ä", json!({"title": "Mug"}))).await;
    assert_eq!(same.body["data"]["attributes"]["updated"], "2026-06-17T12:00:02+00:00");

    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    let gone = [
        world.get(&path).await,
        world.delete(&path).await,
        world.patch(&path, change("catalog-item", "SKU/1:::ä", json!({}))).await,
    ];
    for reply in gone {
        assert_eq!(reply.error(), (404, "/data/"));
    }
    assert_eq!(listed(&world.get("/api/catalog-items").await), [""; 0]);
}

#[tokio::test]
async fn a_variant_belongs_to_an_item_and_goes_with_it() {
    let world = World::new().await;
    make(&world, item("I1")).await;
    make(&world, item("I2")).await;
    let created = make(&world, variant("V1", "I1")).await;
    assert_eq!(
        created.body["data"]["attributes"],
        json!({
            "external_id": "V1", "title": "Title of V1", "description": "What it is", "sku": "SKU V1",
            "inventory_policy": 0, "inventory_quantity": 0, "price": 41.94, "url": "https://shop.example.com/V1",
            "image_full_url": null, "image_thumbnail_url": null, "images": [], "custom_metadata": {},
            "published": true, "created": "2026-06-17T12:00:02+00:00", "updated": "2026-06-17T12:00:02+00:00",
        })
    );
    assert_eq!(created.body["data"]["relationships"]["item"]["data"], named("catalog-item", &["I1"])[0]);
    make(&world, variant("V2", "I1")).await;
    make(&world, variant("V3", "I2")).await;
    let path = at("catalog-variants", "V1");
    let attributes = json!({"inventory_quantity": -2.5, "inventory_policy": 1, "sku": "B"});
    let changed = world.patch(&path, change("catalog-variant", "V1", attributes)).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    assert_eq!(changed.body["data"]["attributes"]["inventory_quantity"], -2.5);
    let by_sku = |sku: &str| format!("/api/catalog-variants?filter=equals(sku,%22{sku}%22)");
    assert_eq!(listed(&world.get(&by_sku("B")).await), ["V1"]);
    assert_eq!(listed(&world.get(&by_sku("SKU%20V1")).await), [""; 0]);

    let elsewhere = world.post("/api/catalog-variants", json!({"data": variant("V4", "I9")})).await;
    assert_eq!(elsewhere.error(), (404, "/data/relationships/item/data/id"));
    let taken = world.post("/api/catalog-variants", json!({"data": variant("V1", "I2")})).await;
    assert_eq!(taken.error(), (409, "/data/attributes/external_id"));

    // They are gone with their item, at once and for good, and their ids are free.
    assert_eq!(world.delete(&at("catalog-items", "I1")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(listed(&world.get("/api/catalog-variants").await), ["V3"]);
    assert_eq!(listed(&world.get(&by_sku("B")).await), [""; 0]);
    make(&world, item("I1")).await;
    assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND);
    let variants_of = |item: &str| format!("{}/variants", at("catalog-items", item));
    assert_eq!(listed(&world.get(&variants_of("I1")).await), [""; 0]);
    make(&world, variant("V1", "I2")).await;
    work(&world).await;
    assert_eq!(listed(&world.get(&variants_of("I2")).await), ["V3", "V1"]);
    assert_eq!(listed(&world.get("/api/catalog-variants?sort=-created").await), ["V1", "V3"]);
    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(listed(&world.get(&variants_of("I2")).await), ["V3"]);
}

#[tokio::test]
async fn what_makes_no_record_is_refused_where_it_does_not() {
    let world = World::new().await;
    make(&world, item("I1")).await;
    let long = "x".repeat(100 * 1024 + 1);
    let many: Vec<&str> = vec!["https://shop.example.com/a.png"; 101];
    let metadata: Value = (0..900).map(|place| (format!("k{place}"), json!("x".repeat(120)))).collect();
    let cases = [
        ("external_id", Value::Null, ""),
        ("external_id", json!("x".repeat(241)), ""),
        ("external_id", json!(1), ""),
        ("integration_type", json!("$shopify"), ""),
        ("catalog_type", json!("summer"), ""),
        ("title", json!(" "), ""),
        ("title", json!("x".repeat(1001)), ""),
        ("description", Value::Null, ""),
        ("description", json!(long), ""),
        ("url", Value::Null, ""),
        ("url", json!("x".repeat(4097)), ""),
        ("image_full_url", json!(1), ""),
        ("images", json!("a"), ""),
        ("images", json!(["a", 1]), "/1"),
        ("images", json!(many), ""),
        ("custom_metadata", json!([]), ""),
        ("custom_metadata", json!({"a": {"b": 1}}), "/a"),
        ("custom_metadata", json!({"a": [[1]]}), "/a"),
        ("custom_metadata", metadata, ""),
        ("published", json!("yes"), ""),
        ("price", json!("12"), ""),
        ("price", json!(-1), ""),
        ("colour", json!("red"), ""),
    ];
    for (name, value, below) in &cases {
        let mut data = item("I2");
        data["attributes"][name] = value.clone();
        let reply = world.post("/api/catalog-items", json!({"data": data})).await;
        assert_eq!(reply.error(), (400, format!("/data/attributes/{name}{below}").as_str()), "{value}");
        if !value.is_null() && *name != "external_id" && !name.ends_with("_type") {
            let path = at("catalog-items", "I1");
            let reply = world.patch(&path, change("catalog-item", "I1", json!({*name: value}))).await;
            assert_eq!(reply.error(), (400, format!("/data/attributes/{name}{below}").as_str()), "{value}");
        }
    }
    for (name, value) in [
        ("sku", Value::Null),
        ("sku", json!("x".repeat(256))),
        ("inventory_quantity", Value::Null),
        ("inventory_quantity", json!("many")),
        ("inventory_policy", json!(3)),
        ("inventory_policy", json!("continue")),
        ("price", Value::Null),
    ] {
        let mut data = variant("V1", "I1");
        data["attributes"][name] = value.clone();
        let reply = world.post("/api/catalog-variants", json!({"data": data})).await;
        assert_eq!(reply.error(), (400, format!("/data/attributes/{name}").as_str()), "{value}");
    }
    let mut alone = variant("V1", "I1");
    alone["relationships"] = json!({});
    let reply = world.post("/api/catalog-variants", json!({"data": alone})).await;
    assert_eq!(reply.error(), (400, "/data/relationships/item"));
    let mut large = item("I2");
    large["attributes"]["description"] = json!("x".repeat(90 * 1024));
    large["attributes"]["custom_metadata"] = json!({"a": "x".repeat(90 * 1024)});
    large["attributes"]["images"] = json!(vec!["x".repeat(4000); 90]);
    let reply = world.post("/api/catalog-items", json!({"data": large})).await;
    assert_eq!(reply.error(), (400, "/data/attributes"));
    let nameless = json!({"type": "catalog-category", "attributes": {"external_id": "C"}});
    let reply = world.post("/api/catalog-categories", json!({"data": nameless})).await;
    assert_eq!(reply.error(), (400, "/data/attributes/name"));
    let other = change("catalog-item", "I2", json!({}));
    assert_eq!(world.patch(&at("catalog-items", "I1"), other).await.error(), (400, "/data/id"));
    // Ids of another catalog name nothing.
    for path in ["/api/catalog-items/I1", "/api/catalog-items/$shopify:::$default:::I1"] {
        assert_eq!(world.get(path).await.error().0, 404);
    }
}

#[tokio::test]
async fn a_catalog_is_listed_by_age_a_hundred_at_a_time_and_filtered() {
    let world = World::new().await;
    for place in 0..105 {
        let mut data = item(&format!("I{place:03}"));
        data["attributes"]["published"] = (place % 2 == 0).into();
        if place == 104 {
            data["attributes"]["title"] = "A blue Mug".into();
        }
        make(&world, data).await;
    }
    let first = world.get("/api/catalog-items").await;
    let expected: Vec<String> = (0..105).map(|place| format!("I{place:03}")).collect();
    assert_eq!(listed(&first), expected[..100]);
    let second = world.get(&first.next().unwrap()).await;
    assert_eq!(listed(&second), expected[100..]);
    assert_eq!(second.next(), None);
    let newest = world.get("/api/catalog-items?sort=-created&page[size]=2").await;
    assert_eq!(listed(&newest), ["I104", "I103"]);
    assert_eq!(listed(&world.get(&newest.next().unwrap()).await), ["I102", "I101"]);

    let mut published = Vec::new();
    let mut next = Some("/api/catalog-items?filter=equals(published,true)&page[size]=30".to_owned());
    while let Some(path) = next {
        let page = world.get(&path).await;
        published.extend(listed(&page).into_iter().map(str::to_owned));
        next = page.next();
    }
    assert_eq!(published.len(), 53);
    let ids = format!("%22{}%22,%22{}%22,%22I003%22,%22{}%22", id("I001"), id("I004"), id("none"));
    for (filter, found) in [
        ("contains(title,%22blue%20mug%22)".to_owned(), vec!["I104"]),
        (format!("any(ids,[{ids}])"), vec!["I001", "I004"]),
        (format!("any(ids,[{ids}]),equals(published,true)"), vec!["I004"]),
        (format!("and(any(ids,[{ids}]),any(ids,[%22{}%22]))", id("I001")), vec!["I001"]),
        (format!("equals(category.id,%22{}%22)", id("none")), vec![]),
        ("equals(published,true),equals(published,false)".to_owned(), vec![]),
    ] {
        assert_eq!(
            listed(&world.get(&format!("/api/catalog-items?filter={filter}")).await),
            found,
            "{filter}"
        );
    }
    for (query, parameter) in [
        ("filter=equals(title,%22x%22)", "filter"),
        ("filter=equals(published,1)", "filter"),
        ("filter=contains(published,true)", "filter"),
        ("filter=equals(sku,%22x%22)", "filter"),
        ("sort=title", "sort"),
        ("include=categories", "include"),
        ("page[size]=101", "page[size]"),
        ("page[size]=0", "page[size]"),
        ("page[cursor]=%25", "page[cursor]"),
    ] {
        assert_eq!(
            world.get(&format!("/api/catalog-items?{query}")).await.error(),
            (400, parameter),
            "{query}"
        );
    }
}

#[tokio::test]
async fn variants_are_listed_filtered_and_included() {
    let world = World::new().await;
    for data in [item("I1"), item("I2"), variant("V1", "I1"), variant("V2", "I2"), variant("V3", "I1")] {
        make(&world, data).await;
    }
    let hide = change("catalog-variant", "V3", json!({"published": false}));
    world.patch(&at("catalog-variants", "V3"), hide).await;
    for (filter, found) in [
        (format!("equals(item.id,%22{}%22)", id("I1")), vec!["V1", "V3"]),
        (format!("equals(item.id,%22{}%22),equals(published,false)", id("I1")), vec!["V3"]),
        (format!("equals(item.id,%22{}%22),any(ids,[%22{}%22])", id("I1"), id("V2")), vec![]),
        (format!("equals(item.id,%22{}%22),equals(sku,%22SKU%20V2%22)", id("I1")), vec![]),
        ("equals(sku,%22SKU%20V2%22),contains(title,%22V2%22)".to_owned(), vec!["V2"]),
        (format!("any(ids,[%22{}%22,%22{}%22])", id("V3"), id("V2")), vec!["V2", "V3"]),
        ("contains(title,%22TITLE%22)".to_owned(), vec!["V1", "V2", "V3"]),
    ] {
        let reply = world.get(&format!("/api/catalog-variants?filter={filter}")).await;
        assert_eq!(listed(&reply), found, "{filter}");
    }
    let of = at("catalog-items", "I1");
    assert_eq!(listed(&world.get(&format!("{of}/variants?sort=-created")).await), ["V3", "V1"]);
    let ids = world.get(&format!("{of}/relationships/variants?filter=equals(published,true)")).await;
    assert_eq!(ids.body["data"], named("catalog-variant", &["V1"]));
    assert_eq!(world.get(&format!("{}/variants", at("catalog-items", "I9"))).await.error().0, 404);

    let read = world.get(&format!("{of}?include=variants&fields[catalog-variant]=sku")).await;
    let relation = &read.body["data"]["relationships"]["variants"]["data"];
    assert_eq!(*relation, named("catalog-variant", &["V1", "V3"]));
    assert_eq!(read.body["included"][1]["attributes"], json!({"sku": "SKU V3"}));
    let list = world.get("/api/catalog-items?include=variants&page[size]=1").await;
    assert_eq!(list.body["included"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn items_and_categories_are_put_in_relation_from_both_sides() {
    let world = World::new().await;
    for data in [item("I1"), item("I2"), category("C1"), category("C2"), category("C3")] {
        make(&world, data).await;
    }
    let categories = format!("{}/relationships/categories", at("catalog-items", "I1"));
    let items = format!("{}/relationships/items", at("catalog-categories", "C1"));
    let body = |kind: &str, ids: &[&str]| json!({"data": named(kind, ids)});
    for _ in 0..2 {
        let reply = world.post(&categories, body("catalog-category", &["C2", "C1", "C2"])).await;
        assert_eq!((reply.status, reply.body), (StatusCode::NO_CONTENT, Value::Null));
    }
    assert_eq!(listed(&world.get(&categories).await), ["C1", "C2"]);
    assert_eq!(listed(&world.get(&items).await), ["I1"]);
    let reply = world.patch(&items, body("catalog-item", &["I2"])).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!(listed(&world.get(&categories).await), ["C2"]);
    assert_eq!(listed(&world.get(&items).await), ["I2"]);
    world.post(&items, body("catalog-item", &["I1"])).await;
    let reply =
        world.send(Method::DELETE, &categories, body("catalog-category", &["C2", "C3"]).to_string()).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    let of_item = world.get(&format!("{}/categories", at("catalog-items", "I1"))).await;
    assert_eq!(listed(&of_item), ["C1"]);
    assert_eq!(
        of_item.body["data"][0]["attributes"],
        json!({"external_id": "C1", "name": "Name of C1", "updated": "2026-06-17T12:00:02+00:00"})
    );
    let of_category = format!("{}/items", at("catalog-categories", "C1"));
    assert_eq!(listed(&world.get(&of_category).await), ["I1", "I2"]);
    assert_eq!(listed(&world.get(&format!("{of_category}?sort=-created&page[size]=1")).await), ["I2"]);
    for (path, found) in [
        (format!("/api/catalog-items?filter=equals(category.id,%22{}%22)", id("C1")), vec!["I1", "I2"]),
        (format!("/api/catalog-categories?filter=equals(item.id,%22{}%22)", id("I1")), vec!["C1"]),
        (format!("{of_category}?filter=contains(title,%22I2%22)"), vec!["I2"]),
        (format!("{of_category}?filter=equals(category.id,%22{}%22)", id("C2")), vec![]),
        ("/api/catalog-categories?filter=contains(name,%22c3%22)".to_owned(), vec!["C3"]),
    ] {
        assert_eq!(listed(&world.get(&path).await), found, "{path}");
    }

    // What is not there changes nothing.
    let reply = world.post(&items, body("catalog-item", &["I1", "I9"])).await;
    assert_eq!(reply.error(), (404, "/data/1/id"));
    let reply = world.patch(&categories, json!({"data": [{"type": "catalog-item", "id": id("I1")}]})).await;
    assert_eq!(reply.error(), (400, "/data/0/type"));
    let many: Vec<String> = (0..1001).map(|place| place.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(world.post(&items, body("catalog-item", &many)).await.error(), (400, "/data"));
    let nowhere = format!("{}/relationships/categories", at("catalog-items", "I9"));
    assert_eq!(world.post(&nowhere, body("catalog-category", &[])).await.error().0, 404);
    assert_eq!(listed(&world.get(&items).await), ["I1", "I2"]);

    // A category made anew has none of the items of the one before.
    assert_eq!(world.delete(&at("catalog-categories", "C1")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(listed(&world.get(&categories).await), [""; 0]);
    make(&world, category("C1")).await;
    assert_eq!(listed(&world.get(&items).await), [""; 0]);
    work(&world).await;
    assert_eq!(listed(&world.get(&items).await), [""; 0]);
}

#[tokio::test]
async fn relations_are_given_with_what_is_made_or_changed() {
    let world = World::new().await;
    let many: Vec<String> = (0..60).map(|place| format!("C{place:02}")).collect();
    for name in &many {
        make(&world, category(name)).await;
    }
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let related = |name: &str, kind: &str, ids: &[&str]| json!({name: {"data": named(kind, ids)}});
    let mut data = item("I1");
    data["relationships"] = related("categories", "catalog-category", &many);
    make(&world, data.clone()).await;
    let categories = format!("{}/relationships/categories", at("catalog-items", "I1"));
    assert_eq!(listed(&world.get(&categories).await), many);
    let mut change = change("catalog-item", "I1", json!({}));
    change["data"]["relationships"] = related("categories", "catalog-category", &["C01"]);
    assert_eq!(world.patch(&at("catalog-items", "I1"), change).await.status, StatusCode::OK);
    assert_eq!(listed(&world.get(&categories).await), ["C01"]);
    let mut group = category("C99");
    group["relationships"] = related("items", "catalog-item", &["I1"]);
    make(&world, group).await;
    assert_eq!(listed(&world.get(&categories).await), ["C01", "C99"]);

    data["attributes"]["external_id"] = "I2".into();
    data["relationships"] = related("categories", "catalog-category", &["C01", "none"]);
    let reply = world.post("/api/catalog-items", json!({"data": data})).await;
    assert_eq!(reply.error(), (404, "/data/relationships/categories/data/1/id"));
    assert_eq!(world.get(&at("catalog-items", "I2")).await.error().0, 404);
    data["relationships"] = related("items", "catalog-item", &[]);
    let reply = world.post("/api/catalog-items", json!({"data": data})).await;
    assert_eq!(reply.error(), (400, "/data/relationships/items"));
}

#[tokio::test]
async fn a_category_is_made_renamed_and_deleted() {
    let world = World::new().await;
    let created = make(&world, category("C1")).await;
    assert_eq!(created.id(), id("C1"));
    let path = at("catalog-categories", "C1");
    let renamed = world.patch(&path, change("catalog-category", "C1", json!({"name": "Mugs"}))).await;
    assert_eq!(
        renamed.body["data"]["attributes"],
        json!({"external_id": "C1", "name": "Mugs", "updated": "2026-06-17T12:00:01+00:00"})
    );
    assert_eq!(world.get(&path).await.body["data"], renamed.body["data"]);
    let again = world.post("/api/catalog-categories", json!({"data": category("C1")})).await;
    assert_eq!(again.error(), (409, "/data/attributes/external_id"));
    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&path).await.error().0, 404);
}
