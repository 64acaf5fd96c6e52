//! WooCommerce's REST API: pages by number, GMT dates without a zone.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::past::{Bought, Past, Query, Shop};

pub(super) const SHOP: Shop = Shop {
    platform: "woocommerce",
    settings: |address| json!({"shop_url": "https://thistle.example", "api_url": address}),
    secrets: || json!({"webhook_secret": "unused", "consumer_key": "ck_key", "consumer_secret": "cs_secret"}),
    router,
    // Pages of 100.
    least_requests: |orders| orders.div_ceil(100),
    order_id: |number| number.to_string(),
};

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/wp-json/wc/v3/orders", get(orders))
        .route("/wp-json/wc/v3/customers", get(nothing))
        .route("/wp-json/wc/v3/products", get(nothing))
        .with_state(past)
}

async fn orders(State(past): State<Arc<Past>>, query: Query) -> Response {
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let time = |name: &str| query.get(name).map(|value| format!("{value}Z").parse::<Timestamp>().unwrap());
    let (per_page, page) = (number("per_page").unwrap_or(10), number("page").unwrap_or(1));
    if per_page > 100 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let is_wanted = |order: &&Bought| {
        let (at, changed_at) = (order.at, order.changed_at());
        time("after").is_none_or(|after| at > after)
            && time("before").is_none_or(|before| at < before)
            && time("modified_after").is_none_or(|after| changed_at > after)
            && time("modified_before").is_none_or(|before| changed_at < before)
    };
    let mut wanted: Vec<&Bought> = past.orders.iter().filter(is_wanted).collect();
    if query.get("orderby").is_some_and(|by| by == "modified") {
        wanted.sort_by_key(|order| (order.changed_at(), order.number));
    }
    let pages = wanted.len().div_ceil(per_page);
    let body: Vec<Value> = wanted.into_iter().skip((page - 1) * per_page).take(per_page).map(order).collect();
    ([("x-wp-totalpages", pages.to_string())], axum::Json(body)).into_response()
}

async fn nothing() -> Response {
    ([("x-wp-totalpages", "0")], axum::Json(json!([]))).into_response()
}

pub(crate) fn order(order: &Bought) -> Value {
    let date = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    json!({
        "id": order.number, "number": order.number.to_string(), "status": "completed", "currency": "EUR",
        "date_created_gmt": date(order.at), "date_modified_gmt": date(order.changed_at()),
        "date_paid_gmt": date(order.at), "date_completed_gmt": date(order.at),
        "total": order.total(), "customer_id": order.customer,
        "billing": {"first_name": "Ida", "last_name": "Moss", "email": order.email, "country": "DE"},
        "line_items": [{
            "id": order.number, "product_id": 7, "variation_id": 0, "name": "Moss pot", "sku": "MM-1",
            "quantity": order.quantity, "price": order.price(), "subtotal": order.total(), "total": order.total(),
        }],
        "refunds": [], "coupon_lines": [],
    })
}
