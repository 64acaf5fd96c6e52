//! What is stored in the end is what a fresh look at everything that is stored says, whoever evaluated what when:
//! batches that come again, functions that race for one profile, definitions that change meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use canonical::{Event, Profile, Source};
use evaluation::{Change, ChangeKind, Evaluator};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;
use runtime::Clock;
use segments::{Definition, Segment, naive};
use serde_json::{Value, json};
use store::{StoredEvent, Versioned};
use testing::{Answer, NOW_MS, World, at};
use tokio::sync::Mutex;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// By how much the clock of the second function is behind.
const ERROR: i64 = HOUR / 20;

#[derive(Clone, Debug)]
enum Step {
    /// An order of so many hours ago.
    Order(i64),
    Tier(&'static str),
    /// The newest order is deleted.
    Remove,
    /// Somebody turns out to be the same person, with orders that were known for days.
    Merge(Vec<i64>),
    Pass(i64),
    Define(usize, Value),
    /// So many of the records before come again, and so many new ones.
    Deliver(usize, usize, Race),
    /// As a job does that brings everybody up to the definitions.
    Backfill(Race),
    Tick(Race),
}

/// What another function does to the same profile just before this one writes.
#[derive(Clone, Copy, Debug)]
enum Race {
    Alone,
    /// The same records but for so many at the end, and so many before them: a batch that was given up, and is still
    /// worked on. No batch begins behind a record that was not applied yet.
    Deliver(usize, usize),
    Backfill,
}

fn alone(condition: &Value) -> Value {
    json!({"condition_groups": [{"conditions": [condition]}]})
}

fn definition() -> impl Strategy<Value = Value> {
    let orders = (
        select(vec!["equals", "greater-than-or-equal"]),
        0..4_i64,
        prop_oneof![
            1 => Just(json!({"type": "date", "operator": "alltime"})),
            2 => (0..4_i64).prop_map(|days| {
                json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": days})
            }),
        ],
    )
        .prop_map(|(operator, count, timeframe)| {
            alone(&json!({
                "type": "profile-metric", "metric_id": "ORDERS", "measurement": "count",
                "measurement_filter": {"type": "numeric", "operator": operator, "value": count},
                "timeframe_filter": timeframe,
            }))
        });
    let tier = select(vec!["Gold", "Silver"]).prop_map(|tier| {
        alone(&json!({
            "type": "profile-property", "property": "properties['Tier']",
            "filter": {"type": "string", "operator": "equals", "value": tier},
        }))
    });
    let group = any::<bool>().prop_map(|is_member| {
        alone(&json!({"type": "profile-group-membership", "is_member": is_member, "group_ids": ["SEGM00"]}))
    });
    prop_oneof![4 => orders, 1 => tier, 1 => group]
}

fn race() -> impl Strategy<Value = Race> {
    prop_oneof![
        2 => Just(Race::Alone),
        2 => (0..4_usize, 0..4_usize).prop_map(|(before, fewer)| Race::Deliver(before, fewer)),
        2 => Just(Race::Backfill),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..80_i64).prop_map(Step::Order),
        2 => select(vec!["Gold", "Silver"]).prop_map(Step::Tier),
        1 => Just(Step::Remove),
        1 => prop::collection::vec(0..80_i64, 1..3).prop_map(Step::Merge),
        2 => (0..30 * HOUR).prop_map(Step::Pass),
        2 => (0..2_usize, definition()).prop_map(|(place, definition)| Step::Define(place, definition)),
        6 => (0..4_usize, 1..4_usize, race()).prop_map(|(again, new, race)| Step::Deliver(again, new, race)),
        2 => race().prop_map(Step::Backfill),
        1 => race().prop_map(Step::Tick),
    ]
}

/// A shop with one customer, and two functions.
struct Shop {
    world: World,
    function: Evaluator,
    rival: Arc<Evaluator>,
    clock: Arc<AtomicI64>,
    stream: Vec<Change>,
    delivered: usize,
    orders: usize,
}

