//! Many events at once: each becomes a delivery of its own, as if it had come alone.

use std::collections::HashSet;

use canonical::money::decimal_to_json;
use canonical::{ApiEvent, Instant};
use serde_json::{Map, Value};
use store::{BulkError, BulkPlace};
use tabular::{EventRow, RowError};

use crate::Api;
use crate::body::{self, Fields};
use crate::bulk_profiles::{bad_line, bulk_error, error_resource};
use crate::document::{Answer, Resource, identifier, single, time};
use crate::error::{ApiError, ApiResult};
use crate::event_body::{identifies, read_event, read_event_of, read_profile};
use crate::operation::{Operation, Tier};
use crate::ports::Queue;
use crate::request::{Asked, Format};
use crate::shapes;

/// The most events of one request (Klaviyo's limit).
const MAX_EVENTS: usize = 1000;
const EVENTS: &str = "/data/attributes/events-bulk-create/data";

pub(crate) static OPERATIONS: &[Operation] =
    &[Operation::post("bulk_create_events", "/api/event-bulk-create-jobs", &["events:write"])
        .limited(Tier::Medium)
        .parameters(&["backfill"])
        .takes::<shapes::NewEvents>("event-bulk-create-job")
        .gives_one::<shapes::EventImport>(202, "event-bulk-create-job")
        .by(|call| Box::pin(call.api.create_events(call.asked, call.body)))];

impl Api {
    /// `POST /api/event-bulk-create-jobs`: 202 once the queue has all of them. JSON is taken whole or not at all;
    /// of a file, the rows that are sound.
    pub(crate) async fn create_events(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let now = self.now();
        match asked.format {
            Format::Json => {
                let events = events_of_json(bytes, now)?;
                self.check_ids(&events).await?;
                self.enqueue(events, now).await?;
                Ok(Answer::empty(http::StatusCode::ACCEPTED))
            }
            Format::Csv => self.upload_events(asked, tabular::events(bytes), now).await,
            Format::Lines => self.upload_events(asked, tabular::event_lines(bytes), now).await,
        }
    }

    async fn upload_events(
        &self,
        asked: &Asked,
        rows: impl Iterator<Item = Result<EventRow, RowError>>,
        now: Instant,
    ) -> ApiResult<Answer> {
        // Whoever uploads a file tells what was, and no flow is to start over it.
        let backfill = asked.flag("backfill")?.unwrap_or(true);
        let (mut events, mut errors) = (Vec::new(), Vec::new());
        for row in rows.take(MAX_EVENTS + 1) {
            match row {
                Ok(row) => {
                    let place = BulkPlace::Line(row.line);
                    match event_of_row(row, backfill, now) {
                        Ok(event) => events.push(event),
                        Err(error) => errors.push(bulk_error(place, error)),
                    }
                }
                Err(error) => errors.push(bad_line(error.line, &error.reason)),
            }
        }
        let total = events.len() + errors.len();
        if total == 0 || total > MAX_EVENTS {
            return Err(wrong_count(EVENTS));
        }
        if let (Format::Csv, [], [BulkError { place: BulkPlace::Line(1), detail, .. }]) =
            (asked.format, events.as_slice(), errors.as_slice())
        {
            // A header that cannot be read is the only item.
            return Err(ApiError::invalid("/", detail.as_str()));
        }
        let completed = events.len();
        self.enqueue(events, now).await?;
        let id = self.long_id("bulk events");
        let errors: Vec<Value> = errors
            .iter()
            .enumerate()
            .map(|(number, error)| error_resource(asked, &id, number, error))
            .collect();
        let named = errors.iter().filter_map(|error| error["id"].as_str());
        let named: Vec<Value> = named.map(|id| identifier("import-error", id)).collect();
        let job = Resource::new(asked, "event-bulk-create-job", "event-bulk-create-jobs", &id)
            .attribute("status", "complete")
            .attribute("created_at", time(now))
            .attribute("total_count", total)
            .attribute("completed_count", completed)
            .attribute("failed_count", errors.len())
            .related("import-errors", named.into())
            .build();
        Ok(Answer::accepted(single(asked, job, Some(errors))))
    }

