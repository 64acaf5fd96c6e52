//! Touches, spread so that what happens meanwhile does not wait behind them.

use std::collections::HashMap;

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

/// Ticks are written in rounds of a second.
const ROUND_MS: i64 = 1000;
/// How long one run goes on before the next takes over; the function's time-out is 60 s.
const RUN_MS: i64 = 55_000;
/// Ticks that are written at the same time, per part of the index.
const CONCURRENCY: usize = 8;
/// Who was touched so long ago and is still due is touched again: the touch was lost.
const RETRY_MS: i64 = 5 * 60_000;
/// Who was touched so long ago holds up nobody: the evaluator has failed with it, or with everybody.
const STALLED_MS: i64 = 60_000;

/// What the clock works on: the index of what is due, and ticks.
pub trait Desk: Sync {
    /// The parts of the index.
    fn parts(&self) -> Vec<u32>;

    /// The first profiles of a part that are due, those that have waited longest first, and since when.
    fn due(
        &self,
        part: u32,
        now_ms: i64,
        limit: usize,
    ) -> impl Future<Output = anyhow::Result<Vec<(String, i64)>>> + Send;

    /// When profiles were last touched.
    fn touched(&self, ids: &[&str]) -> impl Future<Output = anyhow::Result<HashMap<String, i64>>> + Send;

    /// Touches a profile.
    fn touch(&self, id: &str, now_ms: i64) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// The time.
    fn now_ms(&self) -> i64;

    /// Waits.
    fn pause(&self, millis: i64) -> impl Future<Output = ()> + Send;
}

/// How fast profiles are touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Ticks that are written in a second at most.
    pub per_second: usize,
    /// Seconds' worth of ticks that may wait for the evaluator at most: nothing that happens waits longer behind them
    /// than the evaluator takes for these.
    pub window_s: usize,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Profiles touched.
    pub ticked: u64,
    /// How late the latest of them was, in milliseconds.
    pub max_lag_ms: i64,
    /// Profiles that were due when this was last asked, as far as was looked.
    pub waiting: u64,
    /// Whether somebody is left who was due and could not be touched yet.
    pub is_behind: bool,
}

/// Touches everybody who is due, or as many as one run may.
pub async fn spread(desk: &impl Desk, pace: Pace) -> anyhow::Result<Spread> {
    let started_ms = desk.now_ms();
    let mut parts: Vec<Part> = desk.parts().into_iter().map(Part::new).collect();
    let count = parts.len().max(1);
    let quota = (pace.per_second / count).max(1);
    let window = quota * pace.window_s.max(1);
    let mut sum = Spread::default();
    for _ in 0..RUN_MS / ROUND_MS {
        let round_ms = desk.now_ms();
        let rounds = try_join_all(parts.iter_mut().map(|part| part.round(desk, quota, window))).await?;
        sum.is_behind = rounds.iter().any(|round| round.is_behind);
        sum.waiting = rounds.iter().map(|round| round.waiting).sum();
        for round in rounds {
            sum.ticked += round.ticked;
            sum.max_lag_ms = sum.max_lag_ms.max(round.max_lag_ms);
        }
        let now_ms = desk.now_ms();
        if !sum.is_behind || now_ms - started_ms >= RUN_MS {
            break;
        }
        desk.pause((ROUND_MS - (now_ms - round_ms)).max(0)).await;
    }
    Ok(sum)
}

/// A part of the index.
struct Part {
    number: u32,
    /// When those who are due were last touched, as far as this run knows.
    known: HashMap<String, Option<i64>>,
}

impl Part {
    fn new(number: u32) -> Self {
        Self { number, known: HashMap::new() }
    }

    async fn round(&mut self, desk: &impl Desk, quota: usize, window: usize) -> anyhow::Result<Spread> {
        let now_ms = desk.now_ms();
        // Room for all who are known to wait, and for those to be touched.
        let limit = window.max(self.known.len()) + quota;
        let rows = desk.due(self.number, now_ms, limit).await?;
        self.learn(desk, &rows).await?;
        let is_waiting = |id: &str, due_ms: i64| {
            let touched_ms = self.known.get(id).copied().flatten();
            touched_ms.filter(|touched_ms| *touched_ms >= due_ms && now_ms - touched_ms < RETRY_MS)
        };
        let waiting = rows.iter().filter_map(|(id, due_ms)| is_waiting(id, *due_ms));
        let in_flight = waiting.filter(|touched_ms| now_ms - touched_ms < STALLED_MS).count();
        let fresh: Vec<&str> = rows
            .iter()
            .filter(|(id, due_ms)| is_waiting(id, *due_ms).is_none())
            .map(|(id, _)| id.as_str())
            .collect();
        let chosen: Vec<&str> =
            fresh.iter().copied().take(quota.min(window.saturating_sub(in_flight))).collect();
        stream::iter(&chosen)
            .map(|id| desk.touch(id, now_ms))
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>()
            .await?;
        let is_behind = chosen.len() < fresh.len() || rows.len() == limit;
        let round = Spread {
            ticked: u64::try_from(chosen.len())?,
            waiting: u64::try_from(rows.len())?,
            max_lag_ms: rows.iter().map(|(_, due_ms)| now_ms - due_ms).max().unwrap_or_default(),
            is_behind,
        };
        self.known.extend(chosen.into_iter().map(|id| (id.to_owned(), Some(now_ms))).collect::<Vec<_>>());
        Ok(round)
    }

    /// Finds out when those who are due were touched, where this run does not know, and forgets all others.
    async fn learn(&mut self, desk: &impl Desk, rows: &[(String, i64)]) -> anyhow::Result<()> {
        let mut before = std::mem::take(&mut self.known);
        let (known, unknown): (Vec<_>, Vec<_>) =
            rows.iter().map(|(id, _)| id).partition(|id| before.contains_key(id.as_str()));
        let unknown: Vec<&str> = unknown.into_iter().map(String::as_str).collect();
        let mut found = if unknown.is_empty() { HashMap::new() } else { desk.touched(&unknown).await? };
        self.known = known.into_iter().filter_map(|id| before.remove_entry(id)).collect();
        self.known.extend(unknown.into_iter().map(|id| (id.to_owned(), found.remove(id))));
        Ok(())
    }
}
