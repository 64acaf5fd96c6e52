//! Events first, then the ledger: a crash between the two derives the same events again.

use canonical::fact::Line;
use canonical::{Event, Instant, Person, Source};
use futures::StreamExt;
use futures::stream;
use runtime::metrics::count;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Put, StoredEvent, Subject, SubjectKey};

use crate::people::Who;
use crate::{Context, Failure, Mapper};

/// How often a ledger that somebody else wrote first is read again, before the record's own retry takes over.
const ATTEMPTS: u32 = 8;
/// Events of one delivery that are written at the same time.
const WRITES: usize = 16;
/// Events that may wait in one ledger for a person; of more, the oldest are dropped and counted.
const MAX_PARKED: usize = 100;
/// How long a ledger that belongs to nobody is kept, in seconds: 90 days.
const ANONYMOUS_FOR_S: i64 = 90 * 24 * 3600;
/// Events before 1990 or more than a year ahead are somebody's broken clock.
const EARLIEST_MS: i64 = 631_152_000_000;
const AHEAD_MS: i64 = 366 * 24 * 3600 * 1000;

impl Mapper {
    /// Advances one ledger by one snapshot. If there is something to tell, its `lines` are first completed from the
    /// catalog.
    #[allow(clippy::too_many_arguments, reason = "what differs between the kinds of ledgers is all here")]
    pub(crate) async fn tell<L, S>(
        &self,
        key: SubjectKey,
        mut snapshot: S,
        person: &Person,
        who: Who,
        context: &Context,
        advance: impl Fn(&L, &S, &Source) -> (L, Vec<Event>),
        lines: impl Fn(&mut S) -> &mut [Line],
    ) -> Result<(), Failure>
    where
        L: Serialize + DeserializeOwned + Default + Clone + PartialEq,
    {
        if matches!(who, Who::Erased) {
            return Ok(());
        }
        let mut enriched = false;
        for _ in 0..ATTEMPTS {
            let before: Subject<L> = self.store.subject(&key).await?;
            let (mut ledger, mut events) = advance(&before.ledger, &snapshot, &context.source);
            if !events.is_empty() && !enriched {
                self.enrich(lines(&mut snapshot), context).await?;
                enriched = true;
                (ledger, events) = advance(&before.ledger, &snapshot, &context.source);
            }
            let mut after = Subject { ledger, ..before.clone() };
            if let Who::Known(profile) = &who {
                after.profile_id = Some(profile.clone());
            }
            let mut waiting = std::mem::take(&mut after.parked);
            for event in &mut events {
                event.backfill |= context.backfill;
            }
            waiting.extend(events);
            if let Some(profile) = after.profile_id.clone() {
                context.trace.profile(&profile);
                let current =
                    if matches!(who, Who::Known(_)) { Some(profile) } else { self.current(&profile).await? };
                if let Some(profile) = current {
                    self.put_events(&profile, &context.source.platform, waiting, context).await?;
                } else {
                    context.trace.withhold();
                    count("events", &context.source.platform, "erased", waiting.len() as u64);
                }
            } else {
                let excess = waiting.len().saturating_sub(MAX_PARKED);
                if excess > 0 {
                    count("events", &context.source.platform, "parked_dropped", excess as u64);
                    waiting.drain(..excess);
                }
                after.parked = waiting;
            }
            let customer = person.customer_id.as_deref().filter(|id| !id.is_empty());
            let waits_for = customer.filter(|_| after.profile_id.is_none());
            if after != before {
                if let Some(customer) = waits_for {
                    self.store.park(customer, &key).await?;
                }
                let expires = match (&after.profile_id, key.kind) {
                    (None, "cart" | "checkout") => Some(self.clock.now().as_second() + ANONYMOUS_FOR_S),
                    _ => None,
                };
                match self.store.put_subject(&key, &after, expires).await {
                    Err(store::Error::Conflict) => continue,
                    outcome => outcome?,
                }
            }
            // Also where nothing is new: the one who wrote it may have broken off here.
            return match waits_for {
                Some(customer) => self.tell_if_linked(&key, customer, context).await,
                None => Ok(()),
            };
        }
        Err(store::Error::Conflict.into())
    }

    /// What a profile that a ledger noted some time ago is now: it may have merged, or may have been erased.
    pub(crate) async fn current(&self, profile_id: &str) -> Result<Option<String>, Failure> {
        Ok(self.store.profile(profile_id).await?.map(|profile| profile.value.id))
    }

    /// Writes events into a profile's history, each once.
    pub(crate) async fn put_events(
        &self,
        profile_id: &str,
        integration: &str,
        events: Vec<Event>,
        context: &Context,
    ) -> Result<(), Failure> {
        if events.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let latest_ms = now.as_millisecond() + AHEAD_MS;
        let (timely, untimely): (Vec<Event>, Vec<Event>) = events
            .into_iter()
            .partition(|event| (EARLIEST_MS..=latest_ms).contains(&event.occurred_at.as_millis()));
        if !untimely.is_empty() {
            count("events", integration, "time_out_of_range", untimely.len() as u64);
        }
        context.trace.events(profile_id, timely.iter());
        let puts: Vec<_> = timely
            .into_iter()
            .map(|event| self.put_one(profile_id, integration, event, now.into()))
            .collect();
        let mut puts = stream::iter(puts).buffer_unordered(WRITES);
        let (mut inserted, mut duplicates) = (0, 0);
        while let Some(put) = puts.next().await {
            match put? {
                Put::Inserted => inserted += 1,
                Put::Duplicate => duplicates += 1,
            }
        }
        count("events", integration, "inserted", inserted);
        count("events", integration, "duplicate", duplicates);
        Ok(())
    }

    async fn put_one(
        &self,
        profile_id: &str,
        integration: &str,
        event: Event,
        ingested_at: Instant,
    ) -> Result<Put, Failure> {
        let metric_id = self.metric(integration, &event).await?;
        let stored = StoredEvent { profile_id: profile_id.to_owned(), metric_id, ingested_at, event };
        Ok(self.store.put_event(&stored).await?)
    }
}
