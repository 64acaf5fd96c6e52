//! Changes of many records of the catalog at once: a job, and a row for each record. What a row does and that it is done
//! are written together, so it is done once, however often it is tried. Everything expires by itself.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem, Update};
use canonical::Instant;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::ATTEMPTS;
use crate::page::Listing;
use crate::registry::{document_item, item_number, read_document};
use crate::table::{self, Item, from_json, number, text, to_json};
use crate::{CatalogKind, CatalogPlace, CatalogRecord, Cursor, Error, Job, Page, Result, Store};

/// Rows that are written at the same time: whoever sent them waits for an answer.
const CONCURRENCY: usize = 8;

/// What is done to records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogAction {
    /// They are made.
    Create,
    /// They are changed.
    Update,
    /// They are removed.
    Delete,
}

/// A change of many records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogJob {
    /// The id of its job, too. In the order of creation.
    pub id: String,
    /// What the records are.
    pub of: CatalogKind,
    /// What is done to them.
    pub action: CatalogAction,
    /// How many rows it has.
    pub total: u64,
    /// External ids of the records, as far as they could be read.
    pub external_ids: Vec<String>,
    /// When it was asked for.
    pub created_at: Instant,
    /// From when on nothing is known of it any more.
    pub expires_at: Instant,
    /// How far it is. Kept outside of the document.
    #[serde(skip)]
    pub progress: CatalogProgress,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogProgress {
    /// Rows that were done.
    pub completed: u64,
    /// Rows that were not.
    pub failed: u64,
    /// Why not.
    pub errors: Vec<CatalogError>,
    /// When the last row was done.
    pub ended_at: Option<Instant>,
}

/// Why a row was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogError {
    /// Where in the body.
    pub pointer: String,
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// A row: what is to be done to one record, or why nothing can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "nearly always the large one")]
pub enum CatalogRow {
    /// A record is made.
    Create {
        /// Where the row was.
        pointer: String,
        /// The record, without its item.
        record: CatalogRecord,
        /// External id of its item.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<String>,
        /// External ids of what it is in relation to.
        related: Vec<String>,
    },
    /// A record is changed.
    Update {
        /// Where the row was.
        pointer: String,
        /// Its external id.
        external_id: String,
        /// The attributes that change.
        attributes: Map<String, Value>,
        /// External ids of all that it is to be in relation to, if that changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        related: Option<Vec<String>>,
    },
    /// A record is removed.
    Delete {
        /// Where the row was.
        pointer: String,
        /// Its external id.
        external_id: String,
    },
    /// Nothing can be done.
    Refused(CatalogError),
}

/// A row that is to be done.
struct Row<'a> {
    table: &'a str,
    key: Item,
    job: Item,
    of: CatalogKind,
    now: Instant,
}

/// Why a row is not done.
enum Refusal {
    /// It cannot be.
    Error(CatalogError),
    /// The store failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl CatalogRow {
    fn refuse(&self, code: &str, detail: String) -> Refusal {
        let pointer = match self {
            Self::Create { pointer, .. } | Self::Update { pointer, .. } | Self::Delete { pointer, .. } => {
                pointer
            }
            Self::Refused(error) => &error.pointer,
        };
        Refusal::Error(CatalogError { pointer: pointer.clone(), code: code.to_owned(), detail })
    }

    fn missing(&self, external_id: &str) -> Refusal {
        self.refuse("not_found", format!("There is no resource with the external_id {external_id}."))
    }
}

impl Store {
    /// Writes a job with its rows. Nothing is to be seen of it before all of it is there.
    pub async fn create_catalog_job(&self, job: &CatalogJob, rows: &[CatalogRow], work: &Job) -> Result<()> {
        let expires = number(job.expires_at.as_millis().div_euclid(1000));
        let items = rows.iter().enumerate().map(|(place, row)| {
            let mut item = table::key(&rows_of(&job.id), &format!("{place:04}"));
            item.insert("doc".to_owned(), text(to_json(row)?));
            item.insert("expires".to_owned(), expires.clone());
            Ok(item)
        });
        let items: Vec<Item> = items.collect::<Result<_>>()?;
        let writes: Vec<_> = items.into_iter().map(|item| self.put(&self.registry, item, None)).collect();
        stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        let mut item = document_item(jobs_of(job.of, job.action), &job.id, job)?;
        item.insert("expires".to_owned(), expires);
        self.transact(vec![table::put_of(&self.registry, item)?, self.put_job(work)?]).await
    }

