//! The evaluator's items: state, memberships, ticks and what is due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};
use canonical::{Instant, Profile};
use serde::{Deserialize, Serialize};

use crate::page::{Listing, Page};
use crate::table::{self, Item, from_item, from_json, item_text, number, text, to_item};
use crate::{Cursor, Error, Result, Store, history, keys};

/// DynamoDB's bound on one transaction.
const TRANSACTION: usize = 100;

/// A profile's evaluation state as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    /// The engine's bytes.
    pub bytes: Vec<u8>,
    /// The item's version, for the conditional write.
    pub version: u64,
}

/// What an evaluation changed.
#[derive(Clone, Debug)]
pub struct Evaluation<'a> {
    /// Whose.
    pub profile_id: &'a str,
    /// The version of the state that was read; 0 if there was none.
    pub read_version: u64,
    /// The engine's bytes.
    pub state: Vec<u8>,
    /// When time alone changes something next.
    pub due_ms: Option<i64>,
    /// Memberships that began or ended, in this order.
    pub changes: Vec<MembershipChange>,
}

/// A membership that began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipChange {
    /// The segment.
    pub segment_id: String,
    /// Began or ended.
    pub entered: bool,
    /// The instant at which it became true.
    pub at_ms: i64,
    /// What made it so, as the engine writes causes.
    pub cause: String,
}

