//! Custom metrics: several metrics, narrowed by filters, under one name. Those that somebody makes; and one of each canonical
//! metric that several integrations tell, which is made of all of them and cannot be changed.

use canonical::{Instant, Metric, hash};
use http::StatusCode;
use serde_json::{Value, json};
use store::{CustomMetricRecord, Error, MetricRecord, MetricSettings};

use crate::Api;
use crate::body::{self, Fields, Node};
use crate::custom_metric_definition::{metric_ids, read_definition};
use crate::document::{Answer, Resource, collection, identifier, single, time};
use crate::error::{ApiError, ApiResult};
use crate::mapped_metrics::MAPPED;
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::shapes;

const KIND: &str = "custom-metric";
const MAX_NAME: usize = 255;
/// The most custom metrics of an account (Klaviyo's limit).
const MAX_CUSTOM_METRICS: usize = 50;
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_custom_metrics", "/api/custom-metrics", &["metrics:read"])
        .limited(Tier::Small)
        .includes(&["metrics"])
        .fields(&[KIND, "metric"])
        .gives_page::<shapes::CustomMetric>(KIND)
        .by(|call| Box::pin(call.api.list_custom_metrics(call.asked))),
    Operation::post("create_custom_metric", "/api/custom-metrics", &["metrics:write"])
        .limited(Tier::ExtraSmall)
        .fields(&[KIND])
        .takes::<shapes::NewCustomMetric>(KIND)
        .gives_one::<shapes::CustomMetric>(201, KIND)
        .by(|call| Box::pin(call.api.create_custom_metric(call.asked, call.body))),
    Operation::get("get_custom_metric", "/api/custom-metrics/{id}", &["metrics:read"])
        .limited(Tier::Small)
        .includes(&["metrics"])
        .fields(&[KIND, "metric"])
        .gives_one::<shapes::CustomMetric>(200, KIND)
        .by(|call| Box::pin(call.api.get_custom_metric(call.asked, call.id))),
    Operation::patch("update_custom_metric", "/api/custom-metrics/{id}", &["metrics:write"])
        .limited(Tier::ExtraSmall)
        .fields(&[KIND])
        .takes::<shapes::ChangedCustomMetric>(KIND)
        .gives_one::<shapes::CustomMetric>(200, KIND)
        .by(|call| Box::pin(call.api.update_custom_metric(call.asked, call.id, call.body))),
    Operation::delete("delete_custom_metric", "/api/custom-metrics/{id}", &["metrics:write"])
        .limited(Tier::Small)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.delete_custom_metric(call.id))),
    Operation::get("get_metrics_for_custom_metric", "/api/custom-metrics/{id}/metrics", &["metrics:read"])
        .limited(Tier::Small)
        .fields(&["metric"])
        .gives_page::<shapes::Metric>("metric")
        .by(|call| Box::pin(call.api.metrics_of_custom_metric(call.asked, call.id, false))),
    Operation::get(
        "get_metric_ids_for_custom_metric",
        "/api/custom-metrics/{id}/relationships/metrics",
        &["metrics:read"],
    )
    .limited(Tier::Small)
    .gives_ids("metric")
    .by(|call| Box::pin(call.api.metrics_of_custom_metric(call.asked, call.id, true))),
];

/// Metrics, and what is made of them.
pub(crate) struct Metrics {
    /// By id.
    pub(crate) told: Vec<MetricRecord>,
    /// Without those that follow from the metrics.
    pub(crate) settings: MetricSettings,
    /// Those that do.
    shared: Vec<CustomMetricRecord>,
}

impl Metrics {
    pub(crate) fn metric(&self, id: &str) -> Option<&MetricRecord> {
        self.told.iter().find(|metric| metric.id == id)
    }

    pub(crate) fn custom(&self, id: &str) -> Option<&CustomMetricRecord> {
        self.all_custom().find(|custom| custom.id == id)
    }

    fn all_custom(&self) -> impl Iterator<Item = &CustomMetricRecord> {
        self.settings.custom.iter().chain(&self.shared)
    }

    /// All metrics that are one canonical metric, whoever tells it.
    pub(crate) fn canonical(&self, canonical: Metric) -> Vec<&MetricRecord> {
        of_canonical(&self.told, canonical)
    }

    fn is_shared(&self, id: &str) -> bool {
        self.shared.iter().any(|shared| shared.id == id)
    }

