//! Events: taken by the queue, read from the tables.

use std::collections::{BTreeSet, HashMap};

use canonical::money::decimal_to_json;
use canonical::{ApiEvent, Instant, Profile, hash};
use http::StatusCode;
use platform::{Delivery, Headers};
use serde_json::{Map, Value, json};
use store::{EventFilter, EventOrder, MetricRecord, StoredEvent};

use crate::Api;
use crate::body;
use crate::document::{Answer, Resource, collection, fill_page, identifier, single, time};
use crate::error::{ApiError, ApiResult};
use crate::event_body::{identifies, read_event};
use crate::filter::Operator;
use crate::operation::{COMPARED, EQUALS, HAS, Operation, Tier};
use crate::ports::Queue;
use crate::request::{Asked, Bounds, bad_value, filter_texts, unsupported};
use crate::shapes;

/// Pages of the store that one request reads at most when most events are filtered out.
const ROUNDS: usize = 20;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::post("create_event", "/api/events", &["events:write"])
        .limited(Tier::ExtraLarge)
        .takes::<shapes::NewEvent>("event")
        .gives_nothing(202)
        .by(|call| Box::pin(call.api.create_event(call.body))),
    Operation::get("get_events", "/api/events", &["events:read"])
        .limited(Tier::ExtraLarge)
        .filters(&[
            ("metric_id", EQUALS),
            ("profile_id", EQUALS),
            ("profile", HAS),
            ("metric", HAS),
            ("datetime", COMPARED),
            ("timestamp", COMPARED),
        ])
        .sorts(&["datetime", "timestamp"])
        .includes(&["attributions", "metric", "profile"])
        .fields(&["event", "metric", "profile", "attribution"])
        .pages(200, 1000)
        .gives_page::<shapes::Event>("event")
        .by(|call| Box::pin(call.api.list_events(call.asked))),
    Operation::get("get_event", "/api/events/{id}", &["events:read"])
        .limited(Tier::Medium)
        .includes(&["attributions", "metric", "profile"])
        .fields(&["event", "metric", "profile", "attribution"])
        .gives_one::<shapes::Event>(200, "event")
        .by(|call| Box::pin(call.api.get_event(call.asked, call.id))),
    Operation::get("get_metric_for_event", "/api/events/{id}/metric", &["events:read", "metrics:read"])
        .limited(Tier::ExtraLarge)
        .fields(&["metric"])
        .gives_one::<shapes::Metric>(200, "metric")
        .by(|call| Box::pin(call.api.event_metric(call.asked, call.id, false))),
    Operation::get(
        "get_metric_id_for_event",
        "/api/events/{id}/relationships/metric",
        &["events:read", "metrics:read"],
    )
    .limited(Tier::ExtraLarge)
    .gives_id("metric")
    .by(|call| Box::pin(call.api.event_metric(call.asked, call.id, true))),
    Operation::get("get_profile_for_event", "/api/events/{id}/profile", &["events:read", "profiles:read"])
        .limited(Tier::ExtraLarge)
        .additional(&[("profile", &["subscriptions", "predictive_analytics"])])
        .fields(&["profile"])
        .gives_one::<shapes::Profile>(200, "profile")
        .by(|call| Box::pin(call.api.event_profile(call.asked, call.id, false))),
    Operation::get(
        "get_profile_id_for_event",
        "/api/events/{id}/relationships/profile",
        &["events:read", "profiles:read"],
    )
    .limited(Tier::ExtraLarge)
    .gives_id("profile")
    .by(|call| Box::pin(call.api.event_profile(call.asked, call.id, true))),
];

impl Api {
    /// `POST /api/events`: 202 once the queue has it.
    pub(crate) async fn create_event(&self, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let now = self.now();
        let data = body::data(&body, "event")?;
        data.only(&["type", "attributes", "id"])?;
        let attributes = data.required("attributes")?.object()?;
        let event = read_event(&attributes, now)?;
        if let Some(id) = &event.profile_id
            && !identifies(&event)
            && self.store.profile(id).await?.is_none()
        {
            let detail = format!("A profile with id {id} does not exist, and there is no other identifier.");
            return Err(ApiError::invalid("/data/attributes/profile/data/id", detail));
        }
        let message = self.event_message(&event, now)?;
        self.outbox.send(Queue::RawDeliveries, message).await.map_err(ApiError::unavailable)?;
        Ok(Answer::empty(StatusCode::ACCEPTED))
    }

