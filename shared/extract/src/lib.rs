#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::time::Duration;

use fetch::Fetcher;
use oauth::Grants;
use platform::{ApiRequest, Connection, Feed, Fetched, Page, Period, Platform, Record, Secrets};
use runtime::Clock;
use store::Tally;

/// A platform that asks for more patience than this is asked again in another run.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long it waits without asking the sink whether to go on.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
/// Tries of one request that fails.
const TRIES: u32 = 5;
/// The shortest pause after the first failure; after each further one it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// Pages of one feed in one period: more is a platform that never ends.
const MAX_PAGES: u64 = 100_000;
/// Rounds of joins of one page, and requests in all of them.
const MAX_ROUNDS: usize = 12;
const MAX_JOINS: usize = 400;

/// Where records go while they are read.
pub trait Sink {
    /// Takes the records of a page: returns once they are safe, for the next page is asked for after that.
    fn take(&mut self, records: Vec<Record>) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Called before every request, and every ten seconds while it waits: whoever may not go on says so with an error.
    fn still(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Of itself: there was too much for the time there is.
    #[error("there is more than can be read in the time there is")]
    OutOfTime,
    /// The platform does not let the connection in. The text names no secret.
    #[error("{0}")]
    Denied(String),
    /// The platform, or the way to it. The text names no content.
    #[error("{0}")]
    Failed(String),
    /// The sink.
    #[error("{0:#}")]
    Sink(anyhow::Error),
}

/// Reads feeds on behalf of connections.
#[derive(Debug)]
pub struct Extractor {
    fetcher: Fetcher,
    grants: Grants,
    clock: Clock,
}

/// What is read, and until when.
pub struct Task<'a> {
    /// The adapter.
    pub platform: &'a dyn Platform,
    /// The connection.
    pub connection: &'a Connection,
    /// What of it.
    pub period: &'a Period,
    /// When to stop, in milliseconds since 1970.
    pub deadline_ms: i64,
}

/// One reading under way.
struct Reading<'a, S> {
    task: &'a Task<'a>,
    secrets: Secrets,
    tally: &'a mut Tally,
    sink: &'a mut S,
}

impl Extractor {
    /// From its parts.
    pub fn new(fetcher: Fetcher, grants: Grants, clock: Clock) -> Self {
        Self { fetcher, grants, clock }
    }

    /// Reads all feeds of a period into the sink, page after page. What was counted stays counted, and `marks` are
    /// as far as the sink has taken, also if it ends early.
    pub async fn read(
        &self,
        task: &Task<'_>,
        marks: &mut BTreeMap<String, String>,
        tally: &mut Tally,
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let secrets = self.secrets(task).await?;
        let mut reading = Reading { task, secrets, tally, sink };
        for mut feed in task.platform.feeds(task.connection, task.period) {
            // The request of a page before: whoever comes back to it turns in a circle. As it moves on at every power of
            // two, it comes to lie in any circle there is (Brent's algorithm).
            let mut landmark = feed.request.clone();
            for number in 1_u64.. {
                let page = self.page(&mut reading, &feed).await?;
                reading.tally.pages += 1;
                reading.tally.records += page.records.len() as u64;
                reading.sink.take(page.records).await.map_err(Stopped::Sink)?;
                if let Some(mark) = page.mark {
                    marks.insert(feed.name.to_owned(), mark);
                }
                let Some(next) = page.next else { break };
                if next == landmark || number == MAX_PAGES {
                    return Err(Stopped::Failed(format!("{} does not end", feed.name)));
                }
                if number.is_power_of_two() {
                    landmark.clone_from(&next);
                }
                feed.request = next;
            }
        }
        Ok(())
    }

