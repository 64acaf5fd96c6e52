//! BigCommerce's API: orders of version 2, in pages by number, and nothing else in 204; times as e-mails have them.

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
    platform: "bigcommerce",
    settings: |address| json!({"store_hash": "thistle1", "api_url": address}),
    secrets: || json!({"access_token": "token"}),
    router,
    // Pages of 250, with their lines and addresses.
    least_requests: |orders| orders.div_ceil(250),
    order_id: |number| number.to_string(),
};

/// What is left of 150 requests in 30 seconds, if nobody else asks.
const LIMITS: [(&str, &str); 2] =
    [("x-rate-limit-requests-left", "149"), ("x-rate-limit-time-reset-ms", "15000")];

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/stores/thistle1/v2/orders", get(orders))
        .route("/stores/thistle1/v3/customers", get(nothing))
        .route("/stores/thistle1/v3/customers/subscribers", get(nothing))
        .with_state(past)
}

async fn nothing(headers: HeaderMap) -> Response {
    if !is(&headers, "x-auth-token", "token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    (LIMITS, axum::Json(json!({"data": [], "meta": {"pagination": {"total": 0}}}))).into_response()
}

async fn orders(State(past): State<Arc<Past>>, headers: HeaderMap, query: Query) -> Response {
    if !is(&headers, "x-auth-token", "token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let number =
        |name: &str, default| query.get(name).map_or(Some(default), |value| value.parse::<u64>().ok());
    let time = |name: &str| query.get(name).and_then(|value| value.parse::<Timestamp>().ok());
    let (Some(limit), Some(page)) = (number("limit", 50), number("page", 1)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !(1..=250).contains(&limit) || page == 0 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let is_wanted = |order: &&Bought| {
        let (at, changed_at) = (order.at, order.changed_at());
        order.number >= number("min_id", 0).unwrap()
            && order.number <= number("max_id", u64::MAX).unwrap()
            && time("min_date_created").is_none_or(|min| at >= min)
            && time("max_date_created").is_none_or(|max| at <= max)
            && time("min_date_modified").is_none_or(|min| changed_at >= min)
            && time("max_date_modified").is_none_or(|max| changed_at <= max)
    };
    let mut wanted: Vec<&Bought> = past.orders.iter().filter(is_wanted).collect();
    let (field, direction) =
        query.get("sort").map_or(("id", "desc"), |sort| sort.split_once(':').unwrap_or((sort, "asc")));
    if field == "date_modified" {
        wanted.sort_by_key(|order| (order.changed_at(), order.number));
    }
    if direction == "desc" {
        wanted.reverse();
    }
    let with_lines = query.get("include").is_some_and(|include| include.contains("consignments.line_items"));
    let skipped = usize::try_from((page - 1) * limit).unwrap();
    let page = wanted.into_iter().skip(skipped).take(usize::try_from(limit).unwrap());
    let body: Vec<Value> = page.map(|bought| order(bought, with_lines)).collect();
    if body.is_empty() {
        return (StatusCode::NO_CONTENT, LIMITS).into_response();
    }
    (LIMITS, axum::Json(body)).into_response()
}

fn order(order: &Bought, with_lines: bool) -> Value {
    let date = |at: Timestamp| at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let total = format!("{}00", order.total());
    let price = format!("{}00", order.price());
    let line = json!({
        "id": order.number, "order_id": order.number, "product_id": 7, "variant_id": 8, "name": "Moss pot",
        "sku": "MM-1", "type": "physical", "quantity": order.quantity, "price_inc_tax": price,
        "total_inc_tax": total, "applied_discounts": [], "product_options": [],
    });
    let link = format!("https://api.bigcommerce.com/stores/thistle1/v2/orders/{}/consignments", order.number);
    let consignments = if with_lines {
        let shipping =
            json!({"id": order.number, "first_name": "Ida", "country": "Germany", "line_items": [line]});
        json!([{"shipping": [shipping], "pickups": [], "downloads": [], "email": {"gift_certificates": []}}])
    } else {
        json!({"url": link, "resource": format!("/orders/{}/consignments", order.number)})
    };
    json!({
        // Awaiting fulfilment: paid.
        "id": order.number, "status_id": 11, "status": "Awaiting Fulfillment", "customer_id": order.customer,
        "date_created": date(order.at), "date_modified": date(order.changed_at()), "date_shipped": "",
        "total_inc_tax": total, "default_currency_code": "EUR", "currency_code": "EUR",
        "items_total": order.quantity, "items_shipped": 0, "refunded_amount": "0.0000",
        "discount_amount": "0.0000", "coupon_discount": "0.0000", "payment_status": "captured",
        "billing_address": {"first_name": "Ida", "last_name": "Moss", "email": order.email, "country_iso2": "DE"},
        "consignments": consignments,
    })
}