    /// An event on its way to the mapper, as the queue takes it.
    pub(crate) fn event_message(&self, event: &ApiEvent, now: Instant) -> ApiResult<String> {
        let delivery = Delivery {
            platform: canonical::DEFAULT_SERVICE.to_owned(),
            connection: String::new(),
            topic: "events".to_owned(),
            delivery_id: self.long_id("delivery"),
            received_at: now.timestamp(),
            headers: Headers::default(),
            backfill: false,
            body: serde_json::to_vec(event).map_err(ApiError::unavailable)?,
        };
        delivery
            .to_message()
            .map_err(|_| ApiError::too_large("The event is too large for the queue, even compressed."))
    }

    /// `GET /api/events`.
    pub(crate) async fn list_events(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut filter = EventFilter::default();
        let mut bounds = Bounds::default();
        let mut profile_ids = BTreeSet::new();
        for condition in asked.filters() {
            let one = || -> ApiResult<String> {
                match (condition.operator, filter_texts(condition)?.as_slice()) {
                    (Operator::Equals, [id]) => Ok((*id).to_owned()),
                    _ => Err(unsupported(condition)),
                }
            };
            match condition.field.as_str() {
                "metric_id" => filter.metric_ids.push(one()?),
                "profile_id" => drop(profile_ids.insert(one()?)),
                "datetime" => bounds.narrow_by_instant(condition)?,
                "timestamp" => {
                    let second = condition.value.text().and_then(|text| text.parse::<i64>().ok());
                    let second = second.and_then(|second| second.checked_mul(1000));
                    let first = second.ok_or_else(|| bad_value(condition, "seconds since 1970"))?;
                    bounds.narrow(condition, first, first.saturating_add(999))?;
                }
                // Every event here has both.
                "profile" | "metric" if condition.operator == Operator::Has => {}
                _ => return Err(unsupported(condition)),
            }
        }
        (filter.from_ms, filter.to_ms) = bounds.pair();
        let descending = asked.sort().is_none_or(|(_, descending)| descending);
        let order = if descending { EventOrder::NewestFirst } else { EventOrder::OldestFirst };
        let includes = asked.include();
        let size = asked.page_size();
        let cursor = asked.cursor()?;
        if profile_ids.len() > 1 || filter.metric_ids.iter().collect::<BTreeSet<_>>().len() > 1 {
            return Ok(Answer::ok(collection(asked, Vec::new(), None, included(&includes, Vec::new()))));
        }
        if let Some(id) = profile_ids.pop_first() {
            let survivor = self.store.profile(&id).await?.map(|profile| profile.value.id);
            filter.profile_id = Some(survivor.unwrap_or(id));
        } else if filter.metric_ids.is_empty() {
            filter.metric_ids = self.store.metrics().await?.into_iter().map(|metric| metric.id).collect();
        }
        let page = fill_page(cursor, size, ROUNDS, async |cursor, size| {
            Ok(self.store.list_events(&filter, order, cursor, size).await?)
        })
        .await?;
        let next = page.next.map(|cursor| cursor.encode());
        let data = page.items.iter().map(|stored| event_resource(asked, stored)).collect();
        let included = included(&includes, self.included(asked, &includes, &page.items).await?);
        Ok(Answer::ok(collection(asked, data, next.as_deref(), included)))
    }

    /// `GET /api/events/{id}`.
    pub(crate) async fn get_event(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let includes = asked.include();
        let stored = [self.event_by_id(id).await?];
        let included = included(&includes, self.included(asked, &includes, &stored).await?);
        Ok(Answer::ok(single(asked, event_resource(asked, &stored[0]), included)))
    }

    /// `GET /api/events/{id}/metric` and its relationship.
    pub(crate) async fn event_metric(&self, asked: &Asked, id: &str, only_id: bool) -> ApiResult<Answer> {
        let stored = self.event_by_id(id).await?;
        if only_id {
            return Ok(Answer::ok(single(asked, identifier("metric", &stored.metric_id), None)));
        }
        let metric = self.metric_by_id(&stored.metric_id).await?;
        Ok(Answer::ok(single(asked, self.metric_resource(asked, &metric), None)))
    }