    /// Refuses a name that another custom metric has.
    fn check_name(&self, name: &Node<'_>, own_id: Option<&str>) -> ApiResult<()> {
        let text = name.text()?;
        match self.all_custom().find(|custom| custom.name == text && Some(custom.id.as_str()) != own_id) {
            Some(_) => Err(name.invalid("There is another custom metric with this name.")),
            None => Ok(()),
        }
    }

    fn metrics_of(&self, custom: &CustomMetricRecord) -> impl Iterator<Item = &MetricRecord> {
        metric_ids(&custom.definition).into_iter().filter_map(|id| self.metric(id))
    }
}

/// The id of the custom metric of all that is one canonical metric.
pub(crate) fn shared_id(canonical: Metric) -> String {
    hash::short_id(&["custom metric", "canonical", canonical.name()])
}

fn of_canonical(metrics: &[MetricRecord], canonical: Metric) -> Vec<&MetricRecord> {
    metrics.iter().filter(|metric| metric.canonical.as_deref() == Some(canonical.name())).collect()
}

fn shared(metrics: &[MetricRecord], canonical: Metric, is_value: bool) -> Option<CustomMetricRecord> {
    let members = of_canonical(metrics, canonical);
    if members.len() < 2 {
        return None;
    }
    let groups: Vec<Value> = members.iter().map(|metric| json!({"metric_id": metric.id})).collect();
    Some(CustomMetricRecord {
        id: shared_id(canonical),
        name: format!("{} (all integrations)", canonical.name()),
        definition: json!({
            "aggregation_method": if is_value { "value" } else { "count" },
            "metric_groups": groups,
        }),
        created_at: members.iter().map(|metric| metric.created_at).min()?,
        updated_at: members.iter().map(|metric| metric.created_at).max()?,
    })
}

impl Api {
    pub(crate) async fn all_metrics(&self) -> ApiResult<Metrics> {
        let (metrics, settings) = tokio::try_join!(self.store.metrics(), self.store.metric_settings())?;
        let shared =
            MAPPED.iter().filter_map(|(_, canonical, is_value)| shared(&metrics, *canonical, *is_value));
        let shared = shared.collect();
        Ok(Metrics { told: metrics, settings, shared })
    }

    /// `GET /api/custom-metrics`.
    pub(crate) async fn list_custom_metrics(&self, asked: &Asked) -> ApiResult<Answer> {
        let includes = asked.include();
        let all = self.all_metrics().await?;
        let mut found: Vec<&CustomMetricRecord> = all.all_custom().collect();
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let data = found.iter().map(|custom| custom_metric_resource(asked, custom)).collect();
        let included = (!includes.is_empty()).then(|| {
            let is_named = |metric: &&MetricRecord| {
                found.iter().any(|custom| metric_ids(&custom.definition).contains(&metric.id.as_str()))
            };
            let named = all.told.iter().filter(is_named);
            named.map(|metric| self.metric_resource(asked, metric)).collect()
        });
        Ok(Answer::ok(collection(asked, data, None, included)))
    }

