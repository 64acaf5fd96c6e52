//! What Smile is asked for: customers, points and rewards by their last change, in pages that a cursor continues; and
//! once a day the rewards that will expire.

use canonical::{Instant, hash};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use platform::signature::token::query_parameter;
use platform::{ApiRequest, Connection, Feed, Fetched, Headers, Page, Period, Record, Span};
use serde_json::{Map, Value, json};

use crate::access::{self, Api, is_id};
use crate::activity::{cause_of_points, id, is_birthday_reward};

const CUSTOMERS: &str = "customers";
const POINTS: &str = "points_transactions";
const REWARDS: &str = "reward_fulfillments";
const EXPIRING: &str = "expiring_rewards";
/// Records of a page: the most that Smile gives.
const LIMIT: u32 = 250;
/// How long before its end a reward is told of, in days.
const EXPIRING_DAYS: i64 = 7;

type Row = Map<String, Value>;

/// What a connection is asked for in a period.
pub(crate) fn feeds(connection: &Connection, period: &Period) -> Vec<Feed> {
    if period.span == Span::Changes && !access::is_asked(connection) {
        return Vec::new();
    }
    let Some(api) = Api::of(connection) else { return Vec::new() };
    // Whether the edge itself counts differs from list to list.
    let since = period.since.checked_sub(SignedDuration::from_secs(1)).unwrap_or(period.since);
    // Smile can only be asked by change, and not up to when: what was not made in the period is left out here.
    let made = match period.span {
        Span::Changes => String::new(),
        Span::History => format!("#made_since={}&made_until={}", period.since, period.until),
    };
    let feed = |name, query: &str| Feed {
        name,
        request: api.get(&format!("{name}?updated_at_min={since:.3}&{query}limit={LIMIT}{made}")),
    };
    let mut feeds = vec![
        feed(CUSTOMERS, "include=vip_status&"),
        feed(POINTS, ""),
        feed(REWARDS, "fulfillment_status=issued&"),
    ];
    let days =
        connection.settings.get("reward_expiring_days").and_then(Value::as_i64).unwrap_or(EXPIRING_DAYS);
    if period.span == Span::Changes && days > 0 {
        feeds.extend(midnights(period).map(|(since, midnight)| Feed {
            name: EXPIRING,
            request: api.get(&format!(
                "reward_fulfillments?fulfillment_status=issued&usage_status=unused&limit={LIMIT}\
                 #since={since}&until={midnight}&days={days}"
            )),
        }));
    }
    feeds
}

/// The last midnight (UTC) of a period, if it has one, and the last one before it: up to there all was asked for.
fn midnights(period: &Period) -> Option<(Timestamp, Timestamp)> {
    let day = |time: Timestamp| Some(time.to_zoned(TimeZone::UTC).start_of_day().ok()?.timestamp());
    let (before, last) = (day(period.since)?, day(period.until)?);
    (last > period.since).then_some((before, last))
}

/// One page of any feed.
pub(crate) fn page(
    connection: &Connection,
    feed: &Feed,
    answer: &Fetched,
    joined: &[Fetched],
) -> Result<Page, String> {
    let api = Api::of(connection).ok_or("the setting api_url is no address")?;
    let list = if feed.name == EXPIRING { REWARDS } else { feed.name };
    let (mut rows, cursor) = rows(list, answer)?;
    let fragment = feed.request.url.split_once('#').map_or("", |(_, fragment)| fragment);
    rows.retain(|row| is_made_in(fragment, row));
    let next = cursor.map(|cursor| continued(&feed.request, &api, &cursor));
    if rows.is_empty() {
        return Ok(Page { next, ..Page::default() });
    }
    match feed.name {
        CUSTOMERS => customers(&api, &rows, next, joined),
        POINTS => {
            let told = |row: &Row| cause_of_points(connection, row).is_some();
            Ok(joined_rows(&api, rows, next, joined, "points_transaction/updated", told))
        }
        REWARDS => {
            let told = |row: &Row| is_birthday_reward(connection, row);
            Ok(joined_rows(&api, rows, next, joined, "reward_fulfillment/updated", told))
        }
        EXPIRING => {
            let rows = expiring(fragment, rows).ok_or("a request that was not made here")?;
            Ok(joined_rows(&api, rows, next, joined, "reward_expiring", |_| true))
        }
        _ => Err("a feed that there is not".to_owned()),
    }
}

/// The objects of a page, and the cursor of the next.
fn rows(list: &str, answer: &Fetched) -> Result<(Vec<Row>, Option<String>), String> {
    if !(200..300).contains(&answer.status) {
        return Err(format!("the API answered {}", answer.status));
    }
    let mut body: Value = serde_json::from_slice(&answer.body).map_err(|_| "the answer is not JSON")?;
    let Some(Value::Array(rows)) = body.get_mut(list).map(Value::take) else {
        return Err(format!("the answer has no {list}"));
    };
    let cursor = body["metadata"]["next_cursor"].as_str().filter(|cursor| !cursor.is_empty());
    let objects = rows.into_iter().filter_map(|row| match row {
        Value::Object(row) => Some(row),
        _ => None,
    });
    Ok((objects.collect(), cursor.map(str::to_owned)))
}

