//! Chance makes customers and what they do, the same at every run.
#![allow(clippy::float_arithmetic, reason = "only what is drawn by chance is inexact")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the same")]

use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::{Consent, Suppression};
use canonical::{Instant, Profile};
use jiff::civil::{Date, date};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{DAY, HOUR, NOW};
use crate::random::Random;

/// For so long before [`NOW`] things have happened.
const HISTORY: i64 = 400 * DAY;

/// Metrics, and how many of a thousand events are theirs.
const METRICS: [(&str, u64); 15] = [
    ("Active on Site", 239),
    ("Viewed Product", 190),
    ("Received Email", 170),
    ("Opened Email", 85),
    ("Clicked Email", 25),
    ("Added to Cart", 60),
    ("Started Checkout", 35),
    ("Placed Order", 35),
    ("Ordered Product", 60),
    ("Fulfilled Order", 30),
    ("Cancelled Order", 4),
    ("Refunded Order", 6),
    ("Received SMS", 30),
    ("Clicked SMS", 6),
    ("Loyalty Points Earned", 25),
];
const CATEGORIES: [(&str, u64); 12] = [
    ("T-Shirts", 18),
    ("Shoes", 14),
    ("Denim", 12),
    ("Dresses", 11),
    ("Sale", 10),
    ("Coats", 8),
    ("Accessories", 7),
    ("Children", 6),
    ("Home", 5),
    ("Beauty", 4),
    ("Gifts", 3),
    ("Hats", 2),
];
const SOURCES: [(&str, u64); 6] = [
    ("shopify", 50),
    ("woocommerce", 20),
    ("lightspeed", 10),
    ("bigcommerce", 10),
    ("shopbase", 5),
    ("custom", 5),
];
const COUNTRIES: [(&str, u64); 8] = [
    ("United States", 46),
    ("United Kingdom", 13),
    ("Canada", 10),
    ("Australia", 8),
    ("Germany", 8),
    ("France", 7),
    ("Brazil", 5),
    ("Netherlands", 3),
];
const DOMAINS: [(&str, u64); 4] =
    [("gmail.example", 55), ("yahoo.example", 20), ("outlook.example", 15), ("firm.example", 10)];
const TIERS: [(Option<&str>, u64); 4] =
    [(None, 70), (Some("Bronze"), 18), (Some("Silver"), 9), (Some("Gold"), 3)];

/// Somebody.
#[derive(Clone, Debug)]
pub struct Person {
    email: Option<String>,
    email_consent: ConsentStatus,
    bounced: bool,
    phone: Option<String>,
    sms_consent: ConsentStatus,
    country: &'static str,
    birthday: Option<Date>,
    tier: Option<&'static str>,
    points: u64,
    newsletter: Option<bool>,
    vip: Option<bool>,
    /// When the profile was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// Something that happened. What it does not have is absent.
#[derive(Clone, Debug)]
pub struct Event {
    /// Counts the events: a second one with the same number is the same event.
    pub id: u64,
    /// To whom it happened: the place among the people.
    pub person: usize,
    /// Its metric's name, and its id here.
    pub metric: &'static str,
    /// When it happened, in milliseconds since 1970.
    pub occurred_ms: i64,
    /// When it was heard of, in milliseconds since 1970.
    pub ingested_ms: i64,
    value: Option<Decimal>,
    category: Option<&'static str>,
    source: &'static str,
    campaign: Option<u64>,
    code: Option<u64>,
    items: Option<u64>,
}

/// An event with its id and its properties as they are stored.
pub struct Record<'a> {
    event: &'a Event,
    id: String,
    properties: Map<String, Value>,
}

/// People and what happened to them until [`NOW`].
pub struct Workload {
    /// Everybody.
    pub people: Vec<Person>,
    /// In the order in which they were heard of.
    pub events: Vec<Event>,
    /// How active people are: of each, the sum up to and including theirs.
    activity: Vec<f64>,
    random: Random,
}

