//! Bodies that no message holds: from the receiver by way of the table to the mapper.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use platform::receiver::Receiver;
use platform::signature::hmac_sha256_base64;
use serde_json::json;
use shopify::Shopify;
use testing::{Answer, DEAD_LETTER_QUEUE, RAW_QUEUE};

use crate::{SHOP, Shop, order};

const SECRET: &str = "fern-and-flint";

/// Letters without a pattern: no compression makes them small.
fn noise(bytes: usize) -> String {
    let mut state = 1_u32;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b' ' + u8::try_from((state >> 24) % 94).unwrap())
    });
    letters.take(bytes).collect()
}

/// What the receiver puts into the queue for an order with a note that long.
async fn receive(shop: &Shop, note_bytes: usize) -> String {
    shop.world.put_secrets(SHOP, &json!({"webhook_secret": {"current": SECRET}}));
    let world = &shop.world;
    let receiver = Receiver::new(&Shopify, &world.config(), &world.clients, world.clock()).unwrap();
    let mut body = order(1, Some("ada@example.com"), None);
    body["note"] = noise(note_bytes).into();
    let body = body.to_string();
    let mut event = ApiGatewayV2httpRequest::default();
    event.path_parameters.insert("connection_id".to_owned(), SHOP.to_owned());
    for (name, value) in
        [("x-shopify-topic", "orders/create"), ("x-shopify-hmac-sha256", &hmac_sha256_base64(SECRET, &body))]
    {
        event.headers.insert(name, value.parse().unwrap());
    }
    event.body = Some(body);
    assert_eq!(receiver.handle(event).await.unwrap().status_code, 200);
    let [sent] = &world.take_sent(RAW_QUEUE)[..] else { panic!("not one message") };
    sent.body.clone()
}

#[tokio::test]
async fn an_order_of_any_size_arrives() {
    let shop = Shop::open().await;
    let message = receive(&shop, 3 * 1024 * 1024).await;
    assert!(message.len() < 2_000 && message.contains("claim"));
    assert_eq!(shop.deliver(std::slice::from_ref(&message)).await, [] as [usize; 0]);
    assert_eq!(shop.metrics(), ["Ordered Product", "Ordered Product", "Placed Order"]);
    // Handed out again.
    assert_eq!(shop.deliver(&[message]).await, [] as [usize; 0]);
    assert_eq!(shop.metrics().len(), 3);
    assert_eq!(shop.world.take_sent(DEAD_LETTER_QUEUE), []);
}

#[tokio::test]
async fn a_stored_body_that_cannot_be_read_now_comes_again_and_one_that_is_gone_is_set_aside() {
    let shop = Shop::open().await;
    let message = receive(&shop, 950 * 1024).await;
    shop.world.intercept_once(Answer::Throttle, |call| call.is("BatchGetItem", "claim#"));
    assert_eq!(shop.deliver(std::slice::from_ref(&message)).await, [0]);
    shop.world.let_pass();

    let stored = shop.world.items("orders");
    let (partition, sort) = stored.keys().next().unwrap();
    shop.world.delete_item("orders", partition, sort);
    assert_eq!(shop.deliver(std::slice::from_ref(&message)).await, [] as [usize; 0]);
    let [dead] = &shop.world.take_sent(DEAD_LETTER_QUEUE)[..] else { panic!("not one dead letter") };
    assert_eq!((&dead.body, dead.reason.as_deref()), (&message, Some("the stored body is gone")));
    assert_eq!(shop.metrics(), [] as [&str; 0]);
}
