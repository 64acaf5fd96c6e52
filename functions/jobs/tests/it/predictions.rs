//! The model of everybody's orders, from the job that fits it to the memberships that time changes because of it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use aws_lambda_events::dynamodb::Event as StreamEvent;
use canonical::{Event, Money, Profile};
use clock::ClockFunction;
use evaluation::Evaluator;
use jiff::tz::TimeZone;
use jobs::Jobs;
use predictions::{Dimension, Minimums, Model, Orders};
use rust_decimal::Decimal;
use segment_evaluator::SegmentEvaluator;
use serde_json::{Value, json};
use store::{JobKind, PROFILE_SHARDS, PredictionsRecord, Store, StoredEvent};
use testing::{Answer, NOW_MS, World, at};

use crate::{Account, SEGMENT, order, part_of};

const DAY_MS: i64 = 86_400_000;
const TODAY: i64 = NOW_MS / DAY_MS;
/// What a simulated shop of a few hundred customers has.
const MINIMUMS: Minimums =
    Minimums { customers: 100, history_days: 180, recent_days: 30, loyal_customers: 10 };

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((mixed ^ (mixed >> 31)) >> 2).unwrap() % bound
    }
}

/// Instants and cents of a customer's orders: at a rhythm of one's own, until every fourth leaves after an order.
fn purchases(random: &mut Random) -> Vec<(i64, i64)> {
    let rhythm = 15 << random.below(4);
    let mut at_ms = NOW_MS - 1 - random.below(600 * DAY_MS);
    let mut orders = Vec::new();
    while at_ms < NOW_MS {
        orders.push((at_ms, 500 + random.below(10_000)));
        if random.below(4) == 0 {
            break;
        }
        at_ms += 1 + random.below(2 * rhythm * DAY_MS);
    }
    orders
}

fn churned() -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-predictive-analytics", "dimension": "churn_probability",
        "filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": 0.5},
    }]}]})
}

async fn open() -> Account {
    open_with(MINIMUMS).await
}

async fn open_with(minimums: Minimums) -> Account {
    let world = World::start().await;
    // Notes the zone, so that it does not change later.
    run_clock(&world).await;
    let jobs = Jobs::new(&world.config(), &world.clients, world.clock()).unwrap();
    Account { world, jobs: jobs.predicting_from(minimums) }
}

async fn run_clock(world: &World) {
    let clock = ClockFunction::new(&world.config(), &world.clients, world.clock()).unwrap();
    clock.handle(Value::Null).await.unwrap();
}

async fn put_profile(store: &Store, id: &str) {
    let mut profile = Profile::new(id.to_owned(), at(NOW_MS - 700 * DAY_MS));
    profile.email = Some(format!("guest{id}@example.com"));
    store.put_profile(&profile, 0).await.unwrap();
}

/// Customers who order at random, and what the model will look at.
async fn shop(account: &Account, customers: usize) -> BTreeMap<String, Orders> {
    let store = &account.world.store;
    let mut random = Random(7);
    let mut known = BTreeMap::new();
    for number in 0..customers {
        let id = format!("{number:08}");
        put_profile(store, &id).await;
        let purchases = purchases(&mut random);
        for (place, (at_ms, cents)) in purchases.iter().enumerate() {
            let stored = order(&id, "C1");
            let value = Money::new(Decimal::new(*cents, 2), "EUR".parse().unwrap());
            let event = Event {
                id: Event::id_of("C1", "Placed Order", &[&id, &place.to_string()]),
                occurred_at: at(*at_ms),
                value: Some(value),
                ..stored.event
            };
            store.put_event(&StoredEvent { event, ..stored }).await.unwrap();
        }
        let days = || purchases.iter().map(|(at_ms, _)| at_ms.div_euclid(DAY_MS));
        let orders = Orders {
            count: purchases.len() as u64,
            sum: purchases.iter().map(|(_, cents)| Decimal::new(*cents, 2)).sum(),
            first_day: days().min().unwrap(),
            last_day: days().max().unwrap(),
        };
        known.insert(id, orders);
    }
    known
}

