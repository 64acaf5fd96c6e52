//! What a shop is asked for. Its lists have no pages: a period is read window by window, whose width follows what they hold, and
//! a window that holds too much goes on after the last record that was taken.

use std::collections::BTreeSet;

use jiff::Timestamp;
use platform::lenient::{Lenient, Moment};
use platform::{ApiRequest, Connection, Feed, Fetched, Page, Period, Span};
use serde_json::{Value, json};

use crate::api::{self, Api, Call, Halt, Talk};
use crate::record;

/// Records of a page.
const PAGE: usize = 100;
/// Records that one request asks for.
const BATCH: usize = 20;
/// Orders and lines that one request asks for: each is some 20 kB of XML, and an answer of more than 5 MB is not read.
const BATCH_LINES: usize = 100;
/// A window as wide as this comes first.
const FIRST_S: i64 = 60 * 60;
/// The narrowest and the widest.
const WIDTH_S: [i64; 2] = [60, 28 * 24 * 60 * 60];
/// Records that a window should hold: far fewer than a page, for a window may reach from the night into the day, and an
/// answer of more than 250 orders is not read.
const FILLED: i64 = 25;
/// How many times wider, or narrower, than the window before one may be.
const GROWTH: i64 = 4;

/// The part of a period that one page reads. It travels in the fragment of the page's address, which is never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// By which of a record's times.
    by: Span,
    /// The first second.
    since_s: i64,
    /// The last second of the period.
    until_s: i64,
    width_s: i64,
}

impl Window {
    fn column(&self) -> &'static str {
        match self.by {
            Span::Changes => "updated_at",
            Span::History => "created_at",
        }
    }

    fn last_s(&self) -> i64 {
        self.since_s.saturating_add(self.width_s).min(self.until_s)
    }

    fn fragment(&self) -> String {
        format!("{}.{}.{}.{}", self.column(), self.since_s, self.until_s, self.width_s)
    }

    fn parse(fragment: &str) -> Option<Self> {
        let mut parts = fragment.split('.');
        let by = match parts.next()? {
            "updated_at" => Span::Changes,
            "created_at" => Span::History,
            _ => return None,
        };
        let mut number = || parts.next()?.parse().ok();
        let (since_s, until_s, width_s): (i64, i64, i64) = (number()?, number()?, number()?);
        let whole = width_s >= WIDTH_S[0] && parts.next().is_none();
        whole.then_some(Self { by, since_s, until_s, width_s })
    }

    /// Includes both its seconds. Magento keeps UTC.
    fn filter(&self) -> Result<Value, String> {
        let [since, until] = [self.since_s, self.last_s()].map(|second| {
            let second = Timestamp::from_second(second).map_err(|_| "the window has no time")?;
            Ok::<_, String>(second.strftime("%Y-%m-%d %H:%M:%S").to_string())
        });
        Ok(json!({ (self.column()): { "from": since?, "to": until? } }))
    }

    /// The window after this one, of which all up to `read_s` was read.
    fn next(&self, held: usize, read_s: i64) -> Option<Self> {
        // By what this one held.
        let held = i64::try_from(held).unwrap_or(i64::MAX).max(1);
        let width_s = self.width_s.saturating_mul(FILLED) / held;
        let width_s = width_s.clamp(self.width_s / GROWTH, self.width_s.saturating_mul(GROWTH));
        let since_s = read_s.checked_add(1)?;
        let next = Self { since_s, width_s: width_s.clamp(WIDTH_S[0], WIDTH_S[1]), ..*self };
        (since_s <= self.until_s).then_some(next)
    }
}

/// The orders and the customers of a period.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let wanted = period.span == Span::History || connection.flag("poll", true);
    let Some(api) = Api::of(connection).filter(|_| wanted) else { return Vec::new() };
    let window = Window {
        by: period.span,
        since_s: second(period.since),
        until_s: second(period.until),
        width_s: FIRST_S,
    };
    ["orders", "customers"].map(|name| Feed { name, request: request(&api, &window) }).into()
}

