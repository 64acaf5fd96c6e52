//! What is shown.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// The result: as JSON, or else in lines.
    pub(super) fn result(&self, json: &Value, lines: impl FnOnce() -> Vec<String>) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, json)?;
            writeln!(out)?;
        } else {
            for line in lines() {
                writeln!(out, "{line}")?;
            }
        }
        Ok(out.flush()?)
    }

    /// Shows how far long work is, on a terminal alone.
    #[allow(clippy::unused_self, reason = "belongs to what is shown")]
    pub(super) fn progress(&self, total: u64, unit: &str) -> ProgressBar {
        let is_seen = std::io::stderr().is_terminal();
        let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = format!("{{bar:30}} {{pos}}/{{len}} {unit} {{msg}} ({{eta}})");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Text or number of a field, as people read it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
