//! All operations there are.

use crate::operation::Operation;
use crate::{
    api_keys, authorize, bulk_events, bulk_profiles, connections, consent, custom_metrics, dead_letters,
    events, imports, lists, mapped_metrics, metric_aggregates, metric_properties, metrics, parity, platforms,
    predictions, profiles, segment_explain, segment_history, segment_jobs, segment_preview, segments,
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
    bulk_profiles::OPERATIONS,
    lists::OPERATIONS,
    consent::OPERATIONS,
    segments::OPERATIONS,
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
    api_keys::OPERATIONS,
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    ALL.iter().copied().flatten()
}
