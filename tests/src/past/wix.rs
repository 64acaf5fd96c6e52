//! Wix's REST API, asked by an app: a token first, then searches whose pages follow a cursor.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::past::{Bought, Past, Shop, is};

const TOKEN: &str = "OauthNG.JWS.abc";

pub(super) const SHOP: Shop = Shop {
    platform: "wix",
    settings: |address| json!({"app_id": "app", "instance_id": "instance", "api_url": address}),
    secrets: || json!({"public_key": "unused", "app_secret": "secret"}),
    router,
    // Pages of 100, and a token, which lasts for four hours.
    least_requests: |orders| orders.div_ceil(100) + 1,
    order_id,
};

fn order_id(number: u64) -> String {
    format!("0c9d7b1e-5a34-4f26-8e7d-{number:012}")
}

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/oauth2/token", post(token))
        .route("/ecom/v1/orders/search", post(orders))
        .route("/contacts/v4/contacts/query", post(nobody))
        .with_state(past)
}

async fn token(Json(asked): Json<Value>) -> Response {
    let wanted = json!({"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret",
                        "instance_id": "instance"});
    if asked != wanted {
        return StatusCode::BAD_REQUEST.into_response();
    }
    Json(json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 14400})).into_response()
}

async fn nobody(headers: HeaderMap) -> Response {
    if !is(&headers, "authorization", TOKEN) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(json!({"contacts": [], "pagingMetadata": {"count": 0, "offset": 0, "hasNext": false}}))
        .into_response()
}

/// A search as far as it has got: by change or by creation, in `since..until`, behind an order.
type Search = (bool, Timestamp, Timestamp, Option<(Timestamp, u64)>);

fn search(asked: &Value) -> Option<Search> {
    let time = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
    let paging = &asked["cursorPaging"];
    if let Some(cursor) = paging.get("cursor") {
        // The cursor stands for the filter and the order, which are refused beside it.
        if asked.get("filter").is_some() || asked.get("sort").is_some() {
            return None;
        }
        let parts: Vec<&str> = cursor.as_str()?.split('_').collect();
        let [by, since, until, at, number] = parts.as_slice() else { return None };
        let time = |text: &str| text.parse::<Timestamp>().ok();
        return Some((*by == "changed", time(since)?, time(until)?, Some((time(at)?, number.parse().ok()?))));
    }
    let (field, bounds) = asked["filter"].as_object()?.iter().next()?;
    let is_known = ["createdDate", "updatedDate"].contains(&field.as_str());
    let sorted = json!([{"fieldName": field, "order": "ASC"}]);
    let by_change = field == "updatedDate";
    (is_known && asked["sort"] == sorted).then_some((
        by_change,
        time(&bounds["$gte"])?,
        time(&bounds["$lt"])?,
        None,
    ))
}

async fn orders(State(past): State<Arc<Past>>, headers: HeaderMap, Json(asked): Json<Value>) -> Response {
    if !is(&headers, "authorization", TOKEN) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let asked = &asked["search"];
    let limit = asked["cursorPaging"].get("limit").map_or(Some(50), Value::as_u64);
    let (Some(limit @ 1..=100), Some((by_change, since, until, behind))) = (limit, search(asked)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let key = |order: &Bought| (if by_change { order.changed_at() } else { order.at }, order.number);
    let is_wanted = |order: &&Bought| {
        let (at, number) = key(order);
        (since..until).contains(&at) && behind.is_none_or(|behind| (at, number) > behind)
    };
    let mut wanted: Vec<&Bought> = past.orders.iter().filter(is_wanted).collect();
    wanted.sort_by_key(|order| key(order));
    let has_next = wanted.len() as u64 > limit;
    wanted.truncate(usize::try_from(limit).unwrap());
    let next = wanted.last().filter(|_| has_next).map(|last| {
        let by = if by_change { "changed" } else { "created" };
        let (at, number) = key(last);
        format!("{by}_{since}_{until}_{at}_{number}")
    });
    let metadata = json!({"count": wanted.len(), "cursors": {"next": next}, "hasNext": has_next});
    let orders: Vec<Value> = wanted.into_iter().map(order).collect();
    Json(json!({"orders": orders, "metadata": metadata})).into_response()
}

fn order(order: &Bought) -> Value {
    let date = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let money = |amount: String| json!({"amount": amount, "formattedAmount": format!("€{amount}")});
    json!({
        "id": order_id(order.number), "number": (10_000 + order.number).to_string(), "status": "APPROVED",
        "createdDate": date(order.at), "purchasedDate": date(order.at), "updatedDate": date(order.changed_at()),
        "currency": "EUR", "paymentStatus": "PAID", "fulfillmentStatus": "NOT_FULFILLED",
        "taxIncludedInPrices": true, "channelInfo": {"type": "WEB"}, "activities": [], "appliedDiscounts": [],
        "buyerInfo": {"contactId": format!("6f1b2c3d-0000-4000-8000-{:012}", order.customer), "email": order.email},
        "billingInfo": {"contactDetails": {"firstName": "Ida", "lastName": "Moss"}, "address": {"country": "DE"}},
        "priceSummary": {"total": money(order.total()), "discount": money("0.00".to_owned())},
        "lineItems": [{
            "id": "00000000-0000-4000-8000-000000000001", "quantity": order.quantity,
            "productName": {"original": "Moss pot"}, "price": money(order.price()),
            "totalPriceAfterTax": money(order.total()), "totalPriceBeforeTax": money(order.total()),
            "physicalProperties": {"sku": "MM-1"},
        }],
    })
}
