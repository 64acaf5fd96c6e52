//! Profile items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::TransactWriteItem;
use canonical::fact::Channel;
use canonical::{Instant, Profile};
use serde::{Deserialize, Serialize};

use crate::page::{Listing, Page};
use crate::table::{self, Item, Unless, from_item, from_json, item_text, to_item, to_json};
use crate::{Cursor, Error, PROFILE_SHARDS, Result, Store, keys};

/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;
/// Aliases followed before a chain counts as broken.
pub(crate) const MAX_ALIASES: usize = 16;

/// A value and the version of the item it was read from; 0 if there is no item yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// What was read.
    pub value: T,
    /// Its version.
    pub version: u64,
}

/// How a listing of profiles is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileSort {
    /// By id.
    Id,
    /// By the time of creation.
    Created,
    /// By the time of the last change.
    Updated,
    /// By e-mail; profiles without one are left out.
    Email,
    /// By when e-mail was last suppressed; profiles of whom it is not are left out.
    Suppressed,
    /// By when they last left a list for good; profiles that have left none are left out.
    Unlisted,
}

/// A profile item as a stream record shows it.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "made once per record and matched at once")]
pub enum ProfileImage {
    /// A profile.
    Profile(Profile),
    /// It merged into another one.
    Merged,
    /// It was erased.
    Erased,
}

#[derive(Serialize, Deserialize)]
struct ProfileItem {
    pk: String,
    sk: String,
    v: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ps: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suppressed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unlisted: Option<String>,
    /// The profile as JSON; absent once it merged or was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doc: Option<String>,
    /// The profile that this one merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merged_into: Option<String>,
    /// The merged profile's events have not all been moved yet, or the erased one's not all been removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    moving: bool,
    /// When it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_ms: Option<i64>,
}

/// Reads the new image of a stream record whose sort key is a profile's.
pub fn read_profile_image(image: Item) -> Result<ProfileImage> {
    let item: ProfileItem = from_item("profile", image)?;
    match (item.doc, item.merged_into) {
        (Some(doc), None) => Ok(ProfileImage::Profile(from_json("profile", &doc)?)),
        (_, Some(_)) => Ok(ProfileImage::Merged),
        (None, None) => Ok(ProfileImage::Erased),
    }
}

/// What is stored under a profile's id.
#[allow(clippy::large_enum_variant, reason = "nearly always the large one, and matched at once")]
pub(crate) enum Stored {
    Profile(Versioned<Profile>),
    Alias {
        into: String,
        moving: bool,
    },
    Erased {
        version: u64,
        at_ms: i64,
        /// Its events are not all gone yet.
        removing: bool,
    },
    /// Never written.
    Nothing,
}

impl Store {
    /// A profile, following merges. `None` if there is none, or it was erased.
    pub async fn profile(&self, id: &str) -> Result<Option<Versioned<Profile>>> {
        let mut id = id.to_owned();
        for _ in 0..MAX_ALIASES {
            match self.stored_profile(&id).await? {
                Stored::Profile(profile) => return Ok(Some(profile)),
                Stored::Alias { into, .. } => id = into,
                Stored::Erased { .. } | Stored::Nothing => return Ok(None),
            }
        }
        Err(Error::corrupt("profile", "a chain of merges has no end"))
    }

    /// Profiles by ids, without following merges; those that are not there are left out.
    pub async fn profiles_by_id(
        &self,
        ids: impl IntoIterator<Item = &str>,
    ) -> Result<HashMap<String, Profile>> {
        let keys = ids.into_iter().map(|id| table::key(&keys::profile(id), keys::PROFILE)).collect();
        let mut profiles = HashMap::new();
        for item in self.batch_get(&self.profiles, keys).await? {
            if let Some(doc) = item_text(&item, "doc") {
                let profile: Profile = from_json("profile", doc)?;
                profiles.insert(profile.id.clone(), profile);
            }
        }
        Ok(profiles)
    }

    pub(crate) async fn stored_profile(&self, id: &str) -> Result<Stored> {
        let Some(item) = self.get(&self.profiles, &keys::profile(id), keys::PROFILE).await? else {
            return Ok(Stored::Nothing);
        };
        stored(from_item("profile", item)?)
    }

