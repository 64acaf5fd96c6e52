//! Whether what is stored is what the platform says: counts, sums and ids, day by day.

use std::collections::{BTreeMap, HashMap, HashSet};

use canonical::{Event, Fact, Metric, Source, order};
use extract::{Sink, Stopped, Task};
use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use platform::{Connection, Delivery, Mapping, Period, Platform, Record};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use store::{EventFilter, EventOrder, Subject, SubjectKey, Tally, metric_id};

use crate::Api;
use crate::document::{Answer, Resource, single};
use crate::error::{ApiError, ApiResult};
use crate::imports::EARLIEST_MS;
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::shapes;

/// The longest period, in days.
const MAX_DAYS: i32 = 31;
/// How long the platform may take, and one request to it ten seconds more; ours ends after 29.
const READ_MS: i64 = 18_000;
/// Events of a page of the store.
const PAGE: usize = 1000;
/// Ledgers that are read at the same time.
const READS: usize = 32;
/// The most that is read of the platform: more does not fit a function's memory.
const MAX_READ_BYTES: usize = 100 * 1024 * 1024;
/// Ids that are named, of each kind and day; of more, the count alone.
const MAX_NAMED: usize = 100;
/// Rounds of requests of a thin record, as the mapper allows them.
const MAX_ROUNDS: usize = 6;
/// A record may be made some time before its event: one is asked for earlier, and told by the event's own time.
const MARGIN: i64 = 2;

/// An event, as far as it is compared.
#[derive(Clone, Debug, PartialEq)]
struct Counted {
    order: String,
    day: Date,
    value: Option<canonical::Money>,
}

impl Counted {
    fn of(event: &Event, zone: &TimeZone) -> Self {
        let order = event.properties.get("OrderId").and_then(Value::as_str).unwrap_or(&event.id).to_owned();
        let day = event.occurred_at.timestamp().to_zoned(zone.clone()).date();
        Self { order, day, value: event.value }
    }
}

/// Counts and sums of a day.
#[derive(Default)]
struct Day {
    source: Totals,
    stored: Totals,
    missing: Vec<String>,
    waiting: Vec<String>,
    extra: Vec<String>,
    different: Vec<String>,
}

#[derive(Default)]
struct Totals {
    count: u64,
    sums: BTreeMap<String, Decimal>,
}

impl Totals {
    fn add(&mut self, counted: &Counted) {
        self.count += 1;
        if let Some(money) = counted.value {
            let currency = money.currency.map(|currency| currency.to_string()).unwrap_or_default();
            let sum = self.sums.entry(currency).or_default();
            // A platform's amounts can be absurd.
            *sum = sum.saturating_add(money.amount);
        }
    }

    fn json(&self) -> Value {
        let sums =
            self.sums.iter().map(|(currency, sum)| (currency.clone(), sum.normalize().to_string().into()));
        json!({"count": self.count, "sum": Value::Object(sums.collect())})
    }
}

pub(crate) static OPERATIONS: &[Operation] =
    &[Operation::get("get_parity", "/api/connections/{id}/parity", &["connections:read", "events:read"])
        .limited(Tier::Small)
        .parameters(&["metric", "from", "to"])
        .gives_one::<shapes::Parity>(200, "parity")
        .by(|call| Box::pin(call.api.parity(call.asked, call.id)))];

impl Api {
    /// `GET /api/connections/{id}/parity?metric=Placed Order&from=2026-01-01&to=2026-01-31`.
    pub(crate) async fn parity(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let metric = asked.parameter("metric").unwrap_or(Metric::PlacedOrder.name());
        let metric = Metric::from_name(metric).filter(|metric| is_of_orders(*metric)).ok_or_else(|| {
            ApiError::parameter(
                "metric",
                "Compared are Placed Order, Ordered Product and what follows an order.",
            )
        })?;
        let (connection, platform) = self.asked_connection(id).await?;
        let zone = connection.time_zone("time_zone").unwrap_or_else(|| self.zone.clone());
        let (from, to) = (date(asked, "from")?, date(asked, "to")?);
        if to < from || (to - from).get_days() >= MAX_DAYS {
            let detail =
                format!("'from' and 'to' are days, the first and the last, and at most {MAX_DAYS} in all.");
            return Err(ApiError::parameter("to", detail));
        }
        let [since, until] =
            bounds(from, to, &zone).ok_or_else(|| ApiError::parameter("from", "No such day."))?;
        if since.as_millisecond() < EARLIEST_MS || since > self.clock.now() {
            let detail = "The first day must not be in the future, and not before 1990.";
            return Err(ApiError::parameter("from", detail));
        }

        let said = self.said(platform, connection.clone(), metric, since, until).await?;
        let said = said.iter().map(|event| (event.id.clone(), Counted::of(event, &zone)));
        let said: HashMap<String, Counted> = said.collect();
        let stored = self.stored(&connection, metric, since, until).await?;
        let stored = stored.iter().map(|event| (event.id.clone(), Counted::of(event, &zone)));
        let stored: HashMap<String, Counted> = stored.collect();

        let mut days: BTreeMap<Date, Day> = BTreeMap::new();
        let mut day = from;
        while day <= to {
            days.entry(day).or_default();
            day = day.saturating_add(1.day());
        }
        let untold = said.iter().filter(|(event, _)| !stored.contains_key(*event));
        let untold: HashSet<&str> = untold.map(|(_, counted)| counted.order.as_str()).collect();
        let waiting = self.waiting(&connection, untold).await?;
        for (event, counted) in &said {
            let day = days.entry(counted.day).or_default();
            day.source.add(counted);
            match stored.get(event) {
                Some(stored) if stored.value == counted.value && stored.day == counted.day => {}
                Some(_) => day.different.push(counted.order.clone()),
                None if waiting.contains(event) => day.waiting.push(counted.order.clone()),
                None => day.missing.push(counted.order.clone()),
            }
        }
        for (event, counted) in &stored {
            let day = days.entry(counted.day).or_default();
            day.stored.add(counted);
            if !said.contains_key(event) {
                day.extra.push(counted.order.clone());
            }
        }
        let unequal =
            |day: &Day| !(day.missing.is_empty() && day.extra.is_empty() && day.different.is_empty());
        let equal = !days.values().any(unequal);
        let days: Vec<Value> = days.into_iter().map(|(date, day)| day_json(date, day)).collect();
        let resource = Resource::new(asked, "parity", "connections", id)
            .attribute("metric", metric.name())
            .attribute("time_zone", zone.iana_name().unwrap_or("UTC"))
            .attribute("from", from.to_string())
            .attribute("to", to.to_string())
            .attribute("equal", equal)
            .attribute("days", days)
            .build();
        Ok(Answer::ok(single(asked, resource, None)))
    }