fn second(time: Timestamp) -> i64 {
    time.as_millisecond().div_euclid(1000)
}

fn request(api: &Api, window: &Window) -> ApiRequest {
    let login = api::kept(api.login());
    ApiRequest { url: format!("{}#{}", login.url, window.fragment()), ..login }
}

/// Reads a page: the session, the list of a window, then all that is listed.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let api = Api::of(connection).ok_or("the connection has no address")?;
    let fragment = feed.request.url.split_once('#').map(|(_, fragment)| fragment);
    let window = fragment.and_then(Window::parse).ok_or("the request has no window")?;
    match read(&api, feed.name, &window, answer, joined) {
        Ok(page) => Ok(page),
        Err(Halt::Join(joins)) => Ok(Page { joins, ..Page::default() }),
        Err(Halt::Bad(reason)) => Err(reason),
    }
}

fn read(api: &Api, name: &str, window: &Window, login: &Fetched, joined: &[Fetched]) -> Result<Page, Halt> {
    let mut talk = Talk::begin(api, login, joined)?;
    let list = match name {
        "orders" => "sales_order.list",
        "customers" => "customer.list",
        _ => return Err(Halt::Bad("there is no such feed".to_owned())),
    };
    let listed = talk.ask(&[vec![Call::new(list, window.filter()?)]])?;
    let Some(Value::Array(rows)) = listed.into_iter().flatten().next() else {
        return Err(Halt::Bad("the shop's list is none".to_owned()));
    };
    let held = rows.len();
    let (rows, read_s) = first_page(rows, window);
    let records = if name == "orders" { orders(&mut talk, &rows)? } else { customers(&mut talk, rows)? };
    let next = window.next(held, read_s).map(|next| request(api, &next));
    Ok(Page { records, next, ..Page::default() })
}

/// The first rows by time, and up to which second they are all there are.
fn first_page(rows: Vec<Value>, window: &Window) -> (Vec<Value>, i64) {
    let mut timed: Vec<(i64, Value)> =
        rows.into_iter().map(|row| (row_second(&row, window).unwrap_or(window.since_s), row)).collect();
    timed.sort_by_key(|(second, _)| *second);
    let mut read_s = window.last_s();
    if let Some((last_s, _)) = timed.get(PAGE - 1).filter(|_| timed.len() > PAGE) {
        // Those of one second cannot be told apart by a window.
        read_s = (*last_s).min(read_s);
        let all = timed.partition_point(|(second, _)| *second <= read_s);
        timed.truncate(all);
    }
    (timed.into_iter().map(|(_, row)| row).collect(), read_s)
}

fn row_second(row: &Value, window: &Window) -> Option<i64> {
    let time = Moment::from_text(row[window.column()].as_str()?.trim())?.in_utc()?;
    Some(time.timestamp().as_second().clamp(window.since_s, window.last_s()))
}

fn text<'a>(row: &'a Value, name: &str) -> Option<&'a str> {
    row[name].as_str().map(str::trim).filter(|text| api::is_plain(text))
}

