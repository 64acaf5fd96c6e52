//! `tillstream parity`.

use clap::Args;
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::client::{encode, resource};
use super::output::shown;
use super::{Done, Failure, Outcome, Remote};

/// `parity`.
#[derive(Args, Debug)]
pub struct Parity {
    #[command(flatten)]
    remote: Remote,
    /// The connection's id.
    connection: String,
    /// What is counted.
    #[arg(long, default_value = "Placed Order")]
    metric: String,
    /// The first day, in the shop's time zone.
    #[arg(long)]
    from: Date,
    /// The last day; the first if absent.
    #[arg(long)]
    to: Option<Date>,
}

impl Parity {
    pub(super) async fn run(self) -> Done {
        let to = self.to.unwrap_or(self.from);
        if to < self.from {
            return Err(Failure::Usage("the last day is before the first".to_owned()));
        }
        let (client, output) = self.remote.open()?;
        let wanted: Vec<Date> = self.from.series(1.day()).take_while(|day| *day <= to).collect();
        let bar = output.progress(wanted.len() as u64, "days");
        let (mut days, mut equal, mut zone) = (Vec::new(), true, Value::Null);
        for day in wanted {
            bar.set_message(day.to_string());
            let path = format!(
                "/api/connections/{}/parity?metric={}&from={day}&to={day}",
                encode(&self.connection),
                encode(&self.metric),
            );
            let mut parity = resource(client.get(&path).await?)?;
            let attributes = &mut parity["attributes"];
            equal &= attributes["equal"] == true;
            zone = attributes["time_zone"].take();
            if let Value::Array(compared) = attributes["days"].take() {
                days.extend(compared);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let report = json!({
            "metric": self.metric, "time_zone": zone, "from": self.from.to_string(), "to": to.to_string(),
            "equal": equal, "days": days,
        });
        output.result(&report, || {
            let verdict = if equal { "equal" } else { "NOT equal" };
            days.iter().map(line).chain([verdict.to_owned()]).collect()
        })?;
        Ok(if equal { Outcome::Good } else { Outcome::Bad })
    }
}

/// A day in a line; what is missing or too much only if there is any.
fn line(day: &Value) -> String {
    let side = |name: &str| {
        let sums = day[name]["sum"].as_object().into_iter().flatten();
        let sums: Vec<String> = sums.map(|(currency, sum)| format!("{} {currency}", shown(sum))).collect();
        format!("{} ({})", shown(&day[name]["count"]), sums.join(", "))
    };
    let mut line = format!("{}  platform {}  stored {}", shown(&day["date"]), side("source"), side("stored"));
    for name in ["missing", "extra", "different", "waiting"] {
        let ids: Vec<String> = day[name].as_array().into_iter().flatten().map(shown).collect();
        if !ids.is_empty() {
            line.extend(["  ", name, ": ", &ids.join(", ")]);
        }
    }
    line
}
