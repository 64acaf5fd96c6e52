//! Two profiles that are one person.

use canonical::{Instant, Profile};

use crate::events::StoredEvent;
use crate::profiles::Stored;
use crate::table::{self, Item};
use crate::{Result, Store, Versioned, keys};

impl Store {
    /// Merges `source` into `destination`: attributes, then an alias in the source's place, then its
    /// places on lists and its events move.
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
        let Some(destination) = self.profile(into).await? else {
            // Erased since.
            self.delete_events(id).await?;
            self.delete_listed(id).await?;
            return self.put_alias(id, into, false, None).await;
        };
        self.move_listed(id, &destination).await?;
        let events = self.history(id).await?;
        for event in &events {
            // With this profile they arrive now: the stream will tell of them as of new ones.
            let ingested_at = event.ingested_at.max(destination.value.updated_at);
            let profile_id = destination.value.id.clone();
            self.put_event(&StoredEvent { profile_id, ingested_at, ..event.clone() }).await?;
        }
        let partition = keys::profile(id);
        let moved: Vec<Item> =
            events.iter().map(|stored| table::key(&partition, &keys::event(&stored.event.id))).collect();
        self.batch_delete(&self.profiles, moved).await?;
        self.put_alias(id, into, false, None).await
    }
}
