//! Two profiles that are one person.

use canonical::{Instant, Profile};
use futures::{StreamExt, TryStreamExt, stream};

use crate::events::{StoredEvent, read_event_image};
use crate::profiles::Stored;
use crate::table::{self, Item, item_text};
use crate::{Job, Result, Store, Versioned, keys};

/// Events that are moved or removed in one go.
const CHUNK: usize = 200;
/// Events that are written at the same time.
const CONCURRENCY: usize = 8;
/// Places on lists that change hands within the transaction of a merge; a transaction takes 100 items, and each place is
/// two. Of more, the rest follows with the events.
const LISTS_AT_ONCE: usize = 40;

impl Store {
    /// Merges `source` into `destination`: attributes, then an alias in the source's place, then its
    /// places on lists, what it waits for and its events move.
    /// Every step can be repeated; what a crash left undone is finished by whoever meets the alias next.
    pub async fn merge_profiles(
        &self,
        mut destination: Versioned<Profile>,
        source: Versioned<Profile>,
        now: Instant,
    ) -> Result<Versioned<Profile>> {
        destination.value.merge(&source.value);
        destination.value.updated_at = now.max(destination.value.updated_at);
        let destination = self.put_profile(&destination.value, destination.version).await?;
        self.put_alias(&source.value.id, &destination.value.id, true, Some(source.version)).await?;
        self.move_events(&source.value.id, &destination.value.id).await?;
        Ok(destination)
    }

    /// Merges `source` into `destination` in one transaction, but for its events: those are left to the job, which is
    /// written with it and settles the source. [`crate::Error::Conflict`] if one of the two has changed since it was
    /// read.
    pub async fn begin_merge(
        &self,
        destination: &Versioned<Profile>,
        source: &Versioned<Profile>,
        job: &Job,
        now: Instant,
    ) -> Result<Profile> {
        let mut merged = destination.value.clone();
        merged.merge(&source.value);
        merged.updated_at = now.max(merged.updated_at);
        let mut writes = vec![
            self.put_profile_write(&merged, destination.version)?,
            self.put_alias_write(&source.value.id, &merged.id, source.version)?,
            self.put_job(job)?,
        ];
        for (list, _) in source.value.lists.iter().take(LISTS_AT_ONCE) {
            writes.extend(self.hand_over_listed(&source.value.id, &merged, list)?);
        }
        self.transact(writes).await?;
        Ok(merged)
    }

    /// Goes on with what is left of a profile that merged into another or was erased: moves or removes its next events,
    /// behind `after`, and at the end all else. Returns how many events there were, and where to go on. Does nothing
    /// for any other profile.
    pub async fn settle(&self, id: &str, after: Option<&str>) -> Result<(usize, Option<String>)> {
        match self.stored_profile(id).await? {
            Stored::Alias { into, .. } => self.move_next(id, &into, after).await,
            Stored::Erased { version, at_ms, .. } => self.remove_next(id, at_ms, version, after).await,
            Stored::Profile(_) | Stored::Nothing => Ok((0, None)),
        }
    }

    /// Moves the events that lie with a merged profile, and removes those that lie with an erased one: written there
    /// by somebody who did not know of it yet. Does nothing for any other profile.
    pub async fn move_strays(&self, id: &str) -> Result<()> {
        match self.stored_profile(id).await? {
            Stored::Alias { into, .. } => self.move_events(id, &into).await,
            Stored::Erased { .. } => self.delete_events(id).await,
            Stored::Profile(_) | Stored::Nothing => Ok(()),
        }
    }

    pub(crate) async fn move_events(&self, id: &str, into: &str) -> Result<()> {
        let mut after = None;
        loop {
            after = self.move_next(id, into, after.as_deref()).await?.1;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn move_next(&self, id: &str, into: &str, after: Option<&str>) -> Result<(usize, Option<String>)> {
        let Some(destination) = self.profile(into).await? else {
            // Erased since.
            self.delete_events(id).await?;
            self.delete_listed(id).await?;
            self.delete_back_in_stock(id).await?;
            self.put_alias(id, into, false, None).await?;
            return Ok((0, None));
        };
        if after.is_none() {
            self.move_listed(id, &destination).await?;
            self.move_back_in_stock(id, &destination.value.id).await?;
        }
        let items = self.next_events(id, after).await?;
        let (count, next) = place(&items);
        let mut moved = Vec::with_capacity(count);
        let mut writes = Vec::with_capacity(count);
        for item in items {
            let Some(key) = table::key_of(&item) else { continue };
            // One that cannot be read stays where it is.
            let event = match read_event_image(item) {
                Ok(event) => event,
                Err(error) => {
                    tracing::error!(profile_id = id, error = %error, "event cannot be read and is not moved");
                    continue;
                }
            };
            moved.push(key);
            // With this profile they arrive now: the stream will tell of them as of new ones.
            let ingested_at = event.ingested_at.max(destination.value.updated_at);
            let profile_id = destination.value.id.clone();
            writes.push(async move {
                self.put_event(&StoredEvent { profile_id, ingested_at, ..event }).await.map(drop)
            });
        }
        stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        self.batch_delete(&self.profiles, moved).await?;
        if next.is_none() {
            self.put_alias(id, into, false, None).await?;
        }
        Ok((count, next))
    }

    async fn remove_next(
        &self,
        id: &str,
        at_ms: i64,
        version: u64,
        after: Option<&str>,
    ) -> Result<(usize, Option<String>)> {
        let items = self.next_events(id, after).await?;
        let (count, next) = place(&items);
        self.batch_delete(&self.profiles, items.iter().filter_map(table::key_of).collect()).await?;
        if next.is_none() {
            self.finish_erasure(id, at_ms, version).await?;
        }
        Ok((count, next))
    }

    async fn next_events(&self, id: &str, after: Option<&str>) -> Result<Vec<Item>> {
        let after = after.unwrap_or(keys::EVENT_PREFIX);
        self.partition_after(&self.profiles, &keys::profile(id), keys::EVENT_PREFIX, after, CHUNK).await
    }
}

/// How many items there are, and where the next ones begin if there may be any.
fn place(items: &[Item]) -> (usize, Option<String>) {
    let last = items.last().and_then(|item| item_text(item, "sk"));
    (items.len(), last.filter(|_| items.len() >= CHUNK).map(str::to_owned))
}
