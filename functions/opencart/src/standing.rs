//! Where an order stands, and how it came there, by what the merchant's statuses mean.

use std::collections::BTreeSet;

use canonical::Instant;
use jiff::tz::TimeZone;
use platform::Connection;
use platform::lenient::{Dropped, Field, Id, Object, Objects};

use crate::payload::History;
use crate::person::time;

/// What a status says of its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Nothing that ends it: it waits, is paid, is prepared.
    Placed,
    /// It was denied, failed or expired.
    NotPlaced,
    /// It left.
    Shipped,
    /// It is done.
    Complete,
    Cancelled,
    Refunded,
}

impl Meaning {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "placed" => Self::Placed,
            "not_placed" => Self::NotPlaced,
            "shipped" => Self::Shipped,
            "complete" => Self::Complete,
            "cancelled" => Self::Cancelled,
            "refunded" => Self::Refunded,
            _ => return None,
        })
    }

    /// What the installer's statuses mean: Shipped; Canceled, Voided; Denied, Failed, Expired; Refunded, Reversed,
    /// Chargeback. Source: <https://github.com/opencart/opencart>, upload/install/opencart.sql.
    fn installed(status: &str) -> Option<Self> {
        Some(match status {
            "3" => Self::Shipped,
            "7" | "16" => Self::Cancelled,
            "8" | "10" | "14" => Self::NotPlaced,
            "11" | "12" | "13" => Self::Refunded,
            _ => return None,
        })
    }
}

/// What the shop's statuses mean: by the setting `status_map`, as the installer made them, or complete by the shop's own
/// configuration.
pub(crate) struct Meanings<'a> {
    connection: &'a Connection,
    complete: BTreeSet<String>,
}

impl<'a> Meanings<'a> {
    pub(crate) fn read(
        dropped: &mut Dropped,
        connection: &'a Connection,
        complete: Field<Vec<Field<Id>>>,
    ) -> Self {
        let complete = dropped.list("complete", complete);
        Self { connection, complete: complete.into_iter().map(|Id(id)| id).collect() }
    }

    fn of(&self, status: &str) -> Meaning {
        let map = self.connection.settings.get("status_map");
        let mapped = map.and_then(|map| map.get(status)?.as_str()).and_then(Meaning::parse);
        let complete = || self.complete.contains(status).then_some(Meaning::Complete);
        mapped.or_else(|| Meaning::installed(status)).or_else(complete).unwrap_or(Meaning::Placed)
    }
}

/// An order's statuses since the one that placed it, oldest first. Status 0 is none: nobody confirmed the order.
pub(crate) struct Standing {
    entries: Vec<(Meaning, Option<Instant>)>,
    /// A payment failed before.
    failed: bool,
}

impl Standing {
    /// Reads the history. A status that only the order itself names has no time.
    pub(crate) fn read(
        dropped: &mut Dropped,
        zone: &TimeZone,
        current: Option<String>,
        histories: Objects<History>,
        meanings: &Meanings<'_>,
    ) -> Self {
        let histories = dropped.list("histories", histories);
        let mut entries: Vec<_> = histories
            .into_iter()
            .filter_map(|Object(history)| {
                let at = time(dropped, "histories.date_added", history.date_added, zone);
                let id = dropped.take("histories.order_history_id", history.order_history_id);
                let id = id.and_then(|Id(id)| id.parse::<u64>().ok());
                let Id(status) = dropped.take("histories.order_status_id", history.order_status_id)?;
                Some((id, at, status)).filter(|(_, _, status)| status != "0")
            })
            .collect();
        // By id: times are local, and clocks are turned back once a year.
        entries.sort();
        let is_new = |status: &String| !entries.iter().any(|(_, _, entry)| entry == status);
        let latest = current.filter(|status| status != "0").filter(is_new);
        let latest = latest.map(|status| (meanings.of(&status), None));
        let entries = entries.into_iter().map(|(_, at, status)| (meanings.of(&status), at));
        let mut entries: Vec<_> = entries.chain(latest).collect();
        // A checkout is not placed by a payment that failed, nor by being voided, as 4.1 does with every checkout that
        // is written anew before it is confirmed.
        let places = |(entry, _): &_| !matches!(entry, Meaning::NotPlaced | Meaning::Cancelled);
        let placed = entries.iter().position(places).unwrap_or(entries.len());
        let failed = entries.drain(..placed).any(|(entry, _)| entry == Meaning::NotPlaced);
        Self { entries, failed }
    }

    /// Whether anybody ever confirmed the order, or tried to pay it.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.failed || !self.entries.is_empty()
    }

    /// Since when the order counts: its first status that is neither a failure nor a cancellation.
    pub(crate) fn placed(&self, otherwise: Option<Instant>) -> Option<Instant> {
        self.entries.first().and_then(|(_, at)| at.or(otherwise))
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
        self.first(otherwise, |entry| entry == Meaning::Shipped)
    }

    /// Since when it is shipped or complete, if it is or was.
    pub(crate) fn fulfilled(&self, otherwise: Instant) -> Option<Instant> {
        self.first(otherwise, |entry| matches!(entry, Meaning::Shipped | Meaning::Complete))
    }

    fn first(&self, otherwise: Instant, wanted: impl Fn(Meaning) -> bool) -> Option<Instant> {
        let entry = self.entries.iter().find(|(entry, _)| wanted(*entry));
        entry.map(|(_, at)| at.unwrap_or(otherwise))
    }

    fn ended(&self, meaning: Meaning, otherwise: Instant) -> Option<Instant> {
        let last = self.entries.iter().rposition(|(entry, _)| *entry == meaning)?;
        let alive = |(entry, _): &(Meaning, _)| {
            matches!(entry, Meaning::Placed | Meaning::Shipped | Meaning::Complete)
        };
        let taken_up = self.entries.iter().skip(last).any(alive);
        if taken_up { None } else { self.first(otherwise, |entry| entry == meaning) }
    }
}
