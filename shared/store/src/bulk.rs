//! Bulk imports of profiles: the rows that wait, what came of those that are done, and how far it all is.
//!
//! Everything expires by itself. Rows go as soon as they are done.

use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem};
use canonical::identity::IdentifierPatch;
use canonical::profile::PropertyPatch;
use canonical::{Instant, Person};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::table::{self, Item, from_json, item_text, number, text, to_json};
use crate::{Error, Job, Result, Store};

const BULK: &str = "bulk-import";
/// Chunks that are written at the same time: whoever sent them waits for an answer.
const CONCURRENCY: usize = 8;

/// A bulk import of profiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkImport {
    /// The id of its job, too.
    pub id: String,
    /// How many rows it has.
    pub total: u64,
    /// In how many chunks they are stored.
    pub chunks: u32,
    /// When it was asked for.
    pub created_at: Instant,
    /// From when on nothing is known of it any more.
    pub expires_at: Instant,
    /// The lists that its profiles are put on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<String>,
    /// When the very same request was first made, if it is a repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent_at: Option<Instant>,
    /// How far it is. Kept outside of the document.
    #[serde(skip)]
    pub progress: BulkProgress,
}

/// How far a bulk import is. Chunks are done one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkProgress {
    /// Chunks that are done.
    pub chunks_done: u32,
    /// Rows that were imported.
    pub completed: u64,
    /// Rows that were refused.
    pub failed: u64,
    /// When the first chunk was done.
    pub started_at: Option<Instant>,
    /// When the last one was.
    pub finished_at: Option<Instant>,
}

/// A row: a profile to be written, or why it cannot be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "nearly always the large one")]
pub enum BulkRow {
    /// A profile.
    Profile {
        /// Where it was.
        place: BulkPlace,
        /// The profile's id, if it was named by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Identifiers and attributes, normalised.
        person: Person,
        /// What to do with single custom properties.
        #[serde(default, skip_serializing_if = "PropertyPatch::is_empty")]
        patch: PropertyPatch,
        /// By which identifiers it shall be found, or not any more.
        #[serde(default, skip_serializing_if = "IdentifierPatch::is_empty")]
        identifiers: IdentifierPatch,
    },
    /// What could not be read.
    Refused(BulkError),
}

/// Where a row was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkPlace {
    /// A JSON pointer into the body.
    Pointer(String),
    /// A line of a file, from 1.
    Line(u64),
}

/// Why a row was refused. Holds nothing of the row's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkError {
    /// Where it was.
    pub place: BulkPlace,
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// What came of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkOutcome {
    /// The profiles of the rows that were imported, in their order.
    pub profiles: Vec<String>,
    /// Why the others were not.
    pub errors: Vec<BulkError>,
}

impl Store {
    /// Writes a bulk import with its rows, a chunk each, and its job. Nothing is to be seen of it before all of
    /// it is there.
    pub async fn create_bulk_import(
        &self,
        import: &BulkImport,
        chunks: &[Vec<BulkRow>],
        job: &Job,
    ) -> Result<()> {
        let items = chunks.iter().enumerate();
        let items = items.map(|(chunk, rows)| part(import, &format!("rows#{chunk:05}"), rows));
        let items: Vec<Item> = items.collect::<Result<_>>()?;
        let writes: Vec<_> = items.into_iter().map(|item| self.put(&self.orders, item, None)).collect();
        stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        let mut item = table::key(BULK, &import.id);
        item.insert("doc".to_owned(), text(to_json(import)?));
        item.insert("chunks_done".to_owned(), number(0));
        item.insert("expires".to_owned(), expiry(import));
        let put = Put::builder().table_name(&self.orders).set_item(Some(item)).build();
        let put = put.map_err(|error| Error::corrupt("transaction", error))?;
        let put = TransactWriteItem::builder().put(put).build();
        self.transact(vec![put, self.put_job(job)?]).await
    }

