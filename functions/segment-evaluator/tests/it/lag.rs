//! How long it takes until an event counts, as it is told to those who watch.

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::{Shop, order, orders};

/// Not `tokio::test`: the recorder is that of this thread.
#[test]
fn what_happened_is_timed_once_it_counts_and_what_is_imported_is_not() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let shop = Shop::open().await;
            shop.define("ONE", orders(1)).await;
            let ada = shop.person("ada@example.com").await;
            shop.order(&ada, "1").await;
            let mut old = order(&ada, "2");
            old.event.backfill = true;
            shop.world.store.put_event(&old).await.unwrap();
            shop.world.pass(500);
            shop.evaluate_all().await;
        });
    });
    let written = recorder.handle().render();
    // It happened a second before the present, which has moved on by half a second.
    assert!(written.contains("event_lag_ms_sum 1500\n"), "{written}");
    assert!(written.contains("event_lag_ms_count 1\n"), "{written}");
}
