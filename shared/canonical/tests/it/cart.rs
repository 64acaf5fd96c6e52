use canonical::Event;
use canonical::cart::{Ledger, advance};
use canonical::fact::{CartSnapshot, Line};
use proptest::prelude::*;
use serde_json::json;

use crate::{ada, decimal, euros, line, metrics, minute, source};

fn cart(minutes: i64, lines: Vec<Line>) -> CartSnapshot {
    CartSnapshot {
        cart_id: "cart-1".into(),
        person: ada(),
        updated_at: Some(minute(minutes)),
        checkout_url: Some("https://shop.example.com/cart/1".into()),
        currency: Some("EUR".parse().unwrap()),
        lines,
    }
}

fn tell(snapshots: &[CartSnapshot]) -> (Ledger, Vec<Event>) {
    snapshots.iter().fold((Ledger::default(), Vec::new()), |(ledger, mut events), snapshot| {
        let (ledger, told) = advance(&ledger, snapshot, &source());
        events.extend(told);
        (ledger, events)
    })
}

#[test]
fn what_was_added_is_told_with_its_price() {
    let (_, events) = tell(&[
        cart(1, vec![line("l1", "1", "2.50")]),
        cart(2, vec![line("l1", "3", "2.50"), line("l2", "1", "7.00")]),
    ]);
    assert_eq!(metrics(&events), ["Added to Cart"; 3]);
    let added: Vec<_> = events.iter().map(|event| event.value.unwrap()).collect();
    assert_eq!(added, [euros("2.50"), euros("5.00"), euros("7.00")]);
    let properties = &events[1].properties;
    assert_eq!(properties["AddedItemProductName"], "Thing l1");
    assert_eq!(properties["AddedItemProductID"], "p-l1");
    assert_eq!(properties["AddedItemPrice"], json!(2.5));
    assert_eq!(properties["AddedItemQuantity"], json!(2));
    assert_eq!(properties["ItemNames"], json!(["Thing l1", "Thing l2"]));
    assert_eq!(properties["Items"].as_array().unwrap().len(), 2);
    assert_eq!(properties["CheckoutURL"], "https://shop.example.com/cart/1");
    assert_eq!(events[1].occurred_at, minute(2));
}

#[test]
fn a_discounted_line_that_is_all_new_is_worth_its_total() {
    let discounted = Line { total: Some(decimal("4.00")), ..line("l1", "2", "2.50") };
    let (_, events) = tell(&[cart(1, vec![discounted])]);
    assert_eq!(events[0].value, Some(euros("4")));
}

#[test]
fn the_same_cart_again_and_a_smaller_cart_tell_nothing() {
    let full = cart(1, vec![line("l1", "2", "1"), line("l2", "1", "1")]);
    let (_, events) = tell(&[full.clone(), full.clone(), cart(2, vec![line("l1", "1", "1")]), full]);
    assert_eq!(events.len(), 2);
}

#[test]
fn what_was_taken_out_and_put_back_is_told_again() {
    let one = || vec![line("l1", "1", "1")];
    let (_, events) = tell(&[cart(1, one()), cart(2, Vec::new()), cart(3, one())]);
    assert_eq!(events.len(), 2);
    assert_ne!(events[0].id, events[1].id);
}

#[test]
fn a_cart_that_arrives_late_or_without_a_time_tells_nothing() {
    let (ledger, _) = tell(&[cart(5, vec![line("l1", "1", "1")])]);
    let late = cart(4, vec![line("l1", "9", "1")]);
    let timeless = CartSnapshot { updated_at: None, ..late.clone() };
    for snapshot in [late, timeless] {
        assert_eq!(advance(&ledger, &snapshot, &source()), (ledger.clone(), Vec::new()));
    }
}

#[test]
fn lines_with_one_id_count_together() {
    let (ledger, events) = tell(&[cart(1, vec![line("l1", "1", "2"), line("l1", "2", "2")])]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].properties["AddedItemQuantity"], json!(3));
    assert_eq!(events[0].value, Some(euros("6")));
    assert_eq!(ledger.quantities["l1"], decimal("3"));
}

#[test]
fn the_ledger_survives_storage() {
    let (ledger, _) = tell(&[cart(1, vec![line("l1", "1.5", "2")])]);
    let stored = serde_json::to_value(&ledger).unwrap();
    assert_eq!(stored["q"], json!({"l1": "1.5"}));
    assert_eq!(serde_json::from_value::<Ledger>(stored).unwrap(), ledger);
}

proptest! {
    #[test]
    fn repeats_and_swaps_within_one_instant_do_not_change_the_ledger_nor_repeat_an_event(
        quantities in prop::collection::vec(1_u32..5, 1..6).prop_flat_map(|quantities| {
            (Just(quantities.clone()), Just(quantities).prop_shuffle())
        })
    ) {
        let snapshots = |quantities: &[u32]| -> Vec<_> {
            quantities.iter().map(|count| cart(1, vec![line("l1", &count.to_string(), "1")])).collect()
        };
        let (ledger, events) = tell(&snapshots(&quantities.0));
        let (shuffled_ledger, _) = tell(&snapshots(&quantities.1));
        prop_assert_eq!(ledger, shuffled_ledger);
        let ids: std::collections::BTreeSet<_> = events.iter().map(|event| &event.id).collect();
        prop_assert_eq!(ids.len(), events.len());
    }
}