    /// The events that the platform's records lead to, as if nothing had been told yet.
    async fn said(
        &self,
        platform: &dyn Platform,
        mut connection: Connection,
        metric: Metric,
        since: Timestamp,
        until: Timestamp,
    ) -> ApiResult<Vec<Event>> {
        let margin = MARGIN.hours() * 24;
        let period = match metric {
            Metric::PlacedOrder | Metric::OrderedProduct => {
                let period = Period::history(since - margin, (until + margin).min(self.clock.now()));
                Some(period).filter(|period| !platform.feeds(&connection, period).is_empty())
            }
            _ => None,
        };
        // What follows an order may follow much later: only what changed since can tell.
        let period = period.unwrap_or_else(|| {
            connection.settings.insert("poll".to_owned(), true.into());
            Period::changes(since, self.clock.now())
        });
        if platform.feeds(&connection, &period).is_empty() {
            let detail = "This connection's platform cannot be asked: there is nothing to compare with.";
            return Err(ApiError::invalid("/data", detail));
        }
        let deadline_ms = self.clock.now_ms() + READ_MS;
        let task = Task { platform, connection: &connection, period: &period, deadline_ms };
        let (mut tally, mut records) = (Tally::default(), Records::default());
        let read = self.extractor()?.read(&task, &mut BTreeMap::new(), &mut tally, &mut records).await;
        read.map_err(|stopped| unread(&stopped))?;

        let mut ledgers: HashMap<String, order::Ledger> = HashMap::new();
        let mut events = Vec::new();
        for record in records.list {
            let delivery = self.delivery(&connection, record);
            let source = Source {
                platform: connection.platform.clone(),
                connection: connection.id.clone(),
                topic: delivery.topic.clone(),
                delivery_id: delivery.delivery_id.clone(),
            };
            for fact in self.facts(&task, &delivery, &mut tally).await? {
                let Fact::Order(snapshot) = fact else { continue };
                let ledger = ledgers.entry(snapshot.order_id.clone()).or_default();
                let (advanced, told) = order::advance(ledger, &snapshot, &source);
                *ledger = advanced;
                events.extend(told);
            }
        }
        let range = since..until;
        events
            .retain(|event| event.metric == metric.name() && range.contains(&event.occurred_at.timestamp()));
        Ok(events)
    }

    /// What a record says; a thin one costs requests of its own, as in the mapper.
    async fn facts(&self, task: &Task<'_>, delivery: &Delivery, tally: &mut Tally) -> ApiResult<Vec<Fact>> {
        let mut fetched = Vec::new();
        for _ in 0..MAX_ROUNDS {
            match task.platform.facts(delivery, task.connection, &fetched) {
                Mapping::Facts { facts, .. } => return Ok(facts),
                Mapping::Ignore(_) | Mapping::Malformed(_) => return Ok(Vec::new()),
                Mapping::Fetch(requests) => {
                    let answers = self.extractor()?.answers(task, &requests, tally).await;
                    fetched.extend(answers.map_err(|stopped| unread(&stopped))?);
                }
            }
        }
        Ok(Vec::new())
    }

    async fn stored(
        &self,
        connection: &Connection,
        metric: Metric,
        since: Timestamp,
        until: Timestamp,
    ) -> ApiResult<Vec<Event>> {
        let filter = EventFilter {
            metric_ids: vec![metric_id(&connection.platform, metric.name())],
            from_ms: Some(since.as_millisecond()),
            to_ms: Some(until.as_millisecond() - 1),
            ..EventFilter::default()
        };
        let (mut events, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.list_events(&filter, EventOrder::OldestFirst, after, PAGE).await?;
            let own = page.items.into_iter().map(|stored| stored.event);
            events.extend(own.filter(|event| event.source.connection == connection.id));
            after = page.next;
            if after.is_none() {
                return Ok(events);
            }
        }
    }

