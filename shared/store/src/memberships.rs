//! Memberships: one item for each profile and segment says since when and why it lasts, or until when and why it lasted.
//! When it begins again, what it was becomes an item of the history.
//!
//! While a changed definition is brought to everybody, what it changes is staged: the segment shows what it showed, until
//! all are through. Then one write to the segment shows all of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use canonical::Instant;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::page::{Listing, Page};
use crate::table::{self, Item, Unless, from_item, to_item};
use crate::{Cursor, Error, Result, Store, keys};

/// For how long memberships that ended are kept, in days.
pub const HISTORY_DAYS: i64 = 400;
/// The engine's name for a segment that was made, changed or deleted.
const DEFINITION: &str = "definition";
/// Stands behind all evaluations of the same millisecond.
const REMOVED: &str = "removed";
/// How often a page is read on where some of its rows are hidden.
const ROUNDS: usize = 20;
/// Memberships of one profile that are written at the same time.
const CONCURRENCY: usize = 8;

/// A membership that began or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipChange {
    /// The segment.
    #[serde(rename = "s")]
    pub segment_id: String,
    /// Began or ended.
    #[serde(rename = "e")]
    pub entered: bool,
    /// The instant at which it became true.
    #[serde(rename = "t")]
    pub at_ms: i64,
    /// What made it so, as the engine writes causes.
    #[serde(rename = "c")]
    pub cause: String,
    /// Where the segment still shows what it was before its definition changed.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Staged>,
}

/// A definition that does not show yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Its version.
    #[serde(rename = "v")]
    pub version: u64,
    /// The version that shows.
    #[serde(rename = "p")]
    pub shown: u64,
}

/// What an evaluation says of memberships.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The version of the state that was written with it.
    #[serde(rename = "v")]
    pub version: u64,
    /// What began and ended, in this order.
    #[serde(rename = "m")]
    pub changes: Vec<MembershipChange>,
}

/// A profile's membership in a segment, past or present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Unique among what is known of its profile.
    pub key: String,
    /// Who.
    pub profile_id: String,
    /// Of what.
    pub segment_id: String,
    /// Whether it lasts.
    pub current: bool,
    /// When it began.
    pub joined_at: Option<Instant>,
    /// Why it began.
    pub joined_cause: Option<String>,
    /// When it ended.
    pub left_at: Option<Instant>,
    /// Why it ended.
    pub left_cause: Option<String>,
}

/// As stored: `s#<segment>` the last one, `h#<end>#<order>#<segment>` those before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemberItem {
    pk: String,
    sk: String,
    /// The version of the state that it was last written for.
    v: u64,
    /// The partition of the index of members: the segment while it lasts, a part of the segment's history after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seg: Option<String>,
    /// The index's sort key: when it last changed, and what makes that unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined_cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_cause: Option<String>,
    /// Which of the ends of the same millisecond it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_order: Option<String>,
    /// The version of the definition from which on it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    /// The version of the definition from which on it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// When it may go, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
}

impl MemberItem {
    fn none(profile_id: &str, segment: &str) -> Self {
        Self {
            pk: keys::profile(profile_id),
            sk: keys::member(segment),
            v: 0,
            seg: None,
            joined: None,
            joined_ms: None,
            joined_cause: None,
            left_ms: None,
            left_cause: None,
            left_order: None,
            from: None,
            until: None,
            expires: None,
        }
    }

    fn profile_id(&self) -> &str {
        keys::profile_of_key(&self.pk).unwrap_or_default()
    }

    fn segment_id(&self) -> &str {
        keys::segment_of_member(&self.sk)
    }

    /// Whether it is in the index of members, where it may be hidden.
    fn is_listed(&self) -> bool {
        self.seg.as_deref() == Some(self.segment_id())
    }

    /// Whether it lasts by the newest definition.
    fn lasts(&self) -> bool {
        self.is_listed() && self.until.is_none()
    }

    /// Whether it lasts by the definition that shows.
    fn shows(&self, shown: u64) -> bool {
        let begun = self.from.is_none_or(|from| from <= shown);
        self.is_listed() && begun && self.until.is_none_or(|until| until > shown)
    }

