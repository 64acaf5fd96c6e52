use serde_json::{Value, json};
use store::{Subject, SubjectKey};
use testing::Answer;

use crate::{SHOP, Shop, customer, message, order};

fn cart(quantity: u32, at: &str) -> Value {
    json!({
        "id": "cart1", "token": "cart1", "updated_at": at,
        "line_items": [{"id": 70, "key": "70:a", "product_id": 7, "title": "Fern in a pot",
            "quantity": quantity, "price": "10.00"}],
    })
}

fn checkout(email: Option<&str>, customer: Option<u64>) -> Value {
    json!({
        "id": 9, "token": "checkout1", "cart_token": "cart1", "email": email, "currency": "EUR",
        "customer": customer.map(|id| json!({"id": id})),
        "total_price": "10.00", "created_at": "2026-06-16T10:00:00Z", "updated_at": "2026-06-16T10:05:00Z",
        "line_items": [{"product_id": 7, "title": "Fern in a pot", "quantity": 1, "price": "10.00"}],
    })
}

fn parked(shop: &Shop) -> usize {
    let items = shop.world.items("orders");
    let waits = |item: &Value| item["doc"]["S"].as_str().is_some_and(|doc| doc.contains("\"parked\""));
    items.values().filter(|item| waits(item)).count()
}

#[tokio::test]
async fn what_lies_in_a_cart_waits_until_its_checkout_names_somebody() {
    let shop = Shop::open().await;
    shop.tell("carts/create", &cart(1, "2026-06-16T09:00:00Z")).await;
    shop.tell("carts/update", &cart(3, "2026-06-16T09:10:00Z")).await;
    shop.tell("checkouts/create", &checkout(None, None)).await;
    assert_eq!(shop.events(), []);
    assert_eq!(parked(&shop), 2);
    let items = shop.world.items("orders");
    assert!(items.values().all(|item| item["expires"]["N"].is_string()), "nobody's ledgers expire");

    shop.tell("checkouts/update", &checkout(Some("ada@example.com"), None)).await;
    assert_eq!(shop.metrics(), ["Added to Cart", "Added to Cart", "Started Checkout"]);
    assert_eq!(parked(&shop), 0);
    let ada = shop.profile("ada@example.com").await.id;
    assert!(shop.events().iter().all(|(profile, _)| *profile == ada));
    let items = shop.world.items("orders");
    assert!(items.values().all(|item| item.get("expires").is_none()), "somebody's ledgers stay");

    // From now on the cart is hers.
    shop.tell("carts/update", &cart(4, "2026-06-16T09:20:00Z")).await;
    assert_eq!(shop.events().len(), 4);
}

#[tokio::test]
async fn what_a_customer_did_waits_until_the_customer_is_identified() {
    let shop = Shop::open().await;
    shop.tell("orders/create", &order(1, None, Some(5))).await;
    shop.tell("orders/create", &order(2, None, Some(5))).await;
    shop.tell("orders/create", &order(3, None, Some(6))).await;
    assert_eq!(shop.events(), []);
    shop.tell("customers/create", &customer(5, "ada@example.com")).await;
    assert_eq!(shop.events().len(), 6);
    assert_eq!(shop.world.store.parked(SHOP, "5").await.unwrap(), []);
    assert_eq!(shop.world.store.parked(SHOP, "6").await.unwrap().len(), 1);
    // The customer is known now: the next order needs no address.
    shop.tell("orders/create", &order(4, None, Some(5))).await;
    assert_eq!(shop.events().len(), 9);
}

