//! What the records of a page need besides themselves. An order alone takes four to seven requests. Of a page of them,
//! lines and addresses come with the list, refunds and customers with one request for all; only parcels and codes must
//! be asked for one by one, and only where there are some.
//!
//! Nothing is read here: each order is read the way of its delivery, and the requests that this would make are answered
//! from what the page has. The answers travel with the record. What cannot be answered here is asked for then.

use std::collections::{BTreeMap, BTreeSet};

use canonical::money::Decimal;
use platform::lenient::{Field, Id, Object};
use platform::{ApiRequest, Connection, Delivery, Fetched, Headers, Mapping, Platform as _, Record};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Bigcommerce;
use crate::api::{Api, PAGE_SIZE, is_number};

/// Says that the body holds answers. Deliveries never have headers.
const HEADER: &str = "x-tillstream-joined";
/// What nothing is read from, and what should not lie about.
const NOT_KEPT: [&str; 9] = [
    "ip_address",
    "ip_address_v6",
    "geoip_country",
    "geoip_country_iso2",
    "staff_notes",
    "customer_message",
    "registration_ip_address",
    "notes",
    "authentication",
];

/// An answer as it travels.
#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    body: Value,
}

/// A record that is read like a delivery with this scope, with the answers that its reading will want.
pub(crate) fn record(
    connection: &Connection,
    (scope, kind, id): (&str, &str, &str),
    delivery_id: String,
    answers: &[Fetched],
) -> Record {
    let store = connection.text("store_hash").unwrap_or_default();
    let mut body = json!({
        "scope": scope,
        "producer": format!("stores/{store}"),
        "data": { "type": kind, "id": id },
    });
    let mut headers = Headers::default();
    if !answers.is_empty() {
        let travelling = answers.iter().map(|answer| Answer {
            status: answer.status,
            body: serde_json::from_slice(&answer.body).unwrap_or_default(),
        });
        body["joined"] = json!(travelling.collect::<Vec<_>>());
        headers = Headers::from_iter([(HEADER, "1")]);
    }
    Record { topic: scope.to_owned(), delivery_id, headers, body: body.to_string().into_bytes() }
}

/// The answers that came with a record.
pub(crate) fn travelled(delivery: &Delivery) -> Vec<Fetched> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Joined {
        joined: Vec<Answer>,
    }
    if delivery.headers.get(HEADER).is_none() {
        return Vec::new();
    }
    let joined: Joined = serde_json::from_slice(&delivery.body).unwrap_or_default();
    joined.joined.into_iter().map(|answer| answered(answer.status, &answer.body)).collect()
}

fn answered(status: u16, body: &Value) -> Fetched {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Fetched { status, headers: Headers::default(), body }
}

/// An answer that would have brought this.
pub(crate) fn found(body: &Value) -> Fetched {
    answered(200, body)
}