    /// When a request of this digest was first made within the time that imports are kept: now, if it is the first.
    pub async fn first_sent(&self, digest: &str, now: Instant, expires_at: Instant) -> Result<Instant> {
        let at = table::key(&format!("{BULK}-request#{digest}"), "sent");
        let request = self
            .client
            .update_item()
            .table_name(&self.orders)
            .set_key(Some(at.clone()))
            .update_expression(
                "SET sent = if_not_exists(sent, :now), expires = if_not_exists(expires, :expires)",
            )
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":expires", seconds(expires_at))
            .return_values(ReturnValue::AllNew);
        let answer = request.send().await.map_err(|error| Error::of(&error))?;
        let kept = answer.attributes.unwrap_or_default();
        let kept = |name: &str| -> Option<i64> { kept.get(name)?.as_n().ok()?.parse().ok() };
        // What has expired may lie there for some time.
        let is_over = kept("expires").is_none_or(|seconds| seconds <= now.as_millis().div_euclid(1000));
        if let Some(sent) = kept("sent").and_then(Instant::from_millis).filter(|_| !is_over) {
            return Ok(sent);
        }
        let mut item = at;
        item.insert("sent".to_owned(), number(now.as_millis()));
        item.insert("expires".to_owned(), seconds(expires_at));
        self.put(&self.orders, item, None).await?;
        Ok(now)
    }

    /// A bulk import.
    pub async fn bulk_import(&self, id: &str) -> Result<Option<BulkImport>> {
        let item = self.get(&self.orders, BULK, id).await?;
        item.as_ref().map(read).transpose()
    }

    /// All bulk imports that have not expired, in no order.
    pub async fn bulk_imports(&self) -> Result<Vec<BulkImport>> {
        let items = self.partition(&self.orders, BULK, "").await?;
        items.iter().map(read).collect()
    }

    /// The rows of a chunk; `None` once it is done.
    pub async fn bulk_rows(&self, id: &str, chunk: u32) -> Result<Option<Vec<BulkRow>>> {
        let item = self.get(&self.orders, &partition(id), &format!("rows#{chunk:05}")).await?;
        item.as_ref().map(document).transpose()
    }

    /// What came of the chunks that are done, in their order.
    pub async fn bulk_outcomes(&self, id: &str) -> Result<Vec<BulkOutcome>> {
        let items = self.partition(&self.orders, &partition(id), "outcome#").await?;
        items.iter().map(document).collect()
    }

    /// Notes what came of the next chunk, and forgets its rows. Counts it once, however often it is done.
    pub async fn finish_bulk_chunk(
        &self,
        import: &BulkImport,
        outcome: &BulkOutcome,
        now: Instant,
    ) -> Result<()> {
        let chunk = import.progress.chunks_done;
        self.put(&self.orders, part(import, &format!("outcome#{chunk:05}"), outcome)?, None).await?;
        let end = if chunk + 1 == import.chunks { ", ended = :now" } else { "" };
        let request = self
            .client
            .update_item()
            .table_name(&self.orders)
            .set_key(Some(table::key(BULK, &import.id)))
            .update_expression(format!(
                "SET chunks_done = :next, begun = if_not_exists(begun, :now){end} ADD imported :good, refused :bad"
            ))
            .condition_expression("chunks_done = :this")
            .expression_attribute_values(":this", number(chunk))
            .expression_attribute_values(":next", number(chunk + 1))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":good", number(outcome.profiles.len()))
            .expression_attribute_values(":bad", number(outcome.errors.len()));
        match request.send().await.map_err(|error| Error::of(&error)) {
            // Somebody else was faster with the same chunk.
            Ok(_) | Err(Error::Conflict) => {}
            Err(error) => return Err(error),
        }
        self.delete(&self.orders, &partition(&import.id), &format!("rows#{chunk:05}")).await
    }
}

fn partition(id: &str) -> String {
    format!("{BULK}#{id}")
}

fn expiry(import: &BulkImport) -> aws_sdk_dynamodb::types::AttributeValue {
    seconds(import.expires_at)
}

fn seconds(instant: Instant) -> aws_sdk_dynamodb::types::AttributeValue {
    number(instant.as_millis().div_euclid(1000))
}

fn part(import: &BulkImport, sort: &str, value: &impl Serialize) -> Result<Item> {
    let mut item = table::key(&partition(&import.id), sort);
    item.insert("doc".to_owned(), text(to_json(value)?));
    item.insert("expires".to_owned(), expiry(import));
    Ok(item)
}

fn document<T: serde::de::DeserializeOwned>(item: &Item) -> Result<T> {
    from_json(BULK, item_text(item, "doc").ok_or_else(|| Error::corrupt(BULK, "document missing"))?)
}

fn read(item: &Item) -> Result<BulkImport> {
    let count = |name: &str| -> Option<i64> { item.get(name)?.as_n().ok()?.parse().ok() };
    let total = |name: &str| count(name).and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    let progress = BulkProgress {
        chunks_done: count("chunks_done").and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
        completed: total("imported"),
        failed: total("refused"),
        started_at: count("begun").and_then(Instant::from_millis),
        finished_at: count("ended").and_then(Instant::from_millis),
    };
    Ok(BulkImport { progress, ..document(item)? })
}
