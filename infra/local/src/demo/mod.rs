//! `tillstream demo`: a shop's history sent over HTTP as signed webhooks, out of order and with repetitions;
//! what comes of it; and whether that is what must come of it, by a computation of its own from the shop's
//! records.

mod client;
mod delivery;
mod outcome;
mod report;
mod seen;
mod segments;
mod shop;

use std::io::{IsTerminal as _, Write};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use canonical::Metric;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::Instant;

pub(crate) use self::client::Client;
pub(crate) use self::delivery::Delivery;
use self::outcome::Outcome;
use self::report::Report;
pub use self::report::look_around;
use self::seen::{Seen, text};
use self::segments::DemoSegment;
pub(crate) use self::shop::DOMAIN;
use self::shop::Shop;
use crate::Stack;
use crate::clock::Clock;
use crate::random::Random;

/// Deliveries under way at the same time.
const CONCURRENCY: usize = 8;
/// How often is asked whether something is done.
const POLL: Duration = Duration::from_millis(25);
/// How long nothing may move before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(20);

const SECRET: &str = "the-secret-of-harbour-and-hearth";

/// Runs the demo against a stack without data and writes its report to `out`. Returns whether what came out is
/// what had to. `seed` decides which shop is dealt.
pub async fn run(stack: &Stack, clock: &Clock, seed: u64, out: &mut dyn Write) -> anyhow::Result<bool> {
    let mut random = Random::new(seed);
    // Whole seconds: what is written into a body and read again is the same.
    let now = Timestamp::from_second(clock().as_second())?;
    let shop = Shop::deal(&mut random, now);
    let mut plan = delivery::plan(&shop, &mut random, now);
    let client = Client::new(&stack.base_url)?;
    let webhook_url = connect(&client).await.context("the shop cannot be connected")?;
    let mut demo = Demo { stack, client, webhook_url, sent: 0, refused: 0, total: plan.deliveries.len() };
    report::introduce(out, &shop, &plan)?;

    let started = Instant::now();
    let mut first_half = std::mem::take(&mut plan.deliveries);
    let second_half = first_half.split_off(first_half.len() / 2);
    demo.send(first_half).await?;
    // While the first half is still being worked off: the segments are computed for those who are there, and
    // follow what comes after.
    let placed_order = demo.metric_id(Metric::PlacedOrder).await?;
    let segments = segments::segments(&placed_order);
    let ids = demo.create_segments(&segments).await?;
    demo.send(second_half).await?;
    let sent_in = started.elapsed();

    let expected = Outcome::expected(&shop, &segments, now);
    demo.settle(&ids).await?;
    let seen = demo.read(&ids, &expected).await?;
    let settled_in = started.elapsed();

    let differences = expected.differences(&seen.outcome);
    Report { demo: &demo, plan: &plan, segments: &segments, ids: &ids, seen: &seen, sent_in, settled_in }
        .write(out, &differences)
        .await?;
    Ok(differences.is_empty())
}

/// Creates the connection and returns the address of its webhooks.
async fn connect(client: &Client) -> anyhow::Result<String> {
    let connection = json!({"data": {"type": "connection", "attributes": {
        "platform": "shopify", "name": "Harbour & Hearth",
        "settings": {"shop_domain": DOMAIN, "refund_policy": "each"},
        "secrets": {"webhook_secret": SECRET},
    }}});
    let created = client.post("/api/connections", &connection).await?;
    Ok(text(&created["data"]["attributes"]["webhook_url"]))
}

struct Demo<'a> {
    stack: &'a Stack,
    client: Client,
    webhook_url: String,
    /// Deliveries that were answered, the refused ones included.
    sent: usize,
    refused: usize,
    total: usize,
}

