//! Held against simulated customers, day-by-day scans, and everything that could be wrong.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::float_arithmetic, reason = "customers are simulated with real numbers")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the same")]

mod simulation;

use std::cmp::Ordering;

use predictions::{Dimension, HORIZON_DAYS, Minimums, Model, NotEnough, Orders, Prediction, Sample};
use proptest::prelude::*;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};
use simulation::{Customer, Truth};

/// A common kind of shop, in days.
const SHOP: Truth = Truth { r: 0.8, alpha: 60.0, a: 0.9, b: 2.5, p: 5.0, q: 4.0, gamma: 30.0 };
const TODAY: i64 = 730;

fn model(r: f64, alpha: f64, a: f64, b: f64) -> Model {
    serde_json::from_value(json!({
        "version": 1, "fitted_day": 0, "customers": 1000,
        "purchases": {"r": r, "alpha": alpha, "a": a, "b": b},
        "value": {"orders": "0.5", "sum": "20"},
    }))
    .unwrap()
}

fn orders(count: u64, sum: &str, first_day: i64, last_day: i64) -> Orders {
    Orders { count, sum: decimal(sum), first_day, last_day }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn what_is_said_of_a_customer() {
    // The probabilities and the number of orders were computed with 40 digits by mpmath from the published formulas.
    let prediction = model(0.525, 43.281, 0.891, 1.614).predict(&orders(8, "400", 100, 306), 372);
    let expected = Prediction {
        average_days_between_orders: Some(decimal("29.4286")),
        average_order_value: Some(decimal("50")),
        churn_probability: Some(decimal("0.3772")),
        historic_clv: Some(decimal("400")),
        historic_number_of_orders: Some(decimal("8")),
        predicted_clv: Some(decimal("196.336")),
        predicted_number_of_orders: Some(decimal("3.9735")),
        total_clv: Some(decimal("596.336")),
        expected_day_of_next_order: Some(306 + 24),
    };
    assert_eq!(prediction, expected);
}

#[test]
fn of_nobody_nothing_is_said() {
    let model = model(0.5, 40.0, 0.9, 1.6);
    assert_eq!(model.predict(&orders(0, "0", 0, 0), 10), Prediction::default());
    for dimension in Dimension::ALL {
        assert_eq!(
            model.next_change(&orders(0, "0", 0, 0), dimension, Decimal::ZERO, Ordering::is_ge, 10),
            None
        );
    }
}

#[test]
fn one_order_has_no_days_between_but_everything_else() {
    let prediction = model(0.5, 40.0, 0.9, 1.6).predict(&orders(1, "30", 100, 100), 100);
    assert_eq!(prediction.average_days_between_orders, None);
    // 40 * (2^2 - 1) days.
    assert_eq!(prediction.expected_day_of_next_order, Some(220));
    // 0.9 / (0.9 + 1.6): it may have been the last one already.
    assert_eq!(prediction.churn_probability, Some(decimal("0.36")));
    assert!(prediction.predicted_clv > Some(Decimal::ZERO));
}

#[test]
fn nothing_is_predicted_to_be_paid_back() {
    let prediction = model(0.5, 40.0, 0.9, 1.6).predict(&orders(3, "-70.5", 0, 50), 100);
    assert_eq!(prediction.historic_clv, Some(decimal("-70.5")));
    assert!(prediction.predicted_clv > Some(Decimal::ZERO));
}

#[test]
fn an_order_in_the_future_is_as_one_of_today() {
    let model = model(0.5, 40.0, 0.9, 1.6);
    let future = orders(3, "60", 100, 150);
    assert_eq!(model.predict(&future, 20), model.predict(&future, 150));
    assert_ne!(model.predict(&future, 151), model.predict(&future, 150));
}

#[test]
fn the_parameters_of_simulated_customers_are_found_again() {
    let customers = simulation::customers(&SHOP, 30_000, TODAY, 1);
    let model = Model::fit(customers.iter().map(Customer::orders), TODAY).unwrap();
    let fitted = serde_json::to_value(&model).unwrap();
    for (name, truth, tolerance) in
        [("r", SHOP.r, 0.05), ("alpha", SHOP.alpha, 0.07), ("a", SHOP.a, 0.15), ("b", SHOP.b, 0.15)]
    {
        let found = number(&fitted["purchases"][name]);
        assert!((found / truth - 1.0).abs() < tolerance, "{name}: {found} instead of {truth}");
    }
    let imagined: [f64; 2] =
        ["orders", "sum"].map(|name| fitted["value"][name].as_str().unwrap().parse().unwrap());
    for (found, truth) in imagined.into_iter().zip([(SHOP.q - 1.0) / SHOP.p, SHOP.gamma]) {
        assert!((found / truth - 1.0).abs() < 0.1, "{found} instead of {truth}");
    }
    assert_eq!((model.customers(), model.fitted_day()), (30_000, TODAY));
}

type Kind = fn(&Orders) -> bool;

/// What is predicted for the next year, compared with what happens in it, for customers of every kind.
#[test]
fn what_is_predicted_happens() {
    let customers = simulation::customers(&SHOP, 60_000, TODAY, 2);
    let model = Model::fit(customers.iter().map(Customer::orders), TODAY).unwrap();
    let kinds: [(&str, Kind); 6] = [
        ("all", |_| true),
        ("one order", |orders| orders.count == 1),
        ("two or three", |orders| (2..4).contains(&orders.count)),
        ("more", |orders| orders.count >= 4),
        ("of late", |orders| TODAY - orders.last_day < 60),
        ("long ago", |orders| TODAY - orders.last_day > 365),
    ];
    for (name, is_kind) in kinds {
        let (mut number, mut clv, mut churned) = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0));
        for customer in customers.iter().filter(|customer| is_kind(&customer.orders())) {
            let prediction = model.predict(&customer.orders(), TODAY);
            let told = |value: Option<Decimal>| value.unwrap().to_f64().unwrap();
            number.0 += told(prediction.predicted_number_of_orders);
            number.1 += customer.next_year.len() as f64;
            clv.0 += told(prediction.predicted_clv);
            clv.1 += customer.next_year.iter().sum::<f64>();
            churned.0 += told(prediction.churn_probability);
            churned.1 += f64::from(u8::from(customer.left));
        }
        for (what, (predicted, happened)) in [("number", number), ("value", clv), ("churned", churned)] {
            assert!((predicted / happened - 1.0).abs() < 0.06, "{what}, {name}: {predicted}, not {happened}");
        }
    }
}