    /// `GET /api/events/{id}/profile` and its relationship.
    pub(crate) async fn event_profile(&self, asked: &Asked, id: &str, only_id: bool) -> ApiResult<Answer> {
        let stored = self.event_by_id(id).await?;
        if only_id {
            return Ok(Answer::ok(single(asked, identifier("profile", &stored.profile_id), None)));
        }
        let profile = self.profile_by_id(&stored.profile_id).await?;
        Ok(Answer::ok(single(asked, self.profile_view(asked, &profile.value).await?.build(), None)))
    }

    /// An event's id outside is its profile's id and its own. The profile may have merged since.
    async fn event_by_id(&self, id: &str) -> ApiResult<StoredEvent> {
        let missing = || ApiError::not_found("event", id);
        let (profile, event) = id.split_once('-').ok_or_else(missing)?;
        if let Some(stored) = self.store.event(profile, event).await? {
            return Ok(stored);
        }
        let survivor = self.store.profile(profile).await?.ok_or_else(missing)?;
        self.store.event(&survivor.value.id, event).await?.ok_or_else(missing)
    }

    async fn included(
        &self,
        asked: &Asked,
        includes: &[&str],
        events: &[StoredEvent],
    ) -> ApiResult<Vec<Value>> {
        let mut included = Vec::new();
        if includes.contains(&"metric") && !events.is_empty() {
            let metrics = self.store.metrics().await?;
            let by_id: HashMap<&str, &MetricRecord> =
                metrics.iter().map(|metric| (metric.id.as_str(), metric)).collect();
            let wanted: BTreeSet<&str> = events.iter().map(|stored| stored.metric_id.as_str()).collect();
            included.extend(
                wanted
                    .iter()
                    .filter_map(|id| by_id.get(id))
                    .map(|metric| self.metric_resource(asked, metric)),
            );
        }
        if includes.contains(&"profile") {
            let wanted: BTreeSet<&str> = events.iter().map(|stored| stored.profile_id.as_str()).collect();
            let profiles = self.store.profiles_by_id(wanted.iter().copied()).await?;
            let found: Vec<&Profile> = wanted.iter().filter_map(|id| profiles.get(*id)).collect();
            included.extend(self.profile_views(asked, &found).await?.into_iter().map(Resource::build));
        }
        Ok(included)
    }
}

/// `included` is there if something was asked for, even if nothing was found.
fn included(includes: &[&str], found: Vec<Value>) -> Option<Vec<Value>> {
    (!includes.is_empty()).then_some(found)
}

/// An event's properties as they are shown, with its id and its value.
pub(crate) fn shown_properties(stored: &StoredEvent) -> Map<String, Value> {
    let event = &stored.event;
    let mut properties = event.properties.clone();
    properties.insert("$event_id".to_owned(), event.id.as_str().into());
    if let Some(value) = event.value {
        properties.insert("$value".to_owned(), decimal_to_json(value.amount));
        if let Some(currency) = value.currency {
            properties.insert("$currency_code".to_owned(), currency.as_str().into());
        }
    }
    properties
}

fn event_resource(asked: &Asked, stored: &StoredEvent) -> Value {
    let event = &stored.event;
    let id = format!("{}-{}", stored.profile_id, event.id);
    Resource::new(asked, "event", "events", &id)
        .attribute("timestamp", event.occurred_at.timestamp().as_second())
        .attribute("event_properties", shown_properties(stored))
        .attribute("datetime", time(event.occurred_at.truncated_to_second()))
        .attribute("uuid", uuid_of(&id))
        .related("profile", identifier("profile", &stored.profile_id))
        .related("metric", identifier("metric", &stored.metric_id))
        .related("attributions", json!([]))
        .build()
}

/// The same event has the same UUID (version 8: made of one's own bits, RFC 9562).
fn uuid_of(id: &str) -> String {
    let digest = hash::hex_digest(&["event uuid", id]);
    let bits = u128::from_str_radix(&digest[..32], 16).unwrap_or_default();
    uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid().to_string()
}
