//! Volusion's V1: one export of all orders by a schema of the store's own, in XML and without pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::past::{Bought, Past, Query, Shop};

/// The store's zone. Clocks are not turned there: what they show tells the time.
const ZONE: &str = "America/Phoenix";
const LOGIN: [(&str, &str); 2] = [("Login", "ida@example.com"), ("EncryptedPassword", "0123456789ABCDEF")];

/// The history is more than one answer may hold.
const PARTS: usize = 8;

pub(super) const SHOP: Shop = Shop {
    platform: "volusion",
    settings: |address| {
        json!({
            "edition": "v1", "store_url": "https://cedar.example", "api_url": address, "currency": "USD", "time_zone": ZONE,
            "changes_schema": "tillstream_changes", "history_schema": "part_0,part_1,part_2,part_3,part_4,part_5,part_6,part_7",
        })
    },
    secrets: || json!({"login": LOGIN[0].1, "encrypted_password": LOGIN[1].1}),
    router,
    // An answer holds every order of its schema, with its lines and its customer.
    least_requests: |_| PARTS,
    order_id: |number| number.to_string(),
};

fn router(past: Arc<Past>) -> Router {
    Router::new().route("/net/WebService.aspx", get(export)).with_state(past)
}

/// A login that is not right gets an empty answer.
async fn export(State(past): State<Arc<Past>>, query: Query) -> Response {
    if LOGIN.into_iter().any(|(name, value)| query.get(name).is_none_or(|given| given != value)) {
        return ().into_response();
    }
    let lately = |order: &&Bought| order.changed_at() >= crate::now() - jiff::SignedDuration::from_hours(48);
    let rows: Vec<String> = match query.get("API_Name").map(String::as_str) {
        Some(name) if name.starts_with("Generic\\part_") => {
            let part = past
                .orders
                .iter()
                .enumerate()
                .filter(|(place, _)| name.ends_with(&format!("_{}", place % PARTS)));
            part.map(|(_, order)| row(order)).collect()
        }
        Some("Generic\\tillstream_changes") => past.orders.iter().filter(lately).map(row).collect(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let body = match rows.concat() {
        rows if rows.is_empty() => "<xmldata />".to_owned(),
        rows => format!("<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<xmldata>{rows}</xmldata>"),
    };
    ([("content-type", "text/xml")], body).into_response()
}

fn row(order: &Bought) -> String {
    let local = |at: Timestamp| {
        at.to_zoned(TimeZone::get(ZONE).unwrap()).strftime("%-m/%-d/%Y %-I:%M:%S %p").to_string()
    };
    let fields = [
        ("OrderID", order.number.to_string()),
        ("CustomerID", order.customer.to_string()),
        ("OrderDate", local(order.at)),
        ("LastModified", local(order.changed_at())),
        ("OrderStatus", "Processing".to_owned()),
        ("PaymentAmount", order.total()),
        ("BillingFirstName", "Ida".to_owned()),
        ("BillingLastName", "Moss".to_owned()),
        ("BillingCountry", "United States".to_owned()),
        ("OrderDetailID", order.number.to_string()),
        ("ProductCode", "MM-1".to_owned()),
        ("ProductName", "Moss pot".to_owned()),
        ("ProductPrice", order.price()),
        ("Quantity", order.quantity.to_string()),
        ("TotalPrice", order.total()),
        ("EmailAddress", order.email.clone()),
        ("EmailSubscriber", "N".to_owned()),
    ];
    let fields: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
    format!("<Orders>{}</Orders>", fields.concat())
}