    /// Events of these orders that were told, but wait for their person to be known: a guest's without any identifier.
    async fn waiting(&self, connection: &Connection, orders: HashSet<&str>) -> ApiResult<HashSet<String>> {
        type Opaque = Map<String, Value>;
        let subjects = orders.into_iter().map(|order| async move {
            let key = SubjectKey { connection: connection.id.clone(), kind: "order", id: order.to_owned() };
            let subject: Subject<Opaque> = self.store.subject(&key).await?;
            Ok::<_, ApiError>(stream::iter(subject.parked.into_iter().map(|parked| Ok(parked.id))))
        });
        let subjects: Vec<_> = subjects.collect();
        stream::iter(subjects).buffer_unordered(READS).try_flatten().try_collect().await
    }

    fn delivery(&self, connection: &Connection, record: Record) -> Delivery {
        Delivery {
            platform: connection.platform.clone(),
            connection: connection.id.clone(),
            topic: record.topic,
            delivery_id: record.delivery_id,
            received_at: self.clock.now(),
            headers: record.headers,
            backfill: true,
            body: record.body,
        }
    }
}

/// Keeps all records, as long as there is room.
#[derive(Default)]
struct Records {
    list: Vec<Record>,
    bytes: usize,
}

impl Sink for Records {
    async fn take(&mut self, records: Vec<Record>) -> anyhow::Result<()> {
        self.bytes += records.iter().map(|record| record.body.len()).sum::<usize>();
        anyhow::ensure!(self.bytes <= MAX_READ_BYTES, "too much at once");
        self.list.extend(records);
        Ok(())
    }
}

fn is_of_orders(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::PlacedOrder
            | Metric::OrderedProduct
            | Metric::FulfilledOrder
            | Metric::ShippedOrder
            | Metric::CancelledOrder
            | Metric::RefundedOrder
    )
}

fn date(asked: &Asked, name: &'static str) -> ApiResult<Date> {
    let date = asked.parameter(name).and_then(|text| text.parse().ok());
    date.ok_or_else(|| ApiError::parameter(name, "A day is required, such as 2026-01-31."))
}

/// From the beginning of the first day to the end of the last.
fn bounds(from: Date, to: Date, zone: &TimeZone) -> Option<[Timestamp; 2]> {
    let midnight = |day: Date| Some(day.to_zoned(zone.clone()).ok()?.timestamp());
    Some([midnight(from)?, midnight(to.checked_add(1.day()).ok()?)?])
}

fn unread(stopped: &Stopped) -> ApiError {
    let (status, code) = match stopped {
        Stopped::OutOfTime | Stopped::Sink(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too_much"),
        _ => (StatusCode::BAD_GATEWAY, "platform_unavailable"),
    };
    let detail = match stopped {
        Stopped::OutOfTime | Stopped::Sink(_) => {
            "The platform has more to say than a request has time or room for: ask for fewer days.".to_owned()
        }
        other => other.to_string(),
    };
    ApiError::new(status, code, "The platform could not be read.", detail)
}

fn day_json(date: Date, day: Day) -> Value {
    let named = |mut ids: Vec<String>| {
        ids.sort();
        ids.truncate(MAX_NAMED);
        ids
    };
    json!({
        "date": date.to_string(),
        "source": day.source.json(),
        "stored": day.stored.json(),
        "missing_count": day.missing.len(),
        "extra_count": day.extra.len(),
        "missing": named(day.missing),
        "waiting": named(day.waiting),
        "different": named(day.different),
        "extra": named(day.extra),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_amounts_have_a_sum_and_do_not_panic() {
        let most = Some(canonical::Money { amount: Decimal::MAX, currency: None });
        let absurd = Counted { order: "1".to_owned(), day: Date::ZERO, value: most };
        let mut totals = Totals::default();
        totals.add(&absurd);
        totals.add(&absurd);
        assert_eq!(totals.json(), json!({"count": 2, "sum": {"": Decimal::MAX.to_string()}}));
    }

    #[tokio::test]
    async fn what_is_read_is_bounded() {
        let record = |bytes| Record { body: vec![0; bytes], ..Record::default() };
        let mut records = Records::default();
        records.take(vec![record(MAX_READ_BYTES)]).await.unwrap();
        let error = records.take(vec![record(1)]).await.unwrap_err();
        assert_eq!(unread(&Stopped::Sink(error)).status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn days_begin_and_end_where_the_shop_is() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let day = |text: &str| text.parse::<Date>().unwrap();
        let [since, until] = bounds(day("2026-03-08"), day("2026-03-08"), &zone).unwrap();
        assert_eq!(since.to_string(), "2026-03-08T05:00:00Z");
        // The clocks went forward: the day has 23 hours.
        assert_eq!(until.to_string(), "2026-03-09T04:00:00Z");
    }
}
