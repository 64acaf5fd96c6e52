//! A shop on Shopify: makes deliveries, signs them, sends them.

use jiff::{SignedDuration, Timestamp};
use platform::signature::hmac_sha256_base64;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::api::{Api, Reply};

/// A shop that is connected.
#[derive(Clone, Debug)]
pub struct Shop {
    /// The connection's id.
    pub connection: String,
    /// What deliveries are signed with.
    pub secret: String,
}

/// The shop's domain, which deliveries name.
pub const DOMAIN: &str = "fern-and-field.example";

impl Shop {
    /// Connects a shop with settings of its own, which tells each refund.
    pub async fn connect(api: &Api) -> Self {
        let secret = "whsec-first".to_owned();
        let reply =
            Self::create(api, &json!({"shop_domain": DOMAIN, "refund_policy": "each"}), &secret, true).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        Self { connection: reply.id(), secret }
    }

    /// `POST /api/connections`.
    pub async fn create(api: &Api, settings: &Value, secret: &str, enabled: bool) -> Reply {
        let attributes = json!({
            "platform": "shopify",
            "name": "Fern & Field",
            "settings": settings,
            "secrets": {"webhook_secret": secret},
            "enabled": enabled,
        });
        api.post("/api/connections", &json!({"data": {"type": "connection", "attributes": attributes}})).await
    }

    /// Sends a delivery with the right signature. An error is no answer.
    pub async fn try_deliver(&self, api: &Api, delivery: &Delivery) -> reqwest::Result<u16> {
        let signature = hmac_sha256_base64(&self.secret, &delivery.body);
        self.send(api, delivery, &signature).await
    }

    /// Sends a delivery with a given signature.
    pub async fn send(&self, api: &Api, delivery: &Delivery, signature: &str) -> reqwest::Result<u16> {
        Ok(self.request(api, delivery, signature).send().await?.status().as_u16())
    }

    fn request(&self, api: &Api, delivery: &Delivery, signature: &str) -> RequestBuilder {
        api.request(Method::POST, &format!("/webhooks/shopify/{}", self.connection))
            .header("content-type", "application/json")
            .header("x-shopify-topic", &delivery.topic)
            .header("x-shopify-shop-domain", DOMAIN)
            .header("x-shopify-webhook-id", &delivery.id)
            .header("x-shopify-hmac-sha256", signature)
            .body(delivery.body.clone())
    }

    /// Sends a delivery, which must be accepted.
    pub async fn deliver(&self, api: &Api, delivery: &Delivery) {
        assert_eq!(self.try_deliver(api, delivery).await.unwrap(), 200, "{}", delivery.topic);
    }

    /// The same; returns the delivery's id, by which it is followed.
    pub async fn follow(&self, api: &Api, delivery: &Delivery) -> String {
        let signature = hmac_sha256_base64(&self.secret, &delivery.body);
        let answer = self.request(api, delivery, &signature).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", delivery.topic);
        answer.headers()["tillstream-delivery"].to_str().unwrap().to_owned()
    }
}

/// One webhook delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `orders/create` and so on.
    pub topic: String,
    /// The same in each repetition.
    pub id: String,
    /// What is signed.
    pub body: Vec<u8>,
}

impl Delivery {
    /// Of a JSON body.
    pub fn new(topic: &str, id: impl Into<String>, body: &Value) -> Self {
        Self { topic: topic.to_owned(), id: id.into(), body: body.to_string().into_bytes() }
    }

    /// A cart, which names nobody.
    pub fn cart(token: &str, at: Timestamp) -> Self {
        let body = json!({
            "id": token, "token": token, "created_at": at, "updated_at": at,
            "line_items": [{
                "id": 44_000_000_001_u64, "key": "44000000001:aa", "product_id": 77_000_001, "sku": "FF-1",
                "variant_id": 44_000_000_001_u64, "title": "Fern pot", "quantity": 2, "price": "12.50", "line_price": "25.00",
            }],
        });
        Self::new("carts/create", format!("cart {token}"), &body)
    }

    /// A checkout that grew from the cart, and whose buyer gave an address.
    pub fn checkout(token: &str, cart: &str, email: &str, at: Timestamp) -> Self {
        let body = json!({
            "id": 318_001, "token": token, "cart_token": cart, "email": email, "created_at": at, "updated_at": at,
            "completed_at": null, "currency": "EUR", "total_price": "25.00",
            "abandoned_checkout_url": format!("https://{DOMAIN}/checkouts/{token}/recover"),
            "line_items": [{
                "key": "aa", "product_id": 77_000_001, "variant_id": 44_000_000_001_u64, "sku": "FF-1", "title": "Fern pot",
                "quantity": 2, "price": "12.50", "line_price": "25.00",
            }],
        });
        Self::new("checkouts/update", format!("checkout {token}"), &body)
    }

