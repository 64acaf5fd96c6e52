use ::archive::memory::Bucket;
use ::archive::{Entry, Told};
use jiff::Timestamp;
use platform::Delivery;
use serde_json::json;
use testing::{Answer, DEAD_LETTER_QUEUE, NOW_MS};

use crate::{SHOP, Shop, customer, delivery, mapper, message, order};

const EMAIL: &str = "ada@example.com";

async fn archiving() -> (Shop, Bucket) {
    let mut shop = Shop::open().await;
    let bucket = Bucket::default();
    shop.mapper = mapper(&shop.world).with_archive(Some(bucket.archive()));
    (shop, bucket)
}

async fn entries(bucket: &Bucket) -> Vec<Entry> {
    let mut entries = Vec::new();
    for key in bucket.keys() {
        entries.extend(bucket.archive().read(&key).await.unwrap().unwrap().entries);
    }
    entries
}

#[tokio::test]
async fn a_batch_is_one_object_that_says_what_became_of_each() {
    let (shop, bucket) = archiving().await;
    let batch = [
        message("orders/create", &order(1, Some(EMAIL), None)),
        message("app/news", &json!({"to": "bob@example.com"})),
        delivery("nowhere", SHOP, "orders/create", "{}".to_owned()),
        "not a message".to_owned(),
    ];
    assert_eq!(shop.deliver(&batch).await, [] as [usize; 0]);
    assert_eq!(bucket.keys().len(), 1);
    assert!(bucket.keys()[0].starts_with("deliveries/2026-06-17/12-00/"), "{:?}", bucket.keys());

    let mut entries = entries(&bucket).await;
    entries.sort_by(|a, b| (&a.platform, &a.topic).cmp(&(&b.platform, &b.topic)));
    let outcomes: Vec<_> =
        entries.iter().map(|entry| (entry.topic.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(
        outcomes,
        [("orders/create", "dead_lettered"), ("app/news", "unknown_topic"), ("orders/create", "mapped")]
    );
    assert_eq!(entries[0].reason.as_deref(), Some("no such platform"));
    let name = |email: &str| store::name_of(&canonical::identity::Identifier::Email(email.to_owned()));
    assert_eq!(entries[1].about, [name("bob@example.com")]);

    let mapped = &entries[2];
    let ada = shop.profile(EMAIL).await.id;
    assert_eq!(mapped.profiles.concat(), ada);
    let mut told: Vec<Told> =
        shop.events().into_iter().map(|(profile, event)| Told { profile, event: event.id }).collect();
    told.sort_by(|a, b| a.event.cmp(&b.event));
    let mut noted = mapped.events.clone();
    noted.sort_by(|a, b| a.event.cmp(&b.event));
    assert_eq!(noted, told);
    assert!(mapped.about.contains(&name(EMAIL)) && mapped.about.contains(&store::name_of_profile(&ada)));
    let kept = Delivery::from_message(mapped.message.as_deref().unwrap()).unwrap();
    assert_eq!(kept, Delivery::from_message(&batch[0]).unwrap());
    assert_eq!(bucket.archive().find(&mapped.id).await.unwrap().as_ref(), Some(mapped));
}

#[tokio::test]
async fn what_cannot_be_archived_comes_again_and_its_events_are_there_all_the_same() {
    let (shop, bucket) = archiving().await;
    bucket.fail(true);
    let batch = [
        message("orders/create", &order(1, Some(EMAIL), None)),
        delivery("nowhere", SHOP, "orders/create", "{}".to_owned()),
    ];
    assert_eq!(shop.deliver(&batch).await, [0]);
    assert_eq!(shop.events().len(), 3);
    // It is in the dead-letter queue, and is archived when it is put back.
    assert_eq!(shop.world.take_sent(DEAD_LETTER_QUEUE).len(), 1);

    bucket.fail(false);
    assert_eq!(shop.deliver(&batch[..1]).await, [] as [usize; 0]);
    assert_eq!(shop.events().len(), 3);
    assert_eq!(entries(&bucket).await.len(), 1);
}

#[tokio::test]
async fn what_comes_again_or_was_imported_is_not_archived() {
    let (shop, bucket) = archiving().await;
    shop.world.intercept_once(Answer::Throttle, |call| call.operation == "PutItem");
    let placed = message("orders/create", &order(1, Some(EMAIL), None));
    assert_eq!(shop.deliver(std::slice::from_ref(&placed)).await, [0]);
    shop.world.let_pass();
    let imported = Delivery { backfill: true, ..Delivery::from_message(&placed).unwrap() };
    assert_eq!(shop.deliver(&[imported.to_message().unwrap()]).await, [] as [usize; 0]);
    assert_eq!(shop.events().len(), 3);
    assert_eq!(bucket.keys(), [] as [String; 0]);
}

#[tokio::test]
async fn of_somebody_who_was_erased_and_of_the_wish_itself_only_that_it_came_is_kept() {
    let (shop, bucket) = archiving().await;
    let placed = order(1, Some(EMAIL), Some(7));
    shop.tell("customers/update", &customer(7, EMAIL)).await;
    let wish = json!({"customer": {"id": 7, "email": EMAIL}, "orders_to_redact": [1]});
    shop.world.pass(60_000);
    shop.tell("customers/redact", &wish).await;
    shop.tell("orders/create", &placed).await;
    // Without an address, too.
    shop.tell("orders/updated", &order(2, None, Some(7))).await;
    let jobs = shop.world.store.jobs().await.unwrap();
    assert_eq!(jobs.len(), 1, "the archive is gone through");
    let store::JobKind::EraseArchived { connection: None, names } = &jobs[0].kind else {
        panic!("{:?}", jobs[0].kind)
    };
    // The address, the customer's number and the profile.
    assert_eq!(names.len(), 3);

    for entry in entries(&bucket).await {
        let is_before = entry.topic == "customers/update";
        assert_eq!(entry.message.is_some(), is_before, "{entry:?}");
        assert_eq!(entry.outcome == archive::ERASED, !is_before, "{entry:?}");
    }
}

#[tokio::test]
async fn large_deliveries_share_no_object() {
    let (shop, bucket) = archiving().await;
    let batch: Vec<String> = (1..=5)
        .map(|id| {
            let mut order = order(id, Some(EMAIL), None);
            order["note"] = "very long ".repeat(300_000).into();
            let body = order.to_string();
            let delivery = Delivery {
                delivery_id: id.to_string(),
                ..Delivery::from_message(&delivery("shopify", SHOP, "orders/create", body)).unwrap()
            };
            delivery.to_message().unwrap()
        })
        .collect();
    assert_eq!(shop.deliver(&batch).await, [] as [usize; 0]);
    assert_eq!(bucket.keys().len(), 3);
    assert_eq!(entries(&bucket).await.len(), 5);
}

#[tokio::test]
async fn a_shop_is_not_ended_twice() {
    let (shop, bucket) = archiving().await;
    shop.tell("app/uninstalled", &json!({"id": 1})).await;
    let entries = entries(&bucket).await;
    assert_eq!((entries.len(), entries[0].message.as_ref()), (1, None));
}

#[tokio::test]
async fn a_delivery_is_found_by_its_id_among_all_of_its_minute() {
    let (shop, bucket) = archiving().await;
    for id in 1..=30 {
        let body = order(id, Some(EMAIL), None).to_string();
        let delivery = Delivery {
            delivery_id: id.to_string(),
            received_at: Timestamp::from_millisecond(NOW_MS + i64::try_from(id).unwrap()).unwrap(),
            ..Delivery::from_message(&delivery("shopify", SHOP, "orders/create", body)).unwrap()
        };
        let id = delivery.label().id();
        assert_eq!(bucket.archive().find(&id).await.unwrap(), None);
        shop.deliver(&[delivery.to_message().unwrap()]).await;
        assert_eq!(bucket.archive().find(&id).await.unwrap().unwrap().id, id);
    }
    assert_eq!(bucket.archive().find("1781697600000-0000000000X0").await.unwrap(), None);
    assert_eq!(bucket.archive().find("nonsense").await.unwrap(), None);
}
