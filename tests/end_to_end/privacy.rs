use std::time::Duration;

use tests::{Delivery, Order, api::at_least, eventually_eq, now};

use crate::{shopify, start_with_shop, whole_segment};

#[tokio::test]
async fn a_person_who_was_erased_is_not_brought_back_by_an_old_delivery() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let buyers = whole_segment(api, "Buyers", &at_least(1, &shopify("Placed Order"), 30, "day")).await;
    let ida = Order { customer: Some(7), ..Order::new(1, "ida@example.com", now()) };
    let bob = Order::new(2, "bob@example.com", now());
    shop.deliver(api, &ida.created()).await;
    shop.deliver(api, &bob.created()).await;
    eventually_eq("both are members", &2, async || api.members(&buyers).await.len()).await;
    let profile = api.profile_id("ida@example.com").await;

    shop.deliver(api, &Delivery::redact_customer(7, "ida@example.com", &[1])).await;
    let bob = vec!["bob@example.com".to_owned()];
    eventually_eq("one member is left", &bob, async || api.members(&buyers).await).await;
    stack.settled().await;
    let erased = async || {
        assert_eq!(api.profile("ida@example.com").await, None);
        assert_eq!(api.get(&format!("/api/profiles/{profile}"), &[]).await.status, 404);
        let filter = format!("equals(metric_id,\"{}\")", shopify("Placed Order"));
        assert_eq!(api.all("/api/events", &[("filter", &filter)]).await.len(), 1);
        assert_eq!(api.members(&buyers).await, bob);
    };
    erased().await;

    // The very same delivery, and the same order under another delivery's name.
    shop.deliver(api, &ida.created()).await;
    shop.deliver(api, &Delivery { id: "another".to_owned(), ..ida.created() }).await;
    stack.settled().await;
    erased().await;

    // Who comes back is somebody new.
    let again = Order { customer: Some(7), ..Order::new(3, "ida@example.com", now()) };
    shop.deliver(api, &again.created()).await;
    stack.settled().await;
    assert_eq!(api.metrics_of("ida@example.com").await.len(), 3);
    assert_ne!(api.profile_id("ida@example.com").await, profile);
}

#[tokio::test]
async fn a_shop_that_left_is_erased_with_all_it_brought() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let buyers = whole_segment(api, "Buyers", &at_least(1, &shopify("Placed Order"), 30, "day")).await;
    for id in 1..=5 {
        shop.deliver(api, &Order::new(id, &format!("buyer{id}@example.com"), now()).created()).await;
    }
    eventually_eq("five members", &5, async || api.members(&buyers).await.len()).await;

    shop.deliver(api, &Delivery::uninstalled()).await;
    stack.settled().await;
    let path = format!("/api/connections/{}", shop.connection);
    let connection = api.get(&path, &[]).await;
    assert_eq!(connection.attributes()["health"]["status"], "disconnected");
    assert_eq!(api.members(&buyers).await.len(), 5);

    // Shopify asks two days later; the connection's secret must still prove it.
    shop.deliver(api, &Delivery::redact_shop()).await;
    stack.settled().await;
    // There is no haste: the clock starts the work when it has waited for a minute.
    let filter = format!("equals(metric_id,\"{}\")", shopify("Placed Order"));
    for _ in 0..90 {
        stack.tick().await;
        if api.all("/api/profiles", &[]).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(api.all("/api/profiles", &[]).await.len(), 0);
    assert_eq!(api.all("/api/events", &[("filter", &filter)]).await.len(), 0);
    eventually_eq("no member is left", &0, async || api.members(&buyers).await.len()).await;
}
