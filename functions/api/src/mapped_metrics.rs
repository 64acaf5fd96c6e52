//! Mapped metrics: which metric stands for revenue and its like. As long as nobody decided, it is the canonical metric: the
//! one integration's that tells it, or the custom metric of all that do.

use canonical::{Instant, Metric};
use jiff::Timestamp;
use serde_json::Value;
use store::{CustomMetricRecord, MappedMetricRecord, MetricRecord};

use crate::Api;
use crate::body::{self, Fields};
use crate::custom_metrics::{Metrics, custom_metric_resource, shared_id, too_many_changes, written};
use crate::document::{Answer, Resource, collection, identifier, single, time};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::request::Asked;
use crate::shapes;

const KIND: &str = "mapped-metric";
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_mapped_metrics", "/api/mapped-metrics", &["metrics:read"])
        .limited(Tier::Small)
        .includes(&["custom-metric", "metric"])
        .fields(&[KIND, "custom-metric", "metric"])
        .gives_page::<shapes::MappedMetric>(KIND)
        .by(|call| Box::pin(call.api.list_mapped_metrics(call.asked))),
    Operation::get("get_mapped_metric", "/api/mapped-metrics/{id}", &["metrics:read"])
        .limited(Tier::Small)
        .includes(&["custom-metric", "metric"])
        .fields(&[KIND, "custom-metric", "metric"])
        .gives_one::<shapes::MappedMetric>(200, KIND)
        .by(|call| Box::pin(call.api.get_mapped_metric(call.asked, call.id))),
    Operation::patch("update_mapped_metric", "/api/mapped-metrics/{id}", &["metrics:write"])
        .limited(Tier::ExtraSmall)
        .fields(&[KIND])
        .takes_body::<shapes::ChangedMappedMetric>()
        .gives_one::<shapes::MappedMetric>(200, KIND)
        .by(|call| Box::pin(call.api.update_mapped_metric(call.asked, call.id, call.body))),
    Operation::get("get_metric_for_mapped_metric", "/api/mapped-metrics/{id}/metric", &["metrics:read"])
        .limited(Tier::Small)
        .fields(&["metric"])
        .gives_one::<shapes::Metric>(200, "metric")
        .by(|call| Box::pin(call.api.metric_of_mapped_metric(call.asked, call.id, false))),
    Operation::get(
        "get_metric_id_for_mapped_metric",
        "/api/mapped-metrics/{id}/relationships/metric",
        &["metrics:read"],
    )
    .limited(Tier::Small)
    .gives_id("metric")
    .by(|call| Box::pin(call.api.metric_of_mapped_metric(call.asked, call.id, true))),
    Operation::get(
        "get_custom_metric_for_mapped_metric",
        "/api/mapped-metrics/{id}/custom-metric",
        &["metrics:read"],
    )
    .limited(Tier::Small)
    .fields(&["custom-metric"])
    .gives_one::<shapes::CustomMetric>(200, "custom-metric")
    .by(|call| Box::pin(call.api.custom_metric_of_mapped_metric(call.asked, call.id, false))),
    Operation::get(
        "get_custom_metric_id_for_mapped_metric",
        "/api/mapped-metrics/{id}/relationships/custom-metric",
        &["metrics:read"],
    )
    .limited(Tier::Small)
    .gives_id("custom-metric")
    .by(|call| Box::pin(call.api.custom_metric_of_mapped_metric(call.asked, call.id, true))),
];

/// Klaviyo's ids, the canonical metric of each, and whether its values matter.
pub(crate) const MAPPED: [(&str, Metric, bool); 7] = [
    ("added_to_cart", Metric::AddedToCart, false),
    ("cancelled_sales", Metric::CancelledOrder, true),
    ("ordered_product", Metric::OrderedProduct, true),
    ("refunded_sales", Metric::RefundedOrder, true),
    ("revenue", Metric::PlacedOrder, true),
    ("started_checkout", Metric::StartedCheckout, true),
    ("viewed_product", Metric::ViewedProduct, false),
];

impl Api {
    /// `GET /api/mapped-metrics`.
    pub(crate) async fn list_mapped_metrics(&self, asked: &Asked) -> ApiResult<Answer> {
        let includes = asked.include();
        let all = self.all_metrics().await?;
        let mapped: Vec<MappedMetricRecord> =
            MAPPED.iter().map(|(id, canonical, _)| in_force(&all, id, *canonical)).collect();
        let data = mapped.iter().map(|mapped| mapped_metric_resource(asked, mapped)).collect();
        Ok(Answer::ok(collection(asked, data, None, self.included_metrics(asked, &includes, &all, &mapped))))
    }

