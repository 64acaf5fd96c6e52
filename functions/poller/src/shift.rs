//! The work on one connection while its lease is held: polls that are due, then historical imports.

use extract::{Sink, Stopped, Task};
use jiff::Timestamp;
use platform::{Connection, Delivery, Period, Platform, Record, Span};
use store::{ConnectionStatus, Health, Import, ImportStatus, Poll, PollRun, Tally};

use crate::{LEASE_MS, Poller, RENEWED_EVERY_MS, is_polled};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How far a poll reaches back over the last one: a platform may show a change late.
const OVERLAP_MS: i64 = 10 * MINUTE_MS;
/// From one failed poll to the next.
const AGAIN_MS: i64 = 5 * MINUTE_MS;
/// From one failed window of an import to the next: as long as it has been failing, within these.
const IMPORT_AGAIN_MS: [i64; 2] = [30_000, 15 * MINUTE_MS];
/// An import that has not got on for so long is given up.
const GIVEN_UP_AFTER_MS: i64 = DAY_MS;
/// An import's next window is wider if this one took less.
const QUICK_MS: i64 = 30_000;
/// Nothing is begun with less time left than this.
const ENOUGH_MS: i64 = 30_000;

/// How wide the windows of a kind of work may be, in milliseconds.
struct Widths {
    first: i64,
    narrowest: i64,
    widest: i64,
}

const POLL: Widths = Widths { first: DAY_MS, narrowest: MINUTE_MS, widest: DAY_MS };
const IMPORT: Widths = Widths { first: 7 * DAY_MS, narrowest: MINUTE_MS, widest: 36_500 * DAY_MS };

impl Widths {
    fn of(&self, window_ms: Option<i64>) -> i64 {
        window_ms.unwrap_or(self.first).clamp(self.narrowest, self.widest)
    }

    fn wider(&self, window_ms: i64) -> i64 {
        window_ms.saturating_mul(2).min(self.widest)
    }

    fn narrower(&self, window_ms: i64) -> i64 {
        (window_ms / 2).max(self.narrowest)
    }
}

/// One call's work on one connection.
pub(crate) struct Shift<'a> {
    poller: &'a Poller,
    platform: &'a dyn Platform,
    connection: &'a Connection,
    pub(crate) poll: Poll,
    created_ms: i64,
    deadline_ms: i64,
}

impl<'a> Shift<'a> {
    pub(crate) fn new(
        poller: &'a Poller,
        platform: &'a dyn Platform,
        connection: &'a Connection,
        poll: Poll,
        created_ms: i64,
        deadline_ms: i64,
    ) -> Self {
        Self { poller, platform, connection, poll, created_ms, deadline_ms }
    }

    /// Works until there is nothing left to do now, or no time. Returns whether there is more to do at once.
    pub(crate) async fn work(&mut self) -> anyhow::Result<bool> {
        let is_polled = is_polled(self.platform, self.connection, &self.poller.clock);
        while is_polled && self.poll.next_ms <= self.now_ms() {
            if !self.has_time() {
                return Ok(true);
            }
            match self.poll().await {
                Err(error) if error.is::<CalledOff>() => return Ok(false),
                outcome => outcome?,
            }
        }
        let imports = self.poller.store.imports().await?;
        let own = imports.into_iter().filter(|import| import.connection == self.connection.id);
        for mut import in own {
            while import.is_unfinished() && import.next_ms <= self.now_ms() {
                if !self.has_time() {
                    return Ok(true);
                }
                if !self.import(&mut import).await? {
                    break;
                }
            }
        }
        Ok(false)
    }

