//! Where the poller is with each connection.

use aws_sdk_dynamodb::types::ReturnValue;
use canonical::Instant;
use serde::{Deserialize, Serialize};

use crate::table::{self, Item, from_json, item_text, number, text, to_json};
use crate::{Error, Result, Store};

const POLL: &str = "poll";

/// How far a connection's polls have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// All that changed before this is in the queue; in milliseconds since 1970. Absent before the first run.
    pub cursor_ms: Option<i64>,
    /// How wide the next window may be.
    pub window_ms: Option<i64>,
    /// When the next run is due.
    pub next_ms: i64,
    /// Names the lease of this run.
    lease_ms: i64,
}

/// One run, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRun {
    /// When it began.
    pub started_at: Instant,
    /// When it ended.
    pub finished_at: Instant,
    /// Pages that were read.
    pub pages: u64,
    /// Records that went into the queue.
    pub records: u64,
    /// Why it ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Default for PollRun {
    fn default() -> Self {
        let at = Instant::from(jiff::Timestamp::UNIX_EPOCH);
        Self { started_at: at, finished_at: at, pages: 0, records: 0, error: None }
    }
}

impl Store {
    /// Takes a connection's lease; `None` if it is not due, or somebody else has it.
    pub async fn claim_poll(&self, connection: &str, now_ms: i64, lease_ms: i64) -> Result<Option<Poll>> {
        let until_ms = now_ms + lease_ms;
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(POLL, connection)))
            .update_expression("SET lease = :until")
            .condition_expression(
                "(attribute_not_exists(lease) OR lease <= :now) AND (attribute_not_exists(due) OR due <= :now)",
            )
            .expression_attribute_values(":until", number(until_ms))
            .expression_attribute_values(":now", number(now_ms))
            .return_values(ReturnValue::AllNew);
        match request.send().await.map_err(|error| Error::of(&error)) {
            Ok(answer) => {
                let poll = answer.attributes.as_ref().map(read).unwrap_or_default();
                Ok(Some(Poll { lease_ms: until_ms, ..poll }))
            }
            Err(Error::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes a run and gives the lease back. [`Error::Conflict`] if the lease had ended and somebody else has it.
    pub async fn finish_poll(&self, connection: &str, poll: &Poll, run: &PollRun) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(&self.registry)
            .set_key(Some(table::key(POLL, connection)))
            .update_expression("SET since = :cursor, width = :window, due = :due, doc = :run REMOVE lease")
            .condition_expression("lease = :lease")
            .expression_attribute_values(":cursor", number(poll.cursor_ms.unwrap_or_default()))
            .expression_attribute_values(":window", number(poll.window_ms.unwrap_or_default()))
            .expression_attribute_values(":due", number(poll.next_ms))
            .expression_attribute_values(":lease", number(poll.lease_ms))
            .expression_attribute_values(":run", text(to_json(run)?));
        request.send().await.map(drop).map_err(|error| Error::of(&error))
    }

    /// The last run and when the next is due (milliseconds since 1970); `None` if there was none.
    pub async fn last_poll(&self, connection: &str) -> Result<Option<(PollRun, i64)>> {
        let item = self.get(&self.registry, POLL, connection).await?;
        let run = item.as_ref().and_then(|item| Some((item_text(item, "doc")?, read(item).next_ms)));
        run.map(|(run, next_ms)| Ok((from_json(POLL, run)?, next_ms))).transpose()
    }

    pub(crate) async fn delete_poll(&self, connection: &str) -> Result<()> {
        self.delete(&self.registry, POLL, connection).await
    }
}

fn read(item: &Item) -> Poll {
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
    Poll {
        cursor_ms: number("since"),
        window_ms: number("width"),
        next_ms: number("due").unwrap_or_default(),
        lease_ms: number("lease").unwrap_or_default(),
    }
}
