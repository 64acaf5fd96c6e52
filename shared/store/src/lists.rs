//! Lists, and who is on them.
//!
//! Who is on which list since when is part of the profile, so that conditions on lists need nothing else. Beside the
//! profile lies an item for each of its lists, written with it, by which the members of a list are found.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem};
use canonical::profile::MAX_LISTS;
use canonical::{Instant, Profile};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::page::Page;
use crate::registry::{document_item, read_document};
use crate::table::{self, Item, Unless, from_item, item_text, number, to_item};
use crate::{Cursor, Error, Job, Result, Store, Taggable, Versioned, keys};

pub(crate) const LIST: &str = "list";
/// Profiles that are written at the same time.
const CONCURRENCY: usize = 8;

/// A list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListRecord {
    /// Six letters and digits.
    pub id: String,
    /// The name.
    pub name: String,
    /// What somebody must do who subscribes to it.
    pub opt_in_process: OptIn,
    /// When it was made.
    pub created_at: Instant,
    /// When its name or its process last changed.
    pub updated_at: Instant,
}

/// What somebody must do who subscribes to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptIn {
    /// Subscribe, and confirm it.
    DoubleOptIn,
    /// Subscribe.
    SingleOptIn,
}

/// Somebody on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Who.
    pub profile_id: String,
    /// Since when.
    pub joined_at: Option<Instant>,
}

/// What came of adding a profile to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It is on the list now.
    Added,
    /// It was already, and stays as it was.
    Already,
    /// It is on as many lists as there may be.
    Full,
    /// There is no such profile.
    Nobody,
}

impl Joined {
    /// Puts a profile on a list that lies before the caller, who writes it then.
    pub fn of(profile: &mut Profile, list: &str, now: Instant) -> Self {
        if profile.lists.contains_key(list) {
            return Self::Already;
        }
        if profile.lists.len() >= MAX_LISTS {
            return Self::Full;
        }
        profile.lists.insert(list.to_owned(), now);
        Self::Added
    }
}

#[derive(Serialize, Deserialize)]
struct ListedItem {
    pk: String,
    sk: String,
    /// The list: the partition key of the index of members.
    seg: String,
    /// Join time and profile: the index's sort key.
    joined: String,
    joined_ms: i64,
}

impl Store {
    /// Writes a new list; [`Error::Conflict`] if its id is taken.
    pub async fn create_list(&self, list: &ListRecord) -> Result<()> {
        self.put(&self.registry, list_item(list)?, Some(Unless::Exists)).await
    }

