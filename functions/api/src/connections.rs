//! Connections: one per shop and platform. Their secrets go to the vault and never come back.

use canonical::Instant;
use http::StatusCode;
use platform::{Platform, Secrets};
use serde_json::{Map, Value, json};
use store::{ConnectionRecord, ConnectionStatus, Health, Poll, PollRun};

use crate::Api;
use crate::body::{self, Fields, Node};
use crate::document::{Answer, Resource, collection, page_of, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::schema;
use crate::shapes;

const MAX_NAME: usize = 255;
/// The longest secret; a connection's secrets must fit one parameter of 4 KB.
const MAX_SECRET: usize = 1024;
const MAX_SECRETS_BYTES: usize = 4096;
const PAGE: usize = 20;
const MAX_PAGE: usize = 100;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_connections", "/api/connections", &["connections:read"])
        .pages(PAGE, MAX_PAGE)
        .gives_page::<shapes::Connection>("connection")
        .by(|call| Box::pin(call.api.list_connections(call.asked))),
    Operation::post("create_connection", "/api/connections", &["connections:write"])
        .limited(Tier::Medium)
        .takes::<shapes::NewConnection>("connection")
        .gives_one::<shapes::Connection>(201, "connection")
        .by(|call| Box::pin(call.api.create_connection(call.asked, call.body))),
    Operation::get("get_connection", "/api/connections/{id}", &["connections:read"])
        .gives_one::<shapes::Connection>(200, "connection")
        .by(|call| Box::pin(call.api.get_connection(call.asked, call.id))),
    Operation::patch("update_connection", "/api/connections/{id}", &["connections:write"])
        .limited(Tier::Medium)
        .takes::<shapes::NewConnection>("connection")
        .gives_one::<shapes::Connection>(200, "connection")
        .by(|call| Box::pin(call.api.update_connection(call.asked, call.id, call.body))),
    Operation::delete("delete_connection", "/api/connections/{id}", &["connections:write"])
        .limited(Tier::Medium)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.delete_connection(call.id))),
];

