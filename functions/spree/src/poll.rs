//! Asking the Admin API: placed orders by the time of their last change, for lost deliveries; customers and orders by
//! the time they were made, for the history.

use canonical::Instant;
use jiff::Timestamp;
use platform::lenient::{Field, Id, Object, Objects};
use platform::signature::token::query_parameter;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::{ADMIN_EXPAND, Api, Kind};
use crate::topic::{POLLED, POLLED_CUSTOMER};

const CUSTOMERS: &str = "customers";
const ORDERS: &str = "orders";
/// What nothing is read from, and what should not lie about.
const NOT_KEPT: [&str; 6] = [
    "last_ip_address",
    "last_sign_in_ip",
    "current_sign_in_ip",
    "internal_note",
    "internal_note_html",
    "metadata",
];

/// Which times a feed goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Change,
    Placing,
    Creation,
}

impl By {
    fn attribute(self) -> &'static str {
        match self {
            Self::Change => "updated_at",
            Self::Placing => "completed_at",
            Self::Creation => "created_at",
        }
    }

    fn since(self) -> String {
        format!("q%5B{}_gteq%5D", self.attribute())
    }

    fn until(self) -> String {
        format!("q%5B{}_lt%5D", self.attribute())
    }

    /// Of a request that was made here.
    fn of(query: &str) -> Option<Self> {
        [Self::Change, Self::Placing, Self::Creation]
            .into_iter()
            .find(|by| query_parameter(query, &by.since()).is_some())
    }

    fn request(self, api: Api<'_>, since: &str, until: &str, page: u64) -> ApiRequest {
        let (from, to, sort) = (self.since(), self.until(), self.attribute());
        let window = format!("{from}={since}&{to}={until}&sort={sort}&limit=100");
        api.get(&if self == Self::Creation {
            format!("customers?{window}&page={page}")
        } else {
            format!("orders?q%5Bcompleted_at_not_null%5D=1&{window}&expand={ADMIN_EXPAND}&page={page}")
        })
    }
}

/// All placed orders that changed, if the connection polls; or the customers and orders that were made.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let Some(api) = Api::of(connection).filter(|api| api.kind() == Kind::Admin) else { return Vec::new() };
    let (since, until) = (period.since.to_string(), period.until.to_string());
    let feed = |name, by: By| Feed { name, request: by.request(api, &since, &until, 1) };
    match period.span {
        Span::Changes if !connection.flag("poll", false) => Vec::new(),
        Span::Changes => vec![feed(ORDERS, By::Change)],
        Span::History => vec![feed(CUSTOMERS, By::Creation), feed(ORDERS, By::Placing)],
    }
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

/// What is looked at of a record before it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    id: Field<Id>,
    updated_at: Field<String>,
    payment_total: Field<canonical::money::Decimal>,
    payments: Objects<Payment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payment {
    status: Field<String>,
    amount: Field<canonical::money::Decimal>,
}

impl State {
    fn of(record: &Value) -> Self {
        let state: Field<Object<Self>> = serde_json::from_value(record.clone()).unwrap_or_default();
        state.ok().map(|Object(state)| state).unwrap_or_default()
    }

    /// Whether less money is left than was paid: the rest was paid back.
    fn has_refunds(self) -> bool {
        let payments = self.payments.ok().unwrap_or_default().into_iter().filter_map(Field::ok);
        let completed = payments.filter(|Object(payment)| payment.status.is("completed"));
        let amounts = completed.filter_map(|Object(payment)| payment.amount.ok());
        self.payment_total.ok().is_some_and(|left| left < amounts.sum())
    }
}

