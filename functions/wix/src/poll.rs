//! Asking for the orders that changed.

use canonical::hash;
use jiff::Timestamp;
use platform::lenient::{self, Field, Object};
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Record};
use serde_json::{Value, json};

use crate::api::{self, Access, Credentials};
use crate::payload::{self, Json};

/// What a polled order's body is read as.
pub(crate) const TOPIC: &str = "orders/search";
const TOKEN_PATH: &str = "/oauth2/token";
const PAGE_SIZE: u32 = 100;

/// The orders that changed between two instants, if the connection wants them and may ask.
pub(crate) fn feeds(connection: &Connection, since: Timestamp, until: Timestamp) -> Vec<Feed> {
    if !connection.flag("poll", false) {
        return Vec::new();
    }
    let request = match Access::of(connection) {
        None => return Vec::new(),
        Some(Access::ApiKey { site_id }) => {
            search(connection, &first_page(&since.to_string(), &until.to_string()), &api::with_key(site_id))
        }
        Some(Access::OAuth { app_id, instance_id }) => {
            let mut request = api::token_request(connection, app_id, instance_id);
            // A fragment is never sent: it keeps the window until the token is there.
            request.url = format!("{}#{since}/{until}", request.url);
            request
        }
    };
    vec![Feed { name: "orders", request }]
}

/// Reads one answer: the token, or a page of orders.
pub(crate) fn page(connection: &Connection, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    let body = api::found(answer).ok_or_else(|| format!("answered with status {}", answer.status))?;
    let (address, window) = feed.request.url.split_once('#').unwrap_or((&feed.request.url, ""));
    if address.ends_with(TOKEN_PATH) {
        let token = api::token(answer).ok_or("the API gave no token")?;
        let (since, until) = window.split_once('/').ok_or("the request names no window")?;
        let next = search(connection, &first_page(since, until), &api::with_token(token));
        return Ok(Page { records: Vec::new(), next: Some(next), ..Page::default() });
    }
    let page: payload::OrderPage = lenient::object(body).map_err(|error| error.to_string())?;
    let Field::Is(orders) = page.orders else { return Err("the answer has no orders".to_owned()) };
    let records: Vec<Record> = orders.into_iter().filter_map(Field::ok).map(record).collect();
    let paging = page.metadata.ok().map(|Object(paging)| paging).unwrap_or_default();
    let cursor = paging.cursors.ok().and_then(|Object(cursors)| cursors.next.ok());
    let more = !records.is_empty() && paging.has_next.ok() != Some(false);
    let next = cursor.filter(|_| more).map(|cursor| {
        let next = json!({ "search": { "cursorPaging": { "limit": PAGE_SIZE, "cursor": cursor } } });
        ApiRequest { body: Some(next.to_string()), ..feed.request.clone() }
    });
    Ok(Page { records, next, ..Page::default() })
}

/// Orders that are merely initialised are never among them.
/// Source: <https://dev.wix.com/docs/rest/business-solutions/e-commerce/orders/search-orders>.
fn first_page(since: &str, until: &str) -> Value {
    json!({ "search": {
        "filter": { "updatedDate": { "$gte": since, "$lt": until } },
        "sort": [{ "fieldName": "updatedDate", "order": "ASC" }],
        "cursorPaging": { "limit": PAGE_SIZE },
    } })
}

fn search(connection: &Connection, body: &Value, credentials: &Credentials) -> ApiRequest {
    api::authorized(ApiRequest::post(api::url(connection, "/ecom/v1/orders/search"), body), credentials)
}

fn record(Json(order): Json) -> Record {
    Record {
        topic: TOPIC.to_owned(),
        delivery_id: hash::long_id(&[TOPIC, &order]),
        headers: Headers::default(),
        body: order.into_bytes(),
    }
}
