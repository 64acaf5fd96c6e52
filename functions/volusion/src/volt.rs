//! Orders of Volt (V2), asked for. Its API takes the size of a page and, as far as it is known, nothing else.

use canonical::Instant;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde_json::{Value, json};

use crate::door;

const NAME: &str = "orders";
const ORDERS: &str = "https://volt-api.volusion.com/orders?pageSize=";
/// Sizes of a page: a full one is asked for again, twice as large. An order is some 12 kB, and an answer of more than 5 MB is
/// not read.
const SIZES: [usize; 2] = [50, 400];

/// The orders of a period, of a connection with the setting.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let wanted = match period.span {
        Span::Changes => connection.flag("poll", false),
        Span::History => true,
    };
    let column = match period.span {
        Span::Changes => "updatedOn",
        Span::History => "createdOn",
    };
    let fragment = format!("{column}={}", period.since.as_millisecond());
    let feed = Feed { name: NAME, request: request(SIZES[0], &fragment) };
    wanted.then_some(feed).into_iter().collect()
}

fn request(size: usize, fragment: &str) -> ApiRequest {
    ApiRequest::get(format!("{ORDERS}{size}#{fragment}")).header("authorization", "{secret:api_key}")
}

/// Reads a page: those orders of it that are of the period.
pub(crate) fn page(feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    if answer.status != 200 {
        return Err(format!("the answer's status is {}", answer.status));
    }
    let address = feed.request.url.strip_prefix(ORDERS).and_then(|rest| rest.split_once('#'));
    let (size, fragment) = address.ok_or("the request is not one for orders")?;
    let size: usize = size.parse().map_err(|_| "the request has no size")?;
    let (column, since_ms) = fragment.split_once('=').ok_or("the request has no period")?;
    let since_ms: i64 = since_ms.parse().map_err(|_| "the request has no period")?;
    let mut body: Value = serde_json::from_slice(&answer.body).map_err(|_| "the answer is not JSON")?;
    let Some(Value::Array(items)) = body.get_mut("items").map(Value::take) else {
        return Err("the answer has no items".to_owned());
    };
    if items.len() >= size {
        if size < SIZES[1] {
            return Ok(Page { next: Some(request(size * 2, fragment)), ..Page::default() });
        }
        if column == "createdOn" {
            return Err("the store has more orders than one page tells".to_owned());
        }
    }
    let is_wanted = |order: &Value| {
        let time: Option<Instant> = order[column].as_str().and_then(|text| text.parse().ok());
        // One that does not say may be.
        time.is_none_or(|time| time.as_millis() >= since_ms)
    };
    let records = items.iter().filter(|order| order.is_object() && is_wanted(order)).map(record);
    Ok(Page { records: records.collect(), ..Page::default() })
}

/// An order as a webhook would bring it.
fn record(order: &Value) -> Record {
    let body = json!({ "value": order }).to_string();
    let reduced = door::reduce(body.as_bytes());
    Record {
        topic: door::TOPIC.to_owned(),
        delivery_id: reduced.delivery_id,
        headers: Headers::default(),
        body: reduced.body,
    }
}