    /// What is stored under profiles' ids; of what never was written, nothing.
    pub(crate) async fn stored_profiles(
        &self,
        ids: impl IntoIterator<Item = &str>,
    ) -> Result<HashMap<String, Stored>> {
        let keys = ids.into_iter().map(|id| table::key(&keys::profile(id), keys::PROFILE)).collect();
        let mut found = HashMap::new();
        for item in self.batch_get(&self.profiles, keys).await? {
            let id = item_text(&item, "pk").and_then(keys::profile_of_key).unwrap_or_default().to_owned();
            found.insert(id, stored(from_item("profile", item)?)?);
        }
        Ok(found)
    }

    /// Writes a profile over the version it was read from; [`Error::Conflict`] if somebody else was faster.
    pub async fn put_profile(&self, profile: &Profile, read_version: u64) -> Result<Versioned<Profile>> {
        let version = read_version + 1;
        self.put(&self.profiles, profile_item(profile, version)?, Some(condition(read_version))).await?;
        Ok(Versioned { value: profile.clone(), version })
    }

    /// Lets `change` alter a profile, following merges, and stores what it makes of attributes, consent and lists;
    /// identifiers are not its to change. It says whether it did, and is asked again after a lost race. `None` if there
    /// is no such profile.
    pub async fn update_profile(
        &self,
        id: &str,
        now: Instant,
        mut change: impl FnMut(&mut Profile) -> bool,
    ) -> Result<Option<Profile>> {
        let mut attempt = 0;
        loop {
            let Some(Versioned { value: before, version }) = self.profile(id).await? else { return Ok(None) };
            let mut after = before.clone();
            if !change(&mut after) {
                return Ok(Some(after));
            }
            after.updated_at = now.max(before.updated_at);
            match self.put_profile_and_lists(&after, &before.lists, version).await {
                Err(Error::Conflict) if attempt < ATTEMPTS => attempt += 1,
                outcome => return Ok(Some(outcome?.value)),
            }
        }
    }

    /// Leaves an alias where a profile was.
    pub(crate) async fn put_alias(
        &self,
        id: &str,
        into: &str,
        moving: bool,
        read_version: Option<u64>,
    ) -> Result<()> {
        let item = ProfileItem {
            merged_into: Some(into.to_owned()),
            moving,
            ..tombstone(id, read_version.unwrap_or_default() + 1)
        };
        self.put(&self.profiles, to_item(&item)?, read_version.map(condition)).await
    }

    /// Leaving an alias where a profile was, as a part of a transaction.
    pub(crate) fn put_alias_write(
        &self,
        id: &str,
        into: &str,
        read_version: u64,
    ) -> Result<TransactWriteItem> {
        let merged_into = Some(into.to_owned());
        let item = ProfileItem { merged_into, moving: true, ..tombstone(id, read_version + 1) };
        table::put_over(&self.profiles, to_item(&item)?, read_version)
    }

    /// Leaving a tombstone behind which events are still to be removed, as a part of a transaction.
    pub(crate) fn put_tombstone_write(
        &self,
        id: &str,
        at_ms: i64,
        read_version: u64,
    ) -> Result<TransactWriteItem> {
        table::put_over(&self.profiles, tombstone_item(id, at_ms, true, read_version)?, read_version)
    }

    /// The writing of a profile over the version it was read from, as a part of a transaction.
    pub(crate) fn put_profile_write(
        &self,
        profile: &Profile,
        read_version: u64,
    ) -> Result<TransactWriteItem> {
        table::put_over(&self.profiles, profile_item(profile, read_version + 1)?, read_version)
    }

    /// Whether this id was a person's who was erased.
    pub async fn is_erased(&self, id: &str) -> Result<bool> {
        Ok(matches!(self.stored_profile(id).await?, Stored::Erased { .. }))
    }

    /// Leaves a tombstone without personal data, so that the evaluator ends the memberships. While events are
    /// still being removed it stays in the listing by id, for a job that broke off to find it.
    pub(crate) async fn put_tombstone(
        &self,
        id: &str,
        at_ms: i64,
        removing: bool,
        read_version: u64,
    ) -> Result<()> {
        let item = tombstone_item(id, at_ms, removing, read_version)?;
        self.put(&self.profiles, item, Some(condition(read_version))).await
    }

