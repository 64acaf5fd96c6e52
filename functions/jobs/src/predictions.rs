//! The model of everybody's orders: collected part by part, fitted at the end.

use canonical::{Instant, hash};
use predictions::{Sample, VERSION};
use store::{Cursor, Error, Job, JobKind, JobMessage, PROFILE_SHARDS, PredictionsRecord, SamplePart};

use crate::Jobs;

/// Profiles of one chunk: a chunk also reads and writes what was collected before it.
const CHUNK: usize = 1000;
/// How often a model is put in force that lost a race against a definition.
const ATTEMPTS: u32 = 8;
/// Where a part is left that is done: no cursor looks like this.
const END: &str = ".";

impl Jobs {
    /// Adds the next profiles of a part to its sample. Returns how many, and where the part is left if it is not done.
    pub(crate) async fn collect(
        &self,
        job: &Job,
        part: u32,
        from: Option<&str>,
    ) -> anyhow::Result<(u64, Option<String>)> {
        let kept = self.store.sample_part(&job.id, part).await?;
        if let Some(kept) = kept.as_ref().filter(|kept| Some(kept.place.as_str()) != from) {
            // Whoever has been here before broke off before the job knew of it: nobody is added twice.
            return Ok((0, Some(kept.place.clone()).filter(|place| place != END)));
        }
        let reader = self.evaluator.orders_reader().await?;
        let mut sample = match &kept {
            Some(kept) => Sample::decode(&kept.bytes)?,
            None => Sample::new(reader.day_number(job.created_at)),
        };
        let page = self.store.list_profile_shard(part, from.and_then(Cursor::decode), CHUNK).await?;
        let ids: Vec<&str> = page.items.iter().map(String::as_str).collect();
        for orders in reader.orders(&ids).await? {
            sample.add(&orders);
        }
        let to = page.next.map(|next| next.encode());
        let place = to.clone().unwrap_or_else(|| END.to_owned());
        let sample = SamplePart { place, bytes: sample.encode() };
        self.store.put_sample_part(&job.id, part, from, &sample).await?;
        Ok((u64::try_from(ids.len())?, to))
    }

    /// Fits the model to what all parts have collected and puts it in force. May be done twice.
    pub(crate) async fn fit(&self, job: &Job) -> anyhow::Result<()> {
        let before = self.store.predictions().await?;
        if before.as_ref().is_none_or(|before| before.job != job.id) {
            let record = self.fitted(job).await?;
            if before.and_then(|before| before.model) == record.model {
                self.store.put_predictions(&record).await?;
            } else {
                self.put_in_force(job, &record).await?;
            }
        }
        Ok(self.store.delete_samples(&job.id).await?)
    }

    async fn fitted(&self, job: &Job) -> anyhow::Result<PredictionsRecord> {
        let reader = self.evaluator.orders_reader().await?;
        let mut sample = Sample::new(reader.day_number(job.created_at));
        for part in 0..PROFILE_SHARDS {
            if let Some(kept) = self.store.sample_part(&job.id, part).await? {
                sample.merge(&Sample::decode(&kept.bytes)?);
            }
        }
        let (model, missed) = match sample.fit(&self.minimums) {
            Ok(model) => (Some(serde_json::to_value(&model)?), None),
            Err(missed) => (None, Some(missed.to_string())),
        };
        Ok(PredictionsRecord {
            job: job.id.clone(),
            method: VERSION,
            fitted_at: self.clock.now().into(),
            fitted_day: reader.day(job.created_at).to_string(),
            customers: sample.customers(),
            missed,
            model,
        })
    }

    async fn put_in_force(&self, job: &Job, record: &PredictionsRecord) -> anyhow::Result<()> {
        for _ in 0..ATTEMPTS {
            let version = self.store.program_version().await? + 1;
            let (id, now) = (hash::long_id(&["predict", &job.id]), Instant::from(self.clock.now()));
            let next = Job::new(id, JobKind::Predict { version }, PROFILE_SHARDS, now);
            match self.store.put_model(record, version, &next).await {
                Ok(()) => {
                    for message in JobMessage::of_parts_left(&next) {
                        self.send(&message, 0).await?;
                    }
                    return Ok(());
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        anyhow::bail!("too many definitions change at once")
    }
}
