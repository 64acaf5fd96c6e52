//! Functions whose clocks disagree, and events of the future.

use canonical::{Event, Instant, Profile, Source};
use evaluation::{Change, ChangeKind, Evaluator};
use jiff::tz::TimeZone;
use runtime::Clock;
use serde_json::{Map, Value, json};
use store::StoredEvent;
use testing::{NOW_MS, World, at};

use crate::define;

const SEGMENT: &str = "RECENT";
const HOUR_MS: i64 = 3_600_000;
const MIDNIGHT_MS: i64 = NOW_MS + 12 * HOUR_MS;

fn recent() -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-metric", "metric_id": "ORDERS", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than", "value": 0},
        "timeframe_filter": {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 1},
    }]}]})
}

fn order(occurred_ms: i64) -> StoredEvent {
    StoredEvent {
        profile_id: "ada".to_owned(),
        metric_id: "ORDERS".to_owned(),
        ingested_at: at(NOW_MS),
        event: Event {
            id: Event::id_of("C1", "Placed Order", &[&occurred_ms.to_string()]),
            metric: "Placed Order".to_owned(),
            source_metric: None,
            occurred_at: at(occurred_ms),
            value: None,
            properties: Map::new(),
            source: Source {
                platform: "shopify".to_owned(),
                connection: "C1".to_owned(),
                topic: "orders/create".to_owned(),
                delivery_id: "1".to_owned(),
            },
            backfill: false,
        },
    }
}

/// A world with Ada, who ordered at an instant, as a function at noon has seen it.
struct Shop {
    world: World,
    position: u128,
}

impl Shop {
    async fn open(occurred_ms: i64) -> Self {
        let world = World::start().await;
        define(&world.store, SEGMENT, recent(), true).await;
        world.store.put_profile(&Profile::new("ada".to_owned(), at(NOW_MS)), 0).await.unwrap();
        let mut shop = Self { world, position: 0 };
        shop.apply(NOW_MS, ChangeKind::ProfileCreated).await;
        let order = order(occurred_ms);
        shop.world.store.put_event(&order).await.unwrap();
        shop.apply(NOW_MS, ChangeKind::Event(order)).await;
        shop
    }

    /// Applies a change in a function whose clock says so.
    async fn apply(&mut self, now_ms: i64, kind: ChangeKind) {
        self.position += 1;
        let clock = Clock::from_fn(move || at(now_ms).timestamp());
        let evaluator = Evaluator::over(self.world.store.clone(), clock, TimeZone::UTC);
        let program = evaluator.program().await.unwrap();
        let loaded = evaluator.load(&["ada"]).await.unwrap();
        let change = Change { position: self.position, kind };
        evaluator.evaluate(&program, "ada", &loaded, &[change]).await.unwrap();
    }

    async fn is_member(&self) -> bool {
        let member = self.world.store.membership("ada", SEGMENT).await.unwrap();
        member.is_some_and(|member| member.current)
    }

    async fn left_at(&self) -> Option<Instant> {
        self.world.store.membership("ada", SEGMENT).await.unwrap().and_then(|member| member.left_at)
    }

    /// Since when somebody is due, as a clock at this instant sees it.
    async fn due(&self, now_ms: i64) -> Vec<i64> {
        let mut due = Vec::new();
        for shard in store::Store::due_shards() {
            let page = self.world.store.due(shard, now_ms, None, 10).await.unwrap();
            due.extend(page.items.into_iter().map(|(_, due_ms)| due_ms));
        }
        due
    }
}

#[tokio::test]
async fn what_a_function_ahead_has_seen_a_function_behind_does_not_take_back() {
    let mut shop = Shop::open(NOW_MS - 24 * HOUR_MS).await;
    assert!(shop.is_member().await);
    shop.apply(MIDNIGHT_MS + 1000, ChangeKind::ProfileChanged).await;
    assert_eq!((shop.is_member().await, shop.left_at().await), (false, Some(at(MIDNIGHT_MS))));
    // Ten minutes behind, it is yesterday still, in which she would belong.
    for kind in [
        ChangeKind::ProfileChanged,
        ChangeKind::Tick { touched_ms: MIDNIGHT_MS - 600_000 },
        ChangeKind::EventRemoved,
    ] {
        shop.apply(MIDNIGHT_MS - 600_000, kind).await;
        assert_eq!((shop.is_member().await, shop.left_at().await), (false, Some(at(MIDNIGHT_MS))));
        assert!(shop.due(MIDNIGHT_MS + 1000).await.is_empty());
    }
    // She orders anew, and the function behind counts it.
    let order = order(MIDNIGHT_MS - 700_000);
    shop.world.store.put_event(&order).await.unwrap();
    shop.apply(MIDNIGHT_MS - 600_000, ChangeKind::Event(order)).await;
    assert!(shop.is_member().await);
    assert_eq!(shop.due(i64::MAX / 4).await, [MIDNIGHT_MS + 24 * HOUR_MS]);
}

#[tokio::test]
async fn a_touch_by_a_clock_ahead_is_enough_for_a_function_behind() {
    let mut shop = Shop::open(NOW_MS - 24 * HOUR_MS).await;
    assert_eq!(shop.due(MIDNIGHT_MS).await, [MIDNIGHT_MS]);
    // The clock is two minutes ahead of the evaluator: one touch, and she is not due any more.
    shop.apply(MIDNIGHT_MS - 120_000, ChangeKind::Tick { touched_ms: MIDNIGHT_MS }).await;
    assert_eq!((shop.is_member().await, shop.left_at().await), (false, Some(at(MIDNIGHT_MS))));
    assert!(shop.due(MIDNIGHT_MS + HOUR_MS).await.is_empty());
}

#[tokio::test]
async fn a_clock_that_is_days_ahead_is_not_believed() {
    let mut shop = Shop::open(NOW_MS - 24 * HOUR_MS).await;
    shop.apply(NOW_MS, ChangeKind::Tick { touched_ms: NOW_MS + 72 * HOUR_MS }).await;
    assert!(shop.is_member().await);
    assert_eq!(shop.due(MIDNIGHT_MS).await, [MIDNIGHT_MS]);
}

#[tokio::test]
async fn an_event_of_the_future_counts_from_the_instant_at_which_it_happens() {
    let occurs_ms = NOW_MS + 2 * HOUR_MS;
    let mut shop = Shop::open(occurs_ms).await;
    assert!(!shop.is_member().await);
    assert_eq!(shop.due(occurs_ms).await, [occurs_ms]);
    shop.apply(occurs_ms - 1, ChangeKind::Tick { touched_ms: occurs_ms - 1 }).await;
    assert!(!shop.is_member().await);
    shop.apply(occurs_ms + 40_000, ChangeKind::Tick { touched_ms: occurs_ms + 30_000 }).await;
    let member = shop.world.store.membership("ada", SEGMENT).await.unwrap().unwrap();
    assert_eq!((member.current, member.joined_at), (true, Some(at(occurs_ms))));
    // Its day ends two midnights later: that of the day on which it happened does not count.
    assert_eq!(shop.due(i64::MAX / 4).await, [MIDNIGHT_MS + 24 * HOUR_MS]);
}
