//! Where an order stands, and how it came there: by what its states mean, never by their ids, which differ from shop to
//! shop.

use std::collections::HashMap;

use canonical::Instant;
use platform::Connection;
use platform::lenient::{Dropped, Field, Id, Object, Objects};
use platform::reading::Reader;

use crate::payload::{self, Flag};
use crate::person::time;

/// What a state says of its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Nothing that ends it: it waits, is paid, is prepared.
    Placed,
    /// Its payment failed.
    NotPlaced,
    Cancelled,
    Refunded,
    /// It left, or arrived.
    Shipped,
}

impl Meaning {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "placed" => Self::Placed,
            "not_placed" => Self::NotPlaced,
            "cancelled" => Self::Cancelled,
            "refunded" => Self::Refunded,
            "shipped" => Self::Shipped,
            _ => return None,
        })
    }
}

/// An order's states, oldest first.
pub(crate) struct Standing {
    entries: Vec<(Meaning, Option<Instant>)>,
}

impl Standing {
    /// Reads the history. A state that only the order itself names has no time.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        zone: &jiff::tz::TimeZone,
        current: Option<&str>,
        histories: Objects<payload::History>,
        meanings: &Meanings<'_>,
    ) -> Self {
        let dropped = &mut reader.dropped;
        let histories = dropped.list("histories", histories);
        let mut entries: Vec<_> = histories
            .into_iter()
            .filter_map(|Object(history)| {
                let at = time(dropped, "histories.date_add", history.date_add, zone);
                let number =
                    dropped.take("histories.id", history.id).and_then(|Id(id)| id.parse::<u64>().ok());
                let Id(state) = dropped.take("histories.id_order_state", history.id_order_state)?;
                Some((number, at, state))
            })
            .collect();
        // By id: times are local, and clocks are turned back once a year.
        entries.sort();
        let is_new = |state: &str| !entries.iter().any(|(_, _, entry)| entry == state);
        let latest =
            current.filter(|state| *state != "0" && is_new(state)).map(|state| (meanings.of(state), None));
        let entries = entries.into_iter().map(|(_, at, state)| (meanings.of(&state), at));
        Self { entries: entries.chain(latest).collect() }
    }

    /// Whether the order counts: one whose payment failed, and that was nothing but cancelled since, does not.
    pub(crate) fn is_placed(&self) -> bool {
        let is_only = |meanings: &[Meaning]| self.entries.iter().all(|(entry, _)| meanings.contains(entry));
        let failed = self.entries.iter().any(|(entry, _)| *entry == Meaning::NotPlaced);
        !(self.entries.is_empty() || failed && is_only(&[Meaning::NotPlaced, Meaning::Cancelled]))
    }

    /// Since when it is cancelled, if it was not taken up again; `otherwise` where the history does not say, as in all
    /// that follow.
    pub(crate) fn cancelled(&self, otherwise: Instant) -> Option<Instant> {
        self.ended(Meaning::Cancelled, otherwise)
    }

    /// Since when it is refunded, if it was not taken up again.
    pub(crate) fn refunded(&self, otherwise: Instant) -> Option<Instant> {
        self.ended(Meaning::Refunded, otherwise)
    }

    /// Since when it is shipped, if it is or was.
    pub(crate) fn shipped(&self, otherwise: Instant) -> Option<Instant> {
        self.first(Meaning::Shipped, otherwise)
    }

    fn first(&self, meaning: Meaning, otherwise: Instant) -> Option<Instant> {
        self.entries.iter().find(|(entry, _)| *entry == meaning).map(|(_, at)| at.unwrap_or(otherwise))
    }

    fn ended(&self, meaning: Meaning, otherwise: Instant) -> Option<Instant> {
        let last = self.entries.iter().rposition(|(entry, _)| *entry == meaning)?;
        let alive = |(entry, _): &(Meaning, _)| matches!(entry, Meaning::Placed | Meaning::Shipped);
        if self.entries.iter().skip(last).any(alive) { None } else { self.first(meaning, otherwise) }
    }
}

/// What the shop's states mean: by the setting `status_map`, by the shop's configuration, by the states' own flags.
pub(crate) struct Meanings<'a> {
    connection: &'a Connection,
    configured: [(Option<String>, Meaning); 3],
    shipped: HashMap<String, bool>,
}

impl<'a> Meanings<'a> {
    pub(crate) fn read(
        dropped: &mut Dropped,
        connection: &'a Connection,
        states: Objects<payload::State>,
        configuration: Field<Object<payload::Configuration>>,
    ) -> Self {
        let configuration = dropped.take("configuration", configuration).unwrap_or_default().0;
        let mut id = |name, field| dropped.take::<Id>(name, field).map(|Id(id)| id);
        let configured = [
            (id("configuration.PS_OS_CANCELED", configuration.cancelled), Meaning::Cancelled),
            (id("configuration.PS_OS_REFUND", configuration.refunded), Meaning::Refunded),
            (id("configuration.PS_OS_ERROR", configuration.failed), Meaning::NotPlaced),
        ];
        let states = dropped.list("states", states);
        let shipped = states.into_iter().filter_map(|Object(state)| {
            let shipped = dropped.take("states.shipped", state.shipped) == Some(Flag(true));
            Some((dropped.take("states.id", state.id)?.0, shipped))
        });
        Self { connection, configured, shipped: shipped.collect() }
    }

    fn of(&self, state: &str) -> Meaning {
        let map = self.connection.settings.get("status_map");
        let mapped = map.and_then(|map| map.get(state)?.as_str()).and_then(Meaning::parse);
        let configured = || {
            let found = self.configured.iter().find(|(id, _)| id.as_deref() == Some(state));
            found.map(|(_, meaning)| *meaning)
        };
        let flagged = || self.shipped.get(state).filter(|shipped| **shipped).map(|_| Meaning::Shipped);
        mapped.or_else(configured).or_else(flagged).unwrap_or(Meaning::Placed)
    }
}