    /// A page of all profiles.
    pub async fn list_profiles(
        &self,
        sort: ProfileSort,
        descending: bool,
        bounds: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Profile>> {
        let page = self.list_profile_ids(sort, descending, bounds, after, size).await?;
        let mut profiles = self.profiles_by_id(page.items.iter().map(String::as_str)).await?;
        let items = page.items.iter().filter_map(|id| profiles.remove(id)).collect();
        Ok(Page { items, next: page.next })
    }

    /// A page of the ids of all profiles. `bounds` are inclusive milliseconds, for the sorts by time.
    pub async fn list_profile_ids(
        &self,
        sort: ProfileSort,
        descending: bool,
        bounds: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<String>> {
        let shards = (0..PROFILE_SHARDS).map(|shard| shard.to_string()).collect();
        self.list_profile_shards(shards, sort, descending, bounds, after, size).await
    }

    /// A page of the ids of one of [`PROFILE_SHARDS`] parts of all profiles, by id.
    pub async fn list_profile_shard(
        &self,
        shard: u32,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<String>> {
        let shards = vec![shard.to_string()];
        self.list_profile_shards(shards, ProfileSort::Id, false, (None, None), after, size).await
    }

    async fn list_profile_shards(
        &self,
        partitions: Vec<String>,
        sort: ProfileSort,
        descending: bool,
        (lower, upper): (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<String>> {
        let (index, sort_attribute) = match sort {
            ProfileSort::Id => ("profiles-by-id", "id"),
            ProfileSort::Created => ("profiles-by-created", "created"),
            ProfileSort::Updated => ("profiles-by-updated", "updated"),
            ProfileSort::Email => ("profiles-by-email", "email"),
            ProfileSort::Suppressed => ("profiles-by-suppressed", "suppressed"),
            ProfileSort::Unlisted => ("profiles-by-unlisted", "unlisted"),
        };
        let listing = Listing {
            table: &self.profiles,
            index: Some(index),
            partition_attribute: "ps",
            partitions,
            sort_attribute,
            lower: lower.map(|millis| keys::timed(millis, "")),
            upper: upper.map(|millis| keys::timed(millis, "~")),
            descending,
            after,
            size,
        };
        let page = self.listing(&listing).await?;
        let items = page
            .items
            .iter()
            .filter_map(|row: &Item| item_text(row, "pk").and_then(keys::profile_of_key).map(str::to_owned))
            .collect();
        Ok(Page { items, next: page.next })
    }
}

fn stored(item: ProfileItem) -> Result<Stored> {
    Ok(match (item.doc, item.merged_into) {
        (_, Some(into)) => Stored::Alias { into, moving: item.moving },
        (Some(doc), None) => {
            Stored::Profile(Versioned { value: from_json("profile", &doc)?, version: item.v })
        }
        (None, None) => Stored::Erased {
            version: item.v,
            at_ms: item.erased_ms.unwrap_or_default(),
            removing: item.moving,
        },
    })
}

/// A profile as it is stored.
pub(crate) fn profile_item(profile: &Profile, version: u64) -> Result<Item> {
    let timed = |at: Option<Instant>| at.map(|at| keys::timed(at.as_millis(), &profile.id));
    let email = profile.consent.get(&Channel::Email);
    let suppressed = email.and_then(|email| email.suppressions.iter().map(|one| one.at).max());
    let unlisted = email.and_then(|email| email.list_suppressions.values().map(|one| one.at).max());
    let item = ProfileItem {
        pk: keys::profile(&profile.id),
        sk: keys::PROFILE.to_owned(),
        v: version,
        ps: Some(keys::profile_shard(&profile.id)),
        id: Some(profile.id.clone()),
        created: Some(keys::timed(profile.created_at.as_millis(), &profile.id)),
        updated: Some(keys::timed(profile.updated_at.as_millis(), &profile.id)),
        email: profile.email.clone(),
        suppressed: timed(suppressed),
        unlisted: timed(unlisted),
        doc: Some(to_json(profile)?),
        merged_into: None,
        moving: false,
        erased_ms: None,
    };
    to_item(&item)
}

fn condition(read_version: u64) -> Unless {
    if read_version == 0 { Unless::Exists } else { Unless::VersionIsNot(read_version) }
}

fn tombstone_item(id: &str, at_ms: i64, removing: bool, read_version: u64) -> Result<Item> {
    to_item(&ProfileItem {
        ps: removing.then(|| keys::profile_shard(id)),
        id: removing.then(|| id.to_owned()),
        moving: removing,
        erased_ms: Some(at_ms),
        ..tombstone(id, read_version + 1)
    })
}

fn tombstone(id: &str, version: u64) -> ProfileItem {
    ProfileItem {
        pk: keys::profile(id),
        sk: keys::PROFILE.to_owned(),
        v: version,
        ps: None,
        id: None,
        created: None,
        updated: None,
        email: None,
        suppressed: None,
        unlisted: None,
        doc: None,
        merged_into: None,
        moving: false,
        erased_ms: None,
    }
}
