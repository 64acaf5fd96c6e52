//! Orders by the time of their last change, from the Admin API.

use jiff::Timestamp;
use platform::lenient::{self, Field, Id};
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Record};
use serde::Deserialize;
use serde_json::Value;

use crate::api::{ADMIN_EXPAND, Api, Kind};
use crate::topic::POLLED;

/// What comes before the page's number, at the end of the address.
const PAGE: &str = "&page=";

/// All orders that were placed and changed between two instants, if the connection polls.
pub(crate) fn feeds(connection: &Connection, since: Timestamp, until: Timestamp) -> Vec<Feed> {
    let api = Api::of(connection).filter(|api| api.kind() == Kind::Admin);
    let Some(api) = api.filter(|_| connection.flag("poll", false)) else { return Vec::new() };
    let path = format!(
        "orders?q%5Bcompleted_at_not_null%5D=1&q%5Bupdated_at_gteq%5D={since}&q%5Bupdated_at_lt%5D={until}\
         &sort=updated_at&limit=100&expand={ADMIN_EXPAND}{PAGE}1"
    );
    vec![Feed { name: "orders", request: api.get(&path) }]
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
pub(crate) fn page(feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    if !(200..300).contains(&answer.status) {
        return Err(format!("status {}", answer.status));
    }
    let read: Answer = serde_json::from_slice(&answer.body).map_err(|_| "not a page of orders".to_owned())?;
    let orders = read.data.ok_or("not a page of orders")?;
    let records = orders.iter().filter_map(record).collect();
    Ok(Page { records, next: read.meta.next.and_then(|next| following(&feed.request, next)) })
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

/// The request of a later page. One that does not come later would never end.
fn following(request: &ApiRequest, next: u64) -> Option<ApiRequest> {
    let (path, current) = request.url.rsplit_once(PAGE)?;
    let current: u64 = current.parse().ok()?;
    (next > current).then(|| ApiRequest { url: format!("{path}{PAGE}{next}"), ..request.clone() })
}
