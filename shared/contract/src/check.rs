//! What the types cannot say: ids, bounds, and who may say what.

use std::collections::HashSet;

use canonical::fact::{CatalogItem, ConsentStatus, ErasureRequest, Line, OrderSnapshot};
use canonical::{Fact, Metric, Person};
use serde_json::{Map, Value};

use crate::body::Problem;

/// Most facts of one delivery.
pub const MAX_FACTS: usize = 500;
/// Most entries of a list: lines, refunds, variants, codes, values of a property.
pub const MAX_ITEMS: usize = 1000;
/// Most keys of an object of free form: properties, attributes, addresses.
pub const MAX_KEYS: usize = 400;
/// The longest text, in characters.
pub const MAX_TEXT_CHARS: usize = 100_000;
/// The longest id, in characters.
pub const MAX_ID_CHARS: usize = 255;
/// How deep a fact may be nested.
pub const MAX_DEPTH: usize = 16;

/// Metrics that a loyalty programme tells; all others follow from facts.
pub(crate) const LOYALTY: [Metric; 8] = [
    Metric::BirthdayRewardIssued,
    Metric::PointsEarned,
    Metric::PointsRedeemed,
    Metric::PointsExpiring,
    Metric::ReferralStarted,
    Metric::ReferralCompleted,
    Metric::RewardExpiring,
    Metric::VipTierAchieved,
];

/// What a connection allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// A delivery may have everything erased.
    pub(crate) shop_erasure: bool,
}

type Checked = Result<(), Problem>;

/// Lines without a quantity: read, they would look like none was bought.
pub(crate) fn quantities(record: &Map<String, Value>) -> Checked {
    let below = |name: &str| record.get(name).and_then(Value::as_object);
    let detail = below("detail").and_then(|detail| detail.get("lines"));
    let shipments = record.get("shipments").and_then(Value::as_array).into_iter().flatten().enumerate();
    let shipments = shipments.map(|(index, one)| (format!("shipments[{index}].lines"), one.get("lines")));
    let lists = [("detail.lines".to_owned(), detail), ("lines".to_owned(), record.get("lines"))];
    for (path, lines) in lists.into_iter().chain(shipments) {
        for (index, line) in lines.and_then(Value::as_array).into_iter().flatten().enumerate() {
            if line.is_object() && line.get("quantity").is_none() {
                return Err(Problem::new(format!("{path}[{index}]"), "missing field `quantity`"));
            }
        }
    }
    Ok(())
}

/// Checks a fact.
pub(crate) fn fact(fact: &Fact, rules: Rules) -> Checked {
    match fact {
        Fact::Order(order) => self::order(order)?,
        Fact::Checkout(checkout) => {
            id("checkout_id", &checkout.checkout_id)?;
            if checkout.started_at.or(checkout.updated_at).is_none() {
                return missing("started_at");
            }
            lines("lines", &checkout.lines)?;
            distinct("lines", checkout.lines.iter().map(|line| &line.line_id))?;
        }
        Fact::Cart(cart) => {
            id("cart_id", &cart.cart_id)?;
            if cart.updated_at.is_none() {
                return missing("updated_at");
            }
            lines("lines", &cart.lines)?;
        }
        Fact::ProductView(view) => {
            id("view_id", &view.view_id)?;
            somebody("person", &view.person)?;
        }
        Fact::Customer(customer) => somebody("person", &customer.person)?,
        Fact::Consent(change) => {
            somebody("person", &change.person)?;
            if change.status == ConsentStatus::NeverSubscribed {
                return Err(Problem::new("status", "expected a decision: SUBSCRIBED or UNSUBSCRIBED"));
            }
        }
        Fact::Loyalty(activity) => {
            id("activity_id", &activity.activity_id)?;
            somebody("person", &activity.person)?;
            if !LOYALTY.contains(&activity.metric) {
                return Err(Problem::new("metric", "expected a metric of a loyalty programme"));
            }
        }
        Fact::Catalog(item) => catalog(item)?,
        Fact::Erasure(ErasureRequest::Person { person, .. }) => somebody("person", person)?,
        Fact::Erasure(ErasureRequest::Shop) => {
            if !rules.shop_erasure {
                return Err(Problem::new("scope", "the connection does not allow the erasure of everything"));
            }
        }
        Fact::DataRequest(person) => somebody("", person)?,
        // A source cannot end its own connection: whoever may do that has the API.
        Fact::Disconnected { .. } => return Err(Problem::new("fact", "not for custom sources")),
    }
    bounds(fact)
}