async fn record(account: &Account) -> PredictionsRecord {
    account.world.store.predictions().await.unwrap().unwrap()
}

/// Fits on demand, as the API does; how many messages that and what follows took.
async fn fit(account: &Account, id: &str) -> usize {
    let job = account.job(id, JobKind::FitPredictions, PROFILE_SHARDS);
    account.world.store.create_job(&job).await.unwrap();
    account.work_off(Account::announcement(id, PROFILE_SHARDS)).await
}

fn model(record: &PredictionsRecord) -> Model {
    serde_json::from_value(record.model.clone().unwrap()).unwrap()
}

fn churn(model: &Model, orders: &Orders, day: i64) -> Decimal {
    model.value(orders, Dimension::ChurnProbability, day).unwrap()
}

/// What the clock and the stream do at the present; `place` is up to where the stream has been read.
async fn let_it_be_evaluated(world: &World, place: &mut usize) {
    let now_ms = world.now().as_millis();
    for shard in Store::due_shards() {
        for (profile, _) in world.store.due(shard, now_ms, None, 1000).await.unwrap().items {
            world.store.tick(&profile, now_ms).await.unwrap();
        }
    }
    let evaluator = Evaluator::over(world.function_store(), world.clock(), TimeZone::UTC);
    let mut event = StreamEvent::default();
    event.records = world.stream().split_off(*place);
    *place += event.records.len();
    let response = SegmentEvaluator::new(evaluator).handle(event).await.unwrap();
    assert!(response.batch_item_failures.is_empty());
}

/// Who belongs to the segment, and since when.
async fn members(world: &World) -> BTreeMap<String, i64> {
    let page = world.store.members(SEGMENT, false, (None, None), None, 1000).await.unwrap();
    page.items.into_iter().map(|member| (member.profile_id, member.joined_at.unwrap().as_millis())).collect()
}

#[tokio::test]
async fn who_is_about_to_churn_joins_on_the_very_day_that_the_model_says() {
    let account = open().await;
    let customers = shop(&account, 300).await;
    account.define("B1", churned()).await;
    account.work_off(Account::announcement("B1", PROFILE_SHARDS)).await;
    // Without a model nobody is predicted anything.
    assert!(members(&account.world).await.is_empty());
    let version = account.world.store.program_version().await.unwrap();

    // Somebody asks for predictions, so the clock has a model fitted.
    run_clock(&account.world).await;
    account.work_off(account.sent()).await;
    let fitted = record(&account).await;
    assert_eq!((fitted.customers, &fitted.missed), (300, &None));
    assert_eq!(fitted.fitted_day, at(NOW_MS).to_utc_string()[..10]);
    let model = model(&fitted);
    assert_eq!((model.fitted_day(), model.customers()), (TODAY, 300));
    // The model is that of the orders as they were made here.
    let mut sample = predictions::Sample::new(TODAY);
    for orders in customers.values() {
        sample.add(orders);
    }
    assert_eq!(sample.fit(&MINIMUMS).unwrap(), model);
    assert_eq!(account.world.store.program_version().await.unwrap(), version + 1);
    assert!(account.world.store.jobs().await.unwrap().is_empty());
    assert!(!account.world.items("registry").keys().any(|(partition, _)| partition.starts_with("sample#")));

    let half = Decimal::new(5, 1);
    let churned = |day: i64| -> Vec<&String> {
        let churned = customers.iter().filter(|(_, orders)| churn(&model, orders, day) >= half);
        churned.map(|(id, _)| id).collect()
    };
    let joined = members(&account.world).await;
    assert_eq!(joined.keys().collect::<Vec<_>>(), churned(TODAY));
    assert!(joined.len() > 50 && joined.len() < 250, "{}", joined.len());

    // When time alone will make somebody a member, unless an order comes.
    let due: BTreeMap<&String, i64> = customers
        .iter()
        .filter(|(id, _)| !joined.contains_key(*id))
        .filter_map(|(id, orders)| {
            let dimension = Dimension::ChurnProbability;
            Some((id, model.next_change(orders, dimension, half, Ordering::is_ge, TODAY)?))
        })
        .filter(|(_, day)| *day <= TODAY + 60)
        .collect();
    assert!(due.len() >= 10, "{due:?}");
    let first = *due.values().min().unwrap();
    let mut place = 0;
    let_it_be_evaluated(&account.world, &mut place).await;

    // A millisecond before the first of these midnights nothing has changed yet.
    account.world.pass(first * DAY_MS - 1 - NOW_MS);
    let_it_be_evaluated(&account.world, &mut place).await;
    assert_eq!(members(&account.world).await, joined);
    account.world.pass(1);
    let_it_be_evaluated(&account.world, &mut place).await;
    assert_eq!(members(&account.world).await.keys().collect::<Vec<_>>(), churned(first));

    // However late anybody looks, everybody has joined at the midnight of the own day.
    account.world.pass((TODAY + 60 - first) * DAY_MS);
    let_it_be_evaluated(&account.world, &mut place).await;
    let now = members(&account.world).await;
    assert_eq!(now.keys().collect::<Vec<_>>(), churned(TODAY + 60));
    for (id, day) in &due {
        assert_eq!(now[*id], day * DAY_MS, "{id}");
        let membership = account.world.store.membership(id, SEGMENT).await.unwrap().unwrap();
        assert_eq!(membership.joined_cause.as_deref(), Some("time"));
    }
}

