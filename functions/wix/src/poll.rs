//! Asking Wix's API: orders that changed, for lost deliveries; contacts and orders that were made, for the history.
//! Sources: <https://dev.wix.com/docs/rest/business-solutions/e-commerce/orders/search-orders>,
//! <https://dev.wix.com/docs/rest/crm/members-contacts/contacts/contacts/contact-v4/query-contacts>.

use std::time::Duration;

use canonical::hash;
use platform::lenient::{self, Field, Id, Object};
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde_json::{Map, Value, json};

use crate::api::{self, Access, Credentials};
use crate::payload::{self, Json};

/// What a polled order's body is read as.
pub(crate) const TOPIC: &str = "orders/search";
/// What a polled contact's body is read as.
pub(crate) const CONTACT: &str = "contacts/query";
const TOKEN_PATH: &str = "/oauth2/token";
const ORDERS: &str = "orders";
const CONTACTS: &str = "contacts";
const PAGE_SIZE: usize = 100;
/// What Wix allows an app on one site.
/// Source: <https://dev.wix.com/docs/rest/articles/getting-started/rate-limits>.
const REQUESTS_PER_MINUTE: u32 = 200;

/// Orders that changed in a period, if the connection wants them and may ask; or what was made in it: contacts first,
/// so that the orders find their buyers.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let (by, names): (_, &[&'static str]) = match period.span {
        Span::Changes if !connection.flag("poll", false) => return Vec::new(),
        Span::Changes => ("updatedDate", &[ORDERS]),
        Span::History => ("createdDate", &[CONTACTS, ORDERS]),
    };
    let (since, until) = (period.since.to_string(), period.until.to_string());
    let feed = |name: &'static str| {
        let body = first_page(name, by, &since, &until);
        Some(Feed { name, request: request(connection, name, &body)? })
    };
    names.iter().filter_map(|name| feed(name)).collect()
}

/// The first page. Orders that are merely initialised are never in one.
fn first_page(name: &str, by: &str, since: &str, until: &str) -> Value {
    let filter = json!({ by: { "$gte": since, "$lt": until } });
    let sort = json!([{ "fieldName": by, "order": "ASC" }]);
    if name == CONTACTS {
        let paging = json!({ "limit": PAGE_SIZE, "offset": 0 });
        return json!({ "query": { "filter": filter, "sort": sort, "fieldsets": ["FULL"], "paging": paging } });
    }
    json!({ "search": { "filter": filter, "sort": sort, "cursorPaging": { "limit": PAGE_SIZE } } })
}

/// A request for a page with this body. With the app's credentials it is one for a token: the page is then asked for with
/// that, as what the token is joined with. A token must not lie about, so a fragment, which is never sent, keeps the body.
fn request(connection: &Connection, name: &str, body: &Value) -> Option<ApiRequest> {
    Some(match Access::of(connection)? {
        Access::ApiKey { site_id } => search(connection, name, body, &api::with_key(site_id)),
        Access::OAuth { app_id, instance_id } => {
            let mut request = api::token_request(connection, app_id, instance_id);
            request.url = format!("{}#{body}", request.url);
            paced(request)
        }
    })
}

fn search(connection: &Connection, name: &str, body: &Value, credentials: &Credentials) -> ApiRequest {
    let path = if name == CONTACTS { "/contacts/v4/contacts/query" } else { "/ecom/v1/orders/search" };
    paced(api::authorized(ApiRequest::post(api::url(connection, path), body), credentials))
}

fn paced(request: ApiRequest) -> ApiRequest {
    request.paced(REQUESTS_PER_MINUTE, Duration::from_mins(1))
}

/// Reads one page, or asks for it with the token that was answered.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let body = found(answer)?;
    let (address, kept) = feed.request.url.split_once('#').unwrap_or((&feed.request.url, ""));
    if !address.ends_with(TOKEN_PATH) {
        return read(connection, feed, body, joined);
    }
    let token = api::token(answer).ok_or("the API gave no token")?;
    let kept: Value = serde_json::from_str(kept).map_err(|_| "the request names no window")?;
    let request = search(connection, feed.name, &kept, &api::with_token(token));
    let Some((answer, joined)) = joined.split_first() else {
        return Ok(Page { joins: vec![request], ..Page::default() });
    };
    read(connection, &Feed { name: feed.name, request }, found(answer)?, joined)
}