/// A record without what should not lie about.
pub(crate) fn stripped(record: &Map<String, Value>) -> Value {
    let kept = record.iter().filter(|(name, _)| !NOT_KEPT.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// What an order's reading asks for and the page does not have yet.
#[derive(PartialEq)]
enum Lack {
    Refunds(String),
    Customer(String),
    Single(Box<ApiRequest>),
}

/// What a page has.
struct Known<'a> {
    api: &'a Api,
    single: BTreeMap<String, &'a Fetched>,
    /// By order.
    refunds: Lists,
    customers: Lists,
}

/// What lists brought by id, which may be nothing; `None` where a list could not be read.
type Lists = BTreeMap<String, Option<Vec<Value>>>;

/// For each order of a page what its reading will be answered, in the order of its requests; `Err` names the requests
/// that must be made first. An order without its lines gets none: it is asked for when it is read, like a delivery's.
pub(crate) fn answers(
    connection: &Connection,
    api: &Api,
    orders: &[&Map<String, Value>],
    joined: &[Fetched],
) -> Result<Vec<Vec<Fetched>>, Vec<ApiRequest>> {
    let mut known =
        Known { api, single: BTreeMap::new(), refunds: BTreeMap::new(), customers: BTreeMap::new() };
    let mut rest = joined;
    loop {
        let mut complete = Vec::new();
        let mut lacks = Vec::new();
        for order in orders {
            match known.answers(connection, order) {
                Ok(answers) => complete.push(answers),
                Err(lacking) => lacks.extend(lacking),
            }
        }
        let wanted = Wanted::of(lacks);
        let requests = wanted.requests(api);
        if requests.is_empty() {
            return Ok(complete);
        }
        let Some((answers, later)) = rest.split_at_checked(requests.len()) else { return Err(requests) };
        known.learn(&wanted, requests, answers);
        rest = later;
    }
}

/// What several orders lack: two lists of ids, and the rest.
struct Wanted {
    refunds: BTreeSet<String>,
    customers: BTreeSet<String>,
    single: Vec<ApiRequest>,
}

impl Wanted {
    fn of(lacks: Vec<Lack>) -> Self {
        let mut wanted = Self { refunds: BTreeSet::new(), customers: BTreeSet::new(), single: Vec::new() };
        for lack in lacks {
            match lack {
                Lack::Refunds(order_id) => {
                    wanted.refunds.insert(order_id);
                }
                Lack::Customer(id) => {
                    wanted.customers.insert(id);
                }
                Lack::Single(request) => wanted.single.push(*request),
            }
        }
        wanted
    }

    /// Source: <https://developer.bigcommerce.com/docs/rest-management/transactions/order-refunds>.
    fn requests(&self, api: &Api) -> Vec<ApiRequest> {
        let list = |path: &str, ids: &BTreeSet<String>| {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            (!ids.is_empty()).then(|| api.get(&format!("{path}={}&limit={PAGE_SIZE}", ids.join(","))))
        };
        let refunds = list("v3/orders/payment_actions/refunds?order_id:in", &self.refunds);
        let customers = list("v3/customers?include=addresses&id:in", &self.customers);
        refunds.into_iter().chain(customers).chain(self.single.iter().cloned()).collect()
    }
}

impl<'a> Known<'a> {
    fn learn(&mut self, wanted: &Wanted, requests: Vec<ApiRequest>, answers: &'a [Fetched]) {
        let mut answers = answers.iter();
        let mut list = |ids: &BTreeSet<String>, name: &str| {
            let elements = if ids.is_empty() { None } else { elements(answers.next()) };
            let mut by_id: Lists =
                ids.iter().map(|id| (id.clone(), elements.is_some().then(Vec::new))).collect();
            for element in elements.into_iter().flatten() {
                let id = element.get(name).map(Value::to_string).unwrap_or_default();
                if let (Some(Some(list)), Some(element)) =
                    (by_id.get_mut(id.trim_matches('"')), element.as_object())
                {
                    list.push(stripped(element));
                }
            }
            by_id
        };
        let refunds = list(&wanted.refunds, "order_id");
        let customers = list(&wanted.customers, "id");
        self.refunds.extend(refunds);
        self.customers.extend(customers);
        let asked = requests.len() - wanted.single.len();
        self.single.extend(requests.into_iter().skip(asked).map(|request| request.url).zip(answers));
    }

    /// What the order's reading will be answered.
    fn answers(
        &self,
        connection: &Connection,
        order: &Map<String, Value>,
    ) -> Result<Vec<Fetched>, Vec<Lack>> {
        let Some(order) = ListedOrder::of(order) else { return Ok(Vec::new()) };
        let thin = record(connection, ("store/order/updated", "order", &order.id), String::new(), &[]);
        let delivery = Delivery {
            platform: connection.platform.clone(),
            connection: connection.id.clone(),
            topic: thin.topic,
            delivery_id: thin.delivery_id,
            received_at: jiff::Timestamp::UNIX_EPOCH,
            headers: thin.headers,
            backfill: false,
            body: thin.body,
        };
        let mut answers = vec![found(&order.record)];
        while let Mapping::Fetch(requests) = Bigcommerce.facts(&delivery, connection, &answers) {
            let mut lacks = Vec::new();
            for request in requests {
                match self.answer(&order, request) {
                    Ok(answer) => answers.push(answer),
                    Err(lack) => lacks.push(lack),
                }
            }
            if !lacks.is_empty() {
                return Err(lacks);
            }
        }
        // Something was refused: the order's own reading shall find out what.
        let sound = |answer: &Fetched| matches!(answer.status, 200..=299 | 404 | 410);
        Ok(if answers.iter().all(sound) { answers } else { Vec::new() })
    }

    fn answer(&self, order: &ListedOrder, request: ApiRequest) -> Result<Fetched, Lack> {
        let path = self.api.path(&request.url).unwrap_or_default();
        let below = path.strip_prefix(&format!("v2/orders/{}/", order.id)).unwrap_or_default();
        let (list, query) = below.split_once('?').unwrap_or((below, ""));
        let first = query.ends_with("&page=1");
        match list {
            "products" => return Ok(found(if first { &order.lines } else { &Value::Null })),
            "shipping_addresses" => {
                return Ok(found(if first { &order.addresses } else { &Value::Null }));
            }
            "coupons" if order.without_coupons => return Ok(found(&json!([]))),
            _ => {}
        }
        if let Some(answer) = self.single.get(&request.url) {
            return Ok(Fetched { headers: Headers::default(), ..(*answer).clone() });
        }
        let of = |lists: &Lists, id: &str, lack: fn(String) -> Lack| match lists.get(id) {
            Some(Some(records)) => Some(Ok(found(&json!({ "data": records })))),
            Some(None) => None,
            None => Some(Err(lack(id.to_owned()))),
        };
        let customer = path.strip_prefix("v3/customers?id:in=").and_then(|rest| rest.split('&').next());
        let listed = if path == format!("v3/orders/{}/payment_actions/refunds", order.id) {
            of(&self.refunds, &order.id, Lack::Refunds)
        } else {
            customer.filter(|id| is_number(id)).and_then(|id| of(&self.customers, id, Lack::Customer))
        };
        listed.unwrap_or(Err(Lack::Single(Box::new(request))))
    }
}

/// The records of a list of API v3. `None` if it cannot be read, or may go on.
fn elements(answer: Option<&Fetched>) -> Option<Vec<Value>> {
    let answer = answer?;
    match answer.status {
        404 | 204 => return Some(Vec::new()),
        200..=299 => {}
        _ => return None,
    }
    let mut body: Value = serde_json::from_slice(&answer.body).ok()?;
    let Value::Array(list) = body.get_mut("data")?.take() else { return None };
    Some(list).filter(|list| list.len() < PAGE_SIZE)
}

/// An order of the list, taken apart into the answers that it would have been otherwise.
struct ListedOrder {
    id: String,
    /// Without its consignments.
    record: Value,
    lines: Value,
    addresses: Value,
    without_coupons: bool,
}

impl ListedOrder {
    /// `None` if its lines are not there: only addresses of where they are.
    fn of(order: &Map<String, Value>) -> Option<Self> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Head {
            id: Field<Id>,
            coupon_discount: Field<Decimal>,
        }
        let mut order = order.clone();
        let consignments = match order.remove("consignments")? {
            Value::Array(list) => list,
            one @ Value::Object(_) => vec![one],
            _ => return None,
        };
        let record = stripped(&order);
        let head: Field<Object<Head>> = serde_json::from_value(record.clone()).ok()?;
        let Object(head) = head.ok()?;
        let Id(id) = head.id.ok().filter(|Id(id)| is_number(id))?;
        let mut lines = Vec::new();
        let mut addresses = Vec::new();
        for consignments in &consignments {
            let list = |name: &str| consignments.get(name).and_then(Value::as_array).into_iter().flatten();
            let certificates = consignments.get("email").and_then(|email| email.get("gift_certificates"));
            let certificates = certificates.and_then(Value::as_array).into_iter().flatten();
            for one in list("shipping").chain(list("pickups")).chain(list("downloads")).chain(certificates) {
                lines.extend(one.get("line_items")?.as_array()?.iter().cloned());
            }
            for one in list("shipping") {
                let mut address = one.as_object()?.clone();
                address.remove("line_items");
                addresses.push(stripped(&address));
            }
        }
        lines.sort_by_key(|line| line.get("id").and_then(Value::as_u64));
        let without_coupons = head.coupon_discount == Field::Is(Decimal::ZERO);
        (!lines.is_empty()).then(|| Self {
            id,
            record,
            lines: Value::Array(lines),
            addresses: Value::Array(addresses),
            without_coupons,
        })
    }
}

/// The records of a page of a list of API v3, if they are there.
pub(crate) fn listed(answer: &Fetched) -> Result<Vec<Map<String, Value>>, String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Listed {
        data: Option<Vec<Value>>,
    }
    if !(200..300).contains(&answer.status) {
        return Err(format!("the API answered {}", answer.status));
    }
    let listed: Listed = serde_json::from_slice(&answer.body).map_err(|_| "the answer is not a list")?;
    let records = listed.data.ok_or("the answer is not a list")?.into_iter();
    Ok(records.map(|record| record.as_object().cloned().unwrap_or_default()).collect())
}

/// A record's id, if it may become a part of an address.
pub(crate) fn id(record: &Map<String, Value>) -> Option<String> {
    let id: Field<Id> = serde_json::from_value(record.get("id")?.clone()).ok()?;
    id.ok().map(|Id(id)| id).filter(|id| is_number(id))
}