#[tokio::test]
async fn an_order_takes_somebody_out_again() {
    let account = open().await;
    let customers = shop(&account, 120).await;
    account.define("B1", churned()).await;
    account.work_off(Account::announcement("B1", PROFILE_SHARDS)).await;
    fit(&account, "F1").await;
    let mut place = 0;
    let_it_be_evaluated(&account.world, &mut place).await;
    let model = model(&record(&account).await);
    let half = Decimal::new(5, 1);
    let (id, orders) = customers
        .iter()
        .find(|(_, orders)| {
            let again = Orders { count: orders.count + 1, last_day: TODAY, ..**orders };
            churn(&model, orders, TODAY) >= half && churn(&model, &again, TODAY) < half
        })
        .unwrap();
    assert!(members(&account.world).await.contains_key(id), "{orders:?}");
    account.world.store.put_event(&order(id, "C2")).await.unwrap();
    let_it_be_evaluated(&account.world, &mut place).await;
    assert!(!members(&account.world).await.contains_key(id));
}

#[tokio::test]
async fn a_model_learned_from_histories_is_that_learned_from_states() {
    let account = open().await;
    shop(&account, 120).await;
    // On demand, before anybody asks.
    fit(&account, "F1").await;
    let of_histories = record(&account).await;
    account.define("B1", churned()).await;
    account.work_off(Account::announcement("B1", PROFILE_SHARDS)).await;
    // No history is read any more.
    account.world.intercept(|call| {
        assert!(!(call.operation == "Query" && format!("{call:?}").contains("String(\"e#\")")), "{call:?}");
        std::future::ready(Answer::Pass)
    });
    fit(&account, "F2").await;
    account.world.let_pass();
    let of_states = record(&account).await;
    assert_eq!((&of_states.model, of_states.customers), (&of_histories.model, 120));
    assert_ne!(of_states.job, of_histories.job);
}

#[tokio::test]
async fn what_is_missing_is_said_and_nothing_moves() {
    let account = open().await;
    shop(&account, 60).await;
    account.define("B1", churned()).await;
    account.work_off(Account::announcement("B1", PROFILE_SHARDS)).await;
    let version = account.world.store.program_version().await.unwrap();
    fit(&account, "F1").await;
    let fitted = record(&account).await;
    assert_eq!((&fitted.model, fitted.customers), (&None, 60));
    let missed = fitted.missed.unwrap();
    assert!(missed.starts_with("60 customers") && missed.contains("100"), "{missed}");
    assert_eq!(account.world.store.program_version().await.unwrap(), version);
    assert!(members(&account.world).await.is_empty());
}

