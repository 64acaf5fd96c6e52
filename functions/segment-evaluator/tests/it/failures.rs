use serde_json::json;
use testing::Answer;

use crate::{Shop, orders, sequence};

#[tokio::test]
async fn a_record_that_cannot_be_read_is_skipped_and_the_others_are_applied() {
    let shop = Shop::open().await;
    shop.define("ONE", orders(1)).await;
    let ada = shop.person("ada@example.com").await;
    let bob = shop.person("bob@example.com").await;
    for profile in [&ada, &bob] {
        shop.order(profile, profile).await;
    }
    let mut records = shop.world.stream();
    let is_event = |record: &aws_lambda_events::dynamodb::EventRecord| {
        let keys = serde_json::to_value(&record.change.keys).unwrap();
        keys["sk"]["S"].as_str().unwrap().starts_with("e#")
    };
    let victim = records.iter().position(is_event).unwrap();
    let mut broken = serde_json::to_value(&records[victim]).unwrap();
    broken["dynamodb"]["NewImage"]["doc"] = json!({"S": "{"});
    records[victim] = serde_json::from_value(broken).unwrap();
    let mut nobody = serde_json::to_value(&records[0]).unwrap();
    nobody["dynamodb"]["Keys"] = json!({"pk": {"N": "1"}});
    records.insert(0, serde_json::from_value(nobody).unwrap());
    let mut placeless = serde_json::to_value(&records[1]).unwrap();
    placeless["dynamodb"]["SequenceNumber"] = json!("first");
    records.insert(0, serde_json::from_value(placeless).unwrap());

    assert_eq!(shop.evaluate(records).await, None);
    assert!(!shop.is_member(&ada, "ONE").await && shop.is_member(&bob, "ONE").await);
}

#[tokio::test]
async fn the_lowest_record_that_failed_is_reported_and_from_there_on_all_comes_again() {
    let shop = Shop::open().await;
    shop.define("ONE", orders(1)).await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "cy"] {
        people.push(shop.person(&format!("{name}@example.com")).await);
    }
    for profile in &people {
        shop.order(profile, profile).await;
    }
    let records = shop.world.stream();
    // The second and the third cannot be written.
    let (second, third) = (people[1].clone(), people[2].clone());
    shop.world.intercept(move |call| {
        let body = call.body.to_string();
        let is_write = call.operation == "PutItem" || call.operation == "TransactWriteItems";
        let is_refused = is_write && (body.contains(&second) || body.contains(&third));
        std::future::ready(if is_refused { Answer::Throttle } else { Answer::Pass })
    });
    // Their profiles were made second and third.
    let reported = shop.evaluate(records.clone()).await.unwrap();
    assert_eq!(reported.parse::<u128>().unwrap(), sequence(&records[1]));
    assert!(shop.is_member(&people[0], "ONE").await);
    assert!(!shop.is_member(&people[1], "ONE").await);

    shop.world.let_pass();
    let before = shop.world.store.state(&people[0]).await.unwrap();
    let again = records.into_iter().skip_while(|record| sequence(record).to_string() != reported);
    assert_eq!(shop.evaluate(again.collect()).await, None);
    for profile in &people {
        assert!(shop.is_member(profile, "ONE").await);
    }
    assert_eq!(shop.world.store.state(&people[0]).await.unwrap(), before);
}

#[tokio::test]
async fn a_batch_whose_beginning_cannot_be_read_fails_as_a_whole() {
    let shop = Shop::open().await;
    shop.person("ada@example.com").await;
    shop.world.intercept(|_| std::future::ready(Answer::Throttle));
    let mut event = aws_lambda_events::dynamodb::Event::default();
    event.records = shop.world.stream();
    assert!(shop.function.handle(event).await.is_err());
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_made_anew() {
    let shop = Shop::open().await;
    shop.define("TWO", orders(2)).await;
    let ada = shop.person("ada@example.com").await;
    shop.order(&ada, "1").await;
    shop.evaluate_all().await;
    let state = json!({
        "pk": {"S": format!("p#{ada}")}, "sk": {"S": "state"}, "v": {"N": "7"}, "b": {"B": "AAAA"},
    });
    shop.world.put_item("profiles", &state);
    shop.order(&ada, "2").await;
    shop.evaluate_all().await;
    assert!(shop.is_member(&ada, "TWO").await);
}
