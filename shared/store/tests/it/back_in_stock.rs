use store::{BackInStock, NewsChannel};
use testing::{NOW_MS, World, at};

use crate::{now, person, profile, with_both, with_email, with_phone};

const EMAIL: &str = "ada@example.com";
const PHONE: &str = "+12025550101";

async fn wait(world: &World, profile: &str, variant: &str, offset_ms: i64) -> BackInStock {
    let subscription = BackInStock {
        profile_id: profile.to_owned(),
        variant: variant.to_owned(),
        channels: vec![NewsChannel::Email],
        subscribed_at: at(NOW_MS + offset_ms),
    };
    world.store.put_back_in_stock(&subscription).await.unwrap();
    subscription
}

async fn waiting(world: &World, variant: &str) -> Vec<BackInStock> {
    world.store.back_in_stock(variant, None, 10).await.unwrap().items
}

#[tokio::test]
async fn a_subscription_follows_its_profile_into_another_one() {
    let world = World::start().await;
    let strong = person(&world.store, &with_email(EMAIL)).await.id;
    let weak = person(&world.store, &with_phone(PHONE)).await.id;
    let moved = wait(&world, &weak, "V1", 0).await;
    let kept = wait(&world, &strong, "V2", 1).await;
    person(&world.store, &with_both(EMAIL, PHONE)).await;
    assert_eq!(waiting(&world, "V1").await, [BackInStock { profile_id: strong, ..moved }]);
    assert_eq!(waiting(&world, "V2").await, [kept]);
}

#[tokio::test]
async fn whoever_is_erased_waits_for_nothing() {
    let world = World::start().await;
    let id = person(&world.store, &with_email(EMAIL)).await.id;
    wait(&world, &id, "V1", 0).await;
    world.store.erase_profile(&profile(&world.store, &id).await, now()).await.unwrap();
    assert_eq!(waiting(&world, "V1").await, []);
}
