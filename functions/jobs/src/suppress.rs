//! Suppressing the members of a list or a segment, or taking that back.

use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::USER_SUPPRESSED;
use canonical::{Instant, Profile};
use futures::{StreamExt, TryStreamExt, stream};
use store::{Cursor, SuppressedGroup, SuppressionJob};

use crate::{CHUNK, CONCURRENCY, Jobs};

impl Jobs {
    /// Works on the next members. Returns how many there were, and whether there are more.
    pub(crate) async fn suppress_chunk(&self, id: &str) -> anyhow::Result<(u64, bool)> {
        // One that has expired is over.
        let Some(record) = self.store.suppression_job(id).await? else { return Ok((0, false)) };
        if record.progress.ended_at.is_some() {
            return Ok((0, false));
        }
        let now = Instant::from(self.clock.now());
        let after = record.progress.place.as_deref().and_then(Cursor::decode);
        // Those who join later are not meant.
        let bounds = (None, Some(record.created_at.as_millis()));
        let (members, next): (Vec<String>, _) = match &record.group {
            Some(SuppressedGroup::List(list)) if self.store.list(list).await?.is_some() => {
                let page = self.store.listed(list, false, bounds, after, CHUNK).await?;
                (page.items.into_iter().map(|listed| listed.profile_id).collect(), page.next)
            }
            Some(SuppressedGroup::Segment(segment)) if self.store.segment(segment).await?.is_some() => {
                let page = self.store.members(segment, false, bounds, after, CHUNK).await?;
                (page.items.into_iter().map(|member| member.profile_id).collect(), page.next)
            }
            // It is gone, and with it who was meant.
            Some(_) | None => {
                self.store.cancel_suppression(id, now).await?;
                return Ok((0, false));
            }
        };
        let work: Vec<_> = members.iter().map(|profile| self.suppress(&record, profile, now)).collect();
        let changed: Vec<bool> = stream::iter(work).buffer_unordered(CONCURRENCY).try_collect().await?;
        let total = u64::try_from(members.len())?;
        let changed = u64::try_from(changed.into_iter().filter(|changed| *changed).count())?;
        let to = next.map(|next| next.encode());
        self.store.note_suppressed(&record, (changed, total - changed), to.as_deref(), now).await?;
        Ok((total, to.is_some()))
    }

    /// Whether it changed somebody.
    async fn suppress(&self, record: &SuppressionJob, profile: &str, now: Instant) -> anyhow::Result<bool> {
        let at = record.created_at;
        let mut changed = false;
        let change = |profile: &mut Profile| {
            if record.suppresses {
                // Done before, if the chunk is done again. Counts all the same.
                let done = is_suppressed_at(profile, at);
                let written = !has_subscribed_since(profile, at) && profile.suppress(at);
                changed = done || written;
                written
            } else {
                changed = profile.unsuppress();
                changed
            }
        };
        self.store.update_profile(profile, now, change).await?;
        Ok(changed)
    }
}

fn is_suppressed_at(profile: &Profile, at: Instant) -> bool {
    let consent = profile.consent.get(&Channel::Email);
    consent.is_some_and(|consent| {
        consent.suppressions.iter().any(|one| one.reason == USER_SUPPRESSED && one.at == at)
    })
}

/// Whether somebody has said yes after the suppression was asked for, which lifts it.
fn has_subscribed_since(profile: &Profile, at: Instant) -> bool {
    let consent = profile.consent.get(&Channel::Email);
    consent.is_some_and(|consent| consent.status == ConsentStatus::Subscribed && consent.at > Some(at))
}
