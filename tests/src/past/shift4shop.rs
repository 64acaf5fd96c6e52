//! Shift4Shop's REST API: lists by day in the store's own zone, rows counted from 1, "no rows" as 404.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{self, TimeZone};
use serde_json::{Value, json};

use crate::past::{Bought, Past, Query, Shop, is};

pub(super) const SHOP: Shop = Shop {
    platform: "shift4shop",
    // Phoenix knows no summer time: of an hour that comes twice a year the store does not say which it was.
    settings: |address| {
        json!({"secure_url": "https://thistle.3dcartstores.com", "time_zone": "America/Phoenix",
               "currency": "EUR", "api_url": address})
    },
    secrets: || json!({"webhook_token": "unused-unused-unused-unused", "private_key": "private", "api_token": "token"}),
    router,
    // Pages of 300.
    least_requests: |orders| orders.div_ceil(300),
    order_id: |number| number.to_string(),
};

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/Orders", get(orders))
        .route("/Customers", get(no_rows))
        .route("/Products", get(no_rows))
        .with_state(past)
}

async fn no_rows(headers: HeaderMap) -> Response {
    if is_known(&headers) { refused(StatusCode::NOT_FOUND, "No records found") } else { denied() }
}

fn is_known(headers: &HeaderMap) -> bool {
    is(headers, "secureurl", "https://thistle.3dcartstores.com")
        && is(headers, "privatekey", "private")
        && is(headers, "token", "token")
}

fn denied() -> Response {
    refused(StatusCode::UNAUTHORIZED, "Unauthorized")
}

fn refused(status: StatusCode, message: &str) -> Response {
    let code = status.as_u16().to_string();
    (status, axum::Json(json!([{"Key": "Error", "Value": "", "Status": code, "Message": message}])))
        .into_response()
}

fn local(at: Timestamp) -> jiff::civil::DateTime {
    at.to_zoned(TimeZone::fixed(tz::offset(-7))).datetime()
}

async fn orders(State(past): State<Arc<Past>>, headers: HeaderMap, query: Query) -> Response {
    if !is_known(&headers) {
        return denied();
    }
    let number =
        |name: &str, default| query.get(name).map_or(Some(default), |value| value.parse::<usize>().ok());
    let (Some(limit @ 1..=300), Some(offset)) = (number("limit", 10), number("offset", 0)) else {
        return refused(StatusCode::BAD_REQUEST, "Invalid limit or offset");
    };
    let day = |name: &str| query.get(name).map(|day| Date::strptime("%m/%d/%Y", day));
    let days = [day("datestart"), day("dateend"), day("lastupdatestart"), day("lastupdateend")];
    let Ok([from, to, changed_from, changed_to]) = days
        .into_iter()
        .map(Option::transpose)
        .collect::<Result<Vec<_>, _>>()
        .map(|days| <[_; 4]>::try_from(days).unwrap())
    else {
        return refused(StatusCode::BAD_REQUEST, "Invalid date");
    };
    let is_wanted = |order: &&Bought| {
        let (at, changed_at) = (local(order.at).date(), local(order.changed_at()).date());
        // Of the last day nothing comes: its midnight is the end.
        from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| at < to)
            && changed_from.is_none_or(|from| changed_at >= from)
            && changed_to.is_none_or(|to| changed_at < to)
    };
    let wanted: Vec<&Bought> = past.orders.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return refused(StatusCode::NOT_FOUND, "No records found");
    }
    let skipped = offset.saturating_sub(1);
    if skipped >= wanted.len() {
        return refused(StatusCode::BAD_REQUEST, "Offset amount exceeds the total number of records");
    }
    axum::Json(wanted.into_iter().skip(skipped).take(limit).map(order).collect::<Vec<Value>>())
        .into_response()
}

fn order(order: &Bought) -> Value {
    let date = |at: Timestamp| local(at).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let number = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    json!({
        "OrderID": order.number, "InvoiceNumberPrefix": "AB-", "InvoiceNumber": 1000 + order.number,
        // Processing: paid.
        "OrderStatusID": 2, "CustomerID": order.customer, "OrderDate": date(order.at),
        "LastUpdate": date(order.changed_at()), "OrderAmount": number(order.total()), "OrderDiscount": 0.0,
        "SalesTax": 0.0, "BillingFirstName": "Ida", "BillingLastName": "Moss", "BillingEmail": order.email,
        "BillingCountry": "DE", "CardNumber": "", "IP": "192.0.2.1",
        "OrderItemList": [{
            "ItemIndexID": order.number, "CatalogID": 7, "ItemID": "MM-1", "ItemDescription": "Moss pot",
            "ItemQuantity": order.quantity, "ItemUnitPrice": number(order.price()), "ItemOptionPrice": 0.0,
        }],
        "ShipmentList": [], "TransactionList": [], "PromotionList": [],
    })
}
