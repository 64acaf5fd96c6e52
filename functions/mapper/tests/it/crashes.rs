use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use store::{Subject, SubjectKey};
use testing::Answer;

use crate::{SHOP, Shop, customer, is_write, message, order};

fn key(kind: &'static str, id: &str) -> SubjectKey {
    SubjectKey { connection: SHOP.to_owned(), kind, id: id.to_owned() }
}

#[tokio::test]
async fn the_ledger_is_written_after_the_events() {
    let shop = Shop::open().await;
    shop.world.intercept_once(Answer::Throttle, |call| call.is("PutItem", "#order#"));
    let placed = message("orders/create", &order(1, Some("ada@example.com"), None));
    assert_eq!(shop.deliver(std::slice::from_ref(&placed)).await, [0]);
    let told = shop.events();
    assert_eq!(shop.metrics(), ["Ordered Product", "Ordered Product", "Placed Order"]);
    assert!(shop.world.items("orders").is_empty());

    // It comes again, later.
    shop.world.pass(60_000);
    assert_eq!(shop.deliver(std::slice::from_ref(&placed)).await, [] as [usize; 0]);
    assert_eq!(shop.events(), told);
    assert_eq!(shop.world.items("orders").len(), 1);

    // And once more: nothing is written at all.
    let before = (shop.world.items("profiles"), shop.world.items("orders"));
    shop.world.intercept(|call| {
        assert!(!is_write(&call), "{call:?}");
        std::future::ready(Answer::Pass)
    });
    assert_eq!(shop.deliver(&[placed]).await, [] as [usize; 0]);
    assert_eq!((shop.world.items("profiles"), shop.world.items("orders")), before);
}

#[tokio::test]
async fn a_ledger_that_somebody_else_wrote_first_is_read_again() {
    let shop = Shop::open().await;
    let rival = shop.world.store.clone();
    let raced = std::sync::Arc::new(AtomicU32::new(0));
    let races = raced.clone();
    shop.world.intercept(move |call| {
        let (rival, races) = (rival.clone(), races.clone());
        async move {
            if call.is("PutItem", "#order#") && races.fetch_add(1, Ordering::SeqCst) == 0 {
                let theirs = Subject::<canonical::order::Ledger>::default();
                rival.put_subject(&key("order", "1"), &theirs, None).await.unwrap();
            }
            Answer::Pass
        }
    });
    shop.tell("orders/create", &order(1, Some("ada@example.com"), None)).await;
    assert_eq!(raced.load(Ordering::SeqCst), 2);
    assert_eq!(shop.events().len(), 3);
    let ledger: Subject<canonical::order::Ledger> =
        shop.world.store.subject(&key("order", "1")).await.unwrap();
    assert_eq!(ledger.version, 2);
    assert_eq!(ledger.profile_id, Some(shop.profile("ada@example.com").await.id));
}

/// Three deliveries that between them touch every kind of item.
fn story() -> Vec<(&'static str, Value)> {
    vec![
        ("orders/create", order(1, None, Some(5))),
        ("customers/create", customer(5, "ada@example.com")),
        (
            "customers_email_marketing_consent/update",
            json!({
                "customer_id": 5, "email_address": "ada@example.com",
                "email_marketing_consent": {"state": "subscribed", "consent_updated_at": "2026-06-16T11:00:00Z"},
            }),
        ),
    ]
}

/// Breaks each delivery off at each of its writes in turn, before and after the write reached the tables, and
/// delivers it again to a function that has just started.
#[tokio::test]
async fn a_crash_at_any_write_changes_nothing_in_the_end() {
    let calm = Shop::open().await;
    for (topic, body) in story() {
        calm.tell(topic, &body).await;
    }
    assert_eq!(calm.events().len(), 4);
    let mut breaks = 0;
    for answer in [Answer::Throttle, Answer::Lose] {
        for (victim, _) in story().iter().enumerate() {
            for step in 0.. {
                let mut shop = Shop::open().await;
                let mut broke = false;
                for (number, (topic, body)) in story().into_iter().enumerate() {
                    if number == victim {
                        let writes = AtomicU32::new(0);
                        shop.world.intercept_once(answer, move |call| {
                            is_write(call) && writes.fetch_add(1, Ordering::SeqCst) == step
                        });
                        broke = !shop.deliver(&[message(topic, &body)]).await.is_empty();
                        shop.world.let_pass();
                        shop.restart();
                        if broke {
                            shop.tell(topic, &body).await;
                        }
                    } else {
                        shop.tell(topic, &body).await;
                    }
                }
                assert_eq!(shop.events(), calm.events(), "delivery {victim}, write {step}, {answer:?}");
                let docs = |shop: &Shop| {
                    let items = shop.world.items("orders");
                    items.into_iter().map(|(key, item)| (key, item["doc"].clone())).collect::<Vec<_>>()
                };
                assert_eq!(docs(&shop), docs(&calm), "delivery {victim}, write {step}, {answer:?}");
                if !broke {
                    break;
                }
                breaks += 1;
            }
        }
    }
    assert!(breaks > 20, "{breaks}");
}
