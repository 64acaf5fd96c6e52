//! Historical imports of connections, and whether a platform lets a connection in at all.

use canonical::Instant;
use extract::Task;
use http::StatusCode;
use jiff::SignedDuration;
use platform::{Connection, Period, Platform, Span};
use serde_json::{Value, json};
use store::{ConnectionRecord, ConnectionStatus, Import, ImportStatus, Tally};

use crate::Api;
use crate::body::{self, Fields};
use crate::document::{Answer, Resource, collection, page_of, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::ports::Queue;
use crate::request::Asked;
use crate::shapes;

const PAGE: usize = 20;
const MAX_PAGE: usize = 100;
/// 1990-01-01: no shop's records are older.
pub(crate) const EARLIEST_MS: i64 = 631_152_000_000;
/// How long a test of a connection may take.
const TEST_MS: i64 = 15_000;
/// How far back a test looks: nothing needs to be found there.
const TEST_REACHES_BACK: SignedDuration = SignedDuration::from_hours(1);

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::post("test_connection", "/api/connections/{id}/test", &["connections:write"])
        .limited(Tier::Medium)
        .gives_one::<shapes::ConnectionTest>(200, "connection-test")
        .by(|call| Box::pin(call.api.test_connection(call.asked, call.id))),
    Operation::post("create_import", "/api/connections/{id}/import", &["connections:write"])
        .limited(Tier::Medium)
        .takes::<shapes::NewImport>("import")
        .gives_one::<shapes::Import>(202, "import")
        .by(|call| Box::pin(call.api.create_import(call.asked, call.id, call.body))),
    Operation::get("get_imports", "/api/connections/{id}/imports", &["connections:read"])
        .pages(PAGE, MAX_PAGE)
        .gives_page::<shapes::Import>("import")
        .by(|call| Box::pin(call.api.list_imports(call.asked, call.id))),
    Operation::get("get_import", "/api/imports/{id}", &["connections:read"])
        .gives_one::<shapes::Import>(200, "import")
        .by(|call| Box::pin(call.api.get_import(call.asked, call.id))),
    Operation::delete("cancel_import", "/api/imports/{id}", &["connections:write"])
        .limited(Tier::Medium)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.cancel_import(call.id))),
];

