//! The evaluator's items: state, memberships, ticks and what is due.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use canonical::Profile;

use crate::memberships::{MembershipChange, Told};
use crate::page::{Listing, Page};
use crate::table::{self, Item, from_json, item_text, number, text, to_json};
use crate::{Cursor, Error, Result, Store, keys};

/// A profile's evaluation state as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    /// The engine's bytes.
    pub bytes: Vec<u8>,
    /// The item's version, for the conditional write.
    pub version: u64,
    /// What the last evaluation that changed memberships said of them.
    pub told: Option<Told>,
}

/// What an evaluation changed.
#[derive(Clone, Debug)]
pub struct Evaluation<'a> {
    /// Whose.
    pub profile_id: &'a str,
    /// The state that was read, if there was one.
    pub read: Option<&'a StateRecord>,
    /// The engine's bytes.
    pub state: Vec<u8>,
    /// When time alone changes something next.
    pub due_ms: Option<i64>,
    /// Memberships that began or ended, in this order.
    pub changes: Vec<MembershipChange>,
}

impl Store {
    /// States and profiles by profile id, read together; what is not there is left out.
    pub async fn states_and_profiles(
        &self,
        ids: &[&str],
    ) -> Result<(HashMap<String, StateRecord>, HashMap<String, Profile>)> {
        let keys = ids.iter().flat_map(|id| {
            let partition = keys::profile(id);
            [table::key(&partition, keys::STATE), table::key(&partition, keys::PROFILE)]
        });
        let (mut states, mut profiles) = (HashMap::new(), HashMap::new());
        for item in self.batch_get(&self.profiles, keys.collect()).await? {
            let Some(id) = item_text(&item, "pk").and_then(keys::profile_of_key).map(str::to_owned) else {
                continue;
            };
            if item_text(&item, "sk") == Some(keys::STATE) {
                states.insert(id, read_state(&item)?);
            } else if let Some(doc) = item_text(&item, "doc") {
                profiles.insert(id, from_json("profile", doc)?);
            }
        }
        Ok((states, profiles))
    }

