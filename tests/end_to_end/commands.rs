//! The binary's commands, against the binary's stack.

use serde_json::json;
use tests::{Delivery, now};

use crate::start_with_shop;

#[tokio::test]
async fn of_what_was_set_aside_some_is_chosen_looked_at_and_put_back() {
    let (stack, shop) = start_with_shop().await;
    let api = stack.api();
    let torn =
        Delivery { topic: "orders/create".to_owned(), id: "1".to_owned(), body: b"{\"id\": 1, ".to_vec() };
    shop.deliver(api, &torn).await;
    shop.deliver(api, &Delivery::new("orders/create", "2", &json!({"updated_at": now()}))).await;
    stack.settled().await;

    let (address, key) = api.access();
    let replay = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tillstream"));
        command.args(["replay-dlq", "--url", address]).args(arguments).env("TILLSTREAM_API_KEY", key);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let chosen = ["--reason", "no usable id", "--topic", "orders/create"];
    let told = replay(&[&chosen[..], &["--dry-run"]].concat()).await;
    assert!(told.ends_with("orders/create  2: no usable id\n1 of 2 would go back\n"), "{told}");
    assert_eq!(stack.dead_letters().await.len(), 2);
    let told = replay(&chosen).await;
    assert!(told.ends_with("1 of 2 went back\n"), "{told}");
    // It can be read no better, and comes again.
    stack.settled().await;
    assert_eq!(stack.dead_letters().await.len(), 2);
}
