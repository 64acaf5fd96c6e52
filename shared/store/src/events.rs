//! Event items. An event's key is its id and not its time, so that a repeat with another time is the same event
//! and the first one wins, with a single conditional put.

use std::collections::HashMap;

use canonical::{Event, Instant};
use serde::{Deserialize, Serialize};

use crate::page::{Listing, Page};
use crate::table::{self, Item, Unless, from_item, from_json, item_text, to_item, to_json};
use crate::{Cursor, Error, Result, Store, keys};

/// An event in a profile's history.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Whose it is.
    pub profile_id: String,
    /// Its metric's id.
    pub metric_id: String,
    /// When it was first written, or came to this profile with one that merged into it.
    pub ingested_at: Instant,
    /// What happened.
    pub event: Event,
}

/// What became of an event that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Inserted,
    /// It was there already; the first one stays.
    Duplicate,
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of one profile.
    pub profile_id: Option<String>,
    /// Of these metrics; with neither a profile nor a metric there are none.
    pub metric_ids: Vec<String>,
    /// Not before, in milliseconds.
    pub from_ms: Option<i64>,
    /// Not after, in milliseconds.
    pub to_ms: Option<i64>,
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOrder {
    /// By time, oldest first.
    OldestFirst,
    /// By time, newest first.
    NewestFirst,
}

/// Where an event is and when it happened: what the index by metric says without reading the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventKey {
    /// Whose it is.
    pub profile_id: String,
    /// Its id.
    pub event_id: String,
    /// When it happened, in milliseconds; 0 before 1970.
    pub at_ms: i64,
}

