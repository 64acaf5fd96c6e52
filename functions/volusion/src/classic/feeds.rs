//! What a store's XML export is asked for. It knows one condition a request and no pages: an answer is read in parts by the orders'
//! ids, and asked for again for each part.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use platform::{ApiRequest, Connection, Feed, Fetched, Page, Period, Span};
use xml::Element;

use crate::classic::payload;
use crate::classic::record::{self, Group};
use crate::classic::status_map;

const NAME: &str = "v1_orders";
/// Orders of a page: each may need its customer.
const PAGE: usize = 100;
/// For how long an answer is used again, while its parts are read.
const ANSWER: Duration = Duration::from_mins(5);
/// For how long a customer's record is used again.
const CUSTOMER: Duration = Duration::from_hours(1);
/// How much earlier than the period a change may be dated: the store's clock is its own.
const SLACK_S: i64 = 10 * 60;
/// The texts of `OrderStatus`. An export without a condition hands out each row once and never again, so a store without a
/// schema of its own is asked for one status after the other.
const STATUSES: [&str; 19] = [
    "New",
    "Pending",
    "Processing",
    "Payment Declined",
    "Awaiting Payment",
    "Ready to Ship",
    "Pending Shipment",
    "Partially Shipped",
    "Shipped",
    "Partially Backordered",
    "Backordered",
    "See Line Items",
    "See Order Notes",
    "Partially Returned",
    "Returned",
    "Cancelled",
    "Cancel Order",
    "New - See Order Notes",
    "Awaiting Payment - See Order Notes",
];

/// Whether a feed is one of these.
pub(crate) fn is_feed(name: &str) -> bool {
    name == NAME
}

/// What is in the hands of a page; it travels in the fragment of its address, which is never sent.
struct State {
    span: Span,
    since_s: i64,
    until_s: i64,
    /// Which of the requests, of a store that is asked by status.
    step: usize,
    /// The last order that was read of this answer.
    after: u64,
}

impl State {
    fn fragment(&self) -> String {
        let span = match self.span {
            Span::Changes => "c",
            Span::History => "h",
        };
        format!("{span}.{}.{}.{}.{}", self.since_s, self.until_s, self.step, self.after)
    }

    fn parse(fragment: &str) -> Option<Self> {
        let mut parts = fragment.split('.');
        let span = match parts.next()? {
            "c" => Span::Changes,
            "h" => Span::History,
            _ => return None,
        };
        let (since_s, until_s) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let (step, after) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(Self { span, since_s, until_s, step, after })
    }
}

/// The orders of a period.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    if period.span == Span::Changes && !connection.flag("poll", true) {
        return Vec::new();
    }
    let second = |time: Timestamp| time.as_millisecond().div_euclid(1000);
    let state = State {
        span: period.span,
        since_s: second(period.since),
        until_s: second(period.until),
        step: 0,
        after: 0,
    };
    request(connection, &state).map(|request| Feed { name: NAME, request }).into_iter().collect()
}

/// `None` without an address, and after the last step.
fn request(connection: &Connection, state: &State) -> Option<ApiRequest> {
    let schema = match state.span {
        Span::Changes => connection.text("changes_schema"),
        Span::History => connection.text("history_schema"),
    };
    let what = if let Some(schemas) = schema {
        // One after the other, where the store's history is more than one answer can hold.
        let schema = schemas.split(',').nth(state.step).filter(|schema| record::is_plain(schema))?;
        format!("API_Name=Generic%5C{schema}")
    } else {
        let own = status_map(connection).map(|(status, _)| status);
        let own = own.filter(|own| !STATUSES.iter().any(|status| status.eq_ignore_ascii_case(own)));
        let status = encoded(STATUSES.iter().copied().chain(own).nth(state.step)?);
        format!("EDI_Name=Generic%5COrders&SELECT_Columns=*&WHERE_Column=o.OrderStatus&WHERE_Value={status}")
    };
    let request = ask(connection, &what)?.kept_for(ANSWER);
    Some(ApiRequest { url: format!("{}#{}", request.url, state.fragment()), ..request })
}

