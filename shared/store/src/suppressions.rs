//! Jobs that suppress or unsuppress the members of a list or a segment, or whoever was named: what is to be told of
//! them. They expire by themselves.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use canonical::Instant;
use serde::{Deserialize, Serialize};

use crate::table::{self, Item, from_json, item_text, number, text, to_json};
use crate::{Error, Job, Result, Store};

const SUPPRESSION: &str = "suppression-job";

/// A job that suppresses, or takes that back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionJob {
    /// The id of its job, too, if it has one.
    pub id: String,
    /// Whether it suppresses; else it takes that back.
    pub suppresses: bool,
    /// Whom; those who were named are done with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<SuppressedGroup>,
    /// How many there were when it was asked for.
    pub total: u64,
    /// When it was asked for.
    pub created_at: Instant,
    /// From when on nothing is known of it any more.
    pub expires_at: Instant,
    /// How far it is. Kept outside of the document.
    #[serde(skip)]
    pub progress: SuppressionProgress,
}

/// Whose members are suppressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressedGroup {
    /// Those on a list.
    List(String),
    /// Those in a segment.
    Segment(String),
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuppressionProgress {
    /// Profiles that were changed.
    pub changed: u64,
    /// Profiles with which there was nothing to do.
    pub skipped: u64,
    /// Up to where it is, among the members.
    pub place: Option<String>,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// Its list or segment was gone before it was done.
    pub cancelled: bool,
}

impl Store {
    /// Writes a new one, with the job that does it, if there is still something to do.
    pub async fn create_suppression_job(&self, record: &SuppressionJob, job: Option<&Job>) -> Result<()> {
        let SuppressionProgress { changed, skipped, ended_at, .. } = &record.progress;
        let mut item = table::key(SUPPRESSION, &record.id);
        item.insert("doc".to_owned(), text(to_json(record)?));
        item.insert("expires".to_owned(), number(record.expires_at.as_millis().div_euclid(1000)));
        item.insert("changed".to_owned(), number(changed));
        item.insert("skipped".to_owned(), number(skipped));
        if let Some(at) = ended_at {
            item.insert("ended".to_owned(), number(at.as_millis()));
        }
        let put = Put::builder().table_name(&self.orders).set_item(Some(item)).build();
        let put = put.map_err(|error| Error::corrupt("transaction", error))?;
        let mut writes = vec![TransactWriteItem::builder().put(put).build()];
        if let Some(job) = job {
            writes.push(self.put_job(job)?);
        }
        self.transact(writes).await
    }

    /// One of them.
    pub async fn suppression_job(&self, id: &str) -> Result<Option<SuppressionJob>> {
        let item = self.get(&self.orders, SUPPRESSION, id).await?;
        item.as_ref().map(read).transpose()
    }

    /// All that have not expired, in no order.
    pub async fn suppression_jobs(&self) -> Result<Vec<SuppressionJob>> {
        let items = self.partition(&self.orders, SUPPRESSION, "").await?;
        items.iter().map(read).collect()
    }

    /// Notes what came of a chunk of members. It counts once: `record` is as it was before the chunk, and somebody who
    /// was faster with the same chunk has moved it on.
    pub async fn note_suppressed(
        &self,
        record: &SuppressionJob,
        (changed, skipped): (u64, u64),
        to: Option<&str>,
        now: Instant,
    ) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.orders)
            .set_key(Some(table::key(SUPPRESSION, &record.id)))
            .expression_attribute_values(":changed", number(changed))
            .expression_attribute_values(":skipped", number(skipped));
        let request = match to {
            Some(to) => request
                .update_expression("SET place = :to ADD changed :changed, skipped :skipped")
                .expression_attribute_values(":to", text(to)),
            None => request
                .update_expression("SET ended = :now ADD changed :changed, skipped :skipped")
                .expression_attribute_values(":now", number(now.as_millis())),
        };
        let unended = "attribute_exists(pk) AND attribute_not_exists(ended)";
        let request = match &record.progress.place {
            Some(place) => request
                .condition_expression(format!("{unended} AND place = :from"))
                .expression_attribute_values(":from", text(place.as_str())),
            None => request.condition_expression(format!("{unended} AND attribute_not_exists(place)")),
        };
        done(request.send().await.map_err(|error| Error::of(&error)))
    }

    /// Notes that its list or segment is gone.
    pub async fn cancel_suppression(&self, id: &str, now: Instant) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.orders)
            .set_key(Some(table::key(SUPPRESSION, id)))
            .update_expression("SET ended = :now, cancelled = :yes")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(ended)")
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":yes", aws_sdk_dynamodb::types::AttributeValue::Bool(true));
        done(request.send().await.map_err(|error| Error::of(&error)))
    }
}

/// Somebody who was faster is no failure.
fn done<T>(outcome: Result<T>) -> Result<()> {
    match outcome {
        Ok(_) | Err(Error::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

fn read(item: &Item) -> Result<SuppressionJob> {
    let count = |name: &str| -> Option<i64> { item.get(name)?.as_n().ok()?.parse().ok() };
    let total = |name: &str| count(name).and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    let doc = item_text(item, "doc").ok_or_else(|| Error::corrupt(SUPPRESSION, "document missing"))?;
    let progress = SuppressionProgress {
        changed: total("changed"),
        skipped: total("skipped"),
        place: item_text(item, "place").map(str::to_owned),
        ended_at: count("ended").and_then(Instant::from_millis),
        cancelled: item.get("cancelled").and_then(|value| value.as_bool().ok()).copied().unwrap_or_default(),
    };
    Ok(SuppressionJob { progress, ..from_json(SUPPRESSION, doc)? })
}