    /// A job.
    pub async fn catalog_job(
        &self,
        of: CatalogKind,
        action: CatalogAction,
        id: &str,
    ) -> Result<Option<CatalogJob>> {
        let item = self.get(&self.registry, jobs_of(of, action), id).await?;
        item.as_ref().map(read).transpose()
    }

    /// A page of jobs, the newest first.
    pub async fn catalog_jobs(
        &self,
        of: CatalogKind,
        action: CatalogAction,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<CatalogJob>> {
        let listing = Listing {
            table: &self.registry,
            index: None,
            partition_attribute: "pk",
            partitions: vec![jobs_of(of, action).to_owned()],
            sort_attribute: "sk",
            lower: None,
            upper: None,
            descending: true,
            after,
            size,
        };
        let page = self.listing(&listing).await?;
        Ok(Page { items: page.items.iter().map(read).collect::<Result<_>>()?, next: page.next })
    }

    /// Does what is left of a job. Returns the jobs that follow from it.
    pub async fn do_catalog_job(
        &self,
        of: CatalogKind,
        action: CatalogAction,
        id: &str,
        now: Instant,
    ) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        if self.catalog_job(of, action, id).await?.is_none() {
            // It has expired.
            return Ok(jobs);
        }
        for item in self.partition(&self.registry, &rows_of(id), "").await? {
            let Some(key) = table::key_of(&item) else { continue };
            let row = Row { table: &self.registry, key, job: table::key(jobs_of(of, action), id), of, now };
            jobs.extend(self.do_row(&row, &read_document("catalog row", &item)?).await?);
        }
        let request = self.client.update_item().table_name(&self.registry);
        let request = request
            .set_key(Some(table::key(jobs_of(of, action), id)))
            .update_expression("SET ended = if_not_exists(ended, :now)")
            .expression_attribute_values(":now", number(now.as_millis()));
        request.send().await.map_err(|error| Error::of(&error))?;
        Ok(jobs)
    }
}

impl Row<'_> {
    /// What is written with what the row does.
    fn done(&self) -> Result<Vec<TransactWriteItem>> {
        self.end(Update::builder().update_expression("ADD done_rows :one"))
    }

    /// What is written when the row cannot be done.
    fn refused(&self, error: &CatalogError) -> Result<Vec<TransactWriteItem>> {
        let expression =
            "SET refusals = list_append(if_not_exists(refusals, :none), :error) ADD refused_rows :one";
        let error = AttributeValue::L(vec![text(to_json(error)?)]);
        self.end(
            Update::builder()
                .update_expression(expression)
                .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
                .expression_attribute_values(":error", error),
        )
    }

    fn end(&self, update: UpdateBuilder) -> Result<Vec<TransactWriteItem>> {
        let update = update
            .table_name(self.table)
            .set_key(Some(self.job.clone()))
            .expression_attribute_values(":one", number(1))
            .build()
            .map_err(|error| Error::corrupt("transaction", error))?;
        let delete = Delete::builder()
            .table_name(self.table)
            .set_key(Some(self.key.clone()))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(|error| Error::corrupt("transaction", error))?;
        Ok(vec![
            TransactWriteItem::builder().update(update).build(),
            TransactWriteItem::builder().delete(delete).build(),
        ])
    }
}

/// What is done to one record.
impl Store {
    async fn do_row(&self, row: &Row<'_>, change: &CatalogRow) -> Result<Option<Job>> {
        for _ in 0..ATTEMPTS {
            let outcome = match self.try_row(row, change).await {
                Ok(job) => Ok(job),
                Err(Refusal::Error(error)) => self.transact(row.refused(&error)?).await.map(|()| None),
                Err(Refusal::Store(error)) => Err(error),
            };
            match outcome {
                Err(Error::Conflict) if !self.is_left(row).await? => return Ok(None),
                Err(Error::Conflict) => {}
                outcome => return outcome,
            }
        }
        Err(Error::Conflict)
    }

    /// Whether nobody else has done a row meanwhile.
    async fn is_left(&self, row: &Row<'_>) -> Result<bool> {
        Ok(!self.batch_get(&self.registry, vec![row.key.clone()]).await?.is_empty())
    }

