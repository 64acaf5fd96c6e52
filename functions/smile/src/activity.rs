//! What members do and get: each object of Smile's that is an event of its own.

use canonical::fact::LoyaltyActivity;
use canonical::money::{Decimal, decimal_from_json};
use canonical::{Fact, Instant, Metric, hash};
use platform::lenient::{self, Field, Id, Lenient, Object};
use platform::reading::{Reader, Reading, Silence};
use platform::{Connection, Fetched};
use serde_json::{Map, Value};

use crate::customer::{is_scalar, whose};
use crate::payload::{Body, Customer};
use crate::topic::Event;

type Data = Map<String, Value>;

/// What stands in descriptions of points for orders, of points that were spent, and in names of birthday rewards: free
/// texts that shops translate.
const EARNED: &[&str] = &["order"];
const REDEEMED: &[&str] = &["spent points", "redeemed", "reward"];
const BIRTHDAY: &[&str] = &["birthday"];

/// Points that came or went: earned on an order, or redeemed. Only their sign and their description tell.
pub(crate) fn transaction(reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    let body = body(reader)?;
    let metric =
        cause_of_points(reader.connection, &body.data).ok_or(Silence::Ignore("points_of_another_cause"))?;
    told(reader, fetched, metric, body)
}

/// What a points transaction is; `None` for a correction, a sign-up bonus, points that expired, …
pub(crate) fn cause_of_points(connection: &Connection, data: &Data) -> Option<Metric> {
    let change = data.get("points_change").and_then(decimal_from_json).unwrap_or_default();
    let says = |setting, default| mentions(connection, setting, default, data.get("description"));
    if change > Decimal::ZERO && says("earned_words", EARNED) {
        Some(Metric::PointsEarned)
    } else if change < Decimal::ZERO && !counts_purchases(connection) && says("redeemed_words", REDEEMED) {
        Some(Metric::PointsRedeemed)
    } else {
        None
    }
}

/// Points that were spent on a reward. The same is told by a points transaction, and nothing links the two.
pub(crate) fn purchase(reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    let body = body(reader)?;
    if !counts_purchases(reader.connection) {
        return Err(Silence::Ignore("told_by_points_transaction"));
    }
    told(reader, fetched, Metric::PointsRedeemed, body)
}

fn counts_purchases(connection: &Connection) -> bool {
    connection.text("redemptions") == Some("purchases")
}

/// Whether VIP Tier Achieved is told by pushed changes rather than by comparing customers.
pub(crate) fn counts_pushed_tiers(connection: &Connection) -> bool {
    connection.text("tier_changes") == Some("pushed")
}

/// A reward that somebody got: told if it is for a birthday.
pub(crate) fn fulfillment(reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    let body = body(reader)?;
    if !is_birthday_reward(reader.connection, &body.data) {
        return Err(Silence::Ignore("reward_of_another_cause"));
    }
    told(reader, fetched, Metric::BirthdayRewardIssued, body)
}

/// Whether a reward fulfilment was issued for a birthday: its name is all that can tell.
pub(crate) fn is_birthday_reward(connection: &Connection, data: &Data) -> bool {
    data.get("fulfillment_status").and_then(Value::as_str) == Some("issued")
        && mentions(connection, "birthday_words", BIRTHDAY, data.get("name"))
}

fn mentions(connection: &Connection, setting: &str, default: &[&str], text: Option<&Value>) -> bool {
    let Some(text) = text.and_then(Value::as_str).map(str::to_lowercase) else { return false };
    let words = connection.settings.get(setting).and_then(Value::as_array);
    match words {
        Some(words) => words
            .iter()
            .filter_map(Value::as_str)
            .filter(|word| !word.trim().is_empty())
            .any(|word| text.contains(&word.to_lowercase())),
        None => default.iter().any(|word| text.contains(word)),
    }
}

/// What somebody else pushed as an event.
pub(crate) fn event(reader: &mut Reader<'_>, fetched: &[Fetched], event: Event) -> Reading {
    let body = body(reader)?;
    if event == Event::TierAchieved && !counts_pushed_tiers(reader.connection) {
        return Err(Silence::Ignore("told_by_comparison"));
    }
    let metric = event.metric().unwrap_or_else(|| match body.data.get("sender_reward_fulfillment") {
        // The sender's reward comes with the friend's order.
        Some(Value::Object(_)) => Metric::ReferralCompleted,
        _ => Metric::ReferralStarted,
    });
    told(reader, fetched, metric, body)
}

struct Told {
    data: Data,
    customer: Field<Object<Customer>>,
    expiring_at: Option<Instant>,
}

