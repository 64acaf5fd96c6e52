//! `tillstream upload`.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::chunks::Chunks;
use super::client::{Client, encode, resource};
use super::output::shown;
use super::{Done, Failure, Outcome, Remote};

/// The API's bounds.
const MAX_PROFILES: usize = 10_000;
const MAX_EVENTS: usize = 1000;
/// How often is asked how far a piece is.
const POLL: Duration = Duration::from_millis(500);

/// `upload`.
#[derive(Args, Debug)]
pub struct Upload {
    #[command(flatten)]
    remote: Remote,
    /// What the rows are.
    #[arg(value_enum)]
    kind: Kind,
    /// The file: .csv, .ndjson or .jsonl.
    file: PathBuf,
    /// Whether the events are of the past and start no flow.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    backfill: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Profiles,
    Events,
}

#[derive(Default)]
struct Tally {
    total: u64,
    completed: u64,
    failed: u64,
    errors: Vec<Value>,
}

impl Upload {
    pub(super) async fn run(self) -> Done {
        let extension = self.file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let (is_csv, media_type) = match extension.to_ascii_lowercase().as_str() {
            "csv" => (true, "text/csv"),
            "ndjson" | "jsonl" => (false, "application/x-ndjson"),
            _ => return Err(Failure::Usage("the file must be .csv, .ndjson or .jsonl".to_owned())),
        };
        let file = File::open(&self.file);
        let file = file.map_err(|error| Failure::Usage(format!("{}: {error}", self.file.display())))?;
        let (client, output) = self.remote.open()?;
        let bar = output.progress(file.metadata()?.len(), "bytes");
        let max_records = if self.kind == Kind::Profiles { MAX_PROFILES } else { MAX_EVENTS };
        let mut chunks = Chunks::new(BufReader::new(file), is_csv, max_records);
        let mut tally = Tally::default();
        while let Some(chunk) = chunks.next_chunk()? {
            let first = tally.errors.len();
            match self.kind {
                Kind::Profiles => profiles(&client, media_type, chunk.bytes, &mut tally).await?,
                Kind::Events => self.events(&client, media_type, chunk.bytes, &mut tally).await?,
            }
            for error in &mut tally.errors[first..] {
                if let Some(line) = error["line"].as_u64() {
                    error["line"] = (line + chunk.offset).into();
                }
            }
            bar.inc(chunk.of_file);
            bar.set_message(format!("{} rows, {} refused", tally.total, tally.failed));
        }
        bar.finish_and_clear();
        let report = json!({
            "total": tally.total, "completed": tally.completed, "failed": tally.failed, "errors": tally.errors,
        });
        output.result(&report, || {
            let errors = tally.errors.iter();
            let errors =
                errors.map(|error| format!("line {}: {}", shown(&error["line"]), shown(&error["detail"])));
            let sum = format!("{} rows, {} taken, {} refused", tally.total, tally.completed, tally.failed);
            errors.chain([sum]).collect()
        })?;
        Ok(if tally.failed == 0 { Outcome::Good } else { Outcome::Bad })
    }

    async fn events(
        &self,
        client: &Client,
        media_type: &str,
        bytes: Vec<u8>,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let path = format!("/api/event-bulk-create-jobs?backfill={}", self.backfill);
        let mut answer = client.upload(&path, media_type, bytes).await?;
        let errors = answer["included"].take();
        tally.add(&resource(answer)?, errors.as_array().map(Vec::as_slice).unwrap_or_default());
        Ok(())
    }
}

/// Sends a piece and waits until it is in: rows of the next one may be of the same people.
async fn profiles(
    client: &Client,
    media_type: &str,
    bytes: Vec<u8>,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    const PATH: &str = "/api/profile-bulk-import-jobs";
    let mut job = resource(client.upload(PATH, media_type, bytes).await?)?;
    let path = format!("{PATH}/{}", encode(job["id"].as_str().context("the import has no id")?));
    while job["attributes"]["status"] != "complete" {
        tokio::time::sleep(POLL).await;
        job = resource(client.get(&path).await?)?;
        anyhow::ensure!(job["attributes"]["status"] != "cancelled", "the import was cancelled");
    }
    let has_errors = job["attributes"]["failed_count"].as_u64() != Some(0);
    let errors = if has_errors {
        client.list(&format!("{path}/import-errors?page%5Bsize%5D=100")).await?
    } else {
        Vec::new()
    };
    tally.add(&job, &errors);
    Ok(())
}

impl Tally {
    fn add(&mut self, job: &Value, errors: &[Value]) {
        let count = |name: &str| job["attributes"][name].as_u64().unwrap_or_default();
        self.total += count("total_count");
        self.completed += count("completed_count");
        self.failed += count("failed_count");
        self.errors.extend(errors.iter().map(|error| {
            let attributes = &error["attributes"];
            json!({"line": attributes["source"]["line"], "detail": attributes["detail"]})
        }));
    }
}
