//! The shop's records as the webhooks that Shopify would send.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::shop::{Checkout, Customer, DOMAIN, Fate, Line, Order, PRODUCTS, SHIPPING_CENTS, Shop};
use crate::random::Random;

/// Of a hundred deliveries, how many come twice.
const REPEATED_PERCENT: u64 = 10;
/// Deliveries that somebody without the secret sends.
const FORGED: usize = 3;
const CURRENCY: &str = "EUR";

/// One request to the webhook address.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) topic: &'static str,
    /// The same in every repetition.
    pub(crate) webhook_id: String,
    pub(crate) triggered_at: Timestamp,
    pub(crate) body: String,
    /// Signed with a wrong secret.
    pub(crate) forged: bool,
}

/// What is sent, in the order of sending.
pub(super) struct Plan {
    pub(super) deliveries: Vec<Delivery>,
    /// How many of them are distinct and genuine.
    pub(super) distinct: usize,
    pub(super) repeated: usize,
    pub(super) forged: usize,
}

/// All that happened in the shop, out of order, with repetitions and forgeries in between.
pub(super) fn plan(shop: &Shop, random: &mut Random, now: Timestamp) -> Plan {
    let mut writer = Writer { deliveries: Vec::new(), now };
    writer.products();
    for customer in &shop.customers {
        writer.customer(customer);
    }
    for order in &shop.orders {
        writer.order(order, &shop.customers[order.customer]);
    }
    for checkout in &shop.checkouts {
        writer.checkout(checkout, &shop.customers[checkout.customer]);
    }
    let mut deliveries = writer.deliveries;
    let distinct = deliveries.len();
    let repetitions: Vec<_> =
        deliveries.iter().filter(|_| random.chance(REPEATED_PERCENT)).cloned().collect();
    let repeated = repetitions.len();
    let orders = deliveries.iter().filter(|delivery| delivery.topic == "orders/create");
    let forgeries: Vec<_> = orders.take(FORGED).enumerate().map(|(place, real)| forge(real, place)).collect();
    let forged = forgeries.len();
    deliveries.extend(repetitions);
    deliveries.extend(forgeries);
    random.shuffle(&mut deliveries);
    Plan { deliveries, distinct, repeated, forged }
}

/// An order that never was; taken, it would change every count.
fn forge(real: &Delivery, place: usize) -> Delivery {
    let id = format!("\"id\":{}", 9_900_000_000_000_u64 + place as u64);
    let body = real.body.replacen("\"id\":55", &format!("{id},\"was\":55"), 1);
    Delivery { body, forged: true, webhook_id: format!("{}-forged", real.webhook_id), ..real.clone() }
}

struct Writer {
    deliveries: Vec<Delivery>,
    now: Timestamp,
}

impl Writer {
    fn push(&mut self, topic: &'static str, triggered_at: Timestamp, body: &Value) {
        let webhook_id = format!("00000000-0000-4000-8000-{:012}", self.deliveries.len());
        self.deliveries.push(Delivery {
            topic,
            webhook_id,
            triggered_at,
            body: body.to_string(),
            forged: false,
        });
    }

    fn products(&mut self) {
        for (place, (title, kind, cents)) in PRODUCTS.into_iter().enumerate() {
            let body = json!({
                "id": product_id(place), "title": title, "product_type": kind, "vendor": "Harbour & Hearth",
                "handle": title.to_lowercase().replace(' ', "-"), "status": "active",
                "updated_at": self.now, "published_at": self.now,
                "variants": [{"id": variant_id(place), "title": "Default Title", "price": amount(cents)}],
            });
            self.push("products/update", self.now, &body);
        }
    }

    fn customer(&mut self, customer: &Customer) {
        let Some(id) = customer.id else { return };
        for (version, (at, city)) in customer.cities.iter().enumerate() {
            let topic = if version == 0 { "customers/create" } else { "customers/update" };
            let mut body = person(customer);
            body["updated_at"] = json!(at);
            body["default_address"] = json!({"city": city});
            self.push(topic, *at, &body);
        }
        for (at, yes) in &customer.consents {
            let body = json!({
                "customer_id": id, "email_address": customer.email,
                "email_marketing_consent": {
                    "state": if *yes { "subscribed" } else { "unsubscribed" },
                    "opt_in_level": "single_opt_in", "consent_updated_at": at,
                },
            });
            self.push("customers_email_marketing_consent/update", *at, &body);
        }
    }

