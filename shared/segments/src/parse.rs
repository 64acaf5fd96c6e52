//! Reading conditions, strictly: what is not understood is refused.

mod filter;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::definition::{
    Channel, Condition, ConsentCondition, ConsentDate, ConsentFilter, DateTest, DefinitionError, Filter,
    FunnelCondition, FunnelStep, GroupCondition, MAX_GROUPS, MAX_METRIC_FILTERS, MAX_METRICS, MAX_STEPS,
    Measurement, MetricCondition, Metrics, PermissionCondition, PredictionCondition, PredictionTest,
    PropertyCondition, Reachable, SampleCondition, Subscription, TextTest,
};
use crate::json::{Node, Object};
use crate::{orders, place, property};
use filter::{DatesOf, boolean_filter, date_test, existence_filter, list_filter, text_filter, texts_of};
pub(crate) use filter::{filter_kind, numeric_test, unknown, unknown_kind};

pub(crate) fn condition(node: &Node<'_>) -> Result<Condition, DefinitionError> {
    let object = node.object()?;
    let kind = object.field("type")?;
    match kind.text()? {
        "profile-metric" => metric_condition(&object).map(Condition::Metric),
        "profile-metric-funnel" => funnel_condition(&object).map(Condition::Funnel),
        "profile-predictive-analytics" => prediction_condition(&object).map(Condition::Prediction),
        "profile-property" => property_condition(&object).map(Condition::Property),
        "profile-group-membership" => group_condition(&object).map(Condition::Group),
        "profile-marketing-consent" => consent_condition(&object).map(Condition::Consent),
        "profile-permissions" => permission_condition(&object).map(Condition::Permission),
        "profile-region" => place::region(&object).map(Condition::Region),
        "profile-postal-code-distance" => place::distance(&object).map(Condition::Distance),
        "profile-sample" => sample_condition(&object).map(Condition::Sample),
        "profile-has-custom-object" => Err(kind.error(
            "conditions of type `profile-has-custom-object` are not supported: there is no store for custom objects",
        )),
        other => Err(unknown(&kind, "type of condition", other, CONDITIONS)),
    }
}

const CONDITIONS: &str = "profile-metric, profile-metric-funnel, profile-predictive-analytics, profile-property, \
    profile-group-membership, profile-marketing-consent, profile-permissions, profile-region, \
    profile-postal-code-distance, profile-sample";

/// Klaviyo's `metric_id`; or, of ours, `metric_ids`, or the name that the metrics of all platforms share.
fn metrics(object: &Object<'_>) -> Result<Metrics, DefinitionError> {
    let given = |key| object.optional(key);
    match (given("metric_id"), given("metric_ids"), given("metric_name")) {
        (_, None, None) => Ok(Metrics::Ids(vec![named(&object.field("metric_id")?)?])),
        (None, Some(ids), None) => Ok(Metrics::Ids(texts_of(&ids, MAX_METRICS)?)),
        (None, None, Some(name)) => Ok(Metrics::Named(named(&name)?)),
        (_, Some(other), _) | (_, _, Some(other)) => {
            Err(other.error("only one of `metric_id`, `metric_ids` and `metric_name` is possible"))
        }
    }
}

/// A text that is not empty.
fn named(node: &Node<'_>) -> Result<String, DefinitionError> {
    match node.text()? {
        "" => Err(node.error("an id or a name is expected")),
        text => Ok(text.to_owned()),
    }
}

