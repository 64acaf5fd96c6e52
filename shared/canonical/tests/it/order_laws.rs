//! The laws of the ledger, over generated lives of orders. A life is a sequence of states, each of which
//! contains the one before; deliveries show a state whole, or only its newest refund or parcel.

use std::collections::BTreeSet;

use canonical::fact::{Cancellation, OrderDetail, OrderSnapshot, Refund, RefundPolicy, Shipment};
use canonical::order::{Ledger, advance};
use canonical::{Event, Source};
use proptest::prelude::*;
use proptest::sample::SizeRange;

use crate::{ada, euros, line, minute, source};

#[derive(Clone, Debug)]
enum Step {
    Place,
    AddLines(u8),
    Ship,
    Refund,
    Restock,
    /// The oldest refund that had no money gets it.
    Settle,
    RefundTheRest,
    Fulfil,
    Cancel,
    /// The source shows the order once more as if it had neither been cancelled nor fulfilled.
    Bounce,
}

fn steps(size: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Place),
        2 => (1_u8..4).prop_map(Step::AddLines),
        2 => Just(Step::Ship),
        2 => Just(Step::Refund),
        1 => Just(Step::Restock),
        1 => Just(Step::Settle),
        1 => Just(Step::RefundTheRest),
        1 => Just(Step::Fulfil),
        1 => Just(Step::Cancel),
        1 => Just(Step::Bounce),
    ];
    prop::collection::vec(step, size)
}

/// All deliveries of a life, and its last state.
fn live(steps: &[Step], refund_policy: RefundPolicy) -> (Vec<OrderSnapshot>, OrderSnapshot) {
    let empty = OrderSnapshot { order_id: "o-1".into(), refund_policy, ..OrderSnapshot::default() };
    let mut state = OrderSnapshot {
        person: ada(),
        detail: Some(OrderDetail {
            total: Some(euros("100")),
            lines: vec![line("l0", "1", "9.99")],
            ..OrderDetail::default()
        }),
        ..empty.clone()
    };
    let mut deliveries = vec![state.clone()];
    for (step, now) in steps.iter().zip(1..) {
        let refund = |amount| Refund { refund_id: format!("r{now}"), at: minute(now), amount, reason: None };
        let refunds_before = state.refunds.clone();
        match step {
            Step::Place => state.placed_at = state.placed_at.or(Some(minute(now))),
            Step::AddLines(count) => {
                let lines = &mut state.detail.as_mut().unwrap().lines;
                for _ in 0..*count {
                    lines.push(line(&format!("l{}", lines.len()), "1", "1"));
                }
            }
            Step::Ship => {
                let shipment = Shipment {
                    shipment_id: format!("f{now}"),
                    at: minute(now),
                    company: None,
                    tracking_numbers: Vec::new(),
                    lines: Vec::new(),
                };
                state.shipments.push(shipment.clone());
                deliveries.push(OrderSnapshot { shipments: vec![shipment], ..empty.clone() });
            }
            // Once everything is paid back, no more money can be.
            Step::Refund => state.refunds.push(refund((!state.fully_refunded).then(|| euros("1")))),
            Step::Restock => state.refunds.push(refund(None)),
            Step::Settle => {
                if !state.fully_refunded
                    && let Some(pending) = state.refunds.iter_mut().find(|refund| refund.amount.is_none())
                {
                    pending.amount = Some(euros("2"));
                }
            }
            Step::RefundTheRest => {
                if !state.fully_refunded {
                    state.refunds.push(refund(Some(euros("50"))));
                    state.fully_refunded = true;
                }
            }
            Step::Fulfil => state.fulfilled_at = state.fulfilled_at.or(Some(minute(now))),
            Step::Cancel => {
                state.cancelled =
                    state.cancelled.take().or(Some(Cancellation { at: minute(now), reason: None }));
            }
            Step::Bounce => {
                deliveries.push(OrderSnapshot { cancelled: None, fulfilled_at: None, ..state.clone() });
            }
        }
        for refund in state.refunds.iter().filter(|refund| !refunds_before.contains(refund)) {
            deliveries.push(OrderSnapshot { refunds: vec![refund.clone()], ..empty.clone() });
        }
        deliveries.push(state.clone());
    }
    (deliveries, state)
}

fn policy() -> impl Strategy<Value = RefundPolicy> {
    prop_oneof![Just(RefundPolicy::Each), Just(RefundPolicy::FullOnly)]
}

/// A life's deliveries in their order, and the same ones shuffled, with up to eight of them repeated.
fn lives() -> impl Strategy<Value = (Vec<OrderSnapshot>, OrderSnapshot, Vec<OrderSnapshot>)> {
    (steps(0..14), policy()).prop_flat_map(|(steps, policy)| {
        let (deliveries, last) = live(&steps, policy);
        let repeats = prop::collection::vec(0..deliveries.len(), 0..8);
        let count = deliveries.len();
        let order =
            repeats.prop_map(move |repeats| (0..count).chain(repeats).collect::<Vec<_>>()).prop_shuffle();
        order.prop_map(move |order| {
            let shuffled = order.iter().map(|&index| deliveries[index].clone()).collect();
            (deliveries.clone(), last.clone(), shuffled)
        })
    })
}

