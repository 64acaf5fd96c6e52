//! The rules of the vocabulary, by table and by property.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod activity;
mod api_event;
mod cart;
mod checkout;
mod consent;
mod identity;
mod instant;
mod merge;
mod money;
mod order;
mod order_laws;
mod profile;

use canonical::fact::Line;
use canonical::money::Decimal;
use canonical::{Event, Instant, Money, Person, Source};

fn source() -> Source {
    Source {
        platform: "anyshop".into(),
        connection: "conn1".into(),
        topic: "orders/updated".into(),
        delivery_id: "d-1".into(),
    }
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn minute(minute: i64) -> Instant {
    Instant::from_millis(1_767_225_600_000 + minute * 60_000).unwrap()
}

fn decimal(text: &str) -> Decimal {
    canonical::money::decimal_from_str(text).unwrap()
}

fn euros(text: &str) -> Money {
    Money::new(decimal(text), "EUR".parse().unwrap())
}

fn ada() -> Person {
    Person { email: Some(" Ada@Example.com ".into()), customer_id: Some("c-7".into()), ..Person::default() }
}

fn line(line_id: &str, quantity: &str, unit_price: &str) -> Line {
    Line {
        line_id: line_id.into(),
        product_id: Some(format!("p-{line_id}")),
        name: format!("Thing {line_id}"),
        quantity: decimal(quantity),
        unit_price: Some(decimal(unit_price)),
        ..Line::default()
    }
}

fn metrics(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.metric.as_str()).collect()
}