impl Api {
    /// `POST /api/connections/{id}/import`.
    pub(crate) async fn create_import(&self, asked: &Asked, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "import")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["since", "until"])?;
        let now = self.now();
        let since = instant(&attributes, "since")?.ok_or_else(|| {
            attributes.invalid("'since' is required: an instant such as 2020-01-01T00:00:00Z.")
        })?;
        let until = instant(&attributes, "until")?.unwrap_or(now).min(now);
        if since.as_millis() < EARLIEST_MS || since >= until {
            return Err(attributes.invalid("'since' must be before 'until' and not before 1990."));
        }
        let record = self.connection_by_id(id).await?;
        if record.status != ConnectionStatus::Active {
            let detail = "The connection is switched off, and would not be asked. Enable it first.";
            return Err(ApiError::conflict("connection_disabled", detail));
        }
        let (connection, platform) = self.asked(record)?;
        let period = Period::history(since.timestamp(), until.timestamp());
        if platform.feeds(&connection, &period).is_empty() {
            let detail = format!(
                "{} cannot be asked for its history with these settings and secrets: see /api/platforms/{}, or upload \
                 files.",
                platform.description().title,
                platform.name()
            );
            return Err(ApiError::invalid("/data", detail));
        }
        let imports = self.store.imports().await?;
        if imports.iter().any(|import| import.connection == id && import.is_unfinished()) {
            let detail = "An import of this connection is under way. Wait for its end, or cancel it.";
            return Err(ApiError::conflict("conflict", detail));
        }
        let import = Import::new(self.long_id("import"), id.to_owned(), [since, until], now);
        self.store.create_import(&import).await?;
        // What fails here is not lost: the poller finds it within a minute.
        let turn = json!({"connection": id}).to_string();
        if let Err(error) = self.outbox.send(Queue::Polls, turn).await {
            tracing::warn!(import = import.id, error = %error, "import could not be announced");
        }
        Ok(Answer::accepted(single(asked, import_resource(asked, &import, self.now()), None)))
    }

    /// `GET /api/connections/{id}/imports`, newest first.
    pub(crate) async fn list_imports(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        self.connection_by_id(id).await?;
        let mut imports = self.store.imports().await?;
        imports.retain(|import| import.connection == id);
        let size = asked.page_size();
        let key = |import: &Import| format!("{}#{}", import.created_at.to_utc_string(), import.id);
        let (page, next) = page_of(asked, imports, key, true, size)?;
        let now = self.now();
        let data = page.iter().map(|import| import_resource(asked, import, now)).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/imports/{id}`.
    pub(crate) async fn get_import(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let import = self.store.import(id).await?.ok_or_else(|| ApiError::not_found("import", id))?;
        Ok(Answer::ok(single(asked, import_resource(asked, &import, self.now()), None)))
    }

    /// `DELETE /api/imports/{id}`: ends it. What was read stays.
    pub(crate) async fn cancel_import(&self, id: &str) -> ApiResult<Answer> {
        loop {
            let mut import = self.store.import(id).await?.ok_or_else(|| ApiError::not_found("import", id))?;
            if import.is_unfinished() {
                import.status = ImportStatus::Cancelled;
                import.finished_at = Some(self.now());
                match self.store.update_import(&mut import).await {
                    Err(store::Error::Conflict) => continue,
                    outcome => outcome?,
                }
            }
            return Ok(Answer::empty(StatusCode::NO_CONTENT));
        }
    }

    /// `POST /api/connections/{id}/test`: asks the platform for one page, and keeps nothing of it.
    pub(crate) async fn test_connection(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let (connection, platform) = self.asked_connection(id).await?;
        let now = self.now().timestamp();
        let since = now - TEST_REACHES_BACK;
        let deadline_ms = self.clock.now_ms() + TEST_MS;
        let mut tally = Tally::default();
        let mut outcome = None;
        // History first: polling may be switched off, and yet the platform can be asked.
        for span in [Span::History, Span::Changes] {
            let period = Period { span, ..Period::changes(since, now) };
            let task = Task { platform, connection: &connection, period: &period, deadline_ms };
            match self.extractor()?.probe(&task, &mut tally).await {
                Ok(None) => {}
                Ok(Some(feed)) => {
                    outcome = Some((true, format!("{} answers: {feed}", platform.description().title)));
                    break;
                }
                Err(stopped) => {
                    outcome = Some((false, stopped.to_string()));
                    break;
                }
            }
        }
        let (ok, detail) = outcome.unwrap_or_else(|| {
            let detail = "This connection asks its platform for nothing. Its deliveries show in its health.";
            (true, detail.to_owned())
        });
        let resource = Resource::new(asked, "connection-test", "connections", id)
            .attribute("ok", ok)
            .attribute("detail", detail)
            .attribute("requests", tally.requests)
            .build();
        Ok(Answer::ok(single(asked, resource, None)))
    }

    /// A connection as its adapter sees it, and the adapter.
    pub(crate) async fn asked_connection(&self, id: &str) -> ApiResult<(Connection, &'static dyn Platform)> {
        let record = self.connection_by_id(id).await?;
        self.asked(record)
    }

    fn asked(&self, record: ConnectionRecord) -> ApiResult<(Connection, &'static dyn Platform)> {
        let platform = self.platform(&record.platform);
        let platform = platform.ok_or_else(|| ApiError::not_found("platform", &record.platform))?;
        Ok((Connection { id: record.id, platform: record.platform, settings: record.settings }, platform))
    }
}

fn instant(attributes: &Fields<'_>, name: &str) -> ApiResult<Option<Instant>> {
    let Some(node) = attributes.optional(name) else { return Ok(None) };
    let parsed = node.text()?.parse::<jiff::Timestamp>();
    let invalid = |_| node.invalid("The value must be an instant such as 2020-01-01T00:00:00Z.");
    Ok(Some(parsed.map_err(invalid)?.into()))
}

fn import_resource(asked: &Asked, import: &Import, now: Instant) -> Value {
    let worked_s = import.worked_ms / 1000;
    let rate = i64::try_from(import.tally.records).unwrap_or_default().checked_div(worked_s);
    let percent = import.percent();
    Resource::new(asked, "import", "imports", &import.id)
        .attribute("connection", import.connection.as_str())
        .attribute("status", json!(import.status))
        .attribute("since", time(import.since))
        .attribute("until", time(import.until))
        .attribute("percent", percent)
        .attribute("records", import.tally.records)
        .attribute("pages", import.tally.pages)
        .attribute("requests", import.tally.requests)
        .attribute("rate", rate)
        .attribute("estimated_end", estimated_end(import, percent, now).map(time))
        .attribute("error", import.failing.as_ref().map(|(_, error)| error.as_str()))
        .attribute("created", time(import.created_at))
        .attribute("started", import.started_at.map(time))
        .attribute("finished", import.finished_at.map(time))
        .build()
}

/// When it ends if it goes on as it did; unknown before there is anything to go by.
/// A time that has passed says nothing, such as after a crash.
fn estimated_end(import: &Import, percent: i64, now: Instant) -> Option<Instant> {
    let started_ms = import.started_at.filter(|_| import.is_unfinished() && percent > 0)?.as_millis();
    let end = Instant::from_millis(started_ms.checked_add(import.worked_ms.checked_mul(100)? / percent)?);
    end.filter(|end| *end > now)
}
