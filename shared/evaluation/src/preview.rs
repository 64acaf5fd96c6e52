//! Who would belong to a segment that is not stored: everybody is looked at, and nothing is written.

use std::collections::BTreeSet;

use canonical::Profile;
use futures::future::try_join_all;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Cursor, PROFILE_SHARDS, ProgramRecord, SegmentRecord, StateRecord};

use crate::{Definitions, Error, Evaluator};

/// Profiles of a shard that are read at a time: with their states one batch of the store's.
const PAGE: usize = 50;
/// Histories that are read at the same time, in each shard.
const CONCURRENCY: usize = 2;
/// How far a preview is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Profiles that were looked at.
    pub seen: u64,
    /// Those of them that would belong to the segment.
    pub count: u64,
    /// The first of them by their ids, which are digests: at most [`Preview::SAMPLE`].
    pub sample: BTreeSet<String>,
    /// How far each shard is.
    places: Vec<Place>,
}

/// How far a shard is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Place {
    #[serde(rename = "b")]
    Beginning,
    /// Behind this profile.
    #[serde(rename = "p")]
    Behind(String),
    #[serde(rename = "e")]
    End,
}

impl Default for Preview {
    fn default() -> Self {
        let places = (0..PROFILE_SHARDS).map(|_| Place::Beginning).collect();
        Self { seen: 0, count: 0, sample: BTreeSet::new(), places }
    }
}

impl Preview {
    /// What the previewed segment is called; no id of a stored one looks like this.
    pub const ID: &str = "(preview)";
    /// The most ids of the sample.
    pub const SAMPLE: usize = 10;

    /// Whether everybody has been looked at.
    pub fn is_complete(&self) -> bool {
        self.places.iter().all(|place| *place == Place::End)
    }

    /// Whether it can have come from here.
    pub fn is_valid(&self) -> bool {
        let shards = usize::try_from(PROFILE_SHARDS).unwrap_or_default();
        self.places.len() == shards && self.sample.len() <= Self::SAMPLE && self.count <= self.seen
    }

    fn take(&mut self, page: Part) {
        self.seen = self.seen.saturating_add(page.seen);
        self.count = self.count.saturating_add(page.count);
        self.sample.extend(page.sample);
        while self.sample.len() > Self::SAMPLE {
            self.sample.pop_last();
        }
        let shard = usize::try_from(page.shard).unwrap_or_default();
        if let Some(place) = self.places.get_mut(shard) {
            *place = page.place;
        }
    }
}

/// What was found on a page of a shard.
struct Part {
    shard: u32,
    seen: u64,
    count: u64,
    sample: BTreeSet<String>,
    place: Place,
}

/// The stored definitions with the previewed one.
struct Draft {
    /// The version of the stored ones.
    stored: u64,
    definitions: Definitions,
}

impl Evaluator {
    /// Goes on with a preview until everybody has been looked at, or the clock says that it is time to stop. Each
    /// call looks at somebody. Each profile is counted once, as it is when it is looked at.
    pub async fn preview(
        &self,
        definition: &Value,
        mut preview: Preview,
        until_ms: i64,
    ) -> Result<Preview, Error> {
        let mut drafted: Option<Draft> = None;
        while !preview.is_complete() {
            let record = self.store.program().await?;
            let draft = match drafted.take().filter(|draft| draft.stored == record.version) {
                Some(draft) => draft,
                None => self.draft(definition, record).await?,
            };
            let draft = drafted.insert(draft);
            let shards = (0..PROFILE_SHARDS).zip(&preview.places).filter(|(_, place)| **place != Place::End);
            let pages: Vec<_> =
                shards.map(|(shard, place)| self.preview_page(draft, shard, place, until_ms)).collect();
            for page in try_join_all(pages).await? {
                preview.take(page);
            }
            if self.clock.now_ms() >= until_ms {
                break;
            }
        }
        Ok(preview)
    }

    async fn draft(&self, definition: &Value, record: ProgramRecord) -> Result<Draft, Error> {
        let (mut record, mut segments) = self.stored_definitions(record).await?;
        let stored = record.version;
        record.version += 1;
        let now = self.clock.now().into();
        segments.push(SegmentRecord {
            id: Preview::ID.to_owned(),
            name: String::new(),
            definition: definition.clone(),
            version: record.version,
            is_active: true,
            is_starred: false,
            created_at: now,
            updated_at: now,
            resumed_version: 0,
            ready_version: 0,
            shown_version: 0,
        });
        Ok(Draft { stored, definitions: self.compile(&record, segments).await? })
    }

    /// The next page of a shard, or as much of it as there is time for.
    async fn preview_page(
        &self,
        draft: &Draft,
        shard: u32,
        place: &Place,
        until_ms: i64,
    ) -> Result<Part, Error> {
        let after = match place {
            Place::Behind(profile) => Some(Cursor::behind(profile)),
            Place::Beginning | Place::End => None,
        };
        let page = self.store.list_profile_shard(shard, after, PAGE).await?;
        let ids: Vec<&str> = page.items.iter().map(String::as_str).collect();
        let loaded = self.load(&ids).await?;
        let is_last = page.next.is_none();
        let mut seen = Part { shard, seen: 0, count: 0, sample: BTreeSet::new(), place: Place::End };
        let answers: Vec<_> = page
            .items
            .iter()
            .map(|id| self.would_belong(draft, loaded.profiles.get(id), loaded.states.get(id)))
            .collect();
        let mut belong = stream::iter(answers).buffered(CONCURRENCY);
        for (number, id) in (1..).zip(&page.items) {
            let Some(belongs) = belong.next().await else { break };
            match belongs? {
                // Merged or erased since the index was written.
                None => {}
                Some(belongs) => {
                    seen.seen += 1;
                    if belongs {
                        seen.count += 1;
                        seen.sample.insert(id.clone());
                    }
                }
            }
            if !is_last || number < page.items.len() {
                seen.place = Place::Behind(id.clone());
                if self.clock.now_ms() >= until_ms {
                    return Ok(seen);
                }
            }
        }
        if is_last {
            seen.place = Place::End;
        }
        Ok(seen)
    }

    async fn would_belong(
        &self,
        draft: &Draft,
        profile: Option<&Profile>,
        state: Option<&StateRecord>,
    ) -> Result<Option<bool>, Error> {
        let Some(profile) = profile else { return Ok(None) };
        let state = self.brought_up(&draft.definitions, draft.stored, profile, state).await?;
        Ok(Some(state.is_member(Preview::ID)))
    }
}