    /// Writes a state over the version it was read from; [`Error::Conflict`] if it is not that any more. Then the
    /// memberships it implies, which the state names: where that breaks off, whoever evaluates the profile again
    /// carries it out, [`Store::carry_out`] for one who finds nothing else to do.
    ///
    /// A membership that is already what a change makes it stays as it is.
    pub async fn save_evaluation(&self, evaluation: &Evaluation<'_>) -> Result<()> {
        let profile = evaluation.profile_id;
        let read_version = evaluation.read.map_or(0, |read| read.version);
        let version = read_version + 1;
        let told_before = evaluation.read.and_then(|read| read.told.as_ref());
        let news =
            (!evaluation.changes.is_empty()).then(|| Told { version, changes: evaluation.changes.clone() });
        let mut members = HashMap::new();
        if let Some(news) = &news {
            members = self.members_told_of(profile, told_before.into_iter().chain([news])).await?;
            if let Some(before) = told_before {
                // What is not written before the next is told would be forgotten.
                self.write_told(profile, before, &mut members).await?;
            }
        }
        let unless = match read_version {
            0 => table::Unless::Exists,
            version => table::Unless::VersionIsNot(version),
        };
        let state = state_item(evaluation, version, news.as_ref().or(told_before))?;
        self.put(&self.profiles, state, Some(unless)).await?;
        if let Some(news) = &news {
            match self.write_told(profile, news, &mut members).await {
                // Somebody has been here since, and has written this first.
                Ok(()) | Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
            if self.state(profile).await?.is_none() {
                // Erased or merged meanwhile, perhaps before these were written.
                self.delete_evaluation(profile).await?;
            }
        }
        Ok(())
    }

    /// Writes what a state says of memberships, where it is not written: whoever wrote the state may have broken off.
    pub async fn carry_out(&self, profile_id: &str, state: &StateRecord) -> Result<()> {
        let Some(told) = &state.told else { return Ok(()) };
        let mut members = self.members_told_of(profile_id, [told]).await?;
        match self.write_told(profile_id, told, &mut members).await {
            Ok(()) | Err(Error::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes a profile's state, memberships and their history: after a merge or an erasure.
    pub async fn delete_evaluation(&self, profile_id: &str) -> Result<()> {
        let partition = keys::profile(profile_id);
        let mut items = self.partition(&self.profiles, &partition, keys::MEMBER_PREFIX).await?;
        items.extend(self.partition(&self.profiles, &partition, keys::HISTORY_PREFIX).await?);
        let mut doomed: Vec<Item> = items.iter().filter_map(table::key_of).collect();
        doomed.push(table::key(&partition, keys::STATE));
        doomed.push(table::key(&partition, keys::TICK));
        self.batch_delete(&self.profiles, doomed).await
    }

    /// A page of the index of members.
    pub(crate) async fn group(
        &self,
        group: String,
        descending: bool,
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Item>> {
        let listing = Listing {
            table: &self.profiles,
            index: Some("members-by-segment"),
            partition_attribute: "seg",
            partitions: vec![group],
            sort_attribute: "joined",
            lower: bounds_ms.0.map(|millis| keys::timed(millis, "")),
            upper: bounds_ms.1.map(|millis| keys::timed(millis, "~")),
            descending,
            after,
            size,
        };
        self.listing(&listing).await
    }

    /// How many the index of members shows of a group at a version of its definition.
    pub(crate) async fn count_group(&self, group: &str, shown: u64) -> Result<u64> {
        let mut count = 0;
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.profiles)
                .index_name("members-by-segment")
                .key_condition_expression("seg = :s")
                .filter_expression(
                    "(attribute_not_exists(#from) OR #from <= :shown) AND \
                     (attribute_not_exists(#until) OR #until > :shown)",
                )
                .expression_attribute_names("#from", "from")
                .expression_attribute_names("#until", "until")
                .expression_attribute_values(":s", text(group))
                .expression_attribute_values(":shown", number(shown))
                .select(aws_sdk_dynamodb::types::Select::Count)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| Error::of(&error))?;
            count += u64::try_from(answer.count).unwrap_or_default();
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    /// A profile's state.
    pub async fn state(&self, profile_id: &str) -> Result<Option<StateRecord>> {
        let item = self.get(&self.profiles, &keys::profile(profile_id), keys::STATE).await?;
        item.as_ref().map(read_state).transpose()
    }

    /// A page of the profiles for which time alone changes something at or before `now_ms`, of one of the index's
    /// parts, those that have waited longest first. With each, the instant it was due, in milliseconds.
    pub async fn due(
        &self,
        shard: u32,
        now_ms: i64,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<(String, i64)>> {
        let listing = Listing {
            table: &self.profiles,
            index: Some("due"),
            partition_attribute: "due",
            partitions: vec![shard.to_string()],
            sort_attribute: "due_at",
            lower: None,
            upper: Some(keys::timed(now_ms, "~")),
            descending: false,
            after,
            size,
        };
        let page = self.listing(&listing).await?;
        let read = |row: &Item| {
            let (millis, profile) = item_text(row, "due_at")?.split_once('#')?;
            Some((profile.to_owned(), millis.parse().ok()?))
        };
        Ok(Page { items: page.items.iter().filter_map(read).collect(), next: page.next })
    }

    /// Parts of the index of what is due.
    pub fn due_shards() -> impl Iterator<Item = u32> {
        0..keys::DUE_SHARDS
    }

    /// When profiles were last touched, in milliseconds; those that never were are left out.
    pub async fn ticks(&self, profile_ids: &[&str]) -> Result<HashMap<String, i64>> {
        let keys = profile_ids.iter().map(|id| table::key(&keys::profile(id), keys::TICK));
        let items = self.batch_get(&self.profiles, keys.collect()).await?;
        let read = |item: &Item| {
            let profile = item_text(item, "pk").and_then(keys::profile_of_key)?.to_owned();
            Some((profile, read_tick_image(item)))
        };
        Ok(items.iter().filter_map(read).collect())
    }

    /// Touches a profile, so that the evaluator looks at it: the evaluator stays the only one that decides.
    pub async fn tick(&self, profile_id: &str, now_ms: i64) -> Result<()> {
        let mut item = table::key(&keys::profile(profile_id), keys::TICK);
        item.insert("touched".to_owned(), number(now_ms));
        self.put(&self.profiles, item, None).await
    }

    pub(crate) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<()> {
        let request = self.client.transact_write_items().set_transact_items(Some(writes));
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }
}

/// The instant of a touch, in milliseconds.
pub fn read_tick_image(item: &Item) -> i64 {
    let touched = item.get("touched").and_then(|value| value.as_n().ok());
    touched.and_then(|touched| touched.parse().ok()).unwrap_or_default()
}

fn state_item(evaluation: &Evaluation<'_>, version: u64, told: Option<&Told>) -> Result<Item> {
    let mut state = table::key(&keys::profile(evaluation.profile_id), keys::STATE);
    state.insert("v".to_owned(), number(version));
    state.insert("b".to_owned(), AttributeValue::B(Blob::new(evaluation.state.clone())));
    if let Some(due) = evaluation.due_ms {
        state.insert("due".to_owned(), text(keys::due_shard(evaluation.profile_id)));
        state.insert("due_at".to_owned(), text(keys::timed(due, evaluation.profile_id)));
    }
    if let Some(told) = told {
        state.insert("told".to_owned(), text(to_json(told)?));
    }
    Ok(state)
}

fn read_state(item: &Item) -> Result<StateRecord> {
    let bytes = item.get("b").and_then(|value| value.as_b().ok());
    let version = item.get("v").and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok());
    match (bytes, version) {
        (Some(bytes), Some(version)) => {
            let told = item_text(item, "told").map(|told| from_json("state", told)).transpose()?;
            Ok(StateRecord { bytes: bytes.as_ref().to_vec(), version, told })
        }
        _ => Err(Error::corrupt("state", "attribute missing")),
    }
}