fn body(reader: &mut Reader<'_>) -> Result<Told, Silence> {
    let body: Body<Data> = lenient::object(&reader.delivery.body)?;
    let data = reader.dropped.take("data", body.data).map(|Object(data)| data);
    let mut data = data.ok_or_else(|| Silence::Malformed("no usable data".to_owned()))?;
    for name in ["customer", "sender_customer", "receiver_customer"] {
        if let Some(Value::Object(customer)) = data.get_mut(name) {
            customer.shift_remove("date_of_birth");
        }
    }
    let expiring_at = reader.dropped.take("expiring_at", body.expiring_at);
    Ok(Told { data, customer: body.customer, expiring_at })
}

fn told(reader: &mut Reader<'_>, fetched: &[Fetched], metric: Metric, told: Told) -> Reading {
    let Told { data, customer, expiring_at } = told;
    let (customer, named) = concerned(metric, &data, customer);
    let person = whose(reader, named, customer, fetched)?;
    if person.email.is_none() && person.customer_id.is_none() {
        return Err(Silence::Ignore("nobody"));
    }
    let at = expiring_at.or_else(|| time(metric, &data)).unwrap_or_else(|| reader.received_at());
    let id = id(&data, "id").unwrap_or_else(|| {
        // Without an id of its own an event is what it says.
        hash::long_id(&[metric.name(), &Value::Object(data.clone()).to_string()])
    });
    let activity_id = match metric {
        // A reward whose end was put off expires again.
        Metric::RewardExpiring => {
            format!("{id}:{}", data.get("expires_at").and_then(Value::as_str).unwrap_or(""))
        }
        _ => id,
    };
    let mut properties: Data = data
        .iter()
        .filter(|(_, value)| is_scalar(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for (name, tier) in
        ["previous_vip_tier", "current_vip_tier"].iter().filter_map(|name| Some((name, data.get(*name)?)))
    {
        for key in ["id", "name"] {
            if let Some(value) = tier.get(key).filter(|value| is_scalar(value)) {
                properties.insert(format!("{name}_{key}"), value.clone());
            }
        }
    }
    properties.insert("$extra".to_owned(), Value::Object(data));
    let activity = LoyaltyActivity { activity_id, person, metric, at, properties, changes: None };
    Ok(vec![Fact::Loyalty(activity)])
}

/// Whom an event is about. A referral is started for the friend, who gets a reward then, and completed for the member,
/// who gets one for the friend's order.
fn concerned(
    metric: Metric,
    data: &Data,
    known: Field<Object<Customer>>,
) -> (Field<Object<Customer>>, Option<String>) {
    let inside = |name: &str| match data.get(name) {
        Some(customer @ Value::Object(_)) => serde_json::from_value(customer.clone()).unwrap_or_default(),
        _ => Field::Absent,
    };
    let first = |names: [&str; 2]| match inside(names[0]) {
        Field::Is(customer) => Field::Is(customer),
        Field::Absent | Field::Bad => inside(names[1]),
    };
    let friend = data.get("receiver_customer_email").and_then(Value::as_str);
    match metric {
        Metric::ReferralStarted => match (inside("receiver_customer"), friend) {
            (Field::Is(friend), _) => (Field::Is(friend), None),
            (_, Some(email)) => (addressed(email), None),
            _ => (inside("sender_customer"), None),
        },
        Metric::ReferralCompleted => (first(["sender_customer", "receiver_customer"]), None),
        _ => {
            let email = ["customer_email", "email"].iter().find_map(|name| data.get(*name)?.as_str());
            let customer = match (known, inside("customer"), email) {
                (Field::Is(known), _, _) | (_, Field::Is(known), _) => Field::Is(known),
                (_, _, Some(email)) => addressed(email),
                _ => Field::Absent,
            };
            (customer, id(data, "customer_id"))
        }
    }
}

fn addressed(email: &str) -> Field<Object<Customer>> {
    Field::Is(Object(Customer { email: Field::Is(email.to_owned()), ..Customer::default() }))
}

/// When it happened, as its object says.
fn time(metric: Metric, data: &Data) -> Option<Instant> {
    let at = |name: &str| data.get(name).and_then(Value::as_str).and_then(Instant::from_text);
    match metric {
        // The object was made when the referral began, or the reward was issued.
        Metric::ReferralCompleted => {
            at("completed_at").or_else(|| at("updated_at")).or_else(|| at("created_at"))
        }
        Metric::RewardExpiring | Metric::PointsExpiring => None,
        _ => at("created_at"),
    }
}

/// An id of an object, as text.
pub(crate) fn id(data: &Data, name: &str) -> Option<String> {
    match data.get(name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => {
            let Id(id) = Id::from_integer(number.as_i128()?)?;
            Some(id)
        }
        _ => None,
    }
}
