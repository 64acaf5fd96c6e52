//! Memberships that are carried on incrementally equal those of a fresh look at everything, at every
//! instant, whatever happens in whatever order.

mod changes;
mod definitions;
mod steps;
mod world;

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::{Value, json};

use changes::MadeEvent;
use definitions::{Family, comparison, date_filter};
use steps::{Step, step};
use world::World;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// How many sequences each test goes through, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 30_000;
/// So many at a time: by its seed, a batch that failed is found again within seconds.
const BATCH: u32 = 500;

fn millis(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Holds the law for values of the strategy. What breaks it is shrunk, and told with the seed of its batch.
fn hold<S: Strategy<Value: Debug>>(name: &str, strategy: S, law: impl Fn(S::Value)) {
    let given = ProptestConfig::default();
    let cases = if given.cases == 256 { CASES } else { given.cases };
    let first = match given.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().hash_one(name),
    };
    println!("{name}: {cases} sequences, seeds from {first}");
    for batch in 0..cases.div_ceil(BATCH) {
        let seed = first.wrapping_add(batch.into());
        let config = ProptestConfig {
            cases: BATCH.min(cases - batch * BATCH),
            rng_seed: RngSeed::Fixed(seed),
            max_shrink_iters: 20_000,
            failure_persistence: None,
            ..given.clone()
        };
        let outcome = TestRunner::new(config).run(&strategy, |value| {
            law(value);
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{error}\nagain: PROPTEST_RNG_SEED={seed} PROPTEST_CASES={BATCH} cargo law law::{name}");
        }
    }
}

/// Everything may happen to the segments of a family.
fn hold_family(name: &str, family: Family) {
    let zone = select(vec!["UTC", "Europe/Paris", "America/New_York", "America/Havana"]);
    let start = select(vec![
        "2024-02-28T12:00:00Z",
        "2023-02-27T23:00:00Z",
        "2024-03-09T15:00:00Z",
        "2024-03-30T22:30:00Z",
        "2023-10-28T20:00:00Z",
        "2024-11-02T12:00:00Z",
        "2024-12-31T18:00:00Z",
        "2024-03-01T00:00:00Z",
    ]);
    // By how much the clocks of the functions are wrong that are called in turn.
    let errors = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec(prop_oneof![Just(0), -5 * HOUR / 60..=5 * HOUR / 60], 1..4),
    ];
    let definitions = prop::collection::vec(family.definition(), 1..4);
    let steps = prop::collection::vec(step(family), 1..25);
    hold(name, (zone, start, errors, definitions, steps), |(zone, start, errors, definitions, steps)| {
        let mut world = World::new(zone, millis(start), errors, definitions);
        for (number, step) in steps.into_iter().enumerate() {
            world.step(step, number);
        }
        world.finish();
    });
}

#[test]
fn windows_over_metrics() {
    hold_family("windows_over_metrics", Family::Windows);
}

#[test]
fn what_profiles_say() {
    hold_family("what_profiles_say", Family::Profiles);
}

#[test]
fn groups_and_segments_in_segments() {
    hold_family("groups_and_segments_in_segments", Family::Groups);
}

#[test]
fn funnels() {
    hold_family("funnels", Family::Funnels);
}

#[test]
fn predictions() {
    hold_family("predictions", Family::Predictions);
}

#[test]
fn all_conditions_together() {
    hold_family("all_conditions_together", Family::All);
}

/// One window over one metric, so that every event and every edge matters.
#[test]
fn one_window_over_one_metric() {
    let timeframe = prop_oneof![
        3 => (select(vec!["in-the-last", "at-least"]), 0..4_i64).prop_map(|(operator, quantity)| {
            json!({"type": "date", "operator": operator, "unit": "day", "quantity": quantity})
        }),
        1 => date_filter(),
    ];
    let event =
        (-5 * DAY..HOUR, 1..3_i64, prop::bool::weighted(0.2)).prop_map(|(distance, value, negative)| {
            let value = Some(if negative { -100 * value } else { 100 * value });
            Step::Event(MadeEvent {
                metric: "Orders",
                distance,
                snap: false,
                value,
                color: None,
                begins: None,
            })
        });
    let step = prop_oneof![
        4 => event,
        2 => (-1..=1_i64).prop_map(Step::PassToDue),
        2 => (0..3 * DAY).prop_map(Step::Pass),
    ];
    let condition = (select(vec!["count", "sum"]), comparison(), 0..4_i64, timeframe).prop_map(
        |(measurement, operator, value, timeframe)| -> Value {
            json!({
                "type": "profile-metric", "metric_id": "Orders", "measurement": measurement,
                "measurement_filter": {"type": "numeric", "operator": operator, "value": value},
                "timeframe_filter": timeframe,
            })
        },
    );
    let zone = select(vec!["UTC", "America/New_York"]);
    let strategy = (zone, condition, prop::collection::vec(step, 1..20));
    hold("one_window_over_one_metric", strategy, |(zone, condition, steps)| {
        let definition = json!({"condition_groups": [{"conditions": [condition]}]});
        let mut world = World::new(zone, millis("2024-03-09T15:00:00Z"), Vec::new(), vec![definition]);
        for (number, step) in steps.into_iter().enumerate() {
            world.step(step, number);
        }
    });
}