    fn order(&mut self, order: &Order, customer: &Customer) {
        let total = order.total_cents();
        let body = json!({
            "id": order.id, "name": order_name(order), "email": customer.email,
            "customer": customer.id.map(|_| person(customer)),
            "created_at": order.placed_at, "processed_at": order.placed_at, "updated_at": order.placed_at,
            "currency": CURRENCY, "total_price": amount(total), "total_discounts": "0.00",
            "financial_status": "paid", "fulfillment_status": null, "source_name": "web", "test": false,
            "line_items": order.lines.iter().map(line_item).collect::<Vec<_>>(),
            "shipping_lines": [{"title": "Standard", "price": amount(SHIPPING_CENTS)}],
            "fulfillments": [], "refunds": [],
        });
        self.push("orders/create", order.placed_at, &body);
        self.push("orders/paid", order.placed_at, &body);
        let mut later = body;
        match order.fate {
            Fate::Open => {}
            Fate::Sent { at } => {
                later["updated_at"] = json!(at);
                later["fulfillment_status"] = json!("fulfilled");
                later["fulfillments"] = json!([{
                    "id": order.id + 1_000_000_000, "order_id": order.id, "status": "success", "created_at": at,
                    "tracking_company": "Harbour Post", "tracking_number": format!("HP{}", order.id),
                    "line_items": later["line_items"],
                }]);
                self.push("orders/fulfilled", at, &later);
            }
            Fate::Cancelled { at } => {
                later["updated_at"] = json!(at);
                later["cancelled_at"] = json!(at);
                later["cancel_reason"] = json!("customer");
                later["financial_status"] = json!("voided");
                self.push("orders/cancelled", at, &later);
            }
            Fate::Refunded { at, cents } => {
                let refund = refund(order, at, cents);
                self.push("refunds/create", at, &refund);
                later["updated_at"] = json!(at);
                later["financial_status"] =
                    json!(if cents == total { "refunded" } else { "partially_refunded" });
                later["refunds"] = json!([refund]);
                self.push("orders/updated", at, &later);
            }
        }
    }

    /// First nobody is named, then somebody is.
    fn checkout(&mut self, checkout: &Checkout, customer: &Customer) {
        let price = amount(checkout.line.cents());
        let mut body = json!({
            "id": checkout.id, "token": format!("{:032x}", checkout.id), "email": "",
            "created_at": checkout.started_at, "updated_at": checkout.started_at, "completed_at": null,
            "currency": CURRENCY, "total_price": price,
            "abandoned_checkout_url": format!("https://{DOMAIN}/recover/{}", checkout.id),
            "line_items": [line_item(&checkout.line)],
        });
        self.push("checkouts/create", checkout.started_at, &body);
        body["email"] = json!(customer.email);
        if customer.id.is_some() {
            body["customer"] = person(customer);
        }
        self.push("checkouts/update", checkout.started_at, &body);
    }
}

/// As people write it: `#1001`.
fn order_name(order: &Order) -> String {
    format!("#{}", 1001 + order.id % 1_000_000)
}

fn person(customer: &Customer) -> Value {
    json!({
        "id": customer.id, "email": customer.email,
        "first_name": customer.first_name, "last_name": customer.last_name,
    })
}

fn line_item(line: &Line) -> Value {
    let (title, _, cents) = PRODUCTS[line.product];
    json!({
        "id": line.id, "product_id": product_id(line.product), "variant_id": variant_id(line.product),
        "sku": format!("HH-{}", line.product + 1), "title": title, "vendor": "Harbour & Hearth",
        "quantity": line.quantity, "price": amount(cents), "total_discount": "0.00",
        "discount_allocations": [], "gift_card": false,
    })
}

fn refund(order: &Order, at: Timestamp, cents: i64) -> Value {
    json!({
        "id": order.id + 2_000_000_000, "order_id": order.id, "created_at": at, "processed_at": at,
        "note": "changed their mind",
        "transactions": [{
            "id": order.id + 3_000_000_000, "order_id": order.id, "kind": "refund", "status": "success",
            "amount": amount(cents), "currency": CURRENCY, "test": false,
        }],
    })
}

fn product_id(place: usize) -> u64 {
    7_700_000_000_000 + place as u64
}

fn variant_id(place: usize) -> u64 {
    4_400_000_000_000 + place as u64
}

fn amount(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn dealt(seed: u64) -> (Shop, Plan) {
        let now: Timestamp = "2026-06-17T12:00:00Z".parse().unwrap();
        let mut random = Random::new(seed);
        let shop = Shop::deal(&mut random, now);
        let plan = plan(&shop, &mut random, now);
        (shop, plan)
    }

    #[test]
    fn a_seed_deals_the_same_deliveries_every_time() {
        let bodies = |seed| dealt(seed).1.deliveries.into_iter().map(|delivery| delivery.body).collect();
        let (first, again, other): (Vec<_>, Vec<_>, Vec<_>) = (bodies(1), bodies(1), bodies(2));
        assert_eq!(first, again);
        assert_ne!(first, other);
    }

    #[test]
    fn a_repetition_has_the_id_and_the_body_of_what_it_repeats() {
        let (_, plan) = dealt(1);
        let genuine: Vec<_> = plan.deliveries.iter().filter(|delivery| !delivery.forged).collect();
        let distinct: BTreeSet<_> =
            genuine.iter().map(|delivery| (&delivery.webhook_id, &delivery.body)).collect();
        assert_eq!(distinct.len(), plan.distinct);
        assert_eq!(genuine.len(), plan.distinct + plan.repeated);
    }

    #[test]
    fn a_forgery_tells_of_an_order_that_never_was() {
        let (shop, plan) = dealt(1);
        let forged: Vec<_> = plan.deliveries.iter().filter(|delivery| delivery.forged).collect();
        assert_eq!(forged.len(), plan.forged);
        for delivery in forged {
            let body: Value = serde_json::from_str(&delivery.body).unwrap();
            let id = body["id"].as_u64().unwrap();
            assert!(shop.orders.iter().all(|order| order.id != id));
        }
    }
}
