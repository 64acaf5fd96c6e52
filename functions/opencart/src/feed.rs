//! The pull feed of our extension: what it is asked for, and how its answers become records.

use canonical::hash;
use jiff::tz::TimeZone;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde_json::{Map, Value};

pub(crate) const ORDER: &str = "order";
pub(crate) const CUSTOMER: &str = "customer";
pub(crate) const PRODUCT: &str = "product";

/// Records of one page; the extension takes no more.
const PAGE_SIZE: u32 = 100;
/// The feed that counts the rows of the orders' history instead of dating them: a new status does not move an order's
/// `date_modified` since 4.1.
const CHANGES: &str = "orders";
/// What no record needs: it is not kept, even if an extension should send it.
const STRIPPED: [&str; 13] = [
    "password",
    "salt",
    "token",
    "ip",
    "forwarded_ip",
    "user_agent",
    "accept_language",
    "comment",
    "custom_field",
    "payment_custom_field",
    "shipping_custom_field",
    "payment_address_format",
    "shipping_address_format",
];

/// What the extension calls a list, by what it goes on, and what its records are.
struct List {
    name: &'static str,
    after: &'static str,
    topic: &'static str,
}

const BY_HISTORY: List = List { name: "changes", after: "after_history_id", topic: ORDER };
const ORDERS: List = List { name: "orders", after: "after_order_id", topic: ORDER };
const CHECKOUTS: List = List { name: "checkouts", after: "after_order_id", topic: ORDER };
const CUSTOMERS: List = List { name: "customers", after: "after_customer_id", topic: CUSTOMER };
const PRODUCTS: List = List { name: "products", after: "after_product_id", topic: PRODUCT };

/// The lists of a period. Products and customers come first: orders are then known to be theirs.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let polled = period.span == Span::History || connection.flag("poll", true);
    let base_url = match connection.text("api_url") {
        Some(url) => plain(url, &["https://", "http://"]),
        None => shop_url(connection),
    };
    let Some(base_url) = base_url.filter(|_| polled) else { return Vec::new() };
    let mark = period.marks.get(CHANGES).and_then(|mark| mark.parse::<u64>().ok());
    let lists = match period.span {
        Span::Changes => vec![
            ("products", PRODUCTS),
            ("customers", CUSTOMERS),
            ("checkouts", CHECKOUTS),
            (CHANGES, BY_HISTORY),
        ],
        Span::History => vec![("products", PRODUCTS), ("customers", CUSTOMERS), (CHANGES, ORDERS)],
    };
    let feeds = lists.into_iter().map(|(name, list)| {
        let counted = if list.name == BY_HISTORY.name { mark } else { None };
        let span = if period.span == Span::History { "history" } else { "changes" };
        // Whoever counts needs no time, but for where to begin: local times are not always in the order of the ids.
        let period = match counted {
            Some(_) => String::new(),
            None if list.name == BY_HISTORY.name => format!("&since={}", seconds(period.since)),
            None => format!("&since={}&until={}", seconds(period.since), seconds(period.until)),
        };
        let url = format!(
            "{base_url}/index.php?route=extension/tillstream/feed&list={}&span={span}&limit={PAGE_SIZE}{period}&{}={}",
            list.name,
            list.after,
            counted.unwrap_or_default()
        );
        let request = ApiRequest::get(url).header("x-tillstream-token", "{secret:feed_token}");
        Feed { name, request }
    });
    feeds.collect()
}

/// Seconds since 1970: the extension makes the shop's local time of them.
fn seconds(time: jiff::Timestamp) -> i64 {
    time.as_second()
}

/// Reads a page. Lists go on after the last id of the page before: numbered pages would lose what moves meanwhile.
pub(crate) fn page(connection: &Connection, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    if answer.status != 200 {
        return Err(format!("answered with status {}", answer.status));
    }
    let (front, after) = feed.request.url.rsplit_once('=').ok_or("the request names no id")?;
    let after: u64 = after.parse().map_err(|_| "the request names no id")?;
    let lists = [BY_HISTORY, ORDERS, CHECKOUTS, CUSTOMERS, PRODUCTS];
    let list = lists.into_iter().find(|list| front.contains(&format!("&list={}&", list.name)));
    let list = list.ok_or("there is no such list")?;

    let body: Value = serde_json::from_slice(&answer.body).map_err(|error| {
        format!("the answer is not JSON (line {}, column {})", error.line(), error.column())
    })?;
    let Value::Object(mut body) = body else { return Err("the answer is not an object".to_owned()) };
    let Some(Value::Array(rows)) = body.remove("records") else {
        return Err("the answer holds no records".to_owned());
    };
    let last = body.get("last").and_then(number).unwrap_or(after);
    let more = body.get("more").and_then(Value::as_bool).unwrap_or_default();
    if last < after || (more && last == after) {
        return Err("the page does not go on after the last one".to_owned());
    }
    let shop = shop(connection, &body)?;
    let rows = rows.into_iter().filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None });
    let records = rows.filter_map(|row| record(list.topic, &shop, row)).collect();
    let next = more.then(|| ApiRequest { url: format!("{front}={last}"), ..feed.request.clone() });
    let mark = (list.name == BY_HISTORY.name && last > 0).then(|| last.to_string());
    Ok(Page { records, next, mark, ..Page::default() })
}

/// What the answer says of the shop, for every record: the zone of its times, its currency, its statuses.
fn shop(connection: &Connection, body: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let told = body.get("time_zone").and_then(Value::as_str);
    let zone = connection.text("time_zone").or(told).filter(|zone| TimeZone::get(zone).is_ok());
    let zone = zone.ok_or("the shop's time zone is not known: set time_zone")?;
    let mut shop = Map::from_iter([("time_zone".to_owned(), Value::from(zone))]);
    for name in ["currency", "complete"] {
        if let Some(value) = body.get(name) {
            shop.insert(name.to_owned(), value.clone());
        }
    }
    Ok(shop)
}

/// A record without what nobody needs, named by its content. One without an id cannot be named.
fn record(topic: &str, shop: &Map<String, Value>, mut row: Map<String, Value>) -> Option<Record> {
    strip(&mut row);
    let id = row.get(topic)?.get(format!("{topic}_id")).and_then(number).filter(|id| *id != 0)?;
    row.extend(shop.clone());
    let body = Value::Object(row).to_string();
    let delivery_id = format!("{topic}:{id}:{}", hash::long_id(&[&body]));
    let headers = Headers::default();
    Some(Record { topic: topic.to_owned(), delivery_id, headers, body: body.into_bytes() })
}

fn strip(row: &mut Map<String, Value>) {
    row.retain(|name, _| !STRIPPED.contains(&name.as_str()));
    for value in row.values_mut() {
        match value {
            Value::Object(row) => strip(row),
            Value::Array(rows) => rows.iter_mut().filter_map(Value::as_object_mut).for_each(strip),
            _ => {}
        }
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The shop's address without a slash at its end, if it is a plain `https` address.
pub(crate) fn shop_url(connection: &Connection) -> Option<&str> {
    plain(connection.text("shop_url")?, &["https://"])
}

/// An address of such a scheme that needs no encoding, without a slash at its end.
fn plain<'u>(url: &'u str, schemes: &[&str]) -> Option<&'u str> {
    let url = url.trim_end_matches('/');
    let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte));
    (plain && rest.starts_with(|first: char| first.is_ascii_alphanumeric()) && !rest.contains(".."))
        .then_some(url)
}