fn read(connection: &Connection, feed: &Feed, body: &[u8], joined: &[Fetched]) -> Result<Page, String> {
    if feed.name == CONTACTS {
        contacts(connection, feed, body)
    } else {
        orders(connection, feed, body, joined)
    }
}

fn found(answer: &Fetched) -> Result<&[u8], String> {
    api::found(answer).ok_or_else(|| format!("answered with status {}", answer.status))
}

/// What is looked at of an order before it is read.
#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct State {
    id: Field<Id>,
    payment_status: Field<String>,
    fulfillment_status: Field<String>,
}

fn orders(connection: &Connection, feed: &Feed, body: &[u8], joined: &[Fetched]) -> Result<Page, String> {
    let page: payload::OrderPage = lenient::object(body).map_err(|error| error.to_string())?;
    let Field::Is(orders) = page.orders else { return Err("the answer has no orders".to_owned()) };
    let orders: Vec<String> =
        orders.into_iter().filter_map(|order| order.ok().map(|Json(order)| order)).collect();
    let parts = Parts::of(&orders);
    let requests = parts.requests(connection, feed);
    if joined.len() < requests.len() {
        return Ok(Page { joins: requests, ..Page::default() });
    }
    let records = parts.join(orders, joined)?;

    let paging = page.metadata.ok().map(|Object(paging)| paging).unwrap_or_default();
    let cursor = paging.cursors.ok().and_then(|Object(cursors)| cursors.next.ok());
    let more = !records.is_empty() && paging.has_next.ok() != Some(false);
    let next = cursor.filter(|_| more).and_then(|cursor| {
        let next = json!({ "search": { "cursorPaging": { "limit": PAGE_SIZE, "cursor": cursor } } });
        following(connection, feed, &next)
    });
    Ok(Page { records, next, ..Page::default() })
}

/// The request of a later page.
fn following(connection: &Connection, feed: &Feed, body: &Value) -> Option<ApiRequest> {
    match Access::of(connection)? {
        Access::ApiKey { .. } => Some(ApiRequest { body: Some(body.to_string()), ..feed.request.clone() }),
        Access::OAuth { .. } => request(connection, feed.name, body),
    }
}

/// What a page's orders lack: refunds of those that were paid back, parcels of those that were sent. Each is one
/// request for all of them.
/// Sources: <https://dev.wix.com/docs/rest/business-solutions/e-commerce/orders/order-transactions/list-transactions-for-multiple-orders>,
/// <https://dev.wix.com/docs/rest/business-solutions/e-commerce/orders/order-fulfillments/list-fulfillments-for-multiple-orders>.
struct Parts {
    paid_back: Vec<String>,
    sent: Vec<String>,
}

const TRANSACTIONS: (&str, &str) = ("/ecom/v1/payments/list-by-ids", "orderTransactions");
const FULFILLMENTS: (&str, &str) = ("/ecom/v1/fulfillments/list-by-ids", "ordersWithFulfillments");

impl Parts {
    fn of(orders: &[String]) -> Self {
        let mut parts = Self { paid_back: Vec::new(), sent: Vec::new() };
        for order in orders {
            let state: State = lenient::object(order.as_bytes()).unwrap_or_default();
            let Some(id) = state.id.ok().filter(|Id(id)| api::segment(id).is_some()).map(|Id(id)| id) else {
                continue;
            };
            let any = |field: &Field<String>, words: [&str; 2]| words.iter().any(|word| field.is(word));
            if any(&state.payment_status, ["FULLY_REFUNDED", "PARTIALLY_REFUNDED"]) {
                parts.paid_back.push(id.clone());
            }
            if any(&state.fulfillment_status, ["FULFILLED", "PARTIALLY_FULFILLED"]) {
                parts.sent.push(id);
            }
        }
        parts
    }

    fn requests(&self, connection: &Connection, feed: &Feed) -> Vec<ApiRequest> {
        let wanted = [(TRANSACTIONS, &self.paid_back), (FULFILLMENTS, &self.sent)];
        let wanted = wanted.into_iter().filter(|(_, ids)| !ids.is_empty());
        let request = |((path, _), ids): ((&str, &str), &Vec<String>)| {
            let body = json!({ "orderIds": ids }).to_string();
            ApiRequest { url: api::url(connection, path), body: Some(body), ..feed.request.clone() }
        };
        wanted.map(request).collect()
    }