    async fn try_row(&self, row: &Row<'_>, change: &CatalogRow) -> std::result::Result<Option<Job>, Refusal> {
        match change {
            CatalogRow::Create { record, item, related, .. } => {
                let mut record = record.clone();
                if let Some(item) = item {
                    let ids = std::slice::from_ref(item);
                    record.item = self.related(change, CatalogKind::Item, ids).await?.pop();
                }
                let related = self.related_of(change, row.of, related).await?;
                match self.create_record(&record, &related, &row.done()?).await {
                    Err(Error::Taken(id)) => {
                        let detail = format!("There is a resource with the external_id {id} already.");
                        Err(change.refuse("duplicate_catalog_resource", detail))
                    }
                    outcome => Ok(outcome.map(|()| None)?),
                }
            }
            CatalogRow::Update { external_id, attributes, related, .. } => {
                let before = self.catalog_record(row.of, external_id).await?;
                let before = before.ok_or_else(|| change.missing(external_id))?;
                if let Some(related) = related {
                    let related = self.related_of(change, row.of, related).await?;
                    self.relate_only(row.of, &before.place(), &related).await?;
                }
                self.update_record(&before, &before.with(attributes, row.now), &row.done()?).await?;
                Ok(None)
            }
            CatalogRow::Delete { external_id, .. } => {
                let record = self.catalog_record(row.of, external_id).await?;
                let record = record.ok_or_else(|| change.missing(external_id))?;
                let job = record.clearing(row.now);
                self.delete_record(&record, job.as_ref(), &row.done()?).await?;
                Ok(job)
            }
            CatalogRow::Refused(error) => Err(Refusal::Error(error.clone())),
        }
    }

    async fn related_of(
        &self,
        change: &CatalogRow,
        of: CatalogKind,
        external_ids: &[String],
    ) -> std::result::Result<Vec<CatalogPlace>, Refusal> {
        let other = if of == CatalogKind::Item { CatalogKind::Category } else { CatalogKind::Item };
        self.related(change, other, external_ids).await
    }

    async fn related(
        &self,
        change: &CatalogRow,
        kind: CatalogKind,
        external_ids: &[String],
    ) -> std::result::Result<Vec<CatalogPlace>, Refusal> {
        let found = self.catalog_records(kind, external_ids.iter().map(String::as_str)).await?;
        let places = external_ids.iter().map(|id| match found.get(id) {
            Some(record) => Ok(record.place()),
            None => Err(change.missing(id)),
        });
        places.collect()
    }
}

fn jobs_of(of: CatalogKind, action: CatalogAction) -> &'static str {
    match (of, action) {
        (CatalogKind::Item, CatalogAction::Create) => "catalog-jobs#item#create",
        (CatalogKind::Item, CatalogAction::Update) => "catalog-jobs#item#update",
        (CatalogKind::Item, CatalogAction::Delete) => "catalog-jobs#item#delete",
        (CatalogKind::Variant, CatalogAction::Create) => "catalog-jobs#variant#create",
        (CatalogKind::Variant, CatalogAction::Update) => "catalog-jobs#variant#update",
        (CatalogKind::Variant, CatalogAction::Delete) => "catalog-jobs#variant#delete",
        (CatalogKind::Category, CatalogAction::Create) => "catalog-jobs#category#create",
        (CatalogKind::Category, CatalogAction::Update) => "catalog-jobs#category#update",
        (CatalogKind::Category, CatalogAction::Delete) => "catalog-jobs#category#delete",
    }
}

fn rows_of(id: &str) -> String {
    format!("catalog-rows#{id}")
}

fn read(item: &Item) -> Result<CatalogJob> {
    let errors =
        item.get("refusals").and_then(|list| list.as_l().ok()).map(Vec::as_slice).unwrap_or_default();
    let errors = errors.iter().filter_map(|error| error.as_s().ok());
    let progress = CatalogProgress {
        completed: item_number(item, "done_rows"),
        failed: item_number(item, "refused_rows"),
        errors: errors.map(|error| from_json("catalog error", error)).collect::<Result<_>>()?,
        ended_at: Some(item_number(item, "ended"))
            .filter(|millis| *millis > 0)
            .and_then(|millis| Instant::from_millis(i64::try_from(millis).ok()?)),
    };
    Ok(CatalogJob { progress, ..read_document("catalog job", item)? })
}
