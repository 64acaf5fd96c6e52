//! `tillstream bench`: what orders use of AWS, counted in a stack of its own, and what that costs by the price list; and how many
//! deliveries this machine keeps up with.

mod load;
mod meter;
mod orders;
mod prices;
mod report;
mod usage;

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::meter::{Meter, Metered, Reading};
use self::orders::{Orders, STEPS};
use self::report::Report;
use crate::demo::{Client, DOMAIN, progress};
use crate::functions::ProductFunctions;
use crate::{Options, Stack, TEMPLATE, clock};

/// Fifty segments as shops keep them; a metric's name stands for its id.
const SEGMENTS: &str = include_str!("../../../../tests/src/workload/segments.json");
/// What the clock is invoked with.
const MINUTE: &str = include_str!("../../../events/clock.json");
/// One that everybody is in who ordered.
const BUYERS: &str = "Bought in two weeks";
const SECRET: &str = "the-secret-of-the-bench";
/// Metrics that come by the API and not from the shop.
const METRICS_OF_THE_API: [&str; 6] = [
    "Active on Site",
    "Clicked Email",
    "Clicked SMS",
    "Loyalty Points Earned",
    "Opened Email",
    "Received Email",
];
/// How often is looked whether anything still happens, and how long nothing must.
const POLL: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_secs(2);
/// How long is waited for all to be done.
const PATIENCE: Duration = Duration::from_mins(30);

/// What is measured.
#[derive(Subcommand, Debug)]
pub enum Bench {
    /// Counts what orders use of AWS, and what that costs at list prices.
    Cost(Cost),
    /// Raises the rate of deliveries until the stack falls behind, and tells where the time goes.
    Load(load::Load),
}

/// How it is measured.
#[derive(Args, Debug)]
pub struct Cost {
    /// Orders of three lines, each told of four times.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    orders: u64,
    /// Deliveries under way at the same time. Many wait for each other here, as they do not in AWS.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1000))]
    concurrency: u64,
    /// Milliseconds that a call of DynamoDB, SQS or Parameter Store takes at least.
    #[arg(long, default_value_t = 5)]
    latency_ms: u64,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Measures, and prints what came out.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Cost(cost) => cost.run().await,
            Self::Load(load) => load.run().await,
        }
    }
}

impl Cost {
    async fn run(self) -> anyhow::Result<()> {
        let meter = Meter::default();
        let stack = start(&meter, Duration::from_millis(self.latency_ms), access_line()?).await?;
        let measured = self.measure(&stack, &meter).await;
        stack.shutdown().await;
        let report = measured?;
        let mut out = std::io::stdout();
        if self.json {
            writeln!(out, "{:#}", report.json()?)?;
        } else {
            report.write(&mut out)?;
        }
        Ok(())
    }

    async fn measure(&self, stack: &Stack, meter: &Meter) -> anyhow::Result<Report> {
        let now = Timestamp::from_second(clock::system()().as_second())?;
        let orders = Orders::deal(self.orders, now)?;
        let client = Client::new(&stack.base_url)?;
        // Its first run settles the account's zone; later it would have everybody counted anew.
        let minute: Value = serde_json::from_str(MINUTE).context("the event cannot be read")?;
        stack.invoke("clock", minute).await?;
        let webhook_url = connect(&client).await.context("the shop cannot be connected")?;
        let (segments, buyers) = create_segments(&client).await?;
        settle(stack, meter).await?;

        let mut steps = Vec::new();
        for (step, topic) in STEPS.into_iter().enumerate() {
            let before = meter.read();
            self.send(&client, &webhook_url, &orders, step).await?;
            settle(stack, meter).await?;
            let mut used = meter.read().since(&before);
            // What the clock starts costs by the minute, not by the order.
            for schedule in &stack.model.schedules {
                let function = stack.model.functions.iter().find(|one| one.id == schedule.function);
                used.forget(function.map_or("", |function| function.code.as_str()));
            }
            ensure!(used.failed == 0, "{} invocations failed in {topic}", used.failed);
            steps.push((topic, used));
        }
        let path = format!("/api/segments/{buyers}?additional-fields[segment]=profile_count");
        let members = client.get(&path).await?["data"]["attributes"]["profile_count"].as_u64();
        let customers = orders.customers() as u64;
        ensure!(members == Some(customers), "{BUYERS:?} has {members:?} members, not {customers}");
        Report::new(self.orders, segments, self.latency_ms, steps)
    }