fn order(order: &OrderSnapshot) -> Checked {
    id("order_id", &order.order_id)?;
    if let Some(detail) = &order.detail {
        lines("detail.lines", &detail.lines)?;
        distinct("detail.lines", detail.lines.iter().map(|line| &line.line_id))?;
    }
    for (index, shipment) in order.shipments.iter().enumerate() {
        id(&format!("shipments[{index}].shipment_id"), &shipment.shipment_id)?;
        lines(&format!("shipments[{index}].lines"), &shipment.lines)?;
    }
    for (index, refund) in order.refunds.iter().enumerate() {
        id(&format!("refunds[{index}].refund_id"), &refund.refund_id)?;
    }
    distinct("shipments", order.shipments.iter().map(|shipment| &shipment.shipment_id))?;
    distinct("refunds", order.refunds.iter().map(|refund| &refund.refund_id))
}

fn catalog(item: &CatalogItem) -> Checked {
    id("product_id", &item.product_id)?;
    for (index, variant) in item.variants.iter().enumerate() {
        id(&format!("variants[{index}].variant_id"), &variant.variant_id)?;
    }
    distinct("variants", item.variants.iter().map(|variant| &variant.variant_id))
}

fn lines(path: &str, lines: &[Line]) -> Checked {
    let mut lines = lines.iter().enumerate();
    lines.try_for_each(|(index, line)| id(&format!("{path}[{index}].line_id"), &line.line_id))
}

fn missing(field: &str) -> Checked {
    Err(Problem::new("", format!("missing field `{field}`")))
}

fn id(path: &str, id: &str) -> Checked {
    if id.trim().is_empty() {
        return Err(Problem::new(path, "missing or empty"));
    }
    if id.chars().count() > MAX_ID_CHARS {
        return Err(Problem::new(path, format!("longer than {MAX_ID_CHARS} characters")));
    }
    Ok(())
}

/// Of two with one id the second would be lost.
fn distinct<'a>(path: &str, ids: impl Iterator<Item = &'a String>) -> Checked {
    let mut seen = HashSet::new();
    for (index, id) in ids.enumerate() {
        if !seen.insert(id) {
            return Err(Problem::new(format!("{path}[{index}]"), "an id that was there before"));
        }
    }
    Ok(())
}

fn somebody(path: &str, person: &Person) -> Checked {
    let identifiers =
        [&person.external_id, &person.email, &person.phone, &person.anonymous_id, &person.customer_id];
    let named = identifiers.into_iter().flatten().any(|text| !text.trim().is_empty());
    if named {
        return Ok(());
    }
    Err(Problem::new(
        path,
        "nobody is named: email, phone, customer_id, external_id or anonymous_id is needed",
    ))
}

/// The fact's own JSON, without what nobody asked for, within the bounds.
fn bounds(fact: &Fact) -> Checked {
    let Ok(value) = serde_json::to_value(fact) else { return Err(Problem::new("", "cannot be written")) };
    within(&mut String::new(), &value, 0)
}

fn within(path: &mut String, value: &Value, depth: usize) -> Checked {
    let beyond = |path: &str, detail: String| Err(Problem::new(path, detail));
    if depth > MAX_DEPTH {
        return beyond(path, format!("nested deeper than {MAX_DEPTH}"));
    }
    match value {
        Value::String(text) if text.len() > MAX_TEXT_CHARS && text.chars().count() > MAX_TEXT_CHARS => {
            beyond(path, format!("longer than {MAX_TEXT_CHARS} characters"))
        }
        Value::Array(items) if items.len() > MAX_ITEMS => {
            beyond(path, format!("more than {MAX_ITEMS} entries"))
        }
        Value::Object(fields) if fields.len() > MAX_KEYS => {
            beyond(path, format!("more than {MAX_KEYS} keys"))
        }
        Value::Array(items) => {
            below(path, items.iter().enumerate().map(|(i, item)| (format!("[{i}]"), item)), depth)
        }
        Value::Object(fields) => below(path, fields.iter().map(|(name, field)| (named(name), field)), depth),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn below<'a>(path: &mut String, parts: impl Iterator<Item = (String, &'a Value)>, depth: usize) -> Checked {
    let length = path.len();
    for (step, part) in parts {
        if length == 0 {
            path.push_str(step.trim_start_matches('.'));
        } else {
            path.push_str(&step);
        }
        within(path, part, depth + 1)?;
        path.truncate(length);
    }
    Ok(())
}

/// A field's name as a step. Keys of free form may be anybody's words: only those of the contract's kind are repeated.
fn named(name: &str) -> String {
    let plain = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plain { format!(".{name}") } else { ".*".to_owned() }
}
