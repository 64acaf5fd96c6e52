//! Orders that changed between two instants, by the Admin API: what lost deliveries would have told.
//! Source: <https://developers.shopbase.com/tutorial/manage-orders-and-shipping/manage-orders-with-the-rest-admin-api>.

use canonical::hash;
use jiff::Timestamp;
use platform::signature::token::query_parameter;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Record};
use serde_json::Value;

use crate::shop;

/// The topic that polled orders are read as.
const TOPIC: &str = "orders/updated";
/// Orders on a page, the most that ShopBase gives.
const LIMIT: usize = 250;
/// ShopBase refuses what lies more than 100,000 orders from the beginning.
const LAST_PAGE: usize = 100_000 / LIMIT;

/// The orders' feed, if the connection has asked for it and names a shop that may be asked.
pub(crate) fn feeds(connection: &Connection, since: Timestamp, until: Timestamp) -> Vec<Feed> {
    if !connection.flag("poll", false) {
        return Vec::new();
    }
    let Some(host) = shop::host(connection) else { return Vec::new() };
    // Whole seconds, as ShopBase writes them: this window ends where the next begins.
    let mut request = ApiRequest::get(format!(
        "https://{host}/admin/orders.json?status=any&limit={LIMIT}&updated_at_min={since:.0}&updated_at_max={until:.0}&page=1"
    ))
    .header("x-shopbase-access-token", "{secret:access_token}");
    if connection.flag("public_app", false) {
        request = request.header("x-shopbase-token-secret", "{secret:token_secret}");
    }
    vec![Feed { name: "orders", request }]
}

/// Reads a page.
pub(crate) fn page(connection: &Connection, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    let body: Value =
        serde_json::from_slice(&answer.body).map_err(|_| "the answer is not JSON".to_owned())?;
    let orders = match body.get("orders") {
        Some(Value::Array(orders)) => orders.as_slice(),
        // An empty list may be null.
        Some(Value::Null) => &[],
        _ => return Err("the answer has no orders".to_owned()),
    };
    let records = orders.iter().filter(|order| order.is_object());
    let records = records.map(|order| record(connection, order)).collect();
    let next = if orders.len() < LIMIT { None } else { Some(next(&feed.request)?) };
    Ok(Page { records, next, ..Page::default() })
}

fn record(connection: &Connection, order: &Value) -> Record {
    let body = order.to_string();
    let shop = connection.text("shop_domain").unwrap_or_default();
    Record {
        topic: TOPIC.to_owned(),
        delivery_id: hash::long_id(&[shop, TOPIC, &body]),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}

/// The page after the one that was asked for.
fn next(request: &ApiRequest) -> Result<ApiRequest, String> {
    let (address, query) = request.url.split_once('?').ok_or("no page was asked for")?;
    let page = query_parameter(query, "page").and_then(|page| page.parse::<usize>().ok());
    let page = page.ok_or("no page was asked for")?;
    if page >= LAST_PAGE {
        return Err("more orders changed than can be asked for".to_owned());
    }
    let rest = query.rsplit_once("&page=").map_or(query, |(rest, _)| rest);
    Ok(ApiRequest { url: format!("{address}?{rest}&page={}", page + 1), ..request.clone() })
}
