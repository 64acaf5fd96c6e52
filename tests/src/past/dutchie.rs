//! Dutchie POS: transactions by windows of time without pages, customers in pages by number and one by one, amounts in
//! US dollars as JSON's numbers, 600 requests a minute.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::past::{Bought, PEOPLE, Past, Query, Shop};

pub(super) const SHOP: Shop = Shop {
    platform: "dutchie",
    settings: |address| json!({"api_url": address, "requests_per_minute": 600}),
    secrets: || json!({"api_key": "key"}),
    router,
    // Where the key belongs to, the products, and the customers in one page, then transactions: the longest window is of
    // 60 days, and the past of 91.
    least_requests: |_| 3 + 2,
    order_id: |number| format!("530271:{number}"),
};

const PER_MINUTE: usize = 600;
/// The longest stretch of time that transactions can be asked for.
const LONGEST: SignedDuration = SignedDuration::from_hours(1440);

type Asked = Arc<Mutex<VecDeque<Instant>>>;

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/whoami", get(whoami))
        .route("/products", get(products))
        .route("/reporting/transactions", get(transactions))
        .route("/customer/customers", get(customer_by_id))
        .route("/customer/customers-paginated", get(customers))
        .layer(from_fn_with_state(Asked::default(), admit))
        .with_state(past)
}

async fn admit(State(asked): State<Asked>, request: Request, next: Next) -> Response {
    // key:
    if request.headers().get(header::AUTHORIZATION).is_none_or(|basic| basic != "Basic a2V5Og==") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let is_spent = {
        let mut asked = asked.lock().unwrap();
        asked.retain(|at| at.elapsed() < Duration::from_mins(1));
        let is_spent = asked.len() >= PER_MINUTE;
        if !is_spent {
            asked.push_back(Instant::now());
        }
        is_spent
    };
    if is_spent {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "5")]).into_response();
    }
    next.run(request).await
}

async fn whoami() -> Json<Value> {
    Json(json!({
        "locationId": 530_271, "locationName": "Main Street", "lspId": 530_264, "lspName": "Moss & Fern",
        "shareCustomerProfiles": true,
    }))
}

async fn products() -> Json<Value> {
    Json(json!([{
        "productId": 7, "sku": "MM-1", "productName": "Moss pot", "category": "Pots", "masterCategory": "Accessories",
        "isActive": true, "isCoupon": false, "lastModifiedDateUTC": "2024-01-01T00:00:00Z",
    }]))
}

/// By the time of sale or by that of the last change, never both.
async fn transactions(State(past): State<Arc<Past>>, query: Query) -> Response {
    let range = |from: &str, to: &str| {
        let time = |name: &str| query.get(name)?.parse::<Timestamp>().ok();
        Some((time(from)?, time(to)?))
    };
    let by_sale = range("FromDateUTC", "ToDateUTC");
    let by_change = range("FromLastModifiedDateUTC", "ToLastModifiedDateUTC");
    let (by_sale, from, to) = match (by_sale, by_change) {
        (Some((from, to)), None) => (true, from, to),
        (None, Some((from, to))) => (false, from, to),
        _ => return StatusCode::BAD_REQUEST.into_response(),
    };
    if to.duration_since(from) > LONGEST {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let at = |order: &Bought| if by_sale { order.at } else { order.changed_at() };
    let wanted = past.orders.iter().filter(|order| (from..to).contains(&at(order)));
    let has_detail = query.get("IncludeDetail").is_some_and(|detail| detail == "true");
    Json(wanted.map(|order| transaction(order, has_detail)).collect::<Value>()).into_response()
}

async fn customer_by_id(State(past): State<Arc<Past>>, query: Query) -> Response {
    let Some(id) = query.get("customerID").and_then(|id| id.parse().ok()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let found: Vec<Value> = (1..=PEOPLE).contains(&id).then(|| customer(id, &past)).into_iter().collect();
    Json(found).into_response()
}

/// Pages are numbered from 0, and nothing says which is the last.
async fn customers(State(past): State<Arc<Past>>, query: Query) -> Response {
    let number = |name: &str, default| query.get(name).map_or(Ok(default), |text| text.parse::<usize>());
    let time = |name: &str| query.get(name).map(|text| text.parse::<Timestamp>()).transpose();
    let (Ok(page), Ok(size @ 1..=10_000), Ok(from), Ok(to)) = (
        number("PageNumber", 0),
        number("PageSize", 1000),
        time("fromLastModifiedDateUTC"),
        time("toLastModifiedDateUTC"),
    ) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let is_wanted = |id: &u64| {
        let at = changed_at(*id, &past);
        from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to)
    };
    let wanted = (1..=PEOPLE).filter(is_wanted).skip(page * size).take(size);
    Json(wanted.map(|id| customer(id, &past)).collect::<Value>()).into_response()
}

/// Customers came before they bought, one a minute.
fn changed_at(id: u64, past: &Past) -> Timestamp {
    past.begin() + SignedDuration::from_mins(id.cast_signed())
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn customer(id: u64, past: &Past) -> Value {
    let at = date(changed_at(id, past));
    json!({
        "customerId": id, "firstName": "Ida", "lastName": "Moss", "emailAddress": format!("buyer{id}@example.com"),
        "city": "Denver", "state": "CO", "status": "Active", "isAnonymous": false, "creationDate": at,
        "lastModifiedDateUTC": at,
    })
}

fn transaction(order: &Bought, has_detail: bool) -> Value {
    let number = |text: String| text.parse::<serde_json::Number>().unwrap();
    let at = date(order.at);
    let item = json!({
        "transactionItemId": order.number, "productId": 7, "quantity": order.quantity, "unitPrice": number(order.price()),
        "totalPrice": number(order.total()), "totalDiscount": 0, "isReturned": false, "isCoupon": false,
        "discounts": [], "taxes": [],
    });
    json!({
        "transactionId": order.number, "customerId": order.customer, "transactionDate": at,
        "lastModifiedDateUTC": date(order.changed_at()), "isVoid": false, "isReturn": false, "transactionType": "Retail",
        "invoiceNumber": order.number.to_string(), "subtotal": number(order.total()), "totalDiscount": 0, "tax": 0,
        "total": number(order.total()), "paid": number(order.total()), "items": if has_detail { json!([item]) } else { json!(null) },
        "discounts": [],
    })
}