    /// A customer's record.
    pub fn customer(id: u64, email: &str, at: Timestamp) -> Self {
        let body = json!({"id": id, "email": email, "first_name": "Wren", "updated_at": at});
        Self::new("customers/update", format!("customer {id} {at}"), &body)
    }

    /// The duty to forget a customer.
    pub fn redact_customer(id: u64, email: &str, orders: &[u64]) -> Self {
        let body = json!({
            "shop_id": 62, "shop_domain": DOMAIN, "customer": {"id": id, "email": email, "phone": null},
            "orders_to_redact": orders,
        });
        Self::new("customers/redact", format!("redact {id}"), &body)
    }

    /// The app was removed.
    pub fn uninstalled() -> Self {
        let body = json!({"id": 62, "name": "Fern & Field", "domain": DOMAIN, "myshopify_domain": DOMAIN});
        Self::new("app/uninstalled", "uninstalled", &body)
    }

    /// The duty to forget all that came from the shop.
    pub fn redact_shop() -> Self {
        Self::new("shop/redact", "redact shop", &json!({"shop_id": 62, "shop_domain": DOMAIN}))
    }
}

/// An order of two lines.
#[derive(Clone, Debug)]
pub struct Order {
    /// Shopify's id.
    pub id: u64,
    /// The buyer's address.
    pub email: Option<String>,
    /// The buyer's record.
    pub customer: Option<u64>,
    /// When it was placed.
    pub placed_at: Timestamp,
}

impl Order {
    /// Somebody's order.
    pub fn new(id: u64, email: &str, placed_at: Timestamp) -> Self {
        Self { id, email: Some(email.to_owned()), customer: None, placed_at }
    }

    /// `orders/create`.
    pub fn created(&self) -> Delivery {
        Delivery::new("orders/create", format!("{} created", self.id), &self.body(0))
    }

    /// `orders/updated`, once one line was sent and a part was paid back.
    pub fn sent_and_partly_refunded(&self) -> Delivery {
        Delivery::new("orders/updated", format!("{} updated", self.id), &self.with_refund(60))
    }

    /// `orders/cancelled`, after that.
    pub fn cancelled(&self) -> Delivery {
        let mut body = self.with_refund(120);
        body["cancelled_at"] = json!(self.after(120));
        body["cancel_reason"] = json!("customer");
        Delivery::new("orders/cancelled", format!("{} cancelled", self.id), &body)
    }

    /// An instant of the order's life.
    pub fn after(&self, seconds: i64) -> Timestamp {
        self.placed_at + SignedDuration::from_secs(seconds)
    }

    fn with_refund(&self, updated_s: i64) -> Value {
        let mut body = self.body(updated_s);
        let mut sent = body["line_items"][0].clone();
        sent["quantity"] = json!(1);
        body["financial_status"] = json!("partially_refunded");
        body["fulfillment_status"] = json!("fulfilled");
        body["fulfillments"] = json!([{
            "id": self.id * 10 + 1, "order_id": self.id, "status": "success", "created_at": self.after(30),
            "updated_at": self.after(30), "tracking_company": "Post", "tracking_number": "0034", "line_items": [sent],
        }]);
        body["refunds"] = json!([{
            "id": self.id * 10 + 2, "order_id": self.id, "created_at": self.after(45), "processed_at": self.after(45),
            "note": "one was broken", "refund_line_items": [],
            "transactions": [{
                "id": self.id * 10 + 3, "order_id": self.id, "kind": "refund", "status": "success", "amount": "12.50",
                "currency": "EUR", "test": false,
            }],
        }]);
        body
    }

    fn body(&self, updated_s: i64) -> Value {
        let line = |id: u32, sku: &str, title: &str, quantity: u32, price: &str| {
            json!({
                "id": id, "product_id": 77_000_000 + id, "variant_id": 44_000_000 + id, "sku": sku, "title": title,
                "variant_title": "Large", "vendor": "Fern & Field", "quantity": quantity, "price": price,
                "total_discount": "0.00", "discount_allocations": [], "gift_card": false,
            })
        };
        let customer = self
            .customer
            .map(|id| json!({"id": id, "email": self.email, "updated_at": self.after(updated_s)}));
        json!({
            "id": self.id, "name": "#1001", "email": self.email, "customer": customer, "test": false,
            "created_at": self.placed_at, "processed_at": self.placed_at, "updated_at": self.after(updated_s),
            "currency": "EUR", "presentment_currency": "EUR", "total_price": "34.90", "financial_status": "paid",
            "fulfillment_status": null, "source_name": "web", "refunds": [], "fulfillments": [],
            "line_items": [line(1, "FF-1", "Fern pot", 2, "12.50"), line(2, "FF-2", "Field notes", 1, "9.90")],
        })
    }
}