/// An order and the record of its customer arrive at the same moment, and each is worked on before it could see the
/// other.
#[tokio::test]
async fn nothing_waits_for_ever_when_the_customer_is_identified_meanwhile() {
    // The calls of the order's delivery between which the customer's record is worked off as a whole.
    for moment in ["ledger", "#customer#"] {
        let shop = Shop::open().await;
        let rival = crate::mapper(&shop.world);
        let rival = std::sync::Arc::new(rival);
        let turn = std::sync::Arc::new(std::sync::Mutex::new(Some(())));
        let pass = turn.clone();
        shop.world.intercept(move |call| {
            let mine = call.is("PutItem", moment) && pass.lock().unwrap().take().is_some();
            let rival = rival.clone();
            async move {
                if mine {
                    let message = message("customers/create", &customer(5, "ada@example.com"));
                    let delivery = platform::Delivery::from_message(&message).unwrap();
                    Box::pin(rival.delivery(delivery)).await.unwrap();
                }
                Answer::Pass
            }
        });
        shop.tell("orders/create", &order(1, None, Some(5))).await;
        assert!(turn.lock().unwrap().is_none());
        assert_eq!(shop.events().len(), 3, "{moment}");
        assert_eq!(parked(&shop), 0);
    }
}

/// The other way round: the order is parked after the waiting ledgers were looked for and before the link is written.
#[tokio::test]
async fn nothing_waits_for_ever_when_it_is_parked_while_the_customer_is_linked() {
    let shop = Shop::open().await;
    let rival = std::sync::Arc::new(crate::mapper(&shop.world));
    let state = std::sync::Arc::new(std::sync::Mutex::new((false, false)));
    shop.world.intercept(move |call| {
        let parks = {
            let (looked, parked) = &mut *state.lock().unwrap();
            *looked |= call.is("Query", "#customer#5");
            let parks = *looked && !*parked && call.is("UpdateItem", "\"i#");
            *parked |= parks;
            parks
        };
        let rival = rival.clone();
        async move {
            if parks {
                let message = message("orders/create", &order(1, None, Some(5)));
                let delivery = platform::Delivery::from_message(&message).unwrap();
                Box::pin(rival.delivery(delivery)).await.unwrap();
            }
            Answer::Pass
        }
    });
    shop.tell("customers/create", &customer(5, "ada@example.com")).await;
    assert_eq!(shop.events().len(), 3);
    assert_eq!(parked(&shop), 0);
}

/// The same, and the order's delivery breaks off before it looks whether the customer was linked.
#[tokio::test]
async fn nothing_waits_for_ever_when_its_delivery_breaks_off_before_it_looks_for_the_customer() {
    let shop = Shop::open().await;
    let rival = std::sync::Arc::new(crate::mapper(&shop.world));
    let state = std::sync::Arc::new(std::sync::Mutex::new((false, false)));
    shop.world.intercept(move |call| {
        let (links, breaks_off) = {
            let (linked, written) = &mut *state.lock().unwrap();
            let links = !*linked && call.is("PutItem", "#customer#");
            *linked |= links;
            *written |= call.is("PutItem", "ledger");
            (links, *written && call.operation == "BatchGetItem")
        };
        let rival = rival.clone();
        async move {
            if links {
                let message = message("customers/create", &customer(5, "ada@example.com"));
                let delivery = platform::Delivery::from_message(&message).unwrap();
                Box::pin(rival.delivery(delivery)).await.unwrap();
            }
            if breaks_off { Answer::Throttle } else { Answer::Pass }
        }
    });
    let placed = message("orders/create", &order(1, None, Some(5)));
    assert_eq!(shop.deliver(std::slice::from_ref(&placed)).await, [0]);
    assert_eq!(parked(&shop), 1);
    shop.world.let_pass();
    assert_eq!(shop.deliver(&[placed]).await, [] as [usize; 0]);
    assert_eq!(shop.events().len(), 3);
    assert_eq!(parked(&shop), 0);
}

#[tokio::test]
async fn a_ledger_that_waits_keeps_at_most_a_hundred_events() {
    let shop = Shop::open().await;
    for minute in 0..60 {
        for second in [0, 30] {
            let at = format!("2026-06-16T09:{minute:02}:{second:02}Z");
            shop.tell("carts/update", &cart(minute * 2 + second / 30 + 1, &at)).await;
        }
    }
    let key = SubjectKey { connection: SHOP.to_owned(), kind: "cart", id: "cart1".to_owned() };
    let ledger: Subject<canonical::cart::Ledger> = shop.world.store.subject(&key).await.unwrap();
    assert_eq!(ledger.parked.len(), 100);
    assert_eq!(ledger.parked[99].occurred_at.to_utc_string(), "2026-06-16T09:59:30Z", "the newest stay");
}
