//! Bodies that lie beside the queue.

use testing::World;

#[tokio::test]
async fn a_body_comes_back_whole_or_not_at_all() {
    let world = World::start().await;
    let of = |bytes: usize| -> Vec<Vec<u8>> { (0..12_u8).map(|part| vec![part; bytes]).collect() };
    let parts = of(1024);
    for _ in 0..2 {
        world.store.put_claim("c1", parts.clone(), 1_000).await.unwrap();
    }
    assert_eq!(world.store.claim("c1", 12).await.unwrap(), Some(parts.concat()));
    assert_eq!(world.store.claim("c1", 13).await.unwrap(), None);
    assert_eq!(world.store.claim("c2", 1).await.unwrap(), None);
    assert_eq!(world.store.claim("c1", usize::MAX).await.unwrap(), None);
    let items = world.items("orders");
    let expires = &items[&("claim#c1".to_owned(), "011".to_owned())]["expires"]["N"];
    assert_eq!(expires, "1729000");
    world.delete_item("orders", "claim#c1", "004");
    assert_eq!(world.store.claim("c1", 12).await.unwrap(), None);

    let parts = of(350 * 1024);
    world.store.put_claim("large", parts.clone(), 1_000).await.unwrap();
    assert_eq!(world.store.claim("large", 12).await.unwrap(), Some(parts.concat()));
}
