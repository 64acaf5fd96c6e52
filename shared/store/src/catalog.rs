//! The catalog that clients keep through the API: items, their variants, and categories.
//!
//! A record is found by its external id. What is listed where is said by entries of [shelves](crate::Shelf), which are
//! nothing but keys: when the record was made, its external id, and its unique id. An entry counts while the record of
//! this unique id is there, and a variant while its item is. So a deletion is whole as soon as the record is gone:
//! what it leaves behind is not to be seen, not even if something of the same name is made anew, and a job removes it.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use canonical::{Instant, hash};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::registry::{document_item, item_number, read_document};
use crate::shelves::Shelf;
use crate::table::{self, Item, item_text, number, text};
use crate::{Error, Job, JobKind, Result, Store, keys};

/// How often a write that lost a race is tried again.
pub(crate) const ATTEMPTS: u32 = 8;
/// Variants that are removed at the same time.
const CONCURRENCY: usize = 8;

/// What a record of the catalog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogKind {
    /// A product.
    Item,
    /// A form in which an item is sold.
    Variant,
    /// A group of items.
    Category,
}

/// Where a record stands among others: 14 digits of milliseconds, its external id and its unique id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CatalogPlace(pub(crate) String);

/// A record of the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogRecord {
    /// What it is.
    pub kind: CatalogKind,
    /// The client's id of it.
    pub external_id: String,
    /// 26 characters; others once it is made anew.
    pub uid: String,
    /// The item of a variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<CatalogPlace>,
    /// What the client says of it, checked.
    pub attributes: Map<String, Value>,
    /// When it was made.
    pub created_at: Instant,
    /// When its attributes last changed.
    pub updated_at: Instant,
    /// Moves with each change. Kept outside of the document.
    #[serde(skip)]
    pub version: u64,
}

impl CatalogKind {
    /// The partition of its records.
    pub(crate) fn partition(self) -> &'static str {
        match self {
            Self::Item => "catalog-item",
            Self::Variant => "catalog-variant",
            Self::Category => "catalog-category",
        }
    }
}

impl CatalogPlace {
    /// The record's external id.
    pub fn external_id(&self) -> &str {
        self.parts().0
    }

    /// The record's unique id.
    pub(crate) fn uid(&self) -> &str {
        self.parts().1
    }

    /// As text, in the order of creation.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (&str, &str) {
        let ids = self.0.split_once('#').and_then(|(_, ids)| ids.rsplit_once('#'));
        ids.unwrap_or_default()
    }
}

impl CatalogRecord {
    /// Where it stands.
    pub fn place(&self) -> CatalogPlace {
        CatalogPlace(keys::timed(self.created_at.as_millis(), &format!("{}#{}", self.external_id, self.uid)))
    }

    /// What it is after a change of these attributes; the same if nothing changes.
    #[must_use]
    pub fn with(&self, attributes: &Map<String, Value>, now: Instant) -> Self {
        let mut after = self.clone();
        after.attributes.extend(attributes.clone());
        if after.attributes != self.attributes {
            after.updated_at = now.max(self.updated_at);
        }
        after
    }

    /// The job that removes what belongs to it once it is deleted.
    pub fn clearing(&self, now: Instant) -> Option<Job> {
        let kind = JobKind::ClearCatalog { of: self.kind, place: self.place() };
        let job = || Job::new(hash::long_id(&["clear catalog", &self.uid]), kind, 1, now);
        (self.kind != CatalogKind::Variant).then(job)
    }

    /// A text of its attributes.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    /// Its entries outside of relations between items and categories.
    fn entries(&self) -> Vec<Item> {
        let mut shelves = vec![Shelf::All(self.kind)];
        shelves.extend(self.item.as_ref().map(Shelf::VariantsOf));
        shelves.extend(self.sku());
        shelves.iter().map(|shelf| shelf.entry(&self.place())).collect()
    }

    fn sku(&self) -> Option<Shelf<'_>> {
        self.text("sku").filter(|_| self.kind == CatalogKind::Variant).map(Shelf::WithSku)
    }
}