    /// The membership that began; and the one before, if there was one, as an item of the history.
    fn begin(self, change: &MembershipChange) -> (Self, Option<Self>) {
        let still_shows = |until| change.staged.is_some_and(|staged| until > staged.shown);
        if self.until.is_some_and(still_shows) {
            // Nobody has seen that it ended.
            let back = Self { until: None, left_ms: None, left_cause: None, left_order: None, ..self };
            return (back, None);
        }
        let (profile, segment) = (self.profile_id().to_owned(), self.segment_id().to_owned());
        let begun = Self {
            seg: Some(segment.clone()),
            joined: Some(keys::timed(change.at_ms, &profile)),
            joined_ms: Some(change.at_ms),
            joined_cause: Some(change.cause.clone()),
            from: change.staged.map(|staged| staged.version),
            ..Self::none(&profile, &segment)
        };
        (begun, self.ended().past())
    }

    /// The membership that ended, where `order` tells the ends of one millisecond apart.
    fn end(self, change: &MembershipChange, order: &str) -> Self {
        let left = Self {
            left_ms: Some(change.at_ms),
            left_cause: Some(change.cause.clone()),
            left_order: Some(order.to_owned()),
            ..self
        };
        match change.staged {
            // Nobody has seen it.
            Some(staged) if left.from.is_some_and(|from| from > staged.shown) => Self {
                expires: Some(expiry(change.at_ms)),
                ..Self::none(left.profile_id(), left.segment_id())
            },
            Some(staged) => Self { until: Some(staged.version), ..left },
            None => left.ended(),
        }
    }

    /// Moves one that has ended from the members to the history, in the index.
    fn ended(self) -> Self {
        let (Some(left_ms), Some(order)) = (self.left_ms, &self.left_order) else { return self };
        let profile = self.profile_id();
        Self {
            seg: Some(keys::history_shard(self.segment_id(), profile)),
            joined: Some(keys::timed(left_ms, &format!("{profile}#{order}"))),
            from: None,
            until: None,
            expires: Some(expiry(left_ms)),
            ..self
        }
    }

    /// One that has ended, under a key under which it stays.
    fn past(self) -> Option<Self> {
        let sk = keys::past_member(self.left_ms?, self.left_order.as_deref()?, self.segment_id());
        Some(Self { sk, ..self })
    }

    fn read(self, shown: u64) -> Member {
        let current = self.shows(shown);
        let ended = (!current).then_some(()).and(self.left_ms);
        Member {
            profile_id: self.profile_id().to_owned(),
            segment_id: self.segment_id().to_owned(),
            current,
            joined_at: self.joined_ms.and_then(Instant::from_millis),
            joined_cause: self.joined_cause,
            left_at: ended.and_then(Instant::from_millis),
            left_cause: ended.and(self.left_cause),
            key: self.sk,
        }
    }
}

fn expiry(left_ms: i64) -> i64 {
    left_ms.div_euclid(1000) + HISTORY_DAYS * 86_400
}

/// What carrying out something told comes to for one segment: the item as it is then, and what became history.
fn carried(item: MemberItem, told: &Told) -> (MemberItem, Vec<MemberItem>) {
    let segment = item.segment_id().to_owned();
    let (mut item, mut past) = (item, Vec::new());
    for (place, change) in told.changes.iter().enumerate() {
        if change.segment_id != segment || item.lasts() == change.entered {
            continue;
        }
        if change.entered {
            let (begun, before) = item.begin(change);
            past.extend(before);
            item = begun;
        } else {
            item = item.end(change, &format!("{:010}.{place:04}", told.version));
        }
        item.v = told.version;
    }
    (item, past)
}

