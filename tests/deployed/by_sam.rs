//! What `infra/README.md` says: `sam deploy`, `create-key`, `replay`.

use std::path::Path;

use serde_json::json;
use tests::{Delivery, Deployed, Order, Shop, api::at_least, eventually_eq, now};

use crate::{EMULATOR, shopify, whole_segment};

#[tokio::test]
async fn what_sam_deploys_takes_a_delivery_and_replays_what_was_set_aside() {
    let stack = Deployed::by_sam(&EMULATOR).await;
    let api = stack.api();
    script("create-key", tests::deployed::KEY);
    let shop = Shop::connect(api).await;
    let buyers = whole_segment(api, "Buyers", &at_least(1, &shopify("Placed Order"), 30, "day")).await;
    shop.deliver(api, &Order::new(1, "ida@example.com", now()).created()).await;
    shop.deliver(api, &Delivery::new("orders/create", "2", &json!({"email": "ida@example.com"}))).await;
    let members = vec!["ida@example.com".to_owned()];
    eventually_eq("the buyer is a member", &members, async || api.members(&buyers).await).await;
    stack.settled().await;
    assert_eq!(stack.dead_letters().await.len(), 1);

    // It cannot be read the second time either.
    script("replay", tests::deployed::KEY);
    stack.settled().await;
    eventually_eq("set aside again", &1, async || stack.depth("RawDeliveriesDeadLetterQueue").await).await;
    assert_eq!(stack.depth("EvaluatorFailuresQueue").await, 0);
}

/// Runs a script of `infra/` for the stack that `sam` has deployed.
fn script(name: &str, key: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra").join(name);
    let mut command = EMULATOR.tool(script);
    let output = command.arg(tests::deployed::BY_SAM).env("TILLSTREAM_KEY", key).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}