/// A profile's membership in a segment, past or present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub profile_id: String,
    /// Of what.
    pub segment_id: String,
    /// Whether it lasts.
    pub current: bool,
    /// When it began last.
    pub joined_at: Option<Instant>,
    /// Why it began.
    pub joined_cause: Option<String>,
    /// When it ended last.
    pub left_at: Option<Instant>,
    /// Why it ended.
    pub left_cause: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct MemberItem {
    pk: String,
    sk: String,
    /// The segment while the membership lasts: the partition key of the index of members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seg: Option<String>,
    /// Join time and profile while the membership lasts: the index's sort key.
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

    /// Writes a state over the version it was read from, the memberships it implies and their history, all or nothing
    /// as far as one transaction reaches (49 memberships that changed once); beyond, memberships are written first,
    /// each transaction only while the state is still the one that was read. [`Error::Conflict`] if it is not.
    ///
    /// A membership that is already what a change makes it stays as it is: what is written again after a crash
    /// between two transactions is told once.
    pub async fn save_evaluation(&self, evaluation: &Evaluation<'_>) -> Result<()> {
        let partition = keys::profile(evaluation.profile_id);
        let mut state = Item::from([
            ("pk".to_owned(), text(&partition)),
            ("sk".to_owned(), text(keys::STATE)),
            ("v".to_owned(), number(evaluation.read_version + 1)),
            ("b".to_owned(), AttributeValue::B(Blob::new(evaluation.state.clone()))),
        ]);
        if let Some(due) = evaluation.due_ms {
            state.insert("due".to_owned(), text(keys::due_shard(evaluation.profile_id)));
            state.insert("due_at".to_owned(), text(keys::timed(due, evaluation.profile_id)));
        }
        let mut chunks = self.membership_writes(evaluation).await?;
        let Some(last) = chunks.pop() else {
            let unless = match evaluation.read_version {
                0 => table::Unless::Exists,
                version => table::Unless::VersionIsNot(version),
            };
            return self.put(&self.profiles, state, Some(unless)).await;
        };
        let unchanged = || -> Result<TransactWriteItem> {
            let check = ConditionCheck::builder()
                .table_name(&self.profiles)
                .set_key(Some(table::key(&partition, keys::STATE)));
            let check = match evaluation.read_version {
                0 => check.condition_expression("attribute_not_exists(pk)"),
                version => {
                    check.condition_expression("v = :v").expression_attribute_values(":v", number(version))
                }
            };
            let check = check.build().map_err(|error| Error::corrupt("transaction", error))?;
            Ok(TransactWriteItem::builder().condition_check(check).build())
        };
        for mut writes in chunks {
            writes.push(unchanged()?);
            self.transact(writes).await?;
        }
        let put = Put::builder().table_name(&self.profiles).set_item(Some(state));
        let put = match evaluation.read_version {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            version => put.condition_expression("v = :v").expression_attribute_values(":v", number(version)),
        };
        let put = put.build().map_err(|error| Error::corrupt("transaction", error))?;
        let mut writes = last;
        writes.push(TransactWriteItem::builder().put(put).build());
        self.transact(writes).await
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

    /// A page of a segment's members, by the time they joined.
    pub async fn members(
        &self,
        segment_id: &str,
        descending: bool,
        bounds_ms: (Option<i64>, Option<i64>),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<Member>> {
        let page = self.group(segment_id.to_owned(), descending, bounds_ms, after, size).await?;
        let members: Result<Vec<Member>> = page.items.into_iter().map(read_member).collect();
        Ok(Page { items: members?, next: page.next })
    }

    /// How many members a segment has.
    pub async fn count_members(&self, segment_id: &str) -> Result<u64> {
        self.count_group(segment_id).await
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

    /// How many the index of members has of a group.
    pub(crate) async fn count_group(&self, group: &str) -> Result<u64> {
        let mut count = 0;
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.profiles)
                .index_name("members-by-segment")
                .key_condition_expression("seg = :s")
                .expression_attribute_values(":s", text(group))
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

    /// A profile's memberships, past and present, by segment id.
    pub async fn memberships(&self, profile_id: &str) -> Result<Vec<Member>> {
        let items = self.partition(&self.profiles, &keys::profile(profile_id), keys::MEMBER_PREFIX).await?;
        items.into_iter().map(read_member).collect()
    }

    /// A profile's membership in one segment, if it ever was a member.
    pub async fn membership(&self, profile_id: &str, segment_id: &str) -> Result<Option<Member>> {
        let item = self.get(&self.profiles, &keys::profile(profile_id), &keys::member(segment_id)).await?;
        item.map(read_member).transpose()
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

    /// Ends all current memberships of a segment that was deleted at an instant; at most `limit` at a time. Returns how
    /// many.
    pub async fn remove_members(&self, segment_id: &str, at: Instant, limit: usize) -> Result<usize> {
        let page = self.members(segment_id, false, (None, None), None, limit).await?;
        // Told first: who breaks off here tells it again, under the same keys.
        self.tell_removal(&page.items, at).await?;
        let doomed: Vec<Item> = page
            .items
            .iter()
            .map(|member| table::key(&keys::profile(&member.profile_id), &keys::member(segment_id)))
            .collect();
        let removed = doomed.len();
        self.batch_delete(&self.profiles, doomed).await?;
        Ok(removed)
    }

    /// The puts of memberships and their history, in transactions with room for one item more: what is told of one
    /// segment stays together.
    async fn membership_writes(&self, evaluation: &Evaluation<'_>) -> Result<Vec<Vec<TransactWriteItem>>> {
        if evaluation.changes.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.memberships_of(evaluation).await?;
        let mut after: BTreeMap<&str, MemberItem> = BTreeMap::new();
        let mut told: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
        for (place, change) in evaluation.changes.iter().enumerate() {
            let segment = change.segment_id.as_str();
            let item = after.get(segment).or_else(|| before.get(segment));
            if item.is_some_and(|item| item.seg.is_some()) == change.entered {
                continue;
            }
            let order = history::order(evaluation.read_version + 1, place);
            told.entry(segment).or_default().push(history::item(evaluation.profile_id, change, &order)?);
            let item = member_item(evaluation.profile_id, change, item);
            after.insert(segment, item);
        }
        let room = |chunk: Option<&Vec<TransactWriteItem>>, wanted: usize| {
            chunk.is_some_and(|chunk| chunk.len() + wanted < TRANSACTION)
        };
        let mut chunks: Vec<Vec<TransactWriteItem>> = Vec::new();
        for (segment, member) in &after {
            let mut items = told.remove(segment).unwrap_or_default();
            items.push(to_item(member)?);
            if !room(chunks.last(), items.len()) {
                chunks.push(Vec::new());
            }
            for item in items {
                // More than any has room for: the history comes first, and again under the same keys.
                if !room(chunks.last(), 1) {
                    chunks.push(Vec::new());
                }
                let write = table::put_of(&self.profiles, item)?;
                if let Some(chunk) = chunks.last_mut() {
                    chunk.push(write);
                }
            }
        }
        Ok(chunks)
    }

    async fn memberships_of(&self, evaluation: &Evaluation<'_>) -> Result<BTreeMap<String, MemberItem>> {
        let partition = keys::profile(evaluation.profile_id);
        let segments: BTreeSet<&str> =
            evaluation.changes.iter().map(|change| change.segment_id.as_str()).collect();
        let wanted = segments.into_iter().map(|segment| table::key(&partition, &keys::member(segment)));
        let mut before = BTreeMap::new();
        for item in self.batch_get(&self.profiles, wanted.collect()).await? {
            let item: MemberItem = from_item("membership", item)?;
            before.insert(segment_of(&item.sk), item);
        }
        Ok(before)
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

fn read_state(item: &Item) -> Result<StateRecord> {
    let bytes = item.get("b").and_then(|value| value.as_b().ok());
    let version = item.get("v").and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok());
    match (bytes, version) {
        (Some(bytes), Some(version)) => Ok(StateRecord { bytes: bytes.as_ref().to_vec(), version }),
        _ => Err(Error::corrupt("state", "attribute missing")),
    }
}

fn segment_of(sort_key: &str) -> String {
    sort_key.strip_prefix(keys::MEMBER_PREFIX).unwrap_or_default().to_owned()
}

fn read_member(item: Item) -> Result<Member> {
    let item: MemberItem = from_item("membership", item)?;
    Ok(Member {
        profile_id: keys::profile_of_key(&item.pk).unwrap_or_default().to_owned(),
        segment_id: segment_of(&item.sk),
        current: item.seg.is_some(),
        joined_at: item.joined_ms.and_then(Instant::from_millis),
        joined_cause: item.joined_cause,
        left_at: item.left_ms.and_then(Instant::from_millis),
        left_cause: item.left_cause,
    })
}

fn member_item(profile_id: &str, change: &MembershipChange, before: Option<&MemberItem>) -> MemberItem {
    let mut item = MemberItem {
        pk: keys::profile(profile_id),
        sk: keys::member(&change.segment_id),
        seg: None,
        joined: None,
        joined_ms: before.and_then(|before| before.joined_ms),
        joined_cause: before.and_then(|before| before.joined_cause.clone()),
        left_ms: before.and_then(|before| before.left_ms),
        left_cause: before.and_then(|before| before.left_cause.clone()),
    };
    if change.entered {
        item.seg = Some(change.segment_id.clone());
        item.joined = Some(keys::timed(change.at_ms, profile_id));
        item.joined_ms = Some(change.at_ms);
        item.joined_cause = Some(change.cause.clone());
    } else {
        item.left_ms = Some(change.at_ms);
        item.left_cause = Some(change.cause.clone());
    }
    item
}