#[tokio::test]
async fn a_model_that_may_no_longer_be_had_is_taken_away() {
    let account = open().await;
    shop(&account, 120).await;
    account.define("B1", churned()).await;
    account.work_off(Account::announcement("B1", PROFILE_SHARDS)).await;
    fit(&account, "F1").await;
    assert!(!members(&account.world).await.is_empty());
    // Nobody has ordered for longer than the minimum.
    account.world.pass(100 * DAY_MS);
    fit(&account, "F2").await;
    assert!(record(&account).await.missed.unwrap().contains("newest order"));
    assert!(members(&account.world).await.is_empty());
}

#[tokio::test]
async fn a_fit_that_broke_off_anywhere_counts_everybody_once() {
    let writes = [
        ("PutItem", "sample#"),
        ("UpdateItem", "DELETE parts"),
        ("TransactWriteItems", "predictions"),
        ("BatchWriteItem", "sample#"),
        ("DeleteItem", "job"),
        ("SendMessage", "job"),
    ];
    for (operation, text) in writes {
        for answer in [Answer::Throttle, Answer::Lose] {
            let account = open_with(Minimums { customers: 20, ..MINIMUMS }).await;
            shop(&account, 25).await;
            account.world.intercept_once(answer, move |call| call.is(operation, text));
            fit(&account, "F1").await;
            account.world.let_pass();
            account.recover().await;
            let fitted = record(&account).await;
            assert_eq!((fitted.customers, fitted.missed), (25, None), "{operation} {text} {answer:?}");
            assert!(account.world.store.jobs().await.unwrap().is_empty(), "{operation} {text} {answer:?}");
            assert_eq!(
                account.world.store.program_version().await.unwrap(),
                1,
                "{operation} {text} {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_part_of_many_profiles_is_collected_in_pieces() {
    let account = open().await;
    let mut people = 0_u64;
    for number in 0.. {
        let id = format!("{number:08}");
        if part_of(&id) != 3 {
            continue;
        }
        put_profile(&account.world.store, &id).await;
        if people.is_multiple_of(5) {
            let stored = order(&id, "C1");
            let value = Some(Money::new(10.into(), "EUR".parse().unwrap()));
            let event = Event { value, ..stored.event };
            account.world.store.put_event(&StoredEvent { event, ..stored }).await.unwrap();
        }
        people += 1;
        if people == 1100 {
            break;
        }
    }
    let job = account.job("F1", JobKind::FitPredictions, PROFILE_SHARDS);
    account.world.store.create_job(&job).await.unwrap();
    // Whatever comes twice is counted once.
    let twice = [Account::announcement("F1", PROFILE_SHARDS), Account::announcement("F1", PROFILE_SHARDS)];
    let messages = account.work_off(twice.concat()).await;
    assert!(messages > 2 * PROFILE_SHARDS as usize, "{messages}");
    let fitted = record(&account).await;
    assert_eq!(fitted.customers, 220);
    // All of them have ordered today.
    assert!(fitted.missed.unwrap().contains("oldest order"));
}

#[tokio::test]
async fn the_clock_begins_a_fit_a_week_while_somebody_asks() {
    let account = open().await;
    let world = &account.world;
    let clock = ClockFunction::new(&world.config(), &world.clients, world.clock()).unwrap();
    let fits = async || {
        clock.handle(Value::Null).await.unwrap();
        account.work_off(account.sent()).await
    };
    assert_eq!(fits().await, 0);
    account.define("B1", crate::buyers(1)).await;
    account.work_off(Account::announcement("B1", PROFILE_SHARDS)).await;
    assert_eq!(fits().await, 0);
    account.define("B2", churned()).await;
    account.work_off(Account::announcement("B2", PROFILE_SHARDS)).await;
    assert_eq!(fits().await, PROFILE_SHARDS as usize);
    let first = record(&account).await;
    assert_eq!(fits().await, 0);
    world.pass(7 * DAY_MS - 1);
    assert_eq!(fits().await, 0);
    world.pass(1);
    assert_eq!(fits().await, PROFILE_SHARDS as usize);
    assert_ne!(record(&account).await.job, first.job);
    // One that is under way is not begun again.
    world.pass(7 * DAY_MS);
    clock.handle(Value::Null).await.unwrap();
    clock.handle(Value::Null).await.unwrap();
    assert_eq!(account.sent().len(), PROFILE_SHARDS as usize);
}
