//! Once a week, where a segment asks for predictions, the model is fitted anew.

use canonical::{Instant, hash};
use segments::Definition;
use store::{Error, Job, JobKind, PROFILE_SHARDS, SegmentRecord};

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
        let (id, now) = (hash::long_id(&["fit", &after]), Instant::from(self.clock.now()));
        let job = Job::new(id, JobKind::FitPredictions, PROFILE_SHARDS, now);
        match self.store.create_job(&job).await {
            Err(Error::Conflict) => return Ok(0),
            outcome => outcome?,
        }
        self.send_parts(&job).await
    }

    /// Looked up once per version of the program.
    async fn is_asked_for_predictions(&self) -> anyhow::Result<bool> {
        let version = self.store.program_version().await?;
        let mut known = self.asked.lock().await;
        if let Some((_, asked)) = known.filter(|(of, _)| *of == version) {
            return Ok(asked);
        }
        let segments = self.store.segments().await?;
        let asks = |segment: &SegmentRecord| {
            let definition = Definition::parse(&segment.definition);
            segment.is_active && definition.is_ok_and(|definition| definition.asks_for_predictions())
        };
        let asked = segments.iter().any(asks);
        *known = Some((version, asked));
        Ok(asked)
    }
}
