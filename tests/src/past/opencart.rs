//! The feed of our extension for `OpenCart`, which answers as its `library.php` does.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::past::{Bought, Past, Query, Shop};

/// The shop's zone. Clocks are not turned there: what they show tells the time.
const ZONE: &str = "Africa/Tunis";
const TOKEN: &str = "a-long-random-text-of-the-feed";

pub(super) const SHOP: Shop = Shop {
    platform: "opencart",
    settings: |address| json!({"shop_url": "https://larch.example", "api_url": address}),
    secrets: || json!({"feed_token": TOKEN}),
    router,
    // Pages of 100, which hold all that belongs to their orders.
    least_requests: |orders| orders.div_ceil(100),
    order_id: |number| number.to_string(),
};

fn router(past: Arc<Past>) -> Router {
    Router::new().route("/index.php", get(feed)).with_state(past)
}

async fn feed(State(past): State<Arc<Past>>, headers: HeaderMap, query: Query) -> Response {
    if query.get("route").is_none_or(|route| route != "extension/tillstream/feed") {
        return StatusCode::NOT_FOUND.into_response();
    }
    if headers.get("x-tillstream-token").is_none_or(|token| token != TOKEN) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<i64>().ok());
    let within = |at: Timestamp| {
        number("since").is_none_or(|since| at.as_second() >= since)
            && number("until").is_none_or(|until| at.as_second() <= until)
    };
    let limit = usize::try_from(number("limit").unwrap_or(100).clamp(1, 100)).unwrap();
    // The customers and the product were there before the first order; every order was confirmed at once.
    let (after, wanted): (_, Vec<&Bought>) = match query.get("list").map(String::as_str) {
        Some("orders") => ("after_order_id", past.orders.iter().filter(|order| within(order.at)).collect()),
        Some("changes") => {
            ("after_history_id", past.orders.iter().filter(|order| within(order.at)).collect())
        }
        Some("checkouts") => ("after_order_id", Vec::new()),
        Some("customers") => ("after_customer_id", Vec::new()),
        Some("products") => ("after_product_id", Vec::new()),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let after = number(after).and_then(|after| u64::try_from(after).ok()).unwrap_or_default();
    let mut page: Vec<_> = wanted.into_iter().filter(|order| order.number > after).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let last = page.last().map_or(after, |order| order.number);
    let records: Vec<Value> = page.into_iter().map(record).collect();
    let complete = ["5"];
    axum::Json(json!({
        "time_zone": ZONE, "currency": "EUR", "complete": complete, "records": records, "last": last, "more": more,
    }))
    .into_response()
}

/// Values of the database are texts.
fn record(order: &Bought) -> Value {
    let local =
        |at: Timestamp| at.to_zoned(TimeZone::get(ZONE).unwrap()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let id = order.number.to_string();
    json!({
        "order": {
            "order_id": id, "store_id": "0", "store_name": "Larch", "customer_id": order.customer.to_string(),
            "firstname": "Ida", "lastname": "Moss", "email": order.email, "telephone": "",
            "payment_firstname": "Ida", "payment_lastname": "Moss", "payment_iso_code_2": "FR",
            "total": order.total(), "order_status_id": "5", "currency_code": "EUR", "currency_value": "1.00000000",
            "decimal_place": "2", "date_added": local(order.at), "date_modified": local(order.changed_at()),
        },
        "products": [{
            "order_product_id": id, "product_id": "7", "name": "Moss pot", "model": "MM-1", "sku": "MM-1", "options": [],
            "quantity": order.quantity.to_string(), "price": order.price(), "total": order.total(), "categories": [],
        }],
        "totals": [{"code": "total", "title": "Total", "value": order.total()}],
        "histories": [{"order_history_id": id, "order_status_id": "5", "date_added": local(order.at)}],
    })
}
