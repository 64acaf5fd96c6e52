//! `tillstream replay-dlq`.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{encode, resource};
use super::deliveries::{Which, given};
use super::output::shown;
use super::{Done, Failure, Outcome, Remote};

const DELIVERIES: &str = "raw-deliveries";

/// `replay-dlq`.
#[derive(Args, Debug)]
pub struct Replay {
    #[command(flatten)]
    remote: Remote,
    /// The queue, such as raw-deliveries; all if absent.
    queue: Option<String>,
    /// Only shows what waits.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    choice: Choice,
}

/// Which deliveries are meant; all if nothing is said.
#[derive(Args, Debug)]
struct Choice {
    #[command(flatten)]
    which: Which,
    /// Only those that were set aside for a reason with this in it.
    #[arg(long)]
    reason: Option<String>,
    /// Only those that arrived at this time (ISO 8601) or later.
    #[arg(long)]
    from: Option<String>,
    /// Only those that arrived before this time.
    #[arg(long)]
    until: Option<String>,
}

impl Choice {
    /// The attributes of the request; empty if all is meant.
    fn attributes(&self) -> Value {
        let mut attributes = self.which.attributes();
        let texts =
            [("reason", &self.reason), ("received_from", &self.from), ("received_until", &self.until)];
        attributes.extend(given(texts));
        Value::Object(attributes)
    }
}

impl Replay {
    pub(super) async fn run(self) -> Done {
        let (client, output) = self.remote.open()?;
        let choice = self.choice.attributes();
        if choice.as_object().is_some_and(|choice| !choice.is_empty()) {
            if self.list || self.queue.as_ref().is_some_and(|queue| queue != DELIVERIES) {
                return Err(Failure::Usage(format!("only among {DELIVERIES} can be chosen")));
            }
            let body = json!({"data": {"type": "dead-letter-queue", "attributes": choice}});
            let path = format!("/api/dead-letters/{DELIVERIES}/replay");
            let queue = resource(client.send(Method::POST, &path, &body).await?)?;
            let chosen = &queue["attributes"]["chosen"];
            output.result(chosen, || chosen_lines(chosen))?;
            return Ok(if chosen["is_complete"] == true { Outcome::Good } else { Outcome::Bad });
        }
        let mut queues = match &self.queue {
            Some(queue) if !self.list => vec![json!({"id": queue})],
            _ => client.list("/api/dead-letters").await?,
        };
        if !self.list {
            for queue in &mut queues {
                let path = format!("/api/dead-letters/{}/replay", encode(&shown(&queue["id"])));
                *queue = resource(client.send(Method::POST, &path, &json!({})).await?)?;
            }
        }
        let verb = if self.list { "set aside" } else { "go back" };
        let line = |queue: &Value| {
            let count = shown(&queue["attributes"]["approximate_messages"]);
            format!("{}: about {count} {verb}", shown(&queue["id"]))
        };
        output.result(&queues.clone().into(), || queues.iter().map(line).collect())?;
        Ok(Outcome::Good)
    }
}

/// One line for each delivery that is told of, and what it comes to.
fn chosen_lines(chosen: &Value) -> Vec<String> {
    let line = |delivery: &Value| {
        let [at, platform, connection, topic, id] =
            ["received_at", "platform", "connection", "topic", "delivery_id"]
                .map(|name| shown(&delivery[name]));
        let reason = delivery["reason"].as_str().unwrap_or("it failed again and again");
        format!("{at}  {platform}  {connection}  {topic}  {id}: {reason}")
    };
    let mut lines: Vec<String> = chosen["deliveries"].as_array().into_iter().flatten().map(line).collect();
    let verb = if chosen["is_dry_run"] == true { "would go back" } else { "went back" };
    lines.push(format!("{} of {} {verb}", shown(&chosen["matched"]), shown(&chosen["looked_at"])));
    if chosen["is_complete"] != true {
        lines.push("there is more: call again".to_owned());
    }
    lines
}
