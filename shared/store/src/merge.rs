//! Two profiles that are one person.

use canonical::{Instant, Profile};

use crate::events::StoredEvent;
use crate::profiles::Stored;
use crate::table::{self, Item};
use crate::{Result, Store, Versioned, keys};

impl Store {
    /// Merges `source` into `destination`: attributes, then an alias in the source's place, then its events move.
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
        self.finish_merge(&source.value.id).await?;
        Ok(destination)
    }

    /// Moves the events of a merged profile that are still there. Does nothing for any other profile.
    pub(crate) async fn finish_merge(&self, id: &str) -> Result<()> {
        let Stored::Alias { into, moving: true } = self.stored_profile(id).await? else { return Ok(()) };
        let events = self.history(id).await?;
        for event in &events {
            self.put_event(&StoredEvent { profile_id: into.clone(), ..event.clone() }).await?;
        }
        let partition = keys::profile(id);
        let moved: Vec<Item> =
            events.iter().map(|stored| table::key(&partition, &keys::event(&stored.event.id))).collect();
        self.batch_delete(&self.profiles, moved).await?;
        self.put_alias(id, &into, false, None).await
    }
}
