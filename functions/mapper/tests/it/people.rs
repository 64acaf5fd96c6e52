use canonical::fact::{Channel, ConsentStatus};
use canonical::{ApiEvent, Person};
use platform::{Delivery, Headers};
use serde_json::{Value, json};
use store::{ConnectionRecord, ConnectionStatus, Job, JobKind};

use crate::{SHOP, Shop, customer, delivery, order};

#[tokio::test]
async fn what_only_the_catalog_knows_is_added_to_lines() {
    let shop = Shop::open().await;
    let product = json!({
        "id": 7, "title": "Fern in a pot", "vendor": "Fern & Flint", "product_type": "Plants",
        "handle": "fern", "image": {"src": "https://cdn.example.com/fern.jpg"},
        "updated_at": "2026-06-01T00:00:00Z",
    });
    shop.tell("products/create", &product).await;
    shop.tell("orders/create", &order(1, Some("ada@example.com"), None)).await;
    let products: Vec<Value> = shop
        .events()
        .into_iter()
        .filter(|(_, event)| event.metric == "Ordered Product")
        .map(|(_, event)| Value::Object(event.properties))
        .collect();
    let of = |name: &str| products.iter().find(|one| one["Name"] == name).unwrap().to_string();
    for known in ["Plants", "https://cdn.example.com/fern.jpg"] {
        assert!(of("Fern in a pot").contains(known), "{}", of("Fern in a pot"));
        assert!(!of("Flint").contains(known));
    }
}

fn consent(state: &str, at: &str) -> Value {
    json!({
        "customer_id": 5, "email_address": "ada@example.com",
        "email_marketing_consent": {"state": state, "consent_updated_at": at},
    })
}

#[tokio::test]
async fn consent_that_is_replayed_in_any_order_ends_with_the_newest_decision_and_one_event_each() {
    let topic = "customers_email_marketing_consent/update";
    let yes = consent("subscribed", "2026-06-01T00:00:00Z");
    let no = consent("unsubscribed", "2026-06-02T00:00:00Z");
    for story in [[&yes, &no, &yes], [&no, &yes, &no], [&no, &yes, &yes]] {
        let shop = Shop::open().await;
        for body in story {
            shop.tell(topic, body).await;
        }
        let consent = shop.profile("ada@example.com").await.consent[&Channel::Email].clone();
        assert_eq!(consent.status, ConsentStatus::Unsubscribed);
        assert_eq!(consent.source.as_deref(), Some("shopify"));
        let expected = ["Subscribed to Email Marketing", "Unsubscribed from Email Marketing"];
        assert_eq!(shop.metrics(), expected);
    }
}

#[tokio::test]
async fn an_order_that_accepts_marketing_changes_no_consent() {
    let shop = Shop::open().await;
    let mut body = order(1, Some("ada@example.com"), None);
    body["buyer_accepts_marketing"] = json!(true);
    shop.tell("orders/create", &body).await;
    assert!(shop.profile("ada@example.com").await.consent.is_empty());
}

#[tokio::test]
async fn attributes_are_those_of_the_newest_record_in_whatever_order_they_come() {
    let record = |name: &str, at: &str| json!({"id": 5, "email": "ada@example.com", "first_name": name, "updated_at": at});
    let (old, new) = (record("Adda", "2026-06-01T00:00:00Z"), record("Ada", "2026-06-02T00:00:00Z"));
    for story in [[&old, &new], [&new, &old]] {
        let shop = Shop::open().await;
        for body in story {
            shop.tell("customers/update", body).await;
        }
        assert_eq!(shop.profile("ada@example.com").await.attributes["first_name"], "Ada");
    }
}

#[tokio::test]
async fn an_order_that_is_redelivered_after_an_erasure_brings_nobody_back() {
    let shop = Shop::open().await;
    shop.tell("customers/create", &customer(5, "ada@example.com")).await;
    shop.tell("orders/create", &order(1, Some("ada@example.com"), Some(5))).await;
    shop.tell("orders/create", &order(2, None, Some(6))).await;
    let redact = json!({
        "shop_domain": "fern.example.com", "customer": {"id": 5, "email": "ada@example.com"},
        "orders_to_redact": [1, 2],
    });
    shop.tell("customers/redact", &redact).await;
    shop.tell("orders/updated", &order(1, Some("ada@example.com"), Some(5))).await;
    shop.tell("customers/redact", &redact).await;
    assert_eq!(shop.events(), []);
    let items = format!("{:?}{:?}", shop.world.items("profiles"), shop.world.items("orders"));
    assert!(!items.contains("ada@example.com") && !items.contains("Flint"), "{items}");

    // She comes back by herself.
    shop.world.pass(60_000);
    let mut anew = order(3, Some("ada@example.com"), Some(5));
    anew["updated_at"] = json!("2026-06-17T12:00:30Z");
    shop.tell("orders/create", &anew).await;
    assert_eq!(shop.events().len(), 3);
}

#[tokio::test]
async fn a_deleted_customer_keeps_the_history_and_loses_the_link() {
    let shop = Shop::open().await;
    shop.tell("customers/create", &customer(5, "ada@example.com")).await;
    shop.tell("orders/create", &order(1, None, Some(5))).await;
    shop.tell("customers/delete", &json!({"id": 5})).await;
    assert_eq!(shop.events().len(), 3);
    shop.tell("orders/create", &order(2, None, Some(5))).await;
    assert_eq!(shop.events().len(), 3, "nobody's for now");
}

