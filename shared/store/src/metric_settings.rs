//! Custom metrics, and which metric stands for what: one small partition of the registry whose version moves with every
//! change, so that unique names, the limit and references between the two are decided on what is there.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use canonical::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::registry::{document_item, item_number, read_document};
use crate::table::{self, item_text, number};
use crate::{Error, Result, Store};

const PARTITION: &str = "metric-settings";
/// Sorts before everything else, so that it is never newer than what is read with it.
const VERSION: &str = "#version";
const CUSTOM_PREFIX: &str = "custom#";
const MAPPED_PREFIX: &str = "mapped#";

/// A metric that is made of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomMetricRecord {
    /// Six letters and digits.
    pub id: String,
    /// Unique.
    pub name: String,
    /// The definition, as it was given.
    pub definition: Value,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// Which metric stands for something, as somebody decided: one of the two, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedMetricRecord {
    /// What is stood for, such as `revenue`.
    pub id: String,
    /// A metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_id: Option<String>,
    /// A custom metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_metric_id: Option<String>,
    /// When it was decided.
    pub updated_at: Instant,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricSettings {
    /// Moves with every change.
    pub version: u64,
    /// By id.
    pub custom: Vec<CustomMetricRecord>,
    /// What somebody decided, by id.
    pub mapped: Vec<MappedMetricRecord>,
}

impl Store {
    /// Custom metrics and mappings.
    pub async fn metric_settings(&self) -> Result<MetricSettings> {
        let mut settings = MetricSettings::default();
        for item in self.partition(&self.registry, PARTITION, "").await? {
            let sort = item_text(&item, "sk").unwrap_or_default();
            if sort == VERSION {
                settings.version = item_number(&item, "v");
            } else if sort.starts_with(CUSTOM_PREFIX) {
                settings.custom.push(read_document("custom metric", &item)?);
            } else {
                settings.mapped.push(read_document("mapped metric", &item)?);
            }
        }
        Ok(settings)
    }

    /// Writes a custom metric; [`Error::Conflict`] if anything has changed since the version that was read.
    pub async fn put_custom_metric(&self, metric: &CustomMetricRecord, version: u64) -> Result<()> {
        let item = document_item(PARTITION, &format!("{CUSTOM_PREFIX}{}", metric.id), metric)?;
        self.change_metric_settings(table::put_of(&self.registry, item)?, version).await
    }

    /// Removes a custom metric; [`Error::Conflict`] if anything has changed since the version that was read.
    pub async fn delete_custom_metric(&self, id: &str, version: u64) -> Result<()> {
        let key = table::key(PARTITION, &format!("{CUSTOM_PREFIX}{id}"));
        self.change_metric_settings(table::delete_of(&self.registry, key)?, version).await
    }

    /// Writes a mapping; [`Error::Conflict`] if anything has changed since the version that was read.
    pub async fn put_mapped_metric(&self, mapped: &MappedMetricRecord, version: u64) -> Result<()> {
        let item = document_item(PARTITION, &format!("{MAPPED_PREFIX}{}", mapped.id), mapped)?;
        self.change_metric_settings(table::put_of(&self.registry, item)?, version).await
    }

    async fn change_metric_settings(&self, write: TransactWriteItem, version: u64) -> Result<()> {
        let update = Update::builder()
            .table_name(&self.registry)
            .set_key(Some(table::key(PARTITION, VERSION)))
            .update_expression("SET v = :after")
            .condition_expression(if version == 0 { "attribute_not_exists(pk) OR v = :v" } else { "v = :v" })
            .expression_attribute_values(":v", number(version))
            .expression_attribute_values(":after", number(version + 1))
            .build()
            .map_err(|error| Error::corrupt("transaction", error))?;
        self.transact(vec![write, TransactWriteItem::builder().update(update).build()]).await
    }
}
