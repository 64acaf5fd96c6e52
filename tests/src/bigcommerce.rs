//! A shop on BigCommerce, whose deliveries name only ids, and its API.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::api::Api;
use crate::five::standard_webhook;
use crate::shop::Delivery;

const STORE: &str = "teststore1";
const TOKEN: &str = "token-of-the-shop";
const SECRET: &str = "client-secret-of-the-app";

/// The shop and what it knows.
pub struct BigShop {
    /// The connection's id.
    pub connection: String,
    api: Arc<ShopApi>,
}

#[derive(Default)]
struct ShopApi {
    orders: Mutex<BTreeMap<u64, Value>>,
    /// What every request is answered with; 0 for what it asks for.
    status: AtomicU16,
    asked: Mutex<Vec<String>>,
}

impl BigShop {
    /// Starts the shop's API and connects it.
    pub async fn connect(api: &Api, poll: bool) -> Self {
        let shop_api = Arc::new(ShopApi::default());
        let routes = Router::new()
            .route("/stores/{store}/v2/orders", get(list))
            .route("/stores/{store}/v2/orders/{id}", get(order))
            .route("/stores/{store}/v2/orders/{id}/products", get(products))
            .fallback(nothing)
            .with_state(Arc::clone(&shop_api));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let attributes = json!({
            "platform": "bigcommerce", "name": "Moss & Mortar",
            "settings": {"store_hash": STORE, "api_url": api_url, "poll": poll},
            "secrets": {"access_token": TOKEN, "client_secret": SECRET},
        });
        let body = json!({"data": {"type": "connection", "attributes": attributes}});
        let reply = api.post("/api/connections", &body).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        Self { connection: reply.id(), api: shop_api }
    }

    /// Somebody orders; nobody is told.
    pub fn order(&self, id: u64, email: &str, at: Timestamp) {
        let date = rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        let order = json!({
            "id": id, "status_id": 11, "date_created": date, "date_modified": date, "date_shipped": "",
            "total_inc_tax": "25.0000", "default_currency_code": "EUR", "currency_code": "EUR", "customer_id": 0,
            "billing_address": {"first_name": "Ida", "last_name": "Moss", "email": email, "country_iso2": "DE"},
        });
        self.api.orders.lock().unwrap().insert(id, order);
    }

    /// From now on every request is answered with this status; 0 for what it asks for.
    pub fn answer_with(&self, status: u16) {
        self.api.status.store(status, Ordering::SeqCst);
    }

    /// How many requests there were.
    pub fn times_asked(&self) -> usize {
        self.api.asked.lock().unwrap().len()
    }

    /// What BigCommerce says of an order.
    pub fn told(&self, id: u64, at: Timestamp) -> Delivery {
        let body = json!({
            "scope": "store/order/statusUpdated", "store_id": "1", "producer": format!("stores/{STORE}"),
            "data": {"type": "order", "id": id, "status": {"previous_status_id": 0, "new_status_id": 11}},
            "hash": format!("{id:040x}"), "created_at": at.as_second(),
        });
        Delivery::new("store/order/statusUpdated", format!("msg_{id}"), &body)
    }

    /// Sends a delivery, signed now. An error is no answer.
    pub async fn try_deliver(&self, api: &Api, delivery: &Delivery) -> reqwest::Result<u16> {
        let path = format!("/webhooks/bigcommerce/{}", self.connection);
        let mut request = api.request(Method::POST, &path).header("content-type", "application/json");
        for (name, value) in standard_webhook(SECRET, delivery) {
            request = request.header(name, value);
        }
        Ok(request.body(delivery.body.clone()).send().await?.status().as_u16())
    }

    /// Tells of an order, as BigCommerce does.
    pub async fn deliver(&self, api: &Api, id: u64, at: Timestamp) {
        assert_eq!(self.try_deliver(api, &self.told(id, at)).await.unwrap(), 200);
    }
}

impl ShopApi {
    /// The refusal of a request, if it is to be refused.
    fn refusal(&self, what: &str, headers: &HeaderMap) -> Option<Response> {
        self.asked.lock().unwrap().push(what.to_owned());
        if headers.get("x-auth-token").is_none_or(|token| token != TOKEN) {
            return Some(StatusCode::UNAUTHORIZED.into_response());
        }
        let status = self.status.load(Ordering::SeqCst);
        let status = (status != 0).then(|| StatusCode::from_u16(status).unwrap())?;
        Some((status, [(header::RETRY_AFTER, "1")]).into_response())
    }
}

async fn order(
    State(api): State<Arc<ShopApi>>,
    Path((_, id)): Path<(String, u64)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = api.refusal("order", &headers) {
        return refusal;
    }
    match api.orders.lock().unwrap().get(&id) {
        Some(order) => axum::Json(order.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn list(State(api): State<Arc<ShopApi>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = api.refusal("list", &headers) {
        return refusal;
    }
    let orders: Vec<Value> = api.orders.lock().unwrap().values().cloned().collect();
    if orders.is_empty() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        axum::Json(orders).into_response()
    }
}

async fn products(State(api): State<Arc<ShopApi>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = api.refusal("products", &headers) {
        return refusal;
    }
    let line = json!({
        "id": 1, "product_id": 7, "variant_id": 9, "name": "Moss pot", "sku": "MM-1", "quantity": 2,
        "price_inc_tax": "12.5000", "total_inc_tax": "25.0000", "base_price": "12.5000",
    });
    axum::Json(json!([line])).into_response()
}

/// Coupons, parcels, refunds: there are none, which BigCommerce says with 204.
async fn nothing(State(api): State<Arc<ShopApi>>, headers: HeaderMap) -> Response {
    api.refusal("nothing", &headers).unwrap_or_else(|| StatusCode::NO_CONTENT.into_response())
}