    fn join(&self, orders: Vec<String>, joined: &[Fetched]) -> Result<Vec<Record>, String> {
        let mut answers = joined.iter();
        let mut lists = Vec::new();
        for ((_, key), ids) in [(TRANSACTIONS, &self.paid_back), (FULFILLMENTS, &self.sent)] {
            let answer = if ids.is_empty() { None } else { answers.next() };
            lists.push(answer.map(|answer| by_order(answer, key)).transpose()?.unwrap_or_default());
        }
        let [mut transactions, mut fulfillments] = <[_; 2]>::try_from(lists).unwrap_or_default();
        let records = orders.into_iter().map(|order| {
            let state: State = lenient::object(order.as_bytes()).unwrap_or_default();
            let id = state.id.ok().map(|Id(id)| id).unwrap_or_default();
            let (transactions, fulfillments) = (transactions.remove(&id), fulfillments.remove(&id));
            if transactions.is_none() && fulfillments.is_none() {
                return record(TOPIC, order);
            }
            let order: Value = serde_json::from_str(&order).unwrap_or_default();
            // Of the payments nothing is read, and they name cards.
            let refunds = transactions.map(|mut transactions| transactions["refunds"].take());
            let mut body = Map::from_iter([("order".to_owned(), order)]);
            body.extend(
                refunds.map(|refunds| ("orderTransactions".to_owned(), json!({ "refunds": refunds }))),
            );
            body.extend(fulfillments.map(|list| ("orderWithFulfillments".to_owned(), list)));
            record(TOPIC, Value::Object(body).to_string())
        });
        Ok(records.collect())
    }
}

/// The elements of a list by the order that each is of.
fn by_order(answer: &Fetched, key: &str) -> Result<Map<String, Value>, String> {
    let mut body: Value = serde_json::from_slice(found(answer)?).map_err(|_| "the answer is not JSON")?;
    let Some(Value::Array(list)) = body.get_mut(key).map(Value::take) else {
        return Err(format!("the answer has no {key}"));
    };
    let named = list.into_iter().filter_map(|element| {
        let id = element.get("orderId")?.as_str()?.to_owned();
        element.is_object().then_some((id, element))
    });
    Ok(named.collect())
}

/// A page of contacts. They are counted only within one instant: the next page begins at the last one's time.
fn contacts(connection: &Connection, feed: &Feed, body: &[u8]) -> Result<Page, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON".to_owned())?;
    let Some(Value::Array(contacts)) = answer.get("contacts") else {
        return Err("the answer has no contacts".to_owned());
    };
    let next = if contacts.len() < PAGE_SIZE {
        None
    } else {
        let lost = || "the request has lost its query".to_owned();
        let asked = feed.request.body.as_deref().ok_or_else(lost)?;
        let mut asked: Value = serde_json::from_str(asked).map_err(|_| lost())?;
        let last = contacts.iter().rev().find_map(|contact| contact.get("createdDate")?.as_str());
        let begun =
            asked.pointer("/query/filter/createdDate/$gte").and_then(Value::as_str).ok_or_else(lost)?;
        let offset = asked.pointer("/query/paging/offset").and_then(Value::as_u64).ok_or_else(lost)?;
        let (since, offset) = match last {
            Some(last) if last != begun => (last.to_owned(), 0),
            _ => (begun.to_owned(), offset.saturating_add(PAGE_SIZE as u64)),
        };
        *asked.pointer_mut("/query/filter/createdDate/$gte").ok_or_else(lost)? = since.into();
        *asked.pointer_mut("/query/paging/offset").ok_or_else(lost)? = offset.into();
        following(connection, feed, &asked)
    };
    let records = contacts.iter().filter(|contact| contact.is_object());
    let records = records.map(|contact| record(CONTACT, contact.to_string())).collect();
    Ok(Page { records, next, ..Page::default() })
}

fn record(topic: &str, body: String) -> Record {
    Record {
        topic: topic.to_owned(),
        delivery_id: hash::long_id(&[topic, &body]),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}
