//! ShopBase's Admin API: pages by number, which end at the hundred-thousandth record.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::past::{Bought, Past, Query, Shop, is};

pub(super) const SHOP: Shop = Shop {
    platform: "shopbase",
    settings: |address| json!({"shop_domain": "thistle.onshopbase.com", "api_url": address, "public_app": true}),
    secrets: || json!({"webhook_secret": "unused", "access_token": "token", "token_secret": "secret"}),
    router,
    // Pages of 250.
    least_requests: |orders| orders.div_ceil(250),
    order_id: |number| number.to_string(),
};

/// One of a bucket of 30, which leaks two in a second.
const LIMITS: [(&str, &str); 1] = [("x-sb-shop-api-call-limit", "1/30")];

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/admin/orders.json", get(orders))
        .route("/admin/customers.json", get(|| async { (LIMITS, axum::Json(json!({"customers": []}))) }))
        .route("/admin/products.json", get(|| async { (LIMITS, axum::Json(json!({"products": []}))) }))
        .with_state(past)
}

async fn orders(State(past): State<Arc<Past>>, headers: HeaderMap, query: Query) -> Response {
    // Public apps prove themselves twice.
    if !is(&headers, "x-shopbase-access-token", "token") || !is(&headers, "x-shopbase-token-secret", "secret")
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let number =
        |name: &str, default| query.get(name).map_or(Some(default), |value| value.parse::<usize>().ok());
    let time = |name: &str| query.get(name).and_then(|value| value.parse::<Timestamp>().ok());
    let (Some(limit), Some(page)) = (number("limit", 50), number("page", 1)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !(1..=250).contains(&limit) || page == 0 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    if page * limit > 100_000 {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    // Completed orders are closed ones, which come only when asked for.
    let open = !query.get("status").is_some_and(|status| status == "any" || status == "closed");
    let is_wanted = |order: &&Bought| {
        let (at, changed_at) = (order.at, order.changed_at());
        !open
            && time("created_at_min").is_none_or(|min| at >= min)
            && time("created_at_max").is_none_or(|max| at <= max)
            && time("updated_at_min").is_none_or(|min| changed_at >= min)
            && time("updated_at_max").is_none_or(|max| changed_at <= max)
    };
    // The newest come first.
    let wanted = past.orders.iter().rev().filter(is_wanted);
    let page: Vec<Value> = wanted.skip((page - 1) * limit).take(limit).map(order).collect();
    (LIMITS, axum::Json(json!({"orders": page}))).into_response()
}

pub(crate) fn order(order: &Bought) -> Value {
    let number = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    json!({
        "id": order.number, "name": format!("#{}", 1000 + order.number), "email": order.email, "test": false,
        "created_at": order.at.to_string(), "processed_at": order.at.to_string(),
        "updated_at": order.changed_at().to_string(), "cancelled_at": null, "currency": "EUR",
        "total_price": number(order.total()), "total_discounts": 0, "financial_status": "paid",
        "fulfillment_status": null,
        "customer": {"id": order.customer, "email": order.email, "first_name": "Ida", "last_name": "Moss"},
        "line_items": [{
            "id": order.number, "product_id": 7, "variant_id": 8, "title": "Moss pot", "sku": "MM-1",
            "quantity": order.quantity, "price": number(order.price()),
        }],
        "fulfillments": [], "refunds": [], "discount_codes": [],
    })
}
