//! Looking for orders whose deliveries were lost: API v2's list of orders by the time of their last change.

use canonical::Instant;
use jiff::{SignedDuration, Timestamp};
use platform::lenient::{Field, Moment, Object, Objects};
use platform::signature::token::query_parameter;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Record};
use serde::Deserialize;
use serde_json::json;

use crate::api::{self, Api, PAGE_SIZE};
use crate::status::Status;

/// What a record of the feed is read as.
const TOPIC: &str = "store/order/updated";

/// An order in the list.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    id: Field<platform::lenient::Id>,
    status_id: Field<serde_json::Number>,
    date_modified: Field<Moment>,
}

impl Entry {
    fn modified_at(&self) -> Option<Instant> {
        match self.date_modified {
            Field::Is(moment) => moment.in_utc(),
            Field::Absent | Field::Bad => None,
        }
    }
}

/// Orders that changed between two instants.
pub(crate) fn orders(connection: &Connection, since: Timestamp, until: Timestamp) -> Option<Feed> {
    let api = Api::of(connection).filter(|_| connection.flag("poll", false))?;
    Some(Feed { name: "orders", request: request(&api, &seconds(since), &seconds(until), 1) })
}

fn request(api: &Api, since: &str, until: &str, page: usize) -> ApiRequest {
    api.get(&format!(
        "v2/orders?min_date_modified={since}&max_date_modified={until}&sort=date_modified:asc&limit={PAGE_SIZE}\
         &page={page}"
    ))
}

/// ISO 8601 in whole seconds: finer ones BigCommerce does not keep.
fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// One page. Each order that is more than an attempt to pay goes the way of a delivery, which asks for the rest.
pub(crate) fn page(connection: &Connection, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    let api = Api::of(connection).ok_or("the connection names no store")?;
    let entries: Objects<Entry> = match answer.status {
        200..=299 | 404 => api::list(&[answer]).map_err(|_| "the answer is not a list of orders")?,
        status => return Err(format!("the API answered {status}")),
    };
    let entries = entries.ok().unwrap_or_default();
    let next = if entries.len() < PAGE_SIZE { None } else { Some(next(&api, feed, &entries)?) };
    let entries = entries.into_iter().filter_map(Field::ok);
    let records = entries.filter_map(|Object(entry)| record(connection, entry)).collect();
    Ok(Page { records, next, ..Page::default() })
}

/// The next page begins just before the time that this one ends with: an order that changes meanwhile moves to the
/// end, and would pull another one over the edge of numbered pages. Numbers serve where a whole page has one time.
fn next(api: &Api, feed: &Feed, entries: &[Field<Object<Entry>>]) -> Result<ApiRequest, String> {
    let query = feed.request.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let parameter = |name| query_parameter(query, name).ok_or("the request has lost its query");
    let (since, until) = (parameter("min_date_modified")?, parameter("max_date_modified")?);
    let page: usize = parameter("page")?.parse().map_err(|_| "the request has lost its page")?;
    let last = entries.iter().rev().find_map(|entry| match entry {
        Field::Is(Object(entry)) => entry.modified_at(),
        Field::Absent | Field::Bad => None,
    });
    // A second earlier, should the edge itself be left out; what comes twice is read twice to the same effect.
    let last = last.and_then(|at| at.timestamp().checked_sub(SignedDuration::from_secs(1)).ok());
    Ok(match last.map(seconds) {
        Some(last) if last.as_str() > since => request(api, &last, until, 1),
        _ => request(api, since, until, page + 1),
    })
}

fn record(connection: &Connection, entry: Entry) -> Option<Record> {
    let modified_at = entry.modified_at().map_or_else(|| "unknown".to_owned(), Instant::to_utc_string);
    let attempt =
        |number: serde_json::Number| Status::parse(&number).is_some_and(|status| !status.is_placed());
    let id = entry.id.ok()?.0;
    if entry.status_id.ok().is_some_and(attempt) {
        return None;
    }
    let store = connection.text("store_hash").unwrap_or_default();
    let body = json!({
        "scope": TOPIC,
        "producer": format!("stores/{store}"),
        "data": { "type": "order", "id": id },
    });
    Some(Record {
        topic: TOPIC.to_owned(),
        delivery_id: format!("order-{id}-{modified_at}"),
        headers: Headers::default(),
        body: body.to_string().into_bytes(),
    })
}
