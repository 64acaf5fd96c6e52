//! Magento's REST API: searches with filters, in pages by number; UTC without saying so; prices as numbers.

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
    platform: "magento2",
    settings: |address| json!({"base_url": "https://thistle.example", "api_url": address, "bearer": true, "poll": false}),
    secrets: || json!({"access_token": "token"}),
    router,
    // Pages of 300, where a shop limits them and says nothing else; refunds and parcels are lists of their own.
    least_requests: |orders| orders.div_ceil(300) + 2,
    order_id: |number| number.to_string(),
};

fn router(past: Arc<Past>) -> Router {
    Router::new()
        .route("/rest/all/V1/orders", get(orders))
        .route("/rest/all/V1/customers/search", get(nothing))
        .route("/rest/all/V1/products", get(nothing))
        .route("/rest/all/V1/creditmemos", get(nothing))
        .route("/rest/all/V1/shipments", get(nothing))
        .with_state(past)
}

fn is_known(headers: &HeaderMap) -> bool {
    is(headers, "authorization", "Bearer token")
}

async fn nothing(headers: HeaderMap) -> Response {
    if !is_known(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    axum::Json(json!({"items": [], "search_criteria": {}, "total_count": 0})).into_response()
}

/// A group's filters are alternatives, groups are all to be met; here every group has one filter.
struct Filter {
    field: String,
    condition: String,
    value: String,
}

impl Filter {
    fn of(query: &BTreeMap<String, String>) -> Vec<Self> {
        let part = |group: usize, name: &str| {
            query.get(&format!("searchCriteria[filter_groups][{group}][filters][0][{name}]")).cloned()
        };
        let filter = |group| {
            let condition = part(group, "condition_type").unwrap_or_else(|| "eq".to_owned());
            Some(Self { field: part(group, "field")?, condition, value: part(group, "value")? })
        };
        (0..).map_while(filter).collect()
    }

    /// `None` for what this server does not know.
    fn takes(&self, order: &Bought) -> Option<bool> {
        let found = match self.field.as_str() {
            "entity_id" => i64::try_from(order.number).ok()?,
            "created_at" => order.at.as_second(),
            "updated_at" => order.changed_at().as_second(),
            _ => return None,
        };
        let value = if self.field == "entity_id" {
            self.value.parse().ok()?
        } else {
            format!("{}Z", self.value).parse::<Timestamp>().ok()?.as_second()
        };
        Some(match self.condition.as_str() {
            "gt" => found > value,
            "gteq" => found >= value,
            "lt" => found < value,
            "lteq" => found <= value,
            _ => return None,
        })
    }
}

async fn orders(State(past): State<Arc<Past>>, headers: HeaderMap, query: Query) -> Response {
    if !is_known(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let number = |name: &str, default| {
        query
            .get(&format!("searchCriteria[{name}]"))
            .map_or(Some(default), |value| value.parse::<usize>().ok())
    };
    let (Some(size), Some(page)) = (number("pageSize", 20), number("currentPage", 1)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let filters = Filter::of(&query);
    let mut wanted = Vec::new();
    for order in &past.orders {
        match filters.iter().map(|filter| filter.takes(order)).collect::<Option<Vec<bool>>>() {
            Some(met) if met.iter().all(|met| *met) => wanted.push(order),
            Some(_) => {}
            None => return StatusCode::BAD_REQUEST.into_response(),
        }
    }
    if !(1..=300).contains(&size) || page == 0 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    if query.get("searchCriteria[sortOrders][0][field]").is_some_and(|field| field == "updated_at") {
        wanted.sort_by_key(|order| (order.changed_at(), order.number));
    }
    if query.get("searchCriteria[sortOrders][0][direction]").is_some_and(|direction| direction == "DESC") {
        wanted.reverse();
    }
    let total = wanted.len();
    // Beyond the last page the last page comes again.
    let page = page.min(total.div_ceil(size).max(1));
    let items: Vec<Value> = wanted.into_iter().skip((page - 1) * size).take(size).map(order).collect();
    axum::Json(json!({"items": items, "search_criteria": {}, "total_count": total})).into_response()
}

fn order(order: &Bought) -> Value {
    let date = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let number = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    json!({
        "entity_id": order.number, "increment_id": format!("{:09}", order.number), "state": "processing",
        "status": "processing", "created_at": date(order.at), "updated_at": date(order.changed_at()),
        "order_currency_code": "EUR", "base_currency_code": "EUR", "grand_total": number(order.total()),
        "base_grand_total": number(order.total()), "total_paid": number(order.total()),
        "customer_id": order.customer, "customer_is_guest": 0, "customer_email": order.email,
        "customer_firstname": "Ida", "customer_lastname": "Moss", "store_id": 1, "discount_amount": 0,
        "items": [{
            "item_id": order.number, "product_id": 7, "product_type": "simple", "sku": "MM-1", "name": "Moss pot",
            "qty_ordered": order.quantity, "price": number(order.price()), "row_total": number(order.total()),
        }],
        "status_histories": [],
    })
}