/// Half of those who order again do so before the expected day.
#[test]
fn the_expected_day_is_in_the_middle() {
    let model = model(SHOP.r, SHOP.alpha, SHOP.a, SHOP.b);
    let (mut before, mut all) = (0.0, 0.0);
    for gaps in simulation::gaps_after(&SHOP, 2, 20_000) {
        let orders = orders(3, "90", 0, gaps.span);
        all += 1.0;
        before += f64::from(u8::from(gaps.next <= model.next_order(&orders).unwrap() - gaps.span));
    }
    assert!((before / all - 0.5_f64).abs() < 0.02, "{before} of {all}");
}

#[test]
fn the_order_of_the_customers_does_not_matter() {
    let mut customers: Vec<Orders> =
        simulation::customers(&SHOP, 2_000, TODAY, 3).iter().map(Customer::orders).collect();
    let model = Model::fit(customers.clone(), TODAY).unwrap();
    customers.reverse();
    customers.rotate_left(777);
    assert_eq!(Model::fit(customers, TODAY).unwrap(), model);
}

#[test]
fn a_model_survives_being_written() {
    for seed in 0..5 {
        let customers = simulation::customers(&SHOP, 1_000, TODAY, seed);
        let model = Model::fit(customers.iter().map(Customer::orders), TODAY).unwrap();
        let text = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model, "{text}");
    }
}

#[test]
fn models_that_no_fit_leads_to_are_refused() {
    let sound = serde_json::to_value(model(0.5, 40.0, 0.9, 1.6)).unwrap();
    let changes = [
        ("/version", json!(2), "another version"),
        ("/purchases/r", json!(0), "no fit"),
        ("/purchases/alpha", json!(-1), "no fit"),
        ("/purchases/a", json!(1e300), "no fit"),
        ("/purchases/b", json!(null), "invalid type"),
        ("/value/orders", json!("0"), "no fit"),
        ("/value/sum", json!("-1"), "no fit"),
    ];
    for (pointer, value, message) in changes {
        let mut changed = sound.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        let error = serde_json::from_value::<Model>(changed).unwrap_err().to_string();
        assert!(error.contains(message), "{pointer}: {error}");
    }
}

