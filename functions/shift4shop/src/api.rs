//! Requests to the store's REST API, and the poll of its orders.
//! Sources: <https://apirest.3dcart.com/v2/getting-started/index.html>,
//! <https://apirest.3dcart.com/v2/orders/index.html>.

use canonical::hash;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use platform::{ApiRequest, Feed, Fetched, Headers, Page, Record};
use serde_json::{Map, Value};

use crate::notice::{self, Subject};
use crate::store::Store;

/// The topic of orders that came with a poll: answers of the API, so they are believed.
pub(crate) const POLLED_ORDER: &str = "order";
/// Most orders that one answer may hold.
const PAGE_SIZE: usize = 300;

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

/// Orders that changed between two instants. The filter knows days only, in the store's zone, and whether the last one
/// is included is not documented: the day after is asked for too.
pub(crate) fn orders(store: &Store<'_>, since: Timestamp, until: Timestamp) -> Option<Feed> {
    let first = day(since, &store.zone, 0)?;
    let last = day(until, &store.zone, 1)?;
    let path = format!("Orders?lastupdatestart={first}&lastupdateend={last}&limit={PAGE_SIZE}");
    Some(Feed { name: "orders", request: request(store, &path) })
}

fn day(instant: Timestamp, zone: &TimeZone, later: i64) -> Option<String> {
    let date = instant.to_zoned(zone.clone()).date().checked_add(later.days()).ok()?;
    Some(format!("{:02}%2F{:02}%2F{:04}", date.month(), date.day(), date.year()))
}

/// One page of orders. 404 is Shift4Shop's word for "no rows", 400 the one for "beyond the last".
pub(crate) fn page(feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    let (address, offset) = offset(&feed.request.url);
    let rows = match answer.status {
        200..=299 => notice::records::<Rows>(&answer.body)?,
        404 => return Ok(Page::default()),
        400 if offset > 0 => return Ok(Page::default()),
        status => return Err(format!("the API answered {status}")),
    };
    // Whether rows are counted from 0 or from 1 is not documented. Counting from 0 misses nothing either way.
    let next = (rows.len() >= PAGE_SIZE).then(|| ApiRequest {
        url: format!("{address}&offset={}", offset + PAGE_SIZE),
        ..feed.request.clone()
    });
    Ok(Page { records: rows.into_iter().map(polled).collect(), next, ..Page::default() })
}

type Rows = Map<String, Value>;

/// The address without its offset, and the offset.
fn offset(url: &str) -> (&str, usize) {
    let (address, offset) = url.split_once("&offset=").unwrap_or((url, "0"));
    (address, offset.parse().unwrap_or_default())
}

/// An order of a page. Card data does not travel.
fn polled(mut order: Rows) -> Record {
    order.retain(|name, _| !name.starts_with("Card"));
    let body = Value::Object(order).to_string();
    Record {
        topic: POLLED_ORDER.to_owned(),
        delivery_id: hash::long_id(&[POLLED_ORDER, &body]),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}
