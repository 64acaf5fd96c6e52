//! What all customers' orders taught: the model, and the samples of customers while they are being collected.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use canonical::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::registry::{document_item, read_document};
use crate::table::{self, Item, item_text, text};
use crate::{Error, Job, Result, Store};

const PREDICTIONS: &str = "predictions";

/// The last fit of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionsRecord {
    /// The job that made it.
    pub job: String,
    /// The version of the method.
    pub method: u32,
    /// When the job had seen everybody.
    pub fitted_at: Instant,
    /// The day as of which the customers were looked at, as `2026-06-17`.
    pub fitted_day: String,
    /// How many customers have orders.
    pub customers: u64,
    /// Why there is no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Value>,
}

/// The customers of one part of all profiles, so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamplePart {
    /// Where the part was left, in the words of the job that collects it.
    pub place: String,
    /// The sample's bytes.
    pub bytes: Vec<u8>,
}

impl Store {
    /// The last fit.
    pub async fn predictions(&self) -> Result<Option<PredictionsRecord>> {
        let item = self.get(&self.registry, PREDICTIONS, PREDICTIONS).await?;
        item.as_ref().map(|item| read_document(PREDICTIONS, item)).transpose()
    }

    /// Notes a fit that changes nothing about the model.
    pub async fn put_predictions(&self, record: &PredictionsRecord) -> Result<()> {
        self.put(&self.registry, document_item(PREDICTIONS, PREDICTIONS, record)?, None).await
    }

    /// Puts another model in force, moves the program's version to `version` and writes the job that brings everybody
    /// there, in one transaction. [`Error::Conflict`] if a definition was faster.
    pub async fn put_model(&self, record: &PredictionsRecord, version: u64, job: &Job) -> Result<()> {
        let record = table::put_of(&self.registry, document_item(PREDICTIONS, PREDICTIONS, record)?)?;
        self.transact(vec![record, self.move_program(version)?, self.put_job(job)?]).await
    }

    /// What a job has collected of one part.
    pub async fn sample_part(&self, job: &str, part: u32) -> Result<Option<SamplePart>> {
        let item = self.get(&self.registry, &partition(job), &part.to_string()).await?;
        item.as_ref().map(read_part).transpose()
    }

    /// Writes what a job has collected of one part, over what lay there when the part was at `before`;
    /// [`Error::Conflict`] if it is elsewhere now.
    pub async fn put_sample_part(
        &self,
        job: &str,
        part: u32,
        before: Option<&str>,
        sample: &SamplePart,
    ) -> Result<()> {
        let mut item = table::key(&partition(job), &part.to_string());
        item.insert("place".to_owned(), text(&sample.place));
        item.insert("b".to_owned(), AttributeValue::B(Blob::new(sample.bytes.clone())));
        let request = self.client.put_item().table_name(&self.registry).set_item(Some(item));
        let request = match before {
            Some(before) => request
                .condition_expression("place = :before")
                .expression_attribute_values(":before", text(before)),
            None => request.condition_expression("attribute_not_exists(pk)"),
        };
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// Removes what a job has collected.
    pub async fn delete_samples(&self, job: &str) -> Result<()> {
        let items = self.partition(&self.registry, &partition(job), "").await?;
        self.batch_delete(&self.registry, items.iter().filter_map(table::key_of).collect()).await
    }
}

fn partition(job: &str) -> String {
    format!("sample#{job}")
}

fn read_part(item: &Item) -> Result<SamplePart> {
    let bytes = item.get("b").and_then(|value| value.as_b().ok());
    match (item_text(item, "place"), bytes) {
        (Some(place), Some(bytes)) => {
            Ok(SamplePart { place: place.to_owned(), bytes: bytes.as_ref().to_vec() })
        }
        _ => Err(Error::corrupt("sample", "attribute missing")),
    }
}
