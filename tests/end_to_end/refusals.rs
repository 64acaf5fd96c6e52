use serde_json::json;
use tests::{Delivery, Order, Shop, now};

use crate::{start, start_with_shop};

#[tokio::test]
async fn what_is_not_genuine_or_not_wanted_changes_nothing() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let order = Order::new(1, "ida@example.com", now()).created();

    let forged = Shop { secret: "guessed".to_owned(), ..shop.clone() };
    assert_eq!(forged.try_deliver(api, &order).await.unwrap(), 401);
    assert_eq!(shop.send(api, &order, "").await.unwrap(), 401);
    let elsewhere = Shop { connection: "nosuchconnection".to_owned(), ..shop.clone() };
    assert_eq!(elsewhere.try_deliver(api, &order).await.unwrap(), 404);
    let unknown = Delivery { topic: "themes/publish".to_owned(), ..order.clone() };
    assert_eq!(shop.try_deliver(api, &unknown).await.unwrap(), 200);
    let mut large = order.clone();
    large.body.extend(std::iter::repeat_n(b' ', 5 * 1024 * 1024));
    assert_eq!(shop.try_deliver(api, &large).await.unwrap(), 413);
    // The signature is looked at first.
    assert_eq!(forged.try_deliver(api, &unknown).await.unwrap(), 401);

    for (outcome, count) in
        [("unauthorized", 3), ("unknown_connection", 1), ("unknown_topic", 1), ("accepted", 0)]
    {
        assert_eq!(stack.counted("shopify", outcome).await, count, "{outcome}");
    }
    stack.settled().await;
    assert_eq!(api.profile("ida@example.com").await, None);
    assert!(stack.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_genuine_delivery_that_cannot_be_read_is_set_aside_with_its_reason() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let delivery =
        Delivery { topic: "orders/create".to_owned(), id: "1".to_owned(), body: b"{\"id\": 1, ".to_vec() };
    shop.deliver(api, &delivery).await;
    shop.deliver(api, &Delivery::new("orders/create", "2", &json!({"email": "ida@example.com"}))).await;
    shop.deliver(api, &Order::new(3, "ida@example.com", now()).created()).await;
    stack.settled().await;

    let letters = stack.dead_letters().await;
    let reason = |letter: &aws_sdk_sqs::types::Message| {
        letter.message_attributes.as_ref().unwrap()["reason"].string_value.clone().unwrap()
    };
    let mut reasons: Vec<String> = letters.iter().map(reason).collect();
    reasons.sort();
    assert_eq!(reasons, ["no usable id", "the body is not JSON (line 1, column 10)"]);
    // The others are not held up.
    assert_eq!(api.metrics_of("ida@example.com").await.len(), 3);
}

#[tokio::test]
async fn a_disabled_connection_takes_nothing() {
    let stack = start().await;
    let api = stack.api();
    let secret = "whsec-first".to_owned();
    let connection = Shop::create(api, &json!({}), &secret, false).await.id();
    let shop = Shop { connection, secret };
    let order = Order::new(1, "ida@example.com", now()).created();
    assert_eq!(shop.try_deliver(api, &order).await.unwrap(), 404);
    let path = format!("/api/connections/{}", shop.connection);
    let enable =
        json!({"data": {"type": "connection", "id": shop.connection, "attributes": {"enabled": true}}});
    assert_eq!(api.patch(&path, &enable).await.status, 200);
    assert_eq!(shop.try_deliver(api, &order).await.unwrap(), 200);
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.get(&path, &[]).await.status, 404);
}

#[tokio::test]
async fn while_a_secret_is_rotated_the_old_and_the_new_one_are_valid() {
    let (stack, old) = start_with_shop().await;
    let api = stack.api();
    let new = Shop { secret: "whsec-second".to_owned(), ..old.clone() };
    let path = format!("/api/connections/{}", old.connection);
    let change = async |attributes: serde_json::Value| {
        let body = json!({"data": {"type": "connection", "id": old.connection, "attributes": attributes}});
        let reply = api.patch(&path, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(!reply.body.to_string().contains("whsec"));
    };
    change(json!({"secrets": {"webhook_secret": new.secret}})).await;
    let order = |id| Order::new(id, "ida@example.com", now()).created();
    assert_eq!(old.try_deliver(api, &order(1)).await.unwrap(), 200);
    assert_eq!(new.try_deliver(api, &order(2)).await.unwrap(), 200);
    stack.settled().await;
    assert_eq!(api.metrics_of("ida@example.com").await.len(), 6);
}
