//! Salesforce B2C Commerce, SCAPI Orders: an Account Manager whose tokens end after half an hour, pages by an offset that
//! is bounded, ISO dates in UTC.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::past::{Bought, Past, Query, Shop};

pub(super) const SHOP: Shop = Shop {
    platform: "salesforce-commerce-cloud",
    settings: |address| {
        json!({
            "site_id": "RefArch", "short_code": "kv7kzm78", "organization_id": "f_ecom_zzte_053",
            "api_url": address, "token_url": format!("{address}/dwsso/oauth2/access_token"),
        })
    },
    secrets: || json!({"webhook_secret": "unused-unused-unused-unused", "client_id": "client", "client_secret": "secret"}),
    router,
    // A token, and pages of 200.
    least_requests: |orders| 1 + orders.div_ceil(200),
    order_id: |number| format!("{number:08}"),
};

/// For how long a token is good.
const GOOD: Duration = Duration::from_secs(1799);

struct Instance {
    past: Arc<Past>,
    /// When each token was given, by its number.
    tokens: Mutex<Vec<Instant>>,
}

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/dwsso/oauth2/access_token", post(token))
        .route("/checkout/orders/v1/organizations/{organization}/orders", get(orders))
        .with_state(Arc::new(Instance { past, tokens: Mutex::default() }))
}

async fn token(State(instance): State<Arc<Instance>>, headers: HeaderMap, form: String) -> Response {
    // client:secret
    if headers.get(header::AUTHORIZATION).is_none_or(|basic| basic != "Basic Y2xpZW50OnNlY3JldA==") {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"}))).into_response();
    }
    if form != "grant_type=client_credentials&scope=SALESFORCE_COMMERCE_API%3Azzte_053%20sfcc.orders" {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_scope"}))).into_response();
    }
    let mut tokens = instance.tokens.lock().unwrap();
    tokens.push(Instant::now());
    let token = format!("token-{}", tokens.len() - 1);
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": GOOD.as_secs()});
    Json(body).into_response()
}

impl Instance {
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let number = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let number = number.and_then(|value| value.strip_prefix("Bearer token-")?.parse::<usize>().ok());
        let tokens = self.tokens.lock().unwrap();
        number.and_then(|number| tokens.get(number)).is_some_and(|given| given.elapsed() < GOOD)
    }
}

async fn orders(
    State(instance): State<Arc<Instance>>,
    Path(organization): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> Response {
    if !instance.lets_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if organization != "f_ecom_zzte_053" {
        return StatusCode::NOT_FOUND.into_response();
    }
    let text = |name: &str| query.get(name).map(String::as_str);
    let number = |name: &str, default: usize| text(name).map_or(Ok(default), str::parse);
    let time = |name: &str| text(name).map(str::parse::<Timestamp>).transpose();
    let (Ok(limit), Ok(offset)) = (number("limit", 100), number("offset", 0)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (Ok(created_from), Ok(created_to), Ok(changed_from), Ok(changed_to)) = (
        time("creationDateFrom"),
        time("creationDateTo"),
        time("lastModifiedDateFrom"),
        time("lastModifiedDateTo"),
    ) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if text("siteId") != Some("RefArch") || !(1..=200).contains(&limit) || offset + limit > 10_000 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let is_within = |at: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>| {
        from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to)
    };
    let is_wanted = |order: &&Bought| {
        is_within(order.at, created_from, created_to)
            && is_within(order.changed_at(), changed_from, changed_to)
    };
    let mut wanted: Vec<&Bought> = instance.past.orders.iter().filter(is_wanted).collect();
    match text("sortBy") {
        None | Some("creation_date") => {}
        Some("last_modified_date") => wanted.sort_by_key(|order| (order.changed_at(), order.number)),
        Some(_) => return StatusCode::BAD_REQUEST.into_response(),
    }
    if text("sortOrder") != Some("asc") {
        wanted.reverse();
    }
    let total = wanted.len();
    let data: Vec<Value> = wanted.into_iter().skip(offset).take(limit).map(order).collect();
    Json(json!({"limit": limit, "offset": offset, "total": total, "data": data})).into_response()
}

fn order(order: &Bought) -> Value {
    let date = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let number = |text: String| text.parse::<serde_json::Number>().unwrap();
    let address = json!({"firstName": "Ida", "lastName": "Moss", "city": "Bonn", "countryCode": "DE"});
    json!({
        "orderNo": format!("{:08}", order.number), "siteId": "RefArch", "channelType": "storefront",
        "creationDate": date(order.at), "lastModified": date(order.changed_at()), "placeDate": date(order.at),
        "status": "completed", "paymentStatus": "paid", "shippingStatus": "not_shipped", "exportStatus": "exported",
        "confirmationStatus": "confirmed", "currency": "EUR", "taxation": "gross", "taxTotal": 0, "shippingTotal": 0,
        "productTotal": number(order.total()), "orderTotal": number(order.total()),
        "customerInfo": {
            "customerNo": order.customer.to_string(), "customerName": "Ida Moss", "email": order.email, "guest": false,
        },
        "billingAddress": address,
        "shipments": [{"shipmentId": "me", "shippingStatus": "not_shipped", "shippingAddress": address}],
        "productItems": [{
            "itemId": format!("item-{}", order.number), "position": 1, "productId": "MM-1", "productName": "Moss pot",
            "quantity": order.quantity, "basePrice": number(order.price()), "price": number(order.total()),
            "priceAfterItemDiscount": number(order.total()), "priceAfterOrderDiscount": number(order.total()),
            "shipmentId": "me",
        }],
        "paymentInstruments": [],
    })
}
