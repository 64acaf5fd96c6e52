//! The properties that events of a metric have, as its newest events show them.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use store::{EventFilter, EventOrder, MetricRecord, StoredEvent};

use crate::Api;
use crate::document::{Answer, Resource, collection, identifier, single};
use crate::error::{ApiError, ApiResult};
use crate::events::shown_properties;
use crate::operation::{Operation, Tier};
use crate::request::{Asked, read_instant};
use crate::shapes;

const KIND: &str = "metric-property";
const SAMPLES: &str = "sample_values";
/// How many of the newest events are looked at.
const LOOKED_AT: usize = 500;
/// The most properties of a metric that are told.
const MAX_PROPERTIES: usize = 1000;
/// The most samples of a property, and their longest text in bytes.
const MAX_SAMPLES: usize = 10;
const MAX_SAMPLE_BYTES: usize = 255;
/// Stored, but nothing that could be asked about.
const EXTRA: &str = "$extra";

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_properties_for_metric", "/api/metrics/{id}/metric-properties", &["metrics:read"])
        .limited(Tier::ExtraSmall)
        .additional(&[(KIND, &[SAMPLES])])
        .fields(&[KIND])
        .gives_page::<shapes::MetricProperty>(KIND)
        .by(|call| Box::pin(call.api.properties_of_metric(call.asked, call.id, false))),
    Operation::get(
        "get_property_ids_for_metric",
        "/api/metrics/{id}/relationships/metric-properties",
        &["metrics:read"],
    )
    .limited(Tier::ExtraSmall)
    .gives_ids(KIND)
    .by(|call| Box::pin(call.api.properties_of_metric(call.asked, call.id, true))),
    Operation::get("get_metric_property", "/api/metric-properties/{id}", &["metrics:read"])
        .limited(Tier::ExtraSmall)
        .includes(&["metric"])
        .additional(&[(KIND, &[SAMPLES])])
        .fields(&[KIND, "metric"])
        .gives_one::<shapes::MetricProperty>(200, KIND)
        .by(|call| Box::pin(call.api.get_metric_property(call.asked, call.id))),
    Operation::get("get_metric_for_metric_property", "/api/metric-properties/{id}/metric", &["metrics:read"])
        .limited(Tier::ExtraSmall)
        .fields(&["metric"])
        .gives_one::<shapes::Metric>(200, "metric")
        .by(|call| Box::pin(call.api.metric_of_property(call.asked, call.id, false))),
    Operation::get(
        "get_metric_id_for_metric_property",
        "/api/metric-properties/{id}/relationships/metric",
        &["metrics:read"],
    )
    .limited(Tier::ExtraSmall)
    .gives_id("metric")
    .by(|call| Box::pin(call.api.metric_of_property(call.asked, call.id, true))),
];

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Type {
    Text,
    Number,
    Boolean,
    Date,
    List,
    Object,
}

impl Type {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::String(text) if is_date(text) => Some(Self::Date),
            Value::String(_) => Some(Self::Text),
            Value::Number(_) => Some(Self::Number),
            Value::Bool(_) => Some(Self::Boolean),
            Value::Array(_) => Some(Self::List),
            Value::Object(_) => Some(Self::Object),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Number => "Number",
            Self::Boolean => "Boolean",
            Self::Date => "Date",
            Self::List => "List",
            Self::Object => "Object",
        }
    }
}

/// A day or an instant as they are written out.
fn is_date(text: &str) -> bool {
    text.len() >= "2026-01-02".len() && text.as_bytes().get(4) == Some(&b'-') && read_instant(text).is_some()
}

/// What is known of a property.
#[derive(Debug, Default)]
struct Observed {
    types: BTreeSet<Type>,
    /// Different ones, the newest first.
    samples: Vec<Value>,
}

impl Observed {
    fn see(&mut self, value: &Value) {
        self.types.extend(Type::of(value));
        let each = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for sample in each {
            let is_short = sample.as_str().is_none_or(|text| text.len() <= MAX_SAMPLE_BYTES);
            let is_plain = !(sample.is_null() || sample.is_array() || sample.is_object());
            if is_plain && is_short && self.samples.len() < MAX_SAMPLES && !self.samples.contains(sample) {
                self.samples.push(sample.clone());
            }
        }
    }

