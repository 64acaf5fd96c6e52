//! What the account has: connections, metrics, segments and the catalog.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use canonical::Instant;
use canonical::fact::CatalogItem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::table::{self, Item, Unless, from_json, item_text, number, text, to_json};
use crate::{Error, Job, Result, Store, Taggable};

const CONNECTION: &str = "connection";
const METRIC: &str = "metric";
pub(crate) const SEGMENT: &str = "segment";
const PROGRAM: &str = "program";
const CATALOG: &str = "catalog#";

/// A connection to one shop on one platform. Its secrets are elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// 26 characters; the last part of the webhook address.
    pub id: String,
    /// The platform's name.
    pub platform: String,
    /// For people.
    pub name: String,
    /// By name; the platform's adapter says which there are.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// Names of the secrets that are set.
    #[serde(default)]
    pub secret_names: Vec<String>,
    /// Whether deliveries are taken.
    pub status: ConnectionStatus,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// Whether a connection takes deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    /// Takes deliveries.
    Active,
    /// Switched off here.
    Disabled,
    /// Ended by the platform: its credentials are void.
    Disconnected,
}

/// A metric: an integration's name for what can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricRecord {
    /// Six letters and digits.
    pub id: String,
    /// The name.
    pub name: String,
    /// The platform's name, or `api`.
    pub integration: String,
    /// The canonical metric's name, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// When it first happened here.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// Six letters and digits.
    pub id: String,
    /// The name.
    pub name: String,
    /// The definition, exactly as it was given.
    pub definition: Value,
    /// The program's version at which the definition last changed.
    pub version: u64,
    /// Whether it is evaluated.
    pub is_active: bool,
    /// A mark for people.
    pub is_starred: bool,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// The version at which it was last activated again; 0 if it never was inactive. Memberships from before are still
    /// there, and states may have forgotten them.
    #[serde(default)]
    pub resumed_version: u64,
    /// The version up to which every profile has been evaluated. Kept outside of the document.
    #[serde(skip)]
    pub ready_version: u64,
    /// The version whose members show: the one before, while profiles are brought up to a changed definition. Kept
    /// outside of the document.
    #[serde(skip)]
    pub shown_version: u64,
}

impl SegmentRecord {
    /// Whether profiles are still being brought up to the definition.
    pub fn is_processing(&self) -> bool {
        self.is_active && self.ready_version < self.version
    }
}

/// The program of all definitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramRecord {
    /// Moves with every change of any definition, and of the zone. 0 before the first.
    pub version: u64,
    /// The zone in which its days begin; `None` until the clock has noted it.
    pub zone: Option<String>,
    /// Moves when a definition begins to show.
    pub shows: u64,
}

/// A product as the catalog knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogEntry {
    /// The connection it came through.
    pub connection: String,
    /// The product.
    pub item: CatalogItem,
}

impl Store {
    /// Writes a new connection.
    pub async fn create_connection(&self, connection: &ConnectionRecord) -> Result<()> {
        self.put_document(CONNECTION, &connection.id, connection, Some(Unless::Exists)).await
    }

    /// Replaces a connection.
    pub async fn update_connection(&self, connection: &ConnectionRecord) -> Result<()> {
        self.put_document(CONNECTION, &connection.id, connection, None).await
    }

    /// A connection.
    pub async fn connection(&self, id: &str) -> Result<Option<ConnectionRecord>> {
        self.document(CONNECTION, id).await
    }

    /// All connections.
    pub async fn connections(&self) -> Result<Vec<ConnectionRecord>> {
        self.documents(CONNECTION).await
    }

    /// Removes a connection.
    pub async fn delete_connection(&self, id: &str) -> Result<()> {
        self.delete(&self.registry, CONNECTION, id).await?;
        self.delete_poll(id).await?;
        self.delete_grant(id).await?;
        self.delete_imports(id).await?;
        self.delete_health(id).await
    }

    /// Makes sure that a metric exists, and returns it.
    pub async fn ensure_metric(&self, metric: MetricRecord) -> Result<MetricRecord> {
        match self.put_document(METRIC, &metric.id, &metric, Some(Unless::Exists)).await {
            Ok(()) => Ok(metric),
            Err(Error::Conflict) => {
                let existing = self.metric(&metric.id).await?.ok_or(Error::Conflict)?;
                if (&existing.integration, &existing.name) == (&metric.integration, &metric.name) {
                    return Ok(existing);
                }
                // Six characters can collide; the two must not become one metric.
                Err(Error::Taken(existing.id))
            }
            Err(error) => Err(error),
        }
    }

    /// A metric.
    pub async fn metric(&self, id: &str) -> Result<Option<MetricRecord>> {
        self.document(METRIC, id).await
    }

    /// All metrics, by id.
    pub async fn metrics(&self) -> Result<Vec<MetricRecord>> {
        self.documents(METRIC).await
    }

    /// The program's version: it moves with every change of any definition. 0 before the first.
    pub async fn program_version(&self) -> Result<u64> {
        Ok(self.program().await?.version)
    }

