#![doc = include_str!("../README.md")]

mod api;
mod catalog;
mod customer;
mod description;
mod notice;
mod order;
mod payload;
mod person;
mod status;
mod store;
mod text;

use canonical::Fact;
use jiff::Timestamp;
use platform::lenient::Field;
use platform::reading::{self, Reader, Reading, Silence};
use platform::signature::token;
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Headers, Mapping, Page, Period, Platform, Request,
    Secrets, Span, Unverified, Verdict,
};
use serde::Deserialize;

use crate::notice::Subject;
use crate::store::Store;

/// Most records that one delivery may name; one is what Shift4Shop sends.
const MAX_RECORDS: usize = 20;

/// The adapter for Shift4Shop.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shift4shop;

impl Platform for Shift4shop {
    fn name(&self) -> &'static str {
        "shift4shop"
    }

    fn description(&self) -> Description {
        description::description()
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        _connection: &Connection,
        secrets: &Secrets,
        _now: Timestamp,
    ) -> Verdict {
        let presented = token::query_parameter(&request.query, "token");
        let proof = match token::verify(secrets.valid("webhook_token"), presented) {
            Ok(proof) => proof,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        // Before it saves a webhook, Shift4Shop asks its address with GET and wants 200.
        if request.method.eq_ignore_ascii_case("GET") || request.method.eq_ignore_ascii_case("HEAD") {
            return Verdict::Ignore { reason: "probe", topic: None, body: "ok".to_owned() };
        }
        // Nothing proves the body, so without the means to ask the store nothing can be said.
        if ["private_key", "api_token"].iter().any(|name| secrets.valid(name).next().is_none()) {
            return Verdict::ignore("not_confirmed", None);
        }
        let reduced = notice::reduce(body.signed_bytes());
        let thin = Unverified::new(reduced.body);
        Verdict::Accept(thin.accept(proof, reduced.topic.to_owned(), reduced.delivery_id, Headers::default()))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping {
        let mut reader = Reader::new(delivery, connection);
        let reading = read(&mut reader, fetched);
        reading::mapping(reading, reader.dropped)
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        if period.span == Span::Changes && !connection.flag("poll", false) {
            return Vec::new();
        }
        Store::of(connection).map(|store| api::feeds(&store, period)).unwrap_or_default()
    }

    fn page(
        &self,
        _connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        _joined: &[Fetched],
    ) -> Result<Page, String> {
        api::page(feed, answer)
    }
}

fn read(reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    let body = &reader.delivery.body;
    match reader.delivery.topic.as_str() {
        api::POLLED_ORDER => {
            let store = Store::of(reader.connection)?;
            let order = platform::lenient::object(body)?;
            order::order(reader, &store, order)
        }
        api::POLLED_CUSTOMER => {
            let facts = customer::customer(reader, platform::lenient::object(body)?)?;
            // That the box is ticked today says nothing about the day of the decision.
            Ok(facts.into_iter().filter(|fact| !matches!(fact, Fact::Consent(_))).collect())
        }
        api::POLLED_PRODUCT => {
            let store = Store::of(reader.connection)?;
            let product = platform::lenient::object(body)?;
            catalog::product(reader, &store, product)
        }
        notice::UNREADABLE => {
            let notice: Reduced = platform::lenient::object(body)?;
            Err(Silence::Malformed(
                notice.reason.ok().unwrap_or_else(|| "the body cannot be read".to_owned()),
            ))
        }
        topic => match Subject::of_topic(topic) {
            Some(subject) => noticed(reader, subject, fetched),
            None => Err(Silence::Ignore("unknown_topic")),
        },
    }
}

/// What [`notice::reduce`] left of a body.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reduced {
    ids: Field<Vec<Field<String>>>,
    reason: Field<String>,
}

/// Asks the store for the records that a notice names, and reads its answers.
fn noticed(reader: &mut Reader<'_>, subject: Subject, fetched: &[Fetched]) -> Reading {
    let store = Store::of(reader.connection)?;
    let notice: Reduced = platform::lenient::object(&reader.delivery.body)?;
    let ids = notice.ids.ok().unwrap_or_default().into_iter().filter_map(Field::ok);
    let ids: Vec<String> = ids.filter_map(|id| notice::real(platform::lenient::Id(id))).collect();
    if ids.is_empty() || ids.len() > MAX_RECORDS {
        return Err(Silence::Malformed("no records, or too many".to_owned()));
    }
    if fetched.len() < ids.len() {
        return Err(Silence::Fetch(ids.iter().map(|id| api::record(&store, subject, id)).collect()));
    }
    let mut facts = Vec::new();
    let mut silence = None;
    for (id, answer) in ids.into_iter().zip(fetched) {
        match answered(reader, &store, subject, id, answer) {
            Ok(more) => facts.extend(more),
            Err(Silence::Ignore(reason)) => silence = Some(reason),
            Err(other) => return Err(other),
        }
    }
    match silence {
        Some(reason) if facts.is_empty() => Err(Silence::Ignore(reason)),
        _ => Ok(facts),
    }
}

fn answered(
    reader: &mut Reader<'_>,
    store: &Store<'_>,
    subject: Subject,
    id: String,
    answer: &Fetched,
) -> Reading {
    let facts = match subject {
        Subject::Order => match notice::answered(answer)? {
            Some(order) => order::order(reader, store, order)?,
            None => return Err(Silence::Ignore("not_found")),
        },
        Subject::Customer => match notice::answered(answer)? {
            Some(customer) => customer::customer(reader, customer)?,
            None => return Err(Silence::Ignore("not_found")),
        },
        Subject::Product => match notice::answered(answer)? {
            Some(product) => catalog::product(reader, store, product)?,
            // Asked for and not there: removed.
            None => return Ok(vec![catalog::gone(reader, id)]),
        },
    };
    let asked_for = facts.iter().all(|fact| match fact {
        Fact::Order(order) => order.order_id == id,
        Fact::Checkout(checkout) => checkout.checkout_id == id,
        Fact::Customer(customer) => customer.person.customer_id.as_ref() == Some(&id),
        Fact::Catalog(item) => item.product_id == id,
        _ => true,
    });
    if asked_for {
        Ok(facts)
    } else {
        Err(Silence::Malformed("the answer is about another record".to_owned()))
    }
}