    /// One poll: a window of what changed.
    async fn poll(&mut self) -> anyhow::Result<()> {
        let started = self.poller.clock.now();
        let started_ms = started.as_millisecond();
        let cursor_ms = self.poll.cursor_ms.unwrap_or(self.created_ms).min(started_ms);
        let window_ms = POLL.of(self.poll.window_ms);
        let until_ms = started_ms.min(cursor_ms + window_ms);
        let mut period = period(cursor_ms - OVERLAP_MS, until_ms, Span::Changes)?;
        period.marks.clone_from(&self.poll.marks);
        let mut tally = Tally::default();
        let outcome = self.read(&period, None, &mut tally).await;
        let finished_ms = self.now_ms();
        self.poll.cursor_ms = Some(cursor_ms);
        let error = match outcome {
            Ok(()) => {
                self.poll.cursor_ms = Some(until_ms);
                self.poll.window_ms = Some(POLL.wider(window_ms));
                // What is left of a backlog is due at once.
                let is_backlog = until_ms < started_ms;
                self.poll.next_ms = finished_ms + if is_backlog { 0 } else { self.interval_ms() };
                None
            }
            // The lease is somebody else's now, or the connection is not to be read any more: nothing may be noted.
            Err(Stopped::Sink(error)) if error.is::<Lost>() || error.is::<CalledOff>() => return Err(error),
            // Half of it may succeed: it has fewer pages, each with a chance to fail, and smaller ones.
            Err(stopped) => {
                self.poll.window_ms = Some(POLL.narrower(window_ms));
                // Whoever has no end even in the narrowest window, and gets no further, is not asked without a pause.
                let may_end = window_ms > POLL.narrowest || self.poll.marks != period.marks;
                let is_only_late = matches!(stopped, Stopped::OutOfTime) && may_end;
                self.poll.next_ms = finished_ms + if is_only_late { 0 } else { AGAIN_MS };
                Some(stopped.to_string())
            }
        };
        if let Some(error) = &error {
            self.note_error(error).await;
        }
        let finished_at = self.poller.clock.now().into();
        let (since, until) = (period.since.into(), period.until.into());
        self.poll.note(PollRun { started_at: started.into(), finished_at, since, until, tally, error });
        Ok(self.poller.store.put_poll(&self.connection.id, &self.poll).await?)
    }