impl Shop {
    async fn open() -> Self {
        let world = World::start().await;
        let clock = Arc::new(AtomicI64::new(NOW_MS));
        let clock_of = |error: i64| {
            let clock = Arc::clone(&clock);
            Clock::from_fn(move || Timestamp::from_millisecond(clock.load(Ordering::SeqCst) - error).unwrap())
        };
        let function = Evaluator::over(world.function_store(), clock_of(0), TimeZone::UTC);
        let rival = Arc::new(Evaluator::over(world.store.clone(), clock_of(ERROR), TimeZone::UTC));
        world.store.put_profile(&Profile::new("ada".to_owned(), at(NOW_MS)), 0).await.unwrap();
        let mut shop = Self { world, function, rival, clock, stream: Vec::new(), delivered: 0, orders: 0 };
        shop.tell(ChangeKind::ProfileCreated);
        shop
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    fn tell(&mut self, kind: ChangeKind) {
        self.stream.push(Change { position: self.stream.len() as u128 + 1, kind });
    }

    async fn ada(&self) -> Versioned<Profile> {
        self.world.store.profile("ada").await.unwrap().unwrap()
    }

    fn order(&mut self, profile: &str, hours_ago: i64, ingested: i64) -> StoredEvent {
        self.orders += 1;
        let key = self.orders.to_string();
        let source = Source {
            platform: "shopify".to_owned(),
            connection: "C1".to_owned(),
            topic: "orders/create".to_owned(),
            delivery_id: key.clone(),
        };
        StoredEvent {
            profile_id: profile.to_owned(),
            metric_id: "ORDERS".to_owned(),
            ingested_at: at(ingested),
            event: Event {
                id: Event::id_of("C1", "ORDERS", &[&key]),
                metric: "Placed Order".to_owned(),
                source_metric: None,
                occurred_at: at(self.now() - hours_ago * HOUR),
                value: None,
                properties: serde_json::Map::new(),
                source,
                backfill: false,
            },
        }
    }

    /// The rival comes first, in the middle of what the function does.
    fn interfere(&self, from: usize, race: Race) {
        let changes = match race {
            Race::Alone => return self.world.let_pass(),
            Race::Deliver(before, fewer) => {
                let until = self.delivered.saturating_sub(fewer).max(from);
                self.stream[from.saturating_sub(before)..until].to_vec()
            }
            Race::Backfill => Vec::new(),
        };
        let turn = Arc::new(Mutex::new(Some((Arc::clone(&self.rival), changes))));
        self.world.intercept(move |call| {
            let turn = Arc::clone(&turn);
            async move {
                if matches!(call.operation.as_str(), "PutItem" | "TransactWriteItems")
                    && let Some((rival, changes)) = turn.lock().await.take()
                {
                    evaluate(&rival, &changes).await;
                }
                Answer::Pass
            }
        });
    }

    async fn deliver(&mut self, again: usize, new: usize, race: Race) {
        let from = self.delivered.saturating_sub(again);
        self.delivered = self.stream.len().min(self.delivered + new);
        self.interfere(from, race);
        evaluate(&self.function, &self.stream[from..self.delivered]).await;
        self.world.let_pass();
    }

    /// What segments show whose definition has changed and is not whole yet, with its version.
    async fn held(&self) -> BTreeMap<(String, u64), bool> {
        let mut held = BTreeMap::new();
        for segment in self.world.store.segments().await.unwrap() {
            if segment.shown_version < segment.version {
                let membership = self.world.store.membership("ada", &segment.id).await.unwrap();
                let shows = membership.is_some_and(|member| member.current);
                held.insert((segment.id, segment.shown_version), shows);
            }
        }
        held
    }

    /// A step, over which nothing changes in what is held back.
    async fn checked(&mut self, step: Step) {
        let before = self.held().await;
        self.step(step).await;
        for (segment, shows) in self.held().await {
            assert_eq!(*before.get(&segment).unwrap_or(&shows), shows, "{segment:?}");
        }
    }

    async fn step(&mut self, step: Step) {
        let now = self.now();
        match step {
            Step::Order(hours_ago) => {
                let order = self.order("ada", hours_ago, now);
                self.world.store.put_event(&order).await.unwrap();
                self.tell(ChangeKind::Event(order));
            }
            Step::Tier(tier) => {
                let mut ada = self.ada().await;
                ada.value.attributes.insert("properties".to_owned(), json!({"Tier": tier}));
                ada.value.updated_at = at(now);
                self.world.store.put_profile(&ada.value, ada.version).await.unwrap();
                self.tell(ChangeKind::ProfileChanged);
            }
            Step::Remove => {
                let history = self.world.store.history("ada").await.unwrap();
                if let Some(newest) = history.iter().max_by_key(|stored| stored.event.occurred_at.as_millis())
                {
                    self.world.delete_item("profiles", "p#ada", &format!("e#{}", newest.event.id));
                    self.tell(ChangeKind::EventRemoved);
                }
            }
            Step::Merge(orders) => {
                let id = format!("bob{}", self.orders);
                let bob = Profile::new(id.clone(), at(now - 5 * DAY));
                let bob = self.world.store.put_profile(&bob, 0).await.unwrap();
                let mut moved = Vec::new();
                for hours_ago in orders {
                    let order = self.order(&id, hours_ago, now - 4 * DAY);
                    self.world.store.put_event(&order).await.unwrap();
                    moved.push(order.event.id);
                }
                let ada = self.ada().await;
                self.world.store.merge_profiles(ada, bob, at(now)).await.unwrap();
                self.tell(ChangeKind::ProfileChanged);
                for id in moved {
                    let order = self.world.store.event("ada", &id).await.unwrap().unwrap();
                    self.tell(ChangeKind::Event(order));
                }
            }
            Step::Pass(millis) => {
                // The stream keeps a record for a day.
                self.deliver(0, usize::MAX >> 1, Race::Alone).await;
                self.clock.fetch_add(millis, Ordering::SeqCst);
            }
            Step::Define(place, definition) => {
                let id = format!("SEGM0{place}");
                let is_of_itself = place == 0 && definition.to_string().contains("SEGM00");
                if !is_of_itself {
                    crate::define(&self.world.store, &id, definition, true).await;
                }
            }
            Step::Deliver(again, new, race) => self.deliver(again, new, race).await,
            Step::Backfill(race) => {
                self.interfere(self.delivered, race);
                evaluate(&self.function, &[]).await;
                self.world.let_pass();
                // Ada is everybody.
                for segment in self.world.store.segments().await.unwrap() {
                    self.world.store.segment_is_ready(&segment.id, segment.version).await.unwrap();
                }
            }
            Step::Tick(race) => {
                self.tell(ChangeKind::Tick { touched_ms: now });
                self.deliver(0, usize::MAX >> 1, race).await;
            }
        }
    }

    /// Everything is delivered at last.
    async fn finish(&mut self) {
        self.clock.fetch_add(2 * ERROR, Ordering::SeqCst);
        self.step(Step::Backfill(Race::Alone)).await;
        self.step(Step::Tick(Race::Alone)).await;
        let stored = self.world.store.memberships("ada").await.unwrap();
        let stored: BTreeSet<String> =
            stored.into_iter().filter(|member| member.current).map(|member| member.segment_id).collect();
        assert_eq!(stored, self.naive().await);
        // And no membership changes when it all comes again.
        let memberships = |world: &World| {
            let mut items = world.items("profiles");
            items.retain(|(_, sort), _| sort.starts_with("s#"));
            items
        };
        let before = memberships(&self.world);
        for evaluator in [&self.function, &*self.rival] {
            evaluate(evaluator, &self.stream).await;
            assert_eq!(memberships(&self.world), before);
        }
    }

    async fn naive(&self) -> BTreeSet<String> {
        let history = self.world.store.history("ada").await.unwrap();
        let events: Vec<segments::Event<'_>> = history
            .iter()
            .map(|stored| segments::Event {
                id: &stored.event.id,
                metric_id: &stored.metric_id,
                metric: &stored.event.metric,
                occurred_ms: stored.event.occurred_at.as_millis(),
                ingested_ms: stored.ingested_at.as_millis(),
                value: stored.event.value.map(|value| value.amount),
                properties: &stored.event.properties,
            })
            .collect();
        let segments = self.world.store.segments().await.unwrap().into_iter().map(|segment| Segment {
            definition: Definition::parse(&segment.definition).unwrap(),
            id: segment.id,
            version: segment.version,
        });
        let segments: Vec<Segment> = segments.collect();
        naive::members(&segments, &TimeZone::UTC.into(), &self.ada().await.value, &events, self.now())
    }
}

async fn evaluate(evaluator: &Evaluator, changes: &[Change]) {
    let program = evaluator.program().await.unwrap();
    let loaded = evaluator.load(&["ada"]).await.unwrap();
    evaluator.evaluate(&program, "ada", &loaded, changes).await.unwrap();
}

fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    // Its own default takes minutes with tables; PROPTEST_CASES sets another number.
    let cases = if given.cases == 256 { 40 } else { given.cases };
    ProptestConfig { cases, max_shrink_iters: 500, failure_persistence: None, ..given }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn stored_memberships_are_those_of_the_stored_history(
        definitions in prop::collection::vec(definition(), 2),
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut shop = Shop::open().await;
            for (place, definition) in definitions.into_iter().enumerate() {
                shop.step(Step::Define(place, definition)).await;
            }
            for step in steps {
                shop.checked(step).await;
            }
            shop.finish().await;
        });
    }
}
