//! What stands anywhere after everything has been used: in the tables, the queues, the parameters and the log.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tests::{Api, Delivery, Order, Shop, Stack, api::at_least, now};

use crate::{shopify, start, whole_segment};

/// Whose name, address and number are nobody else's.
const PERSON: &[&str] =
    &["zephyrine@example.com", "Zephyrine", "Quillfeather", "+4915112345678", "Larkspurgasse 9"];
/// What the shop signs with.
const SECRET: &str = "whsec-unlike-anything-else";

/// Streams are forgotten after 24 hours, here as on AWS, and nothing can be taken from them before.
const STREAM: &str = "_stream_records";
/// Objects of S3.
const ARCHIVE: &str = "s3_objects";
/// Parameter Store.
const PARAMETERS: &str = "ssm_parameters";

#[tokio::test]
async fn secrets_are_in_parameter_store_alone_and_people_are_in_no_log() {
    let stack = start().await;
    let api = stack.api();
    let shop = everything_used(&stack).await;
    let created = json!({"data": {"type": "api-key", "attributes": {"name": "Shop floor", "scopes": ["events:write"]}}});
    let key = api.post("/api/api-keys", &created).await.attributes()["key"].as_str().unwrap().to_owned();
    // What is refused is told of, too.
    let forged = Shop { secret: "guessed".to_owned(), ..shop };
    assert_eq!(forged.try_deliver(api, &order(2).created()).await.unwrap(), 401);
    let bad = json!({"data": {"type": "profile", "attributes": {"email": PERSON[0], "phone_number": "none", "first_name": PERSON[1]}}});
    assert_eq!(api.post("/api/profiles", &bad).await.status, 400);
    stack.settled().await;

    let found = places(&stack, &[SECRET, &key, api.access().1]);
    assert_eq!(found, [(PARAMETERS.to_owned(), SECRET.to_owned())]);
    let log = std::fs::read_to_string(stack.data_dir().join("log")).unwrap();
    assert!(log.contains("delivery refused"), "{log}");
    for needle in PERSON.iter().copied().chain([SECRET, &key, "guessed", api.access().1]) {
        assert!(!log.contains(needle), "{needle} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn of_somebody_who_was_erased_at_the_shops_wish_nothing_is_left() {
    let stack = start().await;
    let shop = everything_used(&stack).await;
    let before = of_person(&stack);
    assert!(before.iter().any(|(table, _)| table == ARCHIVE), "there is somebody to be erased: {before:?}");
    shop.deliver(stack.api(), &Delivery::redact_customer(7, PERSON[0], &[1])).await;
    stack.settled().await;
    nothing_is_left(&stack).await;
}

#[tokio::test]
async fn of_somebody_whose_deletion_was_requested_nothing_is_left() {
    let stack = start().await;
    let shop = everything_used(&stack).await;
    let order = order_in_full(1);
    shop.deliver(stack.api(), &order).await;
    stack.settled().await;
    let profile = json!({"data": {"type": "profile", "attributes": {"email": PERSON[0]}}});
    let job = json!({"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": profile}}});
    assert_eq!(stack.api().post("/api/data-privacy-deletion-jobs", &job).await.status, 202);
    nothing_is_left(&stack).await;

    // What was told before comes again, and stays unknown.
    shop.deliver(stack.api(), &order).await;
    stack.settled().await;
    nothing_is_left(&stack).await;
}