/// Whether a record was made in the period of an import.
fn is_made_in(fragment: &str, row: &Row) -> bool {
    let bound = |name| query_parameter(fragment, name)?.parse::<Timestamp>().ok();
    let made = row.get("created_at").and_then(Value::as_str).and_then(|made| made.parse::<Timestamp>().ok());
    let (Some(since), Some(until), Some(made)) = (bound("made_since"), bound("made_until"), made) else {
        return true;
    };
    (since..=until).contains(&made)
}

/// The same request with a cursor.
fn continued(request: &ApiRequest, api: &Api<'_>, cursor: &str) -> ApiRequest {
    let (address, fragment) = request.url.split_once('#').unwrap_or((&request.url, ""));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = path.rsplit('/').next().unwrap_or_default();
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("cursor=")).collect();
    let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
    api.get(&format!("{path}?{}&cursor={}{fragment}", kept.join("&"), escaped(cursor)))
}

/// A text that comes from an answer, as a value in an address.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn customers(
    api: &Api<'_>,
    rows: &[Row],
    next: Option<ApiRequest>,
    joined: &[Fetched],
) -> Result<Page, String> {
    let [tiers] = joined else { return Ok(Page { joins: vec![api.tiers()], ..Page::default() }) };
    // A shop without a VIP programme may have no such list.
    let (tiers, _) = if tiers.status == 404 { (Vec::new(), None) } else { self::rows("vip_tiers", tiers)? };
    let records = rows.iter().map(|row| {
        let tier = row.get("vip_status").and_then(|status| status.get("vip_tier_id"));
        let tier = tier.filter(|tier| !tier.is_null()).or(row.get("vip_tier_id"));
        let tier = tiers.iter().find(|known| known.get("id") == tier && tier.is_some());
        let tier = tier.map(|tier| {
            let kept = ["id", "name", "milestone"].into_iter();
            kept.filter_map(|key| Some((key.to_owned(), tier.get(key)?.clone()))).collect::<Row>()
        });
        let mut customer = row.clone();
        customer.shift_remove("date_of_birth");
        record("customer/updated", row, &json!({ "data": customer, "vip_tier": tier, "polled": true }))
    });
    Ok(Page { records: records.collect(), next, ..Page::default() })
}

/// Rows with their customers, who are asked for once each, and only for what will be told.
fn joined_rows(
    api: &Api<'_>,
    rows: Vec<Row>,
    next: Option<ApiRequest>,
    joined: &[Fetched],
    topic: &str,
    told: impl Fn(&Row) -> bool,
) -> Page {
    let mut ids: Vec<String> = rows
        .iter()
        .filter(|row| told(row))
        .filter_map(|row| id(row, "customer_id"))
        .filter(|id| is_id(id))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if joined.len() < ids.len() {
        return Page { joins: ids.iter().map(|id| api.member(id)).collect(), ..Page::default() };
    }
    let records = rows.into_iter().map(|mut row| {
        let customer = id(&row, "customer_id");
        let place = customer.as_ref().and_then(|customer| ids.binary_search(customer).ok());
        let answer: Option<Value> = place.and_then(|place| serde_json::from_slice(&joined[place].body).ok());
        let email = answer.as_ref().map(|answer| &answer["customer"]["email"]);
        let expiring_at = row.shift_remove("expiring_at");
        let customer = json!({ "id": customer, "email": email });
        let body = json!({ "data": row, "customer": customer, "expiring_at": expiring_at, "polled": true });
        record(topic, &row, &body)
    });
    Page { records: records.collect(), next, ..Page::default() }
}

/// Rewards whose warning falls between two midnights, with its time. One that was issued later needs none, and one that
/// is at its end, because nobody asked for long, no more.
fn expiring(fragment: &str, rows: Vec<Row>) -> Option<Vec<Row>> {
    let bound = |name| query_parameter(fragment, name)?.parse::<Timestamp>().ok();
    let (since, until) = (bound("since")?, bound("until")?);
    let days: i64 = query_parameter(fragment, "days")?.parse().ok()?;
    let ahead = SignedDuration::from_hours(days.checked_mul(24)?);
    let warned = |mut row: Row| {
        let time = |name: &str| row.get(name)?.as_str()?.parse::<Timestamp>().ok();
        let end = time("expires_at").filter(|end| *end > until)?;
        let at = end.checked_sub(ahead).ok()?;
        let is_due = at > since && at <= until && time("created_at").is_none_or(|created| created <= at);
        row.insert("expiring_at".to_owned(), Instant::from(at).to_string().into());
        is_due.then_some(row)
    };
    Some(rows.into_iter().filter_map(warned).collect())
}

/// Its id names the state of the record.
fn record(topic: &str, row: &Row, body: &Value) -> Record {
    let body = body.to_string();
    let id = id(row, "id").unwrap_or_default();
    Record {
        topic: topic.to_owned(),
        delivery_id: format!("{topic}-{id}-{}", hash::long_id(&[topic, &body])),
        headers: Headers::default(),
        body: body.into_bytes(),
    }
}
