//! Metrics: an integration's names for what can happen.

use canonical::DEFAULT_SERVICE;
use serde_json::{Value, json};
use store::MetricRecord;

use crate::Api;
use crate::document::{Answer, Resource, collection, page_of, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{EQUALS, Operation, Tier};
use crate::request::{Asked, filter_texts};
use crate::shapes;

/// Klaviyo's fixed size of a page.
const PAGE: usize = 200;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_metrics", "/api/metrics", &["metrics:read"])
        .limited(Tier::Medium)
        .filters(&[("integration.name", EQUALS), ("integration.category", EQUALS)])
        .includes(&["flow-triggers"])
        .fields(&["metric", "flow"])
        .cursor()
        .gives_page::<shapes::Metric>("metric")
        .by(|call| Box::pin(call.api.list_metrics(call.asked))),
    Operation::get("get_metric", "/api/metrics/{id}", &["metrics:read"])
        .limited(Tier::Medium)
        .includes(&["flow-triggers"])
        .fields(&["metric", "flow"])
        .gives_one::<shapes::Metric>(200, "metric")
        .by(|call| Box::pin(call.api.get_metric(call.asked, call.id))),
    Operation::get(
        "get_flows_triggered_by_metric",
        "/api/metrics/{id}/flow-triggers",
        &["flows:read", "metrics:read"],
    )
    .limited(Tier::Medium)
    .fields(&["flow"])
    .gives_page::<shapes::Flow>("flow")
    .by(|call| Box::pin(call.api.flows_triggered_by_metric(call.asked, call.id))),
    Operation::get(
        "get_ids_for_flows_triggered_by_metric",
        "/api/metrics/{id}/relationships/flow-triggers",
        &["flows:read", "metrics:read"],
    )
    .limited(Tier::Medium)
    .gives_ids("flow")
    .by(|call| Box::pin(call.api.flows_triggered_by_metric(call.asked, call.id))),
];

impl Api {
    /// `GET /api/metrics`.
    pub(crate) async fn list_metrics(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut metrics = self.store.metrics().await?;
        for filter in asked.filters() {
            let wanted = filter_texts(filter)?;
            let field = filter.field.trim_start_matches("integration.");
            metrics.retain(|metric| {
                let integration = self.integration(metric);
                integration[field].as_str().is_some_and(|value| wanted.contains(&value))
            });
        }
        let (page, next) = page_of(asked, metrics, |metric| metric.id.clone(), false, PAGE)?;
        let data = page.iter().map(|metric| self.metric_resource(asked, metric)).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `GET /api/metrics/{id}`.
    pub(crate) async fn get_metric(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let metric = self.metric_by_id(id).await?;
        Ok(Answer::ok(single(asked, self.metric_resource(asked, &metric), None)))
    }

    /// `GET /api/metrics/{id}/flow-triggers` and its relationship: there are no flows.
    pub(crate) async fn flows_triggered_by_metric(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        self.metric_by_id(id).await?;
        Ok(Answer::ok(collection(asked, Vec::new(), None, None)))
    }

    pub(crate) async fn metric_by_id(&self, id: &str) -> ApiResult<MetricRecord> {
        self.store.metric(id).await?.ok_or_else(|| ApiError::not_found("metric", id))
    }

    pub(crate) fn metric_resource(&self, asked: &Asked, metric: &MetricRecord) -> Value {
        Resource::new(asked, "metric", "metrics", &metric.id)
            .attribute("name", metric.name.as_str())
            .attribute("created", time(metric.created_at))
            .attribute("updated", time(metric.updated_at))
            .attribute("integration", self.integration(metric))
            .related("flow-triggers", json!([]))
            .build()
    }

    fn integration(&self, metric: &MetricRecord) -> Value {
        let key = metric.integration.as_str();
        let (name, category) = match self.platforms.iter().find(|platform| platform.name() == key) {
            Some(platform) => (platform.description().title, "eCommerce"),
            None if key == DEFAULT_SERVICE => ("API", "API"),
            None => (key, "API"),
        };
        json!({"object": "integration", "id": key, "key": key, "name": name, "category": category})
    }
}
