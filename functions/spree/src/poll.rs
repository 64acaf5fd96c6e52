//! Orders by the time of their last change, from the Admin API.

use canonical::Instant;
use jiff::Timestamp;
use platform::lenient::{self, Field, Id};
use platform::signature::token::query_parameter;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Record};
use serde::Deserialize;
use serde_json::Value;

use crate::api::{ADMIN_EXPAND, Api, Kind};
use crate::topic::POLLED;

const SINCE: &str = "q%5Bupdated_at_gteq%5D";
const UNTIL: &str = "q%5Bupdated_at_lt%5D";

/// All orders that were placed and changed between two instants, if the connection polls.
pub(crate) fn feeds(connection: &Connection, since: Timestamp, until: Timestamp) -> Vec<Feed> {
    let api = Api::of(connection).filter(|api| api.kind() == Kind::Admin);
    let Some(api) = api.filter(|_| connection.flag("poll", false)) else { return Vec::new() };
    vec![Feed { name: "orders", request: request(api, &since.to_string(), &until.to_string(), 1) }]
}

fn request(api: Api<'_>, since: &str, until: &str, page: u64) -> ApiRequest {
    api.get(&format!(
        "orders?q%5Bcompleted_at_not_null%5D=1&{SINCE}={since}&{UNTIL}={until}&sort=updated_at&limit=100\
         &expand={ADMIN_EXPAND}&page={page}"
    ))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    data: Option<Vec<Value>>,
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    next: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    id: Field<Id>,
    updated_at: Field<String>,
}

/// Reads one page.
pub(crate) fn page(connection: &Connection, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    if !(200..300).contains(&answer.status) {
        return Err(format!("status {}", answer.status));
    }
    let read: Answer = serde_json::from_slice(&answer.body).map_err(|_| "not a page of orders".to_owned())?;
    let orders = read.data.ok_or("not a page of orders")?;
    let records = orders.iter().filter_map(record).collect();
    let last = orders.iter().rev().find_map(changed_at);
    let next = read.meta.next.map(|next| following(connection, &feed.request, last, next));
    Ok(Page { records, next: next.transpose()?.flatten(), ..Page::default() })
}

/// An order as a delivery. Without an id it cannot be named.
fn record(order: &Value) -> Option<Record> {
    let body = order.to_string().into_bytes();
    let state: State = lenient::object(&body).ok()?;
    let Id(id) = state.id.ok()?;
    let delivery_id = match state.updated_at.ok() {
        Some(updated_at) => format!("{id}@{updated_at}"),
        None => id,
    };
    Some(Record { topic: POLLED.to_owned(), delivery_id, headers: Headers::default(), body })
}

/// When an order changed, without fractions: Spree keeps finer ones than it writes.
fn changed_at(order: &Value) -> Option<Timestamp> {
    let at: Instant = order.get("updated_at")?.as_str()?.parse().ok()?;
    Some(at.truncated_to_second().timestamp())
}

/// The request of the next page. It begins with the time that this one ends with: an order that changes meanwhile
/// leaves the list, and would pull another one over the edge of numbered pages. Numbers serve where a whole page has
/// one time. A number that does not come later would never end.
fn following(
    connection: &Connection,
    request: &ApiRequest,
    last: Option<Timestamp>,
    next: u64,
) -> Result<Option<ApiRequest>, String> {
    let api = Api::of(connection).ok_or("the connection names no API")?;
    let query = request.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let parameter = |name| query_parameter(query, name).ok_or("the request has lost its query");
    let (since, until) = (parameter(SINCE)?, parameter(UNTIL)?);
    let begun: Timestamp = since.parse().map_err(|_| "the request has lost its time")?;
    let page: u64 = parameter("page")?.parse().map_err(|_| "the request has lost its page")?;
    Ok(match last {
        Some(last) if last > begun => Some(self::request(api, &last.to_string(), until, 1)),
        _ => (next > page).then(|| self::request(api, since, until, next)),
    })
}
