//! The profiles of a bulk import: written chunk by chunk in the order of their rows.

use std::collections::HashSet;

use canonical::identity::{Identifier, Identifiers};
use canonical::profile::PropertyPatch;
use canonical::{Instant, Person, Profile};
use futures::{StreamExt, TryStreamExt, stream};
use store::{BulkError, BulkImport, BulkOutcome, BulkPlace, BulkRow, Error, Resolved, Versioned};

use crate::{CONCURRENCY, Jobs};

/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;

/// What came of a row: the profile it is in, or a reason.
type Written = Result<String, &'static str>;

impl Jobs {
    /// Writes the next chunk. Returns how many rows it had, and whether there are more.
    pub(crate) async fn import_chunk(&self, id: &str) -> anyhow::Result<(u64, bool)> {
        // One that has expired is over.
        let Some(import) = self.store.bulk_import(id).await? else { return Ok((0, false)) };
        let chunk = import.progress.chunks_done;
        if chunk >= import.chunks {
            return Ok((0, false));
        }
        let Some(rows) = self.store.bulk_rows(id, chunk).await? else {
            // Somebody else has just finished it.
            let moved = self.store.bulk_import(id).await?;
            let moved = moved.is_none_or(|import| import.progress.chunks_done > chunk);
            anyhow::ensure!(moved, "the rows of chunk {chunk} are gone");
            return Ok((0, true));
        };
        let count = u64::try_from(rows.len())?;
        let mut outcome = BulkOutcome::default();
        for wave in waves(rows) {
            let work: Vec<_> = wave.into_iter().map(|row| self.import_row(&import, row)).collect();
            let written: Vec<_> = stream::iter(work).buffered(CONCURRENCY).try_collect().await?;
            for row in written {
                match row {
                    Ok(profile) => outcome.profiles.push(profile),
                    Err(error) => outcome.errors.push(error),
                }
            }
        }
        self.store.finish_bulk_chunk(&import, &outcome, self.clock.now().into()).await?;
        Ok((count, chunk + 1 < import.chunks))
    }

    async fn import_row(
        &self,
        import: &BulkImport,
        row: BulkRow,
    ) -> anyhow::Result<Result<String, BulkError>> {
        let (place, id, person, patch) = match row {
            BulkRow::Refused(error) => return Ok(Err(error)),
            BulkRow::Profile { place, id, person, patch } => (place, id, person, patch),
        };
        let (identifiers, _) = Identifiers::of(&person, "");
        // All rows are of the time of the request: what was written since stays, and a row that is written again
        // changes nothing.
        let at = import.created_at;
        let written = match id {
            Some(id) => self.import_by_id(&id, &identifiers, &person, &patch, at).await?,
            None => self.import_person(&identifiers, &person, &patch, at).await?,
        };
        Ok(written.map_err(|reason| refusal(place, reason)))
    }

    async fn import_person(
        &self,
        identifiers: &Identifiers,
        person: &Person,
        patch: &PropertyPatch,
        at: Instant,
    ) -> anyhow::Result<Written> {
        let now = Instant::from(self.clock.now());
        let mut fits = true;
        let change = |profile: &mut Profile| {
            let changed = applied(profile, person, patch, at);
            fits = changed.is_some();
            changed.unwrap_or_default()
        };
        let outcome = self.store.update_person(identifiers, Some(at), now, change).await?;
        Ok(match outcome {
            Resolved::Profile { .. } if !fits => Err("A profile has at most 400 properties."),
            Resolved::Profile { profile, .. } => Ok(profile.id),
            Resolved::Erased => Err("The profile was erased after the import was asked for."),
            Resolved::Nobody => Err("The row names nobody."),
        })
    }

    /// A profile that is named by its id gets the identifiers of the row in place of its own.
    async fn import_by_id(
        &self,
        id: &str,
        identifiers: &Identifiers,
        person: &Person,
        patch: &PropertyPatch,
        at: Instant,
    ) -> anyhow::Result<Written> {
        let mut attempt = 0;
        loop {
            match self.try_import_by_id(id, identifiers, person, patch, at).await {
                Err(Error::Conflict) if attempt < ATTEMPTS => attempt += 1,
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn try_import_by_id(
        &self,
        id: &str,
        identifiers: &Identifiers,
        person: &Person,
        patch: &PropertyPatch,
        at: Instant,
    ) -> store::Result<Written> {
        let Some(Versioned { value: before, version }) = self.store.profile(id).await? else {
            return Ok(Err("A profile with this id does not exist."));
        };
        let mut after = before.clone();
        for (slot, given) in [
            (&mut after.external_id, &identifiers.external_id),
            (&mut after.email, &identifiers.email),
            (&mut after.phone_number, &identifiers.phone_number),
            (&mut after.anonymous_id, &identifiers.anonymous_id),
        ] {
            if given.is_some() {
                slot.clone_from(given);
            }
        }
        let Some(changed) = applied(&mut after, person, patch, at) else {
            return Ok(Err("A profile has at most 400 properties."));
        };
        let (old, new) = (names(&before), names(&after));
        // What is new is claimed first and what is gone is freed last, so that no moment exists at which an
        // identifier of the profile is nobody's.
        for name in new.iter().filter(|name| !old.contains(name)) {
            match self.store.claim_identifier(name, &after.id).await {
                Err(Error::Taken(_)) => {
                    return Ok(Err("Another profile has one of these identifiers."));
                }
                outcome => outcome?,
            }
        }
        if changed || old != new {
            after.updated_at = Instant::from(self.clock.now()).max(before.updated_at);
            self.store.put_profile(&after, version).await?;
        }
        for name in old.iter().filter(|name| !new.contains(name)) {
            self.store.release_identifier(name, None).await?;
        }
        Ok(Ok(after.id))
    }
}

fn refusal(place: BulkPlace, reason: &str) -> BulkError {
    BulkError { place, code: "invalid".to_owned(), detail: reason.to_owned() }
}

/// Applies a row; whether that changed anything. `None`, and nothing is applied, if it has too many properties.
fn applied(profile: &mut Profile, person: &Person, patch: &PropertyPatch, at: Instant) -> Option<bool> {
    let mut after = profile.clone();
    let outcome = after.apply_attributes(&person.attributes, at.as_millis());
    if outcome.dropped > 0 {
        return None;
    }
    let patched = after.apply_patch(patch, at.as_millis());
    *profile = after;
    Some(outcome.changed || patched)
}

fn names(profile: &Profile) -> Vec<Identifier> {
    let identifiers = Identifiers {
        external_id: profile.external_id.clone(),
        email: profile.email.clone(),
        phone_number: profile.phone_number.clone(),
        anonymous_id: profile.anonymous_id.clone(),
        customer: None,
    };
    identifiers.ranked()
}

/// Rows that name different people are written at the same time; a row that shares a name with one before it waits
/// until that one is written.
fn waves(rows: Vec<BulkRow>) -> Vec<Vec<BulkRow>> {
    let mut waves: Vec<Vec<BulkRow>> = vec![Vec::new()];
    let mut taken: HashSet<String> = HashSet::new();
    for row in rows {
        let named = match &row {
            BulkRow::Profile { id, person, .. } => {
                let names = Identifiers::of(person, "").0.ranked().into_iter().map(|name| name.key());
                names.chain(id.clone()).collect()
            }
            BulkRow::Refused(_) => Vec::new(),
        };
        if named.iter().any(|name| taken.contains(name)) {
            waves.push(Vec::new());
            taken.clear();
        }
        taken.extend(named);
        if let Some(wave) = waves.last_mut() {
            wave.push(row);
        }
    }
    waves
}