    /// `POST /api/custom-metrics`.
    pub(crate) async fn create_custom_metric(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, KIND)?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "definition"])?;
        let name = attributes.required("name")?;
        name.text_of(MAX_NAME)?;
        let definition = attributes.required("definition")?;
        for _ in 0..ATTEMPTS {
            let all = self.all_metrics().await?;
            read_definition(&definition, &all.told)?;
            all.check_name(&name, None)?;
            if all.settings.custom.len() >= MAX_CUSTOM_METRICS {
                let detail = format!("There must not be more than {MAX_CUSTOM_METRICS} custom metrics.");
                return Err(data.invalid(detail));
            }
            let id = hash::short_id(&["custom metric", &(self.random)().to_string()]);
            if all.metric(&id).is_some() || all.custom(&id).is_some() {
                continue;
            }
            let now = self.now();
            let custom = CustomMetricRecord {
                id,
                name: name.text()?.to_owned(),
                definition: definition.value.clone(),
                created_at: now,
                updated_at: now,
            };
            if written(self.store.put_custom_metric(&custom, all.settings.version).await)? {
                return Ok(Answer::created(single(asked, custom_metric_resource(asked, &custom), None)));
            }
        }
        Err(too_many_changes())
    }

    /// `GET /api/custom-metrics/{id}`.
    pub(crate) async fn get_custom_metric(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let includes = asked.include();
        let all = self.all_metrics().await?;
        let custom = all.custom(id).ok_or_else(|| ApiError::not_found(KIND, id))?;
        let metrics = || all.metrics_of(custom).map(|metric| self.metric_resource(asked, metric)).collect();
        let included = (!includes.is_empty()).then(metrics);
        Ok(Answer::ok(single(asked, custom_metric_resource(asked, custom), included)))
    }

    /// `PATCH /api/custom-metrics/{id}`: null leaves.
    pub(crate) async fn update_custom_metric(
        &self,
        asked: &Asked,
        id: &str,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, KIND)?;
        data.only(&["type", "id", "attributes"])?;
        data.named(id)?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "definition"])?;
        attributes.text("name", MAX_NAME)?;
        for _ in 0..ATTEMPTS {
            let all = self.all_metrics().await?;
            let before = changeable(&all, id)?;
            let after = patched(&attributes, before, &all, self.now())?;
            if after == *before || written(self.store.put_custom_metric(&after, all.settings.version).await)?
            {
                return Ok(Answer::ok(single(asked, custom_metric_resource(asked, &after), None)));
            }
        }
        Err(too_many_changes())
    }

    /// `DELETE /api/custom-metrics/{id}`: 409 while it stands for something.
    pub(crate) async fn delete_custom_metric(&self, id: &str) -> ApiResult<Answer> {
        for _ in 0..ATTEMPTS {
            let all = self.all_metrics().await?;
            changeable(&all, id)?;
            let is_meant =
                |mapped: &&store::MappedMetricRecord| mapped.custom_metric_id.as_deref() == Some(id);
            if let Some(mapped) = all.settings.mapped.iter().find(is_meant) {
                let detail = format!("The mapped metric '{}' is this custom metric.", mapped.id);
                return Err(ApiError::conflict("custom_metric_in_use", detail));
            }
            if written(self.store.delete_custom_metric(id, all.settings.version).await)? {
                return Ok(Answer::empty(StatusCode::NO_CONTENT));
            }
        }
        Err(too_many_changes())
    }

    /// `GET /api/custom-metrics/{id}/metrics` and its relationship.
    pub(crate) async fn metrics_of_custom_metric(
        &self,
        asked: &Asked,
        id: &str,
        only_ids: bool,
    ) -> ApiResult<Answer> {
        let all = self.all_metrics().await?;
        let custom = all.custom(id).ok_or_else(|| ApiError::not_found(KIND, id))?;
        let data = all.metrics_of(custom).map(|metric| {
            if only_ids { identifier("metric", &metric.id) } else { self.metric_resource(asked, metric) }
        });
        Ok(Answer::ok(collection(asked, data.collect(), None, None)))
    }
}

/// A custom metric that somebody made.
fn changeable<'a>(all: &'a Metrics, id: &str) -> ApiResult<&'a CustomMetricRecord> {
    if all.is_shared(id) {
        let detail = "This custom metric is made of all integrations' metrics and cannot be changed.";
        return Err(ApiError::conflict("custom_metric_is_shared", detail));
    }
    all.custom(id).ok_or_else(|| ApiError::not_found(KIND, id))
}

fn patched(
    attributes: &Fields<'_>,
    before: &CustomMetricRecord,
    all: &Metrics,
    now: Instant,
) -> ApiResult<CustomMetricRecord> {
    let mut after = before.clone();
    if let Some(name) = attributes.optional("name") {
        all.check_name(&name, Some(&before.id))?;
        name.text()?.clone_into(&mut after.name);
    }
    if let Some(definition) = attributes.optional("definition") {
        read_definition(&definition, &all.told)?;
        after.definition = definition.value.clone();
    }
    if after != *before {
        after.updated_at = now.max(before.updated_at);
    }
    Ok(after)
}

/// Whether a write went through; not if somebody else was faster.
pub(crate) fn written(outcome: store::Result<()>) -> ApiResult<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn too_many_changes() -> ApiError {
    ApiError::unavailable("too many custom and mapped metrics change at once")
}

pub(crate) fn custom_metric_resource(asked: &Asked, custom: &CustomMetricRecord) -> Value {
    let metrics = metric_ids(&custom.definition).into_iter().map(|id| identifier("metric", id));
    Resource::new(asked, KIND, "custom-metrics", &custom.id)
        .attribute("name", custom.name.as_str())
        .attribute("created", time(custom.created_at))
        .attribute("updated", time(custom.updated_at))
        .attribute("definition", custom.definition.clone())
        .related("metrics", metrics.collect())
        .build()
}
