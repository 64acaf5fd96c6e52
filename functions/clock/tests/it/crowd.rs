//! Midnight over real tables: the clock, the stream and the evaluator.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lambda_events::dynamodb::Event as StreamEvent;
use canonical::{Event, Profile, Source};
use clock::ClockFunction;
use evaluation::Evaluator;
use jiff::tz::TimeZone;
use runtime::Config;
use segment_evaluator::SegmentEvaluator;
use serde_json::{Map, Value, json};
use store::{SegmentRecord, StoredEvent};
use testing::{JOBS_QUEUE, NOW_MS, World, at};

const SEGMENT: &str = "RECENT";
const PEOPLE: usize = 320;
const DAY_MS: i64 = 86_400_000;
/// Midnight, at which orders of 16 June are no longer of the last day.
const MIDNIGHT_MS: i64 = NOW_MS + DAY_MS / 2;

/// Somebody who ordered in the last day.
fn recent() -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-metric", "metric_id": "ORDERS", "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than", "value": 0},
        "timeframe_filter": {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 1},
    }]}]})
}

fn order(profile: &str, at_ms: i64) -> StoredEvent {
    let source = Source {
        platform: "shopify".to_owned(),
        connection: "C1".to_owned(),
        topic: "orders/create".to_owned(),
        delivery_id: profile.to_owned(),
    };
    StoredEvent {
        profile_id: profile.to_owned(),
        metric_id: "ORDERS".to_owned(),
        ingested_at: at(at_ms),
        event: Event {
            id: Event::id_of("C1", "Placed Order", &[profile, &at_ms.to_string()]),
            metric: "Placed Order".to_owned(),
            source_metric: None,
            occurred_at: at(at_ms),
            value: None,
            properties: Map::new(),
            source,
            backfill: false,
        },
    }
}

struct Account {
    world: World,
    evaluator: SegmentEvaluator,
    /// Records of the stream that were evaluated.
    place: AtomicUsize,
}

impl Account {
    async fn open() -> Self {
        let world = World::start().await;
        let segment = SegmentRecord {
            id: SEGMENT.to_owned(),
            name: "Recent".to_owned(),
            definition: recent(),
            version: 1,
            is_active: true,
            is_starred: false,
            created_at: at(NOW_MS),
            updated_at: at(NOW_MS),
            resumed_version: 0,
            ready_version: 1,
            shown_version: 1,
        };
        world.store.put_zone("UTC", 0, None).await.unwrap();
        world.store.put_segment_definition(&segment, None).await.unwrap();
        let evaluator = Evaluator::over(world.store.clone(), world.clock(), TimeZone::UTC);
        Self { world, evaluator: SegmentEvaluator::new(evaluator), place: AtomicUsize::new(0) }
    }

    async fn bought(&self, profile: &str, at_ms: i64) {
        self.world.store.put_event(&order(profile, at_ms)).await.unwrap();
    }

    /// The evaluator works off what is in the stream.
    async fn evaluate(&self) {
        let records = self.world.stream();
        let before = self.place.swap(records.len(), Ordering::SeqCst);
        for batch in records[before..].chunks(100) {
            let mut event = StreamEvent::default();
            event.records = batch.to_vec();
            assert!(self.evaluator.handle(event).await.unwrap().batch_item_failures.is_empty());
        }
    }

    async fn members(&self) -> u64 {
        self.world.store.count_members(SEGMENT).await.unwrap()
    }
}

#[tokio::test]
async fn hundreds_leave_at_midnight_touched_once_each_and_who_buys_meanwhile_is_seen_at_once() {
    let account = Arc::new(Account::open().await);
    let ids: Vec<String> = (0..PEOPLE).map(|number| format!("{number:06}")).collect();
    for id in &ids {
        account.world.store.put_profile(&Profile::new(id.clone(), at(NOW_MS)), 0).await.unwrap();
        account.bought(id, MIDNIGHT_MS - DAY_MS - 1).await;
    }
    account.evaluate().await;
    assert_eq!(account.members().await, PEOPLE as u64);

    account.world.pass(MIDNIGHT_MS - NOW_MS + 500);
    let late = "buyer".to_owned();
    account.world.store.put_profile(&Profile::new(late.clone(), at(MIDNIGHT_MS)), 0).await.unwrap();
    account.evaluate().await;
    let rounds = Arc::new(AtomicUsize::new(0));
    let variables = [
        ("PROFILES_TABLE", "profiles"),
        ("REGISTRY_TABLE", "registry"),
        ("JOBS_QUEUE_URL", JOBS_QUEUE),
        ("TICKS_PER_SECOND", "96"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_map(BTreeMap::from(variables));
    let clock = ClockFunction::new(&config, &account.world.clients, account.world.clock());
    let (during, count) = (account.clone(), rounds.clone());
    let clock = clock.unwrap().waiting(move |millis| {
        let (account, count) = (during.clone(), count.clone());
        async move {
            // Somebody buys between two rounds: evaluated with what the first of them touched, and not after all.
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                account.bought("buyer", account.world.now().as_millis()).await;
            }
            account.world.pass(millis);
            Box::pin(account.evaluate()).await;
            assert!(account.world.store.membership("buyer", SEGMENT).await.unwrap().is_some());
        }
    });
    let report = clock.handle(Value::Null).await.unwrap();
    assert_eq!((report.spread.ticked, report.spread.is_behind), (PEOPLE as u64, false));
    // 6 a second in each of 16 parts, whose sizes differ a little.
    assert!((3..8).contains(&rounds.load(Ordering::SeqCst)), "{rounds:?}");
    account.evaluate().await;
    assert_eq!(account.members().await, 1, "the one who bought");
    let mut ticks: HashMap<String, u32> = HashMap::new();
    for record in account.world.stream() {
        let keys = serde_json::to_value(&record.change.keys).unwrap();
        if keys["sk"]["S"] == "tick" || keys["sk"] == "tick" {
            *ticks.entry(keys["pk"].to_string()).or_default() += 1;
        }
    }
    assert_eq!(ticks.len(), PEOPLE);
    assert!(ticks.values().all(|count| *count == 1));
    // Everybody left at midnight, however late that was seen.
    let left = account.world.store.membership(&ids[17], SEGMENT).await.unwrap().unwrap();
    assert_eq!((left.current, left.left_at), (false, Some(at(MIDNIGHT_MS))));
    // Nobody is due any more.
    account.world.pass(60_000);
    assert_eq!(clock.handle(Value::Null).await.unwrap().spread.ticked, 0);
}
