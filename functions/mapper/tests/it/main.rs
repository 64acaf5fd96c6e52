//! The mapper over a real (embedded) DynamoDB and a queue that records.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod api;
mod archive;
mod batches;
mod crashes;
mod fetching;
mod large;
mod parking;
mod people;
mod scenarios;

use ::mapper::Mapper;
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use canonical::Event;
use jiff::Timestamp;
use platform::{Delivery, Headers};
use serde_json::{Value, json};
use store::{ConnectionRecord, ConnectionStatus};
use testing::{Call, NOW_MS, World};

const SHOP: &str = "C1";

/// A function with its surroundings, and one connected shop.
struct Shop {
    world: World,
    mapper: Mapper,
}

impl Shop {
    async fn open() -> Self {
        let world = World::start().await;
        let connection = ConnectionRecord {
            id: SHOP.to_owned(),
            platform: "shopify".to_owned(),
            name: "Fern & Flint".to_owned(),
            settings: serde_json::Map::new(),
            secret_names: Vec::new(),
            status: ConnectionStatus::Active,
            created_at: world.now(),
            updated_at: world.now(),
        };
        world.store.create_connection(&connection).await.unwrap();
        let mapper = mapper(&world);
        Self { world, mapper }
    }

    /// A function that has just started, in the same surroundings.
    fn restart(&mut self) {
        self.mapper = mapper(&self.world);
    }

    /// Delivers a batch; the numbers of the messages that must come again.
    async fn deliver(&self, messages: &[String]) -> Vec<usize> {
        let mut event = SqsEvent::default();
        event.records = messages
            .iter()
            .enumerate()
            .map(|(number, body)| {
                let mut message = SqsMessage::default();
                message.message_id = Some(number.to_string());
                message.body = Some(body.clone());
                message
            })
            .collect();
        let response = self.mapper.handle(event).await.unwrap();
        let mut failed: Vec<usize> = response
            .batch_item_failures
            .iter()
            .map(|failure| failure.item_identifier.parse().unwrap())
            .collect();
        failed.sort_unstable();
        failed
    }

    /// Delivers one message that is worked off.
    async fn tell(&self, topic: &str, body: &Value) {
        assert_eq!(self.deliver(&[message(topic, body)]).await, [] as [usize; 0], "{topic}");
        assert_eq!(self.world.take_sent(testing::DEAD_LETTER_QUEUE), [], "{topic}");
    }

    /// All events of everybody: (profile, metric, event), by profile and metric.
    fn events(&self) -> Vec<(String, Event)> {
        let items = self.world.items("profiles");
        let is_event = |(_, sort): &(String, String)| sort.starts_with("e#");
        let mut events: Vec<(String, Event)> = items
            .into_iter()
            .filter(|(key, _)| is_event(key))
            .map(|((partition, _), item)| {
                let event: Event = serde_json::from_str(item["doc"]["S"].as_str().unwrap()).unwrap();
                (partition.strip_prefix("p#").unwrap().to_owned(), event)
            })
            .collect();
        events.sort_by(|(_, a), (_, b)| (&a.metric, &a.id).cmp(&(&b.metric, &b.id)));
        events
    }

    fn metrics(&self) -> Vec<String> {
        self.events().into_iter().map(|(_, event)| event.metric).collect()
    }

    /// The one profile that has this e-mail address.
    async fn profile(&self, email: &str) -> canonical::Profile {
        let identifiers =
            canonical::identity::Identifiers { email: Some(email.to_owned()), ..Default::default() };
        self.world.store.find_person(&identifiers).await.unwrap().unwrap().value
    }
}

fn mapper(world: &World) -> Mapper {
    Mapper::new(&world.config(), &world.clients, world.clock()).unwrap()
}

fn message(topic: &str, body: &Value) -> String {
    delivery("shopify", SHOP, topic, body.to_string())
}

fn delivery(platform: &str, connection: &str, topic: &str, body: String) -> String {
    let delivery = Delivery {
        platform: platform.to_owned(),
        connection: connection.to_owned(),
        topic: topic.to_owned(),
        delivery_id: format!("{topic}-1"),
        received_at: Timestamp::from_millisecond(NOW_MS).unwrap(),
        headers: Headers::default(),
        backfill: false,
        body: body.into_bytes(),
    };
    delivery.to_message().unwrap()
}

/// An order of two lines, placed on the day before.
fn order(id: u64, email: Option<&str>, customer: Option<u64>) -> Value {
    json!({
        "id": id, "email": email, "name": format!("#{id}"), "currency": "EUR", "total_price": "30.00",
        "created_at": "2026-06-16T10:00:00Z", "processed_at": "2026-06-16T10:00:00Z",
        "updated_at": "2026-06-16T10:00:00Z",
        "customer": customer.map(|customer| json!({"id": customer})),
        "line_items": [
            {"id": id * 10, "product_id": 7, "title": "Fern in a pot", "quantity": 1, "price": "10.00"},
            {"id": id * 10 + 1, "product_id": 8, "title": "Flint", "quantity": 2, "price": "10.00"},
        ],
    })
}

fn customer(id: u64, email: &str) -> Value {
    json!({"id": id, "email": email, "first_name": "Ada", "updated_at": "2026-06-16T09:00:00Z"})
}

/// Whether a call writes what a delivery says. How its connection fares is counted each time, and may get lost.
fn is_write(call: &Call) -> bool {
    let is_health = call.body["Key"]["pk"]["S"] == "health";
    let writes = matches!(
        call.operation.as_str(),
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems"
    );
    writes && !is_health
}
