//! What a custom metric is made of, checked strictly.

use serde_json::Value;
use store::MetricRecord;

use crate::body::{Fields, Node};
use crate::error::ApiResult;

/// The largest definition, in bytes.
const MAX_BYTES: usize = 20 * 1024;
const MAX_GROUPS: usize = 100;
const MAX_FILTERS: usize = 10;
const MAX_NAME: usize = 255;
const MAX_VALUES: usize = 500;

/// What a filter compares with.
#[derive(Clone, Copy)]
enum Expected {
    Nothing,
    Number,
    Boolean,
    Text,
    Texts,
    /// A text or an integer.
    Element,
}

/// Filters by type: their operators, and what these take.
const FILTERS: [(&str, &[&str], Expected); 8] = [
    (
        "numeric",
        &["equals", "not-equals", "greater-than", "greater-than-or-equal", "less-than", "less-than-or-equal"],
        Expected::Number,
    ),
    ("string", &["in"], Expected::Texts),
    (
        "string",
        &[
            "equals",
            "not-equals",
            "contains",
            "not-contains",
            "starts-with",
            "not-starts-with",
            "ends-with",
            "not-ends-with",
            "regex",
            "nregex",
        ],
        Expected::Text,
    ),
    ("existence", &["is-set", "not-set"], Expected::Nothing),
    ("boolean", &["equals"], Expected::Boolean),
    ("list", &["contains", "not-contains"], Expected::Element),
    (
        "list",
        &["contains-starts-with", "not-contains-starts-with", "contains-ends-with", "not-contains-ends-with"],
        Expected::Element,
    ),
    ("list", &["contains-substring", "not-contains-substring"], Expected::Text),
];

/// The metrics that a definition names, each once.
pub(crate) fn metric_ids(definition: &Value) -> Vec<&str> {
    let groups = definition["metric_groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut ids: Vec<&str> = Vec::new();
    for id in groups.iter().filter_map(|group| group["metric_id"].as_str()) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// Refuses what is no definition over these metrics.
pub(crate) fn read_definition(node: &Node<'_>, metrics: &[MetricRecord]) -> ApiResult<()> {
    let definition = node.object()?;
    definition.only(&["aggregation_method", "metric_groups"])?;
    if node.value.to_string().len() > MAX_BYTES {
        return Err(node.invalid("A definition must not be larger than 20 KB."));
    }
    let method = definition.required("aggregation_method")?;
    if !["count", "value"].contains(&method.text()?) {
        return Err(method.invalid("The aggregation method must be 'count' or 'value'."));
    }
    let groups = definition.required("metric_groups")?;
    let mut count = 0;
    for group in groups.items()? {
        read_group(&group.object()?, metrics)?;
        count += 1;
    }
    if (1..=MAX_GROUPS).contains(&count) {
        Ok(())
    } else {
        Err(groups.invalid(format!("A custom metric is made of 1 to {MAX_GROUPS} groups.")))
    }
}

fn read_group(group: &Fields<'_>, metrics: &[MetricRecord]) -> ApiResult<()> {
    group.only(&["metric_id", "metric_filters", "value_property"])?;
    let id = group.required("metric_id")?;
    let named = id.text()?;
    if !metrics.iter().any(|metric| metric.id == named) {
        return Err(id.invalid(format!("A metric with id {named} does not exist.")));
    }
    group.text("value_property", MAX_NAME)?;
    let Some(filters) = group.optional("metric_filters") else { return Ok(()) };
    for (place, filter) in filters.items()?.enumerate() {
        if place >= MAX_FILTERS {
            return Err(filters.invalid(format!("There must not be more than {MAX_FILTERS} filters.")));
        }
        let filter = filter.object()?;
        filter.only(&["property", "filter"])?;
        filter.required("property")?.text_of(MAX_NAME)?;
        read_filter(&filter.required("filter")?.object()?)?;
    }
    Ok(())
}

fn read_filter(filter: &Fields<'_>) -> ApiResult<()> {
    filter.only(&["type", "operator", "value"])?;
    let (kind, operator) = (filter.required("type")?, filter.required("operator")?);
    let (kind_name, operator_name) = (kind.text()?, operator.text()?);
    if !FILTERS.iter().any(|(known, ..)| *known == kind_name) {
        return Err(kind.invalid("The type must be numeric, string, existence, boolean or list."));
    }
    let known = |(kind, operators, _): &&(&str, &[&str], Expected)| {
        *kind == kind_name && operators.contains(&operator_name)
    };
    let Some((_, _, expected)) = FILTERS.iter().find(known) else {
        return Err(operator.invalid(format!("This is not an operator of '{kind_name}'.")));
    };
    if let Expected::Nothing = expected {
        return filter.only(&["type", "operator"]);
    }
    read_value(&filter.required("value")?, *expected)
}

fn read_value(node: &Node<'_>, expected: Expected) -> ApiResult<()> {
    match expected {
        Expected::Nothing => Ok(()),
        Expected::Number if node.value.is_number() => Ok(()),
        Expected::Number => Err(node.invalid("A number is expected.")),
        Expected::Boolean => node.flag().map(drop),
        Expected::Text => node.text().map(drop),
        Expected::Element if node.value.is_i64() || node.value.is_string() => Ok(()),
        Expected::Element => Err(node.invalid("A string or an integer is expected.")),
        Expected::Texts => {
            let mut count = 0;
            for item in node.items()? {
                item.text()?;
                count += 1;
            }
            if (1..=MAX_VALUES).contains(&count) {
                Ok(())
            } else {
                Err(node.invalid(format!("A list has 1 to {MAX_VALUES} values.")))
            }
        }
    }
}
