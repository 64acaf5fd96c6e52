//! How a connection fares: counters and the last of everything. Kept apart from the connection, for it changes with
//! every batch; what is lost of it with a container that ends is lost, so the counts are a lower bound.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use canonical::Instant;

use crate::table::{self, Item, item_text, number, text};
use crate::{Error, Result, Store};

const HEALTH: &str = "health";
/// Topics that are counted by name; of more, the rest is counted as [`OTHER`].
const MAX_TOPICS: usize = 50;
/// Stands for topics beyond the bound, and for those that are no plain words.
pub const OTHER: &str = "other";
const MAX_TOPIC: usize = 64;

/// What has happened since it was last noted, or since the connection was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// By outcome: `accepted`, `mapped`, `deferred`, `retried`, `dead_lettered`.
    pub counts: BTreeMap<String, u64>,
    /// Deliveries that were refused, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Deliveries of which nothing is kept, by topic.
    pub ignored: BTreeMap<String, u64>,
    /// When the last one was accepted.
    pub last_delivery_at: Option<Instant>,
    /// The last error: when, and its text.
    pub last_error: Option<(Instant, String)>,
    /// From acceptance to the end of the mapper's work, of the last one, in milliseconds.
    pub lag_ms: Option<i64>,
}

impl Health {
    /// Counts an outcome.
    pub fn count(&mut self, outcome: &str) {
        *self.counts.entry(outcome.to_owned()).or_default() += 1;
    }

    /// Counts a refusal.
    pub fn reject(&mut self, reason: &str) {
        *self.rejected.entry(reason.to_owned()).or_default() += 1;
    }

    /// Counts what nothing is kept of. A topic that is no plain word is somebody's joke.
    pub fn ignore(&mut self, topic: &str) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-:{}".contains(&byte);
        let is_plain = (1..=MAX_TOPIC).contains(&topic.len()) && topic.bytes().all(plain);
        let fits = self.ignored.contains_key(topic) || self.ignored.len() < MAX_TOPICS;
        let topic = if is_plain && fits { topic } else { OTHER };
        *self.ignored.entry(topic.to_owned()).or_default() += 1;
    }

    /// Notes an error; the text names no person and no content.
    pub fn fail(&mut self, at: Instant, text: &str) {
        self.last_error = Some((at, text.to_owned()));
    }

    /// Whether there is nothing to note.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Store {
    /// Adds to what is known of a connection.
    pub async fn note_health(&self, connection: &str, health: &Health) -> Result<()> {
        let mut update = Update::default();
        for (outcome, count) in &health.counts {
            update.add(&format!("n#{outcome}"), *count);
        }
        for (reason, count) in &health.rejected {
            update.add(&format!("r#{reason}"), *count);
        }
        if let Some(at) = health.last_delivery_at {
            update.set("last_delivery_at", text(at.to_utc_string()));
        }
        if let Some((at, error)) = &health.last_error {
            update.set("last_error_at", text(at.to_utc_string()));
            update.set("last_error", text(error));
        }
        if let Some(lag_ms) = health.lag_ms {
            update.set("lag_ms", number(lag_ms));
        }
        if !update.is_empty() {
            self.update_health(connection, update).await?;
        }
        for (topic, count) in &health.ignored {
            let mut update = Update::default();
            update.add(&format!("i#{topic}"), *count);
            update.admit(topic);
            match self.update_health(connection, update).await {
                Err(Error::Conflict) => {
                    let mut update = Update::default();
                    update.add(&format!("i#{OTHER}"), *count);
                    self.update_health(connection, update).await?;
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// What is known of a connection.
    pub async fn health(&self, connection: &str) -> Result<Health> {
        let item = self.get(&self.registry, HEALTH, connection).await?;
        Ok(item.map(|item| read(&item)).unwrap_or_default())
    }

    /// Forgets the last error: what caused it has been put right.
    pub async fn forget_error(&self, connection: &str) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(HEALTH, connection)))
            .update_expression("REMOVE last_error, last_error_at");
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    pub(crate) async fn delete_health(&self, connection: &str) -> Result<()> {
        self.delete(&self.registry, HEALTH, connection).await
    }

    async fn update_health(&self, connection: &str, update: Update) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(HEALTH, connection)))
            .update_expression(update.expression())
            .set_expression_attribute_names(Some(update.names.clone().into_iter().collect()))
            .set_expression_attribute_values(Some(update.values.clone().into_iter().collect()))
            .set_condition_expression(update.condition);
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }
}

#[derive(Default)]
struct Update {
    sets: Vec<String>,
    adds: Vec<String>,
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
    condition: Option<String>,
}

impl Update {
    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn bind(&mut self, name: &str, value: AttributeValue) -> (String, String) {
        let index = self.names.len();
        let bound = (format!("#n{index}"), format!(":v{index}"));
        self.names.insert(bound.0.clone(), name.to_owned());
        self.values.insert(bound.1.clone(), value);
        bound
    }

    fn set(&mut self, name: &str, value: AttributeValue) {
        let (name, value) = self.bind(name, value);
        self.sets.push(format!("{name} = {value}"));
    }

    fn add(&mut self, name: &str, count: u64) {
        let (name, value) = self.bind(name, number(count));
        self.adds.push(format!("{name} {value}"));
    }

    /// Only if the topic is counted by name already, or may be from now on.
    fn admit(&mut self, topic: &str) {
        let (name, value) = self.bind("topics", AttributeValue::Ss(vec![topic.to_owned()]));
        self.adds.push(format!("{name} {value}"));
        self.values.insert(":topic".to_owned(), text(topic));
        self.values.insert(":max".to_owned(), number(MAX_TOPICS));
        self.condition =
            Some(format!("attribute_not_exists({name}) OR contains({name}, :topic) OR size({name}) < :max"));
    }

    fn expression(&self) -> String {
        let clause = |verb: &str, parts: &[String]| match parts {
            [] => String::new(),
            parts => format!("{verb} {} ", parts.join(", ")),
        };
        clause("SET", &self.sets) + &clause("ADD", &self.adds)
    }
}

fn read(item: &Item) -> Health {
    let mut health = Health::default();
    for (name, value) in item {
        let Some(count) = value.as_n().ok().and_then(|count| count.parse().ok()) else { continue };
        match name.split_once('#') {
            Some(("n", outcome)) => health.counts.insert(outcome.to_owned(), count),
            Some(("r", reason)) => health.rejected.insert(reason.to_owned(), count),
            Some(("i", topic)) => health.ignored.insert(topic.to_owned(), count),
            _ => None,
        };
    }
    let time = |name| item_text(item, name).and_then(|text| text.parse().ok());
    health.last_delivery_at = time("last_delivery_at");
    let error = item_text(item, "last_error").map(str::to_owned);
    health.last_error = time("last_error_at").zip(error);
    let lag = item.get("lag_ms").and_then(|value| value.as_n().ok());
    health.lag_ms = lag.and_then(|lag| lag.parse().ok());
    health
}
