//! Customers: profile properties, and the VIP tier they reached.

use canonical::fact::{CustomerSnapshot, LoyaltyActivity, PropertyChange};
use canonical::money::{Decimal, decimal_to_json};
use canonical::{Fact, Instant, Metric, Person};
use platform::Fetched;
use platform::address::{set, set_object};
use platform::lenient::{self, Dropped, Field, Id, Object};
use platform::reading::{Reader, Reading, Silence};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access::{self, Api};
use crate::activity;
use crate::payload::{Body, Customer, VipStatus, VipTier};

const TIER_ID: &str = "Smile VIP Tier ID";
const TIER_MILESTONE: &str = "Smile VIP Tier Milestone";

/// `customer/updated`. Smile says no more of what is in it than that it is a customer, so it is asked for the customer
/// as it is now where it can be asked.
pub(crate) fn customer(reader: &mut Reader<'_>, fetched: &[Fetched]) -> Reading {
    let body: Body<Customer> = lenient::object(&reader.delivery.body)?;
    let Object(mut customer) = reader.dropped.take("data", body.data).unwrap_or_default();
    let id = reader.identity("id", std::mem::take(&mut customer.id))?;
    let mut tiers = Vec::new();
    if let Field::Is(Object(tier)) = body.vip_tier {
        tiers.push(tier);
    }
    let api =
        Api::of(reader.connection).filter(|_| access::is_asked(reader.connection) && access::is_id(&id));
    if let Some(api) = api.filter(|_| !body.polled.ok().unwrap_or_default()) {
        let [now, all] = fetched else { return Err(Silence::Fetch(vec![api.customer(&id), api.tiers()])) };
        customer = of_answer(now).unwrap_or(customer);
        tiers = tiers_of(all);
    }
    facts(reader, &id, customer, &tiers)
}

fn facts(reader: &mut Reader<'_>, id: &str, customer: Customer, tiers: &[VipTier]) -> Reading {
    let updated_at = reader.dropped.take("updated_at", customer.updated_at);
    let at = updated_at.unwrap_or_else(|| reader.received_at());
    let dropped = &mut reader.dropped;
    let tier = tier(dropped, customer.vip_tier_id, customer.vip_status, tiers);
    let mut person = Person { customer_id: Some(id.to_owned()), ..Person::default() };
    person.email = dropped.take("email", customer.email);
    if person.email.is_none() {
        return Err(Silence::Ignore("no_email"));
    }
    let compares = !activity::counts_pushed_tiers(reader.connection);
    let reached = tier.reached(&person, id, at).filter(|_| compares);

    let attributes = &mut person.attributes;
    set(attributes, "first_name", dropped.take("first_name", customer.first_name));
    set(attributes, "last_name", dropped.take("last_name", customer.last_name));
    let balance = dropped.take("points_balance", customer.points_balance);
    let properties = [
        ("Smile Points Balance", balance.map(decimal_to_json)),
        ("Smile Referral URL", dropped.take("referral_url", customer.referral_url).map(Value::String)),
        ("Smile State", dropped.take("state", customer.state).map(Value::String)),
    ];
    let properties = properties.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    set_object(attributes, "properties", properties.chain(tier.properties()).collect());
    let snapshot = Fact::Customer(CustomerSnapshot { person, updated_at: Some(at), deleted: false });
    Ok(reached.into_iter().chain([snapshot]).collect())
}

/// What is said of a customer's tier.
enum Tier {
    /// Nothing.
    Unsaid,
    /// That there is none.
    None,
    /// Which it is.
    Is { id: String, name: Option<String>, milestone: Option<Decimal>, status: Map<String, Value> },
}

fn tier(
    dropped: &mut Dropped,
    plain: Field<Id>,
    status: Field<Object<VipStatus>>,
    tiers: &[VipTier],
) -> Tier {
    let status = dropped.take("vip_status", status).map(|Object(status)| status);
    let is_said = status.is_some();
    let mut status = status.unwrap_or_default();
    let own = std::mem::take(&mut status.vip_tier).ok().map(|Object(tier)| tier);
    let id = dropped.take("vip_tier_id", status.vip_tier_id).or_else(|| dropped.take("vip_tier_id", plain));
    let Some(Id(id)) = id else { return if is_said { Tier::None } else { Tier::Unsaid } };
    let is = |tier: &&VipTier| tier.id.clone().ok().is_some_and(|Id(other)| other == id);
    let known = tiers.iter().find(is).cloned().or(own).unwrap_or_default();
    Tier::Is {
        id,
        name: dropped.take("name", known.name),
        milestone: dropped.take("milestone", known.milestone),
        status: status.rest,
    }
}