fn tell_all<'a>(snapshots: impl IntoIterator<Item = &'a OrderSnapshot>) -> (Ledger, Vec<Event>) {
    let mut ledger = Ledger::default();
    let mut events = Vec::new();
    for (snapshot, number) in snapshots.into_iter().zip(0..) {
        // Webhook, poll and import have one connection and different deliveries.
        let source =
            Source { topic: format!("topic-{}", number % 3), delivery_id: number.to_string(), ..source() };
        let (next, told) = advance(&ledger, snapshot, &source);
        ledger = next;
        events.extend(told);
    }
    (ledger, events)
}

fn essence(events: &[Event]) -> BTreeSet<(String, String, i64)> {
    events
        .iter()
        .map(|event| (event.id.clone(), event.metric.clone(), event.occurred_at.as_millis()))
        .collect()
}

/// What must have been told of a life, said another way: counted from its last state alone.
fn expected_counts(last: &OrderSnapshot) -> [(&'static str, usize); 6] {
    let lines = last.detail.as_ref().unwrap().lines.len();
    let placed = last.placed_at.is_some();
    let refunds = match last.refund_policy {
        RefundPolicy::Each => last.refunds.iter().filter(|refund| refund.amount.is_some()).count(),
        RefundPolicy::FullOnly => usize::from(last.fully_refunded),
    };
    [
        ("Placed Order", usize::from(placed)),
        ("Ordered Product", if placed { lines } else { 0 }),
        ("Shipped Order", last.shipments.len()),
        ("Fulfilled Order", usize::from(last.fulfilled_at.is_some())),
        ("Cancelled Order", usize::from(last.cancelled.is_some())),
        ("Refunded Order", refunds),
    ]
}

proptest! {
    #[test]
    fn any_order_and_repetition_end_in_the_same_ledger_and_the_same_events((ordered, _, shuffled) in lives()) {
        let (ledger, events) = tell_all(&ordered);
        let (shuffled_ledger, shuffled_events) = tell_all(&shuffled);
        prop_assert_eq!(ledger, shuffled_ledger);
        prop_assert_eq!(essence(&events), essence(&shuffled_events));
        let values = |events: &[Event]| {
            events.iter().map(|event| (event.id.clone(), event.value.map(|value| value.amount)))
                .filter(|(_, value)| value.is_some()).collect::<BTreeSet<_>>()
        };
        // A thin delivery may not know the total, but no delivery knows another one.
        let both: BTreeSet<_> = values(&events).union(&values(&shuffled_events)).cloned().collect();
        let ids: BTreeSet<_> = both.iter().map(|(id, _)| id).collect();
        prop_assert_eq!(both.len(), ids.len());
    }

    #[test]
    fn nothing_is_told_twice_and_nothing_is_left_out((_, last, shuffled) in lives()) {
        let (_, events) = tell_all(&shuffled);
        prop_assert_eq!(essence(&events).len(), events.len());
        for (metric, count) in expected_counts(&last) {
            prop_assert_eq!(events.iter().filter(|event| event.metric == metric).count(), count, "{}", metric);
        }
    }

    #[test]
    fn the_same_snapshot_again_tells_nothing((_, _, shuffled) in lives()) {
        let mut ledger = Ledger::default();
        for snapshot in &shuffled {
            let (next, _) = advance(&ledger, snapshot, &source());
            let (again, events) = advance(&next, snapshot, &source());
            prop_assert!(events.is_empty());
            prop_assert_eq!(&again, &next);
            ledger = next;
        }
    }

    #[test]
    fn a_crash_before_the_ledger_is_stored_derives_the_same_events_again((_, _, shuffled) in lives()) {
        let mut ledger = Ledger::default();
        for snapshot in &shuffled {
            let first = advance(&ledger, snapshot, &source());
            prop_assert_eq!(&first, &advance(&ledger, snapshot, &source()));
            let stored = serde_json::to_string(&first.0).unwrap();
            ledger = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(&ledger, &first.0);
        }
    }

    #[test]
    fn two_orders_do_not_mix((one, _, _) in lives()) {
        let other: Vec<_> =
            one.iter().map(|snapshot| OrderSnapshot { order_id: "o-2".into(), ..snapshot.clone() }).collect();
        let (one, other) = (essence(&tell_all(&one).1), essence(&tell_all(&other).1));
        prop_assert_eq!(one.len(), other.len());
        prop_assert!(one.iter().all(|(id, ..)| other.iter().all(|(other_id, ..)| id != other_id)));
    }
}
