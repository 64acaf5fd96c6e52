#![doc = include_str!("../README.md")]

mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lambda_events::dynamodb::Event as StreamEvent;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use evaluation::{Change, ChangeKind, Definitions, Evaluator, Loaded};
use futures::{StreamExt, stream};

/// Profiles of one batch that are evaluated at the same time.
const CONCURRENCY: usize = 8;
/// How often a batch is gone over again because definitions changed meanwhile.
const ROUNDS: u32 = 4;

/// Evaluates what the stream says.
pub struct SegmentEvaluator {
    evaluator: Evaluator,
}

/// What one profile's records say, and the first of them.
#[derive(Default)]
struct Group {
    changes: Vec<Change>,
    first: String,
}

impl SegmentEvaluator {
    /// Around the evaluator.
    pub fn new(evaluator: Evaluator) -> Self {
        Self { evaluator }
    }

    /// Works on a batch of stream records. An error fails it as a whole; otherwise the answer names the record from
    /// which on it must come again, if any.
    pub async fn handle(&self, event: StreamEvent) -> anyhow::Result<DynamoDbEventResponse> {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for record in event.records {
            let sequence = record.change.sequence_number.clone().unwrap_or_default();
            match record::read(record) {
                Ok(Some((profile, change))) => {
                    let group = groups.entry(profile).or_default();
                    if group.changes.is_empty() {
                        group.first = sequence;
                    }
                    group.changes.push(change);
                }
                Ok(None) => {}
                Err(error) => {
                    runtime::metrics::count("stream_records", "profiles", "unreadable", 1);
                    tracing::error!(sequence, error = %error, "stream record cannot be read and is skipped");
                }
            }
        }
        let failed = self.evaluate(&groups).await?;
        let mut response = DynamoDbEventResponse::default();
        if let Some(sequence) = failed.into_iter().min_by(|a, b| position(a).cmp(&position(b))) {
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(sequence);
            response.batch_item_failures.push(failure);
        }
        Ok(response)
    }

    /// Evaluates each profile; returns the first sequence numbers of those that failed.
    async fn evaluate(&self, groups: &BTreeMap<String, Group>) -> anyhow::Result<Vec<String>> {
        let ids: Vec<&str> = groups.keys().map(String::as_str).collect();
        let mut program = self.evaluator.program().await?;
        let mut failed: Vec<String> = Vec::new();
        for round in 0..ROUNDS {
            let loaded = self.evaluator.load(&ids).await?;
            // After the first round there is nothing left to apply but the newer definitions.
            let is_first = round == 0;
            let work: Vec<_> = groups
                .iter()
                .map(|(profile, group)| self.one(&program, profile, group, &loaded, is_first))
                .collect();
            let outcomes: Vec<Option<String>> =
                stream::iter(work).buffer_unordered(CONCURRENCY).collect().await;
            failed.extend(outcomes.into_iter().flatten());
            let newer = self.evaluator.program().await?;
            if newer.version() == program.version() {
                return Ok(failed);
            }
            program = newer;
        }
        anyhow::bail!("definitions keep changing");
    }

    async fn one(
        &self,
        program: &Arc<Definitions>,
        profile: &str,
        group: &Group,
        loaded: &Loaded,
        is_first: bool,
    ) -> Option<String> {
        let changes: &[Change] = if is_first { &group.changes } else { &[] };
        match self.evaluator.evaluate(program, profile, loaded, changes).await {
            Ok(()) => {
                for occurred_ms in news(changes) {
                    runtime::metrics::duration_ms("event_lag_ms", self.evaluator.now_ms() - occurred_ms);
                }
                None
            }
            Err(error) => {
                tracing::warn!(profile, error = %error, "profile will be evaluated again");
                Some(group.first.clone())
            }
        }
    }
}

/// When the events happened that are no history: what an import brings was never to count soon. At most as many as a batch
/// has records, a hundred, which is what one line of counters holds.
fn news(changes: &[Change]) -> impl Iterator<Item = i64> {
    changes.iter().filter_map(|change| match &change.kind {
        ChangeKind::Event(stored) if !stored.event.backfill => Some(stored.event.occurred_at.as_millis()),
        _ => None,
    })
}

/// Sequence numbers are decimal numbers of up to 40 digits.
fn position(sequence: &str) -> u128 {
    sequence.parse().unwrap_or_default()
}
