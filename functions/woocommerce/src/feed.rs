//! What the shop is asked for: regularly, for a shop does not repeat a delivery that failed, and for its history.
//!
//! **Orders** are asked for by their last change, oldest first; for the history orders and **products** by their
//! creation. A record that changes while pages are read leaves its place, and with page numbers alone its successor
//! would slip from an unread page into one that was read. So the next page begins at the last record's time, and pages
//! are counted only within one second.
//!
//! **Customers** cannot be asked for by their change, only be sorted by registration: the newest come first, until
//! they are older than the window. Changes of older ones come by webhook alone.

use canonical::{Instant, hash};
use jiff::Timestamp;
use platform::lenient::{Lenient, Moment};
use platform::{ApiRequest, Connection, Feed, Fetched, Page, Period, Record, Span};
use serde_json::Value;

use crate::access::{Access, PER_PAGE};

const ORDERS: &str = "orders";
const CUSTOMERS: &str = "customers";
const PRODUCTS: &str = "products";
/// Marks the requests of an import. A fragment is never sent.
const HISTORY: &str = "#history";
/// Later pages are not asked for: no shop has so many, but a broken one may repeat the same page for ever.
const MAX_PAGES: u32 = 10_000;

/// A stretch of time in whole seconds, its ends left out, and the page in it.
#[derive(Clone, Copy)]
struct Window {
    span: Span,
    after: i64,
    before: i64,
    page: u32,
}

impl Window {
    fn request(self, access: &Access, feed: &str) -> ApiRequest {
        let Self { page, .. } = self;
        let (after, before) = (date(self.after), date(self.before));
        let mark = if self.span == Span::History { HISTORY } else { "" };
        let query = if feed == CUSTOMERS {
            // The shop takes no notice of the first two: they say here where to end.
            format!("registered_after={after}&registered_before={before}&orderby=registered_date&order=desc")
        } else {
            let (by, orderby) =
                if self.span == Span::History { ("", "date") } else { ("modified_", "modified") };
            format!("{by}after={after}&{by}before={before}&dates_are_gmt=true&orderby={orderby}&order=asc")
        };
        access.get(&format!("{feed}?{query}&per_page={PER_PAGE}&page={page}{mark}"))
    }

    /// Reads back what [`Self::request`] wrote.
    fn of(request: &ApiRequest) -> Option<Self> {
        let (_, query) = request.url.split_once('?')?;
        let (query, span) = match query.strip_suffix(HISTORY) {
            Some(query) => (query, Span::History),
            None => (query, Span::Changes),
        };
        let value = |names: &[&str]| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| names.contains(name)).map(|(_, value)| value)
        };
        Some(Self {
            span,
            after: second(value(&["after", "modified_after", "registered_after"])?)?,
            before: second(value(&["before", "modified_before", "registered_before"])?)?,
            page: value(&["page"])?.parse().ok()?,
        })
    }

    /// The connection's API, if it may be asked for this.
    fn access(self, connection: &Connection) -> Option<Access> {
        match self.span {
            Span::Changes => Access::of(connection),
            Span::History => Access::any(connection),
        }
    }

    /// The window of the page behind one that ends with a record of this time.
    fn behind(self, last: Option<i64>) -> Self {
        match last {
            // A second earlier, for more of that second's records may follow.
            Some(last) if last - 1 > self.after => Self { after: last - 1, page: 1, ..self },
            _ => Self { page: self.page + 1, ..self },
        }
    }
}

/// What changed between two instants, or was made. The history begins with the customers, so that the orders find
/// their buyers.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let (after, before) = (period.since.as_second() - 1, period.until.as_second() + 1);
    let window = Window { span: period.span, after, before, page: 1 };
    let Some(access) = window.access(connection) else { return Vec::new() };
    let names: &[&'static str] = match period.span {
        Span::Changes => &[ORDERS, CUSTOMERS],
        Span::History => &[CUSTOMERS, PRODUCTS, ORDERS],
    };
    names.iter().map(|name| Feed { name, request: window.request(&access, name) }).collect()
}

/// One page.
pub(crate) fn page(connection: &Connection, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    let window = Window::of(&feed.request).ok_or("a request that was not made here")?;
    let access = window.access(connection).ok_or("the connection does not allow to ask the shop")?;
    if answer.status != 200 {
        return Err(format!("the shop answered with {}", answer.status));
    }
    let records: Vec<Value> =
        serde_json::from_slice(&answer.body).map_err(|_| "the answer is not a list of records")?;
    let pages = answer.headers.get("x-wp-totalpages").and_then(|pages| pages.trim().parse::<u32>().ok());
    let more = pages.map_or(records.len() >= PER_PAGE, |pages| window.page < pages);
    let more = more && !records.is_empty() && window.page < MAX_PAGES;

    if feed.name != CUSTOMERS {
        let by = if window.span == Span::History { "date_created_gmt" } else { "date_modified_gmt" };
        let last = records.last().and_then(|record| time(record, by));
        let next = more.then(|| window.behind(last).request(&access, feed.name));
        let (kind, topic) =
            if feed.name == ORDERS { ("order", "order.updated") } else { ("product", "product.updated") };
        let records = records.iter().map(|record| self::record(record, kind, topic)).collect();
        return Ok(Page { records, next, ..Page::default() });
    }
    let young = |customer: &&Value| time(customer, "date_created_gmt").is_none_or(|at| at > window.after);
    let more = more && records.last().as_ref().is_some_and(young);
    let next = more.then(|| Window { page: window.page + 1, ..window }.request(&access, CUSTOMERS));
    let records =
        records.iter().filter(young).map(|customer| record(customer, "customer", "customer.updated"));
    Ok(Page { records: records.collect(), next, ..Page::default() })
}

fn time(record: &Value, name: &str) -> Option<i64> {
    second(record.get(name)?.as_str()?)
}

/// A record as a delivery. Its id names its state: the time has whole seconds, so the content is named too.
fn record(record: &Value, kind: &str, topic: &str) -> Record {
    let body = record.to_string();
    let id = record.get("id").map(Value::to_string).unwrap_or_default();
    let modified = record.get("date_modified_gmt").and_then(Value::as_str).unwrap_or_default();
    Record {
        topic: topic.to_owned(),
        delivery_id: format!("{kind}-{}", hash::long_id(&[kind, &id, modified, &body])),
        body: body.into_bytes(),
        ..Record::default()
    }
}

/// As the API wants it: without a zone, which `dates_are_gmt` makes UTC.
fn date(second: i64) -> String {
    let at = Timestamp::from_second(second).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn second(date: &str) -> Option<i64> {
    instant(date).map(|at| at.as_millis().div_euclid(1000))
}

fn instant(date: &str) -> Option<Instant> {
    Moment::from_text(date)?.in_utc()
}