fn funnel_condition(object: &Object<'_>) -> Result<FunnelCondition, DefinitionError> {
    object.only(&["type", "timeframe_filter", "completion_window_seconds", "steps"])?;
    let timeframe = object.field("timeframe_filter")?;
    let timeframe = match filter_kind(&timeframe)? {
        "date" => date_test(&timeframe, DatesOf::Events)?,
        other => return Err(unknown_kind(&timeframe, other, "date")),
    };
    let within =
        object.optional("completion_window_seconds").map(|node| completion_window(&node)).transpose()?;
    let steps_node = object.field("steps")?;
    let mut steps = Vec::new();
    for node in steps_node.items()? {
        if steps.len() == MAX_STEPS {
            return Err(node.error(format!("a funnel has at most {MAX_STEPS} steps")));
        }
        let step =
            node.object_of(&["metric_exists", "metric_id", "metric_ids", "metric_name", "metric_filters"])?;
        let exists = step.field("metric_exists")?;
        if steps.is_empty() && !exists.boolean()? {
            return Err(exists.error("the first step must be one that happened"));
        }
        let filters = metric_filters(&step)?;
        if let Some(place) = filters.iter().position(PropertyCondition::is_moving) {
            let filters = step.field("metric_filters")?.items()?;
            return Err(
                filters[place].error("a date that moves with the present is not possible in a funnel")
            );
        }
        steps.push(FunnelStep { exists: exists.boolean()?, metrics: metrics(&step)?, filters });
    }
    if steps.is_empty() {
        return Err(steps_node.error("at least one step is needed"));
    }
    Ok(FunnelCondition { timeframe, within, steps })
}

fn completion_window(node: &Node<'_>) -> Result<i64, DefinitionError> {
    let hours = match node.text()? {
        "HOURS_1" => 1,
        "DAYS_1" => 24,
        "DAYS_3" => 3 * 24,
        "DAYS_5" => 5 * 24,
        "WEEKS_1" => 7 * 24,
        "DAYS_30" => 30 * 24,
        "DAYS_90" => 90 * 24,
        "DAYS_180" => 180 * 24,
        "YEARS_1" => 365 * 24,
        other => {
            let known = "HOURS_1, DAYS_1, DAYS_3, DAYS_5, WEEKS_1, DAYS_30, DAYS_90, DAYS_180, YEARS_1";
            return Err(unknown(node, "completion window", other, known));
        }
    };
    Ok(hours * 3_600_000)
}

fn prediction_condition(object: &Object<'_>) -> Result<PredictionCondition, DefinitionError> {
    let node = object.field("dimension")?;
    let name = node.text()?;
    let later = |what| Err(node.error(format!("`{name}` is not supported: nothing here tells {what}")));
    match name {
        "predicted_gender" => return later("somebody's gender"),
        "channel_affinity" => return later("what was sent to somebody, and what came of it"),
        _ => object.only(&["type", "dimension", "filter"])?,
    }
    let filter = object.field("filter")?;
    let test = if name == "expected_date_of_next_purchase" {
        match filter_kind(&filter)? {
            "date" => PredictionTest::NextOrder(date_test(&filter, DatesOf::Profiles)?),
            other => return Err(unknown_kind(&filter, other, "date")),
        }
    } else {
        let dimension = orders::dimension(name).ok_or_else(|| {
            unknown(
                &node,
                "dimension",
                name,
                "average_days_between_orders, average_order_value, churn_probability, historic_clv, \
                 historic_number_of_orders, predicted_clv, predicted_number_of_orders, total_clv, \
                 expected_date_of_next_purchase",
            )
        })?;
        match filter_kind(&filter)? {
            "numeric" => PredictionTest::Number(dimension, numeric_test(&filter)?),
            other => return Err(unknown_kind(&filter, other, "numeric")),
        }
    };
    Ok(PredictionCondition { test })
}

fn group_condition(object: &Object<'_>) -> Result<GroupCondition, DefinitionError> {
    object.only(&["type", "is_member", "group_ids", "timeframe_filter"])?;
    let is_member = object.field("is_member")?.boolean()?;
    let ids = texts_of(&object.field("group_ids")?, MAX_GROUPS)?;
    let joined = match object.optional("timeframe_filter") {
        Some(node) if !is_member => {
            return Err(node.error("who is in none of the groups has joined none: no time is possible here"));
        }
        Some(node) => match filter_kind(&node)? {
            "date" => Some(date_test(&node, DatesOf::Groups)?),
            other => return Err(unknown_kind(&node, other, "date")),
        },
        None => None,
    };
    Ok(GroupCondition { is_member, ids, joined })
}

