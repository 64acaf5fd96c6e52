//! `tillstream replay-dlq`.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{encode, resource};
use super::output::shown;
use super::{Done, Outcome, Remote};

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
}

impl Replay {
    pub(super) async fn run(self) -> Done {
        let (client, output) = self.remote.open()?;
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
