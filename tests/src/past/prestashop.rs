//! `PrestaShop`'s webservice: rows of its database, filtered by any field, without a bound of pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::past::{Bought, PEOPLE, Past, Query, Shop};

/// The shop's zone. Clocks are not turned there: what they show tells the time.
const ZONE: &str = "Africa/Tunis";
/// The key as the user, without a password.
const BASIC: &str = "Basic UEFTVFBBU1RQQVNUUEFTVFBBU1RQQVNUUEFTVFBBU1Q6";

pub(super) const SHOP: Shop = Shop {
    platform: "prestashop",
    settings: |address| json!({"shop_url": "https://larch.example", "api_url": address}),
    secrets: || json!({"webservice_key": "PASTPASTPASTPASTPASTPASTPASTPAST"}),
    router,
    // The configuration and six lists (states, currencies, countries, regions, carriers, categories). The webservice
    // knows no bound, but addresses do: a page of 100, and of these the histories, slips, carriers, vouchers, customers,
    // addresses and products.
    least_requests: |orders| 7 + orders.div_ceil(100) * 8,
    order_id: |number| number.to_string(),
};

fn router(past: Arc<Past>) -> Router {
    Router::new().route("/api/{resource}", get(list)).with_state(past)
}

async fn list(
    State(past): State<Arc<Past>>,
    Path(resource): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> Response {
    if headers.get(header::AUTHORIZATION).is_none_or(|given| given != BASIC) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Some(mut rows) = rows(&past, &resource) else { return StatusCode::BAD_REQUEST.into_response() };
    let parameter = |name: &str| query.get(name).map(String::as_str);
    // XML is the default; it is not written here.
    if parameter("output_format") != Some("JSON") {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    for (name, filter) in query.iter() {
        let Some(field) = name.strip_prefix("filter[").and_then(|name| name.strip_suffix(']')) else {
            continue;
        };
        let is_date = matches!(field, "date_add" | "date_upd");
        if is_date && parameter("date") != Some("1") {
            return StatusCode::BAD_REQUEST.into_response();
        }
        rows.retain(|row| fits(&text(&row[field]), filter));
    }
    if parameter("sort") == Some("[id_ASC]") {
        rows.sort_by_key(|row| row["id"].as_u64());
    }
    if let Some(limit) = parameter("limit") {
        rows.truncate(limit.parse().unwrap());
    }
    let display = parameter("display").unwrap_or("[id]");
    if display != "full" {
        let fields: Vec<&str> = display.trim_matches(['[', ']']).split(',').collect();
        for row in &mut rows {
            row.as_object_mut().unwrap().retain(|name, _| fields.contains(&name.as_str()));
        }
    }
    let body = if rows.is_empty() { json!([]) } else { json!({ resource: rows }) };
    axum::Json(body).into_response()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `>[5]`, `[from,to]`, `[one|another]`.
fn fits(value: &str, filter: &str) -> bool {
    let inner = |filter: &str| filter.trim_matches(['[', ']']).to_owned();
    if let Some(than) = filter.strip_prefix('>') {
        return value.parse::<u64>().unwrap() > inner(than).parse().unwrap();
    }
    match inner(filter).split_once(',') {
        Some((from, to)) => *from <= *value && *value <= *to,
        None => inner(filter).split('|').any(|one| one == value),
    }
}

/// The tables. The customers and the product were there before the first order.
fn rows(past: &Past, resource: &str) -> Option<Vec<Value>> {
    let of_orders = |row: fn(&Bought) -> Value| past.orders.iter().map(row).collect();
    Some(match resource {
        "configurations" => [("PS_TIMEZONE", ZONE), ("PS_LANG_DEFAULT", "1"), ("PS_OS_CANCELED", "6")]
            .into_iter()
            .zip(1..)
            .map(|((name, value), id)| json!({"id": id, "name": name, "value": value}))
            .collect(),
        "currencies" => vec![json!({"id": 1, "iso_code": "EUR"})],
        "countries" => vec![json!({"id": 8, "iso_code": "FR"})],
        "carriers" => vec![json!({"id": 4, "name": "Larch Express"})],
        "categories" => vec![json!({"id": 5, "name": "Pots"})],
        "order_states" => vec![json!({"id": 2, "shipped": "0"}), json!({"id": 6, "shipped": "0"})],
        "states" | "order_slip" | "order_carriers" | "order_cart_rules" | "cart_rules" | "combinations" => vec![],
        "products" => vec![json!({
            "id": 7, "name": "Moss pot", "reference": "MM-1", "manufacturer_name": false, "id_category_default": "5",
            "active": "1", "date_add": "2020-01-01 00:00:00", "date_upd": "2020-01-01 00:00:00",
        })],
        "customers" => (1..=PEOPLE).map(customer).collect(),
        "addresses" => (1..=PEOPLE)
            .map(|id| json!({"id": id, "id_country": "8", "id_state": "0", "firstname": "Ida", "lastname": "Moss"}))
            .collect(),
        "orders" => of_orders(order),
        "order_histories" => of_orders(|order| {
            json!({"id": order.number, "id_order": order.number.to_string(), "id_order_state": "2", "date_add": local(order.at)})
        }),
        "carts" => of_orders(|order| {
            json!({
                "id": order.number, "id_customer": order.customer.to_string(),
                "date_add": local(order.at), "date_upd": local(order.at),
                "associations": {"cart_rows": [{
                    "id_product": "7", "id_product_attribute": "0", "quantity": order.quantity.to_string(),
                }]},
            })
        }),
        _ => return None,
    })
}

fn customer(id: u64) -> Value {
    json!({
        "id": id, "email": format!("buyer{id}@example.com"), "firstname": "Ida", "lastname": "Moss", "newsletter": "0",
        "newsletter_date_add": "0000-00-00 00:00:00", "is_guest": "0", "deleted": "0",
        "date_add": "2020-01-01 00:00:00", "date_upd": "2020-01-01 00:00:00",
    })
}

fn order(order: &Bought) -> Value {
    let customer = order.customer.to_string();
    json!({
        "id": order.number, "reference": format!("REF{}", order.number), "id_cart": order.number.to_string(),
        "id_customer": customer, "id_address_invoice": customer, "id_address_delivery": customer, "id_currency": "1",
        "current_state": "2", "id_shop": "1", "date_add": local(order.at), "date_upd": local(order.changed_at()),
        "total_paid_tax_incl": order.total(), "total_paid_real": order.total(), "total_discounts_tax_incl": "0.000000",
        "associations": {"order_rows": [{
            "id": order.number.to_string(), "product_id": "7", "product_attribute_id": "0", "product_name": "Moss pot",
            "product_quantity": order.quantity.to_string(), "unit_price_tax_incl": order.price(),
        }]},
    })
}

fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::get(ZONE).unwrap()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
