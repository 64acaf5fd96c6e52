//! Events: taken by the queue, read from the tables.

use std::collections::{BTreeSet, HashMap};

use canonical::money::{Currency, Money, decimal_from_json, decimal_to_json};
use canonical::{ApiEvent, Instant, Profile, hash};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use platform::{Delivery, Headers};
use serde_json::{Value, json};
use store::{EventFilter, EventOrder, MetricRecord, StoredEvent};

use crate::Api;
use crate::body::{self, Fields, ProfileInput};
use crate::document::{Answer, Resource, collection, fill_page, identifier, single, time};
use crate::error::{ApiError, ApiResult};
use crate::filter::Operator;
use crate::operation::{COMPARED, EQUALS, HAS, Operation, Tier};
use crate::ports::Queue;
use crate::profiles::ADDITIONAL;
use crate::request::{Asked, Bounds, bad_value, filter_texts, read_instant, unsupported};
use crate::shapes;

/// The longest name of a metric is one character shorter.
const METRIC_NAME_LIMIT: usize = 128;
const MAX_UNIQUE_ID: usize = 255;
/// 1990-01-01T00:00:00Z, the earliest time of an event.
const EARLIEST_S: i64 = 631_152_000;
/// How far in the future an event may be.
const LATEST: SignedDuration = SignedDuration::from_hours(365 * 24);
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
        .additional(&[("profile", &ADDITIONAL)])
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
        delivery.to_message().map_err(|_| {
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "Payload too large.",
                "The event is too large for the queue, even compressed.",
            )
        })
    }

    /// `GET /api/events`.
    pub(crate) async fn list_events(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut filter = EventFilter::default();
        let mut bounds = Bounds::default();
        for condition in asked.filters() {
            let one = || -> ApiResult<String> {
                match (condition.operator, filter_texts(condition)?.as_slice()) {
                    (Operator::Equals, [id]) => Ok((*id).to_owned()),
                    _ => Err(unsupported(condition)),
                }
            };
            match condition.field.as_str() {
                "metric_id" => filter.metric_ids.push(one()?),
                "profile_id" => filter.profile_id = Some(one()?),
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
        if filter.metric_ids.iter().collect::<BTreeSet<_>>().len() > 1 {
            return Ok(Answer::ok(collection(asked, Vec::new(), None, included(&includes, Vec::new()))));
        }
        if let Some(id) = &filter.profile_id
            && let Some(profile) = self.store.profile(id).await?
        {
            filter.profile_id = Some(profile.value.id);
        } else if filter.profile_id.is_none() && filter.metric_ids.is_empty() {
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
            for profile in wanted.iter().filter_map(|id| profiles.get(*id)) {
                included.push(self.included_profile(asked, profile));
            }
        }
        Ok(included)
    }

    fn included_profile(&self, asked: &Asked, profile: &Profile) -> Value {
        self.plain_profile_resource(asked, profile).build()
    }
}

/// `included` is there if something was asked for, even if nothing was found.
fn included(includes: &[&str], found: Vec<Value>) -> Option<Vec<Value>> {
    (!includes.is_empty()).then_some(found)
}

pub(crate) fn identifies(event: &ApiEvent) -> bool {
    let person = &event.person;
    [&person.external_id, &person.email, &person.phone, &person.anonymous_id].into_iter().any(Option::is_some)
}

const EVENT: [&str; 7] = ["properties", "time", "value", "value_currency", "unique_id", "backfill", "metric"];

pub(crate) fn read_event(attributes: &Fields<'_>, now: Instant) -> ApiResult<ApiEvent> {
    let known: Vec<&str> = EVENT.into_iter().chain(["profile"]).collect();
    attributes.only(&known)?;
    read_event_attributes(attributes, read_profile(attributes)?, now)
}

/// An event of somebody who is named elsewhere.
pub(crate) fn read_event_of(
    attributes: &Fields<'_>,
    profile: ProfileInput,
    now: Instant,
) -> ApiResult<ApiEvent> {
    attributes.only(&EVENT)?;
    read_event_attributes(attributes, profile, now)
}

/// `profile` of an event, or of several.
pub(crate) fn read_profile(attributes: &Fields<'_>) -> ApiResult<ProfileInput> {
    let profile = attributes.required("profile")?.object()?.required("data")?.resource("profile")?;
    let input = body::profile(&profile)?;
    if let Some(pointer) = input.identifiers_at {
        let detail = "'patch_identifiers' is not supported in an event: change the profile.";
        return Err(ApiError::invalid(pointer, detail));
    }
    if input.id.is_none() && !input.identifies() {
        let detail =
            "At least one identifier is required: id, email, phone_number, external_id or anonymous_id.";
        return Err(profile.invalid(detail));
    }
    Ok(input)
}

fn read_event_attributes(attributes: &Fields<'_>, input: ProfileInput, now: Instant) -> ApiResult<ApiEvent> {
    let properties = attributes.required("properties")?.properties()?.clone();
    let metric = attributes.required("metric")?.object()?.required("data")?.resource("metric")?;
    metric.only(&["type", "attributes"])?;
    let metric = metric.required("attributes")?.object()?;
    metric.only(&["name", "service"])?;
    let name = metric.required("name")?.text_of(METRIC_NAME_LIMIT - 1)?;
    let service = metric.text("service", METRIC_NAME_LIMIT)?;
    Ok(ApiEvent {
        profile_id: input.id,
        person: input.person,
        patch: input.patch,
        metric: name.to_owned(),
        service: service.map(str::to_owned),
        unique_id: attributes.text("unique_id", MAX_UNIQUE_ID)?.map(str::to_owned),
        time: Some(read_time(attributes, now)?.truncated_to_second()),
        value: read_value(attributes)?,
        properties,
        backfill: attributes.flag("backfill")?.unwrap_or_default(),
        public: false,
    })
}

fn read_time(attributes: &Fields<'_>, now: Instant) -> ApiResult<Instant> {
    let Some(node) = attributes.optional("time") else { return Ok(now) };
    let instant =
        read_instant(node.text()?).ok_or_else(|| node.invalid("A time in ISO 8601 is expected."))?;
    let latest: Timestamp = now.timestamp().checked_add(LATEST).unwrap_or(Timestamp::MAX);
    if instant.timestamp().as_second() < EARLIEST_S || instant.timestamp() > latest {
        return Err(node.invalid("The time must be after the year 1990 and at most one year in the future."));
    }
    Ok(instant)
}

fn read_value(attributes: &Fields<'_>) -> ApiResult<Option<Money>> {
    let currency = match attributes.optional("value_currency") {
        Some(node) => {
            let currency: Result<Currency, _> = node.text()?.parse();
            Some(currency.map_err(|_| node.invalid("An ISO 4217 currency code is expected."))?)
        }
        None => None,
    };
    let Some(node) = attributes.optional("value") else { return Ok(None) };
    let amount = node.value.is_number().then(|| decimal_from_json(node.value)).flatten();
    let amount = amount.ok_or_else(|| node.invalid("A number of at most 28 digits is expected."))?;
    Ok(Some(Money { amount, currency }))
}

fn event_resource(asked: &Asked, stored: &StoredEvent) -> Value {
    let event = &stored.event;
    let mut properties = event.properties.clone();
    properties.insert("$event_id".to_owned(), event.id.as_str().into());
    if let Some(value) = event.value {
        properties.insert("$value".to_owned(), decimal_to_json(value.amount));
        if let Some(currency) = value.currency {
            properties.insert("$currency_code".to_owned(), currency.as_str().into());
        }
    }
    let id = format!("{}-{}", stored.profile_id, event.id);
    Resource::new(asked, "event", "events", &id)
        .attribute("timestamp", event.occurred_at.timestamp().as_second())
        .attribute("event_properties", properties)
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