impl Workload {
    /// So many people, to whom so many things have happened.
    pub fn new(people: usize, events: usize) -> Self {
        let mut random = Random(7);
        let mut sum = 0.0;
        // Few people do most: Pareto's distribution.
        let mut active = || {
            sum += fraction(&mut random).powf(-1.0 / 1.3) - 0.85;
            sum
        };
        let activity = (0..people).map(|_| active()).collect();
        let people = (0..people).map(|place| Person::invent(place, &mut random)).collect();
        let mut workload = Self { people, events: Vec::with_capacity(events), activity, random };
        for _ in 0..events {
            // The shop grows: most of it happened lately.
            let age = fraction(&mut workload.random).powf(1.6);
            let occurred = NOW - scaled(HISTORY, age);
            let ingested = match workload.random.below(1000) {
                0..5 => occurred - scaled(6 * HOUR, fraction(&mut workload.random)),
                5..50 => occurred + scaled(3 * DAY, fraction(&mut workload.random)),
                _ => occurred + scaled(60_000, fraction(&mut workload.random)),
            };
            let event = workload.happening(occurred, ingested.min(NOW));
            let created = &mut workload.people[event.person].created_ms;
            *created = (*created).min(event.ingested_ms);
            workload.events.push(event);
        }
        workload.events.sort_by_key(|event| event.ingested_ms);
        for (id, event) in (0..).zip(&mut workload.events) {
            event.id = id;
        }
        workload
    }

    /// So many more events that are heard of between two instants, in that order: of a hundred, ten happened up to 200
    /// days before, and five will happen within five days. [`Self::events`] does not get them.
    pub fn further(&mut self, count: usize, from_ms: i64, until_ms: i64) -> Vec<Event> {
        let mut arrivals: Vec<i64> =
            (0..count).map(|_| from_ms + scaled(until_ms - from_ms, fraction(&mut self.random))).collect();
        arrivals.sort_unstable();
        let first = self.events.len() as u64;
        let arrivals = arrivals.into_iter().zip(first..);
        let events = arrivals.map(|(ingested, id)| {
            let occurred = match self.random.below(100) {
                0..10 => ingested - scaled(200 * DAY, fraction(&mut self.random)),
                10..15 => ingested + scaled(5 * DAY, fraction(&mut self.random)),
                _ => ingested - scaled(60_000, fraction(&mut self.random)),
            };
            Event { id, ..self.happening(occurred, ingested) }
        });
        events.collect()
    }

    /// Changes somebody: who it was, as chance wants it.
    pub fn change_somebody(&mut self) -> usize {
        let place = usize::try_from(self.random.below(self.people.len() as u64)).unwrap();
        let other = Person::invent(place, &mut self.random);
        let person = &mut self.people[place];
        *person = Person {
            created_ms: person.created_ms,
            country: person.country,
            birthday: person.birthday,
            ..other
        };
        place
    }

    fn happening(&mut self, occurred_ms: i64, ingested_ms: i64) -> Event {
        let random = &mut self.random;
        let drawn = fraction(random) * self.activity.last().copied().unwrap_or_default();
        let person = self.activity.partition_point(|sum| *sum < drawn);
        let metric = pick(&METRICS, random);
        let value = match metric {
            "Started Checkout" | "Placed Order" | "Fulfilled Order" | "Cancelled Order"
            | "Refunded Order" => Some(Decimal::new(amount(4000.0, random), 2)),
            "Ordered Product" => Some(Decimal::new(amount(1500.0, random), 2)),
            "Loyalty Points Earned" => Some(Decimal::from(5 + random.below(195))),
            _ => None,
        };
        let is_of_a_product = value.is_some() || matches!(metric, "Viewed Product" | "Added to Cart");
        let is_order = matches!(metric, "Placed Order" | "Ordered Product");
        Event {
            id: 0,
            person,
            metric,
            occurred_ms,
            ingested_ms,
            value,
            category: is_of_a_product.then(|| pick(&CATEGORIES, random)),
            source: pick(&SOURCES, random),
            campaign: (metric.ends_with("Email") || metric.ends_with("SMS")).then(|| 1 + random.below(399)),
            code: (is_order && random.below(100) < 22).then(|| 10 + random.below(30)),
            items: (value.is_some() && metric != "Ordered Product").then(|| 1 + random.below(6)),
        }
    }
}

impl Event {
    pub(super) const COLUMNS: &str = "id,profile,metric,occurred,value,category,source,campaign,code,items";

    pub(super) fn row(&self) -> String {
        format!(
            "{},{},{},{},{},{},{},{},{},{}",
            self.id,
            self.person,
            self.metric,
            self.occurred_ms,
            cell(self.value),
            cell(self.category),
            self.source,
            cell(self.campaign),
            cell(self.code.map(|code| format!("SPRING{code}"))),
            cell(self.items),
        )
    }

    /// As it is stored.
    pub fn record(&self) -> Record<'_> {
        let mut properties = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                properties.insert(name.to_owned(), value);
            }
        };
        add("category", self.category.map(Value::from));
        add("source", Some(Value::from(self.source)));
        add("campaign_id", self.campaign.map(Value::from));
        add("discount_code", self.code.map(|code| json!(format!("SPRING{code}"))));
        add("items", self.items.map(Value::from));
        Record { event: self, id: format!("{:026}", self.id), properties }
    }
}