    /// Reads the first page of a connection's first feed and keeps nothing of it: whether the platform lets it in.
    pub async fn probe(&self, task: &Task<'_>, tally: &mut Tally) -> Result<Option<&'static str>, Stopped> {
        let Some(feed) = task.platform.feeds(task.connection, task.period).into_iter().next() else {
            return Ok(None);
        };
        let secrets = self.secrets(task).await?;
        let mut reading = Reading { task, secrets, tally, sink: &mut Nowhere };
        self.page(&mut reading, &feed).await?;
        Ok(Some(feed.name))
    }

    /// The answers to requests, in their order: what reading a thin record takes.
    pub async fn answers(
        &self,
        task: &Task<'_>,
        requests: &[ApiRequest],
        tally: &mut Tally,
    ) -> Result<Vec<Fetched>, Stopped> {
        let secrets = self.secrets(task).await?;
        let mut reading = Reading { task, secrets, tally, sink: &mut Nowhere };
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.ask(&mut reading, request).await?);
        }
        Ok(answers)
    }

    async fn page<S: Sink>(&self, reading: &mut Reading<'_, S>, feed: &Feed) -> Result<Page, Stopped> {
        let answer = self.ask(reading, &feed.request).await?;
        let mut joined = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let page = reading.task.platform.page(reading.task.connection, feed, &answer, &joined);
            let page = page.map_err(|error| Stopped::Failed(format!("{}: {error}", feed.name)))?;
            if page.joins.is_empty() {
                return Ok(page);
            }
            if joined.len() + page.joins.len() > MAX_JOINS {
                break;
            }
            for request in &page.joins {
                joined.push(self.ask(reading, request).await?);
            }
        }
        Err(Stopped::Failed(format!("{}: a page asks for too many requests", feed.name)))
    }

    /// One answer, with patience for a platform that asks for some, and for one that fails now and then.
    async fn ask<S: Sink>(
        &self,
        reading: &mut Reading<'_, S>,
        request: &ApiRequest,
    ) -> Result<Fetched, Stopped> {
        let connection = &reading.task.connection.id;
        let (mut failures, mut refreshed) = (0, false);
        loop {
            reading.sink.still().await.map_err(Stopped::Sink)?;
            let now_ms = self.clock.now_ms();
            if now_ms > reading.task.deadline_ms {
                return Err(Stopped::OutOfTime);
            }
            let sent_before = reading.tally.requests;
            let sent = &mut reading.tally.requests;
            let answer = self.fetcher.fetch_counting(connection, request, &reading.secrets, sent).await;
            let (reason, after) = match answer {
                Ok(answer) => return Ok(answer),
                Err(fetch::Error::Later { reason, after }) => (reason, after),
                Err(fetch::Error::Denied { reason }) if refreshed => return Err(Stopped::Denied(reason)),
                Err(fetch::Error::Denied { .. }) => {
                    // Perhaps they were exchanged just now, or can be.
                    let Task { platform, connection, .. } = reading.task;
                    let oauth = platform.oauth(connection);
                    let denied = self.grants.denied(&connection.id, oauth, &reading.secrets);
                    reading.secrets = denied.await.map_err(unread)?;
                    refreshed = true;
                    continue;
                }
                Err(error) => return Err(unread(error)),
            };
            let mut wait = after.unwrap_or_default();
            // What was only held back here has not failed, and waits no longer than it must.
            if reading.tally.requests > sent_before {
                failures += 1;
                // A platform that says "again at once" again and again is not believed.
                wait = wait.max(FIRST_PAUSE * 2_u32.pow(failures.min(8) - 1));
            }
            if wait > PATIENCE || (after.is_none() && failures >= TRIES) {
                return Err(Stopped::Failed(reason));
            }
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            if now_ms.saturating_add(wait_ms) > reading.task.deadline_ms {
                return Err(Stopped::OutOfTime);
            }
            self.wait(reading, wait).await?;
        }
    }

    /// Waits, and says now and then that it still does.
    async fn wait<S: Sink>(&self, reading: &mut Reading<'_, S>, mut wait: Duration) -> Result<(), Stopped> {
        while !wait.is_zero() {
            let step = wait.min(LONGEST_SILENCE);
            tokio::time::sleep(step).await;
            wait -= step;
            reading.sink.still().await.map_err(Stopped::Sink)?;
        }
        Ok(())
    }

    async fn secrets(&self, task: &Task<'_>) -> Result<Secrets, Stopped> {
        self.grants.secrets(task.connection, task.platform).await.map_err(unread)
    }
}

fn unread(error: fetch::Error) -> Stopped {
    match error {
        fetch::Error::Denied { reason } => Stopped::Denied(reason),
        other => Stopped::Failed(other.to_string()),
    }
}

/// Keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    async fn take(&mut self, _records: Vec<Record>) -> anyhow::Result<()> {
        Ok(())
    }
}
