//! Orders of three lines as Shopify tells of them: the whole order, four times.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::demo::Delivery;
use crate::random::Random;

/// A complete order, as the adapter is tested with.
const ORDER: &str =
    include_str!("../../../../functions/shopify/fixtures/orders_create/full_three_lines.json");
/// Orders for each hundred customers.
const ORDERS_PER_100_CUSTOMERS: u64 = 160;

/// What an order goes through, each time with a delivery.
pub(super) const STEPS: [&str; 4] = ["orders/create", "orders/paid", "orders/updated", "orders/fulfilled"];

pub(super) struct Orders {
    order: Value,
    /// Who places each order.
    customers: Vec<u64>,
    placed_at: Timestamp,
}

impl Orders {
    /// So many orders, by customers of whom some come again.
    pub(super) fn deal(count: u64, placed_at: Timestamp) -> anyhow::Result<Self> {
        let fixture: Value = serde_json::from_str(ORDER).context("the order cannot be read")?;
        let mut random = Random::new(count);
        let customers = (count * 100).div_ceil(ORDERS_PER_100_CUSTOMERS);
        Ok(Self {
            order: fixture["body"].clone(),
            customers: (0..count).map(|_| random.below(customers)).collect(),
            placed_at,
        })
    }

    /// How many people have ordered.
    pub(super) fn customers(&self) -> usize {
        self.customers.iter().collect::<std::collections::BTreeSet<_>>().len()
    }

    /// The deliveries of one step, an order after the other.
    pub(super) fn deliveries(&self, step: usize) -> impl Iterator<Item = Delivery> {
        (0..).zip(&self.customers).map(move |(number, customer)| self.delivery(step, number, *customer))
    }

    /// The deliveries of all steps of an order, then those of the next.
    pub(super) fn one_after_the_other(&self) -> impl Iterator<Item = Delivery> {
        let orders = (0..).zip(&self.customers);
        orders.flat_map(move |(number, customer)| {
            (0..STEPS.len()).map(move |step| self.delivery(step, number, *customer))
        })
    }

    fn delivery(&self, step: usize, number: u64, customer: u64) -> Delivery {
        let id = 5_700_000_000_000 + number;
        let email = format!("customer{customer}@example.com");
        let seconds = i64::try_from(step).unwrap_or_default();
        let at = self.placed_at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(self.placed_at);
        let mut order = self.order.clone();
        order["id"] = json!(id);
        order["admin_graphql_api_id"] = json!(format!("gid://shopify/Order/{id}"));
        order["name"] = json!(format!("#{}", 1001 + number));
        for field in ["created_at", "processed_at"] {
            order[field] = json!(self.placed_at);
        }
        order["updated_at"] = json!(at);
        for field in ["email", "contact_email"] {
            order[field] = json!(email);
        }
        order["customer"]["id"] = json!(6_900_000_000_000 + customer);
        order["customer"]["email"] = json!(email);
        // A telephone number belongs to one person.
        let phone = format!("+49341{:07}", 1_000_000 + customer);
        for person in ["customer", "billing_address", "shipping_address"] {
            order[person]["phone"] = json!(phone);
        }
        for (place, line) in (0..).zip(order["line_items"].as_array_mut().into_iter().flatten()) {
            line["id"] = json!(id * 10 + place);
        }
        if step >= 2 {
            order["fulfillment_status"] = json!("fulfilled");
            order["fulfillments"] = json!([{
                "id": 4_810_000_000_000 + number, "order_id": id, "status": "success", "created_at": at,
                "updated_at": at, "service": "manual", "tracking_company": "DHL", "shipment_status": null,
                "tracking_number": format!("{id}"), "line_items": order["line_items"],
            }]);
        }
        Delivery {
            topic: STEPS[step],
            webhook_id: format!("00000000-0000-4000-8{step:03}-{number:012}"),
            triggered_at: at,
            body: order.to_string(),
            forged: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_has_three_lines_of_its_own_and_is_told_of_four_times() {
        let orders = Orders::deal(100, Timestamp::UNIX_EPOCH).unwrap();
        assert!((40..63).contains(&orders.customers()), "{}", orders.customers());
        let mut lines = std::collections::BTreeSet::new();
        for step in 0..STEPS.len() {
            for delivery in orders.deliveries(step) {
                let order: Value = serde_json::from_str(&delivery.body).unwrap();
                let ids = order["line_items"].as_array().unwrap().iter().map(|line| line["id"].as_u64());
                lines.extend(ids);
                assert_eq!(order["fulfillments"].as_array().unwrap().len(), usize::from(step >= 2));
            }
        }
        assert_eq!(lines.len(), 300);
    }
}
