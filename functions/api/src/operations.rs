//! All operations there are.

use crate::operation::Operation;
use crate::{
    api_keys, authorize, back_in_stock, bulk_events, bulk_profiles, catalog, client, connections, consent,
    custom_metrics, dead_letters, deletions, deliveries, events, imports, legacy, lists, mapped_metrics,
    metric_aggregates, metric_properties, metrics, parity, platforms, predictions, profile_merges, profiles,
    segment_explain, segment_history, segment_jobs, segment_preview, segments, tagging, tags,
};

/// By module: a further one is a further line.
static ALL: &[&[Operation]] = &[
    events::OPERATIONS,
    bulk_events::OPERATIONS,
    metrics::OPERATIONS,
    metric_properties::OPERATIONS,
    metric_aggregates::OPERATIONS,
    custom_metrics::OPERATIONS,
    mapped_metrics::OPERATIONS,
    profiles::OPERATIONS,
    profile_merges::OPERATIONS,
    deletions::OPERATIONS,
    bulk_profiles::OPERATIONS,
    lists::OPERATIONS,
    consent::OPERATIONS,
    segments::OPERATIONS,
    tags::OPERATIONS,
    tagging::OPERATIONS,
    client::OPERATIONS,
    legacy::OPERATIONS,
    segment_preview::OPERATIONS,
    segment_explain::OPERATIONS,
    segment_history::OPERATIONS,
    segment_jobs::OPERATIONS,
    predictions::OPERATIONS,
    connections::OPERATIONS,
    authorize::OPERATIONS,
    imports::OPERATIONS,
    parity::OPERATIONS,
    platforms::OPERATIONS,
    dead_letters::OPERATIONS,
    deliveries::OPERATIONS,
    api_keys::OPERATIONS,
    catalog::OPERATIONS,
    catalog::RELATED,
    catalog::RELATIONS,
    catalog::JOBS,
    back_in_stock::OPERATIONS,
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    ALL.iter().copied().flatten()
}