    /// Those who are named by nothing but an id must be there.
    async fn check_ids(&self, events: &[ApiEvent]) -> ApiResult<()> {
        let unnamed = events.iter().filter(|event| !identifies(event));
        let ids: HashSet<&str> = unnamed.filter_map(|event| event.profile_id.as_deref()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let found = futures::future::try_join_all(ids.iter().map(|id| self.store.profile(id))).await?;
        match ids.iter().zip(found).find(|(_, found)| found.is_none()) {
            None => Ok(()),
            Some((id, _)) => {
                let detail =
                    format!("A profile with id {id} does not exist, and there is no other identifier.");
                Err(ApiError::invalid(EVENTS, detail))
            }
        }
    }

    pub(crate) async fn enqueue(&self, events: Vec<ApiEvent>, now: Instant) -> ApiResult<()> {
        let messages: ApiResult<Vec<String>> =
            events.iter().map(|event| self.event_message(event, now)).collect();
        self.outbox.send_all(Queue::RawDeliveries, messages?).await.map_err(ApiError::unavailable)
    }
}

fn wrong_count(place: &str) -> ApiError {
    ApiError::invalid(place, format!("A request has 1 to {MAX_EVENTS} events."))
}

fn events_of_json(bytes: &[u8], now: Instant) -> ApiResult<Vec<ApiEvent>> {
    let body = body::parse(bytes)?;
    let data = body::data(&body, "event-bulk-create-job")?;
    data.only(&["type", "attributes"])?;
    let attributes = data.required("attributes")?.object()?;
    attributes.only(&["events-bulk-create"])?;
    let entries = attributes.required("events-bulk-create")?.object()?;
    entries.only(&["data"])?;
    let mut events = EventsOf::new(EVENTS);
    for entry in entries.required("data")?.items()? {
        events.read(&entry.resource("event-bulk-create")?, now)?;
    }
    events.all()
}

/// What makes two events of a request one: identifiers, id of the profile, metric, and the event's own id.
type SameEvent = ([Option<String>; 5], Option<String>, String, String);

/// The events of one request.
pub(crate) struct EventsOf {
    /// Where complaints about their number point.
    place: &'static str,
    events: Vec<ApiEvent>,
    seen: HashSet<SameEvent>,
}

impl EventsOf {
    pub(crate) fn new(place: &'static str) -> Self {
        Self { place, events: Vec::new(), seen: HashSet::new() }
    }

    /// Reads a profile with its events.
    pub(crate) fn read(&mut self, entry: &Fields<'_>, now: Instant) -> ApiResult<()> {
        entry.only(&["type", "attributes"])?;
        let entry = entry.required("attributes")?.object()?;
        entry.only(&["profile", "events", "backfill"])?;
        let backfill = entry.flag("backfill")?;
        let mut profile = read_profile(&entry)?;
        let list = entry.required("events")?.object()?;
        list.only(&["data"])?;
        for event in list.required("data")?.items()? {
            let event = event.resource("event")?;
            event.only(&["type", "attributes"])?;
            let attributes = event.required("attributes")?.object()?;
            let mut event = read_event_of(&attributes, profile.clone(), now)?;
            if attributes.optional("backfill").is_none() {
                event.backfill = backfill.unwrap_or_default();
            }
            if let Some(unique_id) = &event.unique_id
                && !self.seen.insert((
                    who(&event),
                    event.service.clone(),
                    event.metric.clone(),
                    unique_id.clone(),
                ))
            {
                let detail = "The unique_id is that of another event of this profile and metric.";
                return Err(ApiError::invalid(format!("{}/unique_id", attributes.pointer), detail));
            }
            self.events.push(event);
            if self.events.len() > MAX_EVENTS {
                return Err(wrong_count(self.place));
            }
            // The first event brings the attributes; the others need only the name.
            profile.person.attributes.clear();
            profile.patch = canonical::profile::PropertyPatch::default();
        }
        Ok(())
    }

    /// All of them: at least one.
    pub(crate) fn all(self) -> ApiResult<Vec<ApiEvent>> {
        if self.events.is_empty() { Err(wrong_count(self.place)) } else { Ok(self.events) }
    }
}

/// All that names the profile.
fn who(event: &ApiEvent) -> [Option<String>; 5] {
    let person = event.person.clone();
    [event.profile_id.clone(), person.external_id, person.email, person.phone, person.anonymous_id]
}

/// The same checks as in JSON: one way to read an event.
fn event_of_row(row: EventRow, backfill: bool, now: Instant) -> ApiResult<ApiEvent> {
    if row.time.is_none() && row.unique_id.is_none() {
        // It would be another event each time the file is sent.
        return Err(ApiError::invalid("/", "A time or a unique_id is required."));
    }
    let mut attributes = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value);
        }
    };
    set("properties", Some(row.properties.into()));
    set("time", row.time.map(|time| time.to_utc_string().into()));
    set("value", row.value.map(decimal_to_json));
    set("value_currency", row.value_currency.map(|currency| currency.as_str().into()));
    set("unique_id", row.unique_id.map(Value::from));
    set("backfill", Some(backfill.into()));
    let mut person = Map::new();
    for (name, value) in [
        ("email", row.person.email),
        ("phone_number", row.person.phone),
        ("external_id", row.person.external_id),
        ("anonymous_id", row.person.anonymous_id),
    ] {
        if let Some(value) = value {
            person.insert(name.to_owned(), value.into());
        }
    }
    let resource = |kind: &str, attributes: Map<String, Value>| {
        let data = Map::from_iter([
            ("type".to_owned(), kind.into()),
            ("attributes".to_owned(), Value::from(attributes)),
        ]);
        Value::from(Map::from_iter([("data".to_owned(), Value::from(data))]))
    };
    set("metric", Some(resource("metric", Map::from_iter([("name".to_owned(), row.metric.into())]))));
    set("profile", Some(resource("profile", person)));
    read_event(&Fields { map: &attributes, pointer: String::new() }, now)
}
