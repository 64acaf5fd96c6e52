//! Historical imports: what a connection's platform knew before it was connected.

use canonical::Instant;
use serde::{Deserialize, Serialize};

use crate::table::{self, Item, Unless, from_json, item_text, number, text, to_json};
use crate::{Error, Result, Store, Tally};

const IMPORT: &str = "import";

/// One import, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Its id.
    pub id: String,
    /// The connection.
    pub connection: String,
    /// What was made from here on,
    pub since: Instant,
    /// up to here.
    pub until: Instant,
    /// When it was asked for.
    pub created_at: Instant,
    /// Where it stands.
    pub status: ImportStatus,
    /// All that was made before this is in the queue; in milliseconds since 1970.
    pub cursor_ms: i64,
    /// How wide the next window may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<i64>,
    /// When it may go on.
    #[serde(default)]
    pub next_ms: i64,
    /// What was read.
    #[serde(flatten)]
    pub tally: Tally,
    /// For how long it was worked on.
    #[serde(default)]
    pub worked_ms: i64,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Instant>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Instant>,
    /// Since when it does not get on, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<(Instant, String)>,
    /// The item's version.
    #[serde(skip)]
    pub(crate) version: u64,
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportStatus {
    /// Nobody has begun.
    Queued,
    /// It is worked on, or waits for its turn.
    Running,
    /// All is in the queue.
    Complete,
    /// Given up.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl Import {
    /// A new one.
    pub fn new(id: String, connection: String, [since, until]: [Instant; 2], now: Instant) -> Self {
        Self {
            id,
            connection,
            since,
            until,
            created_at: now,
            status: ImportStatus::Queued,
            cursor_ms: since.as_millis(),
            window_ms: None,
            next_ms: 0,
            tally: Tally::default(),
            worked_ms: 0,
            started_at: None,
            finished_at: None,
            failing: None,
            version: 0,
        }
    }

    /// Whether there is something left to do.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.status, ImportStatus::Queued | ImportStatus::Running)
    }

    /// How much of the period is done, in percent.
    pub fn percent(&self) -> i64 {
        let (since_ms, until_ms) = (self.since.as_millis(), self.until.as_millis());
        let done_ms = self.cursor_ms.saturating_sub(since_ms).max(0);
        match self.status {
            ImportStatus::Complete => 100,
            _ => done_ms.saturating_mul(100) / (until_ms - since_ms).max(1),
        }
    }
}

impl Store {
    /// Writes a new import.
    pub async fn create_import(&self, import: &Import) -> Result<()> {
        self.put(&self.registry, item(import)?, Some(Unless::Exists)).await
    }

    /// Writes what has become of an import; [`Error::Conflict`] if somebody else wrote first.
    pub async fn update_import(&self, import: &mut Import) -> Result<()> {
        let before = import.version;
        import.version += 1;
        let written = self.put(&self.registry, item(import)?, Some(Unless::VersionIsNot(before))).await;
        if written.is_err() {
            import.version = before;
        }
        written
    }

    /// An import.
    pub async fn import(&self, id: &str) -> Result<Option<Import>> {
        let item = self.get(&self.registry, IMPORT, id).await?;
        item.as_ref().map(read).transpose()
    }

    /// All imports, oldest first.
    pub async fn imports(&self) -> Result<Vec<Import>> {
        let items = self.partition(&self.registry, IMPORT, "").await?;
        let mut imports: Vec<Import> = items.iter().map(read).collect::<Result<_>>()?;
        imports.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        Ok(imports)
    }

    pub(crate) async fn delete_imports(&self, connection: &str) -> Result<()> {
        for import in self.imports().await?.iter().filter(|import| import.connection == connection) {
            self.delete(&self.registry, IMPORT, &import.id).await?;
        }
        Ok(())
    }
}

fn item(import: &Import) -> Result<Item> {
    let mut item = table::key(IMPORT, &import.id);
    item.insert("doc".to_owned(), text(to_json(import)?));
    item.insert("v".to_owned(), number(import.version));
    Ok(item)
}

fn read(item: &Item) -> Result<Import> {
    let doc = item_text(item, "doc").ok_or_else(|| Error::corrupt(IMPORT, "document missing"))?;
    let version = item.get("v").and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default();
    Ok(Import { version, ..from_json(IMPORT, doc)? })
}
