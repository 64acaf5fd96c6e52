//! Asking the Admin API: orders that changed, for lost deliveries, and what was made in a period, for the history.
//! Source: <https://developers.shopbase.com/tutorial/manage-orders-and-shipping/manage-orders-with-the-rest-admin-api>.

use canonical::hash;
use jiff::{SignedDuration, Timestamp};
use platform::signature::token::query_parameter;
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
/// An import goes through its period in stretches: no shop makes so many records in one.
const STRETCH: SignedDuration = SignedDuration::from_hours(30 * 24);
const MIN: &str = "created_at_min";
const MAX: &str = "created_at_max";

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
                let stretch = stretch(*since, *until);
                Feed { name, request: request(format!("{name}.json?{filter}limit={LIMIT}{stretch}")) }
            })
            .into(),
    }
}

/// The first page of the stretch of an import that begins here. Where the import ends is kept in the fragment, which is
/// never sent.
fn stretch(since: Timestamp, until: Timestamp) -> String {
    let end = since.checked_add(STRETCH).map_or(until, |end| end.min(until));
    format!("&{MIN}={since:.0}&{MAX}={end:.0}&page=1#{until:.0}")
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
    let next = if records.len() < LIMIT { following(&feed.request)? } else { Some(next(&feed.request)?) };
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
    let (url, end) = request.url.split_once('#').unwrap_or((&request.url, ""));
    let (address, query) = url.split_once('?').ok_or("no page was asked for")?;
    let page = query_parameter(query, "page").and_then(|page| page.parse::<usize>().ok());
    let page = page.ok_or("no page was asked for")?;
    if page >= LAST_PAGE {
        return Err("more records than can be asked for".to_owned());
    }
    let rest = query.rsplit_once("&page=").map_or(query, |(rest, _)| rest);
    let end = if end.is_empty() { String::new() } else { format!("#{end}") };
    Ok(ApiRequest { url: format!("{address}?{rest}&page={}{end}", page + 1), ..request.clone() })
}

/// The first page of the next stretch of an import; `None` at its end.
fn following(request: &ApiRequest) -> Result<Option<ApiRequest>, String> {
    let Some((url, until)) = request.url.split_once('#') else { return Ok(None) };
    let (start, query) = url.split_once(&format!("&{MIN}=")).ok_or("the request has lost its stretch")?;
    let time = |text: &str| text.parse::<Timestamp>().map_err(|_| "the request has lost its stretch");
    let since = time(query_parameter(query, MAX).ok_or("the request has lost its stretch")?)?;
    let until = time(until)?;
    let next = ApiRequest { url: format!("{start}{}", stretch(since, until)), ..request.clone() };
    Ok((since < until).then_some(next))
}