fn permission_condition(object: &Object<'_>) -> Result<PermissionCondition, DefinitionError> {
    object.only(&["type", "channel", "permission"])?;
    let channel_node = object.field("channel")?;
    let channel = match channel_node.text()? {
        "whatsapp_marketing" => Channel::WhatsappMarketing,
        "whatsapp_transactional" => Channel::WhatsappTransactional,
        other => {
            return Err(unknown(
                &channel_node,
                "channel",
                other,
                "whatsapp_marketing, whatsapp_transactional",
            ));
        }
    };
    let permission = object.field("permission")?.object()?;
    let status_node = permission.field("reachable_status")?;
    let (status, filtered) = match status_node.text()? {
        "explicitly_reachable" => (Reachable::Explicitly, true),
        "implicitly_reachable" => (Reachable::Implicitly, false),
        "implicitly_or_explicitly_reachable" => (Reachable::Either, false),
        "explicitly_unreachable" => (Reachable::NotExplicitly, true),
        "implicitly_unreachable" => (Reachable::NotImplicitly, false),
        "implicitly_or_explicitly_unreachable" => (Reachable::Neither, false),
        other => {
            let known = "explicitly_reachable, implicitly_reachable, implicitly_or_explicitly_reachable, \
                         explicitly_unreachable, implicitly_unreachable, implicitly_or_explicitly_unreachable";
            return Err(unknown(&status_node, "status", other, known));
        }
    };
    let mut filters = Vec::new();
    if filtered {
        permission.only(&["reachable_status", "filters"])?;
        if let Some(list) = permission.optional("filters") {
            for node in list.items()? {
                if filters.len() == MAX_METRIC_FILTERS {
                    return Err(node.error(format!("at most {MAX_METRIC_FILTERS} filters are possible")));
                }
                filters.push(permission_filter(&node)?);
            }
        }
    } else {
        permission.only(&["reachable_status"])?;
    }
    Ok(PermissionCondition { channel, status, filters })
}

fn permission_filter(node: &Node<'_>) -> Result<ConsentFilter, DefinitionError> {
    let object = node.object()?;
    let field_node = object.field("field")?;
    let date = |field| {
        object.only(&["field", "filter"])?;
        let filter = object.field("filter")?;
        match filter_kind(&filter)? {
            "date" => {
                let filter = Filter::Date(date_test(&filter, DatesOf::Profiles)?);
                Ok(ConsentFilter::Date { field, filter })
            }
            other => Err(unknown_kind(&filter, other, "date")),
        }
    };
    match field_node.text()? {
        "effective_date" => date(ConsentDate::Status),
        "recorded_date" => date(ConsentDate::Recorded),
        "subscribe_method" => method_filter(&object),
        other => Err(unknown(&field_node, "field", other, "effective_date, recorded_date, subscribe_method")),
    }
}

fn method_filter(object: &Object<'_>) -> Result<ConsentFilter, DefinitionError> {
    object.only(&["field", "method", "filter"])?;
    let method = object.field("method")?;
    let name = method.text()?;
    if !METHODS.split(", ").any(|known| known == name) {
        return Err(unknown(&method, "method", name, METHODS));
    }
    let filter = object.optional("filter").map(|filter| source_filter(&filter)).transpose()?;
    Ok(ConsentFilter::Method { method: name.to_owned(), filter })
}

/// Of ours: a part of all profiles, which stays the same.
fn sample_condition(object: &Object<'_>) -> Result<SampleCondition, DefinitionError> {
    object.only(&["type", "percentage", "seed"])?;
    let node = object.field("percentage")?;
    let parts = match node.value() {
        number @ Value::Number(_) => canonical::money::decimal_from_json(number),
        _ => None,
    };
    let parts = parts.and_then(|percentage| percentage.checked_mul(100.into())).filter(Decimal::is_integer);
    let parts = parts.and_then(|parts| u64::try_from(parts).ok()).filter(|parts| *parts <= 10_000);
    let parts = parts
        .ok_or_else(|| node.error("a percentage from 0 to 100 with at most two decimals is expected"))?;
    let seed = object.optional("seed").map(|seed| seed.text().map(ToOwned::to_owned)).transpose()?;
    Ok(SampleCondition { seed: seed.unwrap_or_default(), parts })
}

