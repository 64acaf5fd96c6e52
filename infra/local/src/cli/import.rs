//! `tillstream import`.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use reqwest::Method;
use serde_json::json;

use super::client::{encode, resource};
use super::output::shown;
use super::{Done, Outcome, Remote};

/// How often is asked how far it is.
const POLL: Duration = Duration::from_secs(1);

/// `import`.
#[derive(Args, Debug)]
pub struct Import {
    #[command(flatten)]
    remote: Remote,
    /// The connection's id.
    connection: String,
    /// From when on, in RFC 3339 or as a date in UTC.
    #[arg(long, value_parser = moment)]
    since: Timestamp,
    /// Until when; until now if absent.
    #[arg(long, value_parser = moment)]
    until: Option<Timestamp>,
    /// Does not wait for the end.
    #[arg(long)]
    detach: bool,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let date = || -> Option<Timestamp> {
        Some(text.parse::<Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(date).ok_or_else(|| "neither RFC 3339 nor a date".to_owned())
}

impl Import {
    pub(super) async fn run(self) -> Done {
        let (client, output) = self.remote.open()?;
        let mut attributes = json!({"since": self.since.to_string()});
        if let Some(until) = self.until {
            attributes["until"] = until.to_string().into();
        }
        let path = format!("/api/connections/{}/import", encode(&self.connection));
        let body = json!({"data": {"type": "import", "attributes": attributes}});
        let mut import = resource(client.send(Method::POST, &path, &body).await?)?;
        let id = import["id"].as_str().context("the import has no id")?.to_owned();
        let path = format!("/api/imports/{}", encode(&id));
        let bar = output.progress(100, "%");
        let is_open = |status: &str| matches!(status, "queued" | "running");
        while !self.detach && is_open(import["attributes"]["status"].as_str().unwrap_or_default()) {
            tokio::time::sleep(POLL).await;
            import = resource(client.get(&path).await?)?;
            let attributes = &import["attributes"];
            bar.set_position(attributes["percent"].as_u64().unwrap_or_default());
            bar.set_message(format!(
                "{} records in {} requests, {} a second, until about {}",
                shown(&attributes["records"]),
                shown(&attributes["requests"]),
                shown(&attributes["rate"]),
                shown(&attributes["estimated_end"]),
            ));
        }
        bar.finish_and_clear();
        let attributes = &import["attributes"];
        let status = attributes["status"].as_str().unwrap_or_default().to_owned();
        output.result(&import, || {
            let read = format!(
                "import {id} {status}: {} records, {} pages, {} requests",
                shown(&attributes["records"]),
                shown(&attributes["pages"]),
                shown(&attributes["requests"]),
            );
            let error = attributes["error"].as_str().map(str::to_owned);
            [read].into_iter().chain(error).collect()
        })?;
        let is_good = status == "complete" || (self.detach && is_open(&status));
        Ok(if is_good { Outcome::Good } else { Outcome::Bad })
    }
}