impl Tier {
    /// The profile's properties; null clears.
    fn properties(self) -> Map<String, Value> {
        let (id, name, milestone) = match self {
            Self::Unsaid => return Map::new(),
            Self::None => (Some(Value::Null), Some(Value::Null), Some(Value::Null)),
            Self::Is { id, name, milestone, .. } => {
                (Some(number(&id)), name.map(Value::String), milestone.map(decimal_to_json))
            }
        };
        let properties = [(TIER_ID, id), ("Smile VIP Tier Name", name), (TIER_MILESTONE, milestone)];
        properties.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }

    /// That the tier was reached, should the profile have had a lower one: only the comparison shows it. A tier whose
    /// milestone is not known is compared by its id.
    fn reached(&self, person: &Person, customer_id: &str, at: Instant) -> Option<Fact> {
        let Self::Is { id, name, milestone, status } = self else { return None };
        let changes = match milestone {
            Some(milestone) => PropertyChange {
                property: TIER_MILESTONE.to_owned(),
                value: decimal_to_json(*milestone),
                rising: true,
                // A tier whose milestone was moved is the same tier.
                unless: Some((TIER_ID.to_owned(), number(id))),
            },
            None => PropertyChange {
                property: TIER_ID.to_owned(),
                value: number(id),
                rising: false,
                unless: None,
            },
        };
        let mut tier = Map::from_iter([("id".to_owned(), number(id))]);
        set(&mut tier, "name", name.clone());
        let mut properties = Map::from_iter([("current_vip_tier_id".to_owned(), number(id))]);
        set(&mut properties, "current_vip_tier_name", name.clone());
        properties
            .extend(status.iter().filter(|(_, value)| is_scalar(value)).map(|(k, v)| (k.clone(), v.clone())));
        properties.insert("$extra".to_owned(), json!({ "current_vip_tier": tier }));
        Some(Fact::Loyalty(LoyaltyActivity {
            activity_id: format!("{customer_id}:{id}:{}", at.to_utc_string()),
            person: person.clone(),
            metric: Metric::VipTierAchieved,
            at,
            properties,
            changes: Some(changes),
        }))
    }
}

/// Whether segments can look at a value: null says nothing.
pub(crate) fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_))
}

/// An id as Smile writes it, a number.
pub(crate) fn number(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| id.into(), Value::from)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    customer: Field<Object<Customer>>,
    vip_tiers: lenient::Objects<VipTier>,
}

fn answer(fetched: &Fetched) -> Option<Answer> {
    (200..300).contains(&fetched.status).then(|| lenient::object(&fetched.body).ok()).flatten()
}

/// The customer of an answer; `None` if there is none any more.
pub(crate) fn of_answer(fetched: &Fetched) -> Option<Customer> {
    answer(fetched)?.customer.ok().map(|Object(customer)| customer)
}

fn tiers_of(fetched: &Fetched) -> Vec<VipTier> {
    let tiers = answer(fetched).unwrap_or_default().vip_tiers.ok().unwrap_or_default();
    tiers.into_iter().filter_map(Field::ok).map(|Object(tier)| tier).collect()
}

/// Whom an activity is about: with an address, if anything says it. Smile is asked where nothing does.
pub(crate) fn whose(
    reader: &mut Reader<'_>,
    named: Option<String>,
    known: Field<Object<Customer>>,
    fetched: &[Fetched],
) -> Result<Person, Silence> {
    let known = reader.dropped.take("customer", known).map(|Object(customer)| customer);
    let is_known = known.is_some();
    let known = known.unwrap_or_default();
    let customer_id = named.or_else(|| known.id.ok().map(|Id(id)| id));
    let mut person = Person { customer_id, ..Person::default() };
    person.email = reader.dropped.take("email", known.email);
    if person.email.is_some() || is_known && person.customer_id.is_none() {
        return Ok(person);
    }
    let Some(id) = person.customer_id.as_deref() else {
        return Err(Silence::Malformed("no usable customer_id".to_owned()));
    };
    let api = Api::of(reader.connection).filter(|_| access::is_asked(reader.connection) && access::is_id(id));
    if let Some(api) = api.filter(|_| !is_known) {
        let [now] = fetched else { return Err(Silence::Fetch(vec![api.member(id)])) };
        person.email = of_answer(now).and_then(|customer| customer.email.ok());
    }
    Ok(person)
}
