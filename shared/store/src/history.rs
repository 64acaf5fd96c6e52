//! What became of memberships: every transition, for a while.

use canonical::Instant;
use serde::{Deserialize, Serialize};

use crate::page::{Listing, Page};
use crate::segments::{Member, MembershipChange};
use crate::table::{Item, from_item, to_item};
use crate::{Cursor, Error, Result, Store, keys};

/// For how long transitions are kept, in days.
pub const HISTORY_DAYS: i64 = 400;
/// The engine's name for a segment that was made, changed or deleted.
const DEFINITION: &str = "definition";
/// Stands behind all evaluations of the same millisecond.
const REMOVED: &str = "removed";
/// Rows that are read at a time where not all are wanted, and how often.
const CHUNK: usize = 250;
const ROUNDS: usize = 20;

/// A membership that began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Unique within its profile.
    pub key: String,
    /// Who.
    pub profile_id: String,
    /// Of what.
    pub segment_id: String,
    /// Began or ended.
    pub entered: bool,
    /// The instant at which it became true.
    pub at: Instant,
    /// What made it so, as the engine writes causes.
    pub cause: String,
}

#[derive(Serialize, Deserialize)]
struct TransitionItem {
    pk: String,
    sk: String,
    /// Segment and shard: a partition of its own in the index of members.
    seg: String,
    /// Time, profile and order: unique.
    joined: String,
    entered: bool,
    cause: String,
    /// When it may go, in seconds since 1970.
    expires: i64,
}

/// The order of a transition within a millisecond: the version of the state that it was written with, and its place in
/// that evaluation. Whoever evaluates again from the same state writes the same item.
pub(crate) fn order(version: u64, place: usize) -> String {
    format!("{version:010}.{place:04}")
}

pub(crate) fn item(profile_id: &str, change: &MembershipChange, order: &str) -> Result<Item> {
    to_item(&TransitionItem {
        pk: keys::profile(profile_id),
        sk: keys::transition(change.at_ms, order, &change.segment_id),
        seg: keys::history_shard(&change.segment_id, profile_id),
        joined: keys::timed(change.at_ms, &format!("{profile_id}#{order}")),
        entered: change.entered,
        cause: change.cause.clone(),
        expires: change.at_ms.div_euclid(1000) + HISTORY_DAYS * 86_400,
    })
}

impl Store {
    /// A page of a profile's transitions, newest first, within inclusive milliseconds; of all segments if none is named.
    pub async fn profile_history(
        &self,
        profile_id: &str,
        segments: &[&str],
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Transition>> {
        let mut listing = Listing {
            table: &self.profiles,
            index: None,
            partition_attribute: "pk",
            partitions: vec![keys::profile(profile_id)],
            sort_attribute: "sk",
            lower: Some(format!("{}{}", keys::HISTORY_PREFIX, keys::timed(bounds_ms.0.unwrap_or(0), ""))),
            upper: Some(match bounds_ms.1 {
                Some(millis) => format!("{}{}", keys::HISTORY_PREFIX, keys::timed(millis, "~")),
                None => format!("{}~", keys::HISTORY_PREFIX),
            }),
            descending: true,
            after,
            size: if segments.is_empty() { size } else { CHUNK.max(size) },
        };
        let mut items = Vec::new();
        for _ in 0..ROUNDS {
            let page = transitions(self.listing(&listing).await?)?;
            let is_wanted = |found: &Transition| segments.contains(&found.segment_id.as_str());
            items.extend(page.items.into_iter().filter(|found| segments.is_empty() || is_wanted(found)));
            listing.after = page.next;
            if listing.after.is_none() || items.len() >= size {
                break;
            }
        }
        if items.len() > size {
            items.truncate(size);
            listing.after = items.last().map(|last| Cursor::behind(&last.key));
        }
        Ok(Page { items, next: listing.after })
    }

    /// A page of a segment's transitions, newest first, within inclusive milliseconds.
    pub async fn segment_history(
        &self,
        segment_id: &str,
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Transition>> {
        let listing = Listing {
            table: &self.profiles,
            index: Some("members-by-segment"),
            partition_attribute: "seg",
            partitions: keys::history_shards(segment_id).collect(),
            sort_attribute: "joined",
            lower: bounds_ms.0.map(|millis| keys::timed(millis, "")),
            upper: bounds_ms.1.map(|millis| keys::timed(millis, "~")),
            descending: true,
            after,
            size,
        };
        transitions(self.listing(&listing).await?)
    }

    /// Tells that memberships ended because their segment was deleted.
    pub(crate) async fn tell_removal(&self, members: &[Member], at: Instant) -> Result<()> {
        let told = members.iter().map(|member| {
            let change = MembershipChange {
                segment_id: member.segment_id.clone(),
                entered: false,
                at_ms: at.as_millis(),
                cause: DEFINITION.to_owned(),
            };
            item(&member.profile_id, &change, REMOVED)
        });
        self.batch_put(&self.profiles, told.collect::<Result<_>>()?).await
    }
}

fn transitions(page: Page<Item>) -> Result<Page<Transition>> {
    let items: Result<Vec<Transition>> = page.items.into_iter().map(read).collect();
    Ok(Page { items: items?, next: page.next })
}

fn read(item: Item) -> Result<Transition> {
    let item: TransitionItem = from_item("transition", item)?;
    let parts = || {
        let mut parts = item.sk.strip_prefix(keys::HISTORY_PREFIX)?.splitn(3, '#');
        let at = Instant::from_millis(parts.next()?.parse().ok()?)?;
        Some((at, parts.nth(1)?.to_owned()))
    };
    let (at, segment_id) = parts().ok_or_else(|| Error::corrupt("transition", "sort key"))?;
    Ok(Transition {
        profile_id: keys::profile_of_key(&item.pk).unwrap_or_default().to_owned(),
        segment_id,
        entered: item.entered,
        at,
        cause: item.cause,
        key: item.sk,
    })
}