/// Asks for whole orders, for the first of those that replace another, and for the shipments and credit memos of all of them.
fn orders(talk: &mut Talk<'_>, rows: &[Value]) -> Result<Vec<platform::Record>, Halt> {
    let rows: Vec<&Value> = rows.iter().filter(|row| text(row, "increment_id").is_some()).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let batches: Vec<Vec<Call>> = batches(&rows).iter().map(|rows| whole_orders(rows)).collect();
    let answers = talk.ask(&batches)?;

    let mut parts: Vec<Call> = Vec::new();
    let mut wholes: Vec<Value> = Vec::new();
    for mut values in answers {
        let memos = values.pop().unwrap_or_default();
        let shipments = values.pop().unwrap_or_default();
        wholes.extend(values.into_iter().filter(Value::is_object));
        for (path, list) in [("sales_order_shipment.info", shipments), ("sales_order_creditmemo.info", memos)]
        {
            let listed = list.as_array().into_iter().flatten();
            parts.extend(listed.filter_map(|row| Some(Call::new(path, text(row, "increment_id")?))));
        }
    }
    let (shipments, memos) = details(talk, parts)?;
    let named = |id: &str| wholes.iter().find(|order| text(order, "increment_id") == Some(id));
    let records = rows.iter().filter_map(|row| {
        let order = named(text(row, "increment_id")?)?;
        let first = original(order).and_then(named);
        Some(record::order(order, first, &shipments, &memos))
    });
    Ok(records.collect())
}

/// The orders of each request: fewer where they have many lines.
fn batches<'a>(rows: &[&'a Value]) -> Vec<Vec<&'a Value>> {
    let mut batches: Vec<Vec<&Value>> = Vec::new();
    let mut lines = 0;
    for row in rows {
        let own = text(row, "total_item_count").and_then(|count| count.parse::<usize>().ok());
        let own = own.unwrap_or_default().min(BATCH_LINES).saturating_add(1);
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && lines + own <= BATCH_LINES => {
                batch.push(row);
                lines += own;
            }
            _ => {
                batches.push(vec![row]);
                lines = own;
            }
        }
    }
    batches
}

/// The number of the order that was edited, and replaced by this one.
fn original(order: &Value) -> Option<&str> {
    text(order, "original_increment_id").filter(|original| text(order, "increment_id") != Some(*original))
}

/// All calls for some orders; the lists come last.
fn whole_orders(rows: &[&Value]) -> Vec<Call> {
    let numbers = rows.iter().filter_map(|row| text(row, "increment_id"));
    let originals = rows.iter().filter_map(|row| original(row));
    let numbers: BTreeSet<&str> = numbers.chain(originals).collect();
    let ids: Vec<&str> = rows.iter().filter_map(|row| text(row, "order_id")).collect();
    let of_orders = json!({ "order_id": { "in": ids } });
    let mut calls: Vec<Call> =
        numbers.into_iter().map(|number| Call::new("sales_order.info", number)).collect();
    calls.push(Call::new("sales_order_shipment.list", of_orders.clone()));
    calls.push(Call::new("sales_order_creditmemo.list", of_orders));
    calls
}

/// Whole shipments and whole credit memos.
fn details(talk: &mut Talk<'_>, parts: Vec<Call>) -> Result<(Vec<Value>, Vec<Value>), Halt> {
    if parts.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut batches: Vec<Vec<Call>> = Vec::new();
    for part in parts {
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH => batch.push(part),
            _ => batches.push(vec![part]),
        }
    }
    let found = talk.ask(&batches)?.into_iter().flatten().filter(Value::is_object);
    Ok(found.partition(|part| part.get("shipment_id").is_some()))
}

/// Asks for the billing addresses of customers.
fn customers(talk: &mut Talk<'_>, rows: Vec<Value>) -> Result<Vec<platform::Record>, Halt> {
    let mut batches: Vec<Vec<Call>> = Vec::new();
    for id in rows.iter().filter_map(|row| text(row, "default_billing")) {
        let call = Call::new("customer_address.info", id);
        match batches.last_mut() {
            Some(batch) if batch.len() < PAGE => batch.push(call),
            _ => batches.push(vec![call]),
        }
    }
    let addresses: Vec<Value> =
        if batches.is_empty() { Vec::new() } else { talk.ask(&batches)?.into_iter().flatten().collect() };
    let mut addresses = addresses.into_iter();
    let records = rows.into_iter().filter_map(|row| {
        let address = text(&row, "default_billing").and_then(|_| addresses.next());
        record::customer(&row, address.as_ref())
    });
    Ok(records.collect())
}