    /// `GET /api/mapped-metrics/{id}`.
    pub(crate) async fn get_mapped_metric(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let includes = asked.include();
        let canonical = canonical_of(id)?;
        let all = self.all_metrics().await?;
        let mapped = in_force(&all, id, canonical);
        let included = self.included_metrics(asked, &includes, &all, std::slice::from_ref(&mapped));
        Ok(Answer::ok(single(asked, mapped_metric_resource(asked, &mapped), included)))
    }

    /// `PATCH /api/mapped-metrics/{id}`: one of the two takes the other's place, null leaves none.
    pub(crate) async fn update_mapped_metric(
        &self,
        asked: &Asked,
        id: &str,
        bytes: &[u8],
    ) -> ApiResult<Answer> {
        let canonical = canonical_of(id)?;
        let body = body::parse(bytes)?;
        let data = body::data(&body, KIND)?;
        data.only(&["type", "id", "attributes", "relationships"])?;
        data.named(id)?;
        let relationships = data.optional("relationships").map(|node| node.object()).transpose()?;
        for _ in 0..ATTEMPTS {
            let all = self.all_metrics().await?;
            let before = in_force(&all, id, canonical);
            let mut after = before.clone();
            if let Some(relationships) = &relationships {
                change(&mut after, relationships, &all)?;
                after.updated_at = self.now();
            }
            if relationships.is_none()
                || written(self.store.put_mapped_metric(&after, all.settings.version).await)?
            {
                return Ok(Answer::ok(single(asked, mapped_metric_resource(asked, &after), None)));
            }
        }
        Err(too_many_changes())
    }

    /// `GET /api/mapped-metrics/{id}/metric` and its relationship; 404 if it is none.
    pub(crate) async fn metric_of_mapped_metric(
        &self,
        asked: &Asked,
        id: &str,
        only_id: bool,
    ) -> ApiResult<Answer> {
        let canonical = canonical_of(id)?;
        let all = self.all_metrics().await?;
        let mapped = in_force(&all, id, canonical);
        let metric = metric_of(&all, &mapped).ok_or_else(|| nothing_mapped(id, "metric"))?;
        let data =
            if only_id { identifier("metric", &metric.id) } else { self.metric_resource(asked, metric) };
        Ok(Answer::ok(single(asked, data, None)))
    }

    /// `GET /api/mapped-metrics/{id}/custom-metric` and its relationship; 404 if it is none.
    pub(crate) async fn custom_metric_of_mapped_metric(
        &self,
        asked: &Asked,
        id: &str,
        only_id: bool,
    ) -> ApiResult<Answer> {
        let canonical = canonical_of(id)?;
        let all = self.all_metrics().await?;
        let mapped = in_force(&all, id, canonical);
        let custom = custom_of(&all, &mapped).ok_or_else(|| nothing_mapped(id, "custom metric"))?;
        let data = if only_id {
            identifier("custom-metric", &custom.id)
        } else {
            custom_metric_resource(asked, custom)
        };
        Ok(Answer::ok(single(asked, data, None)))
    }

    /// What mappings name, each once; `None` if nothing is to be included.
    fn included_metrics(
        &self,
        asked: &Asked,
        includes: &[&str],
        all: &Metrics,
        mapped: &[MappedMetricRecord],
    ) -> Option<Vec<Value>> {
        if includes.is_empty() {
            return None;
        }
        let mut included: Vec<Value> = Vec::new();
        for mapped in mapped {
            let metric = metric_of(all, mapped).filter(|_| includes.contains(&"metric"));
            let custom = custom_of(all, mapped).filter(|_| includes.contains(&"custom-metric"));
            let metric = metric.map(|metric| self.metric_resource(asked, metric));
            let custom = custom.map(|custom| custom_metric_resource(asked, custom));
            for resource in metric.into_iter().chain(custom) {
                if !included.contains(&resource) {
                    included.push(resource);
                }
            }
        }
        Some(included)
    }
}

fn canonical_of(id: &str) -> ApiResult<Metric> {
    let known = MAPPED.iter().find(|(known, ..)| *known == id);
    known.map(|(_, canonical, _)| *canonical).ok_or_else(|| ApiError::not_found(KIND, id))
}