impl Store {
    /// The items of all segments that are told of, as they are.
    pub(crate) async fn members_told_of<'a>(
        &self,
        profile_id: &str,
        told: impl IntoIterator<Item = &'a Told>,
    ) -> Result<HashMap<String, MemberItem>> {
        let changes = told.into_iter().flat_map(|told| &told.changes);
        let segments: BTreeSet<&str> = changes.map(|change| change.segment_id.as_str()).collect();
        let partition = keys::profile(profile_id);
        let wanted = segments.into_iter().map(|segment| table::key(&partition, &keys::member(segment)));
        let mut items = HashMap::new();
        for item in self.batch_get(&self.profiles, wanted.collect()).await? {
            let item: MemberItem = from_item("membership", item)?;
            items.insert(item.segment_id().to_owned(), item);
        }
        Ok(items)
    }

    /// Writes what was told of memberships and is not written yet, and notes it in `items`, which are those that were
    /// read. [`Error::Conflict`] if one of them is not what was read any more; the others are written.
    pub(crate) async fn write_told(
        &self,
        profile_id: &str,
        told: &Told,
        items: &mut HashMap<String, MemberItem>,
    ) -> Result<()> {
        let segments: BTreeSet<&str> = told.changes.iter().map(|change| change.segment_id.as_str()).collect();
        let (mut past, mut present) = (Vec::new(), Vec::new());
        for segment in segments {
            let before = items.get(segment).cloned().unwrap_or_else(|| MemberItem::none(profile_id, segment));
            if before.v >= told.version {
                continue;
            }
            let unless = over(items.get(segment));
            let (item, ended) = carried(before, told);
            if item.v == told.version {
                for item in &ended {
                    past.push(to_item(item)?);
                }
                present.push((to_item(&item)?, unless));
                items.insert(segment.to_owned(), item);
            }
        }
        // History first: the present overwrites what it was made from.
        self.batch_put(&self.profiles, past).await?;
        let writes = present.into_iter().map(|(item, unless)| self.put(&self.profiles, item, Some(unless)));
        let written: Vec<Result<()>> = stream::iter(writes).buffer_unordered(CONCURRENCY).collect().await;
        let failed = written.into_iter().filter_map(Result::err);
        failed.min_by_key(|error| matches!(error, Error::Conflict)).map_or(Ok(()), Err)
    }

    /// A page of a segment's members, by the time they joined.
    pub async fn members(
        &self,
        segment_id: &str,
        descending: bool,
        bounds_ms: (Option<i64>, Option<i64>),
        mut after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Member>> {
        let shown = self.shown_version(segment_id).await?;
        let mut items = Vec::new();
        // Some of a page may be hidden.
        for _ in 0..ROUNDS {
            let left = size - items.len();
            let page = self.group(segment_id.to_owned(), descending, bounds_ms, after, left).await?;
            for row in page.items {
                let item: MemberItem = from_item("membership", row)?;
                if item.shows(shown) {
                    items.push(item.read(shown));
                }
            }
            after = page.next;
            if after.is_none() || items.len() == size {
                break;
            }
        }
        Ok(Page { items, next: after })
    }

    /// How many members a segment has.
    pub async fn count_members(&self, segment_id: &str) -> Result<u64> {
        self.count_group(segment_id, self.shown_version(segment_id).await?).await
    }

    /// A profile's last membership in each segment, past or present, by segment id.
    pub async fn memberships(&self, profile_id: &str) -> Result<Vec<Member>> {
        self.read_members(
            self.partition(&self.profiles, &keys::profile(profile_id), keys::MEMBER_PREFIX).await?,
        )
        .await
    }

    /// A profile's last membership in one segment, if it ever was a member.
    pub async fn membership(&self, profile_id: &str, segment_id: &str) -> Result<Option<Member>> {
        let item = self.get(&self.profiles, &keys::profile(profile_id), &keys::member(segment_id)).await?;
        Ok(self.read_members(item.into_iter().collect()).await?.pop())
    }

    /// A page of all memberships of a profile, past and present, those that changed last first; within inclusive
    /// milliseconds of that change; of all segments if none is named.
    pub async fn profile_history(
        &self,
        profile_id: &str,
        segments: &[&str],
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Member>> {
        let partition = keys::profile(profile_id);
        let mut items = self.partition(&self.profiles, &partition, keys::MEMBER_PREFIX).await?;
        items.extend(self.partition(&self.profiles, &partition, keys::HISTORY_PREFIX).await?);
        let mut members = self.read_members(items).await?;
        members.retain(|member| {
            let at_ms = changed_ms(member);
            let is_late_enough = bounds_ms.0.is_none_or(|from| from <= at_ms);
            let is_early_enough = bounds_ms.1.is_none_or(|to| at_ms <= to);
            let is_wanted = segments.is_empty() || segments.contains(&member.segment_id.as_str());
            is_late_enough && is_early_enough && is_wanted
        });
        let place = |member: &Member| keys::timed(changed_ms(member), &member.key);
        members.sort_by_cached_key(|member| std::cmp::Reverse(place(member)));
        if let Some(after) = &after {
            members.retain(|member| Cursor::behind(&place(member)) < *after);
        }
        let more = members.len() > size;
        members.truncate(size);
        let next = members.last().filter(|_| more).map(|last| Cursor::behind(&place(last)));
        Ok(Page { items: members, next })
    }

    /// A page of all memberships in a segment, past and present, those that changed last first; within inclusive
    /// milliseconds of that change.
    pub async fn segment_history(
        &self,
        segment_id: &str,
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Member>> {
        let shown = self.shown_version(segment_id).await?;
        let listing = Listing {
            table: &self.profiles,
            index: Some("members-by-segment"),
            partition_attribute: "seg",
            partitions: [segment_id.to_owned()].into_iter().chain(keys::history_shards(segment_id)).collect(),
            sort_attribute: "joined",
            lower: bounds_ms.0.map(|millis| keys::timed(millis, "")),
            upper: bounds_ms.1.map(|millis| keys::timed(millis, "~")),
            descending: true,
            after,
            size,
        };
        let page = self.listing(&listing).await?;
        let items: Result<Vec<MemberItem>> =
            page.items.into_iter().map(|item| from_item("membership", item)).collect();
        let seen = items?.into_iter().filter(|item| item.from.is_none_or(|from| from <= shown));
        let seen = seen.filter(|item| item.joined_ms.is_some());
        Ok(Page { items: seen.map(|item| item.read(shown)).collect(), next: page.next })
    }

    /// Ends all current memberships of a segment that was deleted at an instant; at most `limit` at a time. Returns how
    /// many.
    pub async fn remove_members(&self, segment_id: &str, at: Instant, limit: usize) -> Result<usize> {
        let page = self.group(segment_id.to_owned(), false, (None, None), None, limit).await?;
        let change = MembershipChange {
            segment_id: segment_id.to_owned(),
            entered: false,
            at_ms: at.as_millis(),
            cause: DEFINITION.to_owned(),
            staged: None,
        };
        let removed = page.items.len();
        let rows = page.items.into_iter().map(|row| from_item::<MemberItem>("membership", row));
        // Some were to end already.
        let end =
            |item: MemberItem| if item.until.is_some() { item.ended() } else { item.end(&change, REMOVED) };
        self.replace_members(rows.collect::<Result<Vec<_>>>()?, end).await?;
        Ok(removed)
    }

    /// Takes out of the members of a segment those that ended with the definition that shows now, and were hidden;
    /// from a place on. Returns how many it looked at, and where to go on.
    pub async fn settle_members(
        &self,
        segment_id: &str,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(usize, Option<Cursor>)> {
        let shown = self.shown_version(segment_id).await?;
        let page = self.group(segment_id.to_owned(), false, (None, None), after, limit).await?;
        let seen = page.items.len();
        let rows = page.items.into_iter().map(|row| from_item::<MemberItem>("membership", row));
        let mut rows = rows.collect::<Result<Vec<_>>>()?;
        rows.retain(|item| item.until.is_some_and(|until| until <= shown));
        self.replace_members(rows, MemberItem::ended).await?;
        Ok((seen, page.next))
    }

    /// Writes memberships over what was read of them, but for those that have changed since.
    async fn replace_members(
        &self,
        read: Vec<MemberItem>,
        change: impl Fn(MemberItem) -> MemberItem,
    ) -> Result<()> {
        let writes = read.into_iter().map(|item| (over(Some(&item)), to_item(&change(item))));
        let writes =
            writes.map(async |(unless, item)| match self.put(&self.profiles, item?, Some(unless)).await {
                Err(Error::Conflict) => Ok(()),
                outcome => outcome,
            });
        stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect().await
    }

    /// The version of a segment's definition that shows; the highest there is for one that is not there.
    async fn shown_version(&self, segment_id: &str) -> Result<u64> {
        Ok(self.segment(segment_id).await?.map_or(u64::MAX, |segment| segment.shown_version))
    }

    /// Reads items of memberships; those that never showed are left out.
    async fn read_members(&self, items: Vec<Item>) -> Result<Vec<Member>> {
        let mut shown: BTreeMap<String, u64> = BTreeMap::new();
        let mut members = Vec::with_capacity(items.len());
        for item in items {
            let item: MemberItem = from_item("membership", item)?;
            if item.joined_ms.is_none() {
                continue;
            }
            if item.from.is_none() && item.until.is_none() {
                members.push(item.read(u64::MAX));
                continue;
            }
            let segment = item.segment_id();
            let version = match shown.get(segment) {
                Some(version) => *version,
                None => self.shown_version(segment).await?,
            };
            shown.insert(segment.to_owned(), version);
            if item.from.is_none_or(|from| from <= version) {
                members.push(item.read(version));
            }
        }
        Ok(members)
    }
}

/// What a write over an item that was read asks for.
fn over(read: Option<&MemberItem>) -> Unless {
    match read {
        None => Unless::Exists,
        Some(item) => Unless::VersionIsNot(item.v),
    }
}

/// When a membership began, or ended if it has.
fn changed_ms(member: &Member) -> i64 {
    member.left_at.or(member.joined_at).map_or(0, Instant::as_millis)
}