#[test]
fn each_minimum_is_asked_for() {
    let once = orders(1, "10", 0, 0);
    let thrice = orders(3, "10", 0, 200);
    let fit = |kinds: &[(Orders, usize)], today| {
        let customers = kinds.iter().flat_map(|(orders, times)| std::iter::repeat_n(*orders, *times));
        Model::fit(customers, today).map(|model| model.customers())
    };
    assert_eq!(fit(&[(once, 490), (thrice, 10)], 200), Ok(500));
    assert_eq!(fit(&[(once, 490), (thrice, 10)], 230), Ok(500));
    let missed = [
        (fit(&[(once, 489), (thrice, 10)], 200), NotEnough::Customers { have: 499, needed: 500 }),
        // Who has no order, or was given back everything, is no customer.
        (
            fit(&[(once, 489), (thrice, 10), (orders(0, "0", 0, 0), 9), (orders(2, "0", 0, 9), 9)], 200),
            NotEnough::Customers { have: 499, needed: 500 },
        ),
        (fit(&[(orders(3, "9", 30, 200), 500)], 209), NotEnough::History { have: 179, needed: 180 }),
        (fit(&[(once, 490), (thrice, 10)], 231), NotEnough::Recent { have: 31, needed: 30 }),
        (fit(&[(once, 491), (thrice, 9)], 200), NotEnough::LoyalCustomers { have: 9, needed: 10 }),
        (fit(&[], 0), NotEnough::Customers { have: 0, needed: 500 }),
    ];
    for (result, error) in missed {
        assert_eq!(result, Err(error));
        assert!(error.to_string().contains("predictions need "), "{error}");
    }
}

#[test]
fn without_minimums_anything_leads_to_a_model() {
    let none = Minimums { customers: 0, history_days: 0, recent_days: u64::MAX, loyal_customers: 0 };
    assert!(Sample::new(0).fit(&none).is_err(), "of nobody nothing can be learned");
    let alone = [
        orders(1, "10", 0, 0),
        orders(1, "0.00000001", 0, 0),
        orders(u64::MAX, "79228162514264337593543950335", i64::MIN, i64::MAX),
        orders(500, "1", 7, 7),
    ];
    for orders in alone {
        for today in [i64::MIN, 0, 10, i64::MAX] {
            let mut sample = Sample::new(today);
            sample.add(&orders);
            let model = sample.fit(&none).unwrap();
            let text = serde_json::to_string(&model).unwrap();
            assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model, "{text}");
            model.predict(&orders, today);
        }
    }
}

/// Parameters from one end of what is sound to the other, the common ones more often.
fn models() -> impl Strategy<Value = Model> {
    let parameter = |common: std::ops::Range<f64>, most: f64| {
        let power = |range: std::ops::Range<f64>| range.prop_map(|power| 10_f64.powf(power));
        prop_oneof![3 => power(common), 1 => power(-3.0..most)]
    };
    (
        parameter(-1.0..1.0, 4.0),
        parameter(0.0..3.0, 6.0),
        parameter(-1.0..1.0, 4.0),
        parameter(-1.0..1.0, 4.0),
    )
        .prop_map(|(r, alpha, a, b)| model(r, alpha, a, b))
}

fn some_orders() -> impl Strategy<Value = Orders> {
    (1..60_u64, -500..100_000_i64, 0..5_000_i64, 0..1_000_i64).prop_map(|(count, cents, first_day, span)| {
        Orders { count, sum: Decimal::new(cents, 2), first_day, last_day: first_day + span }
    })
}

fn any_orders() -> impl Strategy<Value = Orders> {
    let sum = (any::<i128>(), 0..=28_u32)
        .prop_map(|(mantissa, scale)| Decimal::from_i128_with_scale(mantissa >> 32, scale));
    (any::<u64>(), sum, any::<i64>(), any::<i64>()).prop_map(|(count, sum, first_day, last_day)| Orders {
        count,
        sum,
        first_day,
        last_day,
    })
}

fn dimensions() -> impl Strategy<Value = Dimension> {
    proptest::sample::select(Dimension::ALL.to_vec())
}

fn comparisons() -> impl Strategy<Value = fn(Ordering) -> bool> {
    let all: [fn(Ordering) -> bool; 6] = [
        Ordering::is_eq,
        Ordering::is_ne,
        Ordering::is_lt,
        Ordering::is_le,
        Ordering::is_gt,
        Ordering::is_ge,
    ];
    proptest::sample::select(all.to_vec())
}

