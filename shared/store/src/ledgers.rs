//! Ledgers of orders, checkouts and carts, and the events that wait in them for a person.

use canonical::Event;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::table::{self, Unless, from_json, item_text, number, text, to_json};
use crate::{Error, Result, Store};

const LEDGER: &str = "ledger";

/// What a ledger is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectKey {
    /// The connection's id.
    pub connection: String,
    /// `order`, `checkout` or `cart`.
    pub kind: &'static str,
    /// The platform's id.
    pub id: String,
}

impl SubjectKey {
    fn partition(&self) -> String {
        format!("{}#{}#{}", self.connection, self.kind, self.id)
    }
}

/// A ledger, whose history it belongs to, and the events that wait for that to be known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject<L> {
    /// What was told.
    pub ledger: L,
    /// Whose it is, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<String>,
    /// Told, but nobody's yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parked: Vec<Event>,
    /// The item's version; 0 if there is none.
    #[serde(skip)]
    pub version: u64,
}

impl Store {
    /// A ledger; an empty one if there is none.
    pub async fn subject<L: DeserializeOwned + Default>(&self, key: &SubjectKey) -> Result<Subject<L>> {
        let Some(item) = self.get(&self.orders, &key.partition(), LEDGER).await? else {
            return Ok(Subject::default());
        };
        let document = item_text(&item, "doc").ok_or_else(|| Error::corrupt(LEDGER, "document missing"))?;
        let subject: Subject<L> = from_json(LEDGER, document)?;
        let version = item.get("v").and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok());
        Ok(Subject { version: version.ok_or_else(|| Error::corrupt(LEDGER, "version missing"))?, ..subject })
    }

    /// Writes a ledger over the version it was read from; [`Error::Conflict`] if somebody else was faster. With
    /// `expires_at_s`, the item is removed some time after that instant (seconds since 1970).
    pub async fn put_subject<L: Serialize>(
        &self,
        key: &SubjectKey,
        subject: &Subject<L>,
        expires_at_s: Option<i64>,
    ) -> Result<()> {
        let mut item = table::key(&key.partition(), LEDGER);
        item.insert("v".to_owned(), number(subject.version + 1));
        item.insert("doc".to_owned(), text(to_json(subject)?));
        if let Some(expires) = expires_at_s {
            item.insert("expires".to_owned(), number(expires));
        }
        let unless =
            if subject.version == 0 { Unless::Exists } else { Unless::VersionIsNot(subject.version) };
        self.put(&self.orders, item, Some(unless)).await
    }

    /// Drops the events that wait in a ledger: they hold personal data of somebody who is erased.
    pub async fn forget_parked(&self, key: &SubjectKey) -> Result<()> {
        let subject: Subject<serde_json::Map<String, serde_json::Value>> = self.subject(key).await?;
        if subject.parked.is_empty() {
            return Ok(());
        }
        self.put_subject(key, &Subject { parked: Vec::new(), ..subject }, None).await
    }

    /// Notes that a ledger waits for a customer of the platform to be identified.
    pub async fn park(&self, customer_id: &str, key: &SubjectKey) -> Result<()> {
        let mut item = table::key(
            &customer_partition(&key.connection, customer_id),
            &format!("{}#{}", key.kind, key.id),
        );
        item.insert("kind".to_owned(), text(key.kind));
        item.insert("id".to_owned(), text(&key.id));
        self.put(&self.orders, item, None).await
    }

    /// Ledgers that wait for a customer of the platform.
    pub async fn parked(&self, connection: &str, customer_id: &str) -> Result<Vec<SubjectKey>> {
        let items = self.partition(&self.orders, &customer_partition(connection, customer_id), "").await?;
        let read = |item: &table::Item| {
            let kind = ["order", "checkout", "cart"]
                .into_iter()
                .find(|kind| item_text(item, "kind") == Some(kind))?;
            Some(SubjectKey {
                connection: connection.to_owned(),
                kind,
                id: item_text(item, "id")?.to_owned(),
            })
        };
        Ok(items.iter().filter_map(read).collect())
    }

    /// Removes the note of [`Store::park`].
    pub async fn unpark(&self, customer_id: &str, key: &SubjectKey) -> Result<()> {
        let partition = customer_partition(&key.connection, customer_id);
        self.delete(&self.orders, &partition, &format!("{}#{}", key.kind, key.id)).await
    }
}

fn customer_partition(connection: &str, customer_id: &str) -> String {
    format!("{connection}#customer#{customer_id}")
}