    /// Replaces a list; [`Error::Conflict`] if it is gone.
    pub async fn update_list(&self, list: &ListRecord) -> Result<()> {
        let request = self
            .client
            .put_item()
            .table_name(&self.registry)
            .set_item(Some(list_item(list)?))
            .condition_expression("attribute_exists(pk)");
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// A list.
    pub async fn list(&self, id: &str) -> Result<Option<ListRecord>> {
        let item = self.get(&self.registry, LIST, id).await?;
        item.as_ref().map(read_list).transpose()
    }

    /// All lists, by id.
    pub async fn lists(&self) -> Result<Vec<ListRecord>> {
        let items = self.partition(&self.registry, LIST, "").await?;
        items.iter().map(read_list).collect()
    }

    /// Removes a list that no definition of the program's version asks about, with its tags, and writes the job that
    /// takes everybody off it, in one transaction; [`Error::Conflict`] if a definition has changed since.
    pub async fn delete_list(&self, id: &str, program_version: u64, job: &Job) -> Result<()> {
        let delete = table::delete_of(&self.registry, table::key(LIST, id))?;
        let tags = self.delete_tags_of(Taggable::List, id)?;
        self.transact(vec![delete, tags, self.program_is(program_version)?, self.put_job(job)?]).await
    }

    /// Puts a profile on a list.
    pub async fn join_list(&self, profile_id: &str, list: &str, now: Instant) -> Result<Joined> {
        let mut joined = Joined::Nobody;
        let join = |profile: &mut Profile| {
            joined = Joined::of(profile, list, now);
            joined == Joined::Added
        };
        self.update_profile(profile_id, now, join).await?;
        Ok(joined)
    }

    /// Takes a profile off a list; whether it was on it.
    pub async fn leave_list(&self, profile_id: &str, list: &str, now: Instant) -> Result<bool> {
        let mut left = false;
        let leave = |profile: &mut Profile| {
            left = profile.lists.remove(list).is_some();
            left
        };
        self.update_profile(profile_id, now, leave).await?;
        Ok(left)
    }

    /// A page of who is on a list, by the time they joined.
    pub async fn listed(
        &self,
        list: &str,
        descending: bool,
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Listed>> {
        let page = self.group(keys::list_group(list), descending, bounds_ms, after, size).await?;
        let listed: Result<Vec<Listed>> = page.items.into_iter().map(read_listed).collect();
        Ok(Page { items: listed?, next: page.next })
    }

    /// How many are on a list.
    pub async fn count_listed(&self, list: &str) -> Result<u64> {
        self.count_group(&keys::list_group(list), u64::MAX).await
    }

    /// Takes everybody off a list that was deleted; at most `limit` at a time. Returns how many.
    pub async fn empty_list(&self, list: &str, limit: usize, now: Instant) -> Result<usize> {
        let page = self.listed(list, false, (None, None), None, limit).await?;
        let work: Vec<_> =
            page.items.iter().map(|listed| self.leave_list(&listed.profile_id, list, now)).collect();
        stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<Vec<bool>>().await?;
        // What lies with a profile that has merged or was erased meanwhile.
        let left = page.items.iter().map(|listed| {
            let partition = keys::profile(&listed.profile_id);
            table::key(&partition, &keys::listed(list))
        });
        self.batch_delete(&self.profiles, left.collect()).await?;
        Ok(page.items.len())
    }

    /// Gives the places on lists of a profile that has merged to the one it became. That one has the lists already;
    /// those it has left since are forgotten.
    pub(crate) async fn move_listed(&self, id: &str, destination: &Versioned<Profile>) -> Result<()> {
        let partition = keys::profile(id);
        let items = self.partition(&self.profiles, &partition, keys::LISTED_PREFIX).await?;
        let Versioned { value: profile, version } = destination;
        for list in items.iter().filter_map(list_of) {
            let Some(joined) = profile.lists.get(list) else { continue };
            let check = ConditionCheck::builder()
                .table_name(&self.profiles)
                .set_key(Some(table::key(&keys::profile(&profile.id), keys::PROFILE)))
                .condition_expression("v = :v")
                .expression_attribute_values(":v", number(version))
                .build()
                .map_err(|error| Error::corrupt("transaction", error))?;
            let check = TransactWriteItem::builder().condition_check(check).build();
            let put = table::put_of(&self.profiles, to_item(&listed_item(&profile.id, list, *joined))?)?;
            self.transact(vec![check, put]).await?;
        }
        self.batch_delete(&self.profiles, items.iter().filter_map(table::key_of).collect()).await
    }

    /// Removes the places on lists of a profile that was erased.
    pub(crate) async fn delete_listed(&self, id: &str) -> Result<()> {
        let items = self.partition(&self.profiles, &keys::profile(id), keys::LISTED_PREFIX).await?;
        self.batch_delete(&self.profiles, items.iter().filter_map(table::key_of).collect()).await
    }

    /// Writes a profile over the version it was read from, and with it what lies beside it of the lists it has joined
    /// and left since.
    pub(crate) async fn put_profile_and_lists(
        &self,
        profile: &Profile,
        lists_before: &BTreeMap<String, Instant>,
        read_version: u64,
    ) -> Result<Versioned<Profile>> {
        if profile.lists == *lists_before {
            return self.put_profile(profile, read_version).await;
        }
        let mut writes = vec![self.put_profile_write(profile, read_version)?];
        for (list, joined) in &profile.lists {
            if lists_before.get(list) != Some(joined) {
                let item = to_item(&listed_item(&profile.id, list, *joined))?;
                writes.push(table::put_of(&self.profiles, item)?);
            }
        }
        for list in lists_before.keys().filter(|list| !profile.lists.contains_key(*list)) {
            let key = table::key(&keys::profile(&profile.id), &keys::listed(list));
            writes.push(table::delete_of(&self.profiles, key)?);
        }
        self.transact(writes).await?;
        Ok(Versioned { value: profile.clone(), version: read_version + 1 })
    }

    /// A place on a list changes hands, as a part of the transaction that merges `id` into `profile`.
    pub(crate) fn hand_over_listed(
        &self,
        id: &str,
        profile: &Profile,
        list: &str,
    ) -> Result<Vec<TransactWriteItem>> {
        let key = table::key(&keys::profile(id), &keys::listed(list));
        let mut writes = vec![table::delete_of(&self.profiles, key)?];
        if let Some(joined) = profile.lists.get(list) {
            let item = to_item(&listed_item(&profile.id, list, *joined))?;
            writes.push(table::put_of(&self.profiles, item)?);
        }
        Ok(writes)
    }
}

fn list_item(list: &ListRecord) -> Result<Item> {
    document_item(LIST, &list.id, list)
}

fn read_list(item: &Item) -> Result<ListRecord> {
    read_document(LIST, item)
}

fn list_of(item: &Item) -> Option<&str> {
    item_text(item, "sk")?.strip_prefix(keys::LISTED_PREFIX)
}

fn listed_item(profile_id: &str, list: &str, joined: Instant) -> ListedItem {
    ListedItem {
        pk: keys::profile(profile_id),
        sk: keys::listed(list),
        seg: keys::list_group(list),
        joined: keys::timed(joined.as_millis(), profile_id),
        joined_ms: joined.as_millis(),
    }
}

fn read_listed(item: Item) -> Result<Listed> {
    let item: ListedItem = from_item("list's member", item)?;
    Ok(Listed {
        profile_id: keys::profile_of_key(&item.pk).unwrap_or_default().to_owned(),
        joined_at: Instant::from_millis(item.joined_ms),
    })
}
