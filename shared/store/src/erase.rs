//! The right to be forgotten.

use canonical::{Instant, Profile};

use crate::profiles::Stored;
use crate::table::{self, Item};
use crate::{Error, Job, Result, Store, Versioned, keys};

impl Store {
    /// Erases a person: events, attributes, memberships, places on lists, what they wait for. Their identifiers stay only as digests with the time of
    /// the erasure, so that an old delivery that comes again does not bring the person back.
    ///
    /// The tombstone comes first: what a crash leaves undone is finished by whoever meets it next.
    pub async fn erase_profile(&self, profile: &Versioned<Profile>, now: Instant) -> Result<()> {
        let Versioned { value, version } = profile;
        self.put_tombstone(&value.id, now.as_millis(), true, *version).await?;
        self.finish_erasure(&value.id, now.as_millis(), version + 1).await?;
        self.release_erased(value.identifiers().into_iter()).await
    }

    /// Begins to erase a person in one transaction: the profile is gone at once. All that lies with it is left to the job,
    /// which is written with it and settles the profile. [`Error::Conflict`] if it has changed since it was read.
    pub async fn begin_erasure(&self, profile: &Versioned<Profile>, job: &Job, now: Instant) -> Result<()> {
        let Versioned { value, version } = profile;
        let tombstone = self.put_tombstone_write(&value.id, now.as_millis(), *version)?;
        self.transact(vec![tombstone, self.put_job(job)?]).await?;
        self.release_erased(value.identifiers().into_iter()).await
    }

    /// Removes what is left behind a tombstone.
    pub(crate) async fn finish_erasure(&self, id: &str, at_ms: i64, version: u64) -> Result<()> {
        self.delete_events(id).await?;
        self.delete_listed(id).await?;
        self.delete_back_in_stock(id).await?;
        self.delete_evaluation(id).await?;
        match self.put_tombstone(id, at_ms, false, version).await {
            // Somebody else finished it.
            Err(Error::Conflict) => Ok(()),
            outcome => outcome,
        }
    }

    /// Removes all events under a profile's id.
    pub(crate) async fn delete_events(&self, id: &str) -> Result<()> {
        let partition = keys::profile(id);
        let events = self.partition(&self.profiles, &partition, keys::EVENT_PREFIX).await?;
        let doomed: Vec<Item> = events.iter().filter_map(table::key_of).collect();
        self.batch_delete(&self.profiles, doomed).await
    }

    /// Erases what a connection brought: its events in one profile, and the profile itself if nothing else is
    /// left of it. Returns how many events went.
    pub async fn erase_connection_from(
        &self,
        profile_id: &str,
        connection: &str,
        now: Instant,
    ) -> Result<usize> {
        if let Stored::Erased { version, at_ms, removing: true } = self.stored_profile(profile_id).await? {
            self.finish_erasure(profile_id, at_ms, version).await?;
            return Ok(0);
        }
        let history = self.history(profile_id).await?;
        let (theirs, others): (Vec<_>, Vec<_>) =
            history.into_iter().partition(|stored| stored.event.source.connection == connection);
        if theirs.is_empty() {
            return Ok(0);
        }
        let erased = theirs.len();
        if others.is_empty()
            && let Some(profile) = self.profile(profile_id).await?
        {
            self.erase_profile(&profile, now).await?;
            return Ok(erased);
        }
        let partition = keys::profile(profile_id);
        let doomed: Vec<Item> =
            theirs.iter().map(|stored| table::key(&partition, &keys::event(&stored.event.id))).collect();
        self.batch_delete(&self.profiles, doomed).await?;
        Ok(erased)
    }

    /// Erases what the catalog knows through a connection.
    pub async fn erase_catalog(&self, connection: &str) -> Result<()> {
        self.delete_catalog(connection).await
    }
}