#[tokio::test]
async fn what_is_kept_of_somebody_is_exported_as_one_document() {
    let stack = start().await;
    everything_used(&stack).await;
    let (address, key) = stack.api().access();
    let mut export = tokio::process::Command::new(env!("CARGO_BIN_EXE_tillstream"));
    export.args(["export", PERSON[0], "--url", address]).env("TILLSTREAM_API_KEY", key);
    let output = export.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let exported: Value = serde_json::from_slice(&output.stdout).unwrap();
    for needle in PERSON.iter().take(4) {
        assert!(exported.to_string().contains(needle), "{needle}: {exported:#}");
    }
    let attributes = &exported["profile"]["attributes"];
    assert_eq!(attributes["subscriptions"]["email"]["marketing"]["consent"], "SUBSCRIBED");
    let names = |of: &str, name: &str| -> Vec<String> {
        let all = exported[of].as_array().unwrap().iter();
        all.map(|each| each.pointer(name).unwrap().as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("lists", "/attributes/name"), ["News"]);
    assert_eq!(names("segments", "/attributes/name"), ["Buyers"]);
    assert_eq!(names("segment_history", "/attributes/joined_cause"), ["event"]);
    let metrics = names("events", "/metric");
    for metric in ["Placed Order", "Ordered Product", "Started Checkout", "Waved", "Subscribed to List"] {
        assert!(metrics.iter().any(|told| told == metric), "{metric}: {metrics:?}");
    }
}

fn order(id: u64) -> Order {
    Order { customer: Some(7), ..Order::new(id, PERSON[0], now()) }
}

/// The order with a name, a number and an address in it.
fn order_in_full(id: u64) -> Delivery {
    let created = order(id).created();
    let mut body: Value = serde_json::from_slice(&created.body).unwrap();
    let address = json!({"first_name": PERSON[1], "last_name": PERSON[2], "address1": PERSON[4], "city": "Graz", "country_code": "AT"});
    body["phone"] = json!(PERSON[3]);
    body["customer"]["first_name"] = json!(PERSON[1]);
    body["customer"]["last_name"] = json!(PERSON[2]);
    body["customer"]["phone"] = json!(PERSON[3]);
    body["customer"]["default_address"] = address.clone();
    body["billing_address"] = address.clone();
    body["shipping_address"] = address;
    Delivery::new(&created.topic, created.id, &body)
}

/// One person in everything that is kept of people: orders and their ledgers, a checkout, attributes, consent, a list, a
/// segment, the wish to hear of a variant.
async fn everything_used(stack: &Stack) -> Shop {
    let api = stack.api();
    let settings = json!({"shop_domain": tests::shop::DOMAIN, "refund_policy": "each"});
    let connection = Shop::create(api, &settings, SECRET, true).await.id();
    let shop = Shop { connection, secret: SECRET.to_owned() };
    whole_segment(api, "Buyers", &at_least(1, &shopify("Placed Order"), 30, "day")).await;

    shop.deliver(api, &order_in_full(1)).await;
    shop.deliver(api, &Delivery::checkout("checkout-1", "cart-1", PERSON[0], now())).await;
    shop.deliver(api, &Delivery::customer(7, PERSON[0], now())).await;
    stack.settled().await;
    let id = api.profile_id(PERSON[0]).await;
    let attributes =
        json!({"first_name": PERSON[1], "last_name": PERSON[2], "properties": {"calls herself": PERSON[1]}});
    change(
        api,
        &format!("/api/profiles/{id}"),
        &json!({"data": {"type": "profile", "id": id, "attributes": attributes}}),
    )
    .await;
    let profile = json!({"data": {"type": "profile", "attributes": {"email": PERSON[0]}}});
    let metric = json!({"data": {"type": "metric", "attributes": {"name": "Waved"}}});
    let event = json!({"metric": metric, "profile": profile, "properties": {"to": PERSON[2]}});
    told(api, "/api/events", "event", &event, &json!({})).await;

    let list =
        json!({"data": {"type": "list", "attributes": {"name": "News", "opt_in_process": "single_opt_in"}}});
    let list = api.post("/api/lists", &list).await.id();
    let consent = json!({"email": {"marketing": {"consent": "SUBSCRIBED"}}});
    let row = json!({"type": "profile", "attributes": {"email": PERSON[0], "subscriptions": consent}});
    let on_list = json!({"list": {"data": {"type": "list", "id": list}}});
    let rows = json!({"profiles": {"data": [row]}});
    told(
        api,
        "/api/profile-subscription-bulk-create-jobs",
        "profile-subscription-bulk-create-job",
        &rows,
        &on_list,
    )
    .await;

    let variant = json!({"external_id": "fern-pot-large", "title": "Large", "description": "", "sku": "FF-1",
        "inventory_quantity": 0, "price": 12.5, "url": "https://fern-and-field.example/pot"});
    told(
        api,
        "/api/catalog-items",
        "catalog-item",
        &json!({"external_id": "fern-pot", "title": "Fern pot", "description": "", "url": ""}),
        &json!({}),
    )
    .await;
    let item = json!({"item": {"data": {"type": "catalog-item", "id": "$custom:::$default:::fern-pot"}}});
    told(api, "/api/catalog-variants", "catalog-variant", &variant, &item).await;
    let wish = json!({"channels": ["EMAIL"], "profile": profile});
    let of = json!({"variant": {"data": {"type": "catalog-variant", "id": "$custom:::$default:::fern-pot-large"}}});
    told(api, "/api/back-in-stock-subscriptions", "back-in-stock-subscription", &wish, &of).await;
    stack.settled().await;
    shop
}

async fn told(api: &Api, path: &str, kind: &str, attributes: &Value, relationships: &Value) {
    let mut data = json!({"type": kind, "attributes": attributes});
    if relationships.as_object().is_some_and(|related| !related.is_empty()) {
        data["relationships"] = relationships.clone();
    }
    let reply = api.post(path, &json!({"data": data})).await;
    assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.body);
}

async fn change(api: &Api, path: &str, body: &Value) {
    let reply = api.patch(path, body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
}

/// Once the jobs behind an erasure are done, and the functions behind the stream. The clock begins with the archive when a
/// minute has passed.
async fn nothing_is_left(stack: &Stack) {
    let mut found = of_person(stack);
    for _ in 0..90 {
        if found.is_empty() {
            return;
        }
        stack.tick().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        found = of_person(stack);
    }
    panic!("of the person there is left {found:?}");
}

/// In which tables the person is.
fn of_person(stack: &Stack) -> Vec<(String, String)> {
    let mut found = places(stack, PERSON);
    found.retain(|(table, _)| table != STREAM);
    found
}

/// Which tables have which of these texts in any field of any row.
fn places(stack: &Stack, needles: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in ["dynamodb.db", "state.db"] {
        search(&stack.data_dir().join(file), needles, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn search(file: &Path, needles: &[&str], found: &mut Vec<(String, String)>) {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    for table in tables {
        let mut all = database.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(column).unwrap() else {
                    continue;
                };
                let unpacked = unpacked(bytes);
                let text = String::from_utf8_lossy(unpacked.as_deref().unwrap_or(bytes));
                let here = needles.iter().filter(|needle| text.contains(**needle));
                found.extend(here.map(|needle| (table.clone(), (*needle).to_owned())));
            }
        }
    }
}

/// What is archived is compressed.
fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    bytes.starts_with(&[0x1f, 0x8b]).then_some(())?;
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut unpacked).unwrap();
    Some(unpacked)
}
