//! Asking for lists: orders by the time of their last change, for those whose deliveries were lost; customers, newsletter
//! subscribers and orders that were made in a period, for the history.

use canonical::{Instant, hash};
use jiff::{SignedDuration, Timestamp};
use platform::lenient::{Field, Lenient as _, Moment, Object, Objects};
use platform::signature::token::query_parameter;
use platform::{ApiRequest, Connection, Feed, Fetched, Page, Period, Record, Span};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::{self, Api, PAGE_SIZE};
use crate::join;
use crate::status::Status;

/// What a record of the feed is read as.
const TOPIC: &str = "store/order/updated";
const CUSTOMERS: &str = "customers";
const SUBSCRIBERS: &str = "subscribers";
const ORDERS: &str = "orders";
/// Each order of a page may need a request or two of its own, and brings its lines along.
const ORDERS_PER_PAGE: usize = 100;
/// A page with fewer orders is the last one. As many come where nothing is said: a store that gives no more is read whole.
const FULL_PAGE: usize = 50;
/// Lines and addresses.
const INCLUDE: &str = "consignments.line_items";

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

/// Orders that changed, or what was made: customers first, so that the orders find their buyers.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let Some(api) = Api::of(connection) else { return Vec::new() };
    let (since, until) = (seconds(period.since), seconds(period.until));
    match period.span {
        Span::Changes if !connection.flag("poll", false) => Vec::new(),
        Span::Changes => vec![Feed { name: ORDERS, request: changed(&api, &since, &until, 1) }],
        Span::History => vec![
            Feed { name: CUSTOMERS, request: registered(&api, &since, &until, 1) },
            Feed { name: SUBSCRIBERS, request: subscribed(&api, &since, &until, 1) },
            Feed { name: ORDERS, request: made(&api, &since, &until, 1) },
        ],
    }
}

fn changed(api: &Api, since: &str, until: &str, page: usize) -> ApiRequest {
    api.get(&format!(
        "v2/orders?min_date_modified={since}&max_date_modified={until}&sort=date_modified:asc&include={INCLUDE}\
         &limit={ORDERS_PER_PAGE}&page={page}"
    ))
}

/// Orders go by their ids: nothing that happens to them changes their places.
fn made(api: &Api, since: &str, until: &str, from_id: u64) -> ApiRequest {
    api.get(&format!(
        "v2/orders?min_date_created={since}&max_date_created={until}&sort=id:asc&include={INCLUDE}\
         &limit={ORDERS_PER_PAGE}&min_id={from_id}"
    ))
}

fn registered(api: &Api, since: &str, until: &str, page: usize) -> ApiRequest {
    api.get(&format!(
        "v3/customers?date_created:min={since}&date_created:max={until}&sort=date_created:asc&include=addresses\
         &limit={PAGE_SIZE}&page={page}"
    ))
}

/// All subscribers: there is no filter of their creation. The period is kept in the fragment, which is never sent.
fn subscribed(api: &Api, since: &str, until: &str, page: usize) -> ApiRequest {
    api.get(&format!("v3/customers/subscribers?limit={PAGE_SIZE}&page={page}#since={since}&until={until}"))
}

/// ISO 8601 in whole seconds: finer ones BigCommerce does not keep.
fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// A page.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let api = Api::of(connection).ok_or("the connection names no store")?;
    match feed.name {
        CUSTOMERS => customers(connection, &api, feed, answer),
        SUBSCRIBERS => subscribers(connection, &api, feed, answer),
        _ => orders(connection, &api, feed, answer, joined),
    }
}

/// Each order that is more than an attempt to pay goes the way of a delivery, with what its reading will ask for.
fn orders(
    connection: &Connection,
    api: &Api,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let entries: Objects<Map<String, Value>> = match answer.status {
        200..=299 | 404 => api::list(&[answer]).map_err(|_| "the answer is not a list of orders")?,
        status => return Err(format!("the API answered {status}")),
    };
    let entries = entries.ok().unwrap_or_default();
    let is_full = entries.len() >= FULL_PAGE;
    let orders: Vec<Map<String, Value>> =
        entries.into_iter().filter_map(|entry| entry.ok().map(|Object(order)| order)).collect();
    let next = if is_full { next(api, feed, &orders)? } else { None };
    let placed: Vec<&Map<String, Value>> = orders.iter().filter(|order| !is_attempt(order)).collect();
    let answers = match join::answers(connection, api, &placed, joined) {
        Ok(answers) => answers,
        Err(joins) => return Ok(Page { joins, ..Page::default() }),
    };
    let records = placed.into_iter().zip(answers);
    let records = records.filter_map(|(order, answers)| record(connection, order, &answers)).collect();
    Ok(Page { records, next, ..Page::default() })
}

fn entry(order: &Map<String, Value>) -> Entry {
    let entry: Field<Object<Entry>> =
        serde_json::from_value(Value::Object(order.clone())).unwrap_or_default();
    entry.ok().map(|Object(entry)| entry).unwrap_or_default()
}

fn is_attempt(order: &Map<String, Value>) -> bool {
    let status = entry(order).status_id.ok();
    status.is_some_and(|number| Status::parse(&number).is_some_and(|status| !status.is_placed()))
}

