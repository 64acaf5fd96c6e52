use serde_json::{Value, json};
use tests::{Delivery, Order, api::at_least, eventually_eq, now};

use crate::{shopify, start_with_shop, whole_segment};

const PLACED: [&str; 3] = ["Ordered Product", "Ordered Product", "Placed Order"];

#[tokio::test]
async fn a_signed_delivery_becomes_events_and_a_membership() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let buyers = whole_segment(api, "Buyers", &at_least(1, &shopify("Placed Order"), 30, "day")).await;
    let order = Order::new(1001, "ida@example.com", now());
    shop.deliver(api, &order.created()).await;

    eventually_eq("the buyer is a member", &vec!["ida@example.com".to_owned()], async || {
        api.members(&buyers).await
    })
    .await;
    assert_eq!(api.metrics_of("ida@example.com").await, PLACED);
    let history = api.history("ida@example.com").await;
    let placed = &history[2];
    assert_eq!(placed.property("OrderId"), "1001");
    assert_eq!(placed.property("$value"), 34.9);
    assert_eq!(placed.property("$currency_code"), "EUR");
    assert_eq!(placed.property("ItemNames"), json!(["Fern pot", "Field notes"]));
    let mut skus: Vec<Value> = history[..2].iter().map(|event| event.property("SKU")).collect();
    skus.sort_by_key(Value::to_string);
    assert_eq!(skus, ["FF-1", "FF-2"]);

    let metrics = api.all("/api/metrics", &[]).await;
    let metric = metrics.iter().find(|metric| metric["id"] == shopify("Placed Order")).unwrap();
    assert_eq!(metric["attributes"]["name"], "Placed Order");

    let members = api.all(&format!("/api/segments/{buyers}/profiles"), &[]).await;
    let joined = members[0]["attributes"]["joined_group_at"].as_str().unwrap();
    assert!(joined.starts_with("20"), "{joined}");
    let profile = api.profile_id("ida@example.com").await;
    let segments = api.all(&format!("/api/profiles/{profile}/segments"), &[]).await;
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0]["id"], buyers.as_str());
}

#[tokio::test]
async fn a_delivery_repeated_one_after_the_other_and_at_once_is_told_once() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let delivery = Order::new(1001, "ida@example.com", now()).sent_and_partly_refunded();
    for _ in 0..3 {
        shop.deliver(api, &delivery).await;
        stack.settled().await;
    }
    let at_once = (0..7).map(|_| shop.deliver(api, &delivery));
    futures::future::join_all(at_once).await;
    // The same order under other deliveries' names.
    let order = Order::new(1002, "ida@example.com", now());
    let body = order.created().body;
    let others: Vec<Delivery> = (0..10)
        .map(|n| Delivery { topic: "orders/create".to_owned(), id: format!("other {n}"), body: body.clone() })
        .collect();
    futures::future::join_all(others.iter().map(|delivery| shop.deliver(api, delivery))).await;
    stack.settled().await;
    assert_eq!(
        api.metrics_of("ida@example.com").await,
        [
            "Fulfilled Order",
            "Ordered Product",
            "Ordered Product",
            "Ordered Product",
            "Ordered Product",
            "Placed Order",
            "Placed Order",
            "Refunded Order",
            "Shipped Order",
        ]
    );
    assert_eq!(stack.counted("shopify", "accepted").await, 20);
    assert!(stack.dead_letters().await.is_empty());
}

#[tokio::test]
async fn every_order_of_arrival_ends_in_the_same_events() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let placed_at = now();
    let orders: Vec<Order> =
        (0..6).map(|n| Order::new(2001 + n, &format!("buyer{n}@example.com"), placed_at)).collect();
    let arrivals = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for step in 0..3 {
        for (order, arrival) in orders.iter().zip(arrivals) {
            let steps = [order.created(), order.sent_and_partly_refunded(), order.cancelled()];
            shop.deliver(api, &steps[arrival[step]]).await;
        }
        stack.settled().await;
    }

    let mut histories = Vec::new();
    for order in &orders {
        let told = api.history(order.email.as_deref().unwrap()).await;
        let anonymous: Vec<_> = told
            .iter()
            .map(|event| {
                let mut properties: Value = serde_json::from_str(&event.properties).unwrap();
                assert_eq!(properties["OrderId"], order.id.to_string());
                let properties = properties.as_object_mut().unwrap();
                properties.remove("OrderId");
                properties.remove("$event_id");
                // A refund is named after its order here.
                let refund = properties.remove("RefundId");
                assert_eq!(refund.is_some(), event.metric == "Refunded Order");
                (event.metric.clone(), event.datetime.clone(), json!(properties).to_string())
            })
            .collect();
        let mut anonymous = anonymous;
        anonymous.sort();
        histories.push(anonymous);
    }
    let metrics: Vec<&str> = histories[0].iter().map(|(metric, ..)| metric.as_str()).collect();
    assert_eq!(
        metrics,
        [
            "Cancelled Order",
            "Fulfilled Order",
            "Ordered Product",
            "Ordered Product",
            "Placed Order",
            "Refunded Order",
            "Shipped Order"
        ]
    );
    for (history, arrival) in histories.iter().zip(arrivals) {
        assert_eq!(history, &histories[0], "{arrival:?}");
    }
}

#[tokio::test]
async fn a_body_of_megabytes_arrives_whole() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    // The second does not fit a message of the queue, however well it is compressed.
    for (id, noise) in [(1001, "a".repeat(1024 * 1024)), (1002, hexadecimal_noise(3 * 1024 * 1024))] {
        let order = Order::new(id, "ida@example.com", now()).created();
        let mut body: Value = serde_json::from_slice(&order.body).unwrap();
        body["note"] = noise.into();
        let large = Delivery { body: body.to_string().into_bytes(), ..order };
        for _ in 0..2 {
            shop.deliver(api, &large).await;
        }
    }
    stack.settled().await;
    assert_eq!(api.metrics_of("ida@example.com").await.len(), 2 * PLACED.len());
    assert!(stack.dead_letters().await.is_empty());
}

/// Hexadecimal digits without a pattern: they can be packed to half of their length.
fn hexadecimal_noise(length: usize) -> String {
    let mut state = 1_u64;
    let digits = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from_digit(u32::try_from(state >> 60).unwrap(), 16).unwrap()
    });
    digits.take(length).collect()
}
