//! What happens to a world, one thing after the other.

use predictions::Model;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::changes::{MadeEvent, MadeProfile, event, profile};
use super::definitions::Family;
use super::{DAY, HOUR};

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An event is stored; the stream will tell of it later.
    Store(MadeEvent),
    /// The stream tells of so many changes at most.
    Deliver(usize),
    /// Both at once.
    Event(MadeEvent),
    /// The profile is changed, and the stream tells of it: at once, or later.
    Profile(MadeProfile, Told),
    /// All events of a metric are deleted.
    Remove(&'static str),
    Pass(i64),
    /// To an instant so many milliseconds from the next due one.
    PassToDue(i64),
    Tick,
    /// Adds, edits or removes a segment. The state is brought up to it at once, or when somebody needs it.
    Edit(usize, Option<Value>, Told),
    Account(AccountChange),
    /// Counts everything anew.
    Recount,
    EncodeDecode,
    /// The bytes of the state are put aside, or taken up again as if nothing written since had been written.
    Keep,
    GoBack,
    /// A function that has not yet heard of the last edit takes a hand.
    Outdated(Hand),
    /// The next steps are about the other person.
    Switch,
    /// The other person turns out to be this one.
    Merge,
    /// The person is erased, and comes back as somebody new.
    Return,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    AtOnce,
    Later,
}

#[derive(Clone, Debug)]
pub(super) enum Hand {
    Tick,
    Profile,
    Rebuild,
    Event(MadeEvent),
}

/// The account moves, or its orders taught something else.
#[derive(Clone, Debug)]
pub(super) enum AccountChange {
    Zone(&'static str),
    Model(Option<Model>),
}

fn account_change() -> impl Strategy<Value = AccountChange> {
    prop_oneof![
        select(vec!["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu"])
            .prop_map(AccountChange::Zone),
        select(vec![None, Some(0.793), Some(1.4)]).prop_map(|a| AccountChange::Model(a.map(model))),
    ]
}

pub(super) fn model(a: f64) -> Model {
    let purchases = json!({"r": 0.243, "alpha": 31.0, "a": a, "b": 2.426});
    let value = json!({"orders": "1.5", "sum": "4"});
    serde_json::from_value(json!({
        "version": predictions::VERSION, "fitted_day": 19_000, "customers": 1000, "purchases": purchases, "value": value,
    }))
    .unwrap()
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![2 => Just(Told::AtOnce), 1 => Just(Told::Later)]
}

fn hand() -> impl Strategy<Value = Hand> {
    prop_oneof![
        1 => Just(Hand::Tick),
        1 => Just(Hand::Profile),
        1 => Just(Hand::Rebuild),
        3 => event().prop_map(Hand::Event),
    ]
}

pub(super) fn step(family: Family) -> impl Strategy<Value = Step> {
    let edit = (0..4_usize, prop::option::weighted(0.8, family.definition()), told());
    prop_oneof![
        24 => event().prop_map(Step::Event),
        9 => event().prop_map(Step::Store),
        6 => prop_oneof![2 => Just(usize::MAX), 1 => 1..3_usize].prop_map(Step::Deliver),
        9 => (profile(), told()).prop_map(|(change, told)| Step::Profile(change, told)),
        2 => select(vec!["Orders", "Views"]).prop_map(Step::Remove),
        9 => prop_oneof![0..3 * DAY, 0..2 * HOUR, 0..400 * DAY, Just(0), -HOUR / 2..0].prop_map(Step::Pass),
        36 => select(vec![-1, 0, 0, 0, 1]).prop_map(Step::PassToDue),
        3 => Just(Step::Tick),
        6 => edit.prop_map(|(place, json, told)| Step::Edit(place, json, told)),
        2 => account_change().prop_map(Step::Account),
        2 => Just(Step::Recount),
        6 => Just(Step::EncodeDecode),
        4 => Just(Step::Keep),
        6 => Just(Step::GoBack),
        4 => hand().prop_map(Step::Outdated),
        4 => Just(Step::Switch),
        3 => Just(Step::Merge),
        1 => Just(Step::Return),
    ]
}