impl Demo<'_> {
    async fn send(&mut self, deliveries: Vec<Delivery>) -> anyhow::Result<()> {
        let terminal = std::io::stderr().is_terminal();
        let (client, webhook_url) = (&self.client, self.webhook_url.as_str());
        let posts = deliveries.into_iter().map(|delivery| async move {
            let status = client.deliver(webhook_url, SECRET, &delivery).await?;
            let wanted = if delivery.forged { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
            ensure!(
                status == wanted,
                "a delivery of {} was answered with {status}, not {wanted}",
                delivery.topic
            );
            anyhow::Ok(delivery.forged)
        });
        // Boxed, lest the compiler fails to see that the futures are general enough.
        let posts: Vec<_> = posts.map(Box::pin).collect();
        let mut answers = stream::iter(posts).buffer_unordered(CONCURRENCY);
        while let Some(forged) = answers.try_next().await? {
            self.sent += 1;
            self.refused += usize::from(forged);
            if terminal {
                progress(&format!("{} of {} deliveries sent", self.sent, self.total));
            }
        }
        if terminal {
            progress("");
        }
        Ok(())
    }

    /// The id of a metric, once the first event has made it.
    async fn metric_id(&self, metric: Metric) -> anyhow::Result<String> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let metrics = self.client.list("/api/metrics").await?;
            if let Some(found) = metrics.iter().find(|found| found["attributes"]["name"] == metric.name()) {
                return Ok(text(&found["id"]));
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("no event {} within {} s", metric.name(), PATIENCE.as_secs())
    }

    /// Returns names and ids.
    async fn create_segments(&self, segments: &[DemoSegment]) -> anyhow::Result<Vec<(String, String)>> {
        let mut ids = Vec::new();
        for segment in segments {
            let body = json!({"data": {"type": "segment", "attributes": {
                "name": segment.name, "definition": segment.definition,
            }}});
            let created = self.client.post("/api/segments", &body).await?;
            ids.push((segment.name.to_owned(), text(&created["data"]["id"])));
        }
        Ok(ids)
    }

    /// Waits until the queues are empty and the segments are computed.
    async fn settle(&self, ids: &[(String, String)]) -> anyhow::Result<()> {
        let (mut waiting, mut moved_at) = (u64::MAX, Instant::now());
        loop {
            let mut left = 0;
            for source in &self.stack.model.queue_sources {
                left += self.depth(&source.queue).await?;
            }
            if left == 0 && self.processing(ids).await? == 0 {
                return Ok(());
            }
            if left != waiting {
                (waiting, moved_at) = (left, Instant::now());
            } else if moved_at.elapsed() > PATIENCE {
                bail!("{left} messages are still in the queues, and none left them for {PATIENCE:?}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// How many segments are still being computed for the profiles that are there.
    async fn processing(&self, ids: &[(String, String)]) -> anyhow::Result<usize> {
        let mut processing = 0;
        for (_, id) in ids {
            let segment = self.client.get(&format!("/api/segments/{id}")).await?;
            processing += usize::from(segment["data"]["attributes"]["is_processing"] != false);
        }
        Ok(processing)
    }

    async fn depth(&self, queue: &str) -> anyhow::Result<u64> {
        let depth = self.stack.queues.depth(queue).await?;
        Ok(depth.visible + depth.in_flight + depth.delayed)
    }

    /// Reads what came out, again as long as it moves: the stream of changes reaches the segments a moment after
    /// the queues are empty.
    async fn read(&self, ids: &[(String, String)], expected: &Outcome) -> anyhow::Result<Seen> {
        let mut last = Seen::default();
        let mut moved_at = Instant::now();
        loop {
            let mut seen = Seen::read(&self.client, ids).await?;
            seen.outcome.set_aside = self.set_aside().await?;
            if seen.outcome == *expected || moved_at.elapsed() > PATIENCE {
                return Ok(seen);
            }
            if seen.outcome != last.outcome {
                moved_at = Instant::now();
            }
            last = seen;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Messages in queues that feed no function: what failed for good.
    async fn set_aside(&self) -> anyhow::Result<u64> {
        let sources = &self.stack.model.queue_sources;
        let mut count = 0;
        for queue in self.stack.queues.list("").await? {
            if sources.iter().all(|source| source.queue != queue) {
                count += self.depth(&queue).await?;
            }
        }
        Ok(count)
    }
}

/// Shows one line in place of the last. That it may not be seen is no failure.
pub(crate) fn progress(line: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = write!(terminal, "\r\x1b[K{line}").and_then(|()| terminal.flush());
}