/// A text in an address.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let byte = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

/// The login goes into the query: there is no other place for it.
fn ask(connection: &Connection, what: &str) -> Option<ApiRequest> {
    let (store, schemes): (_, &[&str]) = match connection.text("api_url") {
        Some(url) => (url, &["https://", "http://"]),
        None => (connection.text("store_url")?, &["https://"]),
    };
    let store = store.trim_end_matches('/');
    let host = schemes.iter().find_map(|scheme| store.strip_prefix(scheme))?;
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    let named = host.starts_with(|first: char| first.is_ascii_alphanumeric()) && !host.contains("..");
    let login = "Login={secret:login}&EncryptedPassword={secret:encrypted_password}";
    let request = ApiRequest {
        method: "GET".to_owned(),
        url: format!("{store}/net/WebService.aspx?{login}&{what}"),
        headers: vec![("accept".to_owned(), "application/xml".to_owned())],
        ..ApiRequest::default()
    };
    (plain && named).then_some(request)
}

/// Reads a part of an answer.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let fragment = feed.request.url.split_once('#').map(|(_, fragment)| fragment);
    let state = fragment.and_then(State::parse).ok_or("the request has no state")?;
    let mut groups = record::grouped(&rows(answer)?);
    groups.retain(|group| group.number > state.after && wanted(connection, &state, group));
    groups.sort_by_key(|group| group.number);
    let rest = groups.len() > PAGE;
    groups.truncate(PAGE);

    let lacking: Vec<&str> = record::customers_lacking(&groups);
    if joined.len() < lacking.len() {
        let joins = lacking.iter().filter_map(|id| {
            let condition = format!("WHERE_Column=CustomerID&WHERE_Value={id}");
            let customer =
                ask(connection, &format!("EDI_Name=Generic%5CCustomers&SELECT_Columns=*&{condition}"))?;
            Some(customer.kept_for(CUSTOMER))
        });
        return Ok(Page { joins: joins.collect(), ..Page::default() });
    }
    let mut customers = Vec::new();
    for answer in joined {
        customers.extend(rows(answer)?);
    }
    let last = groups.last().map(|group| group.number);
    let next = match last.filter(|_| rest) {
        Some(after) => State { after, ..state },
        None => State { step: state.step + 1, after: 0, ..state },
    };
    let records = groups.into_iter().map(|group| group.record(&customers)).collect();
    Ok(Page { records, next: request(connection, &next), ..Page::default() })
}

/// The elements of an answer. An empty one means that the login was not right; `<xmldata />` means that there is nothing.
fn rows(answer: &Fetched) -> Result<Vec<Element>, String> {
    if answer.status != 200 {
        return Err(format!("the answer's status is {}", answer.status));
    }
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return Err(
            "the answer is empty: the login is not right, or the encrypted password has changed".to_owned()
        );
    }
    let root = Element::parse(&answer.body).map_err(|error| error.to_string())?;
    if root.name != "xmldata" {
        return Err("the answer is not an export".to_owned());
    }
    Ok(root.children)
}

/// Whether an order is of the period. One whose time cannot be told is.
fn wanted(connection: &Connection, state: &State, group: &Group) -> bool {
    let Some(zone) = connection.time_zone("time_zone") else { return true };
    let column = match state.span {
        Span::Changes => "LastModified",
        Span::History => "OrderDate",
    };
    let Some(second) = group.text(column).and_then(|text| second(text, &zone)) else { return true };
    // The other end is open: what changed since will be asked for again, and is the same then.
    let until_s = match state.span {
        Span::Changes => i64::MAX,
        Span::History => state.until_s.saturating_add(SLACK_S),
    };
    (state.since_s.saturating_sub(SLACK_S)..=until_s).contains(&second)
}

fn second(text: &str, zone: &TimeZone) -> Option<i64> {
    let local = payload::local(text)?;
    Some(local.to_zoned(zone.clone()).ok()?.timestamp().as_second())
}
