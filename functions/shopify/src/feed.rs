//! Asking the REST Admin API, whose records are the bodies of webhooks: what changed, for lost deliveries, and what
//! was made in a period, for the history.
//! Source: <https://shopify.dev/docs/api/admin-rest/usage/pagination>.

use canonical::hash;
use platform::signature::token::query_parameter;
use platform::{Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde_json::{Map, Value, json};

use crate::api;

const CUSTOMERS: &str = "customers";
const ORDERS: &str = "orders";
const PRODUCTS: &str = "products";
/// Records on a page, the most that Shopify gives.
const LIMIT: usize = 250;
/// What nothing is read from, and what should not lie about.
const NOT_KEPT: [&str; 11] = [
    "browser_ip",
    "client_details",
    "payment_details",
    "token",
    "checkout_token",
    "cart_token",
    "order_status_url",
    "landing_site",
    "note",
    "note_attributes",
    "multipass_identifier",
];

/// Customers first, so that the orders find their buyers.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    let by = match period.span {
        Span::Changes if !connection.flag("poll", false) => return Vec::new(),
        Span::Changes => "updated_at",
        Span::History => "created_at",
    };
    // Whole seconds, as Shopify writes them. Both ends are included: the edge may come twice.
    let window = format!("limit={LIMIT}&{by}_min={:.0}&{by}_max={:.0}", period.since, period.until);
    let feed = |name: &'static str, filter: &str| {
        let request = api::get(connection, &format!("{name}.json?{filter}{window}"))?;
        Some(Feed { name, request })
    };
    [feed(CUSTOMERS, ""), feed(PRODUCTS, ""), feed(ORDERS, "status=any&")].into_iter().flatten().collect()
}

/// Reads a page.
pub(crate) fn page(connection: &Connection, feed: &Feed, answer: &Fetched) -> Result<Page, String> {
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    let body: Value =
        serde_json::from_slice(&answer.body).map_err(|_| "the answer is not JSON".to_owned())?;
    let Some(Value::Array(records)) = body.get(feed.name) else {
        return Err(format!("the answer has no {}", feed.name));
    };
    let records = records.iter().filter_map(Value::as_object).flat_map(|record| match feed.name {
        CUSTOMERS => customer(record.clone()),
        ORDERS => vec![order(record.clone())],
        _ => vec![self::record("products/update", record)],
    });
    let next = cursor(answer).map(|cursor| {
        // The cursor stands for the filters, which Shopify refuses beside it.
        let path = format!("{}.json?limit={LIMIT}&page_info={cursor}", feed.name);
        api::get(connection, &path).ok_or("the connection names no shop")
    });
    Ok(Page { records: records.collect(), next: next.transpose()?, ..Page::default() })
}

/// The place where the next page begins, from the header that links to it. Shopify's cursors name the last record,
/// so nothing is skipped when records change meanwhile. Of the address only this is taken.
fn cursor(answer: &Fetched) -> Option<String> {
    let next = answer.headers.get("link")?.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (address, _) = next.split_once('<')?.1.split_once('>')?;
    let cursor = query_parameter(address.split_once('?')?.1, "page_info")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=.".contains(&byte);
    (!cursor.is_empty() && cursor.bytes().all(plain)).then(|| cursor.to_owned())
}

fn order(mut order: Map<String, Value>) -> Record {
    order.retain(|name, _| !NOT_KEPT.contains(&name.as_str()));
    if let Some(Value::Object(customer)) = order.get_mut("customer") {
        strip(customer);
    }
    record("orders/updated", &order)
}

/// A customer's record, and what webhooks tell of a customer apart from it: tags and decisions.
fn customer(mut customer: Map<String, Value>) -> Vec<Record> {
    let text = |name: &str| customer.get(name).cloned().unwrap_or_default();
    let (id, tags) = (text("id"), text("tags"));
    let tags: Vec<&str> = tags.as_str().unwrap_or_default().split(',').map(str::trim).collect();
    let tags: Vec<&str> = tags.into_iter().filter(|tag| !tag.is_empty()).collect();
    let tags = (!tags.is_empty()).then(|| {
        object(
            &json!({ "customerId": id, "tags": tags, "occurredAt": text("updated_at") }),
            "customer.tags_added",
        )
    });
    let consent = |name: &str, address: &str, at: &str, topic: &'static str| {
        let consent = customer.get(name)?;
        // Without a time it is a state, and nobody knows whose decision.
        consent.get("consent_updated_at").and_then(Value::as_str)?;
        let decided =
            |state: &str| ["subscribed", "unsubscribed"].iter().any(|word| state.eq_ignore_ascii_case(word));
        consent.get("state").and_then(Value::as_str).filter(|state| decided(state))?;
        Some(object(&json!({ "customer_id": id, address: text(at), name: consent }), topic))
    };
    let email = consent(
        "email_marketing_consent",
        "email_address",
        "email",
        "customers_email_marketing_consent/update",
    );
    let sms = consent("sms_marketing_consent", "phone", "phone", "customers_marketing_consent/update");
    let parts = [tags, email, sms];
    strip(&mut customer);
    std::iter::once(record("customers/update", &customer)).chain(parts.into_iter().flatten()).collect()
}

/// Leaves what `customers/update` holds since API version 2025-01.
fn strip(customer: &mut Map<String, Value>) {
    let apart = ["tags", "email_marketing_consent", "sms_marketing_consent"];
    customer.retain(|name, _| !NOT_KEPT.contains(&name.as_str()) && !apart.contains(&name.as_str()));
}

fn object(body: &Value, topic: &str) -> Record {
    let body = body.as_object().cloned().unwrap_or_default();
    record(topic, &body)
}

/// A record as a delivery. Its id names its content.
fn record(topic: &str, body: &Map<String, Value>) -> Record {
    let body = serde_json::to_string(body).unwrap_or_default();
    Record {
        topic: topic.to_owned(),
        delivery_id: hash::long_id(&[topic, &body]),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}
