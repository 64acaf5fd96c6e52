//! DuckDB, as a process that is asked.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::{Event, Person};
use crate::python;

const REQUIREMENTS: &str = "duckdb==2.0.0\n";

/// A Python process with DuckDB in it.
pub struct DuckDb {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl DuckDb {
    /// Starts it; installs it first if `cache` does not have it yet, which needs Python 3 and its registry of packages.
    pub fn start(cache: &Path) -> Self {
        let python = python::environment(&cache.join("duckdb"), REQUIREMENTS);
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/workload");
        let mut process = Command::new(python)
            .args([sources.join("oracle.py"), sources.join("segments.sql")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let folder = tempfile::Builder::new().prefix("workload").tempdir_in(cache).unwrap();
        Self { process, requests, answers, folder, files: Vec::new() }
    }

    /// Hands over the people as they are now, and further events.
    pub fn load(&mut self, people: &[Person], events: &[Event]) {
        let people_file = self.folder.path().join("people.csv");
        write_csv(
            &people_file,
            Person::COLUMNS,
            people.iter().enumerate().map(|(place, person)| person.row(place)),
        );
        let events_file = self.folder.path().join(format!("events{}.csv", self.files.len()));
        write_csv(&events_file, Event::COLUMNS, events.iter().map(Event::row));
        self.files.push(events_file);
        self.ask(&json!({"do": "load", "people": people_file, "events": self.files}));
    }

    /// Computes all memberships at an instant; returns the seconds of CPU that took.
    pub fn recompute(&mut self, now_ms: i64) -> f64 {
        self.ask(&json!({"do": "recompute", "now": now_ms}))["seconds"].as_f64().unwrap()
    }

    /// The memberships that were computed last: for each profile a number whose bits are the segments, by their ids.
    pub fn memberships(&mut self) -> Vec<u64> {
        let path = self.folder.path().join("members.csv");
        let answer = self.ask(&json!({"do": "write", "path": path}));
        let ids: Vec<String> = super::segments().into_iter().map(|segment| segment.id).collect();
        assert_eq!(answer["segments"], json!(ids), "segments.sql and segments.rs name the same segments");
        let text = std::fs::read_to_string(path).unwrap();
        let mut memberships = Vec::new();
        for line in text.lines() {
            let (profile, bits) = line.split_once(',').unwrap();
            assert_eq!(profile, memberships.len().to_string(), "every profile once, in order");
            memberships.push(bits.parse().unwrap());
        }
        memberships
    }

    /// What it knows of a profile, for people.
    pub fn numbers(&mut self, profile: usize) -> Value {
        self.ask(&json!({"do": "numbers", "profile": profile}))
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "DuckDB could not answer {request}: see above");
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // It has nothing to lose. If it has ended by itself, so much the better.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_csv(path: &Path, header: &str, rows: impl Iterator<Item = String>) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "{header}").unwrap();
    for row in rows {
        writeln!(file, "{row}").unwrap();
    }
    file.flush().unwrap();
}