impl Record<'_> {
    /// As the engine wants it.
    pub fn event(&self) -> segments::Event<'_> {
        segments::Event {
            id: &self.id,
            metric_id: self.event.metric,
            metric: self.event.metric,
            occurred_ms: self.event.occurred_ms,
            ingested_ms: self.event.ingested_ms,
            value: self.event.value,
            properties: &self.properties,
        }
    }
}

impl Person {
    pub(super) const COLUMNS: &str = "profile,email,email_consent,bounced,phone,sms_consent,country,birthday,tier,points,newsletter,vip,created";

    fn invent(place: usize, random: &mut Random) -> Self {
        use ConsentStatus::{NeverSubscribed, Subscribed, Unsubscribed};
        let has_email = random.below(100) < 96;
        let has_phone = random.below(100) < 40;
        let born = |random: &mut Random| {
            let days = i64::try_from(random.below(365 * 60)).unwrap();
            date(1950, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap()
        };
        Self {
            email: has_email.then(|| format!("p{place}@{}", pick(&DOMAINS, random))),
            email_consent: pick(&[(Subscribed, 58), (Unsubscribed, 12), (NeverSubscribed, 30)], random),
            bounced: random.below(100) < 2,
            phone: has_phone.then(|| format!("+1202555{:04}", place % 10_000)),
            sms_consent: pick(&[(Subscribed, 25), (Unsubscribed, 5), (NeverSubscribed, 70)], random),
            country: pick(&COUNTRIES, random),
            birthday: (random.below(100) < 35).then(|| born(random)),
            tier: pick(&TIERS, random),
            points: random.below(2000),
            newsletter: pick(&[(Some(true), 40), (Some(false), 40), (None, 20)], random),
            vip: pick(&[(Some(true), 5), (Some(false), 85), (None, 10)], random),
            created_ms: NOW - scaled(700 * DAY, fraction(random)),
        }
    }

    pub(super) fn row(&self, place: usize) -> String {
        format!(
            "{place},{},{},{},{},{},{},{},{},{},{},{},{}",
            cell(self.email.as_ref()),
            consent_name(self.email_consent),
            self.bounced,
            cell(self.phone.as_ref()),
            consent_name(self.sms_consent),
            self.country,
            cell(self.birthday),
            cell(self.tier),
            self.points,
            cell(self.newsletter),
            cell(self.vip),
            self.created_ms,
        )
    }

    /// As it is stored.
    pub fn profile(&self, place: usize) -> Profile {
        let created = Instant::from_millis(self.created_ms).unwrap();
        let mut profile = Profile::new(format!("{place:026}"), created);
        profile.email.clone_from(&self.email);
        profile.phone_number.clone_from(&self.phone);
        let properties = json!({
            "Birthday": self.birthday.map(|birthday| birthday.to_string()), "Tier": self.tier, "Points": self.points,
            "Newsletter": self.newsletter, "VIP": self.vip,
        });
        profile.attributes.insert("location".to_owned(), json!({"country": self.country}));
        profile.attributes.insert("properties".to_owned(), properties);
        let consent = |status| Consent { status, at: Some(created), ..Consent::default() };
        let mut email = consent(self.email_consent);
        if self.bounced {
            email.suppressions.push(Suppression { reason: "HARD_BOUNCE".to_owned(), at: created });
        }
        profile.consent.insert(Channel::Email, email);
        profile.consent.insert(Channel::Sms, consent(self.sms_consent));
        profile
    }
}

fn consent_name(status: ConsentStatus) -> &'static str {
    match status {
        ConsentStatus::Subscribed => "subscribed",
        ConsentStatus::Unsubscribed => "unsubscribed",
        ConsentStatus::NeverSubscribed => "never_subscribed",
    }
}

fn cell(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// One of several, by their weights.
fn pick<T: Copy>(weighted: &[(T, u64)], random: &mut Random) -> T {
    let mut left = random.below(weighted.iter().map(|(_, weight)| weight).sum());
    for (item, weight) in weighted {
        if left < *weight {
            return *item;
        }
        left -= weight;
    }
    unreachable!("less than the sum of all weights was drawn")
}

/// More than 0, at most 1.
fn fraction(random: &mut Random) -> f64 {
    (1 + random.below(1 << 53)) as f64 / (1_u64 << 53) as f64
}

fn scaled(range: i64, fraction: f64) -> i64 {
    (range as f64 * fraction) as i64
}

/// Hundredths: twice `mean` on average, seldom much more.
fn amount(mean: f64, random: &mut Random) -> i64 {
    (-mean * (fraction(random) * fraction(random)).ln()).round() as i64
}
