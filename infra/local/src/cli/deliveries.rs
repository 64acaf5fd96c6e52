//! `tillstream delivery` and `tillstream replay`: what was archived.

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::{encode, resource};
use super::output::shown;
use super::{Done, Outcome, Remote};

/// `delivery`.
#[derive(Args, Debug)]
pub struct Delivery {
    #[command(flatten)]
    remote: Remote,
    /// Its id, as the answer to it said (`tillstream-delivery`), and the other commands do.
    id: String,
}

impl Delivery {
    pub(super) async fn run(self) -> Done {
        let (client, output) = self.remote.open()?;
        let delivery = resource(client.get(&format!("/api/deliveries/{}", encode(&self.id))).await?)?;
        output.result(&delivery, || lines(&delivery))?;
        Ok(Outcome::Good)
    }
}

/// What it was, its profiles, its events, and what they made of memberships.
fn lines(delivery: &Value) -> Vec<String> {
    let attributes = &delivery["attributes"];
    let mut lines = vec![line(&delivery["id"], attributes)];
    let each = |name: &str| attributes[name].as_array().cloned().unwrap_or_default();
    lines.extend(each("profiles").iter().map(|profile| format!("profile  {}", shown(profile))));
    for event in each("events") {
        let is_there = event["is_stored"] == true;
        let text = if is_there { shown(&event["id"]) } else { "is not there any more".to_owned() };
        lines.push(format!("event    {text}"));
    }
    for transition in each("transitions") {
        let [profile, verb, segment, at] =
            ["profile_id", "transition", "segment_id", "at"].map(|name| shown(&transition[name]));
        lines.push(format!("member   {profile} {verb} {segment} at {at}"));
    }
    lines
}

fn line(id: &Value, of: &Value) -> String {
    let [at, platform, topic, outcome] =
        ["received_at", "platform", "topic", "outcome"].map(|name| shown(&of[name]));
    let reason = of["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    let connection = of["connection"].as_str().unwrap_or("-");
    format!("{}  {at}  {platform}  {connection}  {topic}  {outcome}{reason}", shown(id))
}

/// Which deliveries are meant; all if nothing is said.
#[derive(Args, Debug)]
pub(super) struct Which {
    /// Only deliveries of a platform.
    #[arg(long)]
    platform: Option<String>,
    /// Only those of a connection.
    #[arg(long)]
    connection: Option<String>,
    /// Only those of a topic.
    #[arg(long)]
    topic: Option<String>,
    /// Only says which those are.
    #[arg(long)]
    dry_run: bool,
}

impl Which {
    /// The attributes of the request.
    pub(super) fn attributes(&self) -> Map<String, Value> {
        let Self { platform, connection, topic, dry_run } = self;
        let texts = given([("platform", platform), ("connection", connection), ("topic", topic)]);
        texts.chain(dry_run.then(|| ("dry_run".to_owned(), true.into()))).collect()
    }
}

/// Attributes of what was said.
pub(super) fn given<const N: usize>(
    texts: [(&str, &Option<String>); N],
) -> impl Iterator<Item = (String, Value)> {
    texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into())))
}

/// `replay`.
#[derive(Args, Debug)]
pub struct Replay {
    #[command(flatten)]
    remote: Remote,
    /// Those that arrived at this time (ISO 8601) or later,
    #[arg(long, required_unless_present = "list")]
    from: Option<String>,
    /// and before this one.
    #[arg(long, required_unless_present = "list")]
    until: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Only says what is under way.
    #[arg(long)]
    list: bool,
}

impl Replay {
    pub(super) async fn run(self) -> Done {
        let (client, output) = self.remote.open()?;
        if self.list {
            let replays = client.list("/api/delivery-replays").await?;
            output.result(&replays.clone().into(), || replays.iter().map(under_way).collect())?;
            return Ok(Outcome::Good);
        }
        let mut attributes = self.which.attributes();
        attributes.extend(given([("received_from", &self.from), ("received_until", &self.until)]));
        let body = json!({"data": {"type": "delivery-replay", "attributes": attributes}});
        let replay = resource(client.send(Method::POST, "/api/delivery-replays", &body).await?)?;
        let found = &replay["attributes"]["found"];
        output.result(&replay, || {
            if self.which.dry_run { found_lines(found) } else { vec![under_way(&replay)] }
        })?;
        let is_whole = !self.which.dry_run || found["is_complete"] == true;
        Ok(if is_whole { Outcome::Good } else { Outcome::Bad })
    }
}

fn under_way(replay: &Value) -> String {
    let attributes = &replay["attributes"];
    let [state, replayed] = ["state", "replayed"].map(|name| shown(&attributes[name]));
    format!("{}  {state}: {replayed} have gone back", shown(&replay["id"]))
}

fn found_lines(found: &Value) -> Vec<String> {
    let deliveries = found["deliveries"].as_array();
    let mut lines: Vec<String> =
        deliveries.into_iter().flatten().map(|delivery| line(&delivery["id"], delivery)).collect();
    lines.push(format!("{} of {} would go back", shown(&found["matched"]), shown(&found["looked_at"])));
    if found["is_complete"] != true {
        lines.push("there are more: ask for a shorter time".to_owned());
    }
    lines
}
