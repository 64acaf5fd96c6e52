//! What is archived of deliveries: each that was worked off or set aside, with what became of it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use archive::{Archive, Entry, Told};
use canonical::Event;
use canonical::identity::Identifiers;
use jiff::Timestamp;
use platform::Delivery;
use runtime::metrics::count;

use crate::Failure;

/// Events and names of one delivery that are noted; a file of many facts may have more.
const MAX_NOTED: usize = 1000;

/// What working on a delivery has met.
#[derive(Default)]
pub(crate) struct Trace(Mutex<Met>);

#[derive(Default)]
struct Met {
    profiles: BTreeSet<String>,
    events: Vec<Told>,
    about: BTreeSet<String>,
    is_withheld: bool,
}

impl Trace {
    /// Whom a fact names.
    pub(crate) fn names(&self, identifiers: &Identifiers) {
        self.with(|met| met.about.extend(store::names_of(identifiers)));
    }

    /// Whose profile it is about.
    pub(crate) fn profile(&self, id: &str) {
        self.with(|met| {
            met.profiles.insert(id.to_owned());
            met.about.insert(store::name_of_profile(id));
        });
    }

    /// What it led to.
    pub(crate) fn events<'a>(&self, profile: &str, events: impl Iterator<Item = &'a Event>) {
        let told = events.map(|event| Told { profile: profile.to_owned(), event: event.id.clone() });
        self.with(|met| {
            let room = MAX_NOTED.saturating_sub(met.events.len());
            met.events.extend(told.take(room));
        });
    }

    /// The delivery must not be kept: it is of somebody who was erased, or asks for what must not be done twice.
    pub(crate) fn withhold(&self) {
        self.with(|met| met.is_withheld = true);
    }

    fn with(&self, note: impl FnOnce(&mut Met)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What is said of a delivery that was worked off or set aside; `None` for one that comes again.
pub(crate) fn entry(
    delivery: Delivery,
    trace: Trace,
    outcome: &Result<&'static str, Failure>,
    now: Timestamp,
) -> Option<Entry> {
    let (name, reason) = match outcome {
        Ok(name) => (*name, None),
        Err(Failure::Dead(reason)) => ("dead_lettered", Some(reason.clone())),
        Err(Failure::Retry(_) | Failure::Later { .. }) => return None,
    };
    let met = trace.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut entry = Entry { reason, ..Entry::new(delivery.label(), name, now) };
    if met.is_withheld {
        entry.erase();
        return Some(entry);
    }
    entry.profiles = met.profiles.into_iter().collect();
    entry.events = met.events;
    let in_text = archive::identifiers_in(&delivery.body);
    let in_text = in_text.iter().map(store::name_of).take(MAX_NOTED);
    entry.about = met.about.into_iter().chain(in_text).collect::<BTreeSet<_>>().into_iter().collect();
    // What is too large for a record is too large for the queue, from which it came.
    entry.message = delivery.to_record().ok();
    Some(entry)
}

/// Archives a batch. Those of its messages that were worked off come again if it cannot be: their ids.
pub(crate) async fn keep(archive: &Archive, batch: Vec<(Option<String>, Entry)>) -> Vec<String> {
    let (ids, entries): (Vec<Option<String>>, Vec<Entry>) = batch.into_iter().unzip();
    if entries.is_empty() {
        return Vec::new();
    }
    match archive.keep(entries).await {
        Ok(()) => Vec::new(),
        Err(error) => {
            count("archived", "archive", "retry", ids.len() as u64);
            tracing::warn!(error = format!("{error:#}"), "deliveries not archived; they will come again");
            ids.into_iter().flatten().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use platform::Headers;

    use super::*;

    fn delivery() -> Delivery {
        Delivery {
            platform: "shopify".to_owned(),
            connection: "C1".to_owned(),
            topic: "orders/create".to_owned(),
            delivery_id: "d-1".to_owned(),
            received_at: Timestamp::UNIX_EPOCH,
            headers: Headers::default(),
            backfill: false,
            body: br#"{"email":"ann@example.com"}"#.to_vec(),
        }
    }

    #[test]
    fn what_comes_again_is_not_archived_yet() {
        for outcome in [Failure::Retry(String::new()), Failure::Later { reason: String::new(), after: None }]
        {
            assert_eq!(entry(delivery(), Trace::default(), &Err(outcome), Timestamp::UNIX_EPOCH), None);
        }
    }

    #[test]
    fn of_what_is_withheld_nothing_is_left_but_that_it_came() {
        let trace = Trace::default();
        trace.profile("P1");
        trace.withhold();
        let entry = entry(delivery(), trace, &Ok("mapped"), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((entry.outcome.as_str(), entry.topic.as_str()), ("erased", "orders/create"));
        assert_eq!(
            (entry.message, entry.profiles, entry.about, entry.delivery_id),
            (None, vec![], vec![], String::new())
        );
    }
}
