//! States that another version of the engine wrote.

use std::collections::HashSet;

use serde_json::json;

use crate::{Shop, base64, orders};

/// Of every format but today's, whatever follows it.
#[tokio::test]
async fn a_state_of_another_format_is_made_anew_and_nobody_enters_or_leaves_for_it() {
    for format in [0_u8, 1, 2, 9] {
        let shop = Shop::open().await;
        shop.define("ONE", orders(1)).await;
        shop.define("TWO", orders(2)).await;
        let ada = shop.person("ada@example.com").await;
        shop.order(&ada, "1").await;
        shop.evaluate_all().await;
        let joined = shop.world.store.membership(&ada, "ONE").await.unwrap().unwrap();
        let told = shop.world.items("profiles").into_keys().collect::<HashSet<_>>();

        let key = (format!("p#{ada}"), "state".to_owned());
        let mut state = shop.outcome()[&key].clone();
        let mut bytes = base64(state["b"]["B"].as_str().unwrap());
        bytes[0] = format;
        state["b"] = json!({"B": encoded(&bytes)});
        shop.world.put_item("profiles", &state);

        shop.order(&ada, "2").await;
        shop.evaluate_all().await;
        assert_eq!(
            shop.world.store.membership(&ada, "ONE").await.unwrap().unwrap(),
            joined,
            "format {format}"
        );
        assert!(shop.is_member(&ada, "TWO").await, "format {format}");
        let bytes = shop.world.store.state(&ada).await.unwrap().unwrap().bytes;
        assert!(segments::State::decode(&bytes).is_ok(), "format {format}");
        // The second order and the membership in the second segment; nothing new about the first.
        let now = shop.world.items("profiles").into_keys();
        let new: Vec<_> = now.filter(|key| !told.contains(key)).map(|(_, sort)| sort).collect();
        assert_eq!(new.len(), 2, "{new:?}");
    }
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