    async fn send(&self, client: &Client, url: &str, orders: &Orders, step: usize) -> anyhow::Result<()> {
        let posts = orders.deliveries(step).map(|delivery| async move {
            let status = client.deliver(url, SECRET, &delivery).await?;
            ensure!(status == StatusCode::OK, "a delivery was answered with {status}");
            Ok(())
        });
        // Boxed, lest the compiler fails to see that the futures are general enough.
        let posts = posts.map(Box::pin);
        let concurrency = usize::try_from(self.concurrency)?;
        let mut answers = stream::iter(posts).buffer_unordered(concurrency);
        let (mut sent, terminal) = (0, std::io::stderr().is_terminal());
        while let Some(()) = answers.try_next().await? {
            sent += 1;
            if terminal {
                progress(&format!("{}: {sent} of {}", STEPS[step], self.orders));
            }
        }
        if terminal {
            progress("");
        }
        Ok(())
    }
}

/// A stack in memory, of which the meter reads what it uses.
async fn start(meter: &Meter, latency: Duration, access_line: usize) -> anyhow::Result<Stack> {
    let product = ProductFunctions::new(runtime::Clock::system());
    let functions = Metered { product, meter: meter.clone(), latency, access_line };
    let parameters = [("RateLimits".to_owned(), "off".to_owned())].into();
    let options = Options { parameters, ..Options::in_memory(TEMPLATE) };
    Ok(Stack::start(options, &functions).await?)
}

impl Reading {
    fn forget(&mut self, function: &str) {
        self.usage.forget(function);
        self.batches.remove(function);
        self.time.remove(function);
    }
}

/// Returns the address of its webhooks.
async fn connect(client: &Client) -> anyhow::Result<String> {
    let connection = json!({"data": {"type": "connection", "attributes": {
        "platform": "shopify", "name": "Bench", "settings": {"shop_domain": DOMAIN},
        "secrets": {"webhook_secret": SECRET},
    }}});
    let created = client.post("/api/connections", &connection).await?;
    let url = created["data"]["attributes"]["webhook_url"].as_str();
    Ok(url.context("the connection has no address")?.to_owned())
}

/// Returns how many there are, and the id of the one of all buyers.
async fn create_segments(client: &Client) -> anyhow::Result<(usize, String)> {
    let segments: Vec<Value> = serde_json::from_str(SEGMENTS).context("the segments cannot be read")?;
    let mut buyers = None;
    for segment in &segments {
        let mut attributes = segment.clone();
        name_metrics(&mut attributes["definition"]);
        let body = json!({"data": {"type": "segment", "attributes": attributes}});
        let created = client.post("/api/segments", &body).await?;
        if segment["name"] == BUYERS {
            buyers = created["data"]["id"].as_str().map(str::to_owned);
        }
    }
    Ok((segments.len(), buyers.context("the segment of all buyers is missing")?))
}

/// Puts ids in the place of metrics' names.
fn name_metrics(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(name_metrics),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(name) if key == "metric_id" => {
                        let integration =
                            if METRICS_OF_THE_API.contains(&name) { mapper::API } else { "shopify" };
                        *value = json!(store::metric_id(integration, name));
                    }
                    _ => name_metrics(value),
                }
            }
        }
        _ => {}
    }
}

/// Waits until the queues are empty and nothing has been used for a while, and returns since when.
async fn settle(stack: &Stack, meter: &Meter) -> anyhow::Result<Instant> {
    let started = Instant::now();
    let (mut last, mut changed_at) = (meter.read(), Instant::now());
    while started.elapsed() < PATIENCE {
        tokio::time::sleep(POLL).await;
        let mut waiting = 0;
        for source in &stack.model.queue_sources {
            let depth = stack.queues.depth(&source.queue).await?;
            waiting += depth.visible + depth.in_flight + depth.delayed;
        }
        let reading = meter.read();
        if reading != last || waiting > 0 || !reading.is_idle() {
            (last, changed_at) = (reading, Instant::now());
        } else if changed_at.elapsed() > QUIET {
            return Ok(changed_at);
        }
    }
    bail!("after {} minutes there is still something to do", PATIENCE.as_secs() / 60)
}

/// The size of a line of the HTTP API's access log: its format, whose variables are about as long as their names.
fn access_line() -> anyhow::Result<usize> {
    let format = TEMPLATE.lines().find_map(|line| line.trim().strip_prefix("Format: '{"));
    Ok(format.context("the template has no format of access logs")?.len())
}
