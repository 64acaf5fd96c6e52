//! What is done to the archive: forgetting people, and reading deliveries again.

use std::collections::{BTreeMap, BTreeSet};

use ::archive::{Archive, Entry};
use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use platform::Delivery;
use store::{Choice, Job};

use crate::Jobs;

/// Objects of one chunk.
const CHUNK: usize = 200;
/// Objects that are worked on at the same time. Each may be ten megabytes when it is unpacked.
const CONCURRENCY: usize = 4;
/// How often an object that somebody else has written meanwhile is read again.
const ATTEMPTS: u32 = 3;

/// Whom or what the archive is to forget.
pub(crate) struct Erasure<'a> {
    pub(crate) job: &'a Job,
    pub(crate) connection: Option<&'a str>,
    pub(crate) names: &'a BTreeSet<String>,
}

impl Erasure<'_> {
    /// Whether an entry is of the connection, or has one of the names.
    fn means(&self, entry: &Entry) -> bool {
        let is_before = entry.received_at <= self.job.created_at.timestamp();
        let is_meant = match self.connection {
            Some(connection) => entry.connection == connection,
            None => entry.about.iter().any(|name| self.names.contains(name)),
        };
        is_before && is_meant
    }
}

/// The names in an entry by which the tables know best whether somebody was erased since, under whatever name. Each is a
/// read: where the profile is known, that is enough.
fn telling(entry: &Entry) -> impl Iterator<Item = String> {
    let others = entry.about.iter().filter(|_| entry.profiles.is_empty()).cloned();
    entry.profiles.iter().map(|id| store::name_of_profile(id)).chain(others)
}

impl Jobs {
    /// Erases what an erasure means, and what names somebody who was erased otherwise, of the next objects behind `from`.
    /// Returns how many objects there were, and where to go on.
    ///
    /// The job begins a minute after the erasure (nobody announces it but the clock): who was archiving a batch then has ended.
    pub(crate) async fn erase_archived(
        &self,
        erasure: &Erasure<'_>,
        from: Option<&str>,
    ) -> anyhow::Result<(u64, Option<String>)> {
        let archive = self.archive()?;
        let until = erasure.job.created_at.timestamp();
        let keys = archive.keys(Timestamp::UNIX_EPOCH, until, from, CHUNK).await?;
        let work: Vec<_> = keys.iter().map(|key| self.erase_from(archive, key, erasure)).collect();
        stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        Ok(place(keys))
    }

    async fn erase_from(&self, archive: &Archive, key: &str, erasure: &Erasure<'_>) -> anyhow::Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(mut batch) = archive.read(key).await? else { return Ok(()) };
            let names = batch.entries.iter().flat_map(telling).collect();
            let erased = self.store.erased(&names).await?;
            let is_erased = |entry: &Entry| {
                let received_ms = entry.received_at.as_millisecond();
                telling(entry).any(|name| erased.get(&name).is_some_and(|at_ms| received_ms <= *at_ms))
            };
            let meant = batch.entries.iter_mut().filter(|entry| erasure.means(entry) || is_erased(entry));
            if meant.map(Entry::erase).count() == 0 || archive.rewrite(&batch).await? {
                return Ok(());
            }
        }
        bail!("{key} is written by somebody else")
    }

    /// Puts the deliveries that are meant back into the queue, of the next objects behind `from`, as history: what they
    /// tell anew starts nothing and grants no consent, and they are not archived again. Returns how many, and where to
    /// go on.
    pub(crate) async fn replay(
        &self,
        choice: &Choice,
        from: Option<&str>,
    ) -> anyhow::Result<(u64, Option<String>)> {
        let archive = self.archive()?;
        let (first, last) = (choice.from.timestamp(), choice.until.timestamp());
        let keys = archive.keys(first, last, from, CHUNK).await?;
        let mut reads =
            stream::iter(keys.clone()).map(async |key| archive.read(&key).await).buffered(CONCURRENCY);
        let mut replayed = 0;
        while let Some(batch) = reads.try_next().await? {
            let mut parcels: BTreeMap<String, Vec<_>> = BTreeMap::new();
            for entry in batch.into_iter().flat_map(|batch| batch.entries) {
                let is_meant =
                    choice.means(&entry.platform, &entry.connection, &entry.topic, entry.received_at.into());
                let Some(message) = entry.message.filter(|_| is_meant) else { continue };
                let delivery = Delivery { backfill: true, ..Delivery::from_message(&message)? };
                parcels.entry(entry.connection).or_default().push(delivery.to_parcel()?);
                replayed += 1;
            }
            for (connection, parcels) in parcels {
                self.raw_deliveries.send_all(&connection, parcels, self.clock.now()).await?;
            }
        }
        Ok((replayed, place(keys).1))
    }

    fn archive(&self) -> anyhow::Result<&Archive> {
        self.archive.as_ref().context("nothing is archived")
    }
}

/// How many objects there were, and where the next ones begin if there may be any.
fn place(mut keys: Vec<String>) -> (u64, Option<String>) {
    let count = keys.len();
    (count as u64, keys.pop().filter(|_| count >= CHUNK))
}