fn metric_condition(object: &Object<'_>) -> Result<MetricCondition, DefinitionError> {
    object.only(&[
        "type",
        "metric_id",
        "metric_ids",
        "metric_name",
        "measurement",
        "measurement_filter",
        "timeframe_filter",
        "metric_filters",
    ])?;
    let measurement = object.field("measurement")?;
    let test = object.field("measurement_filter")?;
    let timeframe = object.field("timeframe_filter")?;
    let filters = metric_filters(object)?;
    let condition = MetricCondition {
        metrics: metrics(object)?,
        measurement: match measurement.text()? {
            "count" => Measurement::Count,
            "sum" => Measurement::Sum,
            other => return Err(unknown(&measurement, "measurement", other, "count, sum")),
        },
        test: match filter_kind(&test)? {
            "numeric" => numeric_test(&test)?,
            other => return Err(unknown_kind(&test, other, "numeric")),
        },
        timeframe: match filter_kind(&timeframe)? {
            "date" => date_test(&timeframe, DatesOf::Events)?,
            other => return Err(unknown_kind(&timeframe, other, "date")),
        },
        filters,
    };
    let moving = (0..).zip(&condition.filters).filter(|(_, filter)| filter.is_moving());
    for (number, (place, filter)) in moving.enumerate() {
        let error = |detail| Err(object.field("metric_filters")?.items()?[place].error(detail));
        if number > 0 {
            return error("only one date that moves with the present is possible");
        }
        if condition.timeframe != DateTest::Alltime {
            return error("with a date that moves with the present, `timeframe_filter` must be `alltime`");
        }
        if filter.property.is_many() {
            return error("a date that moves with the present needs a property with one value");
        }
    }
    Ok(condition)
}

fn metric_filters(object: &Object<'_>) -> Result<Vec<PropertyCondition>, DefinitionError> {
    let mut filters = Vec::new();
    if let Some(list) = object.optional("metric_filters") {
        for node in list.items()? {
            if filters.len() == MAX_METRIC_FILTERS {
                return Err(
                    node.error(format!("a condition has at most {MAX_METRIC_FILTERS} metric filters"))
                );
            }
            filters.push(metric_filter(&node)?);
        }
    }
    Ok(filters)
}

fn metric_filter(node: &Node<'_>) -> Result<PropertyCondition, DefinitionError> {
    let object = node.object_of(&["property", "filter"])?;
    let name = object.field("property")?;
    if name.text()?.is_empty() {
        return Err(name.error("the name of an event's property is expected"));
    }
    let property = property::Path::of_event(name.text()?).map_err(|detail| name.error(detail))?;
    let filter = object.optional("filter").ok_or_else(|| {
        node.error("`filter` is required; to ask whether the property is there, use `existence`")
    })?;
    let parsed = match filter_kind(&filter)? {
        "string" => text_filter(&filter, false)?,
        "numeric" => Filter::Number(numeric_test(&filter)?),
        "boolean" => boolean_filter(&filter)?,
        "existence" => existence_filter(&filter)?,
        "list" => list_filter(&filter, false)?,
        "date" => Filter::Date(date_test(&filter, DatesOf::Profiles)?),
        other => return Err(unknown_kind(&filter, other, "string, numeric, boolean, existence, list, date")),
    };
    Ok(PropertyCondition { property, filter: parsed })
}

fn property_condition(object: &Object<'_>) -> Result<PropertyCondition, DefinitionError> {
    object.only(&["type", "property", "filter"])?;
    let name = object.field("property")?;
    let property = property::Path::of_profile(name.text()?).map_err(|detail| name.error(detail))?;
    let filter = object.field("filter")?;
    let parsed = match filter_kind(&filter)? {
        "string" => text_filter(&filter, true)?,
        "numeric" => Filter::Number(numeric_test(&filter)?),
        "boolean" => boolean_filter(&filter)?,
        "existence" => existence_filter(&filter)?,
        "list" => list_filter(&filter, true)?,
        "date" => Filter::Date(date_test(&filter, DatesOf::Profiles)?),
        other => {
            return Err(unknown_kind(&filter, other, "string, numeric, boolean, existence, list, date"));
        }
    };
    Ok(PropertyCondition { property, filter: parsed })
}

