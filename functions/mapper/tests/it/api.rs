use canonical::{ApiEvent, Person};
use serde_json::json;
use testing::NOW_MS;

use crate::{Shop, delivery};

fn event(email: &str, metric: &str) -> ApiEvent {
    ApiEvent {
        person: Person {
            email: Some(email.to_owned()),
            attributes: serde_json::from_value(json!({"first_name": "Ada"})).unwrap(),
            ..Person::default()
        },
        metric: metric.to_owned(),
        properties: serde_json::from_value(json!({"Colour": "green"})).unwrap(),
        ..ApiEvent::default()
    }
}

fn message(event: &ApiEvent) -> String {
    delivery("api", "", "events", serde_json::to_string(event).unwrap())
}

#[tokio::test]
async fn an_event_of_the_api_makes_its_person_and_its_metric_once() {
    let shop = Shop::open().await;
    let mut keyed = event("ada@example.com", "Watered Plant");
    keyed.unique_id = Some("w-1".to_owned());
    let mut later = keyed.clone();
    later.time = Some(testing::at(NOW_MS - 5000));
    let batch = [message(&keyed), message(&keyed), message(&later)];
    let failed = shop.deliver(&batch).await;
    assert_eq!(failed, [] as [usize; 0]);
    let [(owner, stored)] = &shop.events()[..] else { panic!("{:?}", shop.events()) };
    let ada = shop.profile("ada@example.com").await;
    assert_eq!(*owner, ada.id);
    assert_eq!(ada.attributes["first_name"], "Ada");
    assert_eq!(stored.properties["Colour"], "green");
    let metrics = shop.world.store.metrics().await.unwrap();
    assert_eq!(metrics.len(), 1);
    assert_eq!((metrics[0].name.as_str(), metrics[0].integration.as_str()), ("Watered Plant", "api"));
}

#[tokio::test]
async fn an_event_that_names_a_profile_goes_there_even_after_a_merge() {
    let shop = Shop::open().await;
    let mut by_phone = event("", "Watered Plant");
    by_phone.person.phone = Some("+12025550101".to_owned());
    by_phone.unique_id = Some("1".to_owned());
    shop.deliver(&[message(&by_phone)]).await;
    let old_id = shop.events()[0].0.clone();
    shop.deliver(&[message(&event("ada@example.com", "Watered Plant"))]).await;
    let mut both = event("ada@example.com", "Repotted Plant");
    both.person.phone = Some("+12025550101".to_owned());
    shop.deliver(&[message(&both)]).await;

    let mut by_id = event("", "Sold Plant");
    by_id.profile_id = Some(old_id.clone());
    assert_eq!(shop.deliver(&[message(&by_id)]).await, [] as [usize; 0]);
    let ada = shop.profile("ada@example.com").await.id;
    assert_ne!(ada, old_id);
    assert_eq!(shop.events().len(), 4);
    assert!(shop.events().iter().all(|(owner, _)| *owner == ada));
}

#[tokio::test]
async fn an_event_about_nobody_is_counted_and_gone() {
    let shop = Shop::open().await;
    assert_eq!(shop.deliver(&[message(&event("", "Watered Plant"))]).await, [] as [usize; 0]);
    assert_eq!(shop.events(), []);
}

#[tokio::test]
async fn an_event_that_anybody_sent_changes_nobodys_identifiers() {
    let shop = Shop::open().await;
    let mut known = event("ada@example.com", "Watered Plant");
    known.person.phone = Some("+12025550101".to_owned());
    shop.deliver(&[message(&known)]).await;
    let mut seen = event("ada@example.com", "Viewed Plant");
    seen.person.phone = Some("+12025550199".to_owned());
    seen.public = true;
    assert_eq!(shop.deliver(&[message(&seen)]).await, [] as [usize; 0]);
    let ada = shop.profile("ada@example.com").await;
    assert_eq!(ada.phone_number.as_deref(), Some("+12025550101"));
    assert_eq!(shop.events().len(), 2);
    assert!(shop.events().iter().all(|(owner, _)| *owner == ada.id));
}
