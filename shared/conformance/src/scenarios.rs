//! Several deliveries, and the events that must come of them in every order of arrival.

use std::collections::BTreeMap;
use std::path::Path;

use canonical::{Fact, Instant, Source};
use platform::Mapping;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::case::Case;
use crate::events::{History, without_currency};
use crate::{Suite, files};

/// What happens everywhere.
const REQUIRED: &[&str] = &[
    "two_states_of_one_order",
    "webhook_and_poll_of_one_order",
    "guest_without_email_later_identified",
    "refund_before_order",
    "currency_without_decimals",
    "currency_with_three_decimals",
    "names_beyond_ascii",
    "ids_of_18_digits",
    "absurd_values",
];
/// Deliveries up to which every order of arrival is tried.
const ALL_ORDERS_UP_TO: usize = 4;

/// Several deliveries, and what must come of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows.
    pub description: String,
    /// The connection's settings.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The deliveries; their own settings stay empty.
    pub deliveries: Vec<Case>,
    /// The order of arrival matters.
    #[serde(default)]
    pub ordered: bool,
    /// The events that a known person has in the end, one line each.
    pub expect: Vec<String>,
    /// Metrics that nobody has an event of, such as `Cancelled Order`.
    #[serde(default)]
    pub never: Vec<String>,
}

impl Suite {
    /// All scenarios with their names.
    pub fn all_scenarios(&self) -> Vec<(String, Scenario)> {
        let paths = files::below(&Path::new(self.folder).join("scenarios"));
        paths.iter().map(|path| (files::stem(path), Scenario::read(path))).collect()
    }

    /// Every scenario tells the same in every order of arrival, and when all comes twice: what it promises, and
    /// nothing else.
    pub fn scenarios(&self) {
        let scenarios = self.all_scenarios();
        for (name, scenario) in &scenarios {
            self.scenario(name, scenario);
        }
        let names: Vec<_> = scenarios.into_iter().map(|(name, _)| name).collect();
        self.requires("scenarios", REQUIRED, &names);
    }

    fn scenario(&self, name: &str, scenario: &Scenario) {
        let facts: Vec<Told> =
            scenario.deliveries.iter().filter_map(|case| self.facts_of(name, case)).collect();
        let forwards: Vec<usize> = (0..facts.len()).collect();
        let told = tell(&facts, &forwards);
        let mut lines: Vec<&String> = told.values().collect();
        let mut promised: Vec<&String> = scenario.expect.iter().collect();
        lines.sort_unstable();
        promised.sort_unstable();
        assert_eq!(lines, promised, "{name}: told (left) is not what is promised (right)");
        for never in &scenario.never {
            let told = lines
                .iter()
                .find(|line| line.split_once(' ').is_some_and(|(_, event)| event.starts_with(never)));
            assert!(told.is_none(), "{name}: {told:?} must never be told");
        }
        let twice: Vec<usize> = forwards.iter().chain(&forwards).copied().collect();
        assert_eq!(tell(&facts, &twice), told, "{name}: when all comes twice");
        if scenario.ordered {
            return;
        }
        for order in orders(facts.len()) {
            assert_eq!(
                amounts(tell(&facts, &order)),
                amounts(told.clone()),
                "{name}: in the order {order:?}"
            );
        }
    }

    fn facts_of(&self, name: &str, case: &Case) -> Option<Told> {
        let delivery = match case.delivery(self) {
            Ok(delivery) => delivery,
            Err(verdict) => {
                assert!(verdict.get("ignore").is_some(), "{name}: {verdict}");
                return None;
            }
        };
        let source = Source {
            platform: delivery.platform.clone(),
            connection: delivery.connection.clone(),
            topic: delivery.topic.clone(),
            delivery_id: delivery.delivery_id.clone(),
        };
        match case.mapping(self, &delivery) {
            Mapping::Facts { facts, .. } => Some((facts, source, delivery.received_at.into())),
            Mapping::Ignore(_) => None,
            other => panic!("{name}: {other:?}"),
        }
    }
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> Self {
        let mut scenario: Self = files::read(path);
        assert!(!scenario.description.is_empty(), "{}: no description", path.display());
        for case in &mut scenario.deliveries {
            case.settings.clone_from(&scenario.settings);
        }
        scenario
    }
}

/// What a delivery says, where it came from, and when.
type Told = (Vec<Fact>, Source, Instant);

fn tell(facts: &[Told], order: &[usize]) -> BTreeMap<String, String> {
    let mut history = History::default();
    for &index in order {
        let (facts, source, received_at) = &facts[index];
        history.tell(facts.clone(), source, *received_at);
    }
    history.summaries()
}

/// Without the currency, which a refund that comes before its order may not know.
fn amounts(lines: BTreeMap<String, String>) -> BTreeMap<String, String> {
    lines.into_iter().map(|(id, line)| (id, without_currency(&line).to_owned())).collect()
}

/// Every order of so many things; of many, backwards and turned around.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count > ALL_ORDERS_UP_TO {
        let turned = (1..count).map(|first| (0..count).map(|index| (index + first) % count).collect());
        return std::iter::once((0..count).rev().collect()).chain(turned).collect();
    }
    (0..count).fold(vec![Vec::new()], |orders, next| {
        orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, next);
                    longer
                })
            })
            .collect()
    })
}
