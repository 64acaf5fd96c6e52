//! Spree's Admin API (5.5): searches as its library has them, pages by number, parts only where they are asked for.

use std::collections::BTreeMap;
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
    platform: "spree",
    settings: |address| json!({"store_url": address, "api": "admin"}),
    secrets: || json!({"webhook_secret": "unused", "api_key": "sk_key"}),
    router,
    // Pages of 100.
    least_requests: |orders| orders.div_ceil(100),
    order_id: |number| format!("R{number:09}"),
};

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/api/v3/admin/orders", get(orders))
        .route("/api/v3/admin/customers", get(nobody))
        .with_state(past)
}

async fn nobody(headers: HeaderMap) -> Response {
    if !is(&headers, "x-spree-api-key", "sk_key") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    axum::Json(json!({"data": [], "meta": {"page": 1, "count": 0, "pages": 1, "next": null}})).into_response()
}

/// The value of an attribute, if orders can be searched and sorted by it.
fn attribute(order: &Bought, name: &str) -> Option<Timestamp> {
    match name {
        "completed_at" | "created_at" => Some(order.at),
        "updated_at" => Some(order.changed_at()),
        _ => None,
    }
}

/// Whether an order meets all conditions. Those that are not known are none.
fn is_wanted(order: &Bought, query: &BTreeMap<String, String>) -> bool {
    query.iter().all(|(name, value)| {
        let Some(condition) = name.strip_prefix("q[").and_then(|name| name.strip_suffix(']')) else {
            return true;
        };
        let (name, predicate) = condition.rsplit_once('_').unwrap_or((condition, ""));
        let (Some(found), Ok(value)) = (attribute(order, name), value.parse::<Timestamp>()) else {
            return true;
        };
        match predicate {
            "gt" => found > value,
            "gteq" => found >= value,
            "lt" => found < value,
            "lteq" => found <= value,
            _ => true,
        }
    })
}

async fn orders(State(past): State<Arc<Past>>, headers: HeaderMap, query: Query) -> Response {
    if !is(&headers, "x-spree-api-key", "sk_key") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let number =
        |name: &str, default| query.get(name).map_or(Some(default), |value| value.parse::<usize>().ok());
    let (Some(limit @ 1..=100), Some(page @ 1..)) = (number("limit", 25), number("page", 1)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut wanted: Vec<&Bought> = past.orders.iter().filter(|order| is_wanted(order, &query)).collect();
    let sort = query.get("sort").map_or("-created_at", String::as_str);
    wanted.sort_by_key(|order| (attribute(order, sort.trim_start_matches('-')), order.number));
    if sort.starts_with('-') {
        wanted.reverse();
    }
    let (count, pages) = (wanted.len(), wanted.len().div_ceil(limit).max(1));
    let expanded: Vec<&str> = query.get("expand").map(|parts| parts.split(',').collect()).unwrap_or_default();
    let data = wanted.into_iter().skip((page - 1) * limit).take(limit).map(|bought| order(bought, &expanded));
    let meta = json!({"page": page, "limit": limit, "count": count, "pages": pages,
                      "next": (page < pages).then_some(page + 1)});
    axum::Json(json!({"data": data.collect::<Vec<_>>(), "meta": meta})).into_response()
}

fn order(order: &Bought, expanded: &[&str]) -> Value {
    let date = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let id = |prefix: &str, number: u64| format!("{prefix}_{number}");
    let mut body = json!({
        "id": id("or", order.number), "number": format!("R{:09}", order.number), "status": "complete",
        "email": order.email, "customer_id": id("cus", order.customer), "currency": "EUR", "total": order.total(),
        "item_total": order.total(), "discount_total": "0.0", "payment_total": order.total(),
        "payment_status": "paid", "fulfillment_status": null, "canceled_at": null,
        "created_at": date(order.at), "completed_at": date(order.at), "updated_at": date(order.changed_at()),
    });
    let line = json!({
        "id": id("li", order.number), "variant_id": id("variant", 8), "name": "Moss pot", "slug": "moss-pot",
        "quantity": order.quantity, "price": order.price(), "total": order.total(), "discount_total": "0.0",
        "variant": {"id": id("variant", 8), "product_id": id("prod", 7), "sku": "MM-1"},
    });
    let payment = json!({"id": id("py", order.number), "status": "completed", "amount": order.total()});
    let customer = json!({"id": id("cus", order.customer), "email": order.email, "first_name": "Ida"});
    let parts = [
        ("items", json!([line])),
        ("payments", json!([payment])),
        ("fulfillments", json!([])),
        ("discounts", json!([])),
        ("customer", customer),
    ];
    for (name, part) in parts {
        if expanded.iter().any(|path| path.split('.').next() == Some(name)) {
            body[name] = part;
        }
    }
    body
}
