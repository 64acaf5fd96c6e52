//! Requests to the store's REST API: the poll of its orders, and its history.
//! Sources: <https://apirest.3dcart.com/v2/getting-started/index.html>,
//! <https://apirest.3dcart.com/v2/orders/index.html>.

use std::time::Duration;

use canonical::hash;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use platform::{ApiRequest, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde_json::{Map, Value};

use crate::notice::{self, Subject};
use crate::store::Store;

/// The topic of orders that came with a poll: answers of the API, so they are believed.
pub(crate) const POLLED_ORDER: &str = "order";
/// As [`POLLED_ORDER`]; only of an import.
pub(crate) const POLLED_CUSTOMER: &str = "customer";
/// As [`POLLED_CUSTOMER`].
pub(crate) const POLLED_PRODUCT: &str = "product";
const CUSTOMERS: &str = "customers";
const ORDERS: &str = "orders";
const PRODUCTS: &str = "products";
/// What stores are said to allow; their answers do not say.
const REQUESTS_PER_SECOND: u32 = 2;
/// What must not lie about.
const NOT_KEPT: [&str; 4] = ["Password", "IP", "Referer", "UserID"];

/// Most records that one answer may hold: 200 products, 300 orders, 500 of the others.
fn page_size(feed: &str) -> usize {
    if feed == PRODUCTS { 200 } else { 300 }
}

fn request(store: &Store<'_>, path: &str) -> ApiRequest {
    ApiRequest::get(format!("{}/{path}", store.api()))
        .header("SecureURL", store.address)
        .header("PrivateKey", "{secret:private_key}")
        .header("Token", "{secret:api_token}")
}

/// Asks for one record. The id is one that [`notice::real`] let through: digits.
pub(crate) fn record(store: &Store<'_>, subject: Subject, id: &str) -> ApiRequest {
    request(store, &format!("{}/{id}", subject.resource()))
}

/// Orders that changed in a period, or all that was made. The filters know days only, in the store's zone, and whether
/// the last one is included is not documented: the day after is asked for too. Customers and products have no filter of
/// their creation: all are asked for, before the orders, so that these find them.
pub(crate) fn feeds(store: &Store<'_>, period: &Period) -> Vec<Feed> {
    let first = day(period.since, &store.zone, 0);
    let last = day(period.until, &store.zone, 1);
    let Some((first, last)) = first.zip(last) else { return Vec::new() };
    let feed = |name: &'static str, path: &str| {
        let request = request(store, &format!("{path}limit={}", page_size(name)));
        Feed { name, request: request.paced(REQUESTS_PER_SECOND, Duration::from_secs(1)) }
    };
    match period.span {
        Span::Changes => {
            vec![feed(ORDERS, &format!("Orders?lastupdatestart={first}&lastupdateend={last}&"))]
        }
        Span::History => vec![
            feed(CUSTOMERS, "Customers?"),
            feed(PRODUCTS, "Products?"),
            feed(ORDERS, &format!("Orders?datestart={first}&dateend={last}&")),
        ],
    }
}

fn day(instant: Timestamp, zone: &TimeZone, later: i64) -> Option<String> {
    let date = instant.to_zoned(zone.clone()).date().checked_add(later.days()).ok()?;
    Some(format!("{:02}%2F{:02}%2F{:04}", date.month(), date.day(), date.year()))
}

/// One page. 404 is Shift4Shop's word for "no rows", 400 the one for "beyond the last".
pub(crate) fn page(feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    let (address, offset) = offset(&feed.request.url);
    let rows = match answer.status {
        200..=299 => notice::records::<Rows>(&answer.body)?,
        404 => return Ok(Page::default()),
        400 if offset > 0 => return Ok(Page::default()),
        status => return Err(format!("the API answered {status}")),
    };
    // Whether rows are counted from 0 or from 1 is not documented. Counting from 0 misses nothing either way.
    let size = page_size(feed.name);
    let next = (rows.len() >= size)
        .then(|| ApiRequest { url: format!("{address}&offset={}", offset + size), ..feed.request.clone() });
    let topic = match feed.name {
        CUSTOMERS => POLLED_CUSTOMER,
        PRODUCTS => POLLED_PRODUCT,
        _ => POLLED_ORDER,
    };
    Ok(Page { records: rows.into_iter().map(|row| polled(topic, row)).collect(), next, ..Page::default() })
}

type Rows = Map<String, Value>;

/// The address without its offset, and the offset.
fn offset(url: &str) -> (&str, usize) {
    let (address, offset) = url.split_once("&offset=").unwrap_or((url, "0"));
    (address, offset.parse().unwrap_or_default())
}

/// A record of a page. Card data, passwords and addresses of browsers do not travel.
fn polled(topic: &str, mut row: Rows) -> Record {
    row.retain(|name, _| !name.starts_with("Card") && !NOT_KEPT.contains(&name.as_str()));
    let body = Value::Object(row).to_string();
    Record {
        topic: topic.to_owned(),
        delivery_id: hash::long_id(&[topic, &body]),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}