    /// The program.
    pub async fn program(&self) -> Result<ProgramRecord> {
        let item = self.get(&self.registry, PROGRAM, PROGRAM).await?;
        Ok(item.map_or_else(ProgramRecord::default, |item| ProgramRecord {
            version: item_number(&item, "v"),
            zone: item_text(&item, "zone").map(str::to_owned),
            shows: item_number(&item, "shows"),
        }))
    }

    /// Notes the zone in which days begin from this version of the program on, which must be its present one or the
    /// next, with the job that brings everybody there. [`Error::Conflict`] if a definition was faster.
    pub async fn put_zone(&self, zone: &str, version: u64, job: Option<&Job>) -> Result<()> {
        let before = version - u64::from(job.is_some());
        let update = self.program_update(before, version).update_expression("SET v = :v, #zone = :zone");
        let update = update
            .expression_attribute_names("#zone", "zone")
            .expression_attribute_values(":zone", text(zone));
        let mut writes = vec![update_write(update)?];
        if let Some(job) = job {
            writes.push(self.put_job(job)?);
        }
        self.transact(writes).await
    }

    /// A segment.
    pub async fn segment(&self, id: &str) -> Result<Option<SegmentRecord>> {
        let item = self.get(&self.registry, SEGMENT, id).await?;
        item.as_ref().map(read_segment).transpose()
    }

    /// All segments, by id.
    pub async fn segments(&self) -> Result<Vec<SegmentRecord>> {
        let items = self.partition(&self.registry, SEGMENT, "").await?;
        items.iter().map(read_segment).collect()
    }

    /// Writes a segment whose definition is new or changed, moves the program's version to the segment's and
    /// writes the job that this asks for, in one transaction: no segment waits for a job that is not there.
    /// `segment.version` must be [`Store::program_version`] + 1; [`Error::Conflict`] if another definition was
    /// faster. A segment that is new shows at once, one that was there shows what it showed.
    pub async fn put_segment_definition(&self, segment: &SegmentRecord, job: Option<&Job>) -> Result<()> {
        let update = Update::builder()
            .table_name(&self.registry)
            .set_key(Some(table::key(SEGMENT, &segment.id)))
            .update_expression(
                "SET doc = :doc, version = :version, ready = :ready, shown = if_not_exists(shown, :version)",
            )
            .expression_attribute_values(":doc", text(to_json(segment)?))
            .expression_attribute_values(":version", number(segment.version))
            .expression_attribute_values(":ready", number(segment.ready_version));
        let mut writes = vec![update_write(update)?, self.move_program(segment.version)?];
        if let Some(job) = job {
            writes.push(self.put_job(job)?);
        }
        self.transact(writes).await
    }

    /// Writes a job that a segment waits for until it is done. [`Error::Conflict`] if its definition has changed.
    pub async fn create_segment_job(&self, segment: &SegmentRecord, job: &Job) -> Result<()> {
        let update = Update::builder()
            .table_name(&self.registry)
            .set_key(Some(table::key(SEGMENT, &segment.id)))
            .update_expression("SET ready = :ready")
            .condition_expression("version = :version")
            .expression_attribute_values(":ready", number(0))
            .expression_attribute_values(":version", number(segment.version));
        self.transact(vec![update_write(update)?, self.put_job(job)?]).await
    }

