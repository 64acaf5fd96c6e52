//! What arrives at the door. Nobody signs it, so nothing of it is believed: it only says which record to ask for.

use canonical::hash;
use platform::lenient::{Dropped, Field, Id, Object};
use platform::{Fetched, reading::Silence};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::payload::Notice;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Order,
    Customer,
    Product,
}

impl Subject {
    /// Each subject with its topic and the API's resource.
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Order, "order_notice", "Orders"),
        (Self::Customer, "customer_notice", "Customers"),
        (Self::Product, "product_notice", "Products"),
    ];

    /// The topic its notices travel under.
    pub(crate) fn topic(self) -> &'static str {
        Self::ALL.into_iter().find(|(subject, ..)| *subject == self).map_or("", |(_, topic, _)| topic)
    }

    /// The resource of the API.
    pub(crate) fn resource(self) -> &'static str {
        Self::ALL.into_iter().find(|(subject, ..)| *subject == self).map_or("", |(.., resource)| resource)
    }

    /// The subject of a topic.
    pub(crate) fn of_topic(topic: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name, _)| *name == topic).map(|(subject, ..)| subject)
    }
}

/// What may travel of a delivery: its ids, one notice for all its records. Card numbers, addresses and all else stay
/// at the door.
pub(crate) struct Reduced {
    pub(crate) topic: &'static str,
    pub(crate) delivery_id: String,
    pub(crate) body: Vec<u8>,
}

/// The topic of a body that names no record, or that cannot be read: it goes to the dead letters with its reason.
pub(crate) const UNREADABLE: &str = "unreadable";

/// Reduces a body to its ids.
pub(crate) fn reduce(body: &[u8]) -> Reduced {
    let (topic, ids) = match ids(body) {
        Ok((subject, ids)) => (subject.topic(), json!({ "ids": ids })),
        Err(reason) => (UNREADABLE, json!({ "reason": reason })),
    };
    let delivery_id = hash::long_id(&[topic, &String::from_utf8_lossy(body)]);
    Reduced { topic, delivery_id, body: ids.to_string().into_bytes() }
}

fn ids(body: &[u8]) -> Result<(Subject, Vec<String>), &'static str> {
    let notices: Vec<Notice> = records(body)?;
    let mut named = notices.into_iter().map(id).collect::<Option<Vec<_>>>().unwrap_or_default().into_iter();
    let (subject, first) = named.next().ok_or("no usable OrderID, CustomerID or CatalogID")?;
    let mut ids = vec![first];
    for (other, id) in named {
        if other != subject {
            return Err("the body mixes records");
        }
        ids.push(id);
    }
    Ok((subject, ids))
}

/// The record that a notice names. An order names its customer too, so orders come first.
fn id(notice: Notice) -> Option<(Subject, String)> {
    let product = || {
        let info = notice.sku_info.ok().map(|Object(info)| info).unwrap_or_default();
        number(info.catalog_id).or_else(|| number(notice.catalog_id))
    };
    match (notice.order_id, notice.customer_id) {
        (Field::Absent, Field::Absent) => Some((Subject::Product, product()?)),
        (Field::Absent, customer) => Some((Subject::Customer, number(customer)?)),
        (order, _) => Some((Subject::Order, number(order)?)),
    }
}

/// An id that may stand in an address: digits, and not 0.
fn number(id: Field<Id>) -> Option<String> {
    id.ok().and_then(real)
}

/// An id that names something: Shift4Shop writes 0 for "none yet".
pub(crate) fn real(Id(id): Id) -> Option<String> {
    let digits = id.len() <= 19 && id.bytes().all(|byte| byte.is_ascii_digit());
    (digits && id.bytes().any(|byte| byte != b'0')).then_some(id)
}

/// Records as Shift4Shop sends them: an array of objects, mostly one; a bare object counts as one.
pub(crate) fn records<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, &'static str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if array {
        let records: Field<Vec<Field<Object<T>>>> =
            serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
        let mut dropped = Dropped::default();
        let records = dropped.list("records", records).into_iter().map(|Object(record)| record).collect();
        return if dropped.into_names().is_empty() {
            Ok(records)
        } else {
            Err("the body is not an array of objects")
        };
    }
    match serde_json::from_slice::<Field<Object<T>>>(body) {
        Ok(Field::Is(Object(record))) => Ok(vec![record]),
        Ok(_) => Err("the body is not a JSON object"),
        Err(_) => Err("the body is not JSON"),
    }
}

/// The record in an answer. `Err` for one about something else, `None` where there is no such record.
pub(crate) fn answered<T: DeserializeOwned>(answer: &Fetched) -> Result<Option<T>, Silence> {
    match answer.status {
        200..=299 => {
            let records =
                records(&answer.body).map_err(|reason| Silence::Malformed(format!("answer: {reason}")))?;
            Ok(records.into_iter().next())
        }
        404 | 410 => Ok(None),
        status => Err(Silence::Malformed(format!("the API answered {status}"))),
    }
}
