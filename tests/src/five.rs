//! Five shops of one merchant, each on another platform, whose customers are the same people.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use platform::signature::hmac_sha256_base64;
use reqwest::Method;
use serde_json::{Value, json};

use crate::past::{Bought, Past};
use crate::random::Random;
use crate::{Api, BigShop, Delivery, Order, Shop, now};

/// The platforms.
pub const PLATFORMS: [&str; 5] = ["shopify", "woocommerce", "shopbase", "bigcommerce", "custom"];

const SECRET: &str = "the-secret-of-all-five-shops";

/// The shops, connected.
pub struct Five {
    shopify: Shop,
    big: BigShop,
    /// The other connections, by platform.
    connections: BTreeMap<&'static str, String>,
}

/// What a shop says.
#[derive(Clone, Debug)]
pub struct Said {
    /// Which shop.
    pub platform: &'static str,
    /// What.
    pub delivery: Delivery,
}

impl Five {
    /// Connects the shops.
    pub async fn connect(api: &Api) -> Self {
        let mut connections = BTreeMap::new();
        for (platform, settings) in [
            ("woocommerce", json!({"shop_url": "https://thistle.example"})),
            ("shopbase", json!({"shop_domain": "thistle.onshopbase.com"})),
            ("custom", json!({})),
        ] {
            let attributes = json!({
                "platform": platform, "name": platform, "settings": settings, "secrets": {"webhook_secret": SECRET},
            });
            let body = json!({"data": {"type": "connection", "attributes": attributes}});
            let reply = api.post("/api/connections", &body).await;
            assert_eq!(reply.status, 201, "{platform}: {}", reply.body);
            connections.insert(platform, reply.id());
        }
        Self { shopify: Shop::connect(api).await, big: BigShop::connect(api, false).await, connections }
    }

    /// So many deliveries about the orders of the last ninety days, as the shops say them: oldest orders first, nothing twice.
    pub fn history(&self, deliveries: usize, seed: u64, until: Timestamp) -> Vec<Said> {
        let mut random = Random(seed);
        let past = Past::new(deliveries, seed, until);
        let mut said = Vec::new();
        for bought in &past.orders {
            if said.len() >= deliveries {
                break;
            }
            let platform = PLATFORMS[usize::try_from(random.below(5)).unwrap()];
            let fate = random.below(4);
            let told = match platform {
                "shopify" => shopify(bought, fate),
                "woocommerce" => woocommerce(bought, fate),
                "shopbase" => shopbase(bought, fate),
                "bigcommerce" => vec![self.bigcommerce(bought)],
                _ => custom(bought, fate),
            };
            said.extend(told.into_iter().map(|delivery| Said { platform, delivery }));
        }
        said.truncate(deliveries);
        said
    }

    fn bigcommerce(&self, bought: &Bought) -> Delivery {
        self.big.order(bought.number, &bought.email, bought.at);
        self.big.told(bought.number, bought.at)
    }

