//! `POST /api/metric-aggregates`: what happened of a metric, by interval and dimensions. Computed from the events themselves
//! while the request waits: from the index by metric where keys are enough, else from all of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use canonical::Instant;
use canonical::money::Decimal;
use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use serde_json::{Map, Value};
use store::{Cursor, EventKey, METRIC_PARTS, StoredEvent};

use crate::Api;
use crate::aggregate_query::Query;
use crate::aggregation::{Aggregation, Position, Row, TooMuch};
use crate::body::{self, Fields};
use crate::document::{Answer, Resource, single, time};
use crate::error::{ApiError, ApiResult, Source};
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::shapes;

/// How long events are read while the request waits, in milliseconds.
const READ_MS: i64 = 18_000;
/// Keys that are read at once of each part of a metric; events that are read at once, and how often that is done at the
/// same time.
const KEYS: usize = 1000;
const EVENTS: usize = 100;
const CONCURRENCY: usize = 16;
/// The most numbers of an answer: a page is shorter where its rows are long.
const MAX_VALUES: usize = 200_000;
const FILTER: &str = "/data/attributes/filter";

pub(crate) static OPERATIONS: &[Operation] =
    &[Operation::post("query_metric_aggregates", "/api/metric-aggregates", &["metrics:read"])
        .limited(Tier::Small)
        .fields(&["metric-aggregate"])
        .takes::<shapes::NewMetricAggregate>("metric-aggregate")
        .gives_one::<shapes::MetricAggregate>(200, "metric-aggregate")
        .by(|call| Box::pin(call.api.query_metric_aggregates(call.asked, call.body)))];

impl Api {
    /// `POST /api/metric-aggregates`.
    pub(crate) async fn query_metric_aggregates(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let until_ms = self.clock.now_ms() + READ_MS;
        let body = body::parse(bytes)?;
        let data = body::data(&body, "metric-aggregate")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        let query = Query::read(&attributes, asked.cursor_text())?;
        let after =
            query.cursor.as_deref().map(|cursor| read_cursor(cursor, &query, &attributes)).transpose()?;
        if self.store.metric(&query.metric_id).await?.is_none() {
            return Err(self.no_metric(&query.metric_id).await?);
        }
        let rows = self.aggregate(&query, until_ms).await?;
        Ok(Answer::ok(self.aggregate_document(asked, &query, rows, after.as_ref())))
    }

    async fn no_metric(&self, id: &str) -> ApiResult<ApiError> {
        let pointer = "/data/attributes/metric_id";
        if self.all_metrics().await?.custom(id).is_some() {
            return Ok(ApiError::invalid(pointer, "Custom metrics are not aggregated: ask for its metrics."));
        }
        Ok(ApiError {
            source: Some(Source::Pointer(pointer.to_owned())),
            ..ApiError::not_found("metric", id)
        })
    }

    async fn aggregate(&self, query: &Query, until_ms: i64) -> ApiResult<Vec<(Position, Row)>> {
        let mut counted = Aggregation::new(query);
        let mut parts: Vec<(u32, Option<Cursor>)> = (0..METRIC_PARTS).map(|part| (part, None)).collect();
        while !parts.is_empty() {
            if self.clock.now_ms() > until_ms {
                return Err(too_much(&TooMuch));
            }
            let reads = parts.iter().map(|(part, after)| {
                self.store.metric_events(&query.metric_id, *part, query.range, after.clone(), KEYS)
            });
            let pages = futures::future::try_join_all(reads).await?;
            let mut keys: Vec<EventKey> = Vec::new();
            let mut left = Vec::new();
            for ((part, _), page) in parts.iter().zip(pages) {
                keys.extend(page.items);
                left.extend(page.next.map(|next| (*part, Some(next))));
            }
            parts = left;
            if query.needs_only_keys() {
                keys.iter()
                    .try_for_each(|key| counted.add_key(&key.profile_id, key.at_ms))
                    .map_err(|error| too_much(&error))?;
                continue;
            }
            let reads: Vec<_> = keys.chunks(EVENTS).map(|keys| self.store.events_at(keys)).collect();
            let mut events = stream::iter(reads).buffer_unordered(CONCURRENCY);
            while let Some(events) = events.try_next().await? {
                let mut events: std::slice::Iter<'_, StoredEvent> = events.iter();
                events.try_for_each(|event| counted.add_event(event)).map_err(|error| too_much(&error))?;
            }
        }
        Ok(counted.into_rows())
    }

    fn aggregate_document(
        &self,
        asked: &Asked,
        query: &Query,
        mut rows: Vec<(Position, Row)>,
        after: Option<&Position>,
    ) -> Value {
        if let Some(after) = after {
            rows.retain(|(position, _)| position.compare(after, query).is_gt());
        }
        let intervals = query.starts.len();
        let room = MAX_VALUES / (intervals * query.measures.len()).max(1);
        let size = query.page_size.min(room.max(1));
        let is_more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| is_more).map(|(position, _)| cursor(position, query));
        let data: Vec<Value> =
            rows.into_iter().map(|(position, row)| row_json(query, position, &row)).collect();
        let mut resource =
            Resource::new(asked, "metric-aggregate", "metric-aggregates", &self.long_id("metric aggregate"));
        if query.returns("dates") {
            let dates = query.starts.iter().filter_map(|start| Instant::from_millis(*start)).map(time);
            resource = resource.attribute("dates", dates.collect::<Vec<Value>>());
        }
        if ["data", "dimensions", "measurements"].iter().any(|field| query.returns(field)) {
            resource = resource.attribute("data", data);
        }
        let mut document = single(asked, resource.build(), None);
        document["links"]["next"] = next.map(|cursor| asked.page_link(&cursor)).into();
        document["links"]["prev"] = Value::Null;
        document
    }
}

fn row_json(query: &Query, position: Position, row: &Row) -> Value {
    let mut json = Map::new();
    let whole = query.returns("data");
    if whole || query.returns("dimensions") {
        json.insert("dimensions".to_owned(), position.dimensions.into());
    }
    if whole || query.returns("measurements") {
        let measured = query.measures.iter();
        let measured = measured
            .map(|measure| (measure.name().to_owned(), row.values(*measure, query.starts.len()).into()));
        json.insert("measurements".to_owned(), measured.collect::<Map<String, Value>>().into());
    }
    json.into()
}

/// Behind which row the next page begins.
fn cursor(position: &Position, query: &Query) -> String {
    let measured = position.measured.to_string();
    let content = Value::from(vec![
        Value::from(query.digest.as_str()),
        measured.into(),
        position.dimensions.clone().into(),
    ]);
    URL_SAFE_NO_PAD.encode(content.to_string())
}

fn read_cursor(cursor: &str, query: &Query, attributes: &Fields<'_>) -> ApiResult<Position> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (digest, measured, dimensions): (String, String, Vec<String>) =
            serde_json::from_slice(&bytes).ok()?;
        let measured: Decimal = measured.parse().ok()?;
        (digest == query.digest).then_some(Position { measured, dimensions })
    };
    read().ok_or_else(|| {
        let pointer = format!("{}/page_cursor", attributes.pointer);
        ApiError::invalid(pointer, "This is not what was given out for this query.")
    })
}

fn too_much(_: &TooMuch) -> ApiError {
    let detail = "There are more events, or combinations of dimensions, than a request has time and room for: \
                  ask for a smaller time range or for fewer dimensions.";
    let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "too_much", "Too much to aggregate.", detail);
    ApiError { source: Some(Source::Pointer(FILTER.to_owned())), ..error }
}