/// Reads one page. An order does not hold its refunds: those of orders that have some are asked for.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    if !(200..300).contains(&answer.status) {
        return Err(format!("status {}", answer.status));
    }
    let read: Answer =
        serde_json::from_slice(&answer.body).map_err(|_| format!("not a page of {}", feed.name))?;
    let mut records = read.data.ok_or_else(|| format!("not a page of {}", feed.name))?;
    let query = feed.request.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let by = By::of(query).ok_or("the request has lost its time")?;
    let api = Api::of(connection).ok_or("the connection names no API")?;
    if feed.name == ORDERS {
        let refunded: Vec<(usize, String)> = records
            .iter()
            .enumerate()
            .filter(|(_, order)| State::of(order).has_refunds())
            .filter_map(|(place, order)| Some((place, api.refunds(order.get("id")?.as_str()?)?)))
            .collect();
        if joined.len() < refunded.len() {
            let joins = refunded.iter().map(|(_, path)| api.get(path)).collect();
            return Ok(Page { joins, ..Page::default() });
        }
        for ((place, _), refunds) in refunded.into_iter().zip(joined) {
            add_refunds(&mut records[place], &api.records::<Value>(Some(refunds)));
        }
    }
    let last = records.iter().rev().find_map(|record| time(record, by.attribute()));
    let next = read.meta.next.map(|next| following(api, by, query, last, next));
    let topic = if feed.name == CUSTOMERS { POLLED_CUSTOMER } else { POLLED };
    let records = records.into_iter().filter_map(|record| self::record(topic, record)).collect();
    Ok(Page { records, next: next.transpose()?.flatten(), ..Page::default() })
}

/// Refunds are read from an order's payments, as the Platform API has them.
fn add_refunds(order: &mut Value, refunds: &[Value]) {
    if let Some(Value::Array(payments)) = order.get_mut("payments") {
        payments.push(json!({ "refunds": refunds }));
    }
}

/// A record as a delivery. Without an id it cannot be named.
fn record(topic: &str, record: Value) -> Option<Record> {
    let state = State::of(&record);
    let Id(id) = state.id.ok()?;
    let delivery_id = match state.updated_at.ok() {
        Some(updated_at) => format!("{id}@{updated_at}"),
        None => id,
    };
    let Value::Object(mut record) = record else { return None };
    strip(&mut record);
    for part in ["customer", "user"] {
        if let Some(Value::Object(customer)) = record.get_mut(part) {
            strip(customer);
        }
    }
    for payment in record.get_mut("payments").and_then(Value::as_array_mut).into_iter().flatten() {
        payment.as_object_mut().and_then(|payment| payment.remove("source"));
    }
    let body = Value::Object(record).to_string().into_bytes();
    Some(Record { topic: topic.to_owned(), delivery_id, headers: Headers::default(), body })
}

fn strip(record: &mut Map<String, Value>) {
    record.retain(|name, _| !NOT_KEPT.contains(&name.as_str()));
}

/// A record's time without fractions: Spree keeps finer ones than it writes.
fn time(record: &Value, attribute: &str) -> Option<Timestamp> {
    let at: Instant = record.get(attribute)?.as_str()?.parse().ok()?;
    Some(at.truncated_to_second().timestamp())
}

/// The request of the next page. It begins with the time that this one ends with: an order that changes meanwhile
/// leaves the list, and would pull another one over the edge of numbered pages. Numbers serve where a whole page has
/// one time. A number that does not come later would never end.
fn following(
    api: Api<'_>,
    by: By,
    query: &str,
    last: Option<Timestamp>,
    next: u64,
) -> Result<Option<ApiRequest>, String> {
    let parameter = |name: &str| query_parameter(query, name).ok_or("the request has lost its query");
    let (since, until) = (parameter(&by.since())?, parameter(&by.until())?);
    let begun: Timestamp = since.parse().map_err(|_| "the request has lost its time")?;
    let page: u64 = parameter("page")?.parse().map_err(|_| "the request has lost its page")?;
    Ok(match last {
        Some(last) if last > begun => Some(by.request(api, &last.to_string(), until, 1)),
        _ => (next > page).then(|| by.request(api, since, until, next)),
    })
}