impl EventKey {
    fn of(row: &Item) -> Option<Self> {
        Some(Self {
            profile_id: keys::profile_of_key(item_text(row, "pk")?)?.to_owned(),
            event_id: item_text(row, "sk")?.strip_prefix(keys::EVENT_PREFIX)?.to_owned(),
            at_ms: item_text(row, "at")?.split_once('#')?.0.parse().ok()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct EventItem {
    pk: String,
    sk: String,
    /// Time, event and profile: the sort key of both indexes, unique.
    at: String,
    /// Metric and shard: the partition key of the index by metric.
    ms: String,
    /// The metric's id.
    m: String,
    /// When it was first written, in milliseconds.
    ing: i64,
    /// The event as JSON.
    doc: String,
}

/// Reads the new image of a stream record whose sort key is an event's.
pub fn read_event_image(image: Item) -> Result<StoredEvent> {
    let item: EventItem = from_item("event", image)?;
    Ok(StoredEvent {
        profile_id: keys::profile_of_key(&item.pk).unwrap_or_default().to_owned(),
        metric_id: item.m,
        ingested_at: Instant::from_millis(item.ing)
            .ok_or_else(|| Error::corrupt("event", "ingestion time"))?,
        event: from_json("event", &item.doc)?,
    })
}

impl Store {
    /// Records an event, once.
    pub async fn put_event(&self, stored: &StoredEvent) -> Result<Put> {
        let event = &stored.event;
        let item = EventItem {
            pk: keys::profile(&stored.profile_id),
            sk: keys::event(&event.id),
            // Through the API, events of two profiles can have one id: the profile makes the value unique.
            at: keys::timed(event.occurred_at.as_millis(), &format!("{}#{}", event.id, stored.profile_id)),
            ms: keys::metric_shard(&stored.metric_id, &event.id),
            m: stored.metric_id.clone(),
            ing: stored.ingested_at.as_millis(),
            doc: to_json(event)?,
        };
        match self.put(&self.profiles, to_item(&item)?, Some(Unless::Exists)).await {
            Ok(()) => Ok(Put::Inserted),
            Err(Error::Conflict) => Ok(Put::Duplicate),
            Err(error) => Err(error),
        }
    }

    /// All events of a profile, in no order. One that cannot be read is left out and logged: the others still count.
    pub async fn history(&self, profile_id: &str) -> Result<Vec<StoredEvent>> {
        let items = self.partition(&self.profiles, &keys::profile(profile_id), keys::EVENT_PREFIX).await?;
        let read = |item: Item| match read_event_image(item) {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::error!(profile_id, error = %error, "event cannot be read and is left out");
                None
            }
        };
        Ok(items.into_iter().filter_map(read).collect())
    }

    /// A page of events in order of time.
    pub async fn list_events(
        &self,
        filter: &EventFilter,
        order: EventOrder,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<StoredEvent>> {
        let (index, partition_attribute, partitions) = if let Some(profile) = &filter.profile_id {
            ("events-by-time", "pk", vec![keys::profile(profile)])
        } else {
            let shards = filter.metric_ids.iter().flat_map(|metric| keys::metric_shards(metric));
            ("events-by-metric", "ms", shards.collect())
        };
        let listing = Listing {
            table: &self.profiles,
            index: Some(index),
            partition_attribute,
            partitions,
            sort_attribute: "at",
            lower: filter.from_ms.map(|millis| keys::timed(millis, "")),
            upper: filter.to_ms.map(|millis| keys::timed(millis, "~")),
            descending: order == EventOrder::NewestFirst,
            after,
            size,
        };
        let page = self.listing(&listing).await?;
        let found: Vec<EventKey> = page.items.iter().filter_map(EventKey::of).collect();
        let events = self.events_at(&found).await?;
        let wanted = |event: &StoredEvent| {
            filter.metric_ids.is_empty() || filter.metric_ids.contains(&event.metric_id)
        };
        Ok(Page { items: events.into_iter().filter(wanted).collect(), next: page.next })
    }

    /// When the newest event of a profile happened, of those that have happened by now.
    ///
    /// # Errors
    ///
    /// When DynamoDB fails.
    pub async fn last_event_at(&self, profile_id: &str, now: Instant) -> Result<Option<Instant>> {
        let filter = EventFilter {
            profile_id: Some(profile_id.to_owned()),
            to_ms: Some(now.as_millis()),
            ..EventFilter::default()
        };
        let page = self.list_events(&filter, EventOrder::NewestFirst, None, 1).await?;
        Ok(page.items.first().map(|stored| stored.event.occurred_at))
    }

    /// One event by its profile and id.
    pub async fn event(&self, profile_id: &str, event_id: &str) -> Result<Option<StoredEvent>> {
        let item = self.get(&self.profiles, &keys::profile(profile_id), &keys::event(event_id)).await?;
        item.map(read_event_image).transpose()
    }

    /// Where the events of a metric are: a page of one of the [`crate::METRIC_PARTS`] parts of its index, oldest first, within
    /// inclusive milliseconds.
    pub async fn metric_events(
        &self,
        metric_id: &str,
        part: u32,
        bounds_ms: (i64, i64),
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page<EventKey>> {
        let listing = Listing {
            table: &self.profiles,
            index: Some("events-by-metric"),
            partition_attribute: "ms",
            partitions: keys::metric_shards(metric_id).skip(part as usize).take(1).collect(),
            sort_attribute: "at",
            lower: Some(keys::timed(bounds_ms.0, "")),
            upper: Some(keys::timed(bounds_ms.1, "~")),
            descending: false,
            after,
            size,
        };
        let page = self.listing(&listing).await?;
        Ok(Page { items: page.items.iter().filter_map(EventKey::of).collect(), next: page.next })
    }

    /// Events by their keys, in that order; those that are gone are left out.
    pub async fn events_at(&self, wanted: &[EventKey]) -> Result<Vec<StoredEvent>> {
        let addresses: Vec<(String, String)> =
            wanted.iter().map(|key| (keys::profile(&key.profile_id), keys::event(&key.event_id))).collect();
        let keys = addresses.iter().map(|(partition, sort)| table::key(partition, sort)).collect();
        let address = |row: &Item| Some((item_text(row, "pk")?.to_owned(), item_text(row, "sk")?.to_owned()));
        let mut found: HashMap<(String, String), Item> = self
            .batch_get(&self.profiles, keys)
            .await?
            .into_iter()
            .filter_map(|item| Some((address(&item)?, item)))
            .collect();
        addresses.iter().filter_map(|address| found.remove(address)).map(read_event_image).collect()
    }
}