impl Api {
    /// `POST /api/connections`.
    pub(crate) async fn create_connection(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "connection")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["platform", "name", "settings", "secrets", "enabled"])?;
        let platform = attributes.required("platform")?;
        let Some(platform) = self.platform(platform.text()?) else {
            return Err(platform.invalid("There is no such platform: see /api/platforms."));
        };
        let name = attributes.required("name")?.text_of(MAX_NAME)?;
        let settings = match attributes.optional("settings") {
            Some(node) => node.object()?.map.clone(),
            None => Map::new(),
        };
        check_settings(platform, &settings, &attributes)?;
        let mut secrets = Secrets::default();
        for (name, value) in new_secrets(&attributes)? {
            secrets.rotate(name, value);
        }
        check_secrets(platform, &secrets, &attributes)?;
        let now = self.now();
        let connection = ConnectionRecord {
            id: self.long_id("connection"),
            platform: platform.name().to_owned(),
            name: name.to_owned(),
            settings,
            secret_names: secrets.names().map(str::to_owned).collect(),
            status: status(attributes.flag("enabled")?.unwrap_or(true)),
            created_at: now,
            updated_at: now,
        };
        // The secrets first: a connection without them would refuse genuine deliveries.
        self.vault.put(&connection.id, &secrets).await?;
        self.store.create_connection(&connection).await?;
        Ok(Answer::created(single(asked, self.connection_resource(asked, &connection), None)))
    }

    /// `GET /api/connections`.
    pub(crate) async fn list_connections(&self, asked: &Asked) -> ApiResult<Answer> {
        let connections = self.store.connections().await?;
        let size = asked.page_size();
        let (page, next) = page_of(asked, connections, |connection| connection.id.clone(), false, size)?;
        let data = page.iter().map(|connection| self.connection_resource(asked, connection)).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/connections/{id}`.
    pub(crate) async fn get_connection(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let connection = self.connection_by_id(id).await?;
        let mut resource = self.connection_resource(asked, &connection);
        if let Some(health) = resource.pointer_mut("/attributes/health").and_then(Value::as_object_mut) {
            health.extend(health_of(&self.store.health(id).await?));
            let poll = self.store.poll(id).await?;
            if !poll.runs.is_empty() {
                health.insert("poll".to_owned(), poll_of(&poll));
            }
        }
        if let Some(oauth) = resource.pointer_mut("/attributes/oauth").and_then(Value::as_object_mut) {
            oauth.extend(self.grant_of(id).await?);
        }
        Ok(Answer::ok(single(asked, resource, None)))
    }

    /// `PATCH /api/connections/{id}`. Settings and secrets that are not named stay; a setting of null goes. A new
    /// value of a secret leaves the old one valid until `"previous_secrets": "forget"`.
    pub(crate) async fn update_connection(&self, asked: &Asked, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "connection")?;
        data.only(&["type", "id", "attributes"])?;
        if let Some(named) = data.optional("id")
            && named.text()? != id
        {
            return Err(named.invalid("The id must be that of the address."));
        }
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "settings", "secrets", "previous_secrets", "enabled"])?;
        let before = self.connection_by_id(id).await?;
        let platform = self.platform(&before.platform);
        let mut after = before.clone();
        if let Some(name) = attributes.text("name", MAX_NAME)? {
            name.clone_into(&mut after.name);
        }
        if let Some(enabled) = attributes.flag("enabled")? {
            after.status = status(enabled);
        }
        if let Some(node) = attributes.optional("settings") {
            for (name, value) in node.object()?.map {
                if value.is_null() {
                    after.settings.shift_remove(name);
                } else {
                    after.settings.insert(name.clone(), value.clone());
                }
            }
            if let Some(platform) = platform {
                check_settings(platform, &after.settings, &attributes)?;
            }
        }
        let forget = attributes.optional("previous_secrets").map(|node| forgets(&node)).transpose()?;
        let rotated = new_secrets(&attributes)?;
        if forget.is_some() || !rotated.is_empty() {
            let mut secrets = self.vault.get(id).await?;
            if forget.is_some() {
                secrets.forget_previous();
            }
            for (name, value) in rotated {
                secrets.rotate(name, value);
            }
            if let Some(platform) = platform {
                check_secrets(platform, &secrets, &attributes)?;
            }
            after.secret_names = secrets.names().map(str::to_owned).collect();
            self.vault.put(id, &secrets).await?;
        }
        if after != before {
            after.updated_at = self.now().max(before.updated_at);
            self.store.update_connection(&after).await?;
        }
        Ok(Answer::ok(single(asked, self.connection_resource(asked, &after), None)))
    }

    /// `DELETE /api/connections/{id}`. What came through it stays.
    pub(crate) async fn delete_connection(&self, id: &str) -> ApiResult<Answer> {
        let connection = self.connection_by_id(id).await?;
        self.give_back(&connection).await?;
        // The secrets first: if this is interrupted, the request can be made again.
        self.vault.delete(id).await?;
        self.store.delete_connection(id).await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn connection_by_id(&self, id: &str) -> ApiResult<ConnectionRecord> {
        self.store.connection(id).await?.ok_or_else(|| ApiError::not_found("connection", id))
    }

    fn connection_resource(&self, asked: &Asked, connection: &ConnectionRecord) -> Value {
        let set: Vec<&str> = connection.secret_names.iter().map(String::as_str).collect();
        let required = self.platform(&connection.platform).map(|platform| platform.description().secrets);
        let missing: Vec<String> = required
            .iter()
            .flat_map(|schema| schema["required"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .filter(|name| !set.contains(name))
            .map(str::to_owned)
            .collect();
        let webhook_url = format!("{}/webhooks/{}/{}", asked.base, connection.platform, connection.id);
        let resource = Resource::new(asked, "connection", "connections", &connection.id);
        let resource = match self.oauth_attribute(asked, connection) {
            Some(oauth) => resource.attribute("oauth", oauth),
            None => resource,
        };
        resource
            .attribute("platform", connection.platform.as_str())
            .attribute("name", connection.name.as_str())
            .attribute("enabled", connection.status == ConnectionStatus::Active)
            .attribute("settings", connection.settings.clone())
            .attribute("webhook_url", webhook_url)
            .attribute(
                "health",
                json!({"status": connection.status, "secrets_set": set, "secrets_missing": missing}),
            )
            .attribute("created", time(connection.created_at))
            .attribute("updated", time(connection.updated_at))
            .build()
    }
}

/// The polls of a connection: the last one, when the next is due, and those before.
fn poll_of(poll: &Poll) -> Value {
    let runs: Vec<Value> = poll.runs.iter().map(run_of).collect();
    let mut last = runs.first().cloned().unwrap_or_default();
    last["next"] = Instant::from_millis(poll.next_ms).map(time).into();
    last["runs"] = runs.into();
    last
}

fn run_of(run: &PollRun) -> Value {
    json!({
        "started": time(run.started_at),
        "finished": time(run.finished_at),
        "duration_ms": run.finished_at.as_millis() - run.started_at.as_millis(),
        "since": time(run.since),
        "until": time(run.until),
        "pages": run.tally.pages,
        "records": run.tally.records,
        "requests": run.tally.requests,
        "error": run.error,
    })
}

/// How a connection fares, as far as it is known: counts since it was made, and the last of everything.
fn health_of(health: &Health) -> Map<String, Value> {
    let count = |outcome: &str| health.counts.get(outcome).copied().unwrap_or_default();
    let error = health.last_error.as_ref().map(|(at, text)| json!({"at": time(*at), "detail": text}));
    let fields = json!({
        "last_delivery": health.last_delivery_at.map(time),
        "last_error": error,
        "lag_ms": health.lag_ms,
        "deliveries": {
            "accepted": count("accepted"),
            "mapped": count("mapped"),
            "retried": count("retried"),
            "deferred": count("deferred"),
            "dead_lettered": count("dead_lettered"),
            "rejected": health.rejected,
            "ignored": health.ignored,
        },
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn status(enabled: bool) -> ConnectionStatus {
    if enabled { ConnectionStatus::Active } else { ConnectionStatus::Disabled }
}

fn forgets(node: &Node<'_>) -> ApiResult<()> {
    if node.text()? == "forget" { Ok(()) } else { Err(node.invalid("The value must be 'forget'.")) }
}

/// Secrets by name, as the request gives them.
fn new_secrets<'a>(attributes: &Fields<'a>) -> ApiResult<Vec<(&'a str, String)>> {
    let Some(node) = attributes.optional("secrets") else { return Ok(Vec::new()) };
    let secrets = node.object()?;
    secrets
        .map
        .keys()
        .map(|name| Ok((name.as_str(), secrets.required(name)?.text_of(MAX_SECRET)?.to_owned())))
        .collect()
}

fn check_settings(
    platform: &dyn Platform,
    settings: &Map<String, Value>,
    attributes: &Fields<'_>,
) -> ApiResult<()> {
    let pointer = format!("{}/settings", attributes.pointer);
    schema::check(&platform.description().settings, &settings.clone().into(), &pointer)
}

/// Checks names and values against the platform's description; the complaint never holds a value.
fn check_secrets(platform: &dyn Platform, secrets: &Secrets, attributes: &Fields<'_>) -> ApiResult<()> {
    let pointer = format!("{}/secrets", attributes.pointer);
    if serde_json::to_string(secrets).is_ok_and(|text| text.len() > MAX_SECRETS_BYTES) {
        return Err(ApiError::invalid(pointer, "The secrets together must not exceed 4 KB."));
    }
    let current: Map<String, Value> = secrets
        .names()
        .filter_map(|name| Some((name.to_owned(), secrets.valid(name).next()?.into())))
        .collect();
    schema::check(&platform.description().secrets, &current.into(), &pointer)
}
