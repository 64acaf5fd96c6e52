//! The account's time zone: where it changes, everybody's days do.

use canonical::{Instant, hash};
use store::{Error, Job, JobKind, PROFILE_SHARDS, Store};

/// Compares the configured zone with the one the program has, and changes the program and starts the job that brings
/// everybody there if they differ. Whether it did. A definition that changes at the same moment comes first.
pub(crate) async fn follow(store: &Store, zone: &str, now: Instant) -> anyhow::Result<bool> {
    let program = store.program().await?;
    if program.zone.as_deref() == Some(zone) {
        return Ok(false);
    }
    if program.version == 0 {
        // There is nobody whose days could change.
        return settled(store.put_zone(zone, 0, None).await).map(|_| false);
    }
    // First, so that none says it is done before the job is: who breaks off here begins again.
    for segment in store.segments().await?.iter().filter(|segment| segment.is_active) {
        store.segment_is_processing(&segment.id, segment.version).await?;
    }
    let version = program.version + 1;
    let id = hash::long_id(&["change-zone", zone, &version.to_string()]);
    let kind = JobKind::ChangeZone { zone: zone.to_owned(), version };
    let job = Job::new(id, kind, PROFILE_SHARDS, now);
    let is_changed = settled(store.put_zone(zone, version, Some(&job)).await)?;
    if is_changed {
        tracing::warn!(zone, before = program.zone, job = job.id, "the account's zone has changed");
    }
    Ok(is_changed)
}

/// Whether it was written, and not by somebody faster.
fn settled(outcome: store::Result<()>) -> anyhow::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