    /// Sends what was said, signed now. An error is no answer.
    pub async fn try_deliver(&self, api: &Api, said: &Said) -> reqwest::Result<u16> {
        let Said { platform, delivery } = said;
        let plain = || hmac_sha256_base64(SECRET, &delivery.body);
        let headers = match *platform {
            "shopify" => return self.shopify.try_deliver(api, delivery).await,
            "bigcommerce" => return self.big.try_deliver(api, delivery).await,
            "woocommerce" => vec![
                ("x-wc-webhook-topic", delivery.topic.clone()),
                ("x-wc-webhook-source", "https://thistle.example/".to_owned()),
                ("x-wc-webhook-signature", plain()),
            ],
            "shopbase" => vec![
                ("x-shopbase-topic", delivery.topic.clone()),
                ("x-shopbase-shop-domain", "thistle.onshopbase.com".to_owned()),
                ("x-shopbase-hmac-sha256", plain()),
            ],
            _ => standard_webhook(SECRET, delivery),
        };
        let path = format!("/webhooks/{platform}/{}", self.connections[platform]);
        let mut request = api.request(Method::POST, &path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Ok(request.body(delivery.body.clone()).send().await?.status().as_u16())
    }
}

/// The headers of a delivery that is signed now, by the scheme of Standard Webhooks.
pub(crate) fn standard_webhook(secret: &str, delivery: &Delivery) -> Vec<(&'static str, String)> {
    let (id, time) = (&delivery.id, now().as_second().to_string());
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", &delivery.body].concat();
    let signature = format!("v1,{}", hmac_sha256_base64(secret, signed));
    vec![("webhook-id", id.clone()), ("webhook-timestamp", time), ("webhook-signature", signature)]
}

fn later(bought: &Bought, minutes: i64) -> Timestamp {
    bought.at + SignedDuration::from_mins(minutes)
}

fn shopify(bought: &Bought, fate: u64) -> Vec<Delivery> {
    let order =
        Order { customer: Some(bought.customer), ..Order::new(bought.number, &bought.email, bought.at) };
    let token = format!("t{}", bought.number);
    match fate {
        0 => vec![order.created()],
        1 => vec![order.created(), order.sent_and_partly_refunded()],
        2 => vec![order.created(), order.sent_and_partly_refunded(), order.cancelled()],
        // Nobody's at first.
        _ => vec![
            Delivery::cart(&token, bought.at),
            Delivery::checkout(&token, &token, &bought.email, later(bought, 1)),
        ],
    }
}

fn woocommerce(bought: &Bought, fate: u64) -> Vec<Delivery> {
    let body = crate::past::woocommerce(bought);
    let delivery = |topic: &str, body: &Value| Delivery::new(topic, "", body);
    let mut changed = body.clone();
    changed["date_modified_gmt"] = json!(later(bought, 90).strftime("%Y-%m-%dT%H:%M:%S").to_string());
    match fate {
        0 => changed["status"] = json!("refunded"),
        1 => changed["status"] = json!("cancelled"),
        _ => return vec![delivery("order.created", &body)],
    }
    vec![delivery("order.created", &body), delivery("order.updated", &changed)]
}

fn shopbase(bought: &Bought, fate: u64) -> Vec<Delivery> {
    let body = crate::past::shopbase(bought);
    let created = Delivery::new("orders/create", "", &body);
    if fate > 0 {
        return vec![created];
    }
    let mut cancelled = body;
    cancelled["updated_at"] = json!(later(bought, 90));
    cancelled["cancelled_at"] = json!(later(bought, 90));
    vec![created, Delivery::new("orders/cancelled", "", &cancelled)]
}

/// Orders of somebody who gave a telephone number only, and at some time the address, too.
fn custom(bought: &Bought, fate: u64) -> Vec<Delivery> {
    let number = bought.number;
    let phone = format!("+1607555{:04}", bought.customer);
    let fact = |what: &str, body: &Value| Delivery::new("", format!("msg_{number}_{what}"), body);
    let line = json!({"line_id": "1", "product_id": "7", "name": "Moss pot", "quantity": bought.quantity,
                      "unit_price": bought.price()});
    let placed = fact(
        "placed",
        &json!({"fact": "order", "order_id": number.to_string(), "person": {"phone": phone},
                "updated_at": bought.at, "placed_at": bought.at,
                "detail": {"total": {"amount": bought.total(), "currency": "EUR"}, "lines": [line]}}),
    );
    let met = fact(
        "met",
        &json!({"facts": [
            {"fact": "customer", "updated_at": later(bought, 5),
             "person": {"email": bought.email, "phone": phone,
                        "attributes": {"first_name": "Ida", "properties": {"Orders so far": number}}}},
            {"fact": "consent", "person": {"email": bought.email}, "channel": "email", "method": "checkout",
             "status": if number.is_multiple_of(3) { "UNSUBSCRIBED" } else { "SUBSCRIBED" }, "at": later(bought, 5)},
        ]}),
    );
    let shipped = fact(
        "shipped",
        &json!({"fact": "order", "order_id": number.to_string(), "updated_at": later(bought, 60),
                "shipments": [{"shipment_id": "s1", "at": later(bought, 60)}]}),
    );
    let points = fact(
        "points",
        &json!({"fact": "loyalty", "activity_id": number.to_string(), "person": {"phone": phone},
                "metric": "Points Redeemed", "at": later(bought, 7), "properties": {"Points": number}}),
    );
    match fate {
        0 => vec![placed],
        1 => vec![placed, met],
        2 => vec![placed, shipped],
        _ => vec![points, met],
    }
}
