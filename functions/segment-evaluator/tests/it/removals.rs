use crate::{Shop, orders};

#[tokio::test]
async fn an_event_that_is_taken_away_is_no_longer_counted() {
    let shop = Shop::open().await;
    shop.define("TWO", orders(2)).await;
    let ada = shop.person("ada@example.com").await;
    for key in ["1", "2"] {
        shop.order(&ada, key).await;
    }
    shop.evaluate_all().await;
    assert!(shop.is_member(&ada, "TWO").await);
    shop.world.store.erase_connection_from(&ada, "elsewhere", shop.world.now()).await.unwrap();
    let gone = crate::order(&ada, "2").event.id;
    shop.world.delete_item("profiles", &format!("p#{ada}"), &format!("e#{gone}"));
    shop.evaluate_all().await;
    assert!(!shop.is_member(&ada, "TWO").await);
    // It may come back.
    shop.order(&ada, "2").await;
    shop.evaluate_all().await;
    assert!(shop.is_member(&ada, "TWO").await);
}

#[tokio::test]
async fn an_event_that_comes_and_goes_within_one_batch_was_never_there() {
    let shop = Shop::open().await;
    shop.define("ONE", orders(1)).await;
    let old = shop.person("ada@example.com").await;
    shop.evaluate_all().await;
    let known = shop.world.stream().len();
    let new = shop.person("bob@example.com").await;
    for profile in [&old, &new] {
        let order = shop.order(profile, profile).await;
        shop.world.delete_item("profiles", &format!("p#{profile}"), &format!("e#{}", order.event.id));
    }
    assert_eq!(shop.evaluate(shop.world.stream()[known..].to_vec()).await, None);
    for profile in [&old, &new] {
        assert!(!shop.is_member(profile, "ONE").await);
        shop.order(profile, "2").await;
        shop.evaluate_all().await;
        assert!(shop.is_member(profile, "ONE").await);
    }
}
