//! `tillstream bench load`: how many deliveries a second a stack on this machine keeps up with, and where the time goes.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::meter::{Meter, Reading};
use super::orders::Orders;
use super::{MINUTE, SECRET, connect, create_segments, settle, start};
use crate::demo::{Client, progress};
use crate::{Stack, clock};

/// What a step's rate is multiplied with for the next.
const GROWTH: (u64, u64) = (5, 4);
/// A stack that needs longer than this for what is left at the end of a step has fallen behind.
const LAG: Duration = Duration::from_secs(1);
/// Deliveries that are not answered yet, at most: beyond, the sender waits, and the step was not sustained.
const UNANSWERED: usize = 500;

/// How it is measured.
#[derive(Args, Debug)]
pub struct Load {
    /// Deliveries a second of the first step. Each step has a quarter more.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    from: u64,
    /// Seconds of a step.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Steps at most.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=100))]
    steps: u64,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

/// What came of a step.
struct Step {
    rate: u64,
    deliveries: u64,
    /// From the first delivery to the last answer.
    sending: Duration,
    /// From the last answer until nothing was left to do.
    behind: Duration,
    /// Of the answers, sorted.
    answers: Vec<Duration>,
    used: Reading,
    /// Of this process.
    cpu: Duration,
}

impl Load {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let meter = Meter::default();
        let stack = start(&meter, Duration::ZERO, 0).await?;
        let steps = self.measure(&stack, &meter).await;
        stack.shutdown().await;
        let steps = steps?;
        let mut out = io::stdout();
        if self.json {
            writeln!(out, "{:#}", json(&steps))?;
        } else {
            write(&mut out, &steps)?;
        }
        Ok(())
    }

    async fn measure(&self, stack: &Stack, meter: &Meter) -> anyhow::Result<Vec<Step>> {
        let client = Client::new(&stack.base_url)?;
        let minute: Value = serde_json::from_str(MINUTE).context("the event cannot be read")?;
        stack.invoke("clock", minute).await?;
        let webhook_url = connect(&client).await.context("the shop cannot be connected")?;
        create_segments(&client).await?;
        settle(stack, meter).await?;

        let rates = std::iter::successors(Some(self.from), |rate| {
            Some((rate * GROWTH.0).div_ceil(GROWTH.1).max(rate + 1))
        });
        let rates: Vec<u64> = rates.take(usize::try_from(self.steps)?).collect();
        let all = rates.iter().map(|rate| 2 * rate * self.seconds).sum::<u64>();
        let now = Timestamp::from_second(clock::system()().as_second())?;
        let orders = Orders::deal(all.div_ceil(4), now)?;
        let mut deliveries = orders.one_after_the_other();
        let mut steps: Vec<Step> = Vec::new();
        // A step that falls behind is tried once more: something else may have been in its way.
        for rate in rates.into_iter().flat_map(|rate| [rate; 2]) {
            if steps.last().is_some_and(|last| last.rate == rate && last.is_sustained()) {
                continue;
            }
            let is_second = steps.last().is_some_and(|last| last.rate == rate);
            if io::stderr().is_terminal() {
                progress(&format!("{rate} deliveries a second"));
            }
            let count = rate * self.seconds;
            let (before, cpu, started) = (meter.read(), cpu_time()?, Instant::now());
            let due = (0..count).map(|place| started + Duration::from_micros(place * 1_000_000 / rate));
            let posts = due.zip(deliveries.by_ref()).map(|(due, delivery)| {
                let (client, url) = (&client, &webhook_url);
                async move {
                    tokio::time::sleep_until(due).await;
                    let status = client.deliver(url, SECRET, &delivery).await?;
                    ensure!(status == StatusCode::OK, "a delivery was answered with {status}");
                    Ok(due.elapsed())
                }
            });
            let posts = posts.map(Box::pin);
            let mut answers: Vec<Duration> =
                stream::iter(posts).buffer_unordered(UNANSWERED).try_collect().await?;
            let answered = Instant::now();
            let done = settle(stack, meter).await?;
            let used = meter.read().since(&before);
            ensure!(used.failed == 0, "{} invocations failed", used.failed);
            answers.sort();
            let step = Step {
                rate,
                deliveries: count,
                sending: answered - started,
                behind: done.saturating_duration_since(answered),
                answers,
                used,
                cpu: cpu_time()?.saturating_sub(cpu),
            };
            let is_over = is_second && !step.is_sustained();
            steps.push(step);
            if is_over {
                break;
            }
        }
        if io::stderr().is_terminal() {
            progress("");
        }
        Ok(steps)
    }
}

impl Step {
    fn is_sustained(&self) -> bool {
        let planned = Duration::from_secs(self.deliveries / self.rate);
        self.behind <= LAG && self.sending <= planned + LAG
    }

    fn answered_within(&self, percent: usize) -> Duration {
        let place = (self.answers.len() * percent / 100).min(self.answers.len().saturating_sub(1));
        self.answers.get(place).copied().unwrap_or_default()
    }

    /// Microseconds of a processor for each delivery, by function; the last is all the rest: the local stack's gateway, queues
    /// and tables, and the sender.
    fn cpu_by_function(&self) -> BTreeMap<String, u64> {
        let each = |time: Duration| micros(time) / self.deliveries.max(1);
        let functions = self.used.time.iter().map(|(name, (_, cpu))| (name.clone(), each(*cpu)));
        let mut table: BTreeMap<String, u64> = functions.filter(|(_, micros)| *micros > 0).collect();
        let inside: Duration = self.used.time.values().map(|(_, cpu)| *cpu).sum();
        table.insert("the machine around them".to_owned(), each(self.cpu.saturating_sub(inside)));
        table
    }
}

/// What this process has used of processors.
fn cpu_time() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may hold anything: the 12th and 13th field are ticks of a hundredth of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |place: usize| -> anyhow::Result<u64> { Ok(fields.get(place).context("no such field")?.parse()?) };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn write(out: &mut dyn Write, steps: &[Step]) -> io::Result<()> {
    writeln!(out, "{:>12} {:>10} {:>10} {:>14}", "deliveries/s", "p50 ms", "p99 ms", "all done after")?;
    for step in steps {
        let ms = |time: Duration| format!("{}.{}", time.as_millis(), time.as_micros() / 100 % 10);
        writeln!(
            out,
            "{:>12} {:>10} {:>10} {:>11} ms{}",
            step.rate,
            ms(step.answered_within(50)),
            ms(step.answered_within(99)),
            step.behind.as_millis(),
            if step.is_sustained() { "" } else { ": behind" },
        )?;
    }
    let Some(best) = steps.iter().rfind(|step| step.is_sustained()) else {
        return writeln!(out, "\nThe first step was too much already.");
    };
    writeln!(out, "\n{} deliveries a second are kept up with. Of a processor each takes, in µs:", best.rate)?;
    for (name, micros) in best.cpu_by_function() {
        writeln!(out, "  {name:<40} {micros:>8}")?;
    }
    Ok(())
}

fn json(steps: &[Step]) -> Value {
    let sustained = steps.iter().rfind(|step| step.is_sustained());
    let each = |step: &Step| {
        json!({
            "deliveries_per_second": step.rate,
            "is_sustained": step.is_sustained(),
            "answer_p50_us": micros(step.answered_within(50)),
            "answer_p99_us": micros(step.answered_within(99)),
            "behind_us": micros(step.behind),
            "cpu_us_per_delivery": step.cpu_by_function(),
        })
    };
    json!({
        "deliveries_per_second": sustained.map(|step| step.rate),
        "steps": steps.iter().map(each).collect::<Vec<_>>(),
    })
}
