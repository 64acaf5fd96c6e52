//! Platforms that must be asked: thin deliveries, and deliveries that never came.

use serde_json::json;
use tests::{BigShop, eventually, eventually_eq, now};

use crate::{start, start_with_shop};

const PLACED: [&str; 2] = ["Ordered Product", "Placed Order"];

#[tokio::test]
async fn a_delivery_that_names_only_an_id_becomes_the_order_it_names() {
    let stack = start().await;
    let api = stack.api();
    let shop = BigShop::connect(api, false).await;
    shop.order(301, "ida@example.com", now());
    shop.deliver(api, 301, now()).await;
    shop.deliver(api, 301, now()).await;
    stack.settled().await;
    assert_eq!(api.metrics_of("ida@example.com").await, PLACED);
    let placed = &api.history("ida@example.com").await[1];
    assert_eq!((placed.property("$value"), placed.property("ItemNames")), (json!(25), json!(["Moss pot"])));
    let connection = api.get(&format!("/api/connections/{}", shop.connection), &[]).await;
    let health = &connection.attributes()["health"];
    assert_eq!(health["deliveries"]["accepted"], 2);
    assert_eq!(health["deliveries"]["mapped"], 2);
    assert!(health["last_delivery"].is_string() && health["lag_ms"].is_number(), "{health}");
}

#[tokio::test]
async fn a_shop_that_does_not_answer_holds_up_nobody_and_loses_nothing() {
    let (stack, other) = start_with_shop().await;
    let api = stack.api();
    let shop = BigShop::connect(api, false).await;
    shop.order(301, "ida@example.com", now());
    shop.answer_with(503);
    shop.deliver(api, 301, now()).await;
    let order = tests::Order::new(1001, "ann@example.com", now());
    other.deliver(api, &order.created()).await;
    eventually_eq("the other shop's order", &3, async || api.metrics_of("ann@example.com").await.len()).await;
    let path = format!("/api/connections/{}", shop.connection);
    eventually("the connection says what is wrong", async || {
        let health = api.get(&path, &[]).await.attributes()["health"].clone();
        let deferred = health["deliveries"]["deferred"].as_u64()? > 0;
        (deferred && health["last_error"]["detail"].as_str()?.contains("503")).then_some(())
    })
    .await;
    shop.answer_with(0);
    eventually_eq("told once the shop answers", &PLACED.map(str::to_owned).to_vec(), async || {
        api.metrics_of("ida@example.com").await
    })
    .await;
    assert!(stack.dead_letters().await.is_empty());
}

#[tokio::test]
async fn what_no_delivery_told_is_found_by_asking() {
    let stack = start().await;
    let api = stack.api();
    let shop = BigShop::connect(api, true).await;
    shop.order(301, "ida@example.com", now());
    shop.order(302, "ann@example.com", now());
    assert_eq!(stack.invoke("PollerFunction").await, json!({"due": 1}));
    stack.settled().await;
    // It also comes by webhook, and is not due again for a while.
    shop.deliver(api, 301, now()).await;
    stack.settled().await;
    assert_eq!(stack.invoke("PollerFunction").await, json!({"due": 0}));
    for email in ["ida@example.com", "ann@example.com"] {
        assert_eq!(api.metrics_of(email).await, PLACED);
    }
    let connection = api.get(&format!("/api/connections/{}", shop.connection), &[]).await;
    let poll = &connection.attributes()["health"]["poll"];
    assert_eq!((&poll["records"], &poll["error"]), (&json!(2), &json!(null)));
    assert_eq!(poll["runs"].as_array().unwrap().len(), 1);
    assert!(poll["requests"].as_u64() > Some(0) && poll["next"].is_string(), "{poll}");
    assert!(shop.times_asked() > 4);
}
