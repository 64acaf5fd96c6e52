//! What the demo prints.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use canonical::Metric;
use serde_json::Value;

use super::Demo;
use super::delivery::Plan;
use super::seen::{Seen, text, value_of};
use super::segments::DemoSegment;
use super::shop::Shop;

/// Members of a segment that are named.
const NAMED: usize = 3;
/// Differences that are shown.
const DIFFERENCES: usize = 20;

pub(super) fn introduce(out: &mut dyn Write, shop: &Shop, plan: &Plan) -> std::io::Result<()> {
    let Shop { customers, orders, checkouts } = shop;
    writeln!(
        out,
        "An invented shop: {} customers, {} orders, {} abandoned checkouts.",
        customers.len(),
        orders.len(),
        checkouts.len()
    )?;
    writeln!(
        out,
        "Its history goes out as {} signed Shopify webhooks, shuffled: {} distinct, {} repeated, {} forged.",
        plan.deliveries.len(),
        plan.distinct,
        plan.repeated,
        plan.forged
    )?;
    out.flush()
}

pub(super) struct Report<'a> {
    pub(super) demo: &'a Demo<'a>,
    pub(super) plan: &'a Plan,
    pub(super) segments: &'a [DemoSegment],
    /// Names and ids of the segments.
    pub(super) ids: &'a [(String, String)],
    pub(super) seen: &'a Seen,
    pub(super) sent_in: Duration,
    pub(super) settled_in: Duration,
}

impl Report<'_> {
    pub(super) async fn write(&self, out: &mut dyn Write, differences: &[String]) -> anyhow::Result<()> {
        self.deliveries(out)?;
        self.metrics(out)?;
        self.members(out)?;
        if let Some(email) = self.somebody() {
            self.timeline(out, email).await?;
        }
        writeln!(out)?;
        if differences.is_empty() {
            writeln!(
                out,
                "Checked: every count, sum, profile and member is what the shop's own records say it must be."
            )?;
        } else {
            writeln!(
                out,
                "WRONG, against what the shop's own records say; differences: {}",
                differences.len()
            )?;
            for difference in differences.iter().take(DIFFERENCES) {
                writeln!(out, "  {difference}")?;
            }
        }
        Ok(())
    }

    fn deliveries(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Demo { sent, refused, .. } = self.demo;
        writeln!(
            out,
            "\nDeliveries  {sent} sent in {}: {} accepted, {refused} refused; {} of the accepted were repetitions",
            seconds(self.sent_in),
            sent - refused,
            self.plan.repeated
        )?;
        writeln!(out, "Worked off  {} after the first was sent", seconds(self.settled_in))?;
        writeln!(out, "Profiles    {}", self.seen.outcome.profiles.len())
    }

    fn metrics(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "\n{:<36}{:>8}{:>14}", "Events", "count", "value in EUR")?;
        let rank = |name: &str| Metric::from_name(name).map_or(usize::MAX, |metric| metric as usize);
        let mut metrics: Vec<_> = self.seen.outcome.metrics.iter().collect();
        metrics.sort_by_key(|(name, _)| rank(name));
        for (name, tally) in metrics {
            let value = if tally.value.is_zero() { String::new() } else { format!("{:.2}", tally.value) };
            let line = format!("  {name:<34}{:>8}{value:>14}", tally.count);
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn members(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "\n{:<36}{:>8}", "Segments", "members")?;
        let nobody = BTreeSet::new();
        for segment in self.segments {
            let members = self.seen.outcome.members.get(segment.name).unwrap_or(&nobody);
            writeln!(out, "  {:<34}{:>8}   {}", segment.name, members.len(), segment.meaning)?;
            let named: Vec<&str> = members.iter().take(NAMED).map(String::as_str).collect();
            let more = if members.len() > NAMED { ", …" } else { "" };
            writeln!(out, "    {}{more}", named.join(", "))?;
        }
        Ok(())
    }

    /// Whom to show: of those in most segments, somebody to whom most kinds of things happened.
    fn somebody(&self) -> Option<&str> {
        let segments = |email: &String| {
            self.seen.outcome.members.values().filter(|members| members.contains(email)).count()
        };
        let kinds = |id: &String| self.seen.experience.get(id).map_or(0, BTreeSet::len);
        let profiles = self.seen.profile_ids.iter();
        profiles.max_by_key(|(email, id)| (segments(email), kinds(id))).map(|(email, _)| email.as_str())
    }

    async fn timeline(&self, out: &mut dyn Write, email: &str) -> anyhow::Result<()> {
        let client = &self.demo.client;
        let Some(profile) = self.seen.profile_ids.get(email) else { return Ok(()) };
        let metrics = client.list("/api/metrics").await?;
        let name_of = |id: &Value| {
            let metric = metrics.iter().find(|metric| metric["id"] == *id);
            metric.map(|metric| text(&metric["attributes"]["name"])).unwrap_or_default()
        };
        writeln!(out, "\nTimeline of {email}")?;
        let path = format!("/api/events?filter=equals(profile_id,\"{profile}\")&sort=datetime");
        for event in client.list(&path).await? {
            let attributes = &event["attributes"];
            let at = text(&attributes["datetime"]).chars().take(16).collect::<String>().replace('T', " ");
            let name = name_of(&event["relationships"]["metric"]["data"]["id"]);
            let value = value_of(&event).map(|value| format!("{value:.2}")).unwrap_or_default();
            let properties = &attributes["event_properties"];
            let what = ["OrderNumber", "Name", "Method"].map(|key| text(&properties[key])).concat();
            let line = format!("  {at}  {name:<34}{value:>8}  {what}");
            writeln!(out, "{}", line.trim_end())?;
        }
        for (name, id) in self.ids {
            if !self.seen.outcome.members.get(name).is_some_and(|members| members.contains(email)) {
                continue;
            }
            let explained = client.get(&format!("/api/segments/{id}/explain?profile={profile}")).await?;
            let condition = &explained["data"]["attributes"]["condition_groups"][0]["conditions"][0];
            let change = match condition["next_change"].as_str() {
                Some(at) => format!("time alone changes that at {at}"),
                None => "time alone does not change that".to_owned(),
            };
            let measured = match &condition["measure"] {
                Value::Null => String::new(),
                measure => format!("measured {measure}; "),
            };
            writeln!(out, "  is in {name:?}: {measured}{change}")?;
        }
        Ok(())
    }
}

/// Where to look next in a stack that goes on.
pub fn look_around(out: &mut dyn Write, base_url: &str, key: &str) -> std::io::Result<()> {
    let ask = |path: &str| format!("  curl -g '{base_url}{path}' -H 'Authorization: Klaviyo-API-Key {key}'");
    writeln!(out, "\nThe stack goes on at {base_url} until it is interrupted. Look around:")?;
    for path in
        ["/api/segments", "/api/profiles?page[size]=3", "/api/events?include=metric,profile&page[size]=3"]
    {
        writeln!(out, "{}", ask(path))?;
    }
    writeln!(out, "  curl {base_url}/metrics")?;
    out.flush()
}

fn seconds(duration: Duration) -> String {
    format!("{}.{} s", duration.as_secs(), duration.subsec_millis() / 100)
}