impl Store {
    /// Writes a new record and its relations. [`Error::Taken`] if its external id is.
    pub async fn create_catalog_record(
        &self,
        record: &CatalogRecord,
        related: &[CatalogPlace],
    ) -> Result<()> {
        self.create_record(record, related, &[]).await
    }

    /// The same, together with what else is to be written. The relations come first: without the record they do not
    /// count.
    pub(crate) async fn create_record(
        &self,
        record: &CatalogRecord,
        related: &[CatalogPlace],
        beside: &[TransactWriteItem],
    ) -> Result<()> {
        let mut attempt = 0;
        loop {
            let left_behind = match self.stored_record(record.kind, &record.external_id).await? {
                Some(found) if found.uid == record.uid => return Ok(()),
                Some(found) if !self.living(vec![found.clone()]).await?.is_empty() => {
                    if attempt > 0 {
                        self.unrelate(record.kind, &record.place(), related).await?;
                    }
                    return Err(Error::Taken(found.external_id));
                }
                // Nothing, or a variant of an item that was deleted.
                other => other,
            };
            if attempt == 0 {
                self.relate(record.kind, &record.place(), related).await?;
            }
            let mut writes = vec![self.put_record(record, 1, left_behind.as_ref())?];
            for entry in record.entries() {
                writes.push(table::put_of(&self.registry, entry)?);
            }
            for entry in left_behind.iter().flat_map(CatalogRecord::entries) {
                writes.push(table::delete_of(&self.registry, entry)?);
            }
            writes.extend_from_slice(beside);
            match self.transact(writes).await {
                Err(Error::Conflict) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Replaces a record by what it has become. [`Error::Conflict`] if it has changed since it was read, or is gone.
    pub async fn update_catalog_record(&self, before: &CatalogRecord, after: &CatalogRecord) -> Result<()> {
        self.update_record(before, after, &[]).await
    }

    /// The same, together with what else is to be written.
    pub(crate) async fn update_record(
        &self,
        before: &CatalogRecord,
        after: &CatalogRecord,
        beside: &[TransactWriteItem],
    ) -> Result<()> {
        let mut writes = vec![self.put_record(after, before.version + 1, Some(before))?];
        if before.text("sku") != after.text("sku") {
            let place = after.place();
            if let Some(shelf) = before.sku() {
                writes.push(table::delete_of(&self.registry, shelf.entry(&place))?);
            }
            if let Some(shelf) = after.sku() {
                writes.push(table::put_of(&self.registry, shelf.entry(&place))?);
            }
        }
        writes.extend_from_slice(beside);
        self.transact(writes).await
    }

    /// Removes a record, and writes the job that removes what belonged to it. [`Error::Conflict`] if it is gone.
    pub async fn delete_catalog_record(&self, record: &CatalogRecord, job: Option<&Job>) -> Result<()> {
        self.delete_record(record, job, &[]).await
    }

    /// The same, together with what else is to be written.
    pub(crate) async fn delete_record(
        &self,
        record: &CatalogRecord,
        job: Option<&Job>,
        beside: &[TransactWriteItem],
    ) -> Result<()> {
        let delete = Delete::builder()
            .table_name(&self.registry)
            .set_key(Some(table::key(record.kind.partition(), &record.external_id)))
            .condition_expression("uid = :uid")
            .expression_attribute_values(":uid", text(&record.uid))
            .build()
            .map_err(|error| Error::corrupt("transaction", error))?;
        let mut writes = vec![TransactWriteItem::builder().delete(delete).build()];
        for entry in record.entries() {
            writes.push(table::delete_of(&self.registry, entry)?);
        }
        if let Some(job) = job {
            writes.push(self.put_job(job)?);
        }
        writes.extend_from_slice(beside);
        self.transact(writes).await
    }

    /// A record.
    pub async fn catalog_record(
        &self,
        kind: CatalogKind,
        external_id: &str,
    ) -> Result<Option<CatalogRecord>> {
        let Some(record) = self.stored_record(kind, external_id).await? else { return Ok(None) };
        Ok(self.living(vec![record]).await?.pop())
    }

    /// Records by their external ids, in no order; those that are not there are left out.
    pub async fn catalog_records<'a>(
        &self,
        kind: CatalogKind,
        external_ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, CatalogRecord>> {
        let wanted: HashSet<&str> = external_ids.into_iter().collect();
        let keys = wanted.into_iter().map(|id| table::key(kind.partition(), id)).collect();
        let items = self.batch_get(&self.registry, keys).await?;
        let records: Vec<CatalogRecord> = items.iter().map(read_record).collect::<Result<_>>()?;
        let records = self.living(records).await?;
        Ok(records.into_iter().map(|record| (record.external_id.clone(), record)).collect())
    }

    /// Without the variants whose item is gone.
    async fn living(&self, mut records: Vec<CatalogRecord>) -> Result<Vec<CatalogRecord>> {
        let items: HashSet<&CatalogPlace> =
            records.iter().filter_map(|record| record.item.as_ref()).collect();
        if items.is_empty() {
            return Ok(records);
        }
        let partition = CatalogKind::Item.partition();
        let keys = items.iter().map(|place| place.external_id()).collect::<HashSet<_>>();
        let keys = keys.into_iter().map(|id| table::key(partition, id)).collect();
        let found = self.batch_get_only(&self.registry, keys, Some("pk, sk, uid")).await?;
        let uids: HashSet<&str> = found.iter().filter_map(|item| item_text(item, "uid")).collect();
        records.retain(|record| record.item.as_ref().is_none_or(|item| uids.contains(item.uid())));
        Ok(records)
    }

    /// A record, even if it does not count any more.
    async fn stored_record(&self, kind: CatalogKind, external_id: &str) -> Result<Option<CatalogRecord>> {
        let item = self.get(&self.registry, kind.partition(), external_id).await?;
        item.as_ref().map(read_record).transpose()
    }

    /// Removes what belonged to a record that was deleted: variants and relations; at most `limit` at a time. Returns
    /// how many.
    pub async fn clear_catalog(
        &self,
        kind: CatalogKind,
        place: &CatalogPlace,
        limit: usize,
    ) -> Result<usize> {
        if kind == CatalogKind::Item {
            let variants = self.entries(&Shelf::VariantsOf(place), limit).await?;
            let work: Vec<_> = variants.iter().map(|variant| self.clear_variant(variant, place)).collect();
            stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
            if !variants.is_empty() {
                return Ok(variants.len());
            }
        }
        let Some(shelf) = Shelf::related_to(kind, place) else { return Ok(0) };
        let others = self.entries(&shelf, limit).await?;
        let doomed = others.iter().flat_map(|other| Shelf::relation(kind, place, other));
        self.batch_delete(&self.registry, doomed.collect()).await?;
        Ok(others.len())
    }

    async fn clear_variant(&self, variant: &CatalogPlace, item: &CatalogPlace) -> Result<()> {
        let stored = self.stored_record(CatalogKind::Variant, variant.external_id()).await?;
        if let Some(record) = stored.filter(|record| record.uid == variant.uid()) {
            match self.delete_record(&record, None, &[]).await {
                // It has been made anew, for another item.
                Err(Error::Conflict) => {}
                outcome => outcome?,
            }
        }
        let entry = Shelf::VariantsOf(item).entry(variant);
        self.batch_delete(&self.registry, vec![entry]).await
    }

    /// The writing of a record over what was read in its place.
    fn put_record(
        &self,
        record: &CatalogRecord,
        version: u64,
        before: Option<&CatalogRecord>,
    ) -> Result<TransactWriteItem> {
        let mut item = document_item(record.kind.partition(), &record.external_id, record)?;
        item.insert("uid".to_owned(), text(&record.uid));
        item.insert("v".to_owned(), number(version));
        let put = Put::builder().table_name(&self.registry).set_item(Some(item));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(before) => put
                .condition_expression("uid = :uid AND v = :v")
                .expression_attribute_values(":uid", text(&before.uid))
                .expression_attribute_values(":v", number(before.version)),
        };
        let put = put.build().map_err(|error| Error::corrupt("transaction", error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

pub(crate) fn read_record(item: &Item) -> Result<CatalogRecord> {
    let record: CatalogRecord = read_document("catalog record", item)?;
    Ok(CatalogRecord { version: item_number(item, "v"), ..record })
}