/// What somebody decided, or else what follows from the metrics there are.
fn in_force(all: &Metrics, id: &str, canonical: Metric) -> MappedMetricRecord {
    if let Some(decided) = all.settings.mapped.iter().find(|mapped| mapped.id == id) {
        return decided.clone();
    }
    let members = all.canonical(canonical);
    let (metric_id, custom_metric_id) = match members.as_slice() {
        [] => (None, None),
        [one] => (Some(one.id.clone()), None),
        _ => (None, Some(shared_id(canonical))),
    };
    // Since the newest of them is there; never, if there is none.
    let since = members.iter().map(|metric| metric.created_at).max();
    let updated_at = since.unwrap_or_else(|| Instant::from(Timestamp::UNIX_EPOCH));
    MappedMetricRecord { id: id.to_owned(), metric_id, custom_metric_id, updated_at }
}

/// What a relationship is to be.
#[derive(PartialEq, Eq)]
enum Wanted {
    /// Nothing is said of it.
    AsItIs,
    Nothing,
    This(String),
}

impl Wanted {
    fn read(relationships: &Fields<'_>, kind: &str, exists: impl Fn(&str) -> bool) -> ApiResult<Self> {
        let Some(node) = relationships.optional(kind) else { return Ok(Self::AsItIs) };
        let relationship = node.object()?;
        relationship.only(&["data", "links"])?;
        let Some(data) = relationship.given("data") else { return Ok(Self::AsItIs) };
        if data.value.is_null() {
            return Ok(Self::Nothing);
        }
        let resource = data.resource(kind)?;
        resource.only(&["type", "id"])?;
        let Some(id) = resource.optional("id") else { return Ok(Self::Nothing) };
        let named = id.text()?;
        if exists(named) {
            Ok(Self::This(named.to_owned()))
        } else {
            Err(id.invalid(format!("A {kind} with id {named} does not exist.")))
        }
    }
}

fn change(mapped: &mut MappedMetricRecord, relationships: &Fields<'_>, all: &Metrics) -> ApiResult<()> {
    relationships.only(&["metric", "custom-metric"])?;
    let metric = Wanted::read(relationships, "metric", |id| all.metric(id).is_some())?;
    let custom = Wanted::read(relationships, "custom-metric", |id| all.custom(id).is_some())?;
    match (metric, custom) {
        (Wanted::This(_), Wanted::This(_)) => {
            return Err(relationships.invalid("Either a metric or a custom metric is possible, not both."));
        }
        (Wanted::This(metric), _) => (mapped.metric_id, mapped.custom_metric_id) = (Some(metric), None),
        (_, Wanted::This(custom)) => (mapped.metric_id, mapped.custom_metric_id) = (None, Some(custom)),
        (metric, custom) => {
            if metric == Wanted::Nothing {
                mapped.metric_id = None;
            }
            if custom == Wanted::Nothing {
                mapped.custom_metric_id = None;
            }
        }
    }
    Ok(())
}

fn metric_of<'a>(all: &'a Metrics, mapped: &MappedMetricRecord) -> Option<&'a MetricRecord> {
    all.metric(mapped.metric_id.as_deref()?)
}

fn custom_of<'a>(all: &'a Metrics, mapped: &MappedMetricRecord) -> Option<&'a CustomMetricRecord> {
    all.custom(mapped.custom_metric_id.as_deref()?)
}

fn nothing_mapped(id: &str, what: &str) -> ApiError {
    let detail = format!("The mapped metric '{id}' is no {what}.");
    ApiError { detail, ..ApiError::not_found(KIND, id) }
}

/// A relationship to nothing is only linked: client libraries insist on what its `data` looks like.
fn mapped_metric_resource(asked: &Asked, mapped: &MappedMetricRecord) -> Value {
    let resource = Resource::new(asked, KIND, "mapped-metrics", &mapped.id)
        .attribute("updated", time(mapped.updated_at));
    let resource = match &mapped.metric_id {
        Some(id) => resource.related("metric", identifier("metric", id)),
        None => resource.linked("metric"),
    };
    let resource = match &mapped.custom_metric_id {
        Some(id) => resource.related("custom-metric", identifier("custom-metric", id)),
        None => resource.linked("custom-metric"),
    };
    resource.build()
}
