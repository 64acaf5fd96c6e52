//! Asking the Admin API: orders that changed, for lost deliveries, and what was made in a period, for the history.
//! Source: <https://developers.shopbase.com/tutorial/manage-orders-and-shipping/manage-orders-with-the-rest-admin-api>.

use canonical::hash;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde_json::Value;

use crate::shop;

const CUSTOMERS: &str = "customers";
const ORDERS: &str = "orders";
const PRODUCTS: &str = "products";
/// Records on a page, the most that ShopBase gives.
const LIMIT: usize = 250;
/// ShopBase refuses what lies more than 100,000 records from the beginning.
const LAST_PAGE: usize = 100_000 / LIMIT;

/// The topic that records of a feed are read as.
fn topic(feed: &str) -> &'static str {
    match feed {
        CUSTOMERS => "customers/update",
        PRODUCTS => "products/update",
        _ => "orders/updated",
    }
}

/// What changed, if the connection has asked for it, or was made. The history begins with customers and products, so
/// that the orders find them.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let Some(api) = shop::api(connection) else { return Vec::new() };
    let request = |path: String| {
        let token = "{secret:access_token}";
        let request = ApiRequest::get(format!("{api}/admin/{path}")).header("x-shopbase-access-token", token);
        if connection.flag("public_app", false) {
            return request.header("x-shopbase-token-secret", "{secret:token_secret}");
        }
        request
    };
    // Whole seconds, as ShopBase writes them.
    let Period { since, until, .. } = period;
    match period.span {
        Span::Changes if !connection.flag("poll", false) => Vec::new(),
        // Without an end: an order that changes while pages are read would leave a window with one, and pull another
        // over the edge of a page.
        Span::Changes => {
            let path = format!("orders.json?status=any&limit={LIMIT}&updated_at_min={since:.0}&page=1");
            vec![Feed { name: ORDERS, request: request(path) }]
        }
        Span::History => [(CUSTOMERS, ""), (PRODUCTS, ""), (ORDERS, "status=any&")]
            .map(|(name, filter)| {
                let window = format!("created_at_min={since:.0}&created_at_max={until:.0}");
                Feed { name, request: request(format!("{name}.json?{filter}limit={LIMIT}&{window}&page=1")) }
            })
            .into(),
    }
}

/// Reads a page.
pub(crate) fn page(connection: &Connection, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    let body: Value =
        serde_json::from_slice(&answer.body).map_err(|_| "the answer is not JSON".to_owned())?;
    let records = match body.get(feed.name) {
        Some(Value::Array(records)) => records.as_slice(),
        // An empty list may be null.
        Some(Value::Null) => &[],
        _ => return Err(format!("the answer has no {}", feed.name)),
    };
    let next = if records.len() < LIMIT { None } else { Some(next(&feed.request)?) };
    let records = records.iter().filter(|record| record.is_object());
    let records = records.map(|record| self::record(connection, topic(feed.name), record)).collect();
    Ok(Page { records, next, ..Page::default() })
}

fn record(connection: &Connection, topic: &str, record: &Value) -> Record {
    let body = record.to_string();
    let shop = connection.text("shop_domain").unwrap_or_default();
    Record {
        topic: topic.to_owned(),
        delivery_id: hash::long_id(&[shop, topic, &body]),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}

/// The page after the one that was asked for.
fn next(request: &ApiRequest) -> Result<ApiRequest, String> {
    let (rest, page) = request.url.rsplit_once("&page=").ok_or("no page was asked for")?;
    let page: usize = page.parse().map_err(|_| "no page was asked for")?;
    if page >= LAST_PAGE {
        // A narrower period has fewer.
        return Err("more records than can be asked for".to_owned());
    }
    Ok(ApiRequest { url: format!("{rest}&page={}", page + 1), ..request.clone() })
}