    /// Replaces what is not the definition: name, star.
    pub async fn put_segment_attributes(&self, segment: &SegmentRecord) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(SEGMENT, &segment.id)));
        let request = request
            .update_expression("SET doc = :doc")
            .condition_expression("version = :version")
            .expression_attribute_values(":doc", text(to_json(segment)?))
            .expression_attribute_values(":version", number(segment.version));
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// Removes a segment with its tags, moves the program's version to `version` and writes the job that ends the
    /// memberships, in one transaction.
    pub async fn delete_segment(&self, id: &str, version: u64, job: &Job) -> Result<()> {
        let delete = table::delete_of(&self.registry, table::key(SEGMENT, id))?;
        let tags = self.delete_tags_of(Taggable::Segment, id)?;
        self.transact(vec![delete, tags, self.move_program(version)?, self.put_job(job)?]).await
    }

    /// Notes that every profile has been evaluated against the definition of this version, which shows from now on. Does
    /// nothing if the definition has changed since, or is gone.
    pub async fn segment_is_ready(&self, id: &str, version: u64) -> Result<()> {
        if !self.set_ready(id, version, version, "SET ready = :ready, shown = :ready").await? {
            return Ok(());
        }
        // Behind it: who reads the program anew reads the segment anew. Not in one transaction, in which segments that
        // are ready at the same time would be in each other's way.
        let request = self.client.update_item().table_name(&self.registry);
        let request = request
            .set_key(Some(table::key(PROGRAM, PROGRAM)))
            .update_expression("ADD shows :one")
            .expression_attribute_values(":one", number(1));
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// Notes that profiles are being evaluated anew against the definition of this version. Does nothing if the
    /// definition has changed since, or is gone.
    pub async fn segment_is_processing(&self, id: &str, version: u64) -> Result<()> {
        self.set_ready(id, version, 0, "SET ready = :ready").await.map(drop)
    }

    /// Whether the definition is still of this version.
    async fn set_ready(&self, id: &str, version: u64, ready: u64, update: &str) -> Result<bool> {
        let request =
            self.client.update_item().table_name(&self.registry).set_key(Some(table::key(SEGMENT, id)));
        let request = request
            .update_expression(update)
            .condition_expression("version = :version")
            .expression_attribute_values(":ready", number(ready))
            .expression_attribute_values(":version", number(version));
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(_) => Ok(true),
            Err(Error::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a product, unless a newer state of it is there.
    pub async fn put_catalog_item(&self, entry: &CatalogEntry) -> Result<()> {
        let partition = format!("{CATALOG}{}", entry.connection);
        let stamp = entry.item.updated_at.map_or(0, Instant::as_millis);
        let mut item = document_item(&partition, &entry.item.product_id, entry)?;
        item.insert("stamp".to_owned(), number(stamp));
        let request = self.client.put_item().table_name(&self.registry).set_item(Some(item));
        let request = request
            .condition_expression("attribute_not_exists(pk) OR stamp <= :stamp")
            .expression_attribute_values(":stamp", number(stamp));
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(_) | Err(Error::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Products of a connection by id; those that are not there are left out.
    pub async fn catalog_items(&self, connection: &str, products: &[&str]) -> Result<Vec<CatalogItem>> {
        let partition = format!("{CATALOG}{connection}");
        let keys = products.iter().map(|product| table::key(&partition, product)).collect();
        let items = self.batch_get(&self.registry, keys).await?;
        items.iter().map(|item| Ok(read_document::<CatalogEntry>("catalog item", item)?.item)).collect()
    }

    /// Removes all products of a connection.
    pub(crate) async fn delete_catalog(&self, connection: &str) -> Result<()> {
        let partition = format!("{CATALOG}{connection}");
        let items = self.partition(&self.registry, &partition, "").await?;
        let doomed = items.iter().filter_map(table::key_of).collect();
        self.batch_delete(&self.registry, doomed).await
    }

    /// A check that the program still has this version, as a part of a transaction.
    pub(crate) fn program_is(&self, version: u64) -> Result<TransactWriteItem> {
        let check = ConditionCheck::builder()
            .table_name(&self.registry)
            .set_key(Some(table::key(PROGRAM, PROGRAM)))
            .condition_expression(if version == 0 { "attribute_not_exists(pk) OR v = :v" } else { "v = :v" })
            .expression_attribute_values(":v", number(version))
            .build()
            .map_err(|error| Error::corrupt("transaction", error))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    pub(crate) fn move_program(&self, version: u64) -> Result<TransactWriteItem> {
        update_write(self.program_update(version - 1, version).update_expression("SET v = :v"))
    }

    fn program_update(&self, before: u64, version: u64) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.registry)
            .set_key(Some(table::key(PROGRAM, PROGRAM)))
            .condition_expression("attribute_not_exists(pk) OR v = :before")
            .expression_attribute_values(":before", number(before))
            .expression_attribute_values(":v", number(version))
    }

    pub(crate) async fn put_document(
        &self,
        kind: &str,
        id: &str,
        value: &impl Serialize,
        unless: Option<Unless>,
    ) -> Result<()> {
        self.put(&self.registry, document_item(kind, id, value)?, unless).await
    }

    pub(crate) async fn document<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        id: &str,
    ) -> Result<Option<T>> {
        let item = self.get(&self.registry, kind, id).await?;
        item.as_ref().map(|item| read_document(kind, item)).transpose()
    }

    pub(crate) async fn documents<T: DeserializeOwned>(&self, kind: &'static str) -> Result<Vec<T>> {
        let items = self.partition(&self.registry, kind, "").await?;
        items.iter().map(|item| read_document(kind, item)).collect()
    }
}

pub(crate) fn document_item(partition: &str, sort: &str, value: &impl Serialize) -> Result<Item> {
    let mut item = table::key(partition, sort);
    item.insert("doc".to_owned(), text(to_json(value)?));
    Ok(item)
}

pub(crate) fn read_document<T: DeserializeOwned>(kind: &'static str, item: &Item) -> Result<T> {
    from_json(kind, item_text(item, "doc").ok_or_else(|| Error::corrupt(kind, "document missing"))?)
}

pub(crate) fn item_number(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn update_write(update: UpdateBuilder) -> Result<TransactWriteItem> {
    let update = update.build().map_err(|error| Error::corrupt("transaction", error))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

fn read_segment(item: &Item) -> Result<SegmentRecord> {
    let segment: SegmentRecord = read_document(SEGMENT, item)?;
    let (ready_version, shown_version) = (item_number(item, "ready"), item_number(item, "shown"));
    Ok(SegmentRecord { ready_version, shown_version, ..segment })
}
