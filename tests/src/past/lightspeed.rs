//! Lightspeed Retail, R-Series, API V3: lists by keyset with links to the next page, operators within values, and a
//! leaky bucket that requests fill by what they cost. Every scalar is a text.

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::past::{Bought, PEOPLE, Past, Query, Shop};

pub(super) const SHOP: Shop = Shop {
    platform: "lightspeed",
    settings: |address| json!({"account_id": "120650", "api_url": address}),
    // The token in place of a grant, which would need somebody to consent.
    secrets: || json!({"client_id": "client", "client_secret": "secret", "access_token": "token"}),
    router,
    // Sales and customers in pages of 100; the shop and the account's currency once.
    least_requests: |orders| orders.div_ceil(100) + usize::try_from(PEOPLE).unwrap().div_ceil(100) + 2,
    order_id: |number| number.to_string(),
};

const HOST: &str = "https://api.lightspeedapp.com";
/// An account with 19 registers: 90 and 10 more for each but the first; one a second, and a half more for each.
const BUCKET: u128 = 270;
const DRIP: u128 = 10;

struct Account {
    past: Arc<Past>,
    /// How full the bucket was, in thousandths, and when.
    bucket: Mutex<(u128, Instant)>,
}

fn router(past: Arc<Past>) -> Router {
    let account = Arc::new(Account { past, bucket: Mutex::new((0, Instant::now())) });
    Router::new()
        .route("/API/V3/Account/120650.json", get(about))
        .route("/API/V3/Account/120650/{list}", get(list))
        .layer(from_fn_with_state(Arc::clone(&account), admit))
        .with_state(account)
}