/// Of changed orders the next page begins just before the time that this one ends with: an order that changes meanwhile
/// moves to the end, and would pull another one over the edge of numbered pages. Numbers serve where a whole page has
/// one time.
fn next(api: &Api, feed: &Feed, orders: &[Map<String, Value>]) -> Result<Option<ApiRequest>, String> {
    let query = feed.request.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let parameter = |name| query_parameter(query, name).ok_or("the request has lost its query");
    if let Some(from_id) = query_parameter(query, "min_id") {
        let last = orders.iter().filter_map(join::id).filter_map(|id| id.parse::<u64>().ok()).max();
        let from_id: u64 = from_id.parse().map_err(|_| "the request has lost its page")?;
        let last = last.filter(|last| *last >= from_id).ok_or("the page does not go on")?;
        let (since, until) = (parameter("min_date_created")?, parameter("max_date_created")?);
        return Ok(Some(made(api, since, until, last.saturating_add(1))));
    }
    let (since, until) = (parameter("min_date_modified")?, parameter("max_date_modified")?);
    let last = orders.iter().rev().find_map(|order| entry(order).modified_at());
    let (since, page) = behind(since, parameter("page")?, last)?;
    Ok(Some(changed(api, &since, until, page)))
}

/// Where the page behind one begins that ends with this time, and its number.
fn behind(since: &str, page: &str, last: Option<Instant>) -> Result<(String, usize), String> {
    let page: usize = page.parse().map_err(|_| "the request has lost its page")?;
    // A second earlier, should the edge itself be left out; what comes twice is read twice to the same effect.
    let last = last.and_then(|at| at.timestamp().checked_sub(SignedDuration::from_secs(1)).ok());
    Ok(match last.map(seconds) {
        Some(last) if last.as_str() > since => (last, 1),
        _ => (since.to_owned(), page.saturating_add(1)),
    })
}

fn record(connection: &Connection, order: &Map<String, Value>, answers: &[Fetched]) -> Option<Record> {
    let entry = entry(order);
    let modified_at = entry.modified_at().map_or_else(|| "unknown".to_owned(), Instant::to_utc_string);
    let id = entry.id.ok()?.0;
    let delivery_id = format!("order-{id}-{modified_at}");
    Some(join::record(connection, (TOPIC, "order", &id), delivery_id, answers))
}

fn customers(connection: &Connection, api: &Api, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    let customers = join::listed(answer)?;
    let next = if customers.len() < PAGE_SIZE {
        None
    } else {
        let query = feed.request.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let parameter = |name| query_parameter(query, name).ok_or("the request has lost its query");
        let until = parameter("date_created:max")?;
        let last = customers.iter().rev().find_map(|customer| time(customer, "date_created"));
        let (since, page) = behind(parameter("date_created:min")?, parameter("page")?, last)?;
        Some(registered(api, &since, until, page))
    };
    let records = customers.iter().filter_map(|customer| {
        let found = join::found(&json!({ "data": [join::stripped(customer)] }));
        of_entity(connection, ("store/customer/updated", "customer"), customer, found)
    });
    Ok(Page { records: records.collect(), next, ..Page::default() })
}

fn subscribers(connection: &Connection, api: &Api, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    let subscribers = join::listed(answer)?;
    let lost = "the request has lost its period";
    let (url, kept) = feed.request.url.split_once('#').ok_or(lost)?;
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let (since, until) = query_parameter(kept, "since").zip(query_parameter(kept, "until")).ok_or(lost)?;
    let page = query_parameter(query, "page").and_then(|page| page.parse::<usize>().ok()).ok_or(lost)?;
    let next =
        (subscribers.len() >= PAGE_SIZE).then(|| subscribed(api, since, until, page.saturating_add(1)));
    let moment = |text: &str| text.parse::<Timestamp>().map_err(|_| lost);
    let (since, until) = (moment(since)?, moment(until)?);
    let made = |subscriber: &&Map<String, Value>| {
        time(subscriber, "date_created").is_none_or(|at| (since..=until).contains(&at.timestamp()))
    };
    let records = subscribers.iter().filter(made).filter_map(|subscriber| {
        let found = join::found(&json!({ "data": join::stripped(subscriber) }));
        of_entity(connection, ("store/subscriber/updated", "subscriber"), subscriber, found)
    });
    Ok(Page { records: records.collect(), next, ..Page::default() })
}

/// A record of API v3, whose reading asks for nothing but itself. Its delivery's id names its content.
fn of_entity(
    connection: &Connection,
    (scope, kind): (&str, &str),
    entity: &Map<String, Value>,
    found: Fetched,
) -> Option<Record> {
    let id = join::id(entity)?;
    let delivery_id = format!("{kind}-{id}-{}", hash::long_id(&[&String::from_utf8_lossy(&found.body)]));
    Some(join::record(connection, (scope, kind, &id), delivery_id, &[found]))
}

fn time(record: &Map<String, Value>, name: &str) -> Option<Instant> {
    Moment::from_text(record.get(name)?.as_str()?)?.in_utc()
}