    /// One window of an import. Returns whether it may go on: `false` if somebody ended it meanwhile.
    async fn import(&mut self, import: &mut Import) -> anyhow::Result<bool> {
        let started = self.poller.clock.now();
        let started_ms = started.as_millisecond();
        import.status = ImportStatus::Running;
        import.started_at.get_or_insert(started.into());
        let window_ms = IMPORT.of(import.window_ms);
        let until_ms = import.until.as_millis().min(import.cursor_ms.saturating_add(window_ms));
        let period = period(import.cursor_ms, until_ms, Span::History)?;
        let mut tally = Tally::default();
        let outcome = self.read(&period, Some(&import.id), &mut tally).await;
        let now_ms = self.now_ms();
        import.worked_ms += now_ms - started_ms;
        import.tally.add(tally);
        match outcome {
            Ok(()) => {
                import.cursor_ms = until_ms;
                import.failing = None;
                import.window_ms =
                    Some(if now_ms - started_ms < QUICK_MS { IMPORT.wider(window_ms) } else { window_ms });
                if until_ms >= import.until.as_millis() {
                    import.status = ImportStatus::Complete;
                }
            }
            Err(Stopped::Sink(error)) if error.is::<Lost>() => return Err(error),
            Err(Stopped::Sink(error)) if error.is::<CalledOff>() => return Ok(false),
            Err(Stopped::OutOfTime) if window_ms > IMPORT.narrowest => {
                import.window_ms = Some(IMPORT.narrower(window_ms));
            }
            Err(stopped) => {
                import.window_ms = Some(IMPORT.narrower(window_ms));
                let reason = stopped.to_string();
                self.note_error(&reason).await;
                let since = import.failing.take().map_or(started.into(), |(since, _)| since);
                let failing_ms = now_ms - since.as_millis();
                import.failing = Some((since, reason));
                let [shortest_ms, longest_ms] = IMPORT_AGAIN_MS;
                import.next_ms = now_ms + failing_ms.clamp(shortest_ms, longest_ms);
                if failing_ms > GIVEN_UP_AFTER_MS {
                    import.status = ImportStatus::Failed;
                }
            }
        }
        if !import.is_unfinished() {
            import.finished_at = Some(self.poller.clock.now().into());
        }
        match self.poller.store.update_import(import).await {
            Ok(()) => Ok(true),
            Err(store::Error::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn read(
        &mut self,
        period: &Period,
        import: Option<&str>,
        tally: &mut Tally,
    ) -> Result<(), Stopped> {
        let task = Task {
            platform: self.platform,
            connection: self.connection,
            period,
            deadline_ms: self.deadline_ms,
        };
        let mut marks = period.marks.clone();
        let mut sink =
            Queue { poller: self.poller, connection: self.connection, poll: &mut self.poll, import };
        let outcome = self.poller.extractor.read(&task, &mut marks, tally, &mut sink).await;
        if period.span == Span::Changes {
            self.poll.marks = marks;
        }
        outcome
    }

    /// From one poll to the next: the platform's interval, and up to a fifteenth more that differs from connection to
    /// connection, so that not all ask at once.
    fn interval_ms(&self) -> i64 {
        let interval = self.platform.interval(self.connection).as_millis();
        let interval_ms = i64::try_from(interval).unwrap_or(DAY_MS).clamp(MINUTE_MS, DAY_MS);
        let id = self.connection.id.bytes();
        let sum = id.fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        interval_ms + i64::from(sum) % (interval_ms / 15)
    }

    async fn note_error(&self, error: &str) {
        let connection = &self.connection.id;
        tracing::warn!(connection, error, "platform not read");
        let mut health = Health::default();
        health.fail(self.poller.clock.now().into(), error);
        if let Err(error) = self.poller.store.note_health(connection, &health).await {
            tracing::warn!(connection, error = %error, "health not noted");
        }
    }

    fn now_ms(&self) -> i64 {
        self.poller.clock.now_ms()
    }

    fn has_time(&self) -> bool {
        self.now_ms() <= self.deadline_ms - ENOUGH_MS
    }
}

/// The lease ended while it was used, and somebody else has it.
#[derive(Debug, thiserror::Error)]
#[error("somebody else works on the connection")]
struct Lost;

/// The connection was switched off or deleted, or its import was cancelled.
#[derive(Debug, thiserror::Error)]
#[error("the connection is not to be read any more")]
struct CalledOff;

/// The queue of raw deliveries, for as long as the lease holds and nobody calls it off.
struct Queue<'a> {
    poller: &'a Poller,
    connection: &'a Connection,
    poll: &'a mut Poll,
    /// The import that the records are for: they are history then.
    import: Option<&'a str>,
}

impl Sink for Queue<'_> {
    async fn take(&mut self, records: Vec<Record>) -> anyhow::Result<()> {
        let now = self.poller.clock.now();
        let parcels = records.into_iter().map(|record| self.delivery(record, now).to_parcel());
        let parcels = parcels.collect::<Result<Vec<_>, _>>()?;
        self.poller.raw_deliveries.send_all(&self.connection.id, parcels, now).await
    }

    async fn still(&mut self) -> anyhow::Result<()> {
        let now_ms = self.poller.clock.now_ms();
        if now_ms < self.poll.lease_ms - LEASE_MS + RENEWED_EVERY_MS {
            return Ok(());
        }
        let renewed = self.poller.store.renew_poll(&self.connection.id, self.poll, now_ms + LEASE_MS).await;
        match renewed {
            Err(store::Error::Conflict) => return Err(Lost.into()),
            outcome => outcome?,
        }
        if self.is_wanted().await? { Ok(()) } else { Err(CalledOff.into()) }
    }
}

impl Queue<'_> {
    async fn is_wanted(&self) -> anyhow::Result<bool> {
        let store = &self.poller.store;
        let connection = store.connection(&self.connection.id).await?;
        if connection.is_none_or(|connection| connection.status != ConnectionStatus::Active) {
            return Ok(false);
        }
        let Some(import) = self.import else { return Ok(true) };
        Ok(store.import(import).await?.is_some_and(|import| import.is_unfinished()))
    }

    fn delivery(&self, record: Record, received_at: Timestamp) -> Delivery {
        Delivery {
            platform: self.connection.platform.clone(),
            connection: self.connection.id.clone(),
            topic: record.topic,
            delivery_id: record.delivery_id,
            received_at,
            headers: record.headers,
            backfill: self.import.is_some(),
            body: record.body,
        }
    }
}

fn period(since_ms: i64, until_ms: i64, span: Span) -> anyhow::Result<Period> {
    let (since, until) = (Timestamp::from_millisecond(since_ms)?, Timestamp::from_millisecond(until_ms)?);
    Ok(Period { span, ..Period::changes(since, until) })
}
