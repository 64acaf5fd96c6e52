//! What was measured, for people and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::Context as _;
use canonical::money::Decimal;
use serde_json::{Map, Value, json};

use super::meter::Reading;
use super::prices::Prices;
use super::usage::{Line, Unit, Usage};

/// Costs are told for so many orders.
const MILLION: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

pub(super) struct Report {
    orders: u64,
    segments: usize,
    latency_ms: u64,
    prices: Prices,
    /// What each step of an order used, by its topic.
    steps: Vec<(&'static str, Reading)>,
}

/// Amounts per order and dollars per million orders, by a key.
type Table = BTreeMap<String, (Decimal, Decimal)>;

impl Report {
    pub(super) fn new(
        orders: u64,
        segments: usize,
        latency_ms: u64,
        steps: Vec<(&'static str, Reading)>,
    ) -> anyhow::Result<Self> {
        Ok(Self { orders, segments, latency_ms, prices: Prices::list()?, steps })
    }

    fn lines(&self) -> impl Iterator<Item = (&Line, Decimal)> {
        self.steps.iter().flat_map(|(_, used)| used.usage.lines())
    }

    fn per_million(&self, dollars: Decimal) -> Decimal {
        dollars * MILLION / Decimal::from(self.orders)
    }

    fn dollars(&self, usage: &Usage) -> Decimal {
        self.per_million(self.prices.total(usage))
    }

    fn total(&self) -> Decimal {
        self.steps.iter().map(|(_, used)| self.dollars(&used.usage)).sum()
    }

    fn table(&self, key: impl Fn(&Line) -> Option<String>) -> Table {
        let mut table = Table::new();
        for (line, amount) in self.lines() {
            let Some(key) = key(line) else { continue };
            let row = table.entry(key).or_default();
            row.0 += amount / Decimal::from(self.orders);
            row.1 += self.per_million(self.prices.dollars(line.unit, amount));
        }
        table
    }

    /// Invocations of functions that are fed in batches, and what they were fed with.
    fn batches(&self) -> BTreeMap<&str, (u64, u64)> {
        let mut batches: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (function, (count, fed)) in self.steps.iter().flat_map(|(_, used)| &used.batches) {
            let sum = batches.entry(function).or_default();
            *sum = (sum.0 + count, sum.1 + fed);
        }
        batches
    }

    /// What orders cost that come so seldom that each delivery is received, deleted and mapped alone. What the mapper's
    /// invocations take together is left as it is.
    fn unbatched(&self) -> Decimal {
        let (batches, deliveries) = self.batches().get("mapper").copied().unwrap_or_default();
        let more = Decimal::from(deliveries.saturating_sub(batches));
        let each = self.prices.dollars(Unit::SqsRequests, Decimal::TWO)
            + self.prices.dollars(Unit::LambdaRequests, Decimal::ONE);
        self.total() + self.per_million(more * each)
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let deliveries = self.steps.len();
        writeln!(
            out,
            "{} orders of three lines, {deliveries} deliveries each, {} segments; services answer after {} ms or more\n",
            self.orders, self.segments, self.latency_ms
        )?;
        write_table(out, "per order", &self.table(|line| Some(unit(line.unit))))?;
        write_table(out, "by function", &self.table(|line| Some(line.function.clone())))?;
        write_table(
            out,
            "DynamoDB",
            &self.table(|line| {
                let is_dynamodb = line.unit.service() == "DynamoDB";
                is_dynamodb.then(|| format!("{}, {}, {}", line.function, line.unit.name(), line.place))
            }),
        )?;
        writeln!(out, "{:<58} {:>10} {:>10} {:>10}", "functions", "batch", "ms", "CPU ms")?;
        for (function, (count, fed)) in self.batches() {
            let times = self.steps.iter().filter_map(|(_, used)| used.time.get(function));
            let (wall, cpu) =
                times.fold((0, 0), |sum, time| (sum.0 + time.0.as_micros(), sum.1 + time.1.as_micros()));
            let mean = |sum: u128| per(sum, u128::from(count) * 1000);
            let batch = per(u128::from(fed), u128::from(count));
            writeln!(out, "  {function:<56} {batch:>10} {:>10} {:>10}", mean(wall), mean(cpu))?;
        }
        writeln!(out, "\n{:<69} {:>10}", "by delivery", "$/million")?;
        for (topic, used) in &self.steps {
            writeln!(out, "  {topic:<67} {:>10.2}", self.dollars(&used.usage))?;
        }
        let unconfirmed: Vec<_> = self.prices.unconfirmed().map(unit).collect();
        writeln!(
            out,
            "\nAt list prices of {} as of {}; not confirmed: {}.\nNot counted, as orders do not cause it: the minute's schedules, polls of empty queues, storage, alarms.\n",
            self.prices.region,
            self.prices.read,
            unconfirmed.join(", ")
        )?;
        writeln!(
            out,
            "{:<69} {:>10.2}",
            "dollars per million orders, if each delivery comes alone",
            self.unbatched()
        )?;
        writeln!(out, "{:<69} {:>10.2}", "dollars per million orders", self.total())
    }

    pub(super) fn json(&self) -> anyhow::Result<Value> {
        let functions: Map<String, Value> = self
            .table(|line| Some(line.function.clone()))
            .into_iter()
            .map(|(function, (_, dollars))| Ok((function, number(dollars)?)))
            .collect::<anyhow::Result<_>>()?;
        let mut services: Map<String, Value> = Map::new();
        for (line, amount) in self.lines() {
            let service = services.entry(line.unit.service()).or_insert_with(|| json!({"per_order": {}}));
            let place = &mut service["per_order"][line.unit.name()];
            let before: Decimal = place.to_string().parse().unwrap_or_default();
            *place = number(before + amount / Decimal::from(self.orders))?;
        }
        for (service, (_, dollars)) in self.table(|line| Some(line.unit.service().to_owned())) {
            services[&service]["dollars_per_million_orders"] = number(dollars)?;
        }
        let steps = self
            .steps
            .iter()
            .map(|(topic, used)| Ok(((*topic).to_owned(), number(self.dollars(&used.usage))?)));
        Ok(json!({
            "orders": self.orders,
            "deliveries": self.orders * self.steps.len() as u64,
            "segments": self.segments,
            "latency_ms": self.latency_ms,
            "prices": {"region": self.prices.region, "read": self.prices.read},
            "services": services,
            "functions": functions,
            "steps": steps.collect::<anyhow::Result<Map<_, _>>>()?,
            "dollars_per_million_orders": number(self.total())?,
            "dollars_per_million_orders_unbatched": number(self.unbatched())?,
        }))
    }
}

fn unit(unit: Unit) -> String {
    format!("{}, {}", unit.service(), unit.name())
}

/// A quotient with one decimal.
fn per(sum: u128, count: u128) -> String {
    let tenths = sum * 10 / count.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn number(value: Decimal) -> anyhow::Result<Value> {
    serde_json::from_str(&value.round_dp(4).normalize().to_string()).context("a number is none")
}

fn write_table(out: &mut dyn Write, title: &str, table: &Table) -> io::Result<()> {
    writeln!(out, "{title:<58} {:>10} {:>10}", "amount", "$/million")?;
    for (key, (amount, dollars)) in table {
        writeln!(out, "  {key:<56} {amount:>10.2} {dollars:>10.2}")?;
    }
    writeln!(out)
}
