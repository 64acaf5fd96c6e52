#![doc = include_str!("../README.md")]

mod api;
mod cart;
mod catalog;
mod customer;
mod feed;
mod join;
mod line;
mod oauth;
mod order;
mod payload;
mod person;
mod status;
mod topic;

use canonical::{Fact, Instant, hash};
use jiff::{SignedDuration, Timestamp};
use platform::lenient::{self, Field, Object};
use platform::reading::{self, Reader, Reading, Silence};
use platform::signature::{Window, standard_webhooks, token};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Headers, Mapping, OAuth, Page, Period, Platform, Proof,
    Rejection, Request, Secrets, Unverified, Verdict,
};
use serde_json::{Value, json};

use crate::api::{Api, Session, is_number, is_word};
use crate::order::{About, Occasion};
use crate::payload::{Data, Envelope, Owner};
use crate::status::Status;
use crate::topic::Topic;

/// The header that hooks without an app carry their secret in.
const SECRET_HEADER: &str = "x-tillstream-secret";
/// BigCommerce repeats a delivery for 48 hours and 4 minutes. Whether a repetition is signed anew is not known.
const REPLAY_WINDOW_MINUTES: i64 = 3_000;

/// The adapter for BigCommerce.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bigcommerce;

impl Platform for Bigcommerce {
    fn name(&self) -> &'static str {
        "bigcommerce"
    }

    fn description(&self) -> Description {
        Description {
            title: "BigCommerce",
            settings: json!({
                "type": "object",
                "properties": {
                    "store_hash": {
                        "type": "string",
                        "title": "Store hash",
                        "description": "The part of the API path after /stores/. Deliveries of other stores are \
                                        ignored.",
                        "pattern": "^[A-Za-z0-9_-]{1,128}$",
                        "examples": ["abc123def4"]
                    },
                    "api_url": {
                        "type": "string",
                        "title": "API address",
                        "description": "Where the API is, without /stores/. Only for tests and proxies: the access \
                                        token is sent there.",
                        "default": "https://api.bigcommerce.com"
                    },
                    "replay_window_minutes": {
                        "type": "integer",
                        "title": "Replay window in minutes",
                        "description": "How old a signed delivery may be. The default lets BigCommerce's repetitions \
                                        through even if they keep their first time; 5 is what its documentation's \
                                        library allows.",
                        "minimum": 1,
                        "maximum": 10080,
                        "default": REPLAY_WINDOW_MINUTES
                    },
                    "secret_header": {
                        "type": "string",
                        "title": "Header of the shared secret",
                        "description": "For hooks made without an app: the header that carries the shared secret.",
                        "default": SECRET_HEADER
                    },
                    "storefront_url": {
                        "type": "string",
                        "title": "Storefront",
                        "description": "The shop's address, put in front of the products' paths.",
                        "examples": ["https://larch-and-linen.example"]
                    },
                    "cart_recovery_url": {
                        "type": "string",
                        "title": "Page that restores a cart",
                        "description": "The address of the shop's page for abandoned carts, with {token} where the \
                                        cart's token belongs. Without it BigCommerce is asked for a link, which works \
                                        once.",
                        "examples": ["https://larch-and-linen.example/recover?t={token}"]
                    },
                    "poll": {
                        "type": "boolean",
                        "title": "Look for lost orders",
                        "description": "Whether orders that changed are regularly asked for, so that none is missed \
                                        when deliveries are lost.",
                        "default": false
                    }
                },
                "required": ["store_hash"],
                "additionalProperties": false
            }),
            secrets: json!({
                "type": "object",
                "properties": {
                    "access_token": {
                        "type": "string",
                        "title": "Access token",
                        "description": "Of the API account or of the app's installation: deliveries name only ids, \
                                        everything else is asked for.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "client_id": {
                        "type": "string",
                        "title": "Client ID",
                        "description": "Of the app, for authorising it in the browser.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "client_secret": {
                        "type": "string",
                        "title": "Client secret",
                        "description": "Of the API account or app that made the hooks. BigCommerce signs with it.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "header_secret": {
                        "type": "string",
                        "title": "Shared secret",
                        "description": "Instead of the client secret: a text of your own that the hooks send in a \
                                        header. Counts only while there is no client secret.",
                        "minLength": 16,
                        "writeOnly": true
                    }
                },
                "required": ["access_token"],
                "additionalProperties": false
            }),
        }
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        connection: &Connection,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Verdict {
        let proof = match prove(request, &body, connection, secrets, now) {
            Ok(proof) => proof,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        // Genuine. From here on nothing is answered with an error: BigCommerce would repeat it for two days and
        // blocklist the whole domain when a tenth of all deliveries fails.
        let Ok(envelope) = lenient::object::<Envelope>(body.signed_bytes()) else {
            return Verdict::ignore("body_unreadable", None);
        };
        let Some(scope) = envelope.scope.ok() else { return Verdict::ignore("scope_missing", None) };
        match Topic::parse(&scope) {
            None => return Verdict::ignore("unknown_topic", Some(&scope)),
            Some(Topic::Nothing(reason)) => return Verdict::ignore(reason, Some(&scope)),
            Some(_) => {}
        }
        let producer = envelope.producer.ok();
        if is_foreign(producer.as_deref(), connection) {
            return Verdict::ignore("other_store", Some(&scope));
        }
        let named = request.headers.get("webhook-id").map(str::trim).filter(|id| !id.is_empty());
        let delivery_id = named.map_or_else(
            || {
                let hash = envelope.hash.ok();
                let content =
                    hash.unwrap_or_else(|| String::from_utf8_lossy(body.signed_bytes()).into_owned());
                hash::long_id(&[producer.as_deref().unwrap_or_default(), &scope, &content])
            },
            str::to_owned,
        );
        Verdict::Accept(body.accept(proof, scope, delivery_id, Headers::default()))
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, fetched: &[Fetched]) -> Mapping {
        let Some(topic) = Topic::parse(&delivery.topic) else { return Mapping::Ignore("unknown_topic") };
        let Some(api) = Api::of(connection) else {
            return Mapping::Malformed("the connection's settings name no store".to_owned());
        };
        let mut answers = join::travelled(delivery);
        answers.extend_from_slice(fetched);
        let mut session = Session::new(Reader::new(delivery, connection), api, &answers);
        let reading = read(topic, &mut session);
        reading::mapping(reading, session.reader.dropped)
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        feed::feeds(connection, period)
    }

    fn page(
        &self,
        connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        joined: &[Fetched],
    ) -> Result<Page, String> {
        feed::page(connection, feed, answer, joined)
    }

    fn oauth(&self, _connection: &Connection) -> Option<OAuth> {
        Some(oauth::oauth())
    }
}

/// The signature decides wherever there is a key to compute it with.
fn prove(
    request: &Request,
    body: &Unverified,
    connection: &Connection,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<Proof, Rejection> {
    let unsigned = secrets.valid("client_secret").next().is_none();
    if unsigned && secrets.valid("header_secret").next().is_some() {
        let header = connection.text("secret_header").unwrap_or(SECRET_HEADER);
        return token::verify(secrets.valid("header_secret"), request.headers.get(header));
    }
    let minutes = connection.settings.get("replay_window_minutes").and_then(Value::as_i64);
    let minutes = minutes.filter(|minutes| *minutes > 0).unwrap_or(REPLAY_WINDOW_MINUTES);
    let window = Window::new(now, SignedDuration::from_secs(minutes.saturating_mul(60)));
    standard_webhooks::verify(secrets.valid("client_secret"), body.signed_bytes(), &request.headers, window)
}

/// Whether a body names another store than the connection is for: one app serves many with one secret.
fn is_foreign(producer: Option<&str>, connection: &Connection) -> bool {
    match (producer, connection.text("store_hash")) {
        (Some(producer), Some(own)) => !is_own(producer, own),
        _ => false,
    }
}

fn is_own(producer: &str, store_hash: &str) -> bool {
    producer.trim_start_matches("stores/").eq_ignore_ascii_case(store_hash)
}

fn read(topic: Topic, session: &mut Session<'_>) -> Reading {
    let envelope: Envelope = lenient::object(&session.reader.delivery.body)?;
    let reader = &mut session.reader;
    let received_at = reader.received_at();
    let created_at = reader.dropped.take("created_at", envelope.created_at);
    let happened_at = created_at
        .and_then(|seconds| Instant::from_millis(seconds.as_i64()?.checked_mul(1000)?))
        .unwrap_or(received_at);
    let data = reader.dropped.take("data", envelope.data).map(|Object(data)| data).unwrap_or_default();
    match topic {
        Topic::Order => of_order(session, data, About::Order),
        Topic::Refund => of_order(session, data, About::Refund),
        Topic::Shipment => {
            let order_id = api::id(reader, "data.orderId", [data.order, data.order_id], is_number)?;
            order::order(session, &Occasion { order_id, previous: None, about: About::Shipment })
        }
        Topic::CartConverted => {
            if data.order == Field::Absent && data.order_id == Field::Absent {
                // A channel's scope names only the cart; the order names its cart too.
                return Err(Silence::Ignore("converted_without_order"));
            }
            let order_id = api::id(reader, "data.orderId", [data.order, data.order_id], is_number)?;
            order::order(session, &Occasion { order_id, previous: None, about: About::Order })
        }
        Topic::Cart => {
            let cart_id = api::id(reader, "data.id", [data.cart_id, data.id], is_word)?;
            cart::cart(session, &cart_id, happened_at)
        }
        Topic::CartLine => {
            let cart_id = api::id(reader, "data.cartId", [data.cart, data.cart_id], is_word)?;
            cart::cart(session, &cart_id, happened_at)
        }
        Topic::CartAbandoned => {
            let cart_id = api::id(reader, "data.id", [data.cart_id, data.id], is_word).ok();
            let token = api::id(reader, "data.token", [data.token], is_word).ok();
            cart::abandoned(session, cart_id, token.as_deref(), happened_at)
        }
        Topic::Customer => {
            let customer_id = api::id(reader, "data.id", [data.customer_id, data.id], is_number)?;
            customer::customer(session, &customer_id)
        }
        Topic::CustomerAddress => {
            let owner = owner(reader, [("data.address", data.address)]).customer_id;
            let customer_id =
                api::id(reader, "data.address.customer_id", [owner, data.customer_id], is_number)?;
            customer::customer(session, &customer_id)
        }
        Topic::CustomerDeleted => {
            let customer_id = api::id(reader, "data.id", [data.customer_id, data.id], is_number)?;
            Ok(vec![customer::deleted(customer_id, happened_at)])
        }
        Topic::Subscriber => {
            let subscriber_id = api::id(reader, "data.id", [data.id], is_number)?;
            customer::subscriber(session, &subscriber_id)
        }
        Topic::Product => {
            let product_id = api::id(reader, "data.id", [data.product_id, data.id], is_number)?;
            catalog::product(session, &product_id)
        }
        Topic::Sku => {
            let owner =
                owner(reader, [("data.sku", data.sku), ("data.inventory", data.inventory)]).product_id;
            let product_id = api::id(reader, "data.sku.product_id", [owner, data.product_id], is_number)?;
            catalog::product(session, &product_id)
        }
        Topic::ProductDeleted => {
            let product_id = api::id(reader, "data.id", [data.product_id, data.id], is_number)?;
            Ok(vec![catalog::deleted(product_id, happened_at)])
        }
        Topic::Uninstalled => {
            // Cannot be undone, so the body must say whose it is.
            let own = reader.connection.text("store_hash").unwrap_or_default();
            let producer = reader.dropped.take("producer", envelope.producer);
            if !producer.is_some_and(|producer| is_own(&producer, own)) {
                return Err(Silence::Ignore("store_missing"));
            }
            Ok(vec![Fact::Disconnected { at: Some(happened_at) }])
        }
        Topic::Nothing(reason) => Err(Silence::Ignore(reason)),
    }
}

fn of_order(session: &mut Session<'_>, data: Data, about: About) -> Reading {
    let reader = &mut session.reader;
    let order_id = api::id(reader, "data.id", [data.order_id, data.id], is_number)?;
    let change = reader.dropped.take("data.status", data.status);
    let previous =
        change.and_then(|Object(change)| reader.dropped.take("data.status", change.previous_status_id));
    let previous = previous.as_ref().and_then(Status::parse);
    order::order(session, &Occasion { order_id, previous, about })
}

/// The first of several places that say whose something is.
fn owner<const N: usize>(
    reader: &mut Reader<'_>,
    places: [(&'static str, Field<Object<Owner>>); N],
) -> Owner {
    let mut places = places.into_iter();
    let found = places.find_map(|(name, place)| reader.dropped.take(name, place));
    found.map(|Object(owner)| owner).unwrap_or_default()
}
