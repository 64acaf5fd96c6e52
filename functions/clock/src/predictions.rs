//! Once a week, where a segment asks for predictions, the model is fitted anew.

use canonical::{Instant, hash};
use store::{Error, Job, JobKind, JobMessage, JobStatus, PROFILE_SHARDS};

use crate::ClockFunction;

/// How long a fit is good for.
const WEEK_MS: i64 = 7 * 86_400_000;

impl ClockFunction {
    /// Begins a fit if one is due. Returns how many parts of it were sent.
    pub(crate) async fn fit_if_due(&self, now_ms: i64) -> anyhow::Result<u64> {
        if !self.is_asked_for_predictions().await? {
            return Ok(0);
        }
        let last = self.store.predictions().await?;
        let is_good = last.as_ref().is_some_and(|last| {
            last.method == predictions::VERSION && now_ms - last.fitted_at.as_millis() < WEEK_MS
        });
        if is_good || self.store.jobs().await?.iter().any(|job| job.kind == JobKind::FitPredictions) {
            return Ok(0);
        }
        // Clocks that run at the same time make the same job.
        let after = last.map(|last| last.job).unwrap_or_default();
        let status = JobStatus { parts_left: (0..PROFILE_SHARDS).collect(), ..JobStatus::default() };
        let created_at = Instant::from(self.clock.now());
        let job =
            Job { id: hash::long_id(&["fit", &after]), kind: JobKind::FitPredictions, created_at, status };
        match self.store.create_job(&job).await {
            Err(Error::Conflict) => return Ok(0),
            outcome => outcome?,
        }
        for part in 0..PROFILE_SHARDS {
            let message = JobMessage { job: job.id.clone(), part, cursor: None };
            let body = serde_json::to_string(&message)?;
            self.sqs.send_message().queue_url(&self.jobs_queue_url).message_body(body).send().await?;
        }
        Ok(PROFILE_SHARDS.into())
    }

    /// Looked up once per version of the program.
    async fn is_asked_for_predictions(&self) -> anyhow::Result<bool> {
        let version = self.store.program_version().await?;
        let mut known = self.asked.lock().await;
        if let Some((_, asked)) = known.filter(|(of, _)| *of == version) {
            return Ok(asked);
        }
        let segments = self.store.segments().await?;
        let asked = segments.iter().any(|segment| segment.is_active && segment.asks_for_predictions());
        *known = Some((version, asked));
        Ok(asked)
    }
}