#[tokio::test]
async fn a_shop_that_leaves_is_disconnected_and_its_erasure_becomes_one_job() {
    let shop = Shop::open().await;
    shop.tell("app/uninstalled", &json!({"id": 1, "domain": "fern.example.com"})).await;
    let connection = shop.world.store.connection(SHOP).await.unwrap().unwrap();
    assert_eq!(connection.status, ConnectionStatus::Disconnected);
    for _ in 0..2 {
        shop.tell("shop/redact", &json!({"shop_id": 1, "shop_domain": "fern.example.com"})).await;
    }
    assert_eq!(shop.world.store.jobs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_only_a_comparison_shows_is_told_once_and_not_at_first_sight() {
    let shop = Shop::open().await;
    let connection = ConnectionRecord {
        id: "C2".to_owned(),
        platform: "custom".to_owned(),
        ..shop.world.store.connection(SHOP).await.unwrap().unwrap()
    };
    shop.world.store.create_connection(&connection).await.unwrap();
    let tier = |tier: Value, day: u32| {
        let at = format!("2026-06-{day:02}T00:00:00Z");
        let person = json!({"email": "ada@example.com", "customer_id": "5"});
        let mut member = person.clone();
        member["attributes"] = json!({"properties": {"Tier": tier}});
        let facts = json!({"facts": [
            {
                "fact": "loyalty", "activity_id": format!("5:{tier}:{day}"), "person": person,
                "metric": "VIP Tier Achieved", "at": at,
                "changes": {"property": "Tier", "value": tier},
            },
            {"fact": "customer", "person": member, "updated_at": at},
        ]});
        delivery("custom", "C2", "facts", facts.to_string())
    };
    for (message, expected) in [
        (tier(json!("Silver"), 1), 0),
        (tier(json!("Silver"), 2), 0),
        (tier(json!("Gold"), 5), 1),
        (tier(json!("Gold"), 5), 1),
        (tier(json!("Bronze"), 3), 1),
        (tier(json!("Silver"), 6), 2),
    ] {
        assert_eq!(shop.deliver(&[message]).await, [] as [usize; 0]);
        assert_eq!(shop.metrics(), vec!["VIP Tier Achieved"; expected]);
    }
}

/// As the API erases somebody.
async fn erase(shop: &Shop, email: &str) {
    let profile = shop.profile(email).await;
    let found = shop.world.store.profile(&profile.id).await.unwrap().unwrap();
    let job = Job::new("J1".to_owned(), JobKind::Settle { profile: profile.id.clone() }, 1, shop.world.now());
    shop.world.store.begin_erasure(&found, &job, shop.world.now()).await.unwrap();
    shop.world.store.settle(&profile.id, None).await.unwrap();
}

#[tokio::test]
async fn nothing_that_was_told_before_an_erasure_brings_the_person_back() {
    let shop = Shop::open().await;
    let email = "ada@example.com";
    let api = |event: &ApiEvent| delivery("api", "", "events", serde_json::to_string(event).unwrap());
    let person = Person { email: Some(email.to_owned()), ..Person::default() };
    let watered = |seconds: i64| ApiEvent {
        person: person.clone(),
        metric: "Watered Plant".to_owned(),
        time: Some(testing::at(testing::NOW_MS + 1000 * seconds)),
        ..ApiEvent::default()
    };
    let queued = api(&ApiEvent { time: None, ..watered(0) });
    shop.tell("customers/create", &customer(5, email)).await;
    shop.tell("orders/create", &order(1, Some(email), Some(5))).await;
    shop.deliver(&[api(&watered(-60))]).await;
    erase(&shop, email).await;
    shop.world.pass(60_000);

    let assert_gone = |what: &str| {
        assert_eq!(shop.metrics(), [] as [&str; 0], "{what}");
        let items = shop.world.items("profiles");
        let is_profile = |item: &Value| item["sk"]["S"] == "profile" && item.get("doc").is_some();
        assert!(!items.values().any(is_profile), "{what}");
        assert!(!format!("{items:?}").contains("ada"), "{what}");
    };
    shop.tell("customers/create", &customer(5, email)).await;
    assert_gone("the customer");
    shop.tell("customers/create", &customer(5, "ada.older@example.com")).await;
    assert_gone("the customer under an older address");
    shop.tell("orders/create", &order(1, Some(email), Some(5))).await;
    assert_gone("an order that is known");
    shop.tell("orders/create", &order(2, Some(email), None)).await;
    assert_gone("an order that had got lost");
    shop.tell("orders/create", &order(3, None, Some(5))).await;
    assert_gone("an order of the customer");
    let mut dateless = order(4, Some(email), None);
    dateless.as_object_mut().unwrap().remove("updated_at");
    shop.tell("orders/create", &dateless).await;
    assert_gone("an order without a time, received before");
    shop.deliver(&[queued]).await;
    assert_gone("an event that had waited in the queue");
    shop.deliver(&[api_now(&shop, &watered(-60))]).await;
    assert_gone("an event that is sent again");

    // What happens afterwards is somebody new.
    shop.deliver(&[api_now(&shop, &watered(60))]).await;
    assert_eq!(shop.metrics(), ["Watered Plant"]);
    shop.deliver(&[api_now(&shop, &watered(-60))]).await;
    assert_eq!(shop.metrics(), ["Watered Plant"]);
}

/// An event that a client sends at the test's present.
fn api_now(shop: &Shop, event: &ApiEvent) -> String {
    let delivery = Delivery {
        platform: "api".to_owned(),
        connection: String::new(),
        topic: "events".to_owned(),
        delivery_id: "D2".to_owned(),
        received_at: shop.world.now().timestamp(),
        headers: Headers::default(),
        backfill: false,
        body: serde_json::to_vec(event).unwrap(),
    };
    delivery.to_message().unwrap()
}
