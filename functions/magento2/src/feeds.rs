//! What a shop is asked for: regularly, as the way for shops without a module and the net below those with one, and
//! for its history.

use canonical::hash;
use jiff::Timestamp;
use platform::lenient::{Field, Object, Objects};
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::rest::{Api, digits};

/// More than this, shops may refuse.
const PAGE_SIZE: u64 = 100;
/// A feed's name, its path and the topic its records are read as.
const FEEDS: [(&str, &str, &str); 5] = [
    ("orders", "orders", "order"),
    ("creditmemos", "creditmemos", "creditmemo"),
    ("shipments", "shipments", "shipment"),
    ("customers", "customers/search", "customer"),
    ("products", "products", "product"),
];
const CARTS: (&str, &str, &str) = ("carts", "carts/search", "quote");

/// In the history customers and products come first, so that the orders find them.
const HISTORY: [usize; 5] = [3, 4, 0, 1, 2];

/// What changed in a period, or was made in it.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let Some(api) = Api::of(connection) else { return Vec::new() };
    let carts = connection.flag("poll_carts", false).then_some(CARTS);
    let (field, wanted) = match period.span {
        Span::Changes if !connection.flag("poll", false) => return Vec::new(),
        Span::Changes => ("updated_at", FEEDS),
        Span::History => ("created_at", HISTORY.map(|place| FEEDS[place])),
    };
    let feed = |(name, path, _)| Feed { name, request: api.get(&search(path, field, period)) };
    wanted.into_iter().chain(carts).map(feed).collect()
}

/// The first page. Pages are not counted but continued after the last id: a record that changes while pages are read
/// leaves the window, and would move the others across the border between two numbered pages. Magento keeps UTC and
/// whole seconds, so the window includes both its ends.
fn search(path: &str, field: &str, period: &Period) -> String {
    let second = |time: Timestamp| time.strftime("%Y-%m-%d%%20%H:%M:%S").to_string();
    let filter = |index: usize, field: &str, condition: &str, value: &str| {
        let filter = format!("searchCriteria[filter_groups][{index}][filters][0]");
        format!("&{filter}[field]={field}&{filter}[condition_type]={condition}&{filter}[value]={value}")
    };
    // The id comes last: the next page has another.
    let filters = [
        filter(0, field, "gteq", &second(period.since)),
        filter(1, field, "lteq", &second(period.until)),
        filter(2, "entity_id", "gt", "0"),
    ]
    .concat();
    format!(
        "{path}?searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=ASC\
         &searchCriteria[pageSize]={PAGE_SIZE}&searchCriteria[currentPage]=1{filters}"
    )
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    items: Objects<Map<String, Value>>,
    total_count: Field<String>,
}

/// Reads a page. The count is of what is left from this page on, since the id is a filter like the others.
pub(crate) fn page(feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    if answer.status != 200 {
        return Err(format!("the answer's status is {}", answer.status));
    }
    let all = FEEDS.into_iter().chain([CARTS]);
    let (_, _, topic) =
        all.into_iter().find(|(name, _, _)| *name == feed.name).ok_or("there is no such feed")?;
    let answer: Answer = platform::lenient::object(&answer.body).map_err(|error| error.to_string())?;
    let Field::Is(items) = answer.items else { return Err("the answer has no items".to_owned()) };
    let (after, before) = feed.request.url.rsplit_once('=').ok_or("the request has no filter")?;
    let before: u64 = before.parse().map_err(|_| "the request has no id")?;

    let mut last = before;
    let mut records = Vec::new();
    let count = items.len() as u64;
    for item in items {
        let Field::Is(Object(fields)) = item else { continue };
        let id = ["entity_id", "id"].iter().find_map(|name| digits(fields.get(*name)?));
        last = id.as_ref().and_then(|id| id.parse().ok()).unwrap_or(last).max(last);
        records.push(record(topic, id, fields));
    }
    let left = match answer.total_count {
        Field::Is(total) => total.parse::<u64>().map_err(|_| "the count is not a number")? > count,
        Field::Absent | Field::Bad => count >= PAGE_SIZE,
    };
    if left && last == before {
        return Err("the page does not go on after the last one".to_owned());
    }
    let next = left.then(|| ApiRequest { url: format!("{after}={last}"), ..feed.request.clone() });
    Ok(Page { records, next, ..Page::default() })
}

fn record(topic: &str, id: Option<String>, fields: Map<String, Value>) -> Record {
    let updated_at = fields.get("updated_at").and_then(Value::as_str).unwrap_or_default().to_owned();
    let body = Value::Object(fields).to_string();
    let delivery_id = match id {
        Some(id) if !updated_at.is_empty() => format!("{topic}:{id}:{updated_at}"),
        _ => hash::long_id(&[topic, &body]),
    };
    Record { topic: topic.to_owned(), delivery_id, headers: Headers::default(), body: body.into_bytes() }
}
