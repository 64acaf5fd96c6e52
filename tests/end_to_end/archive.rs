//! What was delivered is kept: followed from the platform's request to memberships, and read again.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tests::{Delivery, Order, Stack, api::at_least, eventually, eventually_eq, now};

use crate::{shopify, start_with_shop, whole_segment};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn a_delivery_is_followed_to_its_events_its_profile_and_its_memberships() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let buyers = whole_segment(api, "Buyers", &at_least(1, &shopify("Placed Order"), 30, "day")).await;
    let placed = Order::new(1, ADA, now()).created();
    let id = shop.follow(api, &placed).await;
    eventually_eq("she is a member", &1, async || api.members(&buyers).await.len()).await;
    stack.settled().await;

    let path = format!("/api/deliveries/{id}");
    let delivery = eventually("the delivery is archived", async || {
        let reply = api.get(&path, &[]).await;
        (reply.status == 200).then_some(reply)
    })
    .await;
    let attributes = delivery.attributes();
    let profile = api.profile_id(ADA).await;
    assert_eq!(attributes["outcome"], "mapped");
    assert_eq!(attributes["connection"], shop.connection.as_str());
    assert_eq!(attributes["delivery_id"], placed.id.as_str());
    assert_eq!(attributes["profiles"], json!([profile]));
    let events = attributes["events"].as_array().unwrap();
    assert!(events.len() >= 2 && events.iter().all(|event| event["is_stored"] == true), "{attributes:#}");
    let transitions = attributes["transitions"].as_array().unwrap();
    assert_eq!(transitions.len(), 1, "{attributes:#}");
    assert_eq!(
        (&transitions[0]["segment_id"], &transitions[0]["transition"]),
        (&json!(buyers), &json!("entered"))
    );
    assert!(events.iter().any(|event| event["id"] == transitions[0]["event_id"]), "{attributes:#}");
    let line = said(&stack, &["delivery", &id]).await;
    assert!(line.contains(&format!("{profile} entered {buyers}")), "{line}");

    // What it led to is told as it is now.
    shop.deliver(api, &Delivery::redact_customer(7, ADA, &[1])).await;
    stack.settled().await;
    let delivery = api.get(&path, &[]).await;
    assert_eq!(delivery.attributes()["profiles"], json!([]));
    assert!(
        delivery.attributes()["events"].as_array().unwrap().iter().all(|event| event["is_stored"] == false)
    );
    assert_eq!(api.get("/api/deliveries/1781697600000-0000000000X0", &[]).await.status, 404);
}

#[tokio::test]
async fn deliveries_of_a_time_are_read_again_and_tell_what_is_missing_once() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let from = now();
    for id in 1..=12 {
        shop.deliver(api, &Order::new(id, &format!("buyer{id}@example.com"), now()).created()).await;
    }
    shop.deliver(api, &Delivery::customer(7, ADA, now())).await;
    stack.settled().await;
    let times = [from.to_string(), (now() + Duration::from_secs(1)).to_string()];
    let choice = ["--from", &times[0], "--until", &times[1], "--topic", "orders/create"];
    let found = said(&stack, &[&["replay", "--dry-run"], &choice[..]].concat()).await;
    assert!(found.ends_with("12 of 13 would go back\n"), "{found}");

    // As if a defect had lost them: the events of one order, and its ledger.
    let lost = api.profile_id("buyer5@example.com").await;
    let events = async || {
        let filter = format!("equals(metric_id,\"{}\")", shopify("Placed Order"));
        let mut ids: Vec<Value> = api
            .all("/api/events", &[("filter", &filter)])
            .await
            .iter()
            .map(|event| event["id"].clone())
            .collect();
        ids.sort_by_key(Value::to_string);
        ids
    };
    let before = events().await;
    assert_eq!(before.len(), 12);
    delete(&stack, "ProfilesTable", &format!("p#{lost}"), "e#").await;
    delete(&stack, "OrdersTable", &format!("{}#order#5", shop.connection), "").await;
    assert_eq!(events().await.len(), 11);

    said(&stack, &[&["replay"], &choice[..]].concat()).await;
    eventually_eq("all are there again", &before, events).await;
    stack.settled().await;
    assert_eq!(events().await, before);
    // And were not archived again.
    let found = said(&stack, &[&["replay", "--dry-run"], &choice[..]].concat()).await;
    assert!(found.ends_with("12 of 13 would go back\n"), "{found}");
    eventually_eq("it has ended", &String::new(), async || said(&stack, &["replay", "--list"]).await).await;
}

/// Deletes items of a partition, by how their sort keys begin.
async fn delete(stack: &Stack, table: &str, partition: &str, prefix: &str) {
    let (dynamodb, table) = (&stack.clients().dynamodb, stack.name(table));
    let found = dynamodb.query().table_name(&table).key_condition_expression("pk = :pk");
    let found = found.expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()));
    let mut deleted = 0;
    for mut item in found.send().await.unwrap().items.unwrap() {
        let sort = item.remove("sk").unwrap();
        if sort.as_s().unwrap().starts_with(prefix) {
            let request = dynamodb.delete_item().table_name(&table).key("pk", item.remove("pk").unwrap());
            request.key("sk", sort).send().await.unwrap();
            deleted += 1;
        }
    }
    assert!(deleted > 0, "{table} has nothing of {partition}");
}

/// What a command prints.
async fn said(stack: &Stack, arguments: &[&str]) -> String {
    let (address, key) = stack.api().access();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tillstream"));
    command.args(arguments).args(["--url", address]).env("TILLSTREAM_API_KEY", key);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