/// The request that makes the bucket flow over is still answered.
async fn admit(State(account): State<Arc<Account>>, query: Query, request: Request, next: Next) -> Response {
    if request.headers().get(header::AUTHORIZATION).is_none_or(|token| token != "Bearer token") {
        let body =
            json!({"httpCode": "401", "httpMessage": "Unauthorized", "message": "Invalid access token."});
        return (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response();
    }
    // A relation of a list costs a fifth, at least.
    let relations = query.get("load_relations").map_or(0, |relations| relations.matches(',').count() + 1);
    let cost = 1000 + 200 * relations as u128;
    let (level, is_full) = {
        let mut bucket = account.bucket.lock().unwrap();
        let left = bucket.0.saturating_sub(bucket.1.elapsed().as_millis() * DRIP);
        let is_full = left >= BUCKET * 1000;
        *bucket = (if is_full { left } else { left + cost }, Instant::now());
        (bucket.0, is_full)
    };
    let thousandths = |number: u128| format!("{}.{:03}", number / 1000, number % 1000);
    let mut response =
        if is_full { StatusCode::TOO_MANY_REQUESTS.into_response() } else { next.run(request).await };
    let mut say =
        |name: &'static str, value: String| response.headers_mut().insert(name, value.parse().unwrap());
    say("x-ls-api-bucket-level", format!("{}/{BUCKET}", thousandths(level)));
    say("x-ls-api-drip-rate", DRIP.to_string());
    say("x-ls-api-request-cost", thousandths(cost));
    if is_full {
        say("x-ls-api-ratelimit-type", "api-leaky-bucket".to_owned());
        say("retry-after", ((level / 1000 - BUCKET) / DRIP + 1).to_string());
    }
    response
}

async fn about() -> Response {
    let currency = json!({"code": "EUR", "symbol": "€"});
    axum::Json(json!({"@attributes": {"count": "1"}, "Account": {"accountID": "120650", "defaultCurrency": currency}}))
        .into_response()
}

/// One of the lists, filtered, sorted and cut into a page.
async fn list(State(account): State<Arc<Account>>, Path(name): Path<String>, query: Query) -> Response {
    let past = &account.past;
    // A list's name, its records, and what it can be sorted by.
    let (name, mut found, sorts): (_, Vec<Value>, &[&str]) = match name.as_str() {
        "Sale.json" => (
            "Sale",
            past.orders.iter().map(sale).collect(),
            &["saleID", "timeStamp", "completeTime", "updatetime"],
        ),
        "Customer.json" => {
            ("Customer", (1..=PEOPLE).map(|id| customer(id, past)).collect(), &["customerID", "timeStamp"])
        }
        "Shop.json" => {
            ("Shop", vec![json!({"shopID": "1", "name": "Moss & Fern", "timeZone": "UTC"})], &["shopID"])
        }
        "Category.json" => ("Category", Vec::new(), &["categoryID"]),
        "ShipTo.json" => ("ShipTo", Vec::new(), &["shipToID", "timeStamp", "saleID"]),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let id = sorts[0];
    let sort = query.get("sort").map_or(id, String::as_str);
    let limit = query.get("limit").map_or(Ok(100), |limit| limit.parse());
    let (Ok(limit @ 1..=100), true) = (limit, sorts.contains(&sort)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    for (field, range) in &query.0 {
        if ["sort", "limit", "archived", "load_relations", "after"].contains(&field.as_str()) {
            continue;
        }
        let Some(range) = Range::of(range) else { return StatusCode::BAD_REQUEST.into_response() };
        found.retain(|record| record[field].as_str().is_some_and(|value| range.has(value)));
    }
    // Texts of one length, all of them: times in UTC, and ids made so.
    let key = |record: &Value| {
        let [by, id] = [sort, id].map(|field| record[field].as_str().unwrap().to_owned());
        if by == id { format!("{id:0>20}") } else { format!("{by}/{id:0>20}") }
    };
    found.sort_by_cached_key(key);
    if let Some(after) = query.get("after") {
        found.retain(|record| key(record) > *after);
    }
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map_or_else(String::new, |last| {
        let mut next = format!("{HOST}/API/V3/Account/120650/{name}.json?after={}", encoded(&key(last)));
        for (field, value) in query.0.iter().filter(|(field, _)| *field != "after") {
            write!(next, "&{field}={}", encoded(value)).unwrap();
        }
        next
    });
    let mut body = json!({"@attributes": {"next": next, "previous": ""}});
    // One is no list, and none is nothing.
    match found.len() {
        0 => {}
        1 => body[name] = found.remove(0),
        _ => body[name] = found.into(),
    }
    axum::Json(body).into_response()
}

/// What may stand in a value beside the value itself.
enum Range {
    Within(Timestamp, Timestamp),
    AnyOf(Vec<u64>),
}

impl Range {
    fn of(text: &str) -> Option<Self> {
        if let Some(ids) = text.strip_prefix("IN,") {
            return serde_json::from_str(ids).ok().filter(|ids: &Vec<u64>| ids.len() <= 100).map(Self::AnyOf);
        }
        let (from, to) = text.strip_prefix("><,")?.split_once(',')?;
        Some(Self::Within(from.parse().ok()?, to.parse().ok()?))
    }

    fn has(&self, value: &str) -> bool {
        match self {
            Self::Within(from, to) => value.parse().is_ok_and(|at| (*from..=*to).contains(&at)),
            Self::AnyOf(ids) => value.parse().is_ok_and(|id| ids.contains(&id)),
        }
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Customers came before they bought, one a minute.
fn customer(id: u64, past: &Past) -> Value {
    let at = date(past.begin() + SignedDuration::from_mins(id.cast_signed()));
    let email = json!({"address": format!("buyer{id}@example.com"), "useType": "Primary"});
    json!({
        "customerID": id.to_string(), "firstName": "Ida", "lastName": "Moss", "archived": "false",
        "createTime": at, "timeStamp": at,
        "Contact": {
            "noEmail": "false", "timeStamp": at, "Emails": {"ContactEmail": email}, "Phones": "",
            "Addresses": {"ContactAddress": {"city": "Bonn", "countryCode": "DE", "country": "Germany"}},
        },
    })
}

/// A completed sale's timeStamp is when it was completed.
fn sale(order: &Bought) -> Value {
    let (id, at, total) = (order.number.to_string(), date(order.at), order.total());
    let line = json!({
        "saleLineID": id, "saleID": id, "itemID": "7", "parentSaleLineID": "0", "unitQuantity": order.quantity.to_string(),
        "unitPrice": order.price(), "calcSubtotal": total, "calcTotal": total, "displayableSubtotal": total,
        "calcLineDiscount": "0", "calcTransactionDiscount": "0", "isLayaway": "false", "isSpecialOrder": "false",
        "isWorkorder": "false", "Item": {"itemID": "7", "description": "Moss pot", "customSku": "MM-1", "categoryID": "0"},
    });
    json!({
        "saleID": id, "ticketNumber": format!("22{id:0>10}"), "completed": "true", "voided": "false", "archived": "false",
        "createTime": at, "timeStamp": at, "completeTime": at, "updatetime": date(order.changed_at()),
        "calcSubtotal": total, "calcDiscount": "0", "calcTotal": total, "total": total, "displayableTotal": total,
        "customerID": order.customer.to_string(), "shopID": "1", "shipToID": "0",
        "SaleLines": {"SaleLine": line}, "SalePayments": {"SalePayment": {"amount": total, "saleID": id}},
        "Customer": {
            "customerID": order.customer.to_string(), "firstName": "Ida", "lastName": "Moss",
            "Contact": {"noEmail": "false", "Emails": {"ContactEmail": {"address": order.email, "useType": "Primary"}}},
        },
    })
}