fn consent_condition(object: &Object<'_>) -> Result<ConsentCondition, DefinitionError> {
    object.only(&["type", "consent"])?;
    let consent =
        object.field("consent")?.object_of(&["channel", "can_receive_marketing", "consent_status"])?;
    let channel_node = consent.field("channel")?;
    let channel = match channel_node.text()? {
        "email" => Channel::Email,
        "sms" => Channel::Sms,
        "push" => Channel::Push,
        other => return Err(unknown(&channel_node, "channel", other, "email, sms, push")),
    };
    let can_receive = consent.field("can_receive_marketing")?.boolean()?;
    let status = consent.field("consent_status")?.object_of(&["subscription", "filters"])?;
    let subscription_node = status.field("subscription")?;
    let subscription = match subscription_node.text()? {
        "any" => Subscription::Any,
        "subscribed" => Subscription::Subscribed,
        "unsubscribed" => Subscription::Unsubscribed,
        "never_subscribed" => Subscription::NeverSubscribed,
        other => {
            return Err(unknown(
                &subscription_node,
                "subscription",
                other,
                "any, subscribed, unsubscribed, never_subscribed",
            ));
        }
    };
    let mut filters = Vec::new();
    if let Some(list) = status.optional("filters") {
        for node in list.items()? {
            if filters.len() == MAX_METRIC_FILTERS {
                return Err(node.error(format!("at most {MAX_METRIC_FILTERS} filters are possible here")));
            }
            filters.push(consent_filter(&node)?);
        }
    }
    Ok(ConsentCondition { channel, can_receive, subscription, filters })
}

const METHODS: &str = "form, api, preference_page, inbound_message, back_in_stock, sftp, manual_import, \
    manual_add, manual_remove, bulk_remove, integration, checkout, spam_complaint, mailbox_provider, \
    one_click_unsubscribe, data_warehouse_import, profile_modification, carrier_deactivation, \
    provided_landline, message_blocked, provided_no_age, failed_age_gate";

fn consent_filter(node: &Node<'_>) -> Result<ConsentFilter, DefinitionError> {
    let object = node.object()?;
    let field_node = object.field("field")?;
    let field = field_node.text()?;
    if field == "method" {
        return method_filter(&object);
    }
    object.only(&["field", "filter"])?;
    let filter = object.field("filter")?;
    let date = |field, may_exist| {
        let parsed = match filter_kind(&filter)? {
            "date" => Filter::Date(date_test(&filter, DatesOf::Profiles)?),
            "existence" if may_exist => existence_filter(&filter)?,
            other => return Err(unknown_kind(&filter, other, "date")),
        };
        Ok(ConsentFilter::Date { field, filter: parsed })
    };
    let boolean = || match filter_kind(&filter)? {
        "boolean" => boolean_filter(&filter),
        other => Err(unknown_kind(&filter, other, "boolean")),
    };
    match field {
        "status_date" => date(ConsentDate::Status, false),
        "bounce_date" => date(ConsentDate::Bounce, true),
        "manual_suppression_date" => date(ConsentDate::ManualSuppression, true),
        "invalid_email_date" => date(ConsentDate::InvalidEmail, true),
        "is_double_opt_in" => boolean().map(ConsentFilter::DoubleOptIn),
        "is_rcs_capable" => boolean().map(ConsentFilter::RcsCapable),
        "custom_source" => source_filter(&filter).map(ConsentFilter::CustomSource),
        other => Err(unknown(
            &field_node,
            "field",
            other,
            "method, status_date, is_double_opt_in, custom_source, bounce_date, manual_suppression_date, \
             invalid_email_date, is_rcs_capable",
        )),
    }
}

/// `equals` or `in`, on the source of a consent.
fn source_filter(node: &Node<'_>) -> Result<Filter, DefinitionError> {
    let parsed = match filter_kind(node)? {
        "string" => text_filter(node, false)?,
        other => return Err(unknown_kind(node, other, "string")),
    };
    match parsed {
        Filter::Text { test: TextTest::Equals, negated: false, .. }
        | Filter::TextIn { negated: false, .. } => Ok(parsed),
        _ => Err(node.object()?.field("operator")?.error("only `equals` and `in` are possible here")),
    }
}
