use serde_json::json;
use testing::{Answer, DEAD_LETTER_QUEUE};

use crate::{SHOP, Shop, delivery, message, order};

#[tokio::test]
async fn poison_is_set_aside_with_its_reason_and_the_others_are_worked_off() {
    let shop = Shop::open().await;
    let poison = [
        "not a message".to_owned(),
        delivery("shopify", SHOP, "orders/create", "{".to_owned()),
        delivery("nowhere", SHOP, "orders/create", "{}".to_owned()),
        delivery("shopify", "gone", "orders/create", order(9, None, None).to_string()),
        delivery("api", "", "events", "{".to_owned()),
    ];
    let mut batch = poison.to_vec();
    for id in 1..=5 {
        let email = format!("guest{id}@example.com");
        batch.insert(usize::try_from(id).unwrap(), message("orders/create", &order(id, Some(&email), None)));
    }
    assert_eq!(shop.deliver(&batch).await, [] as [usize; 0]);
    assert_eq!(shop.events().len(), 15);

    let mut dead = shop.world.take_sent(DEAD_LETTER_QUEUE);
    assert!(dead.iter().all(|sent| sent.reason.as_ref().is_some_and(|reason| !reason.is_empty())));
    let reason = |body: &str| dead.iter().find(|sent| sent.body == body).unwrap().reason.clone().unwrap();
    assert_eq!(reason(&poison[2]), "no such platform");
    assert_eq!(reason(&poison[3]), "the connection was deleted");
    dead.sort_by(|a, b| a.body.cmp(&b.body));
    let mut bodies: Vec<String> = dead.into_iter().map(|sent| sent.body).collect();
    let mut expected = poison.to_vec();
    bodies.sort();
    expected.sort();
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn poison_that_cannot_be_set_aside_comes_again() {
    let shop = Shop::open().await;
    shop.world.intercept_once(Answer::Throttle, |call| call.operation == "SendMessage");
    let batch = [message("orders/create", &order(1, Some("ada@example.com"), None)), "poison".to_owned()];
    assert_eq!(shop.deliver(&batch).await, [1]);
    assert_eq!(shop.events().len(), 3);
    assert_eq!(shop.deliver(&batch[1..]).await, [] as [usize; 0]);
    assert_eq!(shop.world.take_sent(DEAD_LETTER_QUEUE).len(), 1);
}

#[tokio::test]
async fn what_is_throttled_is_named_and_completes_when_it_comes_again() {
    let shop = Shop::open().await;
    let batch: Vec<String> = (1..=6)
        .map(|id| message("orders/create", &order(id, Some(&format!("guest{id}@example.com")), None)))
        .collect();
    shop.world.intercept(|call| {
        // The ledgers of the second and the fifth.
        let is_throttled = ["#order#2", "#order#5"].iter().any(|key| call.body.to_string().contains(key));
        std::future::ready(if is_throttled { Answer::Throttle } else { Answer::Pass })
    });
    assert_eq!(shop.deliver(&batch).await, [1, 4]);
    shop.world.let_pass();
    assert_eq!(shop.deliver(&[batch[1].clone(), batch[4].clone()]).await, [] as [usize; 0]);
    assert_eq!(shop.events().len(), 18);
    assert_eq!(shop.world.items("orders").len(), 6);
    assert_eq!(shop.world.take_sent(DEAD_LETTER_QUEUE), []);
}

#[tokio::test]
async fn one_order_many_times_in_one_batch_is_told_once() {
    let shop = Shop::open().await;
    let batch = vec![message("orders/create", &order(1, Some("ada@example.com"), Some(5))); 10];
    let failed = shop.deliver(&batch).await;
    let again: Vec<String> = failed.iter().map(|number| batch[*number].clone()).collect();
    assert_eq!(shop.deliver(&again).await, [] as [usize; 0]);
    assert_eq!(shop.metrics(), ["Ordered Product", "Ordered Product", "Placed Order"]);
}

#[tokio::test]
async fn events_of_a_broken_clock_are_dropped_and_the_others_kept() {
    let shop = Shop::open().await;
    for (id, at) in [
        (1, "1989-12-31T23:59:59.999Z"),
        (2, "1990-01-01T00:00:00Z"),
        (3, "2027-06-18T12:00:00Z"),
        (4, "2027-06-18T12:00:00.001Z"),
    ] {
        let mut body = order(id, Some("ada@example.com"), None);
        body["created_at"] = json!(at);
        body["processed_at"] = json!(at);
        shop.tell("orders/create", &body).await;
    }
    let numbers: Vec<String> = shop
        .events()
        .into_iter()
        .filter(|(_, event)| event.metric == "Placed Order")
        .map(|(_, event)| event.occurred_at.to_utc_string())
        .collect();
    assert_eq!(numbers.len(), 2, "{numbers:?}");
    assert!(numbers.iter().all(|at| at == "1990-01-01T00:00:00Z" || at == "2027-06-18T12:00:00Z"));
}

#[tokio::test]
async fn an_unusable_ledger_is_set_aside_and_not_tried_for_ever() {
    let shop = Shop::open().await;
    let broken = json!({
        "pk": {"S": format!("{SHOP}#order#1")}, "sk": {"S": "ledger"}, "v": {"N": "1"}, "doc": {"S": "{"},
    });
    shop.world.put_item("orders", &broken);
    let batch = [message("orders/create", &order(1, Some("ada@example.com"), None))];
    assert_eq!(shop.deliver(&batch).await, [] as [usize; 0]);
    let dead = shop.world.take_sent(DEAD_LETTER_QUEUE);
    assert!(dead[0].reason.as_ref().unwrap().contains("ledger"), "{dead:?}");
}
