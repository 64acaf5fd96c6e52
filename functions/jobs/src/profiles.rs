//! The profiles of a bulk import: written chunk by chunk in the order of their rows.

use std::collections::HashSet;

use canonical::identity::{IdentifierPatch, Identifiers};
use canonical::profile::PropertyPatch;
use canonical::{Instant, Person, Profile};
use futures::{StreamExt, TryStreamExt, stream};
use store::{BulkError, BulkImport, BulkOutcome, BulkPlace, BulkRow, Error, Joined, Resolved};

use crate::{CONCURRENCY, Jobs};

/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;

const FULL: &str = "A profile has at most 400 properties.";

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
        let lists = self.lists_that_are_there(&import.lists).await?;
        let mut outcome = BulkOutcome::default();
        for wave in waves(rows) {
            let work: Vec<_> = wave.into_iter().map(|row| self.import_row(&import, &lists, row)).collect();
            let written: Vec<_> = stream::iter(work).buffered(CONCURRENCY).try_collect().await?;
            for row in written {
                match row {
                    Ok(profile) => outcome.profiles.push(profile),
                    Err(error) => outcome.errors.push(error),
                }
            }
        }
        self.leave_deleted(&lists, &outcome.profiles).await?;
        self.store.finish_bulk_chunk(&import, &outcome, self.clock.now().into()).await?;
        Ok((count, chunk + 1 < import.chunks))
    }

    async fn import_row(
        &self,
        import: &BulkImport,
        lists: &[String],
        row: BulkRow,
    ) -> anyhow::Result<Result<String, BulkError>> {
        let (place, id, row) = match row {
            BulkRow::Refused(error) => return Ok(Err(error)),
            BulkRow::Profile { place, id, person, patch, identifiers } => {
                // All rows are of the time of the request: what was written since stays, and a row that is written
                // again changes nothing.
                let at = import.created_at;
                let told_at = import.first_sent_at.unwrap_or(at);
                (place, id, Row { person, patch, identifiers, at, told_at })
            }
        };
        let written = match id {
            Some(id) => self.import_by_id(&id, &row).await?,
            None => self.import_person(&row).await?,
        };
        let listed = match written {
            Ok(profile) => self.join_lists(profile, lists).await?,
            refused => refused,
        };
        Ok(listed.map_err(|reason| refusal(place, reason)))
    }

    async fn join_lists(&self, profile: String, lists: &[String]) -> store::Result<Written> {
        for list in lists {
            let joined = self.store.join_list(&profile, list, self.clock.now().into()).await?;
            if joined == Joined::Full {
                return Ok(Err("The profile was imported, but it is on 1000 lists already."));
            }
        }
        Ok(Ok(profile))
    }

    /// Lists may be deleted while an import waits.
    async fn lists_that_are_there(&self, lists: &[String]) -> store::Result<Vec<String>> {
        let mut found = Vec::new();
        for list in lists {
            if self.store.list(list).await?.is_some() {
                found.push(list.clone());
            }
        }
        Ok(found)
    }

    /// Who has been put on a list after it was deleted and emptied must not stay behind.
    async fn leave_deleted(&self, lists: &[String], profiles: &[String]) -> store::Result<()> {
        let there = self.lists_that_are_there(lists).await?;
        for list in lists.iter().filter(|list| !there.contains(list)) {
            for profile in profiles {
                self.store.leave_list(profile, list, self.clock.now().into()).await?;
            }
        }
        Ok(())
    }

    async fn import_person(&self, row: &Row) -> anyhow::Result<Written> {
        let now = Instant::from(self.clock.now());
        let mut fits = true;
        let change = |profile: &mut Profile| {
            let changed = row.applied(profile);
            fits = changed.is_some();
            changed.unwrap_or_default()
        };
        let (identifiers, _) = Identifiers::of(&row.person, "");
        let outcome = self.store.update_person(&identifiers, Some(row.told_at), now, change).await?;
        match outcome {
            Resolved::Profile { .. } if !fits => Ok(Err(FULL)),
            Resolved::Profile { profile, .. } if row.identifiers.is_empty() => Ok(Ok(profile.id)),
            Resolved::Profile { profile, .. } => self.import_by_id(&profile.id, row).await,
            Resolved::Erased => Ok(Err("The profile was erased after this request was first made.")),
            Resolved::Nobody => Ok(Err("The row names nobody.")),
        }
    }

    /// A profile that is named by its id gets the identifiers of the row in place of its own.
    async fn import_by_id(&self, id: &str, row: &Row) -> anyhow::Result<Written> {
        let mut attempt = 0;
        loop {
            match self.try_import_by_id(id, row).await {
                Err(Error::Conflict) if attempt < ATTEMPTS => attempt += 1,
                Err(Error::Taken(_)) => return Ok(Err("Another profile has one of these identifiers.")),
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn try_import_by_id(&self, id: &str, row: &Row) -> store::Result<Written> {
        let Some(before) = self.store.profile(id).await? else {
            return Ok(Err("A profile with this id does not exist."));
        };
        let mut after = before.value.clone();
        let (given, _) = Identifiers::of(&row.person, "");
        for (slot, given) in [
            (&mut after.external_id, given.external_id),
            (&mut after.email, given.email),
            (&mut after.phone_number, given.phone_number),
            (&mut after.anonymous_id, given.anonymous_id),
        ] {
            *slot = given.or(slot.take());
        }
        row.identifiers.apply(&mut after);
        if after.identifiers().is_empty() && !before.value.identifiers().is_empty() {
            return Ok(Err("A profile must keep at least one identifier."));
        }
        if row.applied(&mut after).is_none() {
            return Ok(Err(FULL));
        }
        if after != before.value {
            after.updated_at = Instant::from(self.clock.now()).max(before.value.updated_at);
        }
        Ok(Ok(self.store.put_identified(&before, &after, &row.identifiers).await?.id))
    }
}

/// What a row says of a profile.
struct Row {
    person: Person,
    patch: PropertyPatch,
    identifiers: IdentifierPatch,
    /// Of when it is.
    at: Instant,
    /// When it was said first.
    told_at: Instant,
}

impl Row {
    /// Applies attributes; whether that changed anything. `None`, and nothing is applied, if there would be too many
    /// properties.
    fn applied(&self, profile: &mut Profile) -> Option<bool> {
        let mut after = profile.clone();
        let outcome = after.apply_attributes(&self.person.attributes, self.at.as_millis());
        if outcome.dropped > 0 {
            return None;
        }
        let patched = after.apply_patch(&self.patch, self.at.as_millis());
        *profile = after;
        Some(outcome.changed || patched)
    }
}

fn refusal(place: BulkPlace, reason: &str) -> BulkError {
    BulkError { place, code: "invalid".to_owned(), detail: reason.to_owned() }
}

/// Rows that name different people are written at the same time; a row that shares a name with one before it waits
/// until that one is written.
fn waves(rows: Vec<BulkRow>) -> Vec<Vec<BulkRow>> {
    let mut waves: Vec<Vec<BulkRow>> = vec![Vec::new()];
    let mut taken: HashSet<String> = HashSet::new();
    for row in rows {
        let named = match &row {
            BulkRow::Profile { id, person, identifiers, .. } => {
                let names = Identifiers::of(person, "").0.ranked().into_iter();
                let others = identifiers.append.iter().chain(&identifiers.unappend).cloned();
                names.chain(others).map(|name| name.key()).chain(id.clone()).collect()
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
