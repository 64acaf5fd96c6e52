use serde_json::Value;
use tests::{Api, Order, api::at_least, eventually, eventually_eq, now};

use crate::{shopify, start_with_shop};

fn orders(count: u32) -> Value {
    at_least(count, &shopify("Placed Order"), 30, "day")
}

async fn segments_of(api: &Api, email: &str) -> Vec<String> {
    let profile = api.profile_id(email).await;
    let segments = api.all(&format!("/api/profiles/{profile}/segments"), &[]).await;
    segments.iter().map(|segment| segment["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_new_an_edited_and_a_deleted_segment_agree_with_what_happened_before() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    for (order, email) in [(1, "ann"), (2, "ann"), (3, "bob"), (4, "cat"), (5, "cat"), (6, "cat")] {
        shop.deliver(api, &Order::new(order, &format!("{email}@example.com"), now()).created()).await;
    }
    stack.settled().await;

    let repeated = api.create_segment("Bought twice", &orders(2)).await;
    api.segment_is_whole(&repeated).await;
    let (ann, cat) = ("ann@example.com".to_owned(), "cat@example.com".to_owned());
    assert_eq!(api.members(&repeated).await, [ann.clone(), cat.clone()]);

    // Whoever is a member under both definitions is one all the time.
    api.redefine_segment(&repeated, &orders(3)).await;
    eventually("the segment is whole again", async || {
        let segment = api.get(&format!("/api/segments/{repeated}"), &[]).await;
        let members = api.members(&repeated).await;
        assert!(members.contains(&cat), "{members:?}");
        (segment.attributes()["is_processing"] == false).then_some(())
    })
    .await;
    assert_eq!(api.members(&repeated).await, std::slice::from_ref(&cat));
    assert_eq!(segments_of(api, "cat@example.com").await, std::slice::from_ref(&repeated));
    assert_eq!(segments_of(api, "ann@example.com").await, [""; 0]);

    // The edited definition lives on.
    shop.deliver(api, &Order::new(7, "ann@example.com", now()).created()).await;
    eventually_eq("ann joins", &vec![ann, cat], async || api.members(&repeated).await).await;

    assert_eq!(api.delete(&format!("/api/segments/{repeated}")).await.status, 204);
    assert_eq!(api.get(&format!("/api/segments/{repeated}"), &[]).await.status, 404);
    assert_eq!(api.get(&format!("/api/segments/{repeated}/profiles"), &[]).await.status, 404);
    assert_eq!(segments_of(api, "cat@example.com").await, [""; 0]);
    let profile = api.profile_id("cat@example.com").await;
    eventually("the membership has ended", async || {
        let membership = stack.store().membership(&profile, &repeated).await.unwrap();
        membership.is_none_or(|membership| !membership.current).then_some(())
    })
    .await;
}
