//! The right to be forgotten.

use canonical::identity::Identifier;
use canonical::{Instant, Profile};

use crate::table::{self, Item, item_text};
use crate::{Result, Store, Versioned, keys};

impl Store {
    /// Erases a person: events, attributes, memberships. Their identifiers stay only as digests with the time of
    /// the erasure, so that an old delivery that comes again does not bring the person back.
    pub async fn erase_profile(&self, profile: &Versioned<Profile>, now: Instant) -> Result<()> {
        let Versioned { value, version } = profile;
        let identifiers = [
            value.external_id.clone().map(Identifier::ExternalId),
            value.email.clone().map(Identifier::Email),
            value.phone_number.clone().map(Identifier::Phone),
            value.anonymous_id.clone().map(Identifier::Anonymous),
        ];
        for identifier in identifiers.into_iter().flatten() {
            self.release_identifier(&identifier, Some(now)).await?;
        }
        self.put_tombstone(&value.id, *version).await?;
        let partition = keys::profile(&value.id);
        let events = self.partition(&self.profiles, &partition, keys::EVENT_PREFIX).await?;
        let doomed: Vec<Item> =
            events.iter().filter_map(|item| Some(table::key(&partition, item_text(item, "sk")?))).collect();
        self.batch_delete(&self.profiles, doomed).await?;
        self.delete_evaluation(&value.id).await
    }

    /// Erases what a connection brought: its events in one profile, and the profile itself if nothing else is
    /// left of it. Returns how many events went.
    pub async fn erase_connection_from(
        &self,
        profile_id: &str,
        connection: &str,
        now: Instant,
    ) -> Result<usize> {
        let history = self.history(profile_id).await?;
        let (theirs, others): (Vec<_>, Vec<_>) =
            history.into_iter().partition(|stored| stored.event.source.connection == connection);
        if theirs.is_empty() {
            return Ok(0);
        }
        let partition = keys::profile(profile_id);
        let doomed: Vec<Item> =
            theirs.iter().map(|stored| table::key(&partition, &keys::event(&stored.event.id))).collect();
        let erased = doomed.len();
        self.batch_delete(&self.profiles, doomed).await?;
        if others.is_empty()
            && let Some(profile) = self.profile(profile_id).await?
        {
            self.erase_profile(&profile, now).await?;
        }
        Ok(erased)
    }

    /// Erases what the catalog knows through a connection.
    pub async fn erase_catalog(&self, connection: &str) -> Result<()> {
        self.delete_catalog(connection).await
    }
}
