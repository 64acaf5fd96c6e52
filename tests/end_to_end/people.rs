use tests::{Delivery, Order, api::at_least, eventually_eq, now};

use crate::{shopify, start_with_shop, whole_segment};

#[tokio::test]
async fn what_was_put_into_a_cart_by_nobody_belongs_to_whoever_checks_out() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let carts = whole_segment(api, "Filled a cart", &at_least(1, &shopify("Added to Cart"), 7, "day")).await;
    shop.deliver(api, &Delivery::cart("cart-1", now())).await;
    stack.settled().await;
    assert!(api.all("/api/profiles", &[]).await.is_empty());

    shop.deliver(api, &Delivery::checkout("checkout-1", "cart-1", "ida@example.com", now())).await;
    stack.settled().await;
    assert_eq!(api.metrics_of("ida@example.com").await, ["Added to Cart", "Started Checkout"]);
    eventually_eq("the cart counts", &1, async || api.members(&carts).await.len()).await;
    assert_eq!(api.all("/api/profiles", &[]).await.len(), 1);
}

#[tokio::test]
async fn the_orders_of_a_customer_without_an_address_appear_with_the_address() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    for id in [1, 2] {
        let order = Order { email: None, customer: Some(77), ..Order::new(id, "", now()) };
        shop.deliver(api, &order.created()).await;
    }
    stack.settled().await;
    assert!(api.all("/api/profiles", &[]).await.is_empty());

    shop.deliver(api, &Delivery::customer(77, "ida@example.com", now())).await;
    stack.settled().await;
    let placed = async || api.metrics_of("ida@example.com").await;
    assert_eq!(placed().await.iter().filter(|metric| *metric == "Placed Order").count(), 2);
    assert_eq!(placed().await.len(), 6);
    // A third one, still without an address, is known at once; a repeat of the first changes nothing.
    for id in [1, 3] {
        let order = Order { email: None, customer: Some(77), ..Order::new(id, "", now()) };
        shop.deliver(api, &order.created()).await;
    }
    stack.settled().await;
    assert_eq!(placed().await.len(), 9);
}
