//! Shopify's Admin API (REST): pages by a cursor that stands for the filters, times at the shop's own offset.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::{self, TimeZone};
use serde_json::{Value, json};

use crate::past::{Bought, Past, Query, Shop, is};

pub(super) const SHOP: Shop = Shop {
    platform: "shopify",
    settings: |address| json!({"shop_domain": "thistle.myshopify.com", "api_url": address}),
    secrets: || json!({"webhook_secret": "unused", "access_token": "shpat_token"}),
    router,
    // Pages of 250.
    least_requests: |orders| orders.div_ceil(250),
    order_id: |number| number.to_string(),
};

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/admin/api/{version}/orders.json", get(orders))
        .route("/admin/api/{version}/customers.json", get(|| async { axum::Json(json!({"customers": []})) }))
        .route("/admin/api/{version}/products.json", get(|| async { axum::Json(json!({"products": []})) }))
        .with_state(past)
}

/// What a cursor stands for: `before-by-min-max`, in seconds.
type Cursor = (u64, bool, i64, i64);

async fn orders(State(past): State<Arc<Past>>, headers: HeaderMap, query: Query) -> Response {
    if !is(&headers, "x-shopify-access-token", "shpat_token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let limit = query.get("limit").map_or(Ok(50), |limit| limit.parse::<usize>()).unwrap_or(0);
    let cursor = match query.get("page_info") {
        // Beside a cursor there is only the size.
        Some(_) if query.keys().any(|name| !["limit", "page_info", "fields"].contains(&name.as_str())) => {
            None
        }
        Some(cursor) => parsed(cursor),
        // Completed orders are closed ones, which come only with `status=any` or `closed`.
        None => {
            let open = !query.get("status").is_some_and(|status| status == "any" || status == "closed");
            let time = |name: &str| query.get(name)?.parse::<Timestamp>().ok().map(Timestamp::as_second);
            let by_change = query.contains_key("updated_at_min");
            let by = if by_change { "updated_at" } else { "created_at" };
            let (min, max) = (time(&format!("{by}_min")), time(&format!("{by}_max")));
            let before = if open { 0 } else { u64::MAX };
            Some((before, by_change, min.unwrap_or(0), max.unwrap_or(i64::MAX)))
        }
    };
    let Some((before, by_change, min, max)) = cursor.filter(|_| (1..=250).contains(&limit)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let is_wanted = |order: &&Bought| {
        let at = if by_change { order.changed_at() } else { order.at };
        order.number < before && (min..=max).contains(&at.as_second())
    };
    let mut left = past.orders.iter().rev().filter(is_wanted);
    let page: Vec<&Bought> = left.by_ref().take(limit).collect();
    let next = page.last().filter(|_| left.next().is_some()).map(|last| {
        let cursor = format!("{}-{}-{min}-{max}", last.number, u8::from(by_change));
        format!("<https://thistle.myshopify.com/admin/api/2025-10/orders.json?limit={limit}&page_info={cursor}>; rel=\"next\"")
    });
    let body = json!({"orders": page.into_iter().map(order).collect::<Vec<_>>()});
    let limits = [("x-shopify-shop-api-call-limit", "1/40")];
    match next {
        Some(next) => (limits, [("link", next)], axum::Json(body)).into_response(),
        None => (limits, axum::Json(body)).into_response(),
    }
}

fn parsed(cursor: &str) -> Option<Cursor> {
    let mut parts = cursor.split('-');
    let before = parts.next()?.parse().ok()?;
    let by_change = parts.next()? == "1";
    Some((before, by_change, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn order(order: &Bought) -> Value {
    let date = |at: Timestamp| {
        at.to_zoned(TimeZone::fixed(tz::offset(-5))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    };
    let money = |amount: String| json!({"shop_money": {"amount": amount, "currency_code": "EUR"}});
    json!({
        "id": order.number, "name": format!("#{}", 1000 + order.number), "test": false, "email": order.email,
        "created_at": date(order.at), "processed_at": date(order.at), "updated_at": date(order.changed_at()),
        "closed_at": date(order.at), "cancelled_at": null, "currency": "EUR", "financial_status": "paid",
        "fulfillment_status": null, "total_price": order.total(), "total_price_set": money(order.total()),
        "customer": {"id": order.customer, "email": order.email, "first_name": "Ida", "last_name": "Moss"},
        "line_items": [{
            "id": order.number, "product_id": 7, "variant_id": 8, "title": "Moss pot", "sku": "MM-1",
            "quantity": order.quantity, "price": order.price(), "price_set": money(order.price()),
            "gift_card": false, "total_discount": "0.00",
        }],
        "fulfillments": [], "refunds": [], "discount_codes": [], "tags": "",
    })
}
