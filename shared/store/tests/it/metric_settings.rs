use canonical::Instant;
use serde_json::json;
use store::{CustomMetricRecord, Error, MappedMetricRecord, MetricSettings};
use testing::World;

use crate::now;

fn custom(id: &str, at: Instant) -> CustomMetricRecord {
    CustomMetricRecord {
        id: id.to_owned(),
        name: format!("Metric {id}"),
        definition: json!({"aggregation_method": "count", "metric_groups": [{"metric_id": "M1"}]}),
        created_at: at,
        updated_at: at,
    }
}

#[tokio::test]
async fn custom_and_mapped_metrics_change_only_as_they_were_read() {
    let world = World::start().await;
    let store = &world.store;
    assert_eq!(store.metric_settings().await.unwrap(), MetricSettings::default());
    let (first, second) = (custom("C1", now()), custom("C2", now()));
    store.put_custom_metric(&first, 0).await.unwrap();
    assert!(matches!(store.put_custom_metric(&second, 0).await, Err(Error::Conflict)));
    store.put_custom_metric(&second, 1).await.unwrap();
    let mapped = MappedMetricRecord {
        id: "revenue".to_owned(),
        metric_id: None,
        custom_metric_id: Some("C1".to_owned()),
        updated_at: now(),
    };
    assert!(matches!(store.put_mapped_metric(&mapped, 1).await, Err(Error::Conflict)));
    store.put_mapped_metric(&mapped, 2).await.unwrap();
    let all =
        MetricSettings { version: 3, custom: vec![first, second.clone()], mapped: vec![mapped.clone()] };
    assert_eq!(store.metric_settings().await.unwrap(), all);
    assert!(matches!(store.delete_custom_metric("C1", 2).await, Err(Error::Conflict)));
    store.delete_custom_metric("C1", 3).await.unwrap();
    let left = MetricSettings { version: 4, custom: vec![second], mapped: vec![mapped] };
    assert_eq!(store.metric_settings().await.unwrap(), left);
}
