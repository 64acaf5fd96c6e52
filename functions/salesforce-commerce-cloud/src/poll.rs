//! Asking for orders by time.
//!
//! The offset is bounded, so it is the window that moves: each page begins where the one before it ended, and the offset
//! counts only orders of one instant. An order may come twice at such a border.
//!
//! A page is asked for in two steps: the token, which is kept, and with it the orders. So no token outlives its time in
//! a request that waits, and none is written down.

use canonical::hash;
use jiff::{SignedDuration, Timestamp};
use platform::lenient::{self, Field, Object};
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::api::{Access, By, MAX_OFFSET, PAGE_SIZE};
use crate::spelling;

/// What a polled order's body is read as.
pub(crate) const TOPIC: &str = "order";

/// How far the reading of a window has come. It travels behind the `#` of the request's address, which is never sent.
#[derive(Clone, Debug, PartialEq)]
struct Cursor {
    by: By,
    from: Timestamp,
    until: Timestamp,
    offset: u64,
}

/// The orders of a period, if the connection wants them and may ask.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let by = match period.span {
        Span::Changes if !connection.flag("poll", true) => return Vec::new(),
        Span::Changes => By::Change,
        Span::History => By::Creation,
    };
    let Some(access) = Access::of(connection) else { return Vec::new() };
    let cursor = Cursor { by, from: period.since, until: period.until, offset: 0 };
    vec![Feed { name: "orders", request: cursor.mark(access.token_request(connection)) }]
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Token {
    access_token: Field<String>,
}

/// Both APIs' pages: `data` is SCAPI's, `hits` OCAPI's.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Orders {
    data: Field<Vec<Field<Json>>>,
    hits: Field<Vec<Field<Object<Hit>>>>,
    total: Field<serde_json::Number>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hit {
    data: Field<Json>,
}

/// An order as it came.
#[derive(Debug)]
struct Json(Map<String, Value>);

impl<'de> lenient::Lenient<'de> for Json {
    fn from_object<A: serde::de::MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let order = Map::deserialize(serde::de::value::MapAccessDeserializer::new(object))?;
        Ok(Some(Self(order)))
    }
}

/// Reads a token, and the orders that were asked for with it.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let access = Access::of(connection).ok_or("the settings do not say what to ask")?;
    let cursor = Cursor::of(&feed.request).ok_or("the request names no window")?;
    let token: Token = lenient::object(successful(answer)?).map_err(|error| error.to_string())?;
    // What could be taken for the name of a secret is no token.
    let is_plain = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'{');
    let token = token.access_token.ok().filter(is_plain);
    let token = token.ok_or("the Account Manager gave no token")?;
    let Some(answer) = joined.first() else {
        let orders = access.orders(connection, cursor.by, [cursor.from, cursor.until], cursor.offset, &token);
        return Ok(Page { joins: vec![orders], ..Page::default() });
    };
    let orders = orders(successful(answer)?)?;
    let next = cursor.after(&orders)?.map(|cursor| cursor.mark(access.token_request(connection)));
    Ok(Page { records: orders.list.into_iter().flatten().map(record).collect(), next, ..Page::default() })
}

fn successful(answer: &Fetched) -> Result<&[u8], String> {
    if !(200..300).contains(&answer.status) {
        return Err(format!("answered with status {}", answer.status));
    }
    Ok(&answer.body)
}

/// A page: what is no order keeps its place.
struct Listed {
    list: Vec<Option<Map<String, Value>>>,
    total: Option<u64>,
}

fn orders(body: &[u8]) -> Result<Listed, String> {
    let page: Orders = lenient::object(body).map_err(|error| error.to_string())?;
    let total = page.total.ok().and_then(|total| total.as_u64());
    let list = match (page.data, page.hits) {
        (Field::Is(orders), _) => orders,
        (_, Field::Is(hits)) => {
            hits.into_iter().map(|hit| hit.ok().map_or(Field::Bad, |Object(hit)| hit.data)).collect()
        }
        (Field::Absent, Field::Absent) if total == Some(0) => Vec::new(),
        _ => return Err("the answer has no orders".to_owned()),
    };
    let list = list.into_iter().map(|order| order.ok().map(|Json(order)| order)).collect();
    Ok(Listed { list, total })
}

impl Cursor {
    /// Out of a request's address.
    fn of(request: &ApiRequest) -> Option<Self> {
        let mut parts = request.url.split_once('#')?.1.split(';');
        let mut next = || parts.next();
        let by = if next()? == "creation" { By::Creation } else { By::Change };
        let (from, until) = (next()?.parse().ok()?, next()?.parse().ok()?);
        Some(Self { by, from, until, offset: next()?.parse().ok()? })
    }

    /// Into a request's address.
    fn mark(&self, request: ApiRequest) -> ApiRequest {
        let by = match self.by {
            By::Change => "change",
            By::Creation => "creation",
        };
        let Self { from, until, offset, .. } = self;
        ApiRequest { url: format!("{}#{by};{from};{until};{offset}", request.url), ..request }
    }

    /// Where the next page begins; `None` after the last.
    fn after(&self, orders: &Listed) -> Result<Option<Self>, String> {
        let count = orders.list.len() as u64;
        let is_more = match orders.total {
            Some(total) => self.offset + count < total,
            None => count >= PAGE_SIZE,
        };
        if count == 0 || !is_more {
            return Ok(None);
        }
        let last = orders.list.last().and_then(Option::as_ref).and_then(|order| time(order, self.by));
        // Whether the beginning of a window belongs to it is not documented.
        let from = last.and_then(|last| last.checked_sub(SignedDuration::from_millis(1)).ok());
        if let Some(from) = from.filter(|from| *from > self.from) {
            return Ok(Some(Self { from, offset: 0, ..*self }));
        }
        let offset = self.offset + count;
        if offset + PAGE_SIZE > MAX_OFFSET {
            return Err("more orders of one instant than the API shows".to_owned());
        }
        Ok(Some(Self { offset, ..*self }))
    }
}

fn time(order: &Map<String, Value>, by: By) -> Option<Timestamp> {
    let names = match by {
        By::Change => ["lastModified", "last_modified"],
        By::Creation => ["creationDate", "creation_date"],
    };
    names.iter().find_map(|name| order.get(*name))?.as_str()?.parse().ok()
}

fn record(mut order: Map<String, Value>) -> Record {
    spelling::strip(&mut order);
    let body = Value::Object(order).to_string();
    Record {
        topic: TOPIC.to_owned(),
        delivery_id: hash::long_id(&[TOPIC, &body]),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}
