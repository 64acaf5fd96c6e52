//! What is asked and told about metrics.

use serde_json::Value;
use utoipa::ToSchema;

use super::{Identifier, Object, Time};

/// What is to be counted.
#[derive(ToSchema)]
pub(crate) struct NewMetricAggregate {
    metric_id: String,
    #[schema(min_items = 1)]
    measurements: Vec<Measurement>,
    /// Days unless this says something else.
    interval: Option<Interval>,
    /// Any properties of the events; `$value_currency` for the currency of their value.
    #[schema(max_items = 10)]
    by: Option<Vec<String>>,
    /// Conditions as in a query's `filter`; the range of `datetime` must be among them, of a year at most.
    filter: Vec<String>,
    /// A name of the IANA time zone database; UTC unless this says something else.
    timezone: Option<String>,
    /// 500 rows unless this says something else.
    #[schema(minimum = 1, maximum = 1000)]
    page_size: Option<u32>,
    #[schema(required = false, nullable = false)]
    page_cursor: Option<String>,
    /// One of `measurements` or of `by`, with a minus in front to descend.
    sort: Option<String>,
    /// Some of `dates`, `data`, `dimensions`, `measurements`.
    return_fields: Option<Vec<String>>,
}

/// What can be measured.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Measurement {
    Count,
    SumValue,
    Unique,
}

/// How long the parts of a range are.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Interval {
    Hour,
    Day,
    Week,
    Month,
}

/// What was counted.
#[derive(ToSchema)]
pub(crate) struct MetricAggregate {
    /// The beginnings of the intervals. All of this only as far as `return_fields` asks for it.
    #[schema(required = false, nullable = false)]
    dates: Option<Vec<Time>>,
    #[schema(required = false, nullable = false)]
    data: Option<Vec<MetricAggregateRow>>,
}

/// One combination of dimensions.
#[derive(ToSchema)]
pub(crate) struct MetricAggregateRow {
    /// Empty texts where they are not set.
    #[schema(required = false, nullable = false)]
    dimensions: Option<Vec<String>>,
    /// By measurement, one number for each interval.
    #[schema(required = false, nullable = false)]
    measurements: Option<Object>,
}

/// A property that events of a metric have.
#[derive(ToSchema)]
pub(crate) struct MetricProperty {
    label: String,
    property: String,
    /// `String`, `Number`, `Boolean`, `Date`, `List` or `Object`.
    inferred_type: String,
    /// Only where `additional-fields` asks for it.
    #[schema(required = false, nullable = false)]
    sample_values: Option<Vec<Value>>,
}

/// A metric that is made of others.
#[derive(ToSchema)]
pub(crate) struct CustomMetric {
    name: String,
    definition: CustomMetricDefinition,
    created: Time,
    updated: Time,
}

/// A custom metric that is made.
#[derive(ToSchema)]
pub(crate) struct NewCustomMetric {
    /// Unique.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    definition: CustomMetricDefinition,
}

/// A custom metric that is changed.
#[derive(ToSchema)]
pub(crate) struct ChangedCustomMetric {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    definition: Option<CustomMetricDefinition>,
}

/// What a custom metric is made of.
#[derive(ToSchema)]
pub(crate) struct CustomMetricDefinition {
    aggregation_method: AggregationMethod,
    #[schema(min_items = 1, max_items = 100)]
    metric_groups: Vec<CustomMetricGroup>,
}

/// Whether values matter.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AggregationMethod {
    Count,
    Value,
}

/// Events of one metric.
#[derive(ToSchema)]
pub(crate) struct CustomMetricGroup {
    metric_id: String,
    #[schema(max_items = 10)]
    metric_filters: Option<Vec<CustomMetricFilter>>,
    /// Where their value is; `$value` if it is absent.
    value_property: Option<String>,
}

/// A condition on a property.
#[derive(ToSchema)]
pub(crate) struct CustomMetricFilter {
    property: String,
    /// `type`, `operator` and, with most operators, `value`.
    filter: Object,
}

/// Which metric stands for something.
#[derive(ToSchema)]
pub(crate) struct MappedMetric {
    updated: Time,
}

/// A decision which metric stands for something.
#[derive(ToSchema)]
pub(crate) struct ChangedMappedMetric {
    data: ChangedMappedMetricResource,
}

/// A decision which metric stands for something.
#[derive(ToSchema)]
pub(crate) struct ChangedMappedMetricResource {
    /// `mapped-metric`
    r#type: String,
    id: String,
    #[schema(required = false, nullable = false)]
    relationships: Option<ChangedMappedMetricRelationships>,
}

/// One of the two, or none: each has `data`, which may be null.
#[derive(ToSchema)]
pub(crate) struct ChangedMappedMetricRelationships {
    #[schema(required = false, nullable = false)]
    metric: Option<MappedTo>,
    #[schema(rename = "custom-metric", required = false, nullable = false)]
    custom_metric: Option<MappedTo>,
}

/// A metric by its id, or none.
#[derive(ToSchema)]
pub(crate) struct MappedTo {
    data: Option<Identifier>,
}

/// A flow: there are none.
#[derive(ToSchema)]
pub(crate) struct Flow {
    name: Option<String>,
    status: Option<String>,
    archived: Option<bool>,
    created: Option<Time>,
    updated: Option<Time>,
    trigger_type: Option<String>,
}