proptest! {
    #[test]
    fn nothing_fails(
        model in models(), orders in any_orders(), today in any::<i64>(), dimension in dimensions(),
        holds in comparisons(), threshold in any::<i64>(),
    ) {
        let prediction = model.predict(&orders, today);
        if let Some(probability) = prediction.churn_probability {
            prop_assert!((Decimal::ZERO..=Decimal::ONE).contains(&probability));
        }
        if let Some(number) = prediction.predicted_number_of_orders {
            prop_assert!((Decimal::ZERO..=Decimal::from(10_000)).contains(&number));
        }
        prop_assert!(prediction.predicted_clv.is_none_or(|clv| clv >= Decimal::ZERO));
        let change = model.next_change(&orders, dimension, threshold.into(), holds, today);
        prop_assert!(change.is_none_or(|day| day > today));
    }

    #[test]
    fn customers_in_pieces_are_the_same_customers(
        pieces in proptest::collection::vec(proptest::collection::vec(any_orders(), 0..20), 0..5),
        today in any::<i64>(),
    ) {
        let mut whole = Sample::new(today);
        let mut merged = Sample::new(today);
        for piece in &pieces {
            let mut part = Sample::new(today);
            for orders in piece {
                whole.add(orders);
                part.add(orders);
            }
            merged.merge(&Sample::decode(&part.encode()).unwrap());
        }
        prop_assert_eq!(&merged, &whole);
        let bytes = whole.encode();
        for short in 0..bytes.len() {
            prop_assert!(Sample::decode(&bytes[..short]).is_err());
        }
        prop_assert!(Sample::decode(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn no_bytes_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Sample::decode(&bytes);
    }

    #[test]
    fn while_nothing_is_ordered_everything_only_declines(
        model in models(), orders in some_orders(), day in 0..8_000_i64, days in 1..40_000_i64,
    ) {
        for later in [day + 1, day + days] {
            let (before, after) = (model.predict(&orders, day), model.predict(&orders, later));
            prop_assert!(after.churn_probability >= before.churn_probability);
            prop_assert!(after.predicted_number_of_orders <= before.predicted_number_of_orders);
            prop_assert!(after.predicted_clv <= before.predicted_clv);
            prop_assert!(after.total_clv <= before.total_clv);
            prop_assert_eq!(
                Prediction {
                    churn_probability: before.churn_probability,
                    predicted_number_of_orders: before.predicted_number_of_orders,
                    predicted_clv: before.predicted_clv,
                    total_clv: before.total_clv,
                    ..after
                },
                before
            );
        }
    }

    #[test]
    fn parts_and_wholes_agree(model in models(), orders in some_orders(), today in 0..8_000_i64) {
        let prediction = model.predict(&orders, today);
        prop_assert_eq!(prediction.total_clv, Some(orders.sum + prediction.predicted_clv.unwrap()));
        prop_assert!(prediction.expected_day_of_next_order.is_none_or(|day| day > orders.last_day));
    }

    #[test]
    fn the_next_change_is_the_one_that_a_scan_finds(
        model in models(), orders in some_orders(), dimension in dimensions(), holds in comparisons(),
        before_today in -50..50_i64, until_threshold in 0..400_i64, beside in -1..=1_i64,
    ) {
        let today = orders.last_day + before_today;
        let answer = |threshold, day| {
            model.value(&orders, dimension, day).is_some_and(|value| holds(value.cmp(&threshold)))
        };
        // A number that is reached, or just missed.
        let Some(threshold) = model.value(&orders, dimension, today + until_threshold) else { return Ok(()) };
        let threshold = threshold + Decimal::new(beside, 4);
        let scanned = (1..=600)
            .map(|days| today + days)
            .find(|day| answer(threshold, *day) != answer(threshold, today));
        let found = model.next_change(&orders, dimension, threshold, holds, today);
        match scanned {
            Some(day) => prop_assert_eq!(found, Some(day)),
            None => prop_assert!(found.is_none_or(|day| day > today + 600)),
        }
        if let Some(day) = found {
            prop_assert!(dimension.changes_with_time() && day <= today + i64::from(HORIZON_DAYS));
            prop_assert_ne!(answer(threshold, day), answer(threshold, today));
            prop_assert_eq!(answer(threshold, day - 1), answer(threshold, today));
        }
    }
}
