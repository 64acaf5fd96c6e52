//! Counts of what never reaches the mapper, for the connections' health.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use store::{Health, Store};

use super::Decision;

/// How often what was refused or ignored is written down.
const EVERY_MS: i64 = 10_000;
/// How long an answer waits for that, and for how many connections; the others' turn comes next time.
const WITHIN: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 5;
/// Connections that wait before all are forgotten: a bound, not a tuning.
const MAX_WAITING: usize = 10_000;

/// What is not written down yet.
#[derive(Default)]
pub(super) struct Notes(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    health: HashMap<String, Health>,
    written_at_ms: i64,
}

impl Notes {
    /// Takes a note. Written at once when it was quiet before, then at most every ten seconds: bad requests must not
    /// become writes one for one.
    pub(super) async fn take(&self, store: &Store, connection: &str, decision: &Decision, now_ms: i64) {
        let due: Vec<(String, Health)> = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.health.len() >= MAX_WAITING {
                waiting.health.clear();
            }
            count(waiting.health.entry(connection.to_owned()).or_default(), decision);
            if now_ms - waiting.written_at_ms < EVERY_MS {
                return;
            }
            waiting.written_at_ms = now_ms;
            waiting.health.extract_if(|_, _| true).take(AT_ONCE).collect()
        };
        let writes = due.into_iter().map(|(connection, health)| async move {
            if let Err(error) = store.note_health(&connection, &health).await {
                tracing::warn!(connection, error = %error, "health not noted");
            }
        });
        if tokio::time::timeout(WITHIN, join_all(writes)).await.is_err() {
            tracing::warn!("health not noted in time");
        }
    }
}

fn count(health: &mut Health, decision: &Decision) {
    match decision {
        Decision::Refuse(rejection) => health.reject(&rejection.to_string()),
        Decision::Answer { status: 200, topic: Some(topic), .. } => health.ignore(topic),
        Decision::Answer { status: 200, outcome, .. } => health.ignore(outcome),
        Decision::Answer { outcome, .. } => health.reject(outcome),
        Decision::Enqueue { .. } | Decision::FetchKeys(_) => {}
    }
}