    /// The one type of all values; what differs can at least be read as a text.
    fn inferred(&self) -> Type {
        match self.types.iter().collect::<Vec<_>>().as_slice() {
            [one] => **one,
            _ => Type::Text,
        }
    }
}

/// By name, without those that are never set.
fn observe(events: &[StoredEvent]) -> BTreeMap<String, Observed> {
    let mut properties: BTreeMap<String, Observed> = BTreeMap::new();
    for event in events {
        for (name, value) in shown_properties(event) {
            let is_known = properties.contains_key(&name);
            if name != EXTRA && !value.is_null() && (is_known || properties.len() < MAX_PROPERTIES) {
                properties.entry(name).or_default().see(&value);
            }
        }
    }
    properties
}

impl Api {
    /// `GET /api/metrics/{id}/metric-properties` and its relationship.
    pub(crate) async fn properties_of_metric(
        &self,
        asked: &Asked,
        id: &str,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        let metric = self.metric_by_id(id).await?;
        let properties = self.observed(&metric).await?;
        let data = properties.iter().map(|(name, observed)| {
            if only_ids {
                identifier(KIND, &property_id(&metric.id, name))
            } else {
                property_resource(asked, &metric, name, observed)
            }
        });
        Ok(Answer::ok(collection(asked, data.collect(), None, None)))
    }

    /// `GET /api/metric-properties/{id}`.
    pub(crate) async fn get_metric_property(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let includes = asked.include();
        let (metric, name, observed) = self.property_by_id(id).await?;
        let included = (!includes.is_empty()).then(|| vec![self.metric_resource(asked, &metric)]);
        Ok(Answer::ok(single(asked, property_resource(asked, &metric, &name, &observed), included)))
    }

    /// `GET /api/metric-properties/{id}/metric` and its relationship.
    pub(crate) async fn metric_of_property(
        &self,
        asked: &Asked,
        id: &str,
        only_id: bool,
    ) -> ApiResult<Answer> {
        let (metric, ..) = self.property_by_id(id).await?;
        let data =
            if only_id { identifier("metric", &metric.id) } else { self.metric_resource(asked, &metric) };
        Ok(Answer::ok(single(asked, data, None)))
    }

    async fn property_by_id(&self, id: &str) -> ApiResult<(MetricRecord, String, Observed)> {
        let missing = || ApiError::not_found(KIND, id);
        let (metric, name) = read_property_id(id).ok_or_else(missing)?;
        let metric = self.store.metric(metric).await?.ok_or_else(missing)?;
        let observed = self.observed(&metric).await?.remove(&name).ok_or_else(missing)?;
        Ok((metric, name, observed))
    }

    async fn observed(&self, metric: &MetricRecord) -> ApiResult<BTreeMap<String, Observed>> {
        let filter = EventFilter { metric_ids: vec![metric.id.clone()], ..EventFilter::default() };
        let page = self.store.list_events(&filter, EventOrder::NewestFirst, None, LOOKED_AT).await?;
        Ok(observe(&page.items))
    }
}

/// A property's id says which it is, so that none is stored.
fn property_id(metric: &str, name: &str) -> String {
    format!("{metric}-{}", URL_SAFE_NO_PAD.encode(name))
}

fn read_property_id(id: &str) -> Option<(&str, String)> {
    let (metric, name) = id.split_once('-')?;
    Some((metric, String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?))
}

fn property_resource(asked: &Asked, metric: &MetricRecord, name: &str, observed: &Observed) -> Value {
    let label = match name {
        "$value" => "Value",
        "$currency_code" => "Currency Code",
        "$event_id" => "Event ID",
        name => name,
    };
    let mut resource = Resource::new(asked, KIND, "metric-properties", &property_id(&metric.id, name))
        .attribute("label", label)
        .attribute("property", name)
        .attribute("inferred_type", observed.inferred().name())
        .related("metric", identifier("metric", &metric.id));
    if !asked.additional_fields(KIND).is_empty() {
        resource = resource.attribute(SAMPLES, observed.samples.clone());
    }
    resource.build()
}
