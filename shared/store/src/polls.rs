//! Where the poller is with each connection, and whose turn it is.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::ReturnValue;
use canonical::Instant;
use serde::{Deserialize, Serialize};

use crate::table::{self, Item, from_json, item_text, number, text, to_json};
use crate::{Error, Result, Store};

const POLL: &str = "poll";
/// Runs that are remembered.
pub const MAX_RUNS: usize = 20;

/// How far a connection's polls have come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Poll {
    /// All that changed before this is in the queue; in milliseconds since 1970. Absent before the first run.
    pub cursor_ms: Option<i64>,
    /// How wide the next window may be.
    pub window_ms: Option<i64>,
    /// How far feeds have come that count their records, by the feed's name.
    pub marks: BTreeMap<String, String>,
    /// The last runs, newest first.
    pub runs: Vec<PollRun>,
    /// When the next run is due.
    #[serde(skip)]
    pub next_ms: i64,
    /// Until when somebody works on the connection; it names their lease.
    #[serde(skip)]
    pub lease_ms: i64,
}

impl Poll {
    /// Remembers a run.
    pub fn note(&mut self, run: PollRun) {
        self.runs.truncate(MAX_RUNS - 1);
        self.runs.insert(0, run);
    }
}

/// One run, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRun {
    /// When it began.
    pub started_at: Instant,
    /// When it ended.
    pub finished_at: Instant,
    /// The period that was asked for.
    pub since: Instant,
    /// Its end.
    pub until: Instant,
    /// What was read.
    #[serde(flatten)]
    pub tally: Tally,
    /// Why it ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Pages that were read.
    pub pages: u64,
    /// Records that went into the queue.
    pub records: u64,
    /// Requests that were made, those that failed included.
    pub requests: u64,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.pages += other.pages;
        self.records += other.records;
        self.requests += other.requests;
    }
}

impl Store {
    /// Takes a connection's lease; `None` if somebody else has it.
    pub async fn claim_poll(&self, connection: &str, now_ms: i64, lease_ms: i64) -> Result<Option<Poll>> {
        let until_ms = now_ms + lease_ms;
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(POLL, connection)))
            .update_expression("SET lease = :until")
            .condition_expression("attribute_not_exists(lease) OR lease <= :now")
            .expression_attribute_values(":until", number(until_ms))
            .expression_attribute_values(":now", number(now_ms))
            .return_values(ReturnValue::AllNew);
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(answer) => answer.attributes.as_ref().map(read).transpose(),
            Err(Error::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a lease longer. [`Error::Conflict`] if it had ended and somebody else has it.
    pub async fn renew_poll(&self, connection: &str, poll: &mut Poll, until_ms: i64) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(POLL, connection)))
            .update_expression("SET lease = :until")
            .condition_expression("lease = :lease")
            .expression_attribute_values(":until", number(until_ms))
            .expression_attribute_values(":lease", number(poll.lease_ms));
        request.send().await.map_err(|error| Error::of(&error))?;
        poll.lease_ms = until_ms;
        Ok(())
    }

    /// Notes how far the polls have come, and keeps the lease. [`Error::Conflict`] if it had ended and somebody else
    /// has it.
    pub async fn put_poll(&self, connection: &str, poll: &Poll) -> Result<()> {
        self.write_poll(connection, poll, "SET due = :due, doc = :doc").await
    }

    /// As [`Self::put_poll`], and gives the lease back.
    pub async fn finish_poll(&self, connection: &str, poll: &Poll) -> Result<()> {
        self.write_poll(connection, poll, "SET due = :due, doc = :doc REMOVE lease").await
    }

    async fn write_poll(&self, connection: &str, poll: &Poll, update: &str) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(POLL, connection)))
            .update_expression(update)
            .condition_expression("lease = :lease")
            .expression_attribute_values(":due", number(poll.next_ms))
            .expression_attribute_values(":lease", number(poll.lease_ms))
            .expression_attribute_values(":doc", text(to_json(poll)?));
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// How far a connection's polls have come; as at the very first if there were none.
    pub async fn poll(&self, connection: &str) -> Result<Poll> {
        let item = self.get(&self.registry, POLL, connection).await?;
        Ok(item.as_ref().map(read).transpose()?.unwrap_or_default())
    }

    /// All polls by connection.
    pub async fn polls(&self) -> Result<BTreeMap<String, Poll>> {
        let items = self.partition(&self.registry, POLL, "").await?;
        let named = |item: &Item| Some((item_text(item, "sk")?.to_owned(), read(item).ok()?));
        Ok(items.iter().filter_map(named).collect())
    }

    pub(crate) async fn delete_poll(&self, connection: &str) -> Result<()> {
        self.delete(&self.registry, POLL, connection).await
    }
}

fn read(item: &Item) -> Result<Poll> {
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
    let poll: Poll = item_text(item, "doc").map_or(Ok(Poll::default()), |doc| from_json(POLL, doc))?;
    let (next_ms, lease_ms) = (number("due").unwrap_or_default(), number("lease").unwrap_or_default());
    Ok(Poll { next_ms, lease_ms, ..poll })
}
