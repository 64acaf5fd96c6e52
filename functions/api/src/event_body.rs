//! Reading an event as any revision since 2022-10-17 writes it.

use canonical::money::{Currency, Money, decimal_from_json};
use canonical::{ApiEvent, Instant};
use jiff::{SignedDuration, Timestamp};

use crate::body::{self, Fields, Node, ProfileInput};
use crate::error::ApiResult;
use crate::flat_profile;
use crate::request::read_instant;

/// The longest name of a metric is one character shorter.
const METRIC_NAME_LIMIT: usize = 128;
const MAX_UNIQUE_ID: usize = 255;
/// 1990-01-01T00:00:00Z, the earliest time of an event.
const EARLIEST_S: i64 = 631_152_000;
/// How far in the future an event may be.
const LATEST: SignedDuration = SignedDuration::from_hours(365 * 24);
/// The largest profile of an event, in bytes (Klaviyo's limit of 95 KB).
const MAX_PROFILE_BYTES: usize = 95 * 1024;

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

/// `profile` of an event, or of several: a resource; or, as up to 2023-06-15, its attributes alone.
pub(crate) fn read_profile(attributes: &Fields<'_>) -> ApiResult<ProfileInput> {
    let profile = attributes.required("profile")?.object()?;
    let (profile, input) = if profile.is_flat() {
        let input = flat_profile::read(&profile)?;
        (profile, input)
    } else {
        let profile = profile.required("data")?.resource("profile")?;
        if let Some(attributes) = profile.optional("attributes") {
            limit_profile(&attributes)?;
        }
        let input = body::profile(&profile)?;
        (profile, input)
    };
    if input.id.is_none() && !input.identifies() {
        let detail =
            "At least one identifier is required: id, email, phone_number, external_id or anonymous_id.";
        return Err(profile.invalid(detail));
    }
    Ok(input)
}

fn read_event_attributes(attributes: &Fields<'_>, input: ProfileInput, now: Instant) -> ApiResult<ApiEvent> {
    let properties = attributes.required("properties")?.properties()?.clone();
    let metric = metric_attributes(&attributes.required("metric")?.object()?)?;
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

/// The attributes of a metric: of a resource; or, as up to 2023-06-15, alone.
fn metric_attributes<'a>(metric: &Fields<'a>) -> ApiResult<Fields<'a>> {
    if metric.is_flat() {
        return Ok(metric.clone());
    }
    let metric = metric.required("data")?.resource("metric")?;
    metric.only(&["type", "attributes"])?;
    metric.required("attributes")?.object()
}

/// The profile that comes with an event may be smaller than one that comes alone.
pub(crate) fn limit_profile(attributes: &Node<'_>) -> ApiResult<()> {
    if attributes.value.to_string().len() > MAX_PROFILE_BYTES {
        return Err(attributes.invalid("The profile of an event must not be larger than 95 KB."));
    }
    Ok(())
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
